--- Making tensors.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

--- sw.zeros(3, 4), as in NumPy's rand: the second size stands where dtype or stream would.
local function shape_of(where, shape, second)
  if math.type(second) == "integer" then
    errors.misuse("%s: shapes go in a table: { %s, %d }", where, errors.shown(shape), second)
  end
  if type(shape) == "table" then return shape end
  if math.type(shape) == "integer" then return { shape } end
  errors.misuse("%s: a shape is a whole number or a list of them, not %s", where,
    errors.shown(shape))
end

---@param values number|table     a number, or nested tables of one shape
---@param dtype? swale.dtype      float32
---@return swale.Tensor
function M.tensor(values, dtype) return core.tensor(values, dtype) end

---@param shape integer|integer[]
---@param dtype? swale.dtype
---@return swale.Tensor
function M.zeros(shape, dtype) return core.zeros(shape_of("zeros", shape, dtype), dtype) end

---@param shape integer|integer[]
---@param dtype? swale.dtype
---@return swale.Tensor
function M.ones(shape, dtype) return core.zeros(shape_of("ones", shape, dtype), dtype):fill(1) end

---@param shape integer|integer[]
---@param value number
---@param dtype? swale.dtype
---@return swale.Tensor
function M.full(shape, value, dtype)
  return core.zeros(shape_of("full", shape), dtype):fill(value)
end

local seed, script = 1, nil -- script: the stream that rand and randn draw from unless given one

local function stream_or_default(stream)
  if stream then return stream end
  script = script or core.random(seed, "script")
  return script
end

---Sets the seed that models, trainers and the script's random numbers take when they are given
---none, and begins the stream of rand and randn anew. A run does this with its own seed.
---@param value integer
function M.set_default_seed(value)
  seed, script = value, nil
end

---@return integer
function M.default_seed() return seed end

---A stream of random numbers of its own: the same seed, name and n give the same numbers.
---@param own? integer            the default seed
---@param name? string            "script"
---@param n? integer
---@return swale.Random
function M.random(own, name, n) return core.random(own or seed, name or "script", n) end

---Uniform in [0, 1).
---@param shape integer|integer[]
---@param stream? swale.Random
---@return swale.Tensor           float32
function M.rand(shape, stream)
  local t = core.zeros(shape_of("rand", shape, stream))
  return stream_or_default(stream):fill_uniform(t, 0, 1)
end

---Normal, mean 0, deviation 1.
---@param shape integer|integer[]
---@param stream? swale.Random
---@return swale.Tensor           float32
function M.randn(shape, stream)
  local t = core.zeros(shape_of("randn", shape, stream))
  return stream_or_default(stream):fill_normal(t, 0, 1)
end

return M
