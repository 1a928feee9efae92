--- Instances of a network: a layer and one flat vector of weights, into which the parameters are
--- views. The vector has no padding; its segments stand in the order in which the layers list them.
local core = require "swale.core"
local create = require "swale.create"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layers = require "swale.nn.layer"
local options = require "swale.options"

local M = {}

---@class swale.Segment
---@field path string            "0.weight"
---@field offset integer         of its first element, from 1
---@field size integer
---@field shape integer[]
---@field parameter swale.Parameter

---@class swale.Model
---@field layer swale.Layer
---@field segments swale.Segment[]
---@field seed integer
---@field save function      see swale.model_files, as for the next two
---@field load function
---@field predict function
local Model = { __name = "swale.Model" }
Model.__index = Model

local function size_of(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

local function collect(layer, prefix, segments)
  for _, parameter in ipairs(layer:parameters()) do
    local last = segments[#segments]
    segments[#segments + 1] = { path = prefix .. parameter.name, parameter = parameter,
      shape = parameter.shape, size = size_of(parameter.shape),
      offset = last and last.offset + last.size or 1 }
  end
  for _, child in ipairs(layer:children()) do
    collect(child.layer, prefix .. child.key .. ".", segments)
  end
  return segments
end

---The segments of a description's weight vector.
---@param layer swale.Layer
---@return swale.Segment[]
function M.segments(layer) return collect(layer, "", {}) end

---@param segments swale.Segment[]
---@return integer   elements of the vector
function M.size(segments)
  local last = segments[#segments]
  return last and last.offset + last.size - 1 or 0
end

---The table of parameters that a layer's forward takes, made of what get gives for each path.
---@param layer swale.Layer
---@param get fun(path: string): swale.Value
---@param prefix? string
---@return table
function M.bind(layer, get, prefix)
  prefix = prefix or ""
  local p = {}
  for _, parameter in ipairs(layer:parameters()) do
    p[parameter.name] = get(prefix .. parameter.name)
  end
  for i, child in ipairs(layer:children()) do
    p[i] = M.bind(child.layer, get, prefix .. child.key .. ".")
  end
  return p
end

local function fan_of(segment)
  local shape, p = segment.shape, segment.parameter
  local outputs = shape[1] or 1
  local field = #shape >= 2 and segment.size // (outputs * shape[2]) or 1
  return { fan_in = p.fan_in or (shape[2] or outputs) * field, fan_out = outputs * field }
end

local function view(weights, segment)
  return weights:narrow(1, segment.offset, segment.size):reshape(segment.shape)
end

local function views_of(weights, segments)
  local views = {}
  for _, segment in ipairs(segments) do views[segment.path] = view(weights, segment) end
  return views
end

local function new(layer, segments, weights, seed)
  local self = { layer = layer, segments = segments, flat = weights, seed = seed,
    views = views_of(weights, segments) }
  return setmetatable(self, Model)
end

---Makes an instance. Each tensor is drawn from the stream (seed, "init/" .. path): adding a layer
---leaves the others' weights alone.
---@param layer swale.Layer
---@param o? { seed?: integer }   the run's seed, or 1
---@return swale.Model
function M.build(layer, o)
  if not layers.is_layer(layer) then
    errors.misuse("build: wants a layer, for instance nn.Sequential { … }, not %s",
      errors.shown(layer))
  end
  o = options.check("build", o, { seed = { "integer", create.default_seed() } })
  local segments = M.segments(layer)
  if #segments == 0 then errors.misuse("build: %s has no parameters", tostring(layer)) end
  local model = new(layer, segments, core.zeros { M.size(segments) }, o.seed)
  for _, segment in ipairs(segments) do
    initializers.fill(segment.parameter.init, model.views[segment.path],
      core.random(o.seed, "init/" .. segment.path), fan_of(segment))
  end
  return model
end

---@param value any
---@return boolean
function M.is_model(value) return getmetatable(value) == Model end

---An instance from either.
---@param where string
---@param value swale.Layer|swale.Model
---@param seed? integer
---@return swale.Model
function M.of(where, value, seed)
  if M.is_model(value) then return value end
  if layers.is_layer(value) then return M.build(value, { seed = seed }) end
  errors.misuse("%s: model must be a layer or an instance of one, not %s", where,
    errors.shown(value))
end

---Columns of path, shape and number of elements, and the total.
---@param layer swale.Layer|swale.Model
---@return string
function M.summary(layer)
  if M.is_model(layer) then layer = layer.layer end
  local segments = M.segments(layer)
  local width, lines = #"total", {}
  for _, s in ipairs(segments) do width = math.max(width, #s.path) end
  local row = "%-" .. width .. "s  %-14s  %9d"
  for i, s in ipairs(segments) do
    lines[i] = row:format(s.path, errors.shape_text(s.shape), s.size)
  end
  lines[#lines + 1] = row:format("total", "", M.size(segments))
  return table.concat(lines, "\n")
end

---@return string
function Model:summary() return M.summary(self.layer) end

function Model:__tostring()
  return ("%s with %d weights"):format(tostring(self.layer), M.size(self.segments))
end

---The flat weight vector itself, not a copy.
---@return swale.Tensor
function Model:weights() return self.flat end

---Views into the weights by path.
---@return table<string, swale.Tensor>
function Model:parameters()
  local copy = {}
  for path, t in pairs(self.views) do copy[path] = t end
  return copy
end

---The view of one parameter.
---@param path string
---@return swale.Tensor
function Model:parameter(path)
  return self.views[path] or errors.misuse('model: no parameter "%s"%s There are: %s.',
    tostring(path), errors.suggestion(path, self:state_paths()),
    table.concat(self:state_paths(), ", "))
end

---Paths in the order of the vector.
---@return string[]
function Model:state_paths()
  local paths = {}
  for i, segment in ipairs(self.segments) do paths[i] = segment.path end
  return paths
end

---The output for x, now, with these weights or others.
---@param x swale.Tensor          (B, …)
---@param weights? swale.Tensor   a flat vector
---@return swale.Tensor
function Model:forward(x, weights)
  local views = weights and views_of(weights, self.segments) or self.views
  return self.layer:call(x, M.bind(self.layer, function(path) return views[path] end))
end

---Copies of the parameters by path, as PyTorch's state_dict.
---@return table<string, swale.Tensor>
function Model:state_dict()
  local copy = {}
  for path, t in pairs(self.views) do copy[path] = t:clone() end
  return copy
end

local function check_state(self, tensors)
  for path in pairs(tensors) do self:parameter(path) end
  for _, s in ipairs(self.segments) do
    local t = tensors[s.path]
    if core.type(t) ~= "tensor" then
      errors.misuse('load_state_dict: "%s" is %s', s.path, t and "no tensor" or "missing")
    end
    local shape, wanted = errors.shape_text(t:shape()), errors.shape_text(s.shape)
    if shape ~= wanted then
      errors.misuse('load_state_dict: "%s" has shape %s, the model wants %s', s.path, shape, wanted)
    end
  end
end

---Takes weights by path: all of them, of the right shapes, or none.
---@param tensors table<string, swale.Tensor>
---@return swale.Model self
function Model:load_state_dict(tensors)
  options.value("load_state_dict", "tensors", tensors, "table")
  check_state(self, tensors)
  for path, t in pairs(tensors) do self.views[path]:copy(t:to("float32")) end
  return self
end

---The loss on a sample as a function of a weight vector, with its gradient:
---`local loss = model:loss_on(data.train:sample(1000))`, then loss(w), loss:gradient(w).
---@param sample swale.Split|swale.Batch
---@param loss? swale.LossFunction   loss.cross_entropy
---@return swale.LossOn
function Model:loss_on(sample, loss)
  return require("swale.compiled").loss_on(self, sample, loss)
end

---The same network with weights of its own.
---@return swale.Model
function Model:clone() return new(self.layer, self.segments, self.flat:clone(), self.seed) end

for name, method in pairs(require "swale.model_files") do Model[name] = method end

return M
