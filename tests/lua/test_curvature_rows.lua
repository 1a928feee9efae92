--- The measurements of curvature along a training, against the functions of sw.measure at the
--- weights of their marks.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestCurvatureRows = {}

-- The lines of a measurement of 8 steps, marks at 4 and 8, and the trainer after them.
local function watched(name, o, look)
  local run = harness.fake_run()
  local trainer = harness.new { batch_size = 5, optimizer = sw.optim.SGD { momentum = 0.5 } }
  o.every, o.sample = { steps = 4 }, trainer.data.train
  trainer:measure(name, o)
  if look then
    trainer:measure("look", sw.measurement { every = { steps = 4 }, function(m)
      look(m)
      return 0
    end })
  end
  trainer:fit { steps = 8, run = run }
  local lines = {}
  for _, line in ipairs(run:of "measurement") do
    lu.assert_nil(line.error)
    if line.name == name then lines[#lines + 1] = line end
  end
  return lines, trainer
end

local function on(trainer) return trainer.model, trainer.data.train end

function TestCurvatureRows:test_largest_eigenvalue()
  local lines, trainer = watched("largest_eigenvalue", { tolerance = 1e-6 })
  local model, sample = on(trainer)
  local top = sw.measure.eigenvalues(model, sample, { tolerance = 1e-6 })[1]
  lu.assert_equals(#lines, 2)
  lu.assert_almost_equals(lines[2].largest_eigenvalue, top.value, 1e-4 * top.value)
  lu.assert_true(lines[2].largest_eigenvalue_low <= lines[2].largest_eigenvalue)
  local state = trainer:state().largest_eigenvalue
  lu.assert_equals({ state.status, state.interval }, { "resolved", "bound" })
end

function TestCurvatureRows:test_hessian_trace()
  local lines, trainer = watched("hessian_trace", { kind = "gauss_newton" })
  local model, sample = on(trainer)
  local exact = sw.measure.trace(model, sample, { method = "exact", kind = "gauss_newton" }).value
  local line = lines[2]
  lu.assert_true(line.hessian_trace_low <= exact and exact <= line.hessian_trace_high)
  lu.assert_true(line.hessian_trace_high - line.hessian_trace_low < exact)
end

function TestCurvatureRows:test_edge()
  local velocity
  local lines, trainer = watched("edge", { draws = 300 }, function(m) velocity = m.velocity end)
  local line, state = lines[2], trainer:state()
  lu.assert_almost_equals(line["edge.small_batch"], 2 * 0.5 / state.lr, 1e-9)
  lu.assert_almost_equals(line["edge.large_batch"], 2 * 1.5 / state.lr, 1e-9)
  local model, sample = on(trainer)
  local again = sw.measure.edge(model, sample, { batch_size = 5, draws = 3000,
    relative_error = 0.01, momentum = 0.5, velocity = velocity })
  for _, name in ipairs { "batch_sharpness", "ratio_of_means", "with_momentum" } do
    local e, value = again[name], line["edge." .. name]
    local half = (line["edge." .. name .. "_high"] - line["edge." .. name .. "_low"]) / 2
    lu.assert_true(math.abs(value - e.value) < 2 * half + (e.high - e.low) / 2, name)
  end
  lu.assert_almost_equals(line["edge.largest_eigenvalue"], again.top.value, 2e-3 * again.top.value)
end

--- The buffer of plain SGD; before the first update, without momentum and of others there is none.
function TestCurvatureRows:test_velocity()
  local function seen(optimizer)
    local found = {}
    local trainer = harness.new { batch_size = 5, lr = 0.1, optimizer = optimizer,
      measure = { look = sw.measurement { at = "start", every = { steps = 2 }, function(m)
        found[#found + 1] = m.velocity or false
        return 0
      end } } }
    local before = trainer:fit({ steps = 1 }):weights():clone()
    trainer:fit { steps = 1 }
    return found, (before - trainer:weights()) * (1 / 0.1)
  end
  local found, update = seen(sw.optim.SGD { momentum = 0.5 })
  lu.assert_equals({ #found, found[1] }, { 2, false })
  lu.assert_almost_equals((found[2] - update):norm(), 0, 1e-4 * update:norm())
  for _, optimizer in ipairs { sw.optim.SGD {}, sw.optim.Adam {}, sw.optim.SGD { momentum = 0.5,
    nesterov = true }, sw.optim.SGD { momentum = 0.5, dampening = 0.1 } } do
    lu.assert_equals(seen(optimizer), { false, false }, tostring(optimizer))
  end
  local pending = harness.new { optimizer = sw.optim.SGD { momentum = 0.5 },
    measure = { edge = { at = "start", draws = 6 } } }
  pending:fit { steps = 1 }
  lu.assert_str_contains(tostring(pending:state().edge.with_momentum), "no update with momentum")
  local without = harness.new { optimizer = sw.optim.SGD {},
    measure = { edge = { at = "start", draws = 6 } } }
  lu.assert_nil(without:fit({ steps = 1 }):state().edge.with_momentum)
end

function TestCurvatureRows:test_before_the_first_mark_they_are_pending()
  local seen
  local trainer = harness.new { measure = { largest_eigenvalue = sw.every { steps = 4 } } }
  trainer:on("step", function(s) seen = seen or s.largest_eigenvalue end)
  trainer:fit { steps = 2 }
  lu.assert_equals({ seen.status, seen.low }, { "pending", -math.huge })
  lu.assert_false(seen:above(-1))
  lu.assert_error_msg_contains("draws must be at least 2", harness.new,
    { measure = { edge = { every = { steps = 2 }, draws = 1 } } })
end
