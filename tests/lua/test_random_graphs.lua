-- Graphs made at random: a compiled program, with its merged nodes, fused epilogues and shared
-- memory, gives what the ops give one after another on tensors; for batch sizes that change.
-- Gradients along a random direction are central differences.
local core = require "swale.core"
local lu = require "luaunit"

TestRandomGraphs = {}

local GRAPHS, OPS, BATCHES = 300, 20, { 3, 1, 5, 2 }
local UNARY = { "neg", "exp", "relu", "tanh", "sigmoid", "softmax" }
local BINARY = { "add", "sub", "mul", "add", "mul", "gate", "lt", "dot" }
local REDUCE = { "sum", "mean", "max", "sumsq" }

local function pick(list) return list[math.random(#list)] end

local function number() return math.random() * 2 - 1 end

local function size(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

local function concrete(shape, batch)
  local sizes = {}
  for i, d in ipairs(shape) do sizes[i] = d == "batch" and batch or d end
  return sizes
end

local function random_shape()
  local shape, batch_axis = {}, math.random(4)
  for i = 1, math.random(0, 3) do shape[i] = i == batch_axis and "batch" or math.random(3) end
  return shape
end

local function flat(t) return t:contiguous():reshape({ -1 }):table() end

local function tensor(shape, value)
  local t = core.zeros({ size(shape) }, "float64")
  for i = 1, size(shape) do t:set(i, value(i)) end
  return t:reshape(shape)
end

-- An op, its attributes, and how many inputs it has after the first, whose shape is given.
local function random_op(shape)
  local axes, perm = {}, {}
  for i = 1, #shape do
    if math.random(2) == 1 then axes[#axes + 1] = i end
    table.insert(perm, math.random(#perm + 1), i)
  end
  local flags = { transpose_a = math.random(2) == 1, transpose_b = math.random(2) == 1 }
  return table.unpack(pick {
    { pick(UNARY), nil, 0 },
    { pick(BINARY), nil, 1 },
    { "where", nil, 2 },
    { "matmul", flags, 1 },
    { pick(REDUCE), { axes = axes, keepdim = math.random(2) == 1 }, 0 },
    { "reshape", { shape = pick { { -1 }, { 1, -1 }, { -1, 1 }, { -1, 2 } } }, 0 },
    { "broadcast", { shape = random_shape() }, 0 },
    { "transpose", { perm = perm }, 0 },
  })
end

-- The graph's nodes, and for each how it came about: leaves first, then ops that were not refused.
local function random_graph()
  local g, nodes, steps = core.graph(), {}, {}
  for slot = 1, 4 do
    steps[slot] = { shape = random_shape() }
    nodes[slot] = g:input(slot, "real", steps[slot].shape)
  end
  for _ = 1, OPS * 3 do
    local first = math.random(math.max(1, #nodes - 4), #nodes)
    local op, attrs, more = random_op(nodes[first]:shape())
    local from, inputs = { first }, { nodes[first] }
    for k = 2, more + 1 do
      from[k] = math.random(#nodes)
      inputs[k] = nodes[from[k]]
    end
    local ok, node = pcall(core.apply, op, attrs, table.unpack(inputs))
    if ok then
      nodes[#nodes + 1] = node
      steps[#steps + 1] = { op = op, attrs = attrs, from = from }
    end
  end
  return g, nodes, steps
end

local function random_inputs(steps, batch)
  local inputs = {}
  for slot = 1, 4 do inputs[slot] = tensor(concrete(steps[slot].shape, batch), number) end
  return inputs
end

local function eagerly(steps, inputs, batch)
  local values = table.move(inputs, 1, 4, 1, {})
  for i = 5, #steps do
    local s, from, attrs = steps[i], {}, steps[i].attrs
    for k, j in ipairs(s.from) do from[k] = values[j] end
    if attrs and attrs.shape then attrs = { shape = concrete(attrs.shape, batch) } end
    values[i] = core.apply(s.op, attrs, table.unpack(from))
  end
  return values
end

local function near(a, b, tolerance)
  return a == b or a ~= a and b ~= b or math.abs(a - b) <= tolerance * math.max(1, math.abs(b))
end

local function check_values(seed)
  local g, nodes, steps = random_graph()
  local outputs, which = {}, {}
  for k = 1, math.random(6) do
    which[k] = math.random(#nodes)
    outputs[k] = nodes[which[k]]
  end
  local program = core.program(g, outputs, { dtype = "float64" })
  for _, batch in ipairs(BATCHES) do
    local inputs = random_inputs(steps, batch)
    local want = eagerly(steps, inputs, batch)
    local got = { program:run { inputs = inputs, batch = batch } }
    for k, i in ipairs(which) do
      local a, b = flat(got[k]), flat(want[i])
      for j = 1, #b do
        if not near(a[j], b[j], 1e-10) then
          lu.fail(("graph %d, batch %d: element %d of output %d is %.17g, eagerly %.17g:\n%s")
            :format(seed, batch, j, k, a[j], b[j], g:dump { outputs[k] }))
        end
      end
    end
  end
end

local function moved(inputs, along, h)
  local there = {}
  for k, x in ipairs(inputs) do
    local a, b = flat(x), flat(along[k])
    there[k] = tensor(x:shape(), function(i) return a[i] + h * b[i] end)
  end
  return there
end

local function slope(grads, along)
  local sum, largest = 0, 1
  for k, grad in pairs(grads) do
    local a, b = flat(grad), flat(along[k])
    for i = 1, #a do
      sum = sum + a[i] * b[i]
      largest = math.max(largest, math.abs(a[i]))
    end
  end
  return sum, largest
end

-- The gradient of the last node's mean. Left out: kinks, and numbers too large for differences.
local function check_gradient(seed)
  local g, nodes, steps = random_graph()
  local axes = {}
  for i = 1, nodes[#nodes]:ndim() do axes[i] = i end
  local loss = core.apply("mean", { axes = axes }, nodes[#nodes])
  local ok, grads = pcall(g.gradient, g, loss, table.move(nodes, 1, 4, 1, {}))
  if not ok then return 0 end -- grows with the square of the batch
  local outputs, slots = { loss }, {}
  for slot = 1, 4 do
    if grads[slot] then
      outputs[#outputs + 1] = grads[slot]
      slots[#outputs] = slot
    end
  end
  local program = core.program(g, outputs, { dtype = "float64" })
  local inputs, along, h = random_inputs(steps, 3), random_inputs(steps, 3), 1e-5
  local function at(x) return { program:run { inputs = x, batch = 3 } } end
  local here, found = at(inputs), {}
  for k, slot in pairs(slots) do found[slot] = here[k] end
  local exact, largest = slope(found, along)
  local ahead = at(moved(inputs, along, h))[1]:item()
  local behind = at(moved(inputs, along, -h))[1]:item()
  local value = here[1]:item()
  local kink = math.abs(ahead - 2 * value + behind) / h
  if not (largest < 100 and math.abs(value) < 100 and kink < 1e-2) then return 0 end
  local difference = (ahead - behind) / (2 * h)
  if not near(exact, difference, 1e-5 * largest) then
    lu.fail(("graph %d: slope %.12g, by differences %.12g:\n%s"):format(seed, exact, difference,
      g:dump { loss }))
  end
  return 1
end

function TestRandomGraphs:test_programs_give_what_the_ops_give()
  for seed = 1, GRAPHS do
    math.randomseed(seed)
    check_values(seed)
  end
end

function TestRandomGraphs:test_gradients_are_differences()
  local checked = 0
  for seed = 1, GRAPHS do
    math.randomseed(seed)
    checked = checked + check_gradient(seed)
  end
  lu.assert_true(checked > GRAPHS // 2, checked .. " graphs were smooth enough")
end
