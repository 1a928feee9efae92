--- What is measured: the mean loss over a sample as a function of a flat weight vector, with its
--- gradient and products of its Hessian. All of sw.measure reads model and sample through it.
---
--- Sums over the sample are taken part by part, in float64; every example has the same weight. The
--- sample is clean, without crops and flips. In mode "eval" dropout is off and batch norms use
--- running statistics. In mode "train" a batch norm couples the examples of a part, so that the
--- sample is one part; so does a loss that is no mean over examples.
local additive = require "swale.trainer.additive"
local class = require "swale.class"
local compiled = require "swale.compiled"
local core = require "swale.core"
local errors = require "swale.errors"
local losses = require "swale.loss"
local models = require "swale.model"
local transform = require "swale.data.transform"

local M = {}

---@class swale.SubjectOptions
---@field loss? swale.LossFunction     that of the model's training, else cross_entropy
---@field weights? swale.Tensor        flat; the model's
---@field buffers? swale.Tensor        running statistics, flat; the model's
---@field mode? "eval"|"train"         "eval"
---@field weight_decay? number         of the objective: loss + weight_decay / 2 |w|^2; 0: the loss
---@field dtype? "float32"|"float64"   the network computes in it; that of the weights
---@field over? string|fun(path: string): boolean   a Lua pattern of parameters' paths: derivatives
---along these alone; nil: all
---@field batch_size? integer          most examples computed at a time; 4096
---@field seed? integer                of what is drawn; 1

local OPTIONS = { loss = "function?", weights = "tensor?",
  buffers = "tensor?", mode = { choice = { "eval", "train" }, "eval" },
  weight_decay = { "nonnegative", 0 }, dtype = { choice = { "float32", "float64" } },
  over = "string|function?", batch_size = { "count", 4096 }, seed = { "integer", 1 } }

---Adds the options that every measurement takes to a spec for options.check; its own come first.
---Where batch_size is something else, chunk is how many examples are computed at a time.
---@param own table
---@return table own
function M.spec(own)
  for name, entry in pairs(OPTIONS) do
    if own[name] == nil then own[name] = entry end
  end
  return own
end

---@class swale.Subject
---@field model swale.Model
---@field weights swale.Tensor         where to measure: flat, a copy
---@field size integer                 weights
---@field n integer                    examples
---@field dtype swale.dtype
---@field mode "eval"|"train"
---@field whole boolean                examples are coupled: the sample is one part
---@field weight_decay number
---@field seed integer
---@field compiled swale.Compiled
---@field ranges integer[][]           { first, length } of the weights that derivatives go along
---@field selected integer             their number
local Subject = class.new("subject", { fields = { "model", "weights", "size", "n", "dtype", "mode",
  "whole", "weight_decay", "seed", "compiled", "ranges", "selected" } })

-- ------------------------------------------------------------------ what is given

