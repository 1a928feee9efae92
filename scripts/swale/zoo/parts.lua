--- Shared by the networks of the zoo: options, and blocks of convolution, norm and ReLU.
local errors = require "swale.errors"
local nn = require "swale.nn"
local options = require "swale.options"
local segments = require "swale.segments"

local M = {}

---@alias swale.ZooNorm "batch"|"none"|fun(channels: integer): swale.Layer

---@class swale.ZooOptions
---@field classes? integer     outputs (10)
---@field input? integer[]     of an image: { height, width, channels }, as data.shape
---@field norm? swale.ZooNorm  each network has its default; or sw.nn.GhostBatchNorm(128)
---@field scale? number        factor of all widths, for small experiments (1)
---@field name? string

--- Options of all networks for images.
local IMAGES = { classes = { "count", 10 }, input = { "table", { 32, 32, 3 } },
  norm = { "string|function", "batch" }, scale = { "positive", 1 }, name = "string?" }

local function check_input(where, input)
  for i = 1, 3 do
    if #input ~= 3 or math.type(input[i]) ~= "integer" or input[i] < 1 then
      errors.misuse("%s: input must be { height, width, channels }, as data.shape of images is, not"
        .. " %s", where, errors.shape_text(input))
    end
  end
end

local function norm_factory(where, norm)
  if norm == "batch" then return nn.BatchNorm end
  if norm == "none" then return nil end
  if type(norm) == "string" then
    errors.misuse('%s: norm must be "batch", "none" or a function that makes a layer for a number'
      .. " of channels, not %q%s", where, norm, errors.suggestion(norm, { "batch", "none" }))
  end
  return norm
end

---Checks the options of a network. The result has norm as a function, or nil.
---@param where string
---@param o table|nil
---@param own? table        options of this network alone, or with other defaults
---@return table
function M.check(where, o, own)
  local spec = {}
  for name, entry in pairs(IMAGES) do spec[name] = entry end
  for name, entry in pairs(own or {}) do spec[name] = entry end
  o = options.check(where, o, spec)
  if o.input then check_input(where, o.input) end
  o.norm = norm_factory(where, o.norm)
  return o
end

---A width under the option scale.
---@param o table
---@param channels integer
---@return integer
function M.width(o, channels) return math.max(1, math.floor(channels * o.scale + 0.5)) end

---A list of named layers, which becomes a network.
---@class swale.ZooList
---@field o table
local List = {}
List.__index = List

---@param o table    checked options
---@return swale.ZooList
function M.list(o) return setmetatable({ o = o }, List) end

---@param name string|nil
---@param layer swale.Layer
---@return swale.ZooList self
function List:add(name, layer)
  options.value("zoo", "norm's result", layer, "Layer")
  layer.name = layer.name or name
  self[#self + 1] = layer
  return self
end

---Adds a norm, if the options have one.
---@param name string
---@param channels integer
---@return swale.ZooList self
function List:norm(name, channels)
  return self.o.norm and self:add(name, self.o.norm(channels)) or self
end

---@param rate number
---@return swale.ZooList self
function List:dropout(rate) return rate > 0 and self:add(nil, nn.Dropout(rate)) or self end

---Convolution, norm, ReLU: conv<n>, norm<n>.
---@param n integer|string
---@param from integer
---@param to integer
---@param kernel integer
---@param o? table      of the convolution; padding "same" unless told
---@return swale.ZooList self
function List:conv(n, from, to, kernel, o)
  o = o or {}
  o.padding = o.padding or "same"
  self:add("conv" .. n, nn.Conv2d(from, to, kernel, o))
  return self:norm("norm" .. n, to):add(nil, nn.ReLU())
end

---The number of values that the layers so far give for an image. Custom norms keep the shape.
---@return integer
function List:values()
  local shape = self.o.input
  for _, layer in ipairs(self) do shape = layer:output(shape) or shape end
  return segments.elements(shape)
end

---Linear, norm, ReLU: fc<n>, and norm_fc<n>.
---@param n integer|string
---@param from integer|nil      by default self:values()
---@param to integer
---@return swale.ZooList self
function List:dense(n, from, to)
  self:add("fc" .. n, nn.Linear(from or self:values(), to))
  return self:norm("norm_fc" .. n, to):add(nil, nn.ReLU())
end

---@return swale.Sequential
function List:done()
  local o, layers = self.o, table.move(self, 1, #self, 1, {})
  layers.name = o.name
  local net = nn.Sequential(layers)
  net.made_for = o.input
  return net
end

return M
