--- Data sets by name.
local cache = require "swale.data.cache"
local errors = require "swale.errors"
local formats = require "swale.data.formats"
local manifests = require "swale.data.manifests"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

---@class swale.LoadOptions
---@field standardise? swale.Standardise   true; of colour images "channel"; false: not at all
---@field path? string                     a folder with the files, which are read each time
---@field images? boolean|integer[]        models get rows in their shape (CIFAR), else flat
---@field augment? swale.Augmentation      of the training images: { crop = 4, flip = true }
---@field valid? integer                   CIFAR: number of validation images (a tenth)
---@field labels? "fine"|"coarse"          of cifar100: its 100 classes or their 20 groups

local LOAD = { standardise = "boolean|string?", path = "string?", images = "boolean|table?",
  augment = "table?", valid = "integer?", labels = "string?" }

---@param name any
function M.check_name(name)
  if type(name) ~= "string" then
    errors.misuse("data: a data set goes by its name, not %s", errors.shown(name))
  elseif not manifests.sets[name] then
    errors.misuse('data: no data set "%s"%s There are: %s', name,
      errors.suggestion(name, manifests.sets), table.concat(errors.sorted(manifests.sets), ", "))
  end
end

--- The names of the sets for whose manifest `has` is true, as text.
local function those_with(has)
  local names = {}
  for _, name in ipairs(errors.sorted(manifests.sets)) do
    if has(manifests.sets[name]) then names[#names + 1] = name end
  end
  return table.concat(names, " and ")
end

local function lets_choose(manifest) return formats[manifest.format].valid ~= nil end
local function has_labels(manifest) return manifest.labels ~= nil end

--- The labels to take, of images that have several.
local function labels_of(manifest, wanted)
  local names = {}
  for i, labels in ipairs(manifest.labels or {}) do names[i] = labels.name end
  if #names == 0 then return { column = 1, classes = manifest.classes } end
  local o = options.check("data.load", { labels = wanted },
    { labels = { choice = names, names[1] } })
  for i, name in ipairs(names) do if name == o.labels then return manifest.labels[i] end end
end

local function refuse_others(name, manifest, o)
  if o.valid and not lets_choose(manifest) then
    errors.misuse("data.load: the validation examples of %s are always the same; valid goes with"
      .. " %s", name, those_with(lets_choose))
  elseif o.labels and not has_labels(manifest) then
    errors.misuse("data.load: labels goes with %s, which has several for each image",
      those_with(has_labels))
  end
end

--- The moments in the cache are of the default training split.
local function normalisation_of(kind, manifest, x, metadata, o)
  local kept = not o.valid and formats[manifest.format].normalisation(kind, metadata)
  return kept or normalise.of(kind, x)
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
  local labels = labels_of(manifest, o.labels)
  local tensors, metadata = cache.load(name, o.path)
  local parts = formats[manifest.format].parts(tensors, { valid = o.valid, column = labels.column })
  return sets.new { name = name, parts = parts, class_names = manifest.class_names,
    classes = labels.classes, augment = o.augment, images = either(o.images, manifest.images),
    normalisation = normalisation_of(kind, manifest, parts.train.x, metadata, o),
    refuse = refusal(name, o) }
end

return M
