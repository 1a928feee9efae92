--- The ops, the same for tensors and for nodes of a graph: with tensors they compute, with nodes
--- they add nodes; numbers may be operands. Most are methods as well: `x:relu()` is `ops.relu(x)`.
---
--- Shapes in brackets: (B, n) has the batch as its first axis. Axes count from 1, negative ones
--- from the end. Operands of different shapes are broadcast, as in NumPy.
local arguments = require "swale.arguments"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.ops
---@field max_pool2d fun(x: swale.Value, kernel: swale.Pair, o?: swale.PoolAttributes): swale.Value
---@field avg_pool2d fun(x: swale.Value, kernel: swale.Pair, o?: swale.PoolAttributes): swale.Value
---@field global_avg_pool2d fun(x: swale.Value): swale.Value
---@field zero_pad2d fun(x: swale.Value, padding: integer|integer[]): swale.Value
---@field reflect_pad2d fun(x: swale.Value, padding: integer|integer[]): swale.Value
---@field upsample2d fun(x: swale.Value, factor: integer|integer[]): swale.Value
---@field batch_norm fun(x: swale.Value, gamma: swale.Value, beta: swale.Value,
---o?: swale.BatchNormOp): swale.Value, swale.Value
---@field layer_norm fun(x: swale.Value, gamma?: swale.Value, beta?: swale.Value,
---eps?: number): swale.Value
---@field group_norm fun(x: swale.Value, groups: integer, gamma?: swale.Value, beta?: swale.Value,
---eps?: number): swale.Value
---@field sort fun(x: swale.Tensor, axis?: integer, o?: table): swale.Tensor, swale.Tensor
---@field quantile fun(x: swale.Tensor, q: number|number[], axis?: integer): swale.Tensor
---@field cumsum fun(x: swale.Tensor, axis: integer): swale.Tensor
local M = {}

---@alias swale.Value swale.Tensor|swale.Node

local apply = core.apply

-- ------------------------------------------------------------------ element by element

---e^x
---@param x swale.Value
---@return swale.Value
function M.exp(x) return (apply("exp", nil, x)) end

---Natural logarithm.
---@param x swale.Value
---@return swale.Value
function M.log(x) return (apply("log", nil, x)) end

---max(x, 0); its derivative at 0 is 0.
---@param x swale.Value
---@return swale.Value
function M.relu(x) return (apply("relu", nil, x)) end

---@param x swale.Value
---@return swale.Value
function M.tanh(x) return (apply("tanh", nil, x)) end

---1 / (1 + e^-x)
---@param x swale.Value
---@return swale.Value
function M.sigmoid(x) return (apply("sigmoid", nil, x)) end

---x x
---@param x swale.Value
---@return swale.Value
function M.square(x) return (apply("mul", nil, x, x)) end

---@param x swale.Value
---@return swale.Value
function M.sqrt(x) return (apply("sqrt", nil, x)) end

---|x|; its derivative at 0 is 0.
---@param x swale.Value
---@return swale.Value
function M.abs(x) return (apply("abs", nil, x)) end

---1, 0 or -1; no derivative. In a float32 program a denormal (below 1.2e-38) counts as 0.
---@param x swale.Value
---@return swale.Value
function M.sign(x) return (apply("sign", nil, x)) end

---The error function, 2 / sqrt(pi) times the integral of e^-t^2 from 0 to x.
---@param x swale.Value
---@return swale.Value
function M.erf(x) return (apply("erf", nil, x)) end

---1 - erf(x), with full precision where it is small.
---@param x swale.Value
---@return swale.Value
function M.erfc(x) return (apply("erfc", nil, x)) end

---log(1 + e^x)
---@param x swale.Value
---@return swale.Value
function M.softplus(x) return (apply("softplus", nil, x)) end

---x sigmoid(x)
---@param x swale.Value
---@return swale.Value
function M.silu(x) return x * M.sigmoid(x) end

---x Phi(x), Phi the normal distribution function: x erfc(-x / sqrt 2) / 2, which is not the
---approximation by tanh.
---@param x swale.Value
---@return swale.Value
function M.gelu(x) return x * (M.erfc(x * -0.5 ^ 0.5) * 0.5) end

