local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

TestOptim = {}

function TestOptim:test_defaults_are_pytorchs()
  local o = sw.optim.SGD {}
  lu.assert_equals({ o.momentum, o.dampening, o.nesterov, o.weight_decay }, { 0, 0, false, 0 })
end

function TestOptim:test_refusals()
  lu.assert_error_msg_contains('unknown option "wd"; did you mean "weight_decay"?', sw.optim.SGD,
    { wd = 1 })
  lu.assert_error_msg_contains("nesterov wants a momentum", sw.optim.SGD, { nesterov = true })
  lu.assert_error_msg_contains("no dampening", sw.optim.SGD,
    { nesterov = true, momentum = 0.9, dampening = 0.1 })
  lu.assert_error_msg_contains("momentum must be", sw.optim.SGD, { momentum = -1 })
end

-- One weight w, one example x = 1, y = 0, output w x, loss w^2 / 2 by a loss function of one's own:
-- the gradient is w. PyTorch's recursion, written out.
local function trained(o, steps)
  local one = { x = sw.tensor { { 1 } }, y = sw.tensor { { 0 } } }
  local trainer = sw.Trainer {
    model = sw.nn.Linear(1, 1, { bias = false, init = 1 }),
    data = sw.data.from_tensors { train = one },
    loss = function(output) return ((output * output) * 0.5):mean() end,
    optimizer = sw.optim.SGD(o), lr = 0.1, batch_size = 1,
  }
  trainer:fit { steps = steps }
  return trainer:weights():item()
end

local function recursion(o, steps)
  local w, m = 1, nil
  local mu, damp, wd = o.momentum or 0, o.dampening or 0, o.weight_decay or 0
  for _ = 1, steps do
    local g = w + wd * w
    if mu ~= 0 then
      m = m and mu * m + (1 - damp) * g or g
      g = o.nesterov and g + mu * m or m
    end
    w = w - 0.1 * g
  end
  return w
end

function TestOptim:test_follows_the_recursion()
  for _, o in ipairs { {}, { momentum = 0.9 }, { momentum = 0.9, dampening = 0.5 },
    { momentum = 0.9, nesterov = true }, { momentum = 0.5, weight_decay = 0.1 } } do
    -- seven float32 updates of size one
    lu.assert_almost_equals(trained(o, 7), recursion(o, 7), 2e-6)
  end
end

-- ------------------------------------------------------------------ PyTorch's ways

-- (1/2) sum (c w)^2 with c = (1, 2, 3), from (1, -2, 0.5): a linear layer of three diagonal inputs,
-- whose outputs are c_i w_i; the loss is 3/2 of the mean over them of the squares.
local function quadratic(o)
  local x = sw.tensor { { 1, 0, 0 }, { 0, 2, 0 }, { 0, 0, 3 } }
  local one = { x = x, y = sw.zeros { 3, 1 } }
  return sw.Trainer {
    model = sw.nn.Linear(3, 1, { bias = false, init = sw.tensor { { 1, -2, 0.5 } } }),
    data = sw.data.from_tensors { train = one }, batch_size = 3, lr = 0.05,
    loss = function(output) return (output * output * 1.5):mean() end,
    optimizer = o.optimizer, clip_norm = o.clip_norm, momentum = o.momentum,
  }
end

local PYTORCH = {
  sgd = { optimizer = sw.optim.SGD {} },
  momentum = { optimizer = sw.optim.SGD { momentum = 0.9, dampening = 0.3, weight_decay = 0.1 } },
  nesterov = { optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true } },
  adam = { optimizer = sw.optim.Adam { betas = { 0.8, 0.99 }, eps = 1e-6, weight_decay = 0.1 } },
  adamw = { optimizer = sw.optim.AdamW { weight_decay = 0.2 } },
  clipped = { optimizer = sw.optim.SGD { momentum = 0.9 }, clip_norm = 1.5 },
}

local function ways_of_pytorch()
  local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
  local file <close> = assert(io.open(folder .. "pytorch_schedules.json"))
  return assert(core.json_decode(file:read "a")).optimizers
end

local function compare(name, step, found, want)
  for i, value in ipairs(want) do
    -- a dozen float32 updates of size one; PyTorch's are in double
    lu.assert_almost_equals(found[i], value, 3e-6, ("%s, step %d"):format(name, step))
  end
