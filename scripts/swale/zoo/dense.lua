--- Networks of linear layers.
local nn = require "swale.nn"
local parts = require "swale.zoo.parts"

local M = {}

---@class swale.DenseOptions
---@field features? integer    of an example
---@field classes? integer
---@field norm? swale.ZooNorm  "none", but "batch" in F1 and F2
---@field scale? number        factor of the hidden widths (1)
---@field name? string

local function check(name, o, features, classes, norm, more)
  local spec = { features = { "count", features }, input = "any?",
    classes = { "count", classes or 10 }, norm = { "string|function", norm or "none" } }
  for option, entry in pairs(more or {}) do spec[option] = entry end
  return parts.check("zoo." .. name, o, spec)
end

local function network(o, widths)
  local list, last = parts.list(o):add(nil, nn.Flatten()), o.features
  for i, width in ipairs(widths) do
    width = parts.width(o, width)
    list:dense(i, last, width)
    last = width
  end
  return list:add("fc" .. #widths + 1, nn.Linear(last, o.classes)):done()
end

---Logistic regression: 784-10, 7,850 parameters; Smith and Le 2018 train it on two classes, where
---one output would suffice.
---@param o? swale.DenseOptions
---@return swale.Layer
function M.logreg(o) return network(check("logreg", o, 784), {}) end

---784-100-10, 79,510 parameters: mlp_small of the benchmarks.
---@param o? swale.DenseOptions
---@return swale.Layer
function M.mlp_small(o) return network(check("mlp_small", o, 784), { 100 }) end

---@class swale.MLPOptions: swale.DenseOptions
---@field layers? integer      hidden ones, of 800 units (2)

---784-800-800-10, 1,276,810 parameters: mlp_800 of the benchmarks. The network of Smith and
---Le 2018 has one hidden layer of 800: `zoo.mlp { layers = 1 }`, 636,010 parameters.
---@param o? swale.MLPOptions
---@return swale.Layer
function M.mlp(o)
  o = check("mlp", o, 784, nil, nil, { layers = { "count", 2 } })
  local widths = {}
  for i = 1, o.layers do widths[i] = 800 end
  return network(o, widths)
end

---F1 of Keskar et al. 2017, for MNIST: five layers of 512 with batch norm, 1,462,794 parameters.
---@param o? swale.DenseOptions
---@return swale.Layer
function M.F1(o)
  return network(check("F1", o, 784, 10, "batch"), { 512, 512, 512, 512, 512 })
end

---F2 of Keskar et al. 2017, for TIMIT: 360 features, seven layers of 512 with batch norm, 1973
---classes, 2,780,085 parameters.
---@param o? swale.DenseOptions
---@return swale.Layer
function M.F2(o)
  return network(check("F2", o, 360, 1973, "batch"), { 512, 512, 512, 512, 512, 512, 512 })
end

return M
