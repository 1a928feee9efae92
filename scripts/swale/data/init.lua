--- Data sets: known ones by name, IDX files of one's own, tensors, problems with known answers.
local cache = require "swale.data.cache"
local core = require "swale.core"
local errors = require "swale.errors"
local manifests = require "swale.data.manifests"
local options = require "swale.options"
local splits = require "swale.data.split"

---@class swale.data
local M = {}

---@class swale.Data
---@field name string
---@field train swale.Split
---@field valid swale.Split?
---@field test swale.Split?
---@field features integer           values in a row
---@field shape integer[]            of a row: { height, width, channels }
---@field classes integer?           nil: the targets are numbers
---@field normalisation { mean: number, deviation: number }?   what rows are standardised by
local Data = { __name = "swale.Data" }
Data.__index = Data

--- "fashion-mnist 55000/5000/10000"
function Data:__tostring()
  local sizes = {}
  for _, name in ipairs { "train", "valid", "test" } do
    sizes[#sizes + 1] = self[name] and #self[name] or nil
  end
  return self.name .. " " .. table.concat(sizes, "/")
end

local function row_shape(x)
  local shape = x:shape()
  table.remove(shape, 1)
  if #shape == 0 then shape[1] = 1 end
  return shape
end

--- What the source says of a split goes to refuse(split, why), which knows where the split is from.
local function new_split(split, o, refuse)
  local ok, result = pcall(splits.new, o)
  if ok then return result end
  if type(result) ~= "string" then error(result, 0) end
  refuse(split, (result:gsub("^[^\n]-:%d+: ", "", 1):gsub("^source: ", "")))
end

local function assemble(name, parts, classes, normalisation, refuse)
  local x = parts.train.x
  local data = { name = name, classes = classes, normalisation = normalisation,
    shape = row_shape(x), features = x:numel() // #x }
  for split, part in pairs(parts) do
    data[split] = new_split(split, { x = part.x, y = part.y, classes = classes,
      mean = normalisation and normalisation.mean,
      deviation = normalisation and normalisation.deviation }, refuse)
  end
  return setmetatable(data, Data)
end

--- A training set without any spread is only shifted.
local function moments_of(x)
  local mean, deviation = cache.moments(x)
  return { mean = mean, deviation = deviation > 0 and deviation or 1 }
end

---Names that load knows.
---@return string[]
function M.names() return errors.sorted(manifests.sets) end

local function check_name(name)
  if type(name) ~= "string" then
    errors.misuse("data: a data set goes by its name, not %s", tostring(name))
  elseif not manifests.sets[name] then
    errors.misuse('data: no data set "%s"%s There are: %s', name,
      errors.suggestion(name, manifests.sets), table.concat(M.names(), ", "))
  end
end

local LOAD = { standardise = { "boolean", true } }

---A data set by name. What is not on this machine is fetched. Rows are standardised by mean and
---deviation of all values of the training split.
---@param name string   "fashion-mnist", "mnist" or "digits"
---@param o? { standardise?: boolean }   true; false: values as in the files
---@return swale.Data
function M.load(name, o)
  check_name(name)
  o = options.check("data.load", o, LOAD)
  local tensors, metadata = cache.load(name)
  local parts = {}
  for _, split in ipairs { "train", "valid", "test" } do
    parts[split] = { x = tensors[split .. ".x"], y = tensors[split .. ".y"] }
  end
  local normalisation
  if o.standardise then
    normalisation = metadata.mean and { mean = tonumber(metadata.mean),
      deviation = tonumber(metadata.deviation) } or moments_of(parts.train.x)
  end
  return assemble(name, parts, manifests.sets[name].classes, normalisation, function(split, why)
    errors.environment(("%s: %s: %s\n  Remove the file; `swale data get %s` makes it anew."):format(
      cache.path(name), split, why, name), "ECORRUPT")
  end)
end

---Fetches a data set into the cache, without loading it.
---@param name string
---@return string|nil path   of the cached file
function M.get(name)
  check_name(name)
  return cache.get(name)
end

---Whether a data set can be loaded without a network.
---@param name string
---@return boolean
function M.is_here(name)
  check_name(name)
  return cache.state(name) ~= "missing"
end

local SPLIT_NAMES = { "train", "valid", "test" }

---@class swale.RawSplit
---@field x swale.Tensor
---@field y? swale.Tensor

---@class swale.TensorDataOptions
---@field train swale.RawSplit
---@field valid? swale.RawSplit
---@field test? swale.RawSplit
---@field classes? integer        wanted where y are labels
---@field name? string
---@field standardise? boolean    false

local FROM_TENSORS = { name = { "string", "tensors" }, classes = "count?", train = "table",
  valid = "table?", test = "table?", standardise = { "boolean", false } }

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

---Data from tensors: x (N, …) uint8 or float32; y (N) int32 or uint8 labels, counted from 0, or
---float32 targets (N, …).
---@param o swale.TensorDataOptions
---@return swale.Data
function M.from_tensors(o)
  o = options.check("from_tensors", o, FROM_TENSORS)
  local parts, features = {}, nil
  for _, split in ipairs(SPLIT_NAMES) do
    if o[split] then
      local n
      parts[split], n = check_split(split, o[split], features)
      features = features or n
    end
  end
  local y = parts.train.y
  if y and y:dtype() ~= "float32" and not o.classes then
    errors.misuse("from_tensors: labels need classes, their number")
  end
  return assemble(o.name, parts, o.classes, o.standardise and moments_of(parts.train.x) or nil,
    function(split, why) errors.misuse("from_tensors: %s: %s", split, why) end)
end

---@class swale.IdxOptions
---@field train_images string
---@field train_labels string
---@field test_images? string
---@field test_labels? string
---@field valid? integer          0
---@field classes? integer        10
---@field name? string
---@field standardise? boolean    true

local IDX = { train_images = "string", train_labels = "string", test_images = "string?",
  test_labels = "string?", valid = { "integer", 0 }, classes = { "count", 10 },
  name = { "string", "idx" }, standardise = { "boolean", true } }

local function read_pair(images, labels)
  local x, y = errors.check(core.idx_read(images)), errors.check(core.idx_read(labels))
  if #x ~= #y then
    errors.environment(("%s: %d images, but %s has %d labels"):format(images, #x, labels, #y),
      "ECORRUPT")
  end
  return x, y
end

--- A label outside the classes is a fault of the file, which has a name.
local function assemble_named(o, parts)
  local normalisation = o.standardise and moments_of(parts.train.x) or nil
  return assemble(o.name, parts, o.classes, normalisation, function(split, why)
    local file = split == "test" and o.test_labels or o.train_labels
    errors.environment(("%s: %s: %s"):format(file, split, why), "ECORRUPT")
  end)
end

---Data from IDX files, plain or gzipped. The last `valid` examples of the training files become the
---validation split.
---@param o swale.IdxOptions
---@return swale.Data
function M.idx(o)
  o = options.check("data.idx", o, IDX)
  local x, y = read_pair(o.train_images, o.train_labels)
  if #x == 0 then errors.environment(o.train_images .. ": no images in it", "ECORRUPT") end
  local n = #x - o.valid
  if o.valid < 0 or n < 1 then
    errors.misuse("data.idx: valid is %d, but there are %d examples", o.valid, #x)
  end
  local parts = { train = { x = x:narrow(1, 1, n), y = y:narrow(1, 1, n) } }
  if o.valid > 0 then
    parts.valid = { x = x:narrow(1, n + 1, o.valid), y = y:narrow(1, n + 1, o.valid) }
  end
  if o.test_images then
    if not o.test_labels then errors.misuse("data.idx: test_images needs test_labels") end
    local tx, ty = read_pair(o.test_images, o.test_labels)
    parts.test = { x = tx, y = ty }
  end
  return assemble_named(o, parts)
end

---The noisy quadratic: see swale.data.quadratic.
---@param o swale.QuadraticOptions
---@return swale.Quadratic
function M.noisy_quadratic(o) return require("swale.data.quadratic").new(o) end

return M
