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
---@field classes? integer        wanted where y are labels
---@field vocabulary? integer     wanted where x are indices, 0 … vocabulary - 1: of a text, say
---@field images? boolean|integer[]   models see rows as x has them, (N, height, width, channels)
---@field augment? swale.Augmentation
---@field name? string
---@field standardise? swale.Standardise    false

local FROM_TENSORS = { name = { "string", "tensors" }, classes = "count?", train = "table",
  valid = "table?", test = "table?", standardise = { "boolean|string", false },
  vocabulary = "count?", images = "boolean|table?", augment = "table?" }

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
  elseif part.y and #part.y ~= #part.x then
    errors.misuse("%s: %d rows in x, but %d in y", where, #part.x, #part.y)
  end
  return part, n
end

local function check_kinds(train, o, kind)
  if train.y and train.y:dtype() ~= "float32" and not o.classes then
    errors.misuse("from_tensors: labels need classes, their number")
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
  return sets.new { name = o.name, parts = parts, classes = o.classes, vocabulary = o.vocabulary,
    images = o.images, augment = o.augment, normalisation = normalise.of(kind, parts.train.x),
    refuse = function(split, why) errors.misuse("from_tensors: %s: %s", split, why) end }
end

return M
