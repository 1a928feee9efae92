--- The ops, the same for tensors and for nodes of a graph: given tensors they compute, given nodes
--- they build, and numbers join in. Most of them are methods too: `x:relu()` is `ops.relu(x)`.
---
--- Shapes in brackets: (B, n) has the batch as its first axis. Axes count from 1, negative ones
--- from the end. Operands of different shapes are stretched to a common one, as in NumPy.
local core = require "swale.core"
local errors = require "swale.errors"

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

---a where mask is not 0, b where it is. Nothing flows back into the mask.
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

---Sum of squares.
---@param x swale.Value
---@param axes? integer|integer[]
---@param keepdim? boolean
---@return swale.Value
function M.sumsq(x, axes, keepdim) return reduce("sumsq", x, axes, keepdim) end

---Where the largest is along an axis, counted from 0 as in the files; the first of equal ones.
---@param x swale.Value
---@param axis? integer         the last
---@return swale.Value          int32
function M.argmax(x, axis) return (apply("argmax", { axes = { axis or -1 } }, x)) end

-- ------------------------------------------------------------------ products

---(m, k) x (k, n) -> (m, n)
---@param a swale.Value
---@param b swale.Value
---@param o? { transpose_a?: boolean, transpose_b?: boolean }   takes an operand as its transpose
---@return swale.Value
function M.matmul(a, b, o) return (apply("matmul", o, a, b)) end

---Sum of the products of all elements: a scalar.
---@param a swale.Value
---@param b swale.Value
---@return swale.Value
function M.dot(a, b) return (apply("dot", nil, a, b)) end

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
  local a, b = axis1 < 0 and n + 1 + axis1 or axis1, axis2 < 0 and n + 1 + axis2 or axis2
  if not perm[a] or not perm[b] then
    errors.misuse("transpose: axes %d and %d of %d", axis1, axis2, n)
  end
  perm[a], perm[b] = perm[b], perm[a]
  return (apply("transpose", { perm = perm }, x))
end

---The transpose of a matrix.
---@param x swale.Value         (m, n)
---@return swale.Value          (n, m)
function M.t(x) return M.transpose(x, -2, -1) end

---Stretches axes of size 1, and adds some in front.
---@param x swale.Value
---@param shape swale.size[]
---@return swale.Value
function M.broadcast(x, shape) return (apply("broadcast", { shape = shape }, x)) end

-- ------------------------------------------------------------------ rows and classes

---Rows of x by index, counted from 0: (n, …), (m) -> (m, …)
---@param x swale.Value
---@param index swale.Value     int32
---@return swale.Value
function M.gather(x, index) return (apply("gather_rows", nil, x, index)) end

---Adds rows up where index says: (m, …), (m) -> (n, …), the transpose of gather.
---@param x swale.Value
---@param index swale.Value     int32, from 0
---@param n integer             rows of the result
---@return swale.Value
function M.scatter(x, index, n) return (apply("scatter_rows", { n = n }, x, index)) end

---(m) -> (m, n): 1 at the label, 0 elsewhere.
---@param labels swale.Value    int32, from 0
---@param n integer             classes
---@return swale.Value
function M.one_hot(labels, n) return (apply("one_hot", { n = n }, labels)) end

---Whole numbers as real ones.
---@param x swale.Value         int32
---@return swale.Value
function M.cast(x) return (apply("cast", nil, x)) end

---e^x / sum e^x along the last axis.
---@param x swale.Value
---@return swale.Value
function M.softmax(x) return (apply("softmax", nil, x)) end

---log sum e^x - x[label] for each row: (B, classes), (B) -> (B)
---@param logits swale.Value
---@param labels swale.Value    int32, from 0
---@return swale.Value
function M.cross_entropy(logits, labels)
  return (apply("cross_entropy", nil, logits, labels))
end

-- ------------------------------------------------------------------ methods

--- What tensors have of their own under such a name: in place, or views.
local NATIVE = { dot = true, reshape = true, transpose = true, broadcast = true }
--- What would read strangely as a method of logits or labels, or of nothing in particular.
local FUNCTION_ONLY = { scatter = true, one_hot = true, cross_entropy = true }

local tensor_methods, node_methods = {}, {}
for name, f in pairs(M) do
  if not FUNCTION_ONLY[name] then
    node_methods[name] = f
    if not NATIVE[name] then tensor_methods[name] = f end
  end
end
core.extend("tensor", tensor_methods)
core.extend("node", node_methods)

return M
