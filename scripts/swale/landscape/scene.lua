--- Where landscapes are evaluated: a network, a loss, splits of data, and one rule for the running
--- statistics of batch norms, which holds at every point.
local additive = require "swale.trainer.additive"
local compile = require "swale.compile"
local core = require "swale.core"
local errors = require "swale.errors"
local losses = require "swale.loss"
local metrics = require "swale.trainer.metrics"
local reestimate = require "swale.reestimate"
local setup = require "swale.trainer.setup"
local vectors = require "swale.landscape.vectors"
local wide = require "swale.landscape.wide"

local M = {}

---@class swale.SceneOptions
---@field on swale.Data|swale.Split|swale.Trainer|table<string, swale.Split>   a data set: its
---train and test; a trainer: its data, network and loss; or splits by names
---@field model? swale.Model          where no weights are given as a model; its own are not read
---@field loss? swale.LossFunction    cross_entropy, or that of the trainer
---@field examples? integer           of each split at most, drawn by sample; all
---@field batch_norm? "pooled"|"layerwise"|"running"|"train"   statistics at each point:
---re-estimated on train (as trainer:evaluate does for averages); `buffers`; those of each batch
---@field buffers? swale.Tensor       of "running": the statistics; the model's
---@field batch_size? integer         examples computed at a time; 1000. Of networks that begin with
---a convolution and have no batch norm, 16 at most
---@field dtype? "float32"|"float64"  the network computes in it
---@field file? string                finished points are kept there; a killed run goes on from it

M.SPEC = { on = "any?", model = "Layer|Model?", loss = "function?", examples = "count?",
  batch_norm = { choice = { "pooled", "layerwise", "running", "train" }, "pooled" },
  buffers = "tensor?", batch_size = { "count", 1000 },
  dtype = { choice = { "float32", "float64" }, "float32" }, file = "string?" }

---Adds the options of a scene to those of a function.
---@param own table
---@return table own
function M.spec(own)
  for name, entry in pairs(M.SPEC) do own[name] = own[name] or entry end
  return own
end

---@class swale.Scene
---@field model swale.Model
---@field splits { name: string, split: swale.Split }[]
---@field columns string[]             "train_loss", "train_accuracy", …
---@field batch_norm string
---@field dtype swale.dtype
local Scene = {}
Scene.__index = Scene

local WIDE_BATCH <const> = 16 -- examples at a time, of several points each: they stay in the cache

-- ------------------------------------------------------------------ what is given

local function is_split(v)
  return type(v) == "table" and core.type(rawget(v, "source")) == "source"
end

--- Splits by names: train first, then test, others in the order of their names.
local function named_splits(where, on)
  if is_split(on) then return { { name = "sample", split = on } } end
  local list = {}
  local whole = type(on) == "table" and is_split(rawget(on, "train")) and getmetatable(on) ~= nil
  local names = whole and { "train", rawget(on, "test") and "test" or "valid" }
    or type(on) == "table" and not getmetatable(on) and errors.sorted_keys(on) or {}
  for _, name in ipairs(names) do
    local split = rawget(on, name)
    if split and not is_split(split) then
      errors.misuse("%s: on.%s must be a split, not %s", where, name, errors.shown(split))
    end
    if split then table.insert(list, name == "train" and 1 or #list + 1, { name = name,
      split = split }) end
  end
  if #list == 0 then
    errors.misuse("%s: on must be a data set, a split, a trainer or splits by names"
      .. " ({ train = … }), not %s", where, errors.shown(on))
  end
  return list
end

local function model_for(where, o, given)
  for _, v in ipairs { o.model or false, o.on, table.unpack(given) } do
    local model = vectors.model_of(v)
    if model then return model end
  end
  if o.model then return o.model:build() end
  errors.misuse("%s: whose weights are these? model = trainer.model, or on = trainer", where)
end

--- The loss of a trainer is in its evaluator's graph; o.loss is another.
local function graph_of(self, o, trainer)
  local mode = self.batch_norm == "train" and "batch" or "eval"
  if trainer and not o.loss and mode == "eval" and self.dtype == "float32" then
    return trainer.engine.evaluator.graph
  end
  local loss = o.loss or trainer and trainer.engine.evaluator.graph.loss_function
    or losses.cross_entropy
  return compile.graph(self.model.layer, loss, self.example, mode, mode == "eval")
end

--- Raises where parts of a split do not give its loss.
local function check_losses(self)
  local graph, first = self.graph, self.splits[1].split.source
  if not graph.each and not graph.ratio and graph.output:dependence() ~= "mixed" then
    graph.uneven = graph.uneven or additive.check(graph, self.model, first)
  end
  for _, one in ipairs(self.splits) do
    metrics.check_batches(graph, one.split.source, self.batch, one.name, self.where, "batch_size")
  end
