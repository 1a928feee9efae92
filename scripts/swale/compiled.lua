--- The loss of a network as a function of its weights, for training loops of your own.
local class = require "swale.class"
local compile = require "swale.compile"
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local losses = require "swale.loss"
local models = require "swale.model"
local options = require "swale.options"
local second = require "swale.second"

local M = {}

---@class swale.Compiled
---@field model swale.Model|nil
---@field loss swale.LossFunction
---@field hvp function               (w, batch, v): see swale.second, as for the next seven
---@field gauss_newton function
---@field jvp function
---@field along function
---@field curvature_gradient function
---@field squared_gradient_norm function   (w, batch)
---@field example_norms function     (w, batch)
---@field linearize function         (w, batch, o)
---@field full_hessian function      (w, batch, o)
local Compiled = class.new("compiled", { fields = { "model", "loss" } })

---@class swale.CompileOptions
---@field mode? "train"|"eval"        "train": batch statistics, dropout, as PyTorch's
---@field update_buffers? boolean     each call sets the model's running statistics as training,
---if loss, gradient and statistics are finite
---@field buffers? swale.Tensor       running statistics, flat; the model's
---@field seed? integer               of dropout; 1

local COMPILE = { mode = { choice = { "train", "eval" }, "train" }, seed = { "integer", 1 },
  update_buffers = { "boolean", false }, buffers = "tensor?" }

local function check_buffers(o, own)
  local wanted = own and own:numel() or 0
  if o.update_buffers then
    errors.misuse "compile: update_buffers sets the model's own buffers: leave one of the two out"
  elseif o.buffers:numel() ~= wanted then
    errors.misuse("compile: buffers has %d elements, the model has %d", o.buffers:numel(), wanted)
  end
end

local shared = setmetatable({}, { __mode = "k" }) -- graphs, by model, loss and kind

--- Graphs of a model, kept as long as it lives: compiling the same loss again takes no time.
local function graphs_of(model, loss, kind)
  shared[model] = shared[model] or setmetatable({}, { __mode = "k" })
  local of_loss = shared[model]
  of_loss[loss] = of_loss[loss] or {}
  of_loss[loss][kind] = of_loss[loss][kind] or {}
  return of_loss[loss][kind]
end

---The loss as a function of a weight vector and a batch { x =, y = }:
---    local f = sw.compile(sw.loss.cross_entropy, model)
---    local value, gradient = f:value_and_gradient(w, batch)
---In mode "eval" batch norms use the model's running statistics.
---Dropout follows from seed, batch.step and batch.position (0 where the batch has none): the same
---batch always gives the same value, so that differences and second derivatives are those of one
---function. Another `step` in the batch gives another mask.
---@param loss swale.LossFunction
---@param model swale.Model|swale.Layer
---@param o? swale.CompileOptions
---@return swale.Compiled
function M.compile(loss, model, o)
  options.value("compile", "loss", loss, "function")
  o, model = options.check("compile", o, COMPILE), models.of("compile", model)
  if o.update_buffers and o.mode == "eval" then
    errors.misuse 'compile: update_buffers needs mode = "train"'
  elseif o.buffers then
    check_buffers(o, model:buffers())
  end
  local updating = o.update_buffers and model:buffers() ~= nil
  local graphs = graphs_of(model, loss, updating and "updating" or o.mode)
  return setmetatable({ loss = loss, layer = model.layer, model = model, graphs = graphs,
    mode = o.mode, seed = o.seed, updating = updating, buffers = o.buffers or model:buffers() },
    Compiled)
end

