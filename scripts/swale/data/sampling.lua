--- Shared by the synthetic problems: sizes of splits, streams, Bayes accuracies.
local core = require "swale.core"
local ops = require "swale.ops"

local M = {}

---@class swale.SizeOptions
---@field n? integer        examples of the training split (1000)
---@field valid? integer    n / 5
---@field test? integer     n
---@field seed? integer     1

local SIZES = { n = { "count", 1000 }, valid = "count?", test = "count?", seed = { "integer", 1 } }

---The spec of a problem's options: its own, and sizes and seed.
---@param own table
---@return table
function M.spec(own)
  for name, entry in pairs(SIZES) do own[name] = entry end
  return own
end

---Draws each split from a stream of its own, (seed, name/split): draw(n, stream) returns its
---tensors.
---@param name string
---@param o swale.SizeOptions
---@param draw fun(n: integer, stream: swale.Random): table
---@return table<string, table>
function M.parts(name, o, draw)
  local sizes = { train = o.n, valid = o.valid or math.max(1, o.n // 5), test = o.test or o.n }
  local parts = {}
  for split, n in pairs(sizes) do
    parts[split] = draw(n, core.random(o.seed, name .. "/" .. split))
  end
  return parts
end

---Labels, all classes equally likely.
---@param n integer
---@param classes integer
---@param stream swale.Random
---@return swale.Tensor     int32 (n)
function M.labels(n, classes, stream)
  local labels = {}
  for i = 1, n do labels[i] = stream:integer(classes) - 1 end
  return core.tensor(labels, "int32")
end

---@param shape integer[]
---@param stream swale.Random
---@param deviation number
---@return swale.Tensor     float32
function M.normal(shape, stream, deviation)
  return stream:fill_normal(core.zeros(shape), 0, deviation)
end

local CHUNK = 5000

---The accuracy of a rule on fresh draws, and its standard error.
---@param n integer
---@param draw fun(n: integer): swale.Tensor, swale.Tensor
---@param rule fun(x: swale.Tensor): swale.Tensor
---@return number accuracy, number deviation
function M.accuracy(n, draw, rule)
  local right = 0
  for first = 1, n, CHUNK do
    local x, y = draw(math.min(CHUNK, n - first + 1))
    right = right + ops.sum(ops.eq(ops.cast(rule(x)), ops.cast(y))):item()
  end
  local p = right / n
  return p, math.sqrt(p * (1 - p) / n)
end

---A function without arguments whose results are computed once.
---@param f fun(): number, number
---@return fun(): number, number
function M.once(f)
  local a, b
  return function()
    if not a then a, b = f() end
    return a, b
  end
end

local function series(x) -- integral of the density from 0 to x
  local term, sum, k = x, x, 1
  while math.abs(term) > 1e-17 * math.abs(sum) do
    k = k + 2
    term = term * x * x / k
    sum = sum + term
  end
  return sum
end

---The standard normal distribution, P(z < x), to about 1e-15 (Marsaglia 2004).
---@param x number
---@return number
function M.normal_cdf(x)
  if x < -8 then return 0 elseif x > 8 then return 1 elseif x == 0 then return 0.5 end
  return 0.5 + series(x) * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
end

return M
