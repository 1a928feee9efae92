--- From a network and a loss to programs. One graph holds the loss, its gradient with respect
--- to every parameter, the per-example gradient norms, and what evaluation wants.
local core = require "swale.core"
local errors = require "swale.errors"
local models = require "swale.model"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@class swale.CompiledGraph
---@field graph swale.Graph
---@field segments swale.Segment[]
---@field output swale.Node         of the network
---@field loss swale.Node           a scalar, the mean over the batch
---@field each swale.Node|nil       (B) losses; nil if the loss function gave a scalar
---@field hit swale.Node|nil        (B) 1 where the largest output is the label; nil without labels
---@field grads (swale.Node|false)[]
local Graph = {}
Graph.__index = Graph

---@class swale.Example             what an example looks like
---@field features integer[]        shape of x without the batch
---@field labels boolean            y is a class label
---@field target integer[]          else: shape of y without the batch

local function batched(shape)
  local sizes = { "batch" }
  for i, size in ipairs(shape) do sizes[i + 1] = size end
  return sizes
end

local function target_input(graph, example)
  if example.labels then return graph:input(2, "index", { "batch" }) end
  return graph:input(2, "real", batched(example.target))
end

local function take_loss(self, value)
  if core.type(value) ~= "node" then
    errors.misuse("loss: the loss function gave %s; it has to return what it computed from output"
      .. " and target", tostring(value))
  end
  local shape = value:shape()
  if #shape == 0 then
    self.loss = value
  elseif #shape == 1 and shape[1] == "batch" then
    self.each, self.loss = value, ops.mean(value)
  else
    errors.misuse("loss: one value an example or their mean, not %s", errors.shape_text(shape))
  end
end

--- The loss, with its operands' shapes in what goes wrong.
local function add_loss(self, loss, example, target)
  local ok, message = pcall(function() take_loss(self, loss(self.output, target)) end)
  if ok then return end
  if type(message) ~= "string" then error(message, 0) end
  error(("%s\n  in the loss of output %s and %s %s"):format(message,
    errors.shape_text(self.output:shape()), example.labels and "labels" or "target",
    errors.shape_text(target:shape())), 0)
end

local function take_hits(self, example, target)
  if not example.labels or self.output:ndim() ~= 2 then return end
  self.hit = ops.eq(ops.cast(ops.argmax(self.output)), ops.cast(target))
end

---Builds the graph.
---@param layer swale.Layer
---@param loss swale.LossFunction
---@param example swale.Example
---@return swale.CompiledGraph
function M.graph(layer, loss, example)
  local graph = core.graph()
  local self = setmetatable({ graph = graph, segments = models.segments(layer) }, Graph)
  local nodes, list = {}, {}
  for i, s in ipairs(self.segments) do
    list[i] = graph:param(s.offset, s.shape)
    nodes[s.path] = list[i]
  end
  local x, y = graph:input(1, "real", batched(example.features)), target_input(graph, example)
  self.output = layer:call(x, models.bind(layer, function(path) return nodes[path] end))
  add_loss(self, loss, example, y)
  take_hits(self, example, y)
  self.grads = graph:gradient(self.loss, list)
  return self
end

