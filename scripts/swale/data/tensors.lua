--- Data sets from tensors.
local errors = require "swale.errors"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

---@class swale.RawSplit
---@field x swale.Tensor
---@field y? swale.Tensor

---@class swale.TensorDataOptions
---@field train swale.RawSplit
---@field valid? swale.RawSplit
---@field test? swale.RawSplit
---@field classes? integer        needed where y are labels
---@field ignore_index? integer   a label that may be outside of the classes, such as -100; the loss
---must leave it out: sw.loss.cross_entropy { ignore_index = -100 }
---@field vocabulary? integer     needed where x are indices, 0 … vocabulary - 1, as of a text
---@field images? boolean|integer[]   models get rows as x has them, (N, height, width, channels)
---@field augment? swale.Augmentation
---@field name? string
---@field standardise? swale.Standardise    false

local FROM_TENSORS = { name = { "string", "tensors" }, classes = "count?", train = "table",
  ignore_index = "integer?", valid = "table?", test = "table?",
  standardise = { "boolean|string", false }, vocabulary = "count?", images = "boolean|table?",
  augment = "table?" }

local function check_split(split, part, features)
  local where = "from_tensors: " .. split
  part = options.check(where, part, { x = "tensor", y = "tensor?" })
  if part.x:ndim() == 0 or part.y and part.y:ndim() == 0 then
    errors.misuse("%s: x and y have a row for each example, (N, …)", where)
  elseif #part.x == 0 then
    errors.misuse("%s: there are no examples%s", where,
      split == "train" and "" or "; a split that is not there is left out")
  end
  local n = part.x:numel() // #part.x
  if features and n ~= features then
    errors.misuse("%s: rows of %d values, but rows of train have %d", where, n, features)
  elseif n == 0 or part.y and part.y:numel() == 0 then
    errors.misuse("%s: rows of %s hold no values", where, n == 0 and "x" or "y")
  elseif part.y and #part.y ~= #part.x then
    errors.misuse("%s: %d rows in x, but %d in y", where, #part.x, #part.y)
  end
  return part, n
end

local function is_float(t) return t:dtype():find "^float" end

--- Splits have the types of train, and its shape where neither is flat.
local function check_alike(split, part, train)
  local where = "from_tensors: " .. split
  for _, name in ipairs { "x", "y" } do
    local a, b = part[name], train[name]
    if a and b and a:dtype() ~= b:dtype() and (is_float(a) or is_float(b)) then
      errors.misuse("%s: %s is %s, that of train %s", where, name, a:dtype(), b:dtype())
    end
  end
  local a, b = part.x:shape(), train.x:shape()
  table.remove(a, 1)
  table.remove(b, 1)
  local rows, wanted = errors.shape_text(a), errors.shape_text(b)
  if #a > 1 and #b > 1 and rows ~= wanted then
    errors.misuse("%s: rows of x are %s, those of train %s", where, rows, wanted)
  end
end

local function check_kinds(train, o, kind)
  for _, name in ipairs { "x", "y" } do
    if train[name] and train[name]:dtype() == "float64" then
      errors.misuse('from_tensors: train: %s is float64; data are float32: %s:to "float32"', name,
        name)
    end
  end
  if train.y and train.y:dtype() ~= "float32" and not o.classes then
    errors.misuse("from_tensors: labels need classes, their number")
  elseif train.y and train.y:dtype() == "float32" and o.classes then
    errors.misuse('from_tensors: classes go with labels, but y of train are float32 targets%s',
      train.y:ndim() > 1 and ": leave classes out" or '; y:to "int32" makes labels of them')
  elseif train.x:dtype() == "int32" and not o.vocabulary then
    errors.misuse("from_tensors: x of int32 are indices and need vocabulary, how many there are;"
      .. " numbers are float32: x:to \"float32\"")
  elseif o.vocabulary and kind ~= "none" then
    errors.misuse("from_tensors: indices are not standardised")
  end
end

---See sw.data.from_tensors.
---@param o swale.TensorDataOptions
---@return swale.Data
function M.new(o)
  o = options.check("from_tensors", o, FROM_TENSORS)
  local kind = normalise.kind("from_tensors", o.standardise)
  local parts, features = {}, nil
  for _, split in ipairs(sets.SPLITS) do
    if o[split] then
      local n
      parts[split], n = check_split(split, o[split], features)
      features = features or n
    end
  end
  check_kinds(parts.train, o, kind)
  for _, split in ipairs { "valid", "test" } do
    if parts[split] then check_alike(split, parts[split], parts.train) end
  end
  return sets.new { name = o.name, parts = parts, classes = o.classes, vocabulary = o.vocabulary,
    ignore_index = o.ignore_index, images = o.images, augment = o.augment,
    normalisation = normalise.of(kind, parts.train.x),
    refuse = function(split, why) errors.misuse("from_tensors: %s: %s", split, why) end }
end

return M