end

local function check_length(where, what, got, model, wanted)
  if got ~= wanted then
    errors.misuse("%s: %s has %d elements, %s has %d", where, what, got, tostring(model.layer),
      wanted)
  end
end

---@param where string
---@param o swale.SceneOptions     checked, with M.spec
---@param given any[]              weights as the script gave them
---@return swale.Scene
function M.of(where, o, given)
  if o.on == nil then
    errors.misuse("%s: needs on: a trainer, a data set, or splits by names", where)
  end
  local trainer = vectors.is_trainer(o.on) and o.on or nil
  local self = setmetatable({ where = where, batch_norm = o.batch_norm, dtype = o.dtype,
    batch_size = o.batch_size, columns = {} }, Scene)
  self.splits = named_splits(where, trainer and trainer.data or o.on)
  self.model = model_for(where, o, given)
  self.example = setup.example({ train = self.splits[1].split, shape = self.splits[1].split.shape },
    self.model.layer)
  self.statistics = self.splits[1].split
  self.subset = trainer and trainer.engine.evaluator.subset
  local buffers = o.buffers or self.model:buffers()
  self.buffers = buffers and buffers:to(self.dtype):clone()
  if o.buffers then
    check_length(where, "buffers", o.buffers:numel(), self.model,
      self.model:buffers() and self.model:buffers():numel() or 0)
  end
  for _, one in ipairs(self.splits) do
    if o.examples and o.examples < #one.split then one.split = one.split:sample(o.examples) end
    self.columns[#self.columns + 1] = one.name .. "_loss"
  end
  self.graph = graph_of(self, o, trainer)
  self.is_wide = wide.fits(self)
  self.batch = self.is_wide and math.min(self.batch_size, WIDE_BATCH) or self.batch_size
  check_losses(self)
  if self.graph.hit then
    for _, one in ipairs(self.splits) do
      self.columns[#self.columns + 1] = one.name .. "_accuracy"
    end
  end
  return self
end

-- ------------------------------------------------------------------ evaluation

local function statistics_at(self, weights)
  local how = self.batch_norm
  if not self.buffers or how == "running" or how == "train" then return self.buffers end
  return reestimate.buffers { layer = self.model.layer, weights = weights, buffers = self.buffers,
    source = self.statistics.source, example = self.example, index = self.subset, method = how,
    batch_size = self.batch_size }
end

---Loss and accuracy at a point.
---@param w swale.Tensor            flat, any type
---@param only? string              the split; all
---@return table<string, number>    by column
function Scene:at(w, only)
  check_length(self.where, "a point", w:numel(), self.model, self.model:weights():numel())
  local weights, row = w:to(self.dtype), {}
  local buffers = statistics_at(self, weights)
  for _, one in ipairs(self.splits) do
    if not only or one.name == only then
      local found = metrics.evaluate(self.graph, weights, buffers, one.split.source,
        self.batch, one.name)
      row[one.name .. "_loss"], row[one.name .. "_accuracy"] = found.loss, found.accuracy
    end
  end
  return row
end

---How many points are computed at once.
---@param n integer     that are to be computed
---@return integer
function Scene:group(n)
  return self.is_wide and n > 0 and math.ceil(n / math.ceil(n / wide.MOST)) or 1
end

---Loss and accuracy at several points, as at(w) gives them.
---@param list swale.Tensor[]       as many as group says
---@return table<string, number>[]
function Scene:several(list)
  if #list == 1 then return { self:at(list[1]) } end
  local rows, weights = {}, {}
  if not self.wide or self.wide.count < #list then self.wide = wide.of(self, #list) end
  for i, w in ipairs(list) do
    check_length(self.where, "a point", w:numel(), self.model, self.model:weights():numel())
    rows[i], weights[i] = {}, w:to(self.dtype)
  end
  for _, one in ipairs(self.splits) do
    local found = self.wide:evaluate(weights, one.split.source, self.batch)
    for i, row in ipairs(rows) do
      row[one.name .. "_loss"], row[one.name .. "_accuracy"] = found[i].loss, found[i].accuracy
    end
  end
  return rows
end

---The name of the split that a script means, or the first one.
---@param name string|nil
---@return string
function Scene:split_name(name)
  for _, one in ipairs(self.splits) do
    if name == nil or one.name == name then return one.name end
  end
  local names = {}
  for i, one in ipairs(self.splits) do names[i] = one.name end
  errors.misuse("%s: there is no split %s%s There are: %s.", self.where, errors.shown(name),
    errors.suggestion(name, names), table.concat(names, ", "))
end

return M
