--- Instances of a network: a layer and one flat vector of weights; parameters are views of it. A
--- second vector, of buffers, has the running statistics.
local class = require "swale.class"
local core = require "swale.core"
local create = require "swale.create"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layers = require "swale.nn.layer"
local options = require "swale.options"
local segments = require "swale.segments"

local M = {}

---@class swale.Model
---@field layer swale.Layer
---@field segments swale.Segment[]
---@field buffer_segments swale.Segment[]
---@field seed integer
---@field loss swale.LossFunction|nil    of the Trainer that it was given to
---@field save function      see swale.model_files, as for the next one
---@field load function
---@field predict function   see swale.predict
---@field state_dict function        see swale.model_state, as for the next one
---@field load_state_dict function
local Model = class.new("model", { fields = { "layer", "segments", "buffer_segments", "seed",
  "loss" } })
M.Model = Model

local function fan_of(segment)
  local shape, p = segment.shape, segment.parameter
  local outputs = shape[1] or 1
  local field = #shape >= 2 and segment.size // (outputs * shape[2]) or 1
  return { fan_in = p.fan_in or (shape[2] or outputs) * field,
    fan_out = p.fan_out or outputs * field }
end

--- buffers: nil where there are none.
local function new(layer, flat, buffers, seed)
  local list, kept = segments.of(layer)
  return setmetatable({ layer = layer, segments = list, buffer_segments = kept, flat = flat,
    kept = buffers, seed = seed, views = segments.views(flat, list),
    buffer_views = segments.views(buffers, kept) }, Model)
end

local function fill(list, views, seed)
  for _, s in ipairs(list) do
    initializers.fill(s.parameter.init, views[s.path], core.random(seed, "init/" .. s.path),
      fan_of(s))
  end
end

---Makes an instance. Each tensor is drawn from the stream (seed, "init/" .. path): adding a layer
---does not change the weights of the others.
---@param layer swale.Layer
---@param o? { seed?: integer }   the run's seed, or 1
---@return swale.Model
function M.build(layer, o)
  if not layers.is_layer(layer) then
    errors.misuse("build: takes a layer, for instance nn.Sequential { … }, not %s",
      errors.shown(layer))
  end
  o = options.check("build", o, { seed = { "integer", create.default_seed() } })
  local list, kept = segments.of(layer)
  if #list == 0 then errors.misuse("build: %s has no parameters", tostring(layer)) end
  local buffers = #kept > 0 and core.zeros { segments.size(kept) } or nil
  local model = new(layer, core.zeros { segments.size(list) }, buffers, o.seed)
  fill(list, model.views, o.seed)
  fill(kept, model.buffer_views, o.seed)
  return model
end

---@param value any
---@return boolean
function M.is_model(value) return getmetatable(value) == Model end

---An instance: the value itself, or one that is built from a layer.
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

local function widest(width, list)
  for _, s in ipairs(list) do width = math.max(width, #s.path) end
  return width
end

---A table of paths, shapes and numbers of elements, with the total; buffers follow it.
---@param layer swale.Layer|swale.Model
---@return string
function M.summary(layer)
  if M.is_model(layer) then layer = layer.layer end
  local list, kept = segments.of(layer)
  local lines, row = {}, "%-" .. widest(widest(#"total", list), kept) .. "s  %-14s  %9d"
  local function add(part)
    for _, s in ipairs(part) do
      lines[#lines + 1] = row:format(s.path, errors.shape_text(s.shape), s.size)
    end
  end
  add(list)
  lines[#lines + 1] = row:format("total", "", segments.size(list))
  if #kept > 0 then lines[#lines + 1] = "buffers" end
  add(kept)
  return table.concat(lines, "\n")
end

---@return string
function Model:summary() return M.summary(self.layer) end

function Model:__tostring()
  return ("%s with %d weights"):format(tostring(self.layer), segments.size(self.segments))
end

---The flat weight vector itself, not a copy.
---@return swale.Tensor
function Model:weights() return self.flat end

---The flat vector of buffers itself, not a copy; nil where the layers keep none.
---@return swale.Tensor|nil
function Model:buffers() return self.kept end

---Views into the weights by path.
---@return table<string, swale.Tensor>
function Model:parameters()
  local copy = {}
  for path, t in pairs(self.views) do copy[path] = t end
  return copy
end

local function view_of(views, what, path)
  return views[path] or errors.misuse("model: no %s %s%s There are: %s.", what, errors.shown(path),
    errors.suggestion(path, views), table.concat(errors.sorted(views), ", "))
end

---The view of one parameter.
---@param path string
---@return swale.Tensor
function Model:parameter(path) return view_of(self.views, "parameter", path) end

---The view of one buffer.
---@param path string             "1.running_mean"
---@return swale.Tensor
function Model:buffer(path) return view_of(self.buffer_views, "buffer", path) end

---Paths of the parameters in the order of their vector.
---@return string[]
function Model:state_paths()
  local paths = {}
  for i, segment in ipairs(self.segments) do paths[i] = segment.path end
  return paths
end

---Views as a layer's forward takes them: parameters and buffers by name, of children by position.
---@return table
function Model:named()
  return segments.bind(self.layer, function(path)
    return self.views[path] or self.buffer_views[path]
  end)
end

--- A vector that the caller gives, if any, must be as long as the model's.
local function check_vector(where, name, vector, list)
  options.value(where, name, vector, "tensor?")
  local n = segments.size(list)
  if vector and (vector:ndim() ~= 1 or vector:numel() ~= n) then
    errors.misuse("%s: %s must be a flat vector of %d elements, got shape %s", where, name, n,
      errors.shape_text(vector:shape()))
  end
end

---The output for x in mode "eval" (running statistics, no dropout), with the model's weights and
---buffers or others.
---@param x swale.Tensor          (B, …)
---@param weights? swale.Tensor   a flat vector
---@param buffers? swale.Tensor   likewise
---@return swale.Tensor
function Model:forward(x, weights, buffers)
  options.value("model:forward", "x", x, "tensor")
  check_vector("model:forward", "weights", weights, self.segments)
  check_vector("model:forward", "buffers", buffers, self.buffer_segments)
  local views = weights and segments.views(weights, self.segments) or self.views
  local kept = buffers and segments.views(buffers, self.buffer_segments) or self.buffer_views
  local p = segments.bind(self.layer, function(path) return views[path] or kept[path] end)
  return self.layer:call(x, p)
end

---The loss on a sample as a function of a weight vector, with its gradient:
---`local loss = model:loss_on(data.train:sample(1000))`, then loss(w), loss:gradient(w).
---@param sample swale.Split|swale.Batch
---@param loss? swale.LossFunction   that of its training, else loss.cross_entropy
---@param o? { mode?: "train"|"eval" }   "eval": running statistics, no dropout
---@return swale.LossOn
function Model:loss_on(sample, loss, o)
  return require("swale.compiled").loss_on(self, sample, loss, o)
end

---Computes the running statistics of batch norms from data, for the model's weights or others.
---Returns a new flat vector of buffers. See swale.reestimate.
---@param split swale.Split
---@param o? swale.ReestimateOptions
---@return swale.Tensor
function Model:reestimate(split, o)
  return require("swale.reestimate").reestimate(self, split, o)
end

---The same network with weights and buffers of its own.
---@return swale.Model
function Model:clone()
  local copy = new(self.layer, self.flat:clone(), self.kept and self.kept:clone(), self.seed)
  copy.loss = self.loss
  return copy
end

for _, part in ipairs { "swale.model_files", "swale.model_state", "swale.predict" } do
  for name, method in pairs(require(part)) do Model[name] = method end
end

return M
