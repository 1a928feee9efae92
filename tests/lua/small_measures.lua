--- A short call of each measurement of weights: a model, a sample, options.
local core = require "swale.core"
local sw = require "swale"

local M = { N = 12 } -- examples

function M.sample()
  local y = {}
  for i = 1, M.N do y[i] = (i - 1) % 3 end
  return { x = sw.randn({ M.N, 4 }, sw.random(3, "x")), y = core.tensor(y, "int32") }
end

function M.model()
  local net = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.ReLU(), sw.nn.Linear(5, 3) }
  return net:build { seed = 1 }
end

--- Options that make each measurement short.
M.CALLS = { ball = { steps = 2 }, density = { probes = 2, steps = 4 },
  diagonal = { probes = 4 }, dual_noise = {}, eigenvalues = {},
  edge = { batch_size = 2, draws = 25, interaction = true },
  evidence = { lambda = 1, iterations = 2 }, exact = {}, gram = {},
  line_search = { batch_size = 2, draws = 4 }, noise = { hessian = true, layers = true },
  rescaling = { starts = 1, iterations = 2 }, sam = {}, sharpness = { starts = 1, iterations = 2 },
  tangent_kernel = {}, trace = { probes = 6 } }

return M
