--- Compiles a network and a loss to programs. One graph has the loss, its gradient with respect to
--- every parameter, the new values of buffers, the per-example gradient norms, and the outputs of
--- evaluation. A network with modes is compiled once for each.
local contexts = require "swale.nn.context"
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local loss_facts = require "swale.loss_facts"
local ops = require "swale.ops"
local segments = require "swale.segments"
local tree = require "swale.nn.tree"

local M = {}

---@class swale.CompiledGraph
---@field graph swale.Graph
---@field mode "train"|"eval"|"batch"
---@field loss_function swale.LossFunction
---@field segments swale.Segment[]
---@field buffer_segments swale.Segment[]
---@field ties swale.Tie[]         further places of shared parameters
---@field layer swale.Layer
---@field x swale.Node              examples, in the shape that the layer takes
---@field y swale.Node
---@field parameters swale.Node[]   one for each segment
---@field bound table               the nodes of parameters and buffers, as forward takes them
---@field context swale.Context
---@field state { node: swale.Node, offset: integer }[]   new values of buffers
---@field output swale.Node         of the network
---@field loss swale.Node           a scalar, the mean over the batch
---@field each swale.Node|nil       (B) losses; nil if the loss returns a scalar, or weights
---@field ratio { value: swale.Node, weight: swale.Node }|nil   (B) each, of a loss with weights
---@field hit swale.Node|nil        (B) 1 where the largest output is the label; nil without labels
---@field counted swale.Node|nil    (B) labels that count, if some do not: then hit is a sum
---@field grads (swale.Node|false)[]
local Graph = {}
Graph.__index = Graph

---@class swale.Example             the form of an example
---@field features integer[]        shape of x without the batch, as the layer takes it
---@field rows? integer[]           its shape in the data, if another: flat
---@field index? boolean            x are class indices, as of a text
---@field labels boolean            y are class labels
---@field target? integer[]         shape of y without the batch; nil: one label

local function batched(shape)
  local sizes = { "batch" }
  for i, size in ipairs(shape) do sizes[i + 1] = size end
  return sizes
end

local function target_input(graph, example)
  return graph:input(2, example.labels and "index" or "real", batched(example.target or {}))
end

--- The loss of values and weights, one of each for an example: the ratio of their sums.
local function take_ratio(self, value, weight)
  for _, node in ipairs { value, weight } do
    local shape = node:shape()
    if #shape ~= 1 or shape[1] ~= "batch" then
      errors.misuse("loss: with weights, must be a value and a weight for each example, not %s",
        errors.shape_text(shape))
    end
  end
  self.ratio = { value = value, weight = weight }
  self.loss = ops.sum(value) / ops.sum(weight)
end

local function take_loss(self, value, weight)
  if core.type(value) ~= "node" then
    errors.misuse("loss: the loss function returned %s; it must return what it computes from output"
      .. " and target", errors.shown(value))
  end
  if core.type(weight) == "node" then return take_ratio(self, value, weight) end
  local shape = value:shape()
  if #shape == 0 then
    self.loss = value
  elseif #shape == 1 and shape[1] == "batch" then
    self.each, self.loss = value, ops.mean(value)
  else
    errors.misuse("loss: must be one value for each example, (batch), or their mean, (), not %s",
      errors.shape_text(shape))
  end
end

--- The usual remedy where a loss and the data do not match.
local function remedy(self, loss, example)
  local of_loss = loss_facts.of(loss).remedy
  local text = of_loss and of_loss(example.labels, self.output:ndim() - self.y:ndim())
  return text and "\n  " .. text or ""
end

local function loss_name(loss)
  local name = loss_facts.of(loss).name
  return name and "loss." .. name or "the loss"
end

