-- Nonsensical numbers and functions are refused when a trainer is made, or a fit begins.
local lu = require "luaunit"
local sw = require "swale"

TestNonsense = {}

local sch = sw.schedule

local function make(changes)
  local o = { model = sw.nn.Linear(1, 1, { bias = false, init = 1 }), loss = sw.loss.mse, lr = 0.1,
    batch_size = 4, data = sw.data.from_tensors { train = { x = sw.ones { 40, 1 },
      y = sw.full({ 40, 1 }, 3) } } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

local function refused(words, changes) lu.assert_error_msg_contains(words, make, changes) end

function TestNonsense:test_numbers()
  for _, value in ipairs { 1.5, -0.1, 1 / 0, 0 / 0 } do
    refused("momentum", { momentum = value })
  end
  refused("momentum", { momentum = 1, optimizer = sw.optim.Adam {} })
  refused("momentum", { momentum = sw.rule(2, function() return 0.5 end) })
  for _, name in ipairs { "lr", "weight_decay" } do
    for _, value in ipairs { -1, 1 / 0, 0 / 0 } do refused(name, { [name] = value }) end
  end
  for _, value in ipairs { 0, 0.5, -3, 2 ^ 31, 0 / 0 } do
    refused("batch_size", { batch_size = value })
  end
  for _, value in ipairs { 0, -1, 0 / 0, 1 / 0 } do refused("clip_norm", { clip_norm = value }) end
  for _, value in ipairs { -1, 1.5, 0 / 0 } do
    lu.assert_error_msg_contains("dampening", sw.optim.SGD, { dampening = value })
  end
  for _, value in ipairs { 0, 1, -0.5, 1.5, 0 / 0 } do
    lu.assert_error_msg_contains("decay", sw.average.EMA, { decay = value })
  end
  refused('an average cannot be called "last": trainer:evaluate',
    { average = { last = sw.average.SWA {} } })
  make { momentum = 1 } -- without friction
end

function TestNonsense:test_schedules_at_the_trainer()
  refused("it is 0 to 1", { momentum = sch.linear { from = 0.5, to = 2, epochs = 10 } })
  refused("momentum is 1.25", { momentum = sch.constant(1.25) })
  refused("momentum", { momentum = sch.piecewise { values = { 0.9, 2 }, at = { 4000 } } })
  refused("of Adam it is beta1, 0 or more and below 1", { optimizer = sw.optim.Adam {},
    momentum = sch.linear { from = 0.5, to = 1, steps = 100 } })
  refused("lr is -", { lr = sch.cosine { from = 0.1, to = -0.1, epochs = 3 } })
  refused("weight_decay is -1", { weight_decay = sch.scale(sch.constant(1), -1) })
  refused("batch_size is 0.5", { batch_size = sch.step { value = 8, gamma = 1 / 16, period = 5 } })
  local trainer = make()
  lu.assert_error_msg_contains("it is 0 to 1", function()
    trainer.momentum = sch.linear { from = 0.5, to = 2, epochs = 10 }
  end)
end

-- A schedule without an end grows until the fit is over: 0.5 * 2^t is above 1 after one epoch.
function TestNonsense:test_schedules_over_a_fit()
  local momentum = sch.exponential { value = 0.5, gamma = 2 }
  make({ momentum = momentum, lr = 0 }):fit { epochs = 1 }
  local trainer = make { momentum = momentum, lr = 0 }
  lu.assert_error_msg_contains("momentum is", trainer.fit, trainer, { epochs = 3 })
  lu.assert_error_msg_contains("momentum is", trainer.plan, trainer, { epochs = 3 })
  lu.assert_equals(trainer:state().step, 0)
end

function TestNonsense:test_a_rule_s_momentum_above_one()
  local trainer = make { momentum = function(s) return s.step == 2 and 1.5 or 0.5 end }
  lu.assert_error_msg_contains("it is 0 to 1", trainer.fit, trainer, { steps = 5 })
  trainer = make { optimizer = sw.optim.AdamW {}, momentum = function() return 1 end }
  lu.assert_error_msg_contains("adamw: momentum must be 0 or more and below 1", trainer.fit,
    trainer, { steps = 5 })
end

function TestNonsense:test_max_below_min_and_parts_of_no_length()
  for _, kind in ipairs { "cyclic", "triangular", "triangular2" } do
    lu.assert_error_msg_contains("max 0.1 is below min 1", sch[kind], { max = 0.1, min = 1,
      period = 1 })
  end
  lu.assert_error_msg_contains("below min", sch.exp_range, { max = 0.1, min = 1, period = 1,
    gamma = 0.5 })
  local f = sch.of(function() return 0.1 end)
  for _, part in ipairs { 0.1, sch.constant(0.1), f } do
    for _, rest in ipairs { 1, f } do
      lu.assert_error_msg_contains("part 1", sch.chain, { { part, epochs = 0 }, rest })
      lu.assert_error_msg_contains("part 2", sch.chain, { { part, epochs = 1 }, { part, steps = 0 },
        rest })
      lu.assert_error_msg_contains("part 2", sch.chain, { { part, epochs = 1 },
        { rest, epochs = 0 } })
    end
  end
end

function TestNonsense:test_what_hooks_return_is_not_used()
  for _, event in ipairs { "step", "epoch", "end" } do
    local trainer = make():on(event, function() return false end)
    lu.assert_error_msg_contains("what hooks return is not used", trainer.fit, trainer,
      { epochs = 1 })
  end
end

-- ------------------------------------------------------------------ optimizers in Lua

function TestNonsense:test_an_optimizer_that_binds_its_vector_anew()
  for _, steps in ipairs { 1, 50 } do
    local trainer = make {
      optimizer = function(w, g, _, hyper) w = w - hyper.lr * g end, -- luacheck: ignore 311
    }
    lu.assert_error_msg_contains("w:add(-hyper.lr, g)", trainer.fit, trainer, { steps = steps })
  end
  local trainer = make { optimizer = function(w, g, _, hyper) return w - hyper.lr * g end }
  lu.assert_error_msg_contains("in place", trainer.fit, trainer, { steps = 1 })
end

-- Allowed: the vector itself returned; an update every third step; a rate of 0; a gradient of 0; no
-- update at all.
function TestNonsense:test_optimizers_that_may_change_nothing()
  local function plain(w, g, _, hyper) return w:add(-hyper.lr, g) end
  make({ optimizer = plain }):fit { steps = 3 }
  make({ optimizer = plain, lr = 0 }):fit { steps = 3 }
  local function gives_change(w, g, _, hyper) -- another tensor, which is 0 at a rate of 0
    local change = hyper.lr * g
    w:add(-1, change)
    return change
  end
  local warm = make { optimizer = gives_change, lr = function(s) return 0.01 * s.step end }
  warm:fit { steps = 3 }
  make({ optimizer = function() end }):fit { steps = 20 }
  make({ optimizer = function(w, g, kept, hyper)
    kept.sum = kept.sum and kept.sum:add(1, g) or g:clone()
    if hyper.step % 3 == 0 then w:add(-hyper.lr, kept.sum) end
  end }):fit { steps = 4 }
  make({ optimizer = plain, model = sw.nn.Linear(1, 1, { bias = false, init = 3 }) })
    :fit { steps = 3 }
end

-- ------------------------------------------------------------------ momentum through 0

-- PyTorch leaves the buffer alone at a step without momentum; by hand, in double.
function TestNonsense:test_momentum_through_zero()
  local mus = { 0.9, 0.9, 0, 0.9, 0.9 }
  for _, o in ipairs { {}, { dampening = 0.5 }, { nesterov = true } } do
    local w, m = 1, nil
    for _, mu in ipairs(mus) do
      local g = 2 * (w - 3)
      local d = g
      if mu ~= 0 then
        m = m and mu * m + (1 - (o.dampening or 0)) * g or g
        d = o.nesterov and g + mu * m or m
      end
      w = w - 0.05 * d
    end
    local function trainer()
      return make { lr = 0.05, momentum = function(s) return mus[s.step + 1] end,
        optimizer = sw.optim.SGD { momentum = o.nesterov and 0.9 or nil, dampening = o.dampening,
          nesterov = o.nesterov } }
    end
    local ok, t = pcall(trainer)
    if not ok then -- given twice: the optimizer's own then
      t = make { lr = 0.05, optimizer = sw.optim.SGD { dampening = o.dampening,
        nesterov = o.nesterov, momentum = function(s) return mus[s.step + 1] end } }
    end
    t:fit { steps = 5 }
    lu.assert_almost_equals(t:weights():get(1), w, 1e-6) -- some thirty roundings below 4 / 2^24
    if not next(o) then lu.assert_almost_equals(w, 2.6500802, 5e-7) end -- PyTorch's, in float32
  end
end

function TestNonsense:test_a_break_at_a_step_without_momentum()
  local mus = { 0.9, 0.9, 0, 0.9, 0.9 }
  local function trainer()
    return make { lr = 0.05, momentum = sch.piecewise { values = mus,
      at = { { steps = 1 }, { steps = 2 }, { steps = 3 }, { steps = 4 } } } }
  end
  local whole = trainer():fit { steps = 5 }
  local run = require("trainer_harness").fake_run()
  trainer():fit { steps = 3, run = run }
  local saved = run.checkpoints[#run.checkpoints]
  lu.assert_equals(trainer():restore(saved.tensors, saved.metadata):fit({ steps = 2 }):weights()
    :get(1), whole:weights():get(1))
end

-- ------------------------------------------------------------------ functions with memory

-- Ten updates of 4, then of 8: as in the training, wherever the plan begins.
local function growing(_, mem)
  mem.n = (mem.n or 0) + 1
  return mem.n <= 10 and 4 or 8
end

function TestNonsense:test_a_plan_asks_a_memory_step_by_step()
  local trainer = make { batch_size = growing, lr = 0 }
  lu.assert_equals(trainer:plan({ examples = 80 }).updates, 15)
  lu.assert_equals(trainer:plan({ examples = 80 }).batch_sizes, { [4] = 10, [8] = 5 })
  trainer:fit { steps = 8 }
  lu.assert_equals(trainer:plan({ examples = 48 }).updates, 7) -- 2 of 4, 5 of 8
  lu.assert_equals(trainer:fit({ examples = 48 }):state().step, 15)
end

function TestNonsense:test_a_memory_is_not_tabulated()
  for _, x in ipairs { growing, sch.of(growing), sch.scale(growing, 2),
    sch.chain { { growing, epochs = 1 }, 1 } } do
    lu.assert_error_msg_contains("neither plotted nor tabulated", function()
      for _ in sch.values(x, { epochs = 3, points = 4 }) do end
    end)
  end
end

-- ------------------------------------------------------------------ the noise scale's reasons

function TestNonsense:test_why_the_noise_scale_is_not_known()
  local function reason(batch, steps)
    local trainer = make { batch_size = batch, lr = 0.001, measure = { noise_scale = sw.every {
      steps = 1 } } }
    return trainer:fit({ steps = steps }):state().noise_scale.reason
  end
  lu.assert_str_contains(reason(1, 50), "a batch of 1 example")
  lu.assert_nil(reason(40, 50)) -- the whole set: |G|^2 is known
  lu.assert_str_contains(reason(8, 5), "5 of 32 measurements")
end