---x if it is positive, else slope x (also for the derivative at 0).
---@param x swale.Value
---@param slope? swale.Value|number    0.01
---@return swale.Value
function M.leaky_relu(x, slope) return M.where(M.gt(x, 0), x, x * (slope or 0.01)) end

---x^y. Its derivative in x is 0 where y is, in y 0 where x is 0 and y is not negative.
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.pow(x, y) return (apply("pow", nil, x, y)) end

---The larger of two values; equal ones share the derivative.
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.maximum(x, y) return (apply("maximum", nil, x, y)) end

---The smaller of two values; equal ones share the derivative.
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.minimum(x, y) return (apply("minimum", nil, x, y)) end

---x limited to low … high, of which one may be nil.
---@param x swale.Value
---@param low? swale.Value|number
---@param high? swale.Value|number
---@return swale.Value
function M.clamp(x, low, high)
  if not low and not high then errors.misuse("clamp: needs low, high or both") end
  if low then x = M.maximum(x, low) end
  return high and M.minimum(x, high) or x
end

-- ------------------------------------------------------------------ comparisons: 1 or 0

---x < y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.lt(x, y) return (apply("lt", nil, x, y)) end

---x <= y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.le(x, y) return (apply("le", nil, x, y)) end

---x > y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.gt(x, y) return (apply("gt", nil, x, y)) end

---x >= y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.ge(x, y) return (apply("ge", nil, x, y)) end

---x == y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.eq(x, y) return (apply("eq", nil, x, y)) end

---x ~= y
---@param x swale.Value|number
---@param y swale.Value|number
---@return swale.Value
function M.ne(x, y) return (apply("ne", nil, x, y)) end

---a where mask is not 0, else b. There is no derivative in the mask.
---@param mask swale.Value
---@param a swale.Value|number
---@param b swale.Value|number
---@return swale.Value
function M.where(mask, a, b) return (apply("where", nil, mask, a, b)) end

-- ------------------------------------------------------------------ reductions

local function all_axes(x)
  local axes = {}
  for i = 1, x:ndim() do axes[i] = i end
  return axes
end

local function reduce(op, x, axes, keepdim)
  if axes == nil then
    axes = all_axes(x)
  elseif type(axes) ~= "table" then
    axes = { axes }
  end
  return (apply(op, { axes = axes, keepdim = keepdim or false }, x))
end

---Sum over axes: all of them, one, or a list.
---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean      reduced axes stay, with size 1
---@return swale.Value
function M.sum(x, axes, keepdim) return reduce("sum", x, axes, keepdim) end

---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean
---@return swale.Value
function M.mean(x, axes, keepdim) return reduce("mean", x, axes, keepdim) end

---The largest; equal ones share the derivative.
---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean
---@return swale.Value
function M.max(x, axes, keepdim) return reduce("max", x, axes, keepdim) end

