-- What measurements print: each has its numbers in words, none an address.
local lu = require "luaunit"
local sw = require "swale"

TestResultText = {}

local function problem(n)
  local data = sw.data.gaussian_mixture { n = n or 40, features = 3, classes = 2 }
  local net = sw.nn.Sequential { sw.nn.Linear(3, 4), sw.nn.ReLU(), sw.nn.Linear(4, 2) }
  return net:build { seed = 1 }, data.train
end

-- The text of each, and words that are in it.
local CASES = {
  eigenvalues = { { k = 2, subsets = 2 }, "eigenvalue of the Hessian", "on 2 subsets of 20" },
  density = { { probes = 2, steps = 5 }, "eigenvalues    26", "largest node" },
  diagonal = { {}, "diagonal of the Hessian", "26 elements, 32 probes" },
  edge = { { batch_size = 4, draws = 8 }, "batch sharpness  ", "largest eigenvalue" },
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

-- ------------------------------------------------------------------ targets of the noise scale

local OF = "the 400 examples given (an example, data objective, eval mode)"

function TestResultText:test_the_noise_scale_says_once_what_it_is_of()
  local model, sample = problem(400)
  local text = tostring(sw.measure.noise(model, sample, { hessian = true, of = 400 }))
  lu.assert_equals(select(2, text:gsub("the 400 examples given", "")), 1, text)
end

function TestResultText:test_targets_of_the_noise_scale_name_their_quantities()
  local model, sample = problem(400)
  local noise = sw.measure.noise(model, sample, { layers = true, hessian = true, of = 400 })
  lu.assert_equals(noise.b_simple.target, "B_simple of " .. OF)
  lu.assert_equals(noise.signal.target, "|G|^2 of " .. OF)
  lu.assert_equals(noise.noise.target, "tr(Sigma) of " .. OF)
  lu.assert_equals(noise.b_noise.target, "B_noise of " .. OF)
  lu.assert_equals(noise:eps_opt(8).target, "eps_opt(8) of " .. OF)
  lu.assert_equals(noise.layers["0"].signal.target, "|G|^2 of layer 0, of " .. OF)
  local batch = noise:batch(4)
  lu.assert_equals({ batch.target, batch.interval }, { "sqrt(4 B_simple) of " .. OF, "exact" })
end
