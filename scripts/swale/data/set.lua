--- Data sets as objects: up to three splits, normalised alike.
local class = require "swale.class"
local errors = require "swale.errors"
local normalise = require "swale.data.normalise"
local splits = require "swale.data.split"

local M = {}

---@class swale.Data
---@field name string
---@field train swale.Split
---@field valid swale.Split?
---@field test swale.Split?
---@field features integer           values in a row
---@field shape integer[]            of a row: { height, width, channels }
---@field classes integer?           nil: the targets are numbers
---@field class_names string[]?      where they have some
---@field ignore_index integer?      a label that does not count, for losses that leave it out
---@field names string[]?            of the features, where they have some
---@field normalisation swale.Normalisation?   of the rows
---@field images boolean             models get rows in this shape, else flat
---@field vocabulary integer?        rows are class indices below it, as of a text
---@field alphabet string?           of a text: the characters of the indices
---@field known table?               of synthetic problems: what is known exactly
local Data = class.new("data", { fields = {
  "name", "train", "valid", "test", "features", "shape", "classes", "class_names", "names",
  "normalisation", "images", "vocabulary", "alphabet", "known", "ignore_index" } })

M.SPLITS = { "train", "valid", "test" }

--- "fashion-mnist 55000/5000/10000"
function Data:__tostring()
  local sizes = {}
  for _, name in ipairs(M.SPLITS) do sizes[#sizes + 1] = self[name] and #self[name] or nil end
  return self.name .. " " .. table.concat(sizes, "/")
end

local function row_shape(x)
  local shape = x:shape()
  table.remove(shape, 1)
  if #shape == 0 then shape[1] = 1 end
  return shape
end

--- Rows in the shape that models get. images is true: as in x, (N, height, width) with one channel
--- added; or a shape.
local function with_rows(x, images)
  if not images then return x end
  local shape = x:shape()
  if images == true and #shape ~= 3 and #shape ~= 4 then
    errors.misuse("images: true needs x of shape (N, height, width, channels), not %s; else a"
      .. " shape: images = { height, width, channels }", errors.shape_text(shape))
  elseif images == true then
    shape[4] = shape[4] or 1
  else
    shape = { #x, table.unpack(images) }
  end
  return x:reshape(shape)
end

--- What the source finds wrong with a split's values goes to refuse(split, why), which knows where
--- the split is from.
local function new_split(split, o, refuse)
  local ok, result = pcall(splits.new, o)
  if ok then return result end
  if type(result) ~= "string" then error(result, 0) end
  refuse(split, (result:gsub("^[^\n]-:%d+: ", "", 1):gsub("^source: ", "")))
end

---@class swale.Parts                 of a data set
---@field name string
---@field parts table<string, { x: swale.Tensor, y?: swale.Tensor, clean_y?: swale.Tensor }>
---@field classes? integer
---@field class_names? string[]
---@field ignore_index? integer
---@field names? string[]
---@field normalisation? swale.Normalisation
---@field images? boolean|integer[]
---@field vocabulary? integer
---@field alphabet? string
---@field augment? swale.Augmentation     of the training split
---@field known? table
---@field refuse fun(split: string, why: string)   raises what the source found wrong

---@param o swale.Parts
---@return swale.Data
function M.new(o)
  local first = with_rows(o.parts.train.x, o.images)
  local data = { name = o.name, classes = o.classes, class_names = o.class_names, names = o.names,
    normalisation = o.normalisation, known = o.known, shape = row_shape(first),
    features = first:numel() // #first, images = o.images and true or false,
    vocabulary = o.vocabulary, alphabet = o.alphabet, ignore_index = o.ignore_index }
  for split, part in pairs(o.parts) do
    data[split] = new_split(split, { x = with_rows(part.x, o.images), y = part.y,
      clean_y = part.clean_y, classes = o.classes, ignore_index = o.ignore_index,
      normalisation = o.normalisation,
      shaped = data.images, vocabulary = o.vocabulary }, o.refuse)
  end
  if o.augment then data.train = data.train:augment(o.augment) end
  return setmetatable(data, Data)
end

local function alphabet_of(self, method)
  return self.alphabet or errors.misuse("%s: %s is no text", method, self.name)
end

---The characters of a text as class indices. For data sets of texts.
---@param text string
---@return swale.Tensor   int32 (n)
function Data:encode(text)
  return require("swale.data.text").encode(alphabet_of(self, "encode"), text)
end

---The text of class indices. For data sets of texts.
---@param indices swale.Tensor|integer[]   from 0
---@return string
function Data:decode(indices)
  return require("swale.data.text").decode(alphabet_of(self, "decode"), indices)
end

-- ------------------------------------------------------------------ derived data sets
-- They share the tensors that do not change.

---The same rows, normalised another way, by the moments of this training split.
---@param kind swale.Standardise
---@return swale.Data
function Data:standardise(kind)
  kind = normalise.kind("standardise", kind)
  local change = require("swale.data.transform").change
  return change(self, { normalisation = normalise.of(kind, self.train.x) or false })
end

---The same data; training images are randomly cropped and flipped: see Split:augment.
---@param o swale.Augmentation|false
---@return swale.Data
function Data:augment(o) return require("swale.data.transform").change(self, { augment = o }) end

---The same data with wrong labels: round(rate N) different examples, drawn at random, get another
---class, all others equally likely. The true labels are kept as split.clean_y. With the same seed,
---a higher rate changes all that a lower one changes, in the same way.
---@param o swale.LabelNoiseOptions
---@return swale.Data
function Data:label_noise(o) return require("swale.data.transform").label_noise(self, o) end

---The same data with random labels (Zhang et al. 2017). The true labels are kept as split.clean_y.
---@param o? swale.RandomLabelsOptions
---@return swale.Data
function Data:random_labels(o) return require("swale.data.transform").random_labels(self, o) end

---The same data with n different examples of the training split, drawn at random; valid, test and
---normalisation stay. With the same seed, a subset of n is the first n of a larger one (unless
---stratified).
---@param o swale.SubsetOptions
---@return swale.Data
function Data:subset(o) return require("swale.data.transform").subset(self, o) end

return M
