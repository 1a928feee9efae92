--- swale new FILE
local cli = require "swale.cli"

local M = { summary = "write a commented script to start from: swale new FILE", order = 1 }

local TEMPLATE = [[
-- NAME: what this experiment tests, and the result expected.
--
--   swale check FILE            shapes, weights, updates, time; no training
--   swale run FILE lr=0.1       one run, its record in runs/
--   swale batch FILE --seeds 5  five runs, of the seeds 1 to 5
--   swale sweep FILE lr=0.05,0.1 --seeds 3
--                               three runs of each rate; which is better
local sw = require "swale"

--- The learning rate of the next update. s is the state of the training: s.step, s.examples,
--- s.epoch (a fraction), and of the last update s.loss, s.grad_norm, s.lr, s.batch_size.
local function rate(lr)
  return function(s) return lr / (1 + s.epoch) ^ 0.6 end
end

--- Doubles the batch when the noise scale is above four times its size. `above` is true if the
--- whole interval of the estimate is above. mem is the rule's own table, kept from step to step.
local function grow(most)
  return function(s, mem)
    mem.batch = mem.batch or s.batch_size
    if s.noise_scale:above(4 * mem.batch) then mem.batch = math.min(2 * mem.batch, most) end
    return mem.batch
  end
end

return sw.experiment {
  name = "NAME",

  -- Defaults; `lr=0.1` on the command line replaces one. A default that is a whole number takes
  -- whole numbers only: write 1.0 to allow fractions. sw.choice { "a", "b" } takes "a" or "b".
  params = { data = "digits", hidden = 32, lr = 0.1, batch = 16, most = 128, epochs = 20 },

  objective = { "valid_loss", "min" }, -- what `swale sweep` judges runs by

  run = function(run, p)
    local data = sw.data.load(p.data)
    local trainer = sw.Trainer {
      model = sw.nn.Sequential {
        sw.nn.Linear(data.features, p.hidden), sw.nn.ReLU(),
        sw.nn.Linear(p.hidden, data.classes),
      },
      data = data,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = 5e-4 },
      lr = rate(p.lr),                             -- a number, a schedule or a function
      batch_size = sw.rule(p.batch, grow(p.most)), -- the same; a rule has a first value
      measure = { noise_scale = sw.every { steps = 5 } },
      -- The mean of the weights at the ends of the epochs in the second half.
      average = sw.average.SWA { start = { epochs = p.epochs // 2 }, every = { epochs = 1 } },
    }
    trainer:fit { epochs = p.epochs, run = run }

    trainer:report(run) -- losses of the last weights, the best on valid, the average
    run:plot()          -- draws the run, in its directory
    run:summary {       -- what `swale batch` shows of each run
      last = trainer:evaluate("last", { on = "test" }).accuracy,
      swa = trainer:evaluate("swa", { on = "test" }).accuracy,
      updates = trainer:state().step,
    }
  end,
}
]]

local function build_parser()
  local parser = cli.parser("new", "Writes a script to start from: an experiment that runs as it"
    .. " is, in a few seconds. An existing file is not changed.")
  parser:argument("file", "Its name; .lua is added."):argname "FILE"
  return parser
end

local function template(path)
  local name = path:match "([^/]+)%.lua$" or "experiment"
  local text = TEMPLATE:gsub("%f[%w]NAME%f[%W]", function() return name end)
  return (text:gsub("%f[%w]FILE%f[%W]", function() return path end))
end

--- Writes the file only if none has its name.
local function write(path, text)
  local uv = require "luv"
  local fd, problem, code = uv.fs_open(path, "wx", 420) -- rw-r--r--
  if not fd then return nil, problem, code end
  local ok
  ok, problem, code = uv.fs_write(fd, text)
  uv.fs_close(fd)
  return ok, problem, code
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local path = o.file:match "%.lua$" and o.file or o.file .. ".lua"
  if not path:match "[^/]%.lua$" then
    cli.say("new: %s has no name", path)
    return 2
  end
  local ok, problem, code = write(path, template(path))
  if not ok and code == "EEXIST" then
    cli.say("%s exists already and was not changed", path)
    return 1
  elseif not ok then
    cli.say("%s: cannot be written: %s", path, require("swale.folders").words(problem))
    return 1
  end
  print(("%s written. Next: swale check %s; swale run %s"):format(path, path, path))
  return 0
end

return M
