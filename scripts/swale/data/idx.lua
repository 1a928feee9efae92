--- Data sets in IDX files: the user's own, and known ones, which are split in a fixed way.
local core = require "swale.core"
local errors = require "swale.errors"
local inputs = require "swale.run.inputs"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

---@class swale.IdxOptions
---@field train_images string
---@field train_labels string
---@field test_images? string
---@field test_labels? string
---@field valid? integer          0
---@field classes? integer        10
---@field images? boolean|integer[]        models get rows as images, (height, width, 1), else flat
---@field augment? swale.Augmentation
---@field name? string
---@field standardise? swale.Standardise    true

local IDX = { train_images = "string", train_labels = "string", test_images = "string?",
  test_labels = "string?", valid = { "integer", 0 }, classes = { "count", 10 },
  images = "boolean|table?", augment = "table?", name = { "string", "idx" },
  standardise = { "boolean|string", true } }

local function read_pair(images, labels)
  local x, y = errors.check(core.idx_read(images)), errors.check(core.idx_read(labels))
  inputs.file(images, "data")
  inputs.file(labels, "data")
  if #x ~= #y then
    errors.environment(("%s: %d images, but %s has %d labels"):format(images, #x, labels, #y),
      "ECORRUPT")
  end
  return x, y
end

--- A label outside the classes is a fault of the file: the message names it.
local function assemble_named(o, parts, kind)
  return sets.new { name = o.name, parts = parts, classes = o.classes,
    images = o.images, augment = o.augment,
    normalisation = normalise.of(kind, parts.train.x), refuse = function(split, why)
      local file = split == "test" and o.test_labels or o.train_labels
      errors.environment(("%s: %s: %s"):format(file, split, why), "ECORRUPT")
    end }
end

---See sw.data.idx.
---@param o swale.IdxOptions
---@return swale.Data
function M.load(o)
  o = options.check("data.idx", o, IDX)
  local kind = normalise.kind("data.idx", o.standardise)
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
  return assemble_named(o, parts, kind)
end

-- ------------------------------------------------------------------ known data sets

local function narrow(t, first, count) return t:narrow(1, first, count) end

--- Training files have train, then valid, then, without test files, test.
local function split_up(manifest, files)
  local sizes, parts = manifest.split, {}
  local function part(split, x, y, first)
    x = x:reshape { #x, table.unpack(manifest.shape) }
    parts[split .. ".x"], parts[split .. ".y"] = narrow(x, first, sizes[split]),
      narrow(y, first, sizes[split])
  end
  part("train", files.train_x, files.train_y, 1)
  part("valid", files.train_x, files.train_y, sizes.train + 1)
  if files.test_x then
    part("test", files.test_x, files.test_y, 1)
  else
    part("test", files.train_x, files.train_y, sizes.train + sizes.valid + 1)
  end
  return parts
end

---@type swale.DataFormat
M.format = { as_published = true }

function M.format.complete(manifest, has)
  for key in pairs(manifest.files) do if not has(key) then return false end end
  return true
end

function M.format.read(paths, manifest)
  local files = {}
  for key, path in pairs(paths) do files[key] = errors.check(core.idx_read(path)) end
  return split_up(manifest, files)
end

function M.format.metadata(tensors)
  local moments = normalise.of("global", tensors["train.x"])
  return { mean = ("%.17g"):format(moments.mean), deviation = ("%.17g"):format(moments.deviation) }
end

function M.format.normalisation(kind, metadata)
  if kind ~= "global" or not metadata.mean then return nil end
  return { kind = kind, mean = tonumber(metadata.mean), deviation = tonumber(metadata.deviation) }
end

function M.format.parts(tensors)
  local parts = {}
  for _, split in ipairs(sets.SPLITS) do
    parts[split] = { x = tensors[split .. ".x"], y = tensors[split .. ".y"] }
  end
  return parts
end

return M
