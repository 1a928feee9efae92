--- swale new FILE
local cli = require "swale.cli"

local M = { summary = "write a commented script to start from: swale new FILE", order = 4 }

local TEMPLATE = [[
-- NAME: what is tried, and what is expected of it.
--
--   swale check FILE            shapes, weights, updates, time; no training
--   swale run FILE lr=0.1       one run, its record in runs/
--   swale batch FILE --seeds 5  five of them
local sw = require "swale"

--- The learning rate before each update. s says how far things are: s.step, s.examples, s.epoch (a
--- fraction), and what happened last: s.loss, s.grad_norm, s.lr, s.batch_size.
local function rate(lr)
  return function(s) return lr / (1 + s.epoch) ^ 0.6 end
end

--- The batch grows while the gradient's noise surely asks for it: `above` is true once the whole
--- interval of the measured noise scale is. mem is the rule's own table, kept from step to step.
local function grow(most)
  return function(s, mem)
    mem.batch = mem.batch or s.batch_size
    if s.noise_scale:above(4 * mem.batch) then mem.batch = math.min(2 * mem.batch, most) end
    return mem.batch
  end
end

return sw.experiment {
  name = "NAME",

  -- Defaults; `lr=0.1` on the command line replaces one. A whole number stays one: write 1.0 for
  -- what may be a fraction. sw.choice { "a", "b" } takes one of some values, at first the first.
  params = { data = "digits", hidden = 32, lr = 0.1, batch = 16, most = 128, epochs = 20 },

  run = function(run, p)
    local data = sw.data.load(p.data)
    local trainer = sw.Trainer {
      model = sw.nn.Sequential {
        sw.nn.Linear(data.features, p.hidden), sw.nn.ReLU(),
        sw.nn.Linear(p.hidden, data.classes),
      },
      data = data,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = 5e-4 },
      lr = rate(p.lr),                             -- a number, a schedule, or a function
      batch_size = sw.rule(p.batch, grow(p.most)), -- likewise; a rule begins with a value
      measure = { noise_scale = sw.every { steps = 5 } },
      -- The mean of the weights at the ends of the later epochs.
      average = sw.average.SWA { start = { epochs = p.epochs // 2 }, every = { epochs = 1 } },
    }
    trainer:fit { epochs = p.epochs, run = run }

    trainer:report(run) -- last weights, best on valid, captured ones, their mean
    run:plot()          -- loss, learning rate and batch size, in the run's directory
    run:summary {       -- what a batch shows of each run
      last = trainer:evaluate("last", { on = "test" }).accuracy,
      swa = trainer:evaluate("swa", { on = "test" }).accuracy,
      updates = trainer:state().step,
    }
  end,
}
]]

local function build_parser()
  local parser = cli.parser("new", "Writes a script to start from: an experiment that runs as it"
    .. " is, in a few seconds. A file that is there is left alone.")
  parser:argument("file", "Where it goes; .lua is added."):argname "FILE"
  return parser
end

local function template(path)
  local name = path:match "([^/]+)%.lua$" or "experiment"
  local text = TEMPLATE:gsub("%f[%w]NAME%f[%W]", function() return name end)
  return (text:gsub("%f[%w]FILE%f[%W]", function() return path end))
end

--- Made only if nothing has that name.
local function write(path, text)
  local uv = require "luv"
  local fd, problem = uv.fs_open(path, "wx", 420) -- rw-r--r--
  if not fd then return nil, problem end
  local ok, message = uv.fs_write(fd, text)
  uv.fs_close(fd)
  return ok, message
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
  local ok, problem = write(path, template(path))
  if not ok and problem:match "^EEXIST" then
    cli.say("%s is there already, and stays as it is", path)
    return 1
  elseif not ok then
    cli.say("%s: cannot be written: %s", path, problem:match "^%u+: ([^:]+)" or problem)
    return 1
  end
  print(("%s written. Next: swale check %s; swale run %s"):format(path, path, path))
  return 0
end

return M
