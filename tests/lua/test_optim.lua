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
