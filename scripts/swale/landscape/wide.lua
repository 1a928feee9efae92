--- Several weights at once for networks that begin with a convolution. Its input, the data, is the
--- same for all of them, so the convolutions of n weights are one with n times the outputs; layers
--- that keep channels apart follow it, and the rest of the network is computed for each. A first
--- convolution has few inputs and outputs, and takes most of an evaluation's time alone: of LeNet-5
--- two thirds. The results have the same bits.
local compile = require "swale.compile"
local core = require "swale.core"
local contexts = require "swale.nn.context"
local errors = require "swale.errors"
local ops = require "swale.ops"
local segments = require "swale.segments"

local M = {}

local MOST <const> = 8 -- weights at once

---@class swale.Wide
---@field count integer               weights at once
---@field places integer[][]          places[i][k]: of segment k of weights i, in the vector
---@field vector swale.Tensor
---@field program swale.Program
---@field names string[][]            of the outputs of each
local Wide = {}
Wide.__index = Wide

---Whether a scene's network can be computed for several weights at once.
---@param scene swale.Scene
---@return boolean
function M.fits(scene)
  local chain, each = scene.model.layer:chain(), scene.graph.each
  local _, buffers, shared = segments.of(scene.model.layer)
  return chain ~= nil and #buffers == 0 and #shared == 0 and each ~= nil
    and each:dependence() ~= "mixed" and chain[1].layer:widened(2) ~= nil
end

--- The parameters of the first layer come first, those of all weights side by side.
local function places_of(list, head, count)
  local places, at = {}, 1
  for i = 1, count do places[i] = {} end
  local function add(i, k)
    places[i][k], at = at, at + list[k].size
  end
  for k = 1, head do
    for i = 1, count do add(i, k) end
  end
  for i = 1, count do
    for k = head + 1, #list do add(i, k) end
  end
  return places, at - 1
end

--- The outputs for each weights.
local function outputs_of(self, layer, list, graph, x)
  local children, context = layer:chain(), contexts.new("eval", { fold = true })
  local p, head = {}, #children[1].layer:parameters()
  for k = 1, head do
    local shape = table.move(list[k].shape, 1, #list[k].shape, 1, {})
    shape[1] = shape[1] * self.count
    p[list[k].parameter.name] = graph:param(self.places[1][k], shape, 1)
  end
  x = children[1].layer:widened(self.count):call(x, p, context)
  local first, outputs = 2, {}
  while children[first] and children[first].layer:keeps_channels() do
    x = children[first].layer:call(x, {}, context)
    first = first + 1
  end
  local shape = x:shape()
  local channels = shape[#shape] // self.count
  for i = 1, self.count do
    local nodes = {}
    for k = head + 1, #list do
      nodes[list[k].path] = graph:param(self.places[i][k], list[k].shape, 1)
    end
    local bound = segments.bind(layer, function(path) return nodes[path] end)
    outputs[i] = ops.slice(x, -1, (i - 1) * channels + 1, channels)
    for n = first, #children do
      outputs[i] = children[n].layer:call(outputs[i], bound[n], context)
    end
  end
  return outputs
end

---@param scene swale.Scene    one that fits
---@param count integer        weights at once, at most
---@return swale.Wide
function M.of(scene, count)
  local layer = scene.model.layer
  local list = segments.of(layer)
  local self = setmetatable({ count = count, list = list, names = {} }, Wide)
  local size
  self.places, size = places_of(list, #layer:chain()[1].layer:parameters(), count)
  self.vector = core.zeros({ size }, scene.dtype)
  local graphs = compile.outputs(layer, scene.graph.loss_function, scene.example,
    function(graph, x) return outputs_of(self, layer, list, graph, x) end)
  local outputs = {}
  for i, one in ipairs(graphs) do
    local nodes, names = one:sums()
    self.names[i] = names
    table.move(nodes, 1, #nodes, #outputs + 1, outputs)
  end
  self.program = core.program(graphs[1].graph, outputs, { dtype = scene.dtype })
  return self
end

---Loss and accuracy of weights on a source.
---@param weights swale.Tensor[]    at most count
---@param source swale.Source
---@param batch integer
---@return { loss: number, accuracy: number|nil }[]
function Wide:evaluate(weights, source, batch)
  for i = 1, self.count do
    local w = weights[i] or weights[1]
    for k, s in ipairs(self.list) do
      self.vector:narrow(1, self.places[i][k], s.size):copy(w:narrow(1, s.offset, s.size))
    end
  end
  local sums, message, code = core.evaluate(self.program, self.vector, source, batch)
  if code == "EINTERRUPTED" then error(core.INTERRUPTED, 0) end
  errors.check(sums, message, code)
  local found, at = {}, 0
  for i = 1, #weights do
    local named = {}
    for k, name in ipairs(self.names[i]) do named[name] = sums[at + k] end
    at = at + #self.names[i]
    found[i] = { loss = named.loss / #source,
      accuracy = named.hit and named.hit / (named.counted or #source) }
  end
  return found
end

M.MOST = MOST

return M