end

function TestOptim:test_the_ways_are_pytorchs()
  for name, want in pairs(ways_of_pytorch()) do
    local trainer = quadratic(PYTORCH[name])
    for step, w in ipairs(want) do
      compare(name, step, trainer:fit({ steps = 1 }):weights():table(), w)
    end
  end
end

-- The same optimizers called as functions, in a loop of one's own.
function TestOptim:test_an_optimizer_is_a_function()
  for name, want in pairs(ways_of_pytorch()) do
    if name ~= "clipped" then
      local w, state, c2 = sw.tensor { 1, -2, 0.5 }, {}, sw.tensor { 1, 4, 9 }
      for step, values in ipairs(want) do
        PYTORCH[name].optimizer(w, w * c2, state, { lr = 0.05 })
        compare(name, step, w:table(), values)
      end
    end
  end
end

-- ------------------------------------------------------------------ written in Lua

local function momentum_sgd(w, g, state, hyper)
  state.m = state.m and state.m:scale(hyper.momentum):add(1, g) or g:clone()
  w:add(-hyper.lr, state.m)
end

function TestOptim:test_one_written_in_lua_goes_the_same_way()
  local own = quadratic { optimizer = momentum_sgd, momentum = 0.9 }
  local native = quadratic { optimizer = sw.optim.SGD { momentum = 0.9 } }
  own.lr = sw.schedule.linear { from = 0.05, to = 0.01, steps = 10 }
  native.lr = sw.schedule.linear { from = 0.05, to = 0.01, steps = 10 }
  for _ = 1, 12 do
    local a, b = own:fit { steps = 1 }, native:fit { steps = 1 }
    compare("own", 0, a:weights():table(), b:weights():table())
    lu.assert_almost_equals(a:state().lr, b:state().lr, 1e-15)
    lu.assert_almost_equals(a:state().loss, b:state().loss, 1e-5)
  end
end

function TestOptim:test_one_written_in_lua_is_given_what_rules_say()
  local function rate(s) return 0.05 / (s.step + 1) end
  local own = quadratic { optimizer = momentum_sgd, momentum = 0.9 }
  local native = quadratic { optimizer = sw.optim.SGD { momentum = 0.9 } }
  own.lr, native.lr = rate, rate
  own.batch_size, native.batch_size = sw.rule(3, function() return 2.5 end), 3
  own:fit { steps = 1 }
  native:fit { steps = 1 }
  compare("own", 1, own:weights():table(), native:weights():table())
  own:fit { steps = 3 }
  local s = own:state()
  lu.assert_equals({ s.step, s.lr, s.batch_size, s.examples }, { 4, 0.05 / 4, 2, 9 })
  own.lr = function() return -1 end
  lu.assert_error_msg_contains("gave -1 for step 5: it must not be negative", own.fit, own,
    { steps = 1 })
end

function TestOptim:test_one_written_in_lua_is_clipped_and_sees_the_step()
  local steps, norms = {}, {}
  quadratic({ clip_norm = 0.5, optimizer = function(w, g, _, hyper)
    steps[#steps + 1], norms[#norms + 1] = hyper.step, g:norm()
    w:add(-hyper.lr, g)
  end }):fit { steps = 3 }
  lu.assert_equals(steps, { 1, 2, 3 })
  for _, norm in ipairs(norms) do lu.assert_almost_equals(norm, 0.5, 1e-5) end
end

function TestOptim:test_refusals_of_adam()
  lu.assert_error_msg_contains("betas are below 1, not 1", sw.optim.Adam, { betas = { 1 } })
  lu.assert_error_msg_contains('unknown option "beta"; did you mean "betas"?', sw.optim.AdamW,
    { beta = { 0.9 } })
  lu.assert_error_msg_contains("weight_decay is given twice", sw.Trainer, {
    model = sw.nn.Linear(1, 1), lr = 1, weight_decay = 1,
    data = sw.data.from_tensors { train = { x = sw.ones { 1, 1 }, y = sw.ones { 1, 1 } } },
    optimizer = sw.optim.AdamW { weight_decay = 0.1 }, loss = sw.loss.mse })
end
