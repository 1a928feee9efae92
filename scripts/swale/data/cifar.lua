--- CIFAR-10 and CIFAR-100: their binary files as tensors, and their splits.
---
--- Training images get one fixed order, the permutation of stream ("cifar", 0) of seed 1 for their
--- number, and the last of that order are validation. The cache holds all of them in that order, so
--- that any number of validation images, none too, is a view of it.
local core = require "swale.core"
local errors = require "swale.errors"
local normalise = require "swale.data.normalise"

local M = {}

--- Gathers rows, a chunk at a time: gathered rows are float32 in between.
local function rows(t, index)
  local shape, chunk = t:shape(), 1000
  local source, out = core.source { x = t, shaped = true }, core.zeros(shape, "uint8")
  for first = 1, #index, chunk do
    local n = math.min(chunk, #index - first + 1)
    out:narrow(1, first, n):copy((source:gather(index:narrow(1, first, n):contiguous())))
  end
  return out
end

local function joined(list)
  if #list == 1 then return list[1] end
  local shape, at = list[1]:shape(), 1
  shape[1] = 0
  for _, t in ipairs(list) do shape[1] = shape[1] + #t end
  local out = core.zeros(shape, "uint8")
  for _, t in ipairs(list) do
    out:narrow(1, at, #t):copy(t)
    at = at + #t
  end
  return out
end

---@type swale.DataFormat
M.format = { as_published = false }

--- Some training images are enough.
function M.format.complete(manifest, has)
  for key in pairs(manifest.files) do if key ~= "test" and has(key) then return true end end
  return false
end

--- Everything in the files, training images in their order: train.x, train.y, and of a test file
--- test.x, test.y.
function M.format.read(paths, manifest)
  local xs, ys, tensors = {}, {}, {}
  for _, key in ipairs(errors.sorted(paths)) do
    local x, y = errors.check(core.cifar_read(paths[key], manifest.record))
    if key == "test" then
      tensors["test.x"], tensors["test.y"] = x, y
    else
      xs[#xs + 1], ys[#ys + 1] = x, y
    end
  end
  local x, y = joined(xs), joined(ys)
  local order = core.random(1, "cifar"):permutation(#x)
  tensors["train.x"], tensors["train.y"] = rows(x, order), rows(y, order)
  return tensors
end

--- The default number of validation images, out of n for training.
function M.format.valid(n) return n // 10 end

--- Mean and deviation of each channel, of the training images of the default split.
function M.format.metadata(tensors)
  local x = tensors["train.x"]
  local moments = normalise.of("channel", x:narrow(1, 1, #x - M.format.valid(#x)))
  local function text(t)
    local words = {}
    for i, value in ipairs(t:table()) do words[i] = ("%.17g"):format(value) end
    return table.concat(words, " ")
  end
  return { channel_mean = text(moments.mean), channel_deviation = text(moments.deviation) }
end

function M.format.normalisation(kind, metadata)
  if kind ~= "channel" or not metadata.channel_mean then return nil end
  local function numbers(text)
    local list = {}
    for word in text:gmatch "%S+" do list[#list + 1] = tonumber(word) end
    return core.tensor(list, "float64")
  end
  return { kind = "channel", mean = numbers(metadata.channel_mean),
    deviation = numbers(metadata.channel_deviation) }
end

local function part(x, y, first, n, column)
  if n == 0 then return nil end
  return { x = x:narrow(1, first, n), y = y:narrow(1, first, n):select(2, column) }
end

function M.format.parts(tensors, o)
  local x, y, column = tensors["train.x"], tensors["train.y"], o.column
  local valid = o.valid or M.format.valid(#x)
  if valid < 0 or valid >= #x then
    errors.misuse("data.load: valid is %d, but there are %d training images", valid, #x)
  end
  local parts = { train = part(x, y, 1, #x - valid, column),
    valid = part(x, y, #x - valid + 1, valid, column) }
  if tensors["test.x"] then
    parts.test = part(tensors["test.x"], tensors["test.y"], 1, #tensors["test.x"], column)
  end
  return parts
end

return M
