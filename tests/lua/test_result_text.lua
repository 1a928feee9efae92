-- What measurements print: each has its numbers in words, none an address.
local lu = require "luaunit"
local sw = require "swale"

TestResultText = {}

local function problem()
  local data = sw.data.gaussian_mixture { n = 40, features = 3, classes = 2 }
  local net = sw.nn.Sequential { sw.nn.Linear(3, 4), sw.nn.ReLU(), sw.nn.Linear(4, 2) }
  return net:build { seed = 1 }, data.train
end

-- The text of each, and words that are in it.
local CASES = {
  eigenvalues = { { k = 2, subsets = 2 }, "eigenvalue of the Hessian", "on 2 subsets of 20" },
  density = { { probes = 2, steps = 5 }, "eigenvalues    26", "largest node" },
  diagonal = { {}, "diagonal of the Hessian", "26 elements, 32 probes" },
  edge = { { batch = 4, draws = 8 }, "batch sharpness  ", "largest eigenvalue" },
  evidence = { { lambda = 5 }, "log evidence  ", "log ratio  ", "lambda" },
  exact = { {}, "B_simple", "eps_max" },
  gram = { {}, "Gram matrix of 40 gradients" },
  noise = { {}, "B_simple   ", "tr(Sigma)  " },
  sharpness = { { starts = 1 }, "the best of 1" },
}

function TestResultText:test_each_result_prints_its_numbers()
  local model, sample = problem()
  for name, case in pairs(CASES) do
    local text = tostring((sw.measure[name](model, sample, case[1])))
    lu.assert_nil(text:find "0x%x+", name)
    for i = 2, #case do lu.assert_str_contains(text, case[i]) end
  end
end

function TestResultText:test_companions()
  local model, sample = problem()
  local phi = sw.measure.sharpness(model, sample, { starts = 1, iterations = 2 })
  lu.assert_str_contains(tostring(phi.companions), "adaptive_sam ")
  lu.assert_str_contains(phi.reason, "used up their iterations")
end
