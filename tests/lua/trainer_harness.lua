-- For the tests of trainers: a trainer on the digits, a run that stores what it is given.
local core = require "swale.core"
local sw = require "swale"

local M = {}

local digits

function M.net()
  return sw.nn.Sequential { sw.nn.Linear(64, 16), sw.nn.ReLU(), sw.nn.Linear(16, 10) }
end

-- A trainer on the digits; changes override the defaults.
function M.new(changes)
  digits = digits or sw.data.load "digits"
  local o = { model = M.net(), data = digits, lr = 0.05, batch_size = 32, seed = 1,
    optimizer = sw.optim.SGD { momentum = 0.9 } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

function M.weights_after(changes, length)
  return M.new(changes):fit(length):weights():table()
end

-- A measured value, or what is kept for it, without nan and tensors, which have no equal.
local function plain(value)
  if core.type(value) == "tensor" then return value:table() end
  if type(value) == "table" then
    local copy = {}
    for key, one in next, value do copy[key] = plain(one) end
    return copy
  end
  return value == value and value or "nan"
end

-- The whole state of a training, as plain numbers.
function M.outcome(trainer)
  local s = trainer:state()
  local found = { weights = trainer:weights():table(), step = s.step, examples = s.examples,
    loss = s.loss, grad_norm = s.grad_norm, lr = s.lr, batch_size = s.batch_size,
    momentum = s.momentum, weight_decay = s.weight_decay, kept = {} }
  for name, t in pairs(trainer.engine.loop:state_vectors()) do found.kept[name] = t:table() end
  local buffers = trainer.model:buffers()
  found.buffers = buffers and buffers:table()
  for _, entry in ipairs(trainer.engine.evaluator.averages) do
    local average = entry.average
    found["average " .. entry.name] = average.count > 0 and { average.count,
      average:weights():table(), average:state():table(), average:carry():table() } or 0
    for i, w in ipairs(average:iterates() or {}) do
      found[("iterate %s %d"):format(entry.name, i)] = w:table()
    end
  end
  local best = trainer.engine.evaluator.best
  found.best = best and { best.epoch, best.metrics.loss, best.weights:table() }
  for name, one in pairs(trainer.engine.measurements:state().values) do
    found["measured " .. name] = { one.calls, plain(one.kept or 0), plain(one.value) }
  end
  return found
end

--- Options of a trainer with three measurements, and a batch rule that reads one: the batch grows
--- where the noise scale is above a multiple of it.
function M.measured(multiple, every)
  return { measure = { noise_scale = sw.every { steps = every },
    drift = sw.measurement { every = { steps = 5 },
      function(m) return m.weights:distance(m.start) end },
    luck = sw.measurement { every = { steps = 3 }, function() return math.random() end } },
    batch_size = sw.rule(16, function(s)
      return s.noise_scale:above(multiple * s.batch_size) and math.min(2 * s.batch_size, 64)
        or s.batch_size
    end) }
end

function M.fake_run()
  local run = { lines = {}, checkpoints = {}, printed = {}, best = {} }
  function run:record(line)
    local copy = {}
    for key, value in pairs(line) do copy[key] = value end
    self.lines[#self.lines + 1] = copy
  end
  function run:checkpoint(name, tensors, metadata, o)
    local list = o and o.keep and self.best or self.checkpoints
    list[#list + 1] = { name = name, tensors = tensors, metadata = metadata,
      weights = tensors.weights:table() }
  end
  function run:print(fmt, ...) self.printed[#self.printed + 1] = fmt:format(...) end
  function run:wants_progress() return true end
  function run:progress(o) self.last_progress = o end
  run.fits = {}
  function run.fits.step_name(_, step) return ("step-%08d"):format(step) end
  for _, name in ipairs { "begin", "leave", "keep", "keep_best", "point", "offsets" } do
    run.fits[name] = function() end
  end
  function run:of(kind)
    local list = {}
    for _, line in ipairs(self.lines) do if line.kind == kind then list[#list + 1] = line end end
    return list
  end
  return setmetatable(run, { __name = "swale.Run" })
end

return M