local function check_sample(where, sample)
  if type(sample) == "table" and core.type(sample.source) == "source" then return end
  if type(sample) == "table" and type(sample.train) == "table" then
    errors.misuse("%s: takes one split of a data set: data.train, or data.train:sample(1000)",
      where)
  elseif type(sample) ~= "table" or core.type(sample.x) ~= "tensor"
    or core.type(sample.y) ~= "tensor" then
    errors.misuse("%s: the sample must be a split, such as data.train:sample(1000), or { x =, y ="
      .. " }, not %s", where, errors.shown(sample))
  elseif #sample.x ~= #sample.y then
    errors.misuse("%s: the sample has %d rows of x and %d of y", where, #sample.x, #sample.y)
  end
end

local function copy_as(t, dtype) return t:dtype() == dtype and t:clone() or t:to(dtype) end

--- Joins neighbours.
local function add_range(ranges, first, length)
  local last = ranges[#ranges]
  if last and last[1] + last[2] == first then
    last[2] = last[2] + length
  else
    ranges[#ranges + 1] = { first, length }
  end
end

--- The ranges of the parameters that are chosen, and their number of weights.
local function chosen(where, over, segments)
  local ranges, count, paths = {}, 0, {}
  if type(over) == "string" and not pcall(string.find, "", over) then
    errors.misuse("%s: over: %q is no Lua pattern", where, over)
  end
  for i, s in ipairs(segments) do
    paths[i] = s.path
    local keep = over == nil or type(over) == "function" and over(s.path)
      or type(over) == "string" and s.path:find(over)
    if keep then
      add_range(ranges, s.offset, s.size)
      count = count + s.size
    end
  end
  if count == 0 then
    errors.misuse("%s: over matches no parameter: %s", where, table.concat(paths, ", "))
  end
  return ranges, count
end

--- Whether the loss of a sample is not the mean of the losses of its parts.
local function is_whole(self)
  local graph = self.compiled:graph(self:batch(core.zeros({ 1 }, "int32")))
  if graph:is_coupled() then return true end
  if graph.each then return false end
  local source = self.sample.source
  return source == nil or additive.check(graph, self.model, source) ~= nil
end

---@param where string               the function's name, for messages and random streams
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.SubjectOptions     checked, with M.spec
---@return swale.Subject
function M.of(where, model, sample, o)
  if not models.is_model(model) then
    errors.misuse("%s: model must be a network with weights (trainer.model, or layer:build()), not"
      .. " %s", where, errors.shown(model))
  end
  check_sample(where, sample)
  local weights, size = o.weights or model:weights(), model:weights():numel()
  if weights:numel() ~= size then
    errors.misuse("%s: weights has %d elements, the model has %d", where, weights:numel(), size)
  end
  local ranges, selected = chosen(where, o.over, model.segments)
  local dtype = o.dtype or weights:dtype()
  local self = setmetatable({ where = where, model = model, sample = sample, dtype = dtype,
    compiled = compiled.compile(o.loss or model.loss or losses.cross_entropy, model,
      { mode = o.mode, seed = o.seed,
        buffers = o.buffers or model:buffers() and model:buffers():clone() }),
    mode = o.mode, weights = copy_as(weights, dtype), size = size,
    n = #(sample.source or sample.x), weight_decay = o.weight_decay, seed = o.seed,
    most = o.chunk or o.batch_size, ranges = ranges, selected = selected }, Subject)
  self.whole = is_whole(self)
  return self
end

-- ------------------------------------------------------------------ examples

local function indices(first, count)
  local index = core.zeros({ count }, "int32")
  for i = 1, count do index:set(i, first + i - 2) end
  return index
end

---Some examples.
---@param index swale.Tensor         int32 (b), from 0
---@return swale.Batch
function Subject:batch(index)
  local sample = self.sample
  if sample.source then
    local x, y = sample.source:gather(index)
    return { x = x, y = y, shape = sample.shape }
  end
  return { x = transform.rows(sample.x, index), y = transform.rows(sample.y, index),
    shape = sample.shape }
end

---The whole sample in order, in parts of at most size examples:
---`for batch, count in subject:parts() do`. One part, if examples are coupled.
---@param size? integer              the option batch_size
---@return fun(): swale.Batch|nil, integer|nil
function Subject:parts(size)
  size = self.whole and self.n or size or self.most
  local done = 0
  return function()
    local count = math.min(size, self.n - done)
    if count <= 0 then return nil end
    done = done + count
    return self:batch(indices(done - count + 1, count)), count
  end
end

---Random numbers of this measurement, apart from those of a training.
---@param n? integer                 which ones; 0
---@return swale.Random
function Subject:random(n) return core.random(self.seed, "measure/" .. self.where, n or 0) end

-- ------------------------------------------------------------------ selected weights

---The parameters whose weights are selected, by their places in the model's segments.
---@return integer[]
function Subject:parameters()
  local list = {}
  for i, s in ipairs(self.model.segments) do
    for _, r in ipairs(self.ranges) do
      if s.offset >= r[1] and s.offset < r[1] + r[2] then list[#list + 1] = i end
    end
  end
  return list
end

---The selected elements of a flat vector.
---@param v swale.Tensor             (size)
---@return swale.Tensor              (selected); v itself, if all are selected
function Subject:select(v)
  if self.selected == self.size then return v end
  local out, at = core.zeros({ self.selected }, v:dtype()), 1
  for _, r in ipairs(self.ranges) do
    out:narrow(1, at, r[2]):copy(v:narrow(1, r[1], r[2]))
    at = at + r[2]
  end
  return out
end

---The flat vector with the selected elements, 0 elsewhere.
---@param v swale.Tensor             (selected)
---@return swale.Tensor              (size); v itself, if all are selected
function Subject:expand(v)
  if v:numel() ~= self.selected then
    errors.misuse("%s: a direction has %d elements, %d weights are selected", self.where, v:numel(),
      self.selected)
  end
  if self.selected == self.size then return v end
  local out, at = core.zeros({ self.size }, v:dtype()), 1
  for _, r in ipairs(self.ranges) do
    out:narrow(1, r[1], r[2]):copy(v:narrow(1, at, r[2]))
    at = at + r[2]
  end
  return out
end

-- ------------------------------------------------------------------ loss and derivatives

local function at(self, w)
  if not w then return self.weights end
  if w:numel() ~= self.size then
    errors.misuse("%s: w has %d elements, the model has %d weights", self.where, w:numel(),
      self.size)
  end
  return w:dtype() == self.dtype and w or w:to(self.dtype)
end

local function decay_of(self, w)
  return self.weight_decay == 0 and 0 or self.weight_decay / 2 * w:norm() ^ 2
end

--- sum += share x, in float64
local function add_share(sum, share, x)
  sum:add(share, x:dtype() == "float64" and x or x:to "float64")
end

---The objective.
---@param w? swale.Tensor            (size); the weights where to measure
---@return number
function Subject:value(w)
  w = at(self, w)
  local sum = 0
  for batch, count in self:parts() do sum = sum + count / self.n * self.compiled:value(w, batch) end
  return sum + decay_of(self, w)
end

---The objective and its gradient along the selected weights.
---@param w? swale.Tensor            (size)
---@return number value, swale.Tensor gradient    float64 (selected)
function Subject:value_and_gradient(w)
  w = at(self, w)
  local value, sum = decay_of(self, w), core.zeros({ self.size }, "float64")
  for batch, count in self:parts() do
    local part, gradient = self.compiled:value_and_gradient(w, batch)
    value = value + count / self.n * part
    add_share(sum, count / self.n, gradient)
  end
  if self.weight_decay ~= 0 then add_share(sum, self.weight_decay, w) end
  return value, self:select(sum)
end

---The gradient of the objective over one batch, along the selected weights.
---@param batch swale.Batch
---@return swale.Tensor              float64 (selected)
function Subject:gradient_of(batch)
  local _, gradient = self.compiled:value_and_gradient(self.weights, batch)
  local sum = core.zeros({ self.size }, "float64")
  add_share(sum, 1, gradient)
  if self.weight_decay ~= 0 then add_share(sum, self.weight_decay, self.weights) end
  return self:select(sum)
end

---New weights: those where to measure, plus eps v.
---@param v swale.Tensor             (selected), float64
---@param eps number
---@return swale.Tensor              (size)
function Subject:stepped(v, eps)
  local w = self.weights:to "float64"
  add_share(w, eps, self:expand(v))
  return w:to(self.dtype)
end

--- The products of each part, as functions of a full vector. Those that fit into memory together
--- keep what does not depend on the vector.
local function products(self, kind, w, memory)
  local maps, first, parts = {}, nil, self.whole and 1 or (self.n + self.most - 1) // self.most
  for batch, count in self:parts() do
    local map = self.compiled:linearize(w, batch, { kind = kind, memory = memory / parts })
    first = first or map
    maps[#maps + 1] = { share = count / self.n, map = map }
    if not first.kept then break end
  end
  if first.kept then return maps end
  return nil
end

--- As above, computed anew from the examples at each product.
local function streamed(self, kind, w, v, sum)
  for batch, count in self:parts() do
    add_share(sum, count / self.n, self.compiled[kind](self.compiled, w, batch, v))
  end
end

---@class swale.SubjectOperator
---@field kind? "hvp"|"gauss_newton"  "hvp"
---@field memory? number              bytes for what does not depend on the vector; 1 GiB
---@field weights? swale.Tensor       where; those of the subject

---The Hessian of the objective, or its Gauss-Newton form, among the selected weights, as a function
---of vectors. A product costs at most 8/3 of a gradient's matrix products over the sample.
---@param o? swale.SubjectOperator
---@return fun(v: swale.Tensor): swale.Tensor     (selected), of any type -> float64 (selected)
function Subject:operator(o)
  o = o or {}
  local kind, w = o.kind or "hvp", at(self, o.weights):clone()
  local maps = products(self, kind, w, o.memory or 2 ^ 30)
  return function(v)
    local full, sum = self:expand(v), core.zeros({ self.size }, "float64")
    if full:dtype() ~= self.dtype then full = full:to(self.dtype) end
    if maps then
      for _, part in ipairs(maps) do add_share(sum, part.share, part.map(full)) end
    else
      streamed(self, kind, w, full, sum)
    end
    if self.weight_decay ~= 0 then add_share(sum, self.weight_decay, full) end
    return self:select(sum)
  end
end

return M
