--- Data sets derived from others. Random choices have streams named after the method and the split:
--- they change nothing else.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

local function parts_of(data)
  local parts = {}
  for _, name in ipairs(sets.SPLITS) do
    local split = data[name]
    parts[name] = split and { x = split.x, y = split.y, clean_y = split.clean_y }
  end
  return parts
end

local function either(new, old)
  if new == nil then return old end
  return new or nil
end

---@class swale.Change
---@field parts? table
---@field normalisation? swale.Normalisation|false
---@field known? table
---@field augment? swale.Augmentation|false

---The same data set with some parts replaced.
---@param data swale.Data
---@param new swale.Change
---@return swale.Data
function M.change(data, new)
  return sets.new { name = data.name, classes = data.classes, class_names = data.class_names,
    names = data.names, parts = new.parts or parts_of(data), known = new.known or data.known,
    normalisation = either(new.normalisation, data.normalisation),
    augment = either(new.augment, data.train.augmentation), images = data.images and data.shape,
    vocabulary = data.vocabulary, alphabet = data.alphabet, ignore_index = data.ignore_index,
    refuse = function(split, why) errors.misuse("data: %s: %s", split, why) end }
end

--- Known facts, with more added.
local function knowing(data, more)
  local known = {}
  for k, v in pairs(data.known or {}) do known[k] = v end
  for k, v in pairs(more) do known[k] = v end
  return known
end

-- ------------------------------------------------------------------ labels

local function check_classes(where, data)
  if not data.classes or data.classes < 2 or not data.train.y then
    errors.misuse("%s: the data has no class labels", where)
  elseif data.ignore_index then
    errors.misuse("%s: the data has labels that do not count, %d", where, data.ignore_index)
  elseif data.train.y:ndim() > 1 then
    errors.misuse("%s: needs one label for each example, the data has %s", where,
      errors.shape_text(table.move(data.train.y:shape(), 2, data.train.y:ndim(), 1, {})))
  end
end

--- New labels f(labels, stream) for the training split, or all of them.
local function relabel(where, data, o, f)
  check_classes(where, data)
  local parts = parts_of(data)
  for _, name in ipairs(o.on == "all" and sets.SPLITS or { "train" }) do
    local part = parts[name]
    if part and part.y then
      local labels = part.y:table()
      f(labels, core.random(o.seed, where .. "/" .. name))
      part.clean_y = part.clean_y or part.y
      part.y = core.tensor(labels, "int32")
    end
  end
  return parts
end

---@class swale.LabelNoiseOptions
---@field rate number               share of labels to change, 0 to 1
---@field on? "train"|"all"         "train": the other splits keep their labels
---@field seed? integer             1

local ON = { choice = { "train", "all" }, "train" }
local LABEL_NOISE = { rate = "nonnegative", on = ON, seed = { "integer", 1 } }

---See Data:label_noise.
---@param data swale.Data
---@param o swale.LabelNoiseOptions
---@return swale.Data
function M.label_noise(data, o)
  o = options.check("label_noise", o, LABEL_NOISE)
  if o.rate > 1 then errors.misuse("label_noise: rate is a share, 0 to 1, not %g", o.rate) end
  local parts = relabel("label_noise", data, o, function(labels, stream)
    local order = stream:permutation(#labels)
    for k = 1, math.floor(o.rate * #labels + 0.5) do
      local i = order:get(k) + 1
      labels[i] = (labels[i] + stream:integer(data.classes - 1)) % data.classes
    end
  end)
  return M.change(data, { parts = parts, known = knowing(data, { label_noise = o.rate }) })
end

---@class swale.RandomLabelsOptions
---@field keep_counts? boolean      false: all classes equally likely; true: labels are shuffled
---@field on? "train"|"all"         "train"
---@field seed? integer             1

local RANDOM_LABELS = { keep_counts = { "boolean", false }, on = ON, seed = { "integer", 1 } }

local function shuffle(labels, stream)
  local order, copy = stream:permutation(#labels):table(), table.move(labels, 1, #labels, 1, {})
  for i, from in ipairs(order) do labels[i] = copy[from + 1] end
end

---See Data:random_labels.
---@param data swale.Data
---@param o? swale.RandomLabelsOptions
---@return swale.Data
function M.random_labels(data, o)
  o = options.check("random_labels", o, RANDOM_LABELS)
  local parts = relabel("random_labels", data, o, function(labels, stream)
    if o.keep_counts then return shuffle(labels, stream) end
    for i = 1, #labels do labels[i] = stream:integer(data.classes) - 1 end
  end)
  return M.change(data, { parts = parts, known = knowing(data, { random_labels = true }) })
end

-- ------------------------------------------------------------------ subsets

local LARGEST = math.maxinteger >> 32 -- of int32: labels and indices are below it

---Rows of a tensor of any type; integers must be from 0.
---@param t swale.Tensor              (N, …)
---@param index swale.Tensor          int32, from 0
---@return swale.Tensor
function M.rows(t, index)
  local shape, dtype = t:shape(), t:dtype()
  shape[1] = #index
  if dtype == "int32" then
    local indices = core.source { x = t:contiguous(), vocabulary = LARGEST }
    return (indices:gather(index)):reshape(shape)
  end
  local x = core.source({ x = t:contiguous() }):gather(index)
  return (dtype == "float32" and x or x:to(dtype)):reshape(shape)
end

--- Numbers of examples for each class, n in all, by largest remainders; the first of equal ones.
local function quotas(labels, classes, n)
  local counts, quota, order, left = {}, {}, {}, n
  for c = 1, classes do counts[c] = 0 end
  for _, y in ipairs(labels) do counts[y + 1] = counts[y + 1] + 1 end
  for c = 1, classes do
    quota[c], order[c] = counts[c] * n // #labels, c
    left = left - quota[c]
  end
  local function remainder(c) return counts[c] * n % #labels end
  table.sort(order, function(a, b)
    local ra, rb = remainder(a), remainder(b)
    return ra > rb or ra == rb and a < b
  end)
  for k = 1, left do quota[order[k]] = quota[order[k]] + 1 end
  return quota
end

--- Takes indices in the given order until the quota of their class is full.
local function stratify(order, labels, classes, n)
  local quota, chosen = quotas(labels, classes, n), {}
  for _, i in ipairs(order:table()) do
    local c = labels[i + 1] + 1
    if quota[c] > 0 then
      quota[c] = quota[c] - 1
      chosen[#chosen + 1] = i
    end
  end
  return core.tensor(chosen, "int32")
end

---@class swale.SubsetOptions
---@field n integer                 examples
---@field stratified? boolean       false; true: classes in the proportions of the whole
---@field seed? integer             1

local SUBSET = { n = "count", stratified = { "boolean", false }, seed = { "integer", 1 } }

---See Data:subset.
---@param data swale.Data
---@param o swale.SubsetOptions
---@return swale.Data
function M.subset(data, o)
  o = options.check("subset", o, SUBSET)
  local train = data.train
  if o.n > #train then
    errors.misuse("subset: asked for %d examples, there are %d", o.n, #train)
  end
  local order = core.random(o.seed, "subset"):permutation(#train)
  local index
  if o.stratified then
    check_classes("subset: stratified", data)
    index = stratify(order, train.y:table(), data.classes, o.n)
  else
    index = order:narrow(1, 1, o.n):contiguous()
  end
  local parts = parts_of(data)
  for field, t in pairs(parts.train) do parts.train[field] = M.rows(t, index) end
  return M.change(data, { parts = parts })
end

return M