--- Elements along axes, at least one, or nil if the batch is among them.
local function count(where, x, axes)
  local shape, n = x:shape(), 1
  if axes == nil then axes = all_axes(x) end
  for _, axis in ipairs(type(axes) == "table" and axes or { axes }) do
    local size = shape[arguments.axis(where, axis, #shape)]
    if type(size) ~= "number" then return nil end
    n = n * size
  end
  if n == 0 then errors.misuse("%s: there are no elements", where) end
  return n
end

---The smallest; equal ones share the derivative.
---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean
---@return swale.Value
function M.min(x, axes, keepdim)
  count("min", x, axes)
  return -M.max(-x, axes, keepdim)
end

local VAR = { correction = { "number", 1 }, keepdim = { "boolean", false } }

---The variance: squares of deviations from the mean, summed, over (n - correction). Where n <=
---correction it divides by 0, as PyTorch does: infinite, or NaN if the sum is 0.
---@param x swale.Value
---@param axes? integer|integer[]
---@param o? { correction?: number, keepdim?: boolean }   correction: 1; over the batch it must be 0
---@return swale.Value
function M.var(x, axes, o)
  o = options.check("var", o, VAR)
  local correction, n = o.correction, count("var", x, axes)
  if correction ~= 0 and not n then
    errors.misuse("var: over the batch, whose size is not known yet, the correction must be 0")
  end
  local about = x - M.mean(x, axes, true)
  local deviation = about - M.mean(about, axes, true) -- what the mean was off: equal values give 0
  local mean = M.mean(M.square(deviation), axes, o.keepdim)
  return correction == 0 and mean or mean * (n / math.max(n - correction, 0))
end

---Sum of squares.
---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean
---@return swale.Value
function M.sumsq(x, axes, keepdim) return reduce("sumsq", x, axes, keepdim) end

---The index of the largest along an axis, from 0 as in files; of equal ones the first.
---@param x swale.Value
---@param axis? integer         the last
---@return swale.Value          int32
function M.argmax(x, axis) return (apply("argmax", { axes = { axis or -1 } }, x)) end

-- ------------------------------------------------------------------ products

local TRANSPOSES = { transpose_a = "boolean?", transpose_b = "boolean?" }

---(m, k) x (k, n) -> (m, n)
---@param a swale.Value
---@param b swale.Value
---@param o? { transpose_a?: boolean, transpose_b?: boolean }   takes an operand as its transpose
---@return swale.Value
function M.matmul(a, b, o)
  return (apply("matmul", o and options.check("matmul", o, TRANSPOSES), a, b))
end

---Products of slices: (…, m, k) x (…, k, n) -> (…, m, n); the leading axes are equal.
---@param a swale.Value
---@param b swale.Value
---@param o? { transpose_a?: boolean, transpose_b?: boolean }   of slices
---@return swale.Value
function M.bmm(a, b, o)
  return (apply("bmm", o and options.check("bmm", o, TRANSPOSES), a, b))
end

---Sum of the products of all elements: a scalar.
---@param a swale.Value
---@param b swale.Value
---@return swale.Value
function M.dot(a, b) return (apply("dot", nil, a, b)) end

---@class swale.Window          pairs are { rows, columns }; one number stands for both
---@field stride? integer|integer[]     1
---@field padding? integer|integer[]    pixels of zeros on each side; 0
---@field dilation? integer|integer[]   pixels from one tap of the kernel to the next; 1
---@field groups? integer               groups of channels that are convolved separately; 1

local CONV2D = { stride = "any?", padding = "any?", dilation = "any?", groups = "any?" }

---A convolution of images (a correlation: the kernel is not flipped):
---(B, height, width, channels), (outputs, kernel height, kernel width, channels / groups)
----> (B, height', width', outputs), with
---height' = floor((height + 2 padding - dilation (kernel height - 1) - 1) / stride) + 1.
---An infinite weight times a zero of the padding counts as 0 or as NaN.
---@param x swale.Value
---@param w swale.Value
---@param o? swale.Window
---@return swale.Value
function M.conv2d(x, w, o)
  return (apply("conv2d", o and options.check("conv2d", o, CONV2D), x, w))
end

-- ------------------------------------------------------------------ shapes

local function is_tensor(x) return core.type(x) == "tensor" end

---@param x swale.Value
---@param shape swale.size[]    one may be -1; "batch" in a graph
---@return swale.Value
function M.reshape(x, shape)
  if is_tensor(x) then return x:reshape(shape) end
  return (apply("reshape", { shape = shape }, x))
end

---(B, …) -> (B, n)
---@param x swale.Value
---@return swale.Value
function M.flatten(x)
  local first = x:shape()[1]
  if not first then errors.misuse("flatten: a scalar has no batch axis") end
  return M.reshape(x, { first, -1 })
end

---Exchanges two axes.
---@param x swale.Value
---@param axis1? integer        -2
---@param axis2? integer        -1
---@return swale.Value          of a tensor: a view
function M.transpose(x, axis1, axis2)
  axis1, axis2 = axis1 or -2, axis2 or -1
  if is_tensor(x) then return x:transpose(axis1, axis2) end
  local perm, n = {}, x:ndim()
  for i = 1, n do perm[i] = i end
  local a = arguments.axis("transpose", axis1, n, "axis1")
  local b = arguments.axis("transpose", axis2, n, "axis2")
  perm[a], perm[b] = perm[b], perm[a]
  return (apply("transpose", { perm = perm }, x))
end

---The transpose of a matrix.
---@param x swale.Value         (m, n)
---@return swale.Value          (n, m)
function M.t(x) return M.transpose(x, -2, -1) end

---Broadcasts axes of size 1, and adds axes in front.
---@param x swale.Value
---@param shape swale.size[]
---@return swale.Value
function M.broadcast(x, shape) return (apply("broadcast", { shape = shape }, x)) end

---Elements first … first + n - 1 of an axis that is not the batch.
---@param x swale.Value
---@param axis integer
---@param first integer
---@param n integer
---@return swale.Value
function M.slice(x, axis, first, n)
  return (apply("slice", { axes = { axis }, first = first, n = n }, x))
end

---Pads an axis that is not the batch with elements before and behind.
---@param x swale.Value
---@param axis integer
---@param before integer
---@param behind integer
---@param value? number         0
---@return swale.Value
function M.pad(x, axis, before, behind, value)
  local shape = x:shape()
  axis = arguments.axis("pad", axis, #shape)
  local size = shape[axis]
  if type(size) ~= "number" then errors.misuse("pad: axis %d is the batch", axis) end
  return (apply("pad", { axes = { axis }, before = before, n = before + size + behind,
    value = value or 0 }, x))
end

---Concatenates values along an axis that is not the batch.
---@param list swale.Value[]
---@param axis? integer         the last
---@return swale.Value
function M.concat(list, axis)
  local joined = list[1]
  for i = 2, #list do joined = apply("concat", { axes = { axis or -1 } }, joined, list[i]) end
  if not joined then errors.misuse("concat: needs a list of values") end
  return joined
end

-- ------------------------------------------------------------------ rows and classes

---Rows of x by index, from 0: (n, …), (m) -> (m, …)
---@param x swale.Value
---@param index swale.Value     int32
---@return swale.Value
function M.gather(x, index) return (apply("gather_rows", nil, x, index)) end

---Adds rows at the indices: (m, …), (m) -> (n, …), the transpose of gather.
---@param x swale.Value
---@param index swale.Value     int32, from 0
---@param n integer             rows of the result
---@return swale.Value
function M.scatter(x, index, n) return (apply("scatter_rows", { n = n }, x, index)) end

---(m) -> (m, n): 1 at the label, 0 elsewhere.
---@param labels swale.Value    int32, from 0
---@param n integer             classes
---@param ignored? integer      a label that gives zeros alone, and may be outside 0 … n - 1
---@return swale.Value
function M.one_hot(labels, n, ignored)
  return (apply("one_hot", { n = n, ignored = ignored }, labels))
end

---Converts integers to real numbers.
---@param x swale.Value         int32
---@return swale.Value
function M.cast(x) return (apply("cast", nil, x)) end

---x as a constant: derivatives do not pass through it.
---@param x swale.Value
---@return swale.Value
function M.detach(x) return (apply("detach", nil, x)) end

---x with each element set to 0 with probability p, and the others divided by 1 - p. The mask is
---drawn in every step, from a stream of its own. Only for nodes: tensors have no step.
---@param x swale.Node
---@param p number              from 0 to below 1, exact to 2^-32
---@return swale.Node
function M.dropout(x, p)
  if core.type(x) ~= "node" then
    errors.misuse("dropout: works on nodes, got %s; nn.Dropout is the identity where nothing is "
      .. "trained", core.type(x) or type(x))
  end
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    errors.misuse("dropout: p must be a number from 0 to below 1, not %s", errors.shown(p))
  end
  if p == 0 then return x end
  return x * apply("keep_mask", { value = p }, x)
end

---e^x / sum e^x along the last axis.
---@param x swale.Value
---@return swale.Value
function M.softmax(x) return (apply("softmax", nil, x)) end

---Weights of causal attention: (…, T, T) -> the same shape; row t is the softmax of
---scale x[t, 1 … t], followed by zeros.
---@param x swale.Value
---@param scale? number         1
---@return swale.Value
function M.causal_softmax(x, scale) return (apply("causal_softmax", { value = scale or 1 }, x)) end

---log softmax(x), with full precision where it is small.
---@param x swale.Value
---@return swale.Value
function M.log_softmax(x) return (apply("log_softmax", nil, x)) end

---log sum e^x - x[label] for each row: (B, classes), (B) -> (B)
---@param logits swale.Value
---@param labels swale.Value    int32, from 0
---@return swale.Value
function M.cross_entropy(logits, labels)
  return (apply("cross_entropy", nil, logits, labels))
end

---sum q (log sum e^x - x) for each row, over the classes whose q is not 0: (B, classes), twice,
---> (B)
---@param logits swale.Value
---@param probabilities swale.Value   of the same shape
---@return swale.Value
function M.soft_cross_entropy(logits, probabilities)
  return (apply("soft_cross_entropy", nil, logits, probabilities))
end

-- ------------------------------------------------------------------ images, normalisation, order

for _, module in ipairs { "swale.image_ops", "swale.norm_ops", "swale.order_ops" } do
  for name, f in pairs(require(module)) do M[name] = f end
end

-- ------------------------------------------------------------------ arguments

---|a - b|, the Euclidean distance of two tensors of one shape.
---@param a swale.Tensor
---@param b swale.Tensor
---@return number
function M.distance(a, b)
  if errors.shape_text(a:shape()) ~= errors.shape_text(b:shape()) then
    errors.misuse("ops.distance: a has shape %s, b has %s", errors.shape_text(a:shape()),
      errors.shape_text(b:shape()))
  end
  return (a - b):norm()
end

--- Arguments of the ops that use them here; the core checks those of the others.
local REDUCE = "x: value, axes: axes?, keepdim: boolean?"
arguments.check_all(M, "ops", {
  square = "x: value", silu = "x: value", gelu = "x: value",
  leaky_relu = "x: value, slope: operand?", clamp = "x: value, low: operand?, high: operand?",
  sum = REDUCE, mean = REDUCE, max = REDUCE, min = REDUCE, sumsq = REDUCE,
  var = "x: value, axes: axes?, o: table?", argmax = "x: value, axis: integer?",
  reshape = "x: value, shape: table", flatten = "x: value", t = "x: value",
  transpose = "x: value, axis1: integer?, axis2: integer?",
  distance = "a: tensor, b: tensor", sort = "x: tensor, axis: integer?, o: table?",
  quantile = "x: tensor, q: any, axis: integer?", cumsum = "x: tensor, axis: integer",
  slice = "x: value, axis: integer, first: count, n: size",
  pad = "x: value, axis: integer, before: size, behind: size, value: float?",
  broadcast = "x: value, shape: table", one_hot = "labels: value, n: count",
  scatter = "x: value, index: value, n: size", dropout = "x: value, p: float",
  concat = "list: table, axis: integer?", causal_softmax = "x: value, scale: float?",
  max_pool2d = "x: value, kernel: pair, o: table?",
  avg_pool2d = "x: value, kernel: pair, o: table?",
  global_avg_pool2d = "x: value", zero_pad2d = "x: value, padding: pair",
  reflect_pad2d = "x: value, padding: pair", upsample2d = "x: value, factor: pair",
  batch_norm = "x: value, gamma: value, beta: value, o: table?",
  layer_norm = "x: value, gamma: value?, beta: value?, eps: float?",
  group_norm = "x: value, groups: count, gamma: value?, beta: value?, eps: float?",
})

-- ------------------------------------------------------------------ methods

--- Names of methods that tensors define themselves: in place, or views.
local NATIVE = { dot = true, reshape = true, transpose = true, broadcast = true }
--- Functions that are no methods: of logits or labels, or of several values.
local FUNCTION_ONLY = { scatter = true, one_hot = true, cross_entropy = true,
  soft_cross_entropy = true, concat = true }
--- Functions of values alone.
local TENSOR_ONLY = { distance = true, sort = true, quantile = true, cumsum = true }

local tensor_methods, node_methods = {}, {}
for name, f in pairs(M) do
  if not FUNCTION_ONLY[name] then
    if not TENSOR_ONLY[name] then node_methods[name] = f end
    if not NATIVE[name] then tensor_methods[name] = f end
  end
end
core.extend("tensor", tensor_methods)
core.extend("node", node_methods)

return M
