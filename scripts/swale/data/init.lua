--- Data sets: known ones by name, IDX files of one's own, tensors, problems with known answers.
local cache = require "swale.data.cache"
local errors = require "swale.errors"
local manifests = require "swale.data.manifests"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local sets = require "swale.data.set"

---@class swale.data
local M = {}

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

local LOAD = { standardise = { "boolean|string", true } }

--- The cache keeps the moments of all values.
local function normalisation_of(kind, x, metadata)
  if kind ~= "global" or not metadata.mean then return normalise.of(kind, x) end
  return { kind = kind, mean = tonumber(metadata.mean), deviation = tonumber(metadata.deviation) }
end

---A data set by name. What is not on this machine is fetched. Rows are standardised by mean and
---deviation of the training split: of all values, of each feature or of each channel.
---@param name string   "fashion-mnist", "mnist" or "digits"
---@param o? { standardise?: swale.Standardise }   true; false: values as in the files
---@return swale.Data
function M.load(name, o)
  check_name(name)
  o = options.check("data.load", o, LOAD)
  local kind = normalise.kind("data.load", o.standardise)
  local tensors, metadata = cache.load(name)
  local parts = {}
  for _, split in ipairs(sets.SPLITS) do
    parts[split] = { x = tensors[split .. ".x"], y = tensors[split .. ".y"] }
  end
  return sets.new { name = name, parts = parts, classes = manifests.sets[name].classes,
    normalisation = normalisation_of(kind, parts.train.x, metadata),
    refuse = function(split, why)
      errors.environment(("%s: %s: %s\n  Remove the file; `swale data get %s` makes it anew.")
        :format(cache.path(name), split, why, name), "ECORRUPT")
    end }
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

---@class swale.RawSplit
---@field x swale.Tensor
---@field y? swale.Tensor

---@class swale.TensorDataOptions
---@field train swale.RawSplit
---@field valid? swale.RawSplit
---@field test? swale.RawSplit
---@field classes? integer        wanted where y are labels
---@field name? string
---@field standardise? swale.Standardise    false

local FROM_TENSORS = { name = { "string", "tensors" }, classes = "count?", train = "table",
  valid = "table?", test = "table?", standardise = { "boolean|string", false } }

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
  local kind = normalise.kind("from_tensors", o.standardise)
  local parts, features = {}, nil
  for _, split in ipairs(sets.SPLITS) do
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
  return sets.new { name = o.name, parts = parts, classes = o.classes,
    normalisation = normalise.of(kind, parts.train.x),
    refuse = function(split, why) errors.misuse("from_tensors: %s: %s", split, why) end }
end

---Data from IDX files, plain or gzipped. The last `valid` examples of the training files become the
---validation split.
---@param o swale.IdxOptions
---@return swale.Data
function M.idx(o) return require("swale.data.idx").load(o) end

---Data from csv files: see swale.data.csv.
---@param o swale.CsvOptions
---@return swale.Data
function M.csv(o) return require("swale.data.csv").load(o) end

-- ------------------------------------------------------------------ problems with known answers

---Clouds of Gaussian noise: see swale.data.mixture.
---@param o? swale.MixtureOptions
---@return swale.Data
function M.gaussian_mixture(o) return require("swale.data.mixture").new(o) end

---Gaussian inputs, labelled by a random network: see swale.data.teacher.
---@param o swale.TeacherOptions
---@return swale.Data
function M.teacher(o) return require("swale.data.teacher").new(o) end

---Two arms that wind around each other: see swale.data.spirals.
---@param o? swale.SpiralsOptions
---@return swale.Data
function M.two_spirals(o) return require("swale.data.spirals").new(o) end

---The noisy quadratic: see swale.data.quadratic.
---@param o swale.QuadraticOptions
---@return swale.Quadratic
function M.noisy_quadratic(o) return require("swale.data.quadratic").new(o) end

return M