--- Adds the loss; messages of errors give the shapes of its operands.
local function add_loss(self, loss, example)
  local before = self.output:label(loss_name(loss))
  local ok, message = pcall(function() take_loss(self, loss(self.output, self.y)) end)
  self.output:label(before)
  if ok then return end
  if type(message) ~= "string" then error(message, 0) end
  error(("%s\n  in %s of output %s and %s %s%s"):format(message, loss_name(loss),
    errors.shape_text(self.output:shape()), example.labels and "labels" or "target",
    errors.shape_text(self.y:shape()), remedy(self, loss, example)), 0)
end

local function features_text(shape)
  return #shape == 1 and ("%d features"):format(shape[1]) or errors.shape_text(shape)
end

--- The remedy for images of another size than a network of the zoo is made for.
local function made_for(layer, features)
  local input = layer.made_for and errors.shape_text(layer.made_for)
  if not input or #features ~= 3 or input == errors.shape_text(features) then return "" end
  return ("; the network is made for %s: its option input = { %s } makes it for these"):format(
    input, table.concat(features, ", "))
end

--- Adds the network; messages of errors give the shape of the data's examples.
local function add_output(self, example)
  local ok, output = pcall(self.layer.call, self.layer, self.x, self.bound, self.context)
  if ok then
    self.output = output
  elseif type(output) == "string" then
    error(("%s\n  an example of the data has %s%s"):format(output,
      features_text(example.features), made_for(self.layer, example.features)), 0)
  else
    error(output, 0)
  end
end

