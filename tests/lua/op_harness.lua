-- The tests of every op. A row of a table says how the op is called and what it must give, by plain
-- Lua on arrays { shape = {…}, … } in row-major order; the rest is here:
--   value      a float64 program against that, for batch sizes that change within one program
--   eager      on tensors, against the program: equal bits
--   float32    a float32 program against the float64 one
--   gradient   of sum(c * op(x)) for a fixed c, against central differences in double
--   second     gradient of sum(v * gradient) for a fixed v, against differences of gradients
--   wrong      shapes that are refused, by graph and tensors alike
local core = require "swale.core"
local lu = require "luaunit"

local M = {}

M.BATCHES = { 3, 1, 5, 2 }
local STEP = 1e-5

-- ------------------------------------------------------------------ arrays in plain Lua

function M.size(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

function M.array(shape, f)
  local a = { shape = shape }
  for i = 1, M.size(shape) do a[i] = f(i) end
  return a
end

-- The index tuple of flat position i, from 0 on each axis.
function M.unravel(i, shape)
  local index, rest = {}, i - 1
  for axis = #shape, 1, -1 do
    index[axis] = rest % shape[axis]
    rest = rest // shape[axis]
  end
  return index
end

-- The flat position of an index tuple, which may belong to a larger shape that this one is
-- broadcast to.
function M.ravel(index, shape)
  local i, skip = 0, #index - #shape
  for axis, d in ipairs(shape) do i = i * d + (d == 1 and 0 or index[axis + skip]) end
  return i + 1
end

function M.broadcast_shape(...)
  local shape, all = {}, { ... }
  local n = 0
  for _, s in ipairs(all) do n = math.max(n, #s) end
  for k = 1, n do
    shape[k] = 1
    for _, s in ipairs(all) do shape[k] = math.max(shape[k], s[k - n + #s] or 1) end
  end
  return shape
end

-- f of the elements of arrays that are broadcast to one shape.
function M.map(f)
  return function(...)
    local arrays, shapes = { ... }, {}
    for k, a in ipairs(arrays) do shapes[k] = a.shape end
    local shape = M.broadcast_shape(table.unpack(shapes))
    return M.array(shape, function(i)
      local index, values = M.unravel(i, shape), {}
      for k, a in ipairs(arrays) do values[k] = a[M.ravel(index, a.shape)] end
      return f(table.unpack(values))
    end)
  end
end

-- The lists of elements that a reduction over axes takes together.
function M.groups(a, axes, keepdim)
  local reduced, kept_shape, full = {}, {}, {}
  for _, axis in ipairs(axes) do reduced[axis] = true end
  for axis, d in ipairs(a.shape) do
    full[axis] = reduced[axis] and 1 or d
    if keepdim or not reduced[axis] then kept_shape[#kept_shape + 1] = full[axis] end
  end
  local groups = M.array(kept_shape, function() return {} end)
  for i = 1, #a do
    local group = groups[M.ravel(M.unravel(i, a.shape), full)]
    group[#group + 1] = a[i]
  end
  return groups
end

function M.reduce(f, axes, keepdim)
  return function(a)
    local groups = M.groups(a, axes, keepdim)
    return M.array(groups.shape, function(i) return f(groups[i]) end)
  end
end

-- ------------------------------------------------------------------ numbers for the inputs

-- Multiples of 1/256, which float32 holds exactly; the same ones at every call.
local function numbers(seed)
  local state = seed
  return function(low, high)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor((low + (high - low) * state / 2 ^ 31) * 256 + 0.5) / 256
  end
end

local function concrete(shape, batch)
  local sizes = {}
  for i, d in ipairs(shape) do
    local factor = type(d) == "string" and (d == "batch" and 1 or tonumber(d:match "^(%d+)"))
    sizes[i] = factor and math.tointeger(factor) * batch or d
  end
  return sizes
end

local function make_inputs(row, batch, seed)
  local arrays, draw = {}, numbers(seed or 17)
  for k, input in ipairs(row.inputs) do
    local shape, whole = concrete(input, batch), input.rows or input.taps
    if whole then
      arrays[k] = M.array(shape, function(i) return (i * 7 + 2) % whole end)
    else
      arrays[k] = M.array(shape, function() return draw(input.low or -2, input.high or 2) end)
    end
  end
  return arrays
end

local function tensor(array, dtype)
  local t = core.zeros({ #array }, dtype)
  for i = 1, #array do t:set(i, array[i]) end
  return t:reshape(array.shape)
end

local function tensors_of(row, arrays, dtype)
  local list = {}
  for k, a in ipairs(arrays) do list[k] = tensor(a, row.inputs[k] and row.inputs[k].rows and "int32"
    or dtype) end
  return list
end

local function flat(t)
  return t:contiguous():reshape({ -1 }):table()
end

local function check_close(got, want, tolerance, what)
  lu.assert_equals(#got, #want, what)
  for i = 1, #want do
    local scale = math.max(1, math.abs(want[i]))
    if not (math.abs(got[i] - want[i]) <= tolerance * scale or got[i] == want[i]) then
      lu.fail(("%s: element %d is %.17g, expected %.17g"):format(what, i, got[i], want[i]))
    end
  end
end

-- ------------------------------------------------------------------ programs

-- Attributes that name the batch size get it for tensors.
local function attributes(row, batch)
  if not row.attrs or not row.attrs.shape then return row.attrs end
  local copy = {}
  for key, value in pairs(row.attrs) do copy[key] = value end
  copy.shape = batch and concrete(row.attrs.shape, batch) or row.attrs.shape
  return copy
end

local function input_nodes(graph, row)
  local nodes = {}
  for k, input in ipairs(row.inputs) do
    nodes[k] = graph:input(k, input.rows and "index" or "real",
      table.move(input, 1, #input, 1, {}))
  end
  return nodes
end

local function build(row)
  local graph = core.graph()
  local nodes = input_nodes(graph, row)
  return graph, nodes, { core.apply(row.op, row.attrs, table.unpack(nodes)) }
end

local function run(program, inputs, batch)
  return { program:run { inputs = inputs, batch = batch } }
end

-- The outputs with derivatives: row.differentiable lists them if some have none.
local function differentiable(row, outputs)
  if not row.differentiable then return outputs end
  local list = {}
  for i, k in ipairs(row.differentiable) do list[i] = outputs[k] end
  return list
end

-- sum over the outputs of c_k * output_k, the c_k being further inputs.
local function weighted(graph, row, outputs)
  local total
  for k, out in ipairs(outputs) do
    local c = graph:input(#row.inputs + k, "real", out:shape())
    local term = core.apply("dot", nil, out, c)
    total = total and total + term or term
  end
  return total
end

-- The inputs that are not indices, int32 (input.rows) or real (input.taps).
local function real_nodes(row, nodes)
  local list, where = {}, {}
  for k, node in ipairs(nodes) do
    if not row.inputs[k].rows and not row.inputs[k].taps then
      list[#list + 1] = node
      where[#where + 1] = k
    end
  end
  return list, where
end

-- Cotangents, and then directions, as arrays in the order of their slots.
local function append_random(arrays, shapes, batch, seed)
  local draw = numbers(seed)
  for _, shape in ipairs(shapes) do
    arrays[#arrays + 1] = M.array(concrete(shape, batch), function() return draw(-1, 1) end)
  end
end

local function shapes_of(nodes)
  local shapes = {}
  for k, node in ipairs(nodes) do shapes[k] = node:shape() end
  return shapes
end

-- (f(x + h e) - f(x - h e)) / 2h for each element of input k
local function differences(program, row, arrays, k, batch)
  local slopes = {}
  for i = 1, #arrays[k] do
    local x = arrays[k][i]
    arrays[k][i] = x + STEP
    local ahead = run(program, tensors_of(row, arrays, "float64"), batch)[1]:item()
    arrays[k][i] = x - STEP
    local behind = run(program, tensors_of(row, arrays, "float64"), batch)[1]:item()
    arrays[k][i] = x
    slopes[i] = (ahead - behind) / (2 * STEP)
  end
  return slopes
end

-- Each gradient of a scalar node against differences of that scalar.
local function check_gradient_of(row, graph, scalar, nodes, arrays, batch, tolerance)
  local wrt, where = real_nodes(row, nodes)
  local grads = graph:gradient(scalar, wrt)
  local value = core.program(graph, { scalar }, { dtype = "float64" })
  for g, grad in ipairs(grads) do
    local want = differences(value, row, arrays, where[g], batch)
    local got = M.array({ #want }, function() return 0 end)
    if grad then
      local program = core.program(graph, { grad }, { dtype = "float64" })
      got = flat(run(program, tensors_of(row, arrays, "float64"), batch)[1])
    end
    check_close(got, want, tolerance, ("%s: input %d, batch %d"):format(row.op, where[g], batch))
  end
  return grads
end

-- ------------------------------------------------------------------ the facts

local facts = {}

function facts.value(row)
  local graph, _, outputs = build(row)
  local program = core.program(graph, outputs, { dtype = "float64" })
  for _, batch in ipairs(M.BATCHES) do
    local arrays = make_inputs(row, batch)
    local got = run(program, tensors_of(row, arrays, "float64"), batch)
    local want = { row.reference(table.unpack(arrays)) }
    for k = 1, #want do
      lu.assert_equals(got[k]:shape(), want[k].shape, "shape of output " .. k)
      check_close(flat(got[k]), want[k], 1e-12, ("%s: batch %d"):format(row.op, batch))
    end
  end
end

function facts.eager(row)
  local graph, _, outputs = build(row)
  for _, dtype in ipairs { "float32", "float64" } do
    local program = core.program(graph, outputs, { dtype = dtype })
    for _, batch in ipairs(M.BATCHES) do
      local inputs = tensors_of(row, make_inputs(row, batch), dtype)
      local built = run(program, inputs, batch)
      local eager = { core.apply(row.op, attributes(row, batch), table.unpack(inputs)) }
      lu.assert_equals(#eager, #built)
      for k = 1, #built do
        lu.assert_equals(eager[k]:shape(), built[k]:shape())
        lu.assert_equals(flat(eager[k]), flat(built[k]))
      end
    end
  end
end

function facts.float32(row)
  local graph, _, outputs = build(row)
  local double = core.program(graph, outputs, { dtype = "float64" })
  local single = core.program(graph, outputs, { dtype = "float32" })
  for _, batch in ipairs(M.BATCHES) do
    local arrays = make_inputs(row, batch)
    local want = run(double, tensors_of(row, arrays, "float64"), batch)
    local got = run(single, tensors_of(row, arrays, "float32"), batch)
    -- 16 units in the last place: sums of a few terms, exp and log
    for k = 1, #want do check_close(flat(got[k]), flat(want[k]), 2e-6, row.op) end
  end
end

function facts.gradient(row)
  local graph, nodes, outputs = build(row)
  outputs = differentiable(row, outputs)
  local scalar = weighted(graph, row, outputs)
  for _, batch in ipairs(M.BATCHES) do
    local arrays = make_inputs(row, batch)
    append_random(arrays, shapes_of(outputs), batch, 5)
    check_gradient_of(row, graph, scalar, nodes, arrays, batch, 1e-7)
  end
end

function facts.second(row)
  local graph, nodes, outputs = build(row)
  outputs = differentiable(row, outputs)
  local wrt = real_nodes(row, nodes)
  local grads, total, slots = graph:gradient(weighted(graph, row, outputs), wrt), nil, {}
  for _, grad in ipairs(grads) do
    if grad then
      local v = graph:input(#row.inputs + #outputs + #slots + 1, "real", grad:shape())
      slots[#slots + 1] = grad:shape()
      local term = core.apply("dot", nil, grad, v)
      total = total and total + term or term
    end
  end
  local arrays = make_inputs(row, 2)
  append_random(arrays, shapes_of(outputs), 2, 5)
  append_random(arrays, slots, 2, 6)
  check_gradient_of(row, graph, total, nodes, arrays, 2, 1e-6)
end

-- row.wrong: lists of shapes, each with a part of the message.
function facts.wrong(row)
  for _, bad in ipairs(row.wrong) do
    local other = { op = row.op, attrs = bad.attrs or row.attrs, inputs = bad }
    lu.assert_error_msg_contains(bad.says or row.op, build, other)
    local inputs = tensors_of(other, make_inputs(other, 2), "float32")
    lu.assert_error_msg_contains(bad.says_eager or bad.says or row.op, core.apply, row.op,
      attributes(other, 2), table.unpack(inputs))
  end
end

-- Adds a test for each fact to a class of LuaUnit: test_<name>_<fact>.
function M.add(class, row)
  local wanted = { "value", "eager", "float32" }
  if row.smooth ~= false then
    wanted[#wanted + 1] = "gradient"
    wanted[#wanted + 1] = "second"
  end
  if row.wrong then wanted[#wanted + 1] = "wrong" end
  for _, fact in ipairs(wanted) do
    local name = ("test_%s_%s"):format(row.name or row.op, fact)
    assert(not class[name], "two rows are called " .. name)
    class[name] = function() facts[fact](row) end
  end
end

return M
