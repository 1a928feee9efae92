--- Random calls of all public functions: each must give a result or a useful error.
---
---     ./swale lua tests/lua/random_calls.lua COUNT [SEED [FIRST WORLD [verbose]]]
---
--- Calls are made in worlds of 200. A world depends on the seed and its number alone; only Swale's
--- own state is left for the next one. verbose prints each call before it is made. Faults are: an
--- end by a signal; seconds of CPU time for one call; core memory that is not released; another
--- result of a small training afterwards; and, in a message, an error of Lua itself, a position
--- inside Swale, or no position for a fault of the caller.
local core = require "swale.core"
local recipes = require "call_recipes"
local sw = require "swale"
local values = require "call_values"

local M = { WORLD = 200, WRONG_SELF = true }

local SECONDS = 30         -- of CPU time
local KEPT_BYTES = 2 ^ 26  -- of the core's, after a world

--- These change messages, the end of the process, or which allocation fails.
local LEFT_OUT = { ["core.set_library"] = true, ["core.extend"] = true,
  ["core.fail_allocation"] = true, ["core.catch_signals"] = true, ["core.interrupted"] = true,
  ["core.clear_interrupt"] = true, ["core.die_with_parent"] = true,
  ["core.limit_memory"] = true,
  -- For Swale's own files alone:
  ["sw.nn.initializers.check"] = true, ["sw.nn.initializers.fill"] = true,
  ["swale.Compiled:program"] = true, ["swale.Compiled:vectors"] = true,
  ["swale.Compiled:drawing"] = true, ["swale.Estimate:update"] = true,
  ["swale.Estimate:because"] = true, ["swale.Schedule:follow"] = true }

--- Networks call the methods of layers, with what belongs together.
local function is_left_out(name)
  return LEFT_OUT[name] or name:find "^swale%.Layer:" and name ~= "swale.Layer:summary"
end

-- ------------------------------------------------------------------ what there is to call

