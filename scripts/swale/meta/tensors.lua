---@meta _
-- swale.core: tensors, streams of random numbers.

---@class swale.core
local core = {}

---@class swale.Tensor
---@operator add(swale.Tensor|number): swale.Tensor
---@operator sub(swale.Tensor|number): swale.Tensor
---@operator mul(swale.Tensor|number): swale.Tensor
---@operator div(swale.Tensor|number): swale.Tensor
---@operator pow(swale.Tensor|number): swale.Tensor
---@operator unm: swale.Tensor
---@operator len: integer           size of the first axis
---@field [integer] number|swale.Tensor   t[i]: an element of a vector, else a view without the first axis; negative from the end,
---past the end nil, so that ipairs ends; t[i] = v sets an element, or fills a row with a number or a tensor
local Tensor = {}

---@param values number|table       a number, or nested tables of one shape
---@param dtype? swale.dtype        float32
---@return swale.Tensor
function core.tensor(values, dtype) end
---@param shape integer[]
---@param dtype? swale.dtype
---@return swale.Tensor
function core.zeros(shape, dtype) end

---@return swale.dtype
function Tensor:dtype() end
---@return integer[]
function Tensor:shape() end
---@return integer
function Tensor:ndim() end
---@return integer
function Tensor:numel() end
---@return number                   the only element
function Tensor:item() end
---@param ... integer               one index an axis
---@return number
function Tensor:get(...) end
---@param ... number                indices, then the value
function Tensor:set(...) end
---@return number|table             nested tables
function Tensor:table() end
---@param shape integer[]           one may be -1
---@return swale.Tensor             a view where that is possible
function Tensor:reshape(shape) end
---@param axis integer
---@param index integer
---@return swale.Tensor             a view without that axis
function Tensor:select(axis, index) end
---@param axis integer
---@param first integer
---@param length integer
---@return swale.Tensor             a view
function Tensor:narrow(axis, first, length) end
---@param axis1 integer
---@param axis2 integer
---@return swale.Tensor             a view
function Tensor:transpose(axis1, axis2) end
---@param shape integer[]
---@return swale.Tensor             a read-only view
function Tensor:broadcast(shape) end
---@return boolean
function Tensor:is_contiguous() end
---@return swale.Tensor
function Tensor:contiguous() end
---@return swale.Tensor
function Tensor:clone() end
---@param dtype swale.dtype
---@return swale.Tensor
function Tensor:to(dtype) end
---In place; returns self. So do copy, add, lerp, scale.
---@param value number
---@return swale.Tensor self
function Tensor:fill(value) end
---@param source swale.Tensor
---@return swale.Tensor self
function Tensor:copy(source) end
---self += alpha x
---@param alpha number
---@param x swale.Tensor
---@return swale.Tensor self
function Tensor:add(alpha, x) end
---self += t (x - self)
---@param t number
---@param x swale.Tensor
---@return swale.Tensor self
function Tensor:lerp(t, x) end
---self *= c
---@param c number
---@return swale.Tensor self
function Tensor:scale(c) end
---@param x swale.Tensor
---@return number
function Tensor:dot(x) end
---@return number                   Euclidean
function Tensor:norm() end
---Frees the memory now; using the tensor afterwards raises. Also done on `<close>` and on collection.
function Tensor:free() end

---@class swale.Random
local Random = {}
---A stream of random numbers: Philox 4x32-10 with key seed and stream (name, n).
---@param seed integer
---@param name string
---@param n? integer
---@return swale.Random
function core.random(seed, name, n) end
---@return number                   [0, 1)
function Random:uniform() end
---@return number
function Random:normal() end
---@param n integer
---@return integer                  1 … n
function Random:integer(n) end
---@param t swale.Tensor            floats, filled in place
---@param low number
---@param high number
---@return swale.Tensor t
function Random:fill_uniform(t, low, high) end
---@param t swale.Tensor
---@param mean number
---@param std number
---@return swale.Tensor t
function Random:fill_normal(t, mean, std) end
---@param n integer
---@return swale.Tensor             int32, a permutation of 0 … n-1
function Random:permutation(n) end
---@return integer[]                stream and position, for load
function Random:save() end
---@param saved integer[]           what save gave
---@return swale.Random self
function Random:load(saved) end

---NaN counts as the largest value.
---@param t swale.Tensor
---@param axis integer
---@param descending? boolean
---@return swale.Tensor values
---@return swale.Tensor order       int32, from 0
function core.sort(t, axis, descending) end
---@param t swale.Tensor            float32 or float64
---@param q number[]                each from 0 to 1, at most 1000
---@param axis integer              in the result it has an element for each q
---@return swale.Tensor
function core.quantile(t, q, axis) end
---@param t swale.Tensor            float32 or float64
---@param axis integer
---@return swale.Tensor
function core.cumsum(t, axis) end
