-- Eigenpairs of networks' Hessians against the whole matrix by LAPACK.
local lu = require "luaunit"
local needs = require "needs"
local sw = require "swale"

local nn = sw.nn

TestEigenvalues = {}

function TestEigenvalues:setUp() needs.arpack() end

local function network()
  local layer = nn.Sequential { nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3) }
  local sample = sw.data.gaussian_mixture { n = 23, features = 5, classes = 3 }.train
  return layer:build { seed = 3 }, sample
end

local function hessian(model, sample, kind)
  return model:loss_on(sample):full_hessian(model:weights():to "float64", { kind = kind })
end

local function measured(model, sample, o)
  o.dtype = o.dtype or "float64"
  return sw.measure.eigenvalues(model, sample, o)
end

function TestEigenvalues:test_equal_those_of_the_whole_matrix()
  local model, sample = network()
  for _, kind in ipairs { "hvp", "gauss_newton" } do
    local h = hessian(model, sample, kind)
    local exact, n = sw.linalg.eigvalsh(h), 39
    local o = { k = 3, which = "both", kind = kind, tolerance = 1e-9 }
    if kind == "gauss_newton" then o.which = "largest" end -- the smallest are 0
    for i, e in ipairs(measured(model, sample, o)) do
      local want = exact:get(i <= 3 and n + 1 - i or i - 3)
      lu.assert_almost_equals(e.value, want, 1e-6 * math.abs(want))
      lu.assert_almost_equals(e.vector:norm(), 1, 1e-12)
      local product = sw.ops.matmul(h, e.vector:reshape { n, 1 }):reshape { n }
      lu.assert_almost_equals((product - e.vector * e.value):norm(), e.residual, 1e-12)
    end
  end
end

function TestEigenvalues:test_the_bound_holds()
  local model, sample = network()
  local exact = sw.linalg.eigvalsh(hessian(model, sample)):table()
  for seed = 1, 20 do
    for _, e in ipairs(measured(model, sample, { k = 2, seed = seed, tolerance = 0.05 })) do
      local within = 0
      for _, x in ipairs(exact) do if e.low <= x and x <= e.high then within = within + 1 end end
      lu.assert_true(within >= 1)
      lu.assert_equals({ e.interval, e.status }, { "bound", "resolved" })
      lu.assert_true(e.residual <= 0.05 * e.value)
    end
  end
end

function TestEigenvalues:test_of_chosen_layers()
  local model, sample = network()
  local h = hessian(model, sample):narrow(1, 25, 15):narrow(2, 25, 15):contiguous()
  local exact = sw.linalg.eigvalsh(h)
  local e = measured(model, sample, { over = "^2%.", weight_decay = 0.25 })[1]
  lu.assert_almost_equals(e.value, exact:get(15) + 0.25, 1e-10)
  lu.assert_equals(e.vector:narrow(1, 1, 24):norm(), 0)
  lu.assert_str_contains(tostring(e), "Hessian along 15 weights on 23 examples")
end

function TestEigenvalues:test_the_spread_over_subsets_is_another_field()
  local model, sample = network()
  local plain = measured(model, sample, { k = 2 })
  local list = measured(model, sample, { k = 2, subsets = 4 })
  for i, e in ipairs(list) do
    lu.assert_equals({ e.value, e.low, e.high }, { plain[i].value, plain[i].low, plain[i].high })
    lu.assert_equals({ #e.spread.values, e.spread.examples }, { 4, 5 })
    lu.assert_true(e.spread.deviation > 0)
  end
  lu.assert_true(list[1].spread.mean > list[1].value) -- biased upwards
end

function TestEigenvalues:test_what_did_not_converge_is_unresolved()
  local model, sample = network()
  local e = measured(model, sample, { restarts = 1, tolerance = 1e-14, k = 4 })[4]
  lu.assert_equals({ e.status, e.low, e.high }, { "pending", -math.huge, math.huge })
  lu.assert_str_contains(tostring(e), "did not converge to 1e-14 in 1 restarts")
end

function TestEigenvalues:test_what_is_refused()
  local model, sample = network()
  lu.assert_error_msg_contains("k = 20 asks for 40 eigenvalues, there are 39",
    measured, model, sample, { k = 20, which = "both" })
  lu.assert_error_msg_contains("subsets must be 0 or at least 2", measured, model, sample,
    { subsets = 1 })
  lu.assert_error_msg_contains("40 subsets of 23 examples", measured, model, sample,
    { subsets = 40 })
end

function TestEigenvalues:test_batch_norm_in_training_mode()
  local layer = nn.Sequential { nn.Linear(5, 4), nn.BatchNorm(4), nn.Tanh(), nn.Linear(4, 3) }
  local sample = sw.data.gaussian_mixture { n = 23, features = 5, classes = 3 }.train
  local model = layer:build { seed = 3 }
  local loss = model:loss_on(sample, nil, { mode = "train" })
  local exact = sw.linalg.eigvalsh(loss:full_hessian(model:weights():to "float64"))
  local e = measured(model, sample, { mode = "train", tolerance = 1e-9 })[1]
  lu.assert_almost_equals(e.value, exact:get(#exact), 1e-8)
end