local function rest(shape)
  return table.move(shape, 2, #shape, 1, {})
end

local function check_batch(where, batch)
  if type(batch) ~= "table" or core.type(batch.x) ~= "tensor" or core.type(batch.y) ~= "tensor" then
    errors.misuse("%s: a batch is { x = tensor, y = tensor }, as data.train:batches returns", where)
  end
  return batch
end

--- Converts indices to int32, numbers to the program's type.
local function as_input(t, index, dtype)
  dtype = index and "int32" or dtype
  return t:dtype() == dtype and t or t:to(dtype)
end

--- The shape of an example, as the layer takes it and as in the batch, where images may be flat.
local function features_of(self, batch)
  local rows = rest(batch.x:shape())
  return entry.features(self.layer, rows, batch.shape), rows
end

--- One graph for each shape of batches, made on first use.
local function graph_for(self, batch, index, labels)
  local features, rows = features_of(self, batch)
  local target = rest(batch.y:shape())
  local key = table.concat({ table.concat(features, "x"), table.concat(rows, "x"),
    tostring(index), tostring(labels), table.concat(target, "x") }, " ")
  if not self.graphs[key] then
    local example = { rows = rows, features = features, index = index, labels = labels,
      target = target }
    self.graphs[key] = { programs = {},
      graph = compile.graph(self.layer, self.loss, example, self.mode) }
  end
  return self.graphs[key]
end

---For swale.second: the program of a kind, made by make(graph, kind, dtype) on first use, and its
---inputs.
---@param kind string
---@param batch swale.Batch
---@param dtype swale.dtype
---@param make fun(graph: swale.CompiledGraph, kind: string, dtype: swale.dtype): swale.Program
---@return swale.Program, swale.Tensor[] inputs, swale.CompiledGraph
function Compiled:program(kind, batch, dtype, make)
  check_batch(options.value("compiled:program", "kind", kind, "string"), batch)
  options.value("compiled:program", "make", make, "function")
  local index, labels = batch.x:dtype() == "int32", not batch.y:dtype():find "^float"
  local made = graph_for(self, batch, index, labels)
  local key = kind .. " " .. dtype
  made.programs[key] = made.programs[key] or make(made.graph, kind, dtype)
  self.last_batch = batch
  return made.programs[key],
    { as_input(batch.x, index, dtype), as_input(batch.y, labels, dtype) }, made.graph
end

---For swale.second: the vectors of a run: weights, buffers, direction.
---@param w swale.Tensor
---@param v? swale.Tensor
---@return swale.Tensor[]
function Compiled:vectors(w, v)
  local buffers = self.buffers
  return { w, buffers and as_input(buffers, false, w:dtype()) or w, v or w }
end

---For swale.second: adds to a run's options what determines its random numbers. All derivatives at
---a batch have the same ones.
---@param batch swale.Batch
---@param o swale.ProgramRun
---@return swale.ProgramRun o
function Compiled:drawing(batch, o)
  check_batch("compiled:drawing", batch)
  options.value("compiled:drawing", "o", o, "table")
  o.seed, o.step = self.seed, batch.step
  o.first_example = batch.position and batch.position + 1
  return o
end

local function training(graph, _, dtype) return graph:train(dtype) end
local function pure(graph, _, dtype) return graph:pure(dtype) end

--- Whether all are finite: a training keeps new statistics only then.
local function is_finite(value, gradient, statistics)
  local sum = value + gradient:norm() + statistics:norm()
  return sum - sum == 0
end

--- Runs the program: value and gradient.
local function run(self, w, batch)
  local make = self.updating and training or pure
  local program, inputs = self:program("value_and_gradient", batch, w:dtype(), make)
  local o = self:drawing(batch, { batch = #batch.x, inputs = inputs, vectors = self:vectors(w),
    out = core.zeros({ w:numel() }, w:dtype()) })
  o.state = self.updating and o.vectors[2]:clone() or nil
  local value = errors.check(program:run(o)):item()
  if self.updating and is_finite(value, o.out, o.state) then
    self.model:buffers():copy(o.state:to "float32")
  end
  return value, o.out
end

---Loss and gradient at w.
---@param w swale.Tensor             flat, float32 or float64: the program computes in that
---@param batch swale.Batch          step and position, if it has them, determine dropout
---@return number value
---@return swale.Tensor gradient     flat
function Compiled:value_and_gradient(w, batch)
  options.value("value_and_gradient", "w", w, "tensor")
  return run(self, w, batch)
end

local function forward(graph, _, dtype)
  return core.program(graph.graph, { graph.loss }, { dtype = dtype })
end

---Loss at w: the forward pass alone, unless running statistics are updated.
---@param w swale.Tensor
---@param batch swale.Batch
---@return number
function Compiled:value(w, batch)
  options.value("value", "w", w, "tensor")
  if self.updating then return (run(self, w, batch)) end
  local program, inputs = self:program("value", batch, w:dtype(), forward)
  return errors.check(program:run(self:drawing(batch, { batch = #batch.x, inputs = inputs,
    vectors = self:vectors(w) }))):item()
end

---The graph of a batch's shape.
---@param batch swale.Batch
---@return swale.CompiledGraph
function Compiled:graph(batch)
  return (select(3, self:program("value", batch, "float32", forward)))
end

-- ------------------------------------------------------------------ at a fixed batch

---@class swale.LossOn              a function of a weight vector: loss(w) is a number
---@field compiled swale.Compiled
---@field batch swale.Batch
---@field hvp function               (w, v): see swale.second, as for the next seven
---@field gauss_newton function
---@field jvp function
---@field along function
---@field curvature_gradient function
---@field squared_gradient_norm function   (w)
---@field linearize function         (w, o)
---@field full_hessian function      (w, o)
local LossOn = class.new("loss_on", { fields = { "compiled", "batch" } })

function LossOn:__call(w) return self.compiled:value(w, self.batch) end

---@param w swale.Tensor
---@return swale.Tensor             flat
function LossOn:gradient(w)
  local _, gradient = self.compiled:value_and_gradient(w, self.batch)
  return gradient
end

---@param w swale.Tensor
---@return number value, swale.Tensor gradient
function LossOn:value_and_gradient(w) return self.compiled:value_and_gradient(w, self.batch) end

for name, method in pairs(second) do
  Compiled[name] = method
  LossOn[name] = function(self, w, ...) return method(self.compiled, w, self.batch, ...) end
end

local function all_of(split)
  local index = core.zeros({ #split.source }, "int32")
  for i = 1, #split.source do index:set(i, i - 1) end
  local x, y = split.source:gather(index)
  return { x = x, y = y, shape = split.shape }
end

local function check_sample(sample)
  if type(sample) == "table" and type(sample.train) == "table" then
    errors.misuse "loss_on: takes one split of a data set, such as data.train"
  end
  return check_batch("loss_on", sample)
end

---The loss of a model on a sample, as a function of its weights:
---    local loss = model:loss_on(data.train:sample(1000))
---    print(loss(w + 1e-3 * d), loss:gradient(w):dot(d))
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param loss? swale.LossFunction   that of its training, else loss.cross_entropy
---@param o? { mode?: "train"|"eval" }   "eval": running statistics, no dropout
---@return swale.LossOn
function M.loss_on(model, sample, loss, o)
  o = options.check("loss_on", o, { mode = { choice = { "train", "eval" }, "eval" } })
  if type(sample) == "table" and core.type(sample.source) == "source" then
    sample = all_of(sample)
  end
  return setmetatable({ compiled = M.compile(loss or model.loss or losses.cross_entropy, model, o),
    batch = check_sample(sample) }, LossOn)
end

-- ------------------------------------------------------------------ checking

--- The relative error along a direction. A slope that is negligible beside the whole gradient is
--- compared with that: of a bias before a batch norm, it is 0 up to rounding.
local function directional_error(self, w, batch, direction, step)
  local _, gradient = self:value_and_gradient(w, batch)
  local ahead = self:value(w:clone():add(step, direction), batch)
  local behind = self:value(w:clone():add(-step, direction), batch)
  local slope, exact = (ahead - behind) / (2 * step), gradient:dot(direction)
  return math.abs(slope - exact) / math.max(math.abs(slope) + math.abs(exact),
    1e-4 * gradient:norm(), 1e-8)
end

local CHECK = { step = { "positive", 1e-5 }, seed = { "integer", 1 },
  loss = { "function", losses.cross_entropy }, tolerance = { "positive", 1e-2 },
  mode = { choice = { "train", "eval" }, "train" } }

---@class swale.CheckGradientOptions
---@field step? number               of the differences; 1e-5
---@field seed? integer              of the directions
---@field loss? swale.LossFunction
---@field mode? "train"|"eval"       "train"
---@field tolerance? number          1e-2

local function refuse(worst, path)
  errors.misuse("check_gradient: the gradient of \"%s\" differs from central differences of the"
    .. " loss by %.2g of it: a jump, a kink at these weights, or an op whose derivative is wrong",
    path, worst)
end

---Compares the gradient with central differences in double, along a random direction for each
---parameter: |difference - gradient| / (|difference| + |gradient|). 1e-6 is good; a kink of relu
---within the step gives more. Above the tolerance it raises and names the worst parameter.
---@param f swale.Compiled|swale.Model   of a model, o has loss (cross_entropy) and mode
---@param batch? swale.Batch         by default the last one of f
---@param o? swale.CheckGradientOptions
---@return number worst
---@return table<string, number> errors   by parameter
---@return string path               of the worst
function M.check_gradient(f, batch, o)
  options.value("check_gradient", "f", f, "Compiled|Model|Layer")
  o = options.check("check_gradient", o, CHECK)
  if getmetatable(f) ~= Compiled then f = M.compile(o.loss, f, { mode = o.mode }) end
  batch = batch or f.last_batch or errors.misuse("check_gradient: on which batch? { x =, y = }")
  check_batch("check_gradient", batch)
  local w, worst, by_path, path = f.model:weights():to("float64"), -1, {}, nil
  for _, s in ipairs(f.model.segments) do
    local direction = core.zeros({ w:numel() }, "float64")
    local part = direction:narrow(1, s.offset, s.size)
    core.random(o.seed, "measure/" .. s.path):fill_normal(part, 0, 1)
    part:scale(1 / part:norm())
    by_path[s.path] = directional_error(f, w, batch, direction, o.step)
    if by_path[s.path] > worst then worst, path = by_path[s.path], s.path end
  end
  if worst ~= worst or worst > o.tolerance then refuse(worst, path) end
  return worst, by_path, path
end

return M
