--- Constructors of tensors.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

--- Refuses sw.zeros(3, 4), as in NumPy's rand: the second size is in the place of dtype or stream.
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

--- Splits a dtype off the end of a list of numbers.
local function numbers_and_dtype(where, ...)
  local list, count, dtype = { ... }, select("#", ...), "float32"
  if type(list[count]) == "string" then count, dtype = count - 1, list[count] end
  for i = 1, count do options.value(where, "argument " .. i, list[i], "number") end
  return list, count, dtype
end

--- 0, 1, …, n - 1
local function counted(n) return core.zeros({ n }, "float64"):fill(1):cumsum(1) - 1 end

---start, start + step, … below stop (above it, if step is negative): sw.arange(3) is 0, 1, 2. Each
---is start + i step, rounded once.
---@param ... number|swale.dtype   stop; start, stop; or start, stop, step; then a dtype (float32)
---@return swale.Tensor
function M.arange(...)
  local list, n, dtype = numbers_and_dtype("arange", ...)
  if n < 1 or n > 3 then
    errors.misuse "arange: takes stop; start, stop; or start, stop, step"
  end
  local start, stop, step = 0, list[1], n == 3 and list[3] or 1
  if n > 1 then start, stop = list[1], list[2] end
  if step == 0 then errors.misuse "arange: step must not be 0" end
  local count = math.tointeger(math.max(0, math.ceil((stop - start) / step)))
  if not count then errors.misuse("arange: too many numbers from %g to %g", start, stop) end
  return (counted(count) * step + start):to(dtype)
end

---n numbers from first to last, both included, at equal distances.
---@param first number
---@param last number
---@param n integer
---@param dtype? swale.dtype      float32
---@return swale.Tensor
function M.linspace(first, last, n, dtype)
  options.value("linspace", "first", first, "number")
  options.value("linspace", "last", last, "number")
  n = options.value("linspace", "n", n, "count")
  local values = counted(n) * (n == 1 and 0 or (last - first) / (n - 1)) + first
  if n > 1 then values:set(n, last) end
  return values:to(dtype or "float32")
end

local seed, script = 1, nil -- script: the stream that rand and randn draw from unless given one

local function script_stream()
  script = script or core.random(seed, "script")
  return script
end

---Sets the default seed of models, trainers and the script's random numbers, and restarts the
---stream of rand and randn. A run does this with its own seed.
---@param value integer
function M.set_default_seed(value)
  seed, script = value, nil
end

---Makes rand and randn draw from another stream, and returns the one before; nil: none was begun.
---@param stream swale.Random|nil
---@return swale.Random|nil
function M.exchange_stream(stream)
  local before = script
  script = stream
  return before
end

---The stream that rand and randn draw from.
---@return swale.Random
function M.stream() return script_stream() end

---@return integer
function M.default_seed() return seed end

---Returns a new stream of random numbers: the same seed, name and n give the same numbers.
---@param own? integer            the default seed
---@param name? string            "script"
---@param n? integer
---@return swale.Random
function M.random(own, name, n) return core.random(own or seed, name or "script", n) end

local FLOATS = { float32 = true, float64 = true }

--- Parses dtype and stream, which may come in either order and be left out.
local function draw(where, fill, shape, first, second)
  local dtype, stream = "float32", nil
  shape = shape_of(where, shape, first)
  for i, value in ipairs { first or false, second or false } do
    if core.type(value) == "random" then
      stream = value
    elseif type(value) == "string" then
      dtype = value
      if not FLOATS[value] then
        errors.misuse('%s: dtype must be "float32" or "float64", not %s', where,
          errors.shown(value))
      end
    elseif value then
      errors.misuse("%s: argument %d must be a dtype or a stream of sw.random, not %s", where,
        i + 1, errors.shown(value))
    end
  end
  stream = stream or script_stream()
  return stream[fill](stream, core.zeros(shape, dtype), 0, 1)
end

---Uniform in [0, 1). A float64 draw has 53 random bits; a float32 one is the same draw, rounded, so
---the numbers of a stream do not depend on the dtype.
---@param shape integer|integer[]
---@param dtype? "float32"|"float64"|swale.Random    float32; the stream may stand here too
---@param stream? swale.Random                       the script's
---@return swale.Tensor
function M.rand(shape, dtype, stream) return draw("rand", "fill_uniform", shape, dtype, stream) end

---Normal, with mean 0 and deviation 1; dtypes as in rand.
---@param shape integer|integer[]
---@param dtype? "float32"|"float64"|swale.Random
---@param stream? swale.Random
---@return swale.Tensor
function M.randn(shape, dtype, stream) return draw("randn", "fill_normal", shape, dtype, stream) end

return M