--- Outputs: what is given, then the gradients that there are, each at its place in the vector.
local function with_gradients(self, outputs, dtype)
  local offsets = {}
  for i = 1, #outputs do offsets[i] = false end
  for i, grad in ipairs(self.grads) do
    if grad then
      outputs[#outputs + 1] = grad
      offsets[#outputs] = self.segments[i].offset
    end
  end
  return core.program(self.graph, outputs, { dtype = dtype, offsets = offsets })
end

---Loss, and gradients into the output vector.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:train(dtype) return with_gradients(self, { self.loss }, dtype) end

--- The core knows parameters by their number, a user by their path.
local function refuse_norms(segment, why)
  if segment then
    why = why:gsub("^per%-example gradient norms: ", "")
      :gsub("the gradient of parameter %d+", ('the gradient of "%s"'):format(segment.path))
    if not why:find(segment.path, 1, true) then why = segment.path .. ": " .. why end
  end
  errors.misuse("measure: noise_scale needs per-example gradient norms, but there are none: %s",
    why)
end

---The (B) squared norms of the examples' own gradients; raises, naming the parameter, if there
---is no way to them.
---@return swale.Node
function Graph:norms()
  if self.norm_node then return self.norm_node end
  local node, why, _, culprit = self.graph:example_norms(self.grads)
  if not node then refuse_norms(self.segments[culprit or 0], tostring(why)) end
  self.norm_node = node
  return node
end

---Loss, norms, and gradients into the output vector.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:measured(dtype) return with_gradients(self, { self.loss, self:norms() }, dtype) end

---The examples' losses, and their hits where there are labels; or the mean loss of a loss function
---that gives only that.
---@param dtype? "float32"|"float64"
---@return swale.Program
function Graph:evaluation(dtype)
  local outputs = self.each and { self.each, self.hit } or { self.loss, self.hit }
  return core.program(self.graph, outputs, { dtype = dtype })
end

-- ------------------------------------------------------------------ functions of weights

---@class swale.Compiled
---@field model swale.Model|nil
---@field loss swale.LossFunction
local Compiled = { __name = "swale.Compiled" }
Compiled.__index = Compiled

---The loss as a function of a weight vector and a batch { x =, y = }:
---    local f = sw.compile(sw.loss.cross_entropy, model)
---    local value, gradient = f:value_and_gradient(w, batch)
---@param loss swale.LossFunction
---@param model swale.Model|swale.Layer
---@return swale.Compiled
function M.compile(loss, model)
  options.value("compile", "loss", loss, "function")
  model = models.of("compile", model)
  return setmetatable({ loss = loss, layer = model.layer, model = model, programs = {} }, Compiled)
end

local function rest(shape)
  return table.move(shape, 2, #shape, 1, {})
end

local function check_batch(where, batch)
  if type(batch) ~= "table" or core.type(batch.x) ~= "tensor" or core.type(batch.y) ~= "tensor" then
    errors.misuse("%s: a batch is { x = tensor, y = tensor }, as data.train:batches gives", where)
  end
  return batch
end

local function real(t, dtype) return t:dtype() == dtype and t or t:to(dtype) end

--- One program a type and shape of batch, made when it is met first.
local function program_for(self, batch, dtype)
  local features = rest(batch.x:shape())
  local labels = batch.y:dtype() == "int32" or batch.y:dtype() == "uint8"
  local target = not labels and rest(batch.y:shape()) or {}
  local key = table.concat({ dtype, table.concat(features, "x"), tostring(labels),
    table.concat(target, "x") }, " ")
  if not self.programs[key] then
    local graph = M.graph(self.layer, self.loss,
      { features = features, labels = labels, target = target })
    self.programs[key] = graph:train(dtype)
  end
  return self.programs[key], labels
end

---Loss and gradient at w.
---@param w swale.Tensor             flat, float32 or float64: the program computes in that
---@param batch swale.Batch
---@return number value
---@return swale.Tensor gradient     flat
function Compiled:value_and_gradient(w, batch)
  options.value("value_and_gradient", "w", w, "tensor")
  check_batch("value_and_gradient", batch)
  local dtype = w:dtype()
  local program, labels = program_for(self, batch, dtype)
  local gradient = core.zeros({ w:numel() }, dtype)
  local y = labels and real(batch.y, "int32") or real(batch.y, dtype)
  local value = errors.check(program:run {
    inputs = { real(batch.x, dtype), y }, vectors = { w }, batch = #batch.x, out = gradient,
  })
  self.last_batch = batch
  return value:item(), gradient
end

---Loss at w.
---@param w swale.Tensor
---@param batch swale.Batch
---@return number
function Compiled:value(w, batch) return (self:value_and_gradient(w, batch)) end

local function directional_error(self, w, batch, direction, step)
  local _, gradient = self:value_and_gradient(w, batch)
  local ahead = self:value(w:clone():add(step, direction), batch)
  local behind = self:value(w:clone():add(-step, direction), batch)
  local slope, exact = (ahead - behind) / (2 * step), gradient:dot(direction)
  return math.abs(slope - exact) / math.max(math.abs(slope) + math.abs(exact), 1e-8)
end

---Compares the gradient with central differences in double, along a random direction for each
---parameter: |difference - gradient| / (|difference| + |gradient|). 1e-6 is good; a kink of relu
---within the step shows as more.
---@param f swale.Compiled
---@param batch? swale.Batch         the last one that f saw
---@param o? { step?: number, seed?: integer }
---@return number worst
---@return table<string, number> errors   by parameter
function M.check_gradient(f, batch, o)
  options.value("check_gradient", "f", f, "Compiled")
  o = options.check("check_gradient", o, { step = { "positive", 1e-5 }, seed = { "integer", 1 } })
  batch = check_batch("check_gradient", batch or f.last_batch)
  local w, worst, by_path = f.model:weights():to("float64"), 0, {}
  for _, s in ipairs(f.model.segments) do
    local direction = core.zeros({ w:numel() }, "float64")
    local part = direction:narrow(1, s.offset, s.size)
    core.random(o.seed, "measure/" .. s.path):fill_normal(part, 0, 1)
    part:scale(1 / part:norm())
    by_path[s.path] = directional_error(f, w, batch, direction, o.step)
    worst = math.max(worst, by_path[s.path])
  end
  return worst, by_path
end

return M