--- The predicted classes, in the labels' shape, and the largest output for each label; nil if the
--- outputs are not of classes. Outputs are (B, …, classes), or one row for each label; one logit
--- predicts by its sign.
local function best_of(self, facts)
  local output, shape = self.output, self.y:shape()
  local sizes, labels = output:shape(), self.y:ndim()
  local one = #sizes == labels + 1 and sizes[#sizes] == 1
  if facts.one_output and (one or #sizes == labels) or one and not facts.name then
    return ops.reshape(ops.gt(output, 0), shape), ops.reshape(output, shape)
  elseif #sizes == labels + 1 or #sizes == 2 and labels > 1 then
    return ops.reshape(ops.cast(ops.argmax(output)), shape),
      ops.reshape(ops.max(output, -1), shape)
  end
end

--- Adds hits: of an example with several labels, the mean over them; sums, if some do not count.
local function take_hits(self, example, facts)
  if not example.labels then return end
  local best, largest = best_of(self, facts)
  if not best then return end
  local is_number = ops.eq(largest, largest) -- a row with a NaN is not a hit
  local hit, axes = ops.eq(best, ops.cast(self.y)) * is_number, {}
  for axis = 2, self.y:ndim() do axes[axis - 1] = axis end
  local several = #axes > 0
  if not facts.ignore_index then
    self.hit = several and ops.mean(hit, axes) or hit
    return
  end
  local counted = ops.ne(ops.cast(self.y), facts.ignore_index)
  hit = hit * counted
  self.hit = several and ops.sum(hit, axes) or hit
  self.counted = several and ops.sum(counted, axes) or counted
end

--- Collects the new values that layers set: each buffer once, in its shape.
local function collector(self, by_path)
  local segment_of, seen = {}, {}
  for _, s in ipairs(self.buffer_segments) do segment_of[by_path[s.path]] = s end
  return function(buffer, node)
    local s = segment_of[buffer]
    if not s then errors.misuse "context:set: the first argument is not a buffer of a layer" end
    if seen[s] then errors.misuse('context:set: "%s" is set twice', s.path) end
    local shape, wanted = errors.shape_text(node:shape()), errors.shape_text(s.shape)
    if shape ~= wanted then
      errors.misuse('context:set: "%s" has shape %s, its new value %s', s.path, wanted, shape)
    end
    seen[s] = true
    self.state[#self.state + 1] = { node = node, offset = s.offset }
  end
end

--- The context of a mode. In "batch" layers with running statistics use those of the batch, and
--- change none; the others are as in evaluation.
local function context_of(mode, on_set, fold)
  if mode ~= "batch" then return contexts.new(mode, { on_set = on_set, fold = fold }) end
  local inside = contexts.new "train"
  return contexts.new("eval", { of_buffers = function() return inside end })
end

---Builds the graph.
---@param layer swale.Layer
---@param loss swale.LossFunction
---@param example swale.Example
---@param mode? "train"|"eval"|"batch"   "train": batch statistics, dropout, new values of buffers;
---"batch": batch statistics alone
---@param fold? boolean             of "eval": for evaluation programs, not for derivatives
---@return swale.CompiledGraph
function M.graph(layer, loss, example, mode, fold)
  local graph = core.graph()
  local self = setmetatable({ graph = graph, layer = layer, mode = mode or "train", state = {},
    loss_function = loss }, Graph)
  self.segments, self.buffer_segments, self.ties = segments.of(layer)
  local bound, nodes = segments.nodes(graph, layer)
  self.bound, self.parameters = bound, {}
  for i, s in ipairs(self.segments) do self.parameters[i] = nodes[s.path] end
  self.context = context_of(self.mode, collector(self, nodes), fold)
  self.x, self.y = entry.input(graph, example), target_input(graph, example)
  add_output(self, example)
  add_loss(self, loss, example)
  self.loss_facts = loss_facts.of(loss)
  take_hits(self, example, self.loss_facts)
  self.grads = errors.possible(graph:gradient(self.loss, self.parameters))
  return self
end

---Losses and hits of several outputs of the same examples, for evaluation.
---@param layer swale.Layer            for messages
---@param loss swale.LossFunction
---@param example swale.Example
---@param outputs_of fun(graph: swale.Graph, x: swale.Node): swale.Node[]
---@return swale.CompiledGraph[]   with output, loss, each, hit; of one graph
function M.outputs(layer, loss, example, outputs_of)
  local graph, list = core.graph(), {}
  local x, y = entry.input(graph, example), target_input(graph, example)
  for i, output in ipairs(outputs_of(graph, x)) do
    local self = setmetatable({ graph = graph, layer = layer, mode = "eval", x = x, y = y,
      output = output, loss_facts = loss_facts.of(loss) }, Graph)
    add_loss(self, loss, example)
    take_hits(self, example, self.loss_facts)
    list[i] = self
  end
  return list
end

--- A program of the given outputs, the gradients, each at its offset in the vector, and the new
--- values of buffers at theirs.
local function with_gradients(self, outputs, dtype, state)
  local offsets, vectors = {}, {}
  for i = 1, #outputs do offsets[i] = false end
  local function add(node, offset)
    outputs[#outputs + 1] = node
    offsets[#outputs] = offset
  end
  for i, grad in ipairs(self.grads) do
    if grad then add(grad, self.segments[i].offset) end
  end
  for _, new in ipairs(state) do
    add(new.node, new.offset)
    vectors[#outputs] = 2
  end
  local o = { dtype = dtype, offsets = offsets, vectors = next(vectors) and vectors }
  return core.program(self.graph, outputs, o)
end

---Loss, gradients into the output vector, and new values of buffers.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:train(dtype) return with_gradients(self, { self.loss }, dtype, self.state) end

---Loss and gradients alone.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:pure(dtype) return self:beside_gradients({ self.loss }, dtype) end

local COUPLED = [[

  A batch norm in training mode makes each example depend on the others that it is normalised with.
  nn.GroupNorm and nn.LayerNorm keep examples apart, and let the training measure it.
  So does evaluation mode, with running statistics, for a look from outside:
    sw.compile(loss, model, { mode = "eval" }):example_norms(w, batch)
  Ghost batches (nn.GhostBatchNorm) are independent; noise_scale takes them as its unit:
    measure = { noise_scale = { every = { steps = 20 }, by = "ghosts" } }]]

--- segment: of the parameter at fault, if there is one.
local function refuse_norms(self, asks, why, segment)
  if self.ratio then
    errors.misuse("%s needs per-example gradient norms, but there are none%s", asks,
      self.loss_facts.coupled or ": the loss divides by a sum over the batch")
  end
  local coupled = self.mode == "train"
    and tree.find(self.layer, function(layer) return layer:couples() end)
  errors.misuse("%s needs per-example gradient norms, but there are none%s: %s%s", asks,
    segment and (' of "%s"'):format(segment.path) or "", why, coupled and COUPLED or "")
end

local function refuse_tied(asks, tie)
  errors.misuse('%s needs per-example gradient norms, but there are none: "%s" is used again as'
    .. ' "%s" (nn.shared), and the norm of the sum of its gradients does not follow from those of'
    .. " the places; layer:copy() has weights of its own", asks, tie.first, tie.path)
end

---Leaves parameters out of the norms of per-example gradients: those that a training does not move.
---@param ranges swale.LoopSegment[]   one for each parameter
function Graph:freeze(ranges)
  self.frozen = {}
  for i, s in ipairs(ranges) do self.frozen[i] = s.frozen end
end

--- The gradients of parameters that are not frozen.
local function moving(self)
  local grads = {}
  for i, grad in ipairs(self.grads) do
    grads[i] = not (self.frozen and self.frozen[i]) and grad
  end
  return grads
end

---The squared norms of the per-example gradients, (B). Raises, naming the parameter, if they cannot
---be computed.
---@param asks string     who needs them, for the message: "measure: noise_scale"
---@return swale.Node
function Graph:norms(asks)
  if self.norm_node then return self.norm_node end
  if self.ties[1] then refuse_tied(asks, self.ties[1]) end
  local node, why, _, culprit = self.graph:example_norms(moving(self))
  if not node then refuse_norms(self, asks, why, self.segments[culprit or 0]) end
  self.norm_node = node
  return node
end

---Loss, norms, gradients into the output vector, and new values of buffers.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:measured(dtype)
  return with_gradients(self, { self.loss, self:norms "a measured step" }, dtype, self.state)
end

---The squared norms of the per-example gradients of each parameter, (B); nil where the loss does
---not depend on it. Raises as norms does.
---@param asks string
---@return table<integer, swale.Node>    by the parameter's place
function Graph:norms_of_each(asks)
  if self.each_norm then return self.each_norm end
  self:norms(asks)
  self.each_norm = {}
  for i, grad in ipairs(self.grads) do
    if grad then self.each_norm[i] = errors.possible(self.graph:example_norms { grad }) end
  end
  return self.each_norm
end

---Some outputs, then the gradients into the output vector.
---@param outputs swale.Node[]
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:beside_gradients(outputs, dtype)
  return with_gradients(self, table.move(outputs, 1, #outputs, 1, {}), dtype, {})
end

---Whether the examples of a batch depend on each other.
---@return boolean
function Graph:is_coupled()
  return self.ratio ~= nil or (self.each or self.output):dependence() == "mixed"
end

---The losses of the examples, and their hits if there are labels; or the mean loss, if the loss
---function returns only that.
---@param dtype? "float32"|"float64"
---@return swale.Program program
---@return string[] names       of its outputs: "loss" "weight" "hit" "counted"
function Graph:evaluation(dtype)
  local outputs, names = self:sums()
  return core.program(self.graph, outputs, { dtype = dtype }), names
end

---The outputs of an evaluation, of which sums are taken.
---@return swale.Node[] outputs
---@return string[] names       "loss" "weight" "hit" "counted"
function Graph:sums()
  local outputs, names = {}, {}
  local function add(name, node)
    if node then names[#names + 1], outputs[#outputs + 1] = name, node end
  end
  add("loss", self.ratio and self.ratio.value or self.each or self.loss)
  add("weight", self.ratio and self.ratio.weight)
  add("hit", self.hit)
  add("counted", self.counted)
  return outputs, names
end

return M
