--- Prints a hash of what each network of the zoo computes, so that the bits of two builds can be
--- compared: 20 steps with each optimizer, Hessian products, per-example norms, predictions.
---
---     ./swale lua tests/bench/bits.lua [--only PATTERN] [--against OTHER/swale]
---
--- A line has a name and a hash. With --against the same file is run by the other swale, and only
--- what differs is printed; the exit status is 1 then.
package.path = arg[0]:match "^(.-)[^/]*$" .. "../lua/?.lua;" .. package.path
local core = require "swale.core"
local process = require "swale.process"
local sw = require "swale"
local tiny = require "tiny_zoo"

local STEPS, EXAMPLES, BATCH = 20, 24, 8
local CLASSES, LENGTH, WORDS = tiny.CLASSES, tiny.LENGTH, tiny.WORDS

local OPTIMIZERS = {
  sgd = { lr = 0.01 },
  nesterov = { lr = 0.01, optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true,
    weight_decay = 5e-4 }, clip_norm = 1 },
  micro = { lr = 0.01, momentum = 0.9, micro_batch = 4 },
  adam = { lr = 1e-3, optimizer = sw.optim.Adam {} },
  adamw = { lr = 1e-3, optimizer = sw.optim.AdamW { weight_decay = 0.1 } },
  lua = { lr = 0.01, optimizer = function(w, g, _, hyper) w:add(-hyper.lr, g) end },
}

-- A build that bits are compared with may be older than core.optimizers.
for kind, row in pairs(core.optimizers and core.optimizers() or {}) do
  if not row.external and not OPTIMIZERS[kind] then
    error(("bits.lua: OPTIMIZERS has no row for %s"):format(kind), 0)
  end
end

-- ------------------------------------------------------------------ hashes

--- FNV-1a over words of 8 bytes, with high bits mixed into low ones.
local function hash(text, h)
  h = h or -3750763034362895579
  for i = 1, #text, 8 do
    h = (h ~ string.unpack("<i8", text, i)) * 1099511628211
    h = h ~ h >> 29
  end
  return h
end

--- The hash of a number's bits, or of all elements of a tensor.
local function hash_of(value, h)
  if type(value) == "number" then return hash(string.pack("<d", value), h) end
  local numbers = value:reshape { value:numel() }:table()
  for i, x in ipairs(numbers) do numbers[i] = string.pack("<d", x) end
  return hash(table.concat(numbers), h)
end

local function put(name, ...)
  local h
  for _, value in ipairs { ... } do h = hash_of(value, h) end
  print(("%-40s %016x"):format(name, h))
end

-- ------------------------------------------------------------------ data

local function integers(shape, most)
  local t, random = core.zeros(shape, "int32"), core.random(1, "bits")
  local flat = t:reshape { t:numel() }
  for i = 1, t:numel() do flat:set(i, random:integer(most) - 1) end
  return t
end

local function normal(shape)
  return core.random(2, "bits"):fill_normal(core.zeros(shape), 0, 1)
end

local function split_of(features)
  if features == "words" then
    return { x = integers({ EXAMPLES, LENGTH }, WORDS), y = integers({ EXAMPLES, LENGTH }, WORDS) }
  end
  return { x = normal { EXAMPLES, table.unpack(features) }, y = integers({ EXAMPLES }, CLASSES) }
end

local function data_of(features)
  local words = features == "words"
  return sw.data.from_tensors { train = split_of(features), images = #features == 3 or nil,
    classes = words and WORDS or CLASSES, vocabulary = words and WORDS or nil }
end

-- ------------------------------------------------------------------ what is hashed

local function train(name, how, o)
  local layer, features = tiny.network(name)
  local options = { model = layer, data = data_of(features), batch_size = BATCH, seed = 3,
    average = sw.average.EMA { decay = 0.9 } }
  for key, value in pairs(o) do options[key] = value end
  local made, trainer = pcall(sw.Trainer, options)
  if not made then return print(("%-40s refused"):format(name .. " " .. how)) end
  local losses = {}
  trainer:on("step", function(s) losses[#losses + 1] = s.loss end)
  trainer:fit { steps = STEPS }
  put(name .. " " .. how, trainer:weights(), trainer.average:weights(), sw.tensor(losses),
    trainer:state().grad_norm, trainer.model:buffers() or 0)
  put(name .. " " .. how .. " evaluated", trainer:evaluate("last", { on = "train" }).loss)
end

local function derive(name)
  local layer, features = tiny.network(name)
  local model = layer:build { seed = 3 }
  local f = sw.compile(sw.loss.cross_entropy, model)
  local w, batch = model:weights(), split_of(features)
  local value, gradient = f:value_and_gradient(w, batch)
  put(name .. " gradient", value, gradient)
  put(name .. " hvp", f:hvp(w, batch, gradient))
  put(name .. " gauss_newton", f:gauss_newton(w, batch, gradient))
  put(name .. " predict", model:predict(batch.x))
  local fine, norms = pcall(f.example_norms, f, w, batch)
  if fine then put(name .. " example_norms", norms) end
end

local function print_all(only)
  for _, name in ipairs(sw.zoo.names()) do
    if not only or name:find(only) then
      derive(name)
      for _, how in ipairs(require("swale.errors").sorted_keys(OPTIMIZERS)) do
        train(name, how, OPTIMIZERS[how])
      end
    end
  end
end

-- ------------------------------------------------------------------ two builds

local function lines_of(swale, only)
  local argv = { swale, "lua", arg[0] }
  if only then table.move({ "--only", only }, 1, 2, 4, argv) end
  local result = assert(process.run(argv, { env = { SWALE_BUILD = "", SWALE_HOME = "" } }))
  if result.code ~= 0 then error(result.err, 0) end
  local lines = {}
  for name, value in result.out:gmatch "([^\n]-) +(%S+)\n" do lines[name] = value end
  return lines
end

local function compare(ours, theirs)
  local names, different = require("swale.errors").sorted_keys(ours), 0
  for _, name in ipairs(names) do
    if ours[name] ~= theirs[name] then
      different = different + 1
      print(("%-40s %s %s"):format(name, ours[name], theirs[name] or "missing"))
    end
  end
  print(("%d of %d differ"):format(different, #names))
  return different == 0
end

local function main(args)
  local parser = require "argparse"("bits.lua", "Hashes of what the zoo's networks compute.")
  parser:option("--only", "Networks whose names match this Lua pattern.")
  parser:option("--against", "Another swale, to compare with.")
  local o = parser:parse(args)
  if not o.against then return print_all(o.only) end
  local home = os.getenv "SWALE_HOME"
  os.exit(compare(lines_of(home .. "/swale", o.only), lines_of(o.against, o.only)))
end

main(arg)
