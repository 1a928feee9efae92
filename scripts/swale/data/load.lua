--- Data sets by name.
local cache = require "swale.data.cache"
local cifar = require "swale.data.cifar"
local errors = require "swale.errors"
local manifests = require "swale.data.manifests"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

---@class swale.LoadOptions
---@field standardise? swale.Standardise   true; of colour images "channel"; false: not at all
---@field path? string                     a folder that has the files; they are read each time
---@field images? boolean|integer[]        models see rows in their shape (CIFAR), else flat
---@field augment? swale.Augmentation      of the training images: { crop = 4, flip = true }
---@field valid? integer                   CIFAR: how many training images are validation (a tenth)
---@field labels? "fine"|"coarse"          of cifar100: its 100 classes or their 20 groups

local LOAD = { standardise = "boolean|string?", path = "string?", images = "boolean|table?",
  augment = "table?", valid = "integer?", labels = { choice = { "fine", "coarse" } } }

---@param name any
function M.check_name(name)
  if type(name) ~= "string" then
    errors.misuse("data: a data set goes by its name, not %s", errors.shown(name))
  elseif not manifests.sets[name] then
    errors.misuse('data: no data set "%s"%s There are: %s', name,
      errors.suggestion(name, manifests.sets), table.concat(errors.sorted(manifests.sets), ", "))
  end
end

local function refuse_others(name, manifest, o)
  if o.valid and not manifest.cifar then
    errors.misuse("data.load: the validation examples of %s are always the same; valid goes with"
      .. " cifar10 and cifar100", name)
  elseif o.labels and name ~= "cifar100" then
    errors.misuse "data.load: labels goes with cifar100, which has two for each image"
  end
end

--- The cache keeps moments of all values, or of channels.
local function normalisation_of(kind, x, metadata, o)
  local kept
  if kind == "global" and metadata.mean then
    kept = { kind = kind, mean = tonumber(metadata.mean),
      deviation = tonumber(metadata.deviation) }
  elseif kind == "channel" and not o.valid then
    kept = cifar.normalisation(metadata)
  end
  return kept or normalise.of(kind, x)
end

local function parts_of(name, tensors, o)
  local parts = {}
  if manifests.sets[name].cifar then
    local fine = name == "cifar100" and o.labels ~= "coarse"
    return cifar.parts(tensors, o.valid or cifar.valid(#tensors["train.x"]), fine and 2 or 1)
  end
  for _, split in ipairs(sets.SPLITS) do
    parts[split] = { x = tensors[split .. ".x"], y = tensors[split .. ".y"] }
  end
  return parts
end

local function either(a, b)
  if a == nil then return b end
  return a
end

local function refusal(name, o)
  local place = o.path or cache.path(name)
  local remedy = o.path and "" or
    ("\n  Remove the file; `swale data get %s` makes it anew."):format(name)
  return function(split, why)
    errors.environment(("%s: %s: %s%s"):format(place, split, why, remedy), "ECORRUPT")
  end
end

---See sw.data.load.
---@param name string
---@param o? swale.LoadOptions
---@return swale.Data
function M.load(name, o)
  M.check_name(name)
  o = options.check("data.load", o, LOAD)
  local manifest = manifests.sets[name]
  refuse_others(name, manifest, o)
  local kind = normalise.kind("data.load",
    either(o.standardise, either(manifest.standardise, true)))
  local tensors, metadata = cache.load(name, o.path)
  local parts = parts_of(name, tensors, o)
  return sets.new { name = name, parts = parts, class_names = manifest.class_names,
    classes = o.labels == "coarse" and 20 or manifest.classes, augment = o.augment,
    images = either(o.images, manifest.images),
    normalisation = normalisation_of(kind, parts.train.x, metadata, o), refuse = refusal(name, o) }
end

return M