local function add_functions(list, prefix, t)
  for _, name in ipairs(require("swale.errors").sorted_keys(t)) do
    local f = rawget(t, name)
    if type(f) == "function" and not is_left_out(prefix .. name) then
      list[#list + 1] = { name = prefix .. name, f = f }
    end
  end
end

local function library()
  local list = {}
  for _, module in pairs(sw) do
    if type(module) == "table" then next(module) end -- loads it
  end
  add_functions(list, "sw.", sw)
  for _, name in ipairs { "nn", "loss", "optim", "schedule", "average", "data", "ops", "zoo",
    "measure", "stats", "fit", "linalg", "landscape", "rules", "scaling" } do
    add_functions(list, "sw." .. name .. ".", sw[name])
  end
  add_functions(list, "sw.nn.initializers.", sw.nn.initializers)
  add_functions(list, "core.", core)
  return list
end

--- Tables of methods: the metatable, its __index, and the upvalues of an __index function.
local function method_tables(meta)
  local list, index = { meta }, rawget(meta, "__index")
  if type(index) == "table" and index ~= meta then list[2] = index end
  for i = 1, type(index) == "function" and 20 or 0 do
    local name, value = debug.getupvalue(index, i)
    if not name then break end
    if name == "methods" then list[#list + 1] = value end
  end
  return list
end

--- Of an object's class; kinds of layers share a name, not their methods.
local function methods_of(known, object)
  local class, meta = values.class_of(object), debug.getmetatable(object)
  if not class then return {} end -- a call has given it another metatable
  if known[meta] then return known[meta] end
  local list = {}
  for _, t in ipairs(method_tables(meta)) do add_functions(list, class .. ":", t) end
  for i = #list, 1, -1 do -- metamethods are called by operators
    if list[i].name:find ":__" then table.remove(list, i) end
  end
  known[meta] = list
  return list
end

--- Recipes by their functions; those of unknown names are left out.
local function right_calls(functions)
  local list, by_name = {}, {}
  for _, entry in ipairs(functions) do by_name[entry.name] = entry.f end
  for _, name in ipairs(require("swale.errors").sorted_keys(recipes)) do
    list[#list + 1] = { name = name, f = by_name[name], make = recipes[name] }
  end
  return list
end

-- ------------------------------------------------------------------ operators

local OPERATORS = {
  { "a + b", function(a, b) return a + b end }, { "a - b", function(a, b) return a - b end },
  { "a * b", function(a, b) return a * b end }, { "a / b", function(a, b) return a / b end },
  { "a ^ b", function(a, b) return a ^ b end }, { "-a", function(a) return -a end },
  { "a < b", function(a, b) return a < b end }, { "a <= b", function(a, b) return a <= b end },
  { "a == b", function(a, b) return a == b end }, { "a .. b", function(a, b) return a .. b end },
  { "#a", function(a) return #a end }, { "a[b]", function(a, b) return a[b] end },
  { "a(b)", function(a, b) return a(b) end },
  { "a[b] = c", function(a, b, c)
    if type(a) == "userdata" or rawget(getmetatable(a) or {}, "__newindex") then a[b] = c end
  end },
  { "ipairs", function(a) for i in ipairs(a) do if i > 10 then break end end end },
  { "tostring", tostring },
}

-- ------------------------------------------------------------------ one call

local function plain(value) return type(value) == "table" and not values.class_of(value) end

--- Replaces, removes or adds one argument, or one entry of a table among them.
local function spoil(pool, args, method)
  local t, n = args, args.n
  local at = pool:whole(n + 1)
  if at == 1 and method and not M.WRONG_SELF then at = 2 end
  while plain(t[at]) and next(t[at]) ~= nil and not pool:one_in(3) do
    t = t[at]
    local keys = {}
    for key in pairs(t) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    at = pool:one_in(8) and pool:string() or pool:any_of(keys)
  end
  t[at] = pool:value()
  if t == args then args.n = math.max(n, at) end
end

--- Tables are copied: recipes may give the same one again.
local function copied(value, depth)
  if not plain(value) or depth > 4 then return value end
  local t = {}
  for key, v in pairs(value) do t[key] = copied(v, depth + 1) end
  return t
end

local function spoilt(pool, args, method)
  for i = 1, args.n do args[i] = copied(args[i], 1) end
  for _ = 1, pool:any_of { 0, 1, 1, 1, 1, 2 } do spoil(pool, args, method) end
  return args
end

--- Of a method: self first, which is seldom another one.
local function any_call(pool, self)
  local args = { n = pool:whole(5) - 1 }
  for i = 1, args.n do args[i] = pool:value() end
  if self and (not M.WRONG_SELF or not pool:one_in(8)) then
    args[1], args.n = self, math.max(args.n, 1)
  end
  return args
end

--- A recipe's call; of a method, the function is that of the object that the recipe gave.
local function recipe_call(world)
  local entry = world.pool:any_of(world.right)
  local args, f = table.pack(entry.make(world.pool)), entry.f
  local name = entry.name:match ":(.*)$"
  for _, method in ipairs(name and methods_of(world.known, args[1]) or {}) do
    if method.name == entry.name then f = method.f end
  end
  if not f then return nil end
  return entry, f, spoilt(world.pool, args, name)
end

local function method_call(world)
  local object = world.pool:object(world.pool:any_of(world.pool.classes))
  local list = methods_of(world.known, object)
  if #list == 0 then return nil end
  local entry = world.pool:any_of(list)
  return entry, entry.f, any_call(world.pool, object)
end

local function operator_call(world)
  local pool = world.pool
  local operator = pool:any_of(OPERATORS)
  local object = pool:object(pool:any_of(pool.classes))
  return { name = operator[1], operator = true }, operator[2],
    { n = 3, object, pool:value(), pool:value() }
end

local function function_call(world)
  local entry = world.pool:any_of(world.functions)
  return entry, entry.f, any_call(world.pool)
end

local KINDS = { recipe_call, recipe_call, recipe_call, recipe_call, recipe_call, method_call,
  method_call, operator_call, function_call, function_call }

--- Returns a name, a function and its arguments.
local function choose(world)
  local entry, f, args
  repeat entry, f, args = world.pool:any_of(KINDS)(world) until entry
  return entry, f, args
end

-- ------------------------------------------------------------------ in words

local function words(value, depth)
  if type(value) == "string" then return ("%q"):format(#value > 60 and value:sub(1, 57) .. "..."
    or value) end
  local class = values.class_of(value)
  if class == "tensor" then
    local ok, shape = pcall(value.shape, value)
    return ok and ("tensor{%s}:%s"):format(table.concat(shape, ","), value:dtype())
      or "freed tensor"
  elseif class then
    return class
  elseif type(value) == "table" then
    local parts = {}
    if depth > 4 then return "{…}" end
    for key, v in pairs(value) do
      local name = type(key) == "string" and key .. " = " or type(key) ~= "number" and "? = "
        or ("[%s] = "):format(key)
      parts[#parts + 1] = name .. words(v, depth + 1)
    end
    table.sort(parts)
    return "{ " .. table.concat(parts, ", ") .. " }"
  end
  return type(value) == "function" and "function" or tostring(value)
end

local function call_text(entry, args)
  local parts = {}
  for i = 1, args.n do parts[i] = words(args[i], 1) end
  return entry.name .. "(" .. table.concat(parts, ", ") .. ")"
end

-- ------------------------------------------------------------------ what a message may be

local HERE = debug.getinfo(1, "S").short_src

--- Lua's own errors, and those of its library.
local RAW = { "attempt to", "bad argument", "number has no integer representation",
  "stack overflow",
  "malformed pattern", "table index is", "'for' ", "stack traceback", "too many results",
  "string slice too long", "resulting string too large", "invalid format", "invalid option '",
  "C stack", "error in error", "%f[%w]0x%x%x%x%x%x%x+" }

--- Faults of the environment have no position; many begin with the name of a file.
local ENVIRONMENT = { "^%S+%.%l+: ", ": No such file", "memory", "[Ff]ile", "disk", "gnuplot",
  "network", "does not fit", "\n  .*: in nn%.", "NaN", "nan", "loss is", "interrupted", "zlib",
  "curl", "download", "folder", "directory", "fetch" }

local function has_any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return pattern end
  end
end

local function is_fault(message)
  local name = message:match "^(.-): "
  for _, text in ipairs(values.STRINGS) do if text == name then return true end end
  return has_any(message, ENVIRONMENT)
end

---Why a message is not useful to a caller; nil if it is.
---@param message any
---@param operator boolean   Lua says itself what an operator cannot do
---@return string|nil
function M.fault(message, operator)
  local raised = type(message)
  if raised == "table" and getmetatable(message) then message = tostring(message) end -- has a code
  if type(message) ~= "string" then return "error value " .. raised end
  if message:find("a callback's own error", 1, true) or message == "enough steps"
    or message:find "^%S*tests/lua/call_%l+%.lua:%d+: " then return nil end
  local rest = message
  local first, last = message:find(HERE .. ":%d+: ")
  if first == 1 then rest = message:sub(last + 1) end
  if rest:find "^[^\n]*%.lua:%d+:" or rest:find "scripts/swale/" then -- later lines name layers
    return "a position inside Swale"
  end
  if operator and first == 1 then return nil end
  local raw = has_any(rest, RAW)
  if raw then return "Lua's own error: " .. raw end
  if first ~= 1 and not is_fault(rest) then return "no position" end
  return nil
end

-- ------------------------------------------------------------------ worlds

--- The weights of a small training, as text.
local function training()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 60, seed = 3 }
  local trainer = sw.Trainer { model = sw.nn.Sequential { sw.nn.Linear(4, 8), sw.nn.ReLU(),
    sw.nn.Linear(8, 3) }, data = data, lr = 0.1, momentum = 0.9, seed = 5, batch_size = 7 }
  trainer:fit { steps = 20 }
  local text = {}
  for i, w in ipairs(trainer:weights():table()) do text[i] = ("%a"):format(w) end
  return table.concat(text, " ")
end

local Session = {}
Session.__index = Session

--- o: seed; at: a file that always holds what is being called; found(line); verbose.
local function session(o)
  local functions = library()
  return setmetatable({ o = o, functions = functions, right = right_calls(functions), known = {},
    seen = {}, wanted = training(), calls = 0, succeeded = 0 }, Session)
end

function Session:found(world, call, why, text, message)
  local key = text:match "^[^(]*" .. why .. tostring(message):gsub("0x%x+", "#"):gsub("%d+", "#")
  if self.seen[key] then return end
  self.seen[key] = true
  self.o.found(("%s\t%s\t%s\t(seed %d, world %d, call %d)"):format(why, text,
    (tostring(message):gsub("\n", "\\n")), self.o.seed, world, call))
end

function Session:call(world, number)
  local entry, f, args = choose(world)
  local note = self.o.at
  if note then
    note:seek "set"
    note:write(("world %d, call %d: %-60s\n"):format(world.number, number, entry.name))
  end
  local text = call_text(entry, args)
  if self.o.verbose then io.stderr:write(number, " ", text, "\n") end
  local start = os.clock()
  local results = table.pack(pcall(f, table.unpack(args, 1, args.n)))
  local took = os.clock() - start
  self.calls = self.calls + 1
  if self.o.verbose then io.stderr:write("   ", tostring(results[1]), " ", tostring(results[2]),
    "\n") end
  if took > SECONDS then self:found(world.number, number, "slow", text, "seconds of CPU time") end
  if not results[1] then
    local why = M.fault(results[2], entry.operator)
    if why then self:found(world.number, number, why, text, results[2]) end
    return
  end
  self.succeeded = self.succeeded + 1
  if entry.name:find "^sw%.zoo" then return end -- too large for what others do with it
  for i = 2, math.min(results.n, 4) do
    local result = results[i]
    if values.class_of(result) == "swale.Trainer" then pcall(values.limited, result) end
    world.pool:add(result)
  end
end

function Session:world(number)
  local stream = core.random(self.o.seed, "random calls", number)
  local world = { number = number, pool = values.new(stream):fill(), right = self.right,
    functions = self.functions, known = self.known }
  for call = 1, M.WORLD do self:call(world, call) end
  world.pool = nil
  collectgarbage()
  collectgarbage()
  core.set_threads(1) -- each thread of the pool has memory of its own
  local kept = core.memory().live_bytes
  if kept > KEPT_BYTES then
    self:found(number, 0, "memory", "a world", ("%d bytes of the core's are left"):format(kept))
  end
end

---Makes calls.
---@param o table   seed, first (number of the first world), count (of calls), found(line), verbose;
---at: a file that says what is being called
---@return integer calls, integer succeeded
function M.run(o)
  local s = session(o)
  core.set_threads(1)
  for number = o.first, o.first + (o.count + M.WORLD - 1) // M.WORLD - 1 do
    s:world(number)
    if training() ~= s.wanted then
      s:found(number, 0, "training", "a training after it", "has other weights")
      break
    end
  end
  return s.calls, s.succeeded
end

local function main(count, seed, first, verbose)
  local file = assert(io.open("good.csv", "w"))
  file:write "a,b,c\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,1,0\n2,2,1\n"
  file:close()
  local at = assert(io.open("at.txt", "w"))
  at:setvbuf "no"
  local found = 0
  local calls, succeeded = M.run { count = math.tointeger(tonumber(count)) or 1000,
    seed = math.tointeger(tonumber(seed)) or 1, first = math.tointeger(tonumber(first)) or 1,
      at = at,
    verbose = verbose == "verbose", found = function(line)
      found = found + 1
      io.stdout:write("found: ", line, "\n")
      io.stdout:flush()
    end }
  io.stdout:write(("%d calls, %d of them gave a result\n"):format(calls, succeeded))
  os.exit(found == 0 and 0 or 1)
end

if arg and arg[0] and arg[0]:match "random_calls%.lua$" then main(...) end

return M
