--- A split of a data set (train, valid or test): raw tensors, and the source that reads them,
--- normalised, row by row.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local normalise = require "swale.data.normalise"
local options = require "swale.options"

local M = {}

---@class swale.Batch
---@field x swale.Tensor   (n, features…) float32, normalised
---@field y swale.Tensor?  (n) int32 labels, or (n, …) float32 targets
---@field shape integer[]? of a row: { height, width, channels }
---@field step integer?    batches before it
---@field position integer?  examples before it

---@class swale.Split
---@field source swale.Source   the training reads it
---@field x swale.Tensor        (N, …) as stored, not normalised
---@field y swale.Tensor?       (N) labels, or (N, …) targets
---@field clean_y swale.Tensor? (N) the true labels, where some of y were changed
---@field classes integer?
---@field shape integer[]       of a row: { height, width, channels }
---@field vocabulary integer?   x are indices below it
---@field augmentation swale.Augmentation?   of training images: crops and flips
---@field options swale.SplitOptions         it was made with
---@field drawn_from integer?   examples that a sample was drawn from, without replacement
---@operator len: integer       examples
local Split = class.new("split", { fields = {
  "x", "y", "clean_y", "classes", "shape", "vocabulary", "augmentation", "options", "source",
  "drawn_from" } })

function Split:__len() return #self.source end

function Split:__tostring()
  local shape = self.source:shape()
  if #shape == 1 and not self.vocabulary then
    return ("%d examples of %d features"):format(#self, shape[1])
  end
  return ("%d examples of %s %s"):format(#self, table.concat(shape, "x"),
    self.vocabulary and "indices" or "values")
end

---@class swale.Augmentation
---@field crop? integer   0; images are padded by so many black pixels, then cropped to their size
---@field flip? boolean   false; left to right, half of the time

local AUGMENT = { crop = { "integer", 0 }, flip = { "boolean", false } }

---@class swale.SplitOptions
---@field x swale.Tensor
---@field y? swale.Tensor
---@field clean_y? swale.Tensor
---@field classes? integer
---@field ignore_index? integer
---@field normalisation? swale.Normalisation
---@field shaped? boolean             rows keep the axes of x
---@field vocabulary? integer
---@field augment? swale.Augmentation

---@param o swale.SplitOptions
---@return swale.Split
function M.new(o)
  local rows, scale, shift = o.x, nil, nil
  local augment = o.augment and options.check("augment", o.augment, AUGMENT)
  if o.normalisation and not augment and normalise.cancels(o.normalisation, o.x) then
    rows = normalise.standardised(o.normalisation, o.x)
  elseif o.normalisation then
    scale, shift = normalise.rows(o.normalisation, o.x:numel() // #o.x)
  end
  local source = core.source { x = rows, y = o.y, scale = scale, shift = shift,
    classes = o.classes, ignored = o.ignore_index, shaped = o.shaped, vocabulary = o.vocabulary,
    crop = augment and augment.crop, flip = augment and augment.flip }
  local shape = o.x:shape()
  return setmetatable({ source = source, x = o.x, y = o.y, clean_y = o.clean_y,
    classes = o.classes, shape = table.move(shape, 2, #shape, 1, {}), vocabulary = o.vocabulary,
    augmentation = augment, options = o }, Split)
end

---The same examples, whose images are randomly cropped and flipped in training:
---`split:augment { crop = 4, flip = true }`. Crop and flip are drawn from the training's seed and
---the example's position in it; evaluations get the images as they are.
---@param o swale.Augmentation|false   false: none
---@return swale.Split
function Split:augment(o)
  local new = {}
  for key, value in pairs(self.options) do new[key] = value end
  new.augment = o or nil
  return M.new(new)
end

local function index_tensor(list)
  local values = {}
  for i, position in ipairs(list) do values[i] = position - 1 end
  return core.tensor(values, "int32")
end

--- An index as the source takes it.
local function checked_index(self, where, index)
  if core.type(index) == "tensor" then return index end
  options.value(where, "index", index, "list")
  for i, position in ipairs(index) do
    if math.type(position) ~= "integer" or position < 1 or position > #self then
      errors.misuse("%s: position %s (entry %d) is not in 1 … %d", where, errors.shown(position), i,
        #self)
    end
  end
  return index_tensor(index)
end

---Some examples, normalised.
---@param index integer[]|swale.Tensor   a list of positions from 1, or an int32 tensor from 0
---@return swale.Tensor x, swale.Tensor? y
function Split:gather(index) return self.source:gather(checked_index(self, "gather", index)) end

--- A new split of the examples of an index, an int32 tensor from 0.
local function split_of(self, index)
  local x, y = self.source:gather(index)
  local clean_y = self.clean_y and require("swale.data.transform").rows(self.clean_y, index)
  return M.new { x = x:reshape { #index, table.unpack(self.shape) }, y = y, clean_y = clean_y,
    classes = self.classes, ignore_index = self.options.ignore_index,
    shaped = self.options.shaped, vocabulary = self.vocabulary }
end

---A new split of some examples, normalised.
---@param index integer[]|swale.Tensor   a list of positions from 1, or an int32 tensor from 0
---@return swale.Split
function Split:select(index) return split_of(self, checked_index(self, "select", index)) end

---A new split of n different examples, drawn at random, normalised. It draws from the stream
---"sample", so that sampling does not change a training.
---@param n integer
---@param seed? integer   1
---@return swale.Split
function Split:sample(n, seed)
  n = options.value("sample", "n", n, "count")
  if n > #self then errors.misuse("sample: asked for %d examples, there are %d", n, #self) end
  local order = core.random(seed or 1, "sample"):permutation(#self)
  local drawn = split_of(self, order:narrow(1, 1, n):contiguous())
  drawn.drawn_from = self.drawn_from or #self
  return drawn
end

--- Returns a function that gives the next count indices in the order of trainings: epoch e is the
--- permutation of stream ("data", e) of the seed, and batches carry over the end of an epoch.
local function index_stream(n, seed)
  local epoch, at, order = -1, n, nil
  return function(count)
    local parts = {}
    while count > 0 do
      if at == n then
        epoch, at = epoch + 1, 0
        order = core.random(seed, "data", epoch):permutation(n)
      end
      local taken = math.min(count, n - at)
      parts[#parts + 1] = order:narrow(1, at + 1, taken)
      at, count = at + taken, count - taken
    end
    return parts
  end
end

local function joined(parts, count)
  if #parts == 1 then return parts[1]:contiguous() end
  local index, at = core.zeros({ count }, "int32"), 1
  for _, part in ipairs(parts) do
    index:narrow(1, at, #part):copy(part)
    at = at + #part
  end
  return index
end

local BATCHES = { size = "count", epochs = { "positive", 1 }, seed = { "integer", 1 } }

---Batches for a training loop of your own, in the order of a Trainer with that seed:
---`for batch in data.train:batches { size = 128, epochs = 5 } do … batch.x, batch.y … end`. Images
---are cropped and flipped as in the Trainer. The last batch may be smaller.
---@param o { size: integer, epochs?: number, seed?: integer }
---@return fun(): swale.Batch|nil
function Split:batches(o)
  o = options.check("batches", o, BATCHES)
  local left, position, step = math.floor(o.epochs * #self + 0.5), 0, -1
  local next_indices = index_stream(#self, o.seed)
  return function()
    local count = math.min(o.size, left)
    if count <= 0 then return nil end
    local x, y = self.source:gather(joined(next_indices(count), count), o.seed, position)
    left, position, step = left - count, position + count, step + 1
    return { x = x, y = y, shape = self.shape, step = step, position = position - count }
  end
end

return M
