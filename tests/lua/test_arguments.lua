--- Positional arguments: each op and loss names the wrong one.
local arguments = require "swale.arguments"
local lu = require "luaunit"
local sw = require "swale"

TestArguments = {}

local function refuses(message, f, ...)
  lu.assert_error_msg_contains(message, f, ...)
end

function TestArguments:test_checked_functions()
  local f = arguments.checked("f", function(...) return select("#", ...), ... end,
    "x: value, axes: axes?, n: count, o: table?")
  local x = sw.zeros(2)
  lu.assert_equals({ f(x, nil, 3) }, { 3, x, nil, 3 })
  lu.assert_equals({ f(x, { 1, 2 }, 3, {}, "more") }, { 5, x, { 1, 2 }, 3, {}, "more" })
  refuses("f: x must be a tensor or a node, got 3", f, 3)
  refuses("f: axes must be an axis or a list of axes, got a table", f, x, { 1.5 })
  refuses("f: n must be a whole number above 0, got nil", f, x)
  refuses("f: n must be a whole number above 0, got 0", f, x, 1, 0)
  refuses("f: o must be a table, got true", f, x, 1, 1, true)
end

function TestArguments:test_ops_and_losses_name_what_is_wrong()
  local x = sw.zeros { 2, 3 }
  refuses("ops.gelu: x must be a tensor or a node, got nil", sw.ops.gelu)
  refuses("ops.sum: axes must be an axis or a list of axes, got \"rows\"", x.sum, x, "rows")
  refuses("ops.pad: before must be a whole number from 0 on, got nil", x.pad, x, 1)
  refuses("ops.upsample2d: factor must be a whole number or two", x.upsample2d, x, "2")
  refuses("ops.transpose: axis1 must be a whole number, got 0.5", sw.ops.transpose, x, 0.5)
  refuses("ops.group_norm: groups must be a whole number above 0", sw.ops.group_norm, x, 0)
  refuses("loss.mse: target must be a tensor or a node, got nil", sw.loss.mse, x)
  refuses("loss.hinge: labels must be", sw.loss.hinge, x, { 1, 2 })
end

--- Bounds and slopes may be tensors, and parameters of a layer: torch.clamp's, PReLU.
function TestArguments:test_operands_may_be_tensors_or_numbers()
  local x = sw.tensor { { -2, 3 }, { 0, -8 } }
  lu.assert_equals(x:clamp(sw.tensor { -1, -4 }, 2):table(), { { -1, 2 }, { 0, -4 } })
  lu.assert_equals(x:leaky_relu(sw.tensor { 0.5, 0.25 }):table(), { { -1, 3 }, { 0, -2 } })
  local prelu = sw.nn.Lambda(function(h, p) return h:leaky_relu(p.slope) end,
    { slope = sw.tensor { 0.5, 0.25 } })
  local model = prelu:build()
  lu.assert_equals(model:forward(x):table(), { { -1, 3 }, { 0, -2 } })
  local f = sw.compile(function(o) return o:sum(-1) end, model)
  local _, gradient = f:value_and_gradient(model:weights(), { x = x, y = x })
  lu.assert_equals(gradient:table(), { -1, -4 }) -- the mean over two rows of x where it is negative
  refuses("ops.clamp: low must be a tensor, a node or a number, got \"0\"", x.clamp, x, "0")
end

function TestArguments:test_functions_of_points_and_weights()
  local problem = sw.data.noisy_quadratic { dimensions = 3, n = 10 }
  refuses("quadratic:gradient: w must be a list or a tensor of 3 numbers, got nil",
    problem.gradient, problem)
  refuses("quadratic:loss_at: w must be a list or a tensor of 3 numbers", problem.loss_at, problem,
    { 1, 2 })
  refuses("w[2] must be a number, got \"a\"", problem.loss_at, problem, { 1, "a", 2 })
  local average = sw.average.SWA {}
  refuses("average.SWA: nothing has been captured yet", average.state, average)
  refuses("average:update: weights must be a tensor, not 3", average.update, average, 3)
  local trainer = sw.Trainer { model = sw.nn.Linear(3, 1), lr = 0.1, loss = sw.loss.mse,
    data = sw.data.from_tensors { train = { x = sw.zeros { 4, 3 }, y = sw.zeros { 4, 1 } } } }
  local model = trainer.model
  refuses("model:forward: x must be a tensor, not nil", model.forward, model)
  refuses("model:forward: weights must be a flat vector of 4 elements, got shape (3)",
    model.forward, model, sw.zeros { 2, 3 }, sw.zeros(3))
  local optimizer = sw.optim.SGD { lr = 0.1 }
  refuses("optimizer: g must be a tensor, not nil", optimizer, sw.zeros(3))
  refuses("optimizer: state must be a table, not nil", optimizer, sw.zeros(3), sw.zeros(3))
  refuses("gather: index must be a list", trainer.data.train.gather,
    trainer.data.train, 3)
end
