--- For the tests of landscapes: a linear regression whose loss is a quadratic, a trained network.
local core = require "swale.core"
local nn = require "swale.nn"
local sw = require "swale"

local M = {}

local D <const> = 3
M.D = D

--- Examples of a linear regression, as lists.
function M.examples(n, seed)
  local random, x, y = core.random(seed, "test"), {}, {}
  for i = 1, n do
    x[i] = {}
    for j = 1, D do x[i][j] = random:normal() * j end
    y[i] = { x[i][1] - 2 * x[i][2] + 0.5 * x[i][3] + 0.3 * random:normal() }
  end
  return x, y
end

--- The mean squared error of weights, by its definition.
function M.loss_of(x, y, w)
  local sum = 0
  for i = 1, #x do
    local r = -y[i][1]
    for j = 1, D do r = r + x[i][j] * w[j] end
    sum = sum + r * r
  end
  return sum / #x
end

local function rounded(list) return sw.tensor(list):to("float64"):table() end

--- Data whose values are float32, as the network reads them.
function M.regression(n, seed)
  local x, y = M.examples(n, seed)
  for i = 1, n do x[i], y[i] = rounded(x[i]), rounded(y[i]) end
  local tx, ty = M.examples(n // 2, seed + 100)
  for i = 1, #tx do tx[i], ty[i] = rounded(tx[i]), rounded(ty[i]) end
  local data = sw.data.from_tensors { train = { x = sw.tensor(x), y = sw.tensor(y) },
    test = { x = sw.tensor(tx), y = sw.tensor(ty) } }
  return { data = data, x = x, y = y, tx = tx, ty = ty,
    model = nn.Linear(D, 1, { bias = false }):build { seed = 1 } }
end

function M.options(q, more)
  local o = { on = q.data, model = q.model, loss = sw.loss.mse, dtype = "float64" }
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

M.A, M.B, M.C = { 1, 0, -1 }, { 0.5, 2, 0.25 }, { -1, 1, 2 }

function M.mix(p, a, q, b)
  local w = {}
  for i = 1, #a do w[i] = p * a[i] + q * b[i] end
  return w
end

function M.dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

function M.vector(list) return sw.tensor(list, "float64") end

--- How often f calls a function of a table.
function M.counted_calls(t, name, f)
  local original, n = t[name], 0
  t[name] = function(...)
    n = n + 1
    return original(...)
  end
  local ok, problem = pcall(f)
  t[name] = original
  if not ok then error(problem, 0) end
  return n
end

function M.normed(dropout)
  local list = { nn.Linear(64, 12), nn.BatchNorm(12), nn.ReLU() }
  if dropout then list[#list + 1] = nn.Dropout(0.5) end
  list[#list + 1] = nn.Linear(12, 10)
  return nn.Sequential(list)
end

local trained

function M.trainer_of()
  trained = trained or sw.Trainer { model = M.normed(), data = sw.data.load "digits", lr = 0.1,
    batch_size = 64, average = sw.average.SWA { start = 1, every = 1, keep = true } }
    :fit { epochs = 4 }
  return trained
end

return M
