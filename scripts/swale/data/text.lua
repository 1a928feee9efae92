--- A text by characters (bytes). An example is a window of it; x has its characters as class
--- indices, y the character after each of them:
---
---     x = c[i] … c[i + length - 1],   y = c[i + 1] … c[i + length],   i = 0, stride, 2 stride, …
---
--- Training is the beginning of the text, followed by validation and test; no window spans two.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local inputs = require "swale.run.inputs"
local options = require "swale.options"
local sets = require "swale.data.set"

local M = {}

---@class swale.TextOptions
---@field length? integer         64, characters in a window
---@field stride? integer         from one window to the next: length. With less, windows overlap,
---                               and each has its own copy
---@field valid? number           0.1, share of the text; 0: none
---@field test? number            0
---@field alphabet? "occurring"|"all"   the bytes that occur, in order; or all 256
---@field name? string

local TEXT = { length = { "count", 64 }, stride = "count?", valid = { "nonnegative", 0.1 },
  test = { "nonnegative", 0 }, alphabet = { choice = { "occurring", "all" }, "occurring" },
  name = "string?" }

local LONGEST_PATH = 1000 -- a longer string, or one with a line break, is a text

local function read(source)
  if source:find "\n" or #source > LONGEST_PATH then return source, "text" end
  local text, message = folders.read(source)
  if text then
    inputs.file(source, "data")
    return text, source:match "[^/]*$"
  end
  errors.environment(("%s (this names a file; a text must have a line break)")
    :format(message), "EIO")
end

--- The bytes that occur, in order.
local function occurring(text)
  local seen, list = {}, {}
  for byte in text:gmatch "." do seen[byte] = true end
  for b = 0, 255 do if seen[string.char(b)] then list[#list + 1] = string.char(b) end end
  return table.concat(list)
end

local function all_bytes()
  local list = {}
  for b = 0, 255 do list[b + 1] = string.char(b) end
  return table.concat(list)
end

--- The index in the alphabet of each byte; 0 for those not in it.
local function map_of(alphabet)
  local at = {}
  for i = 1, #alphabet do at[alphabet:byte(i)] = i - 1 end
  local map = {}
  for b = 0, 255 do map[b + 1] = string.char(at[b] or 0) end
  return table.concat(map)
end

--- Windows of t (n) from element first (from 1): (count, length). A stride equal to length needs no
--- copy; else all windows are copied at once, stride columns at a time.
local function windows(t, first, count, length, stride)
  if stride == length then
    return t:narrow(1, first, count * length):reshape { count, length }
  end
  local padded, out = core.zeros({ #t + stride }, "uint8"), core.zeros({ count, length }, "uint8")
  padded:narrow(1, 1, #t):copy(t)
  for at = 0, length - 1, stride do
    local n = math.min(stride, length - at)
    local table_of = padded:narrow(1, first + at, count * stride):reshape { count, stride }
    out:narrow(2, at + 1, n):copy(table_of:narrow(2, 1, n))
  end
  return out
end

local function part(t, o)
  if #t < o.length + 1 then return nil end
  local count = (#t - 1 - o.length) // o.stride + 1
  return { x = windows(t, 1, count, o.length, o.stride),
    y = windows(t, 2, count, o.length, o.stride) }
end

local function parts_of(t, o)
  local valid, test = math.floor(#t * o.valid), math.floor(#t * o.test)
  local n, parts = #t - valid - test, {}
  if o.valid + o.test >= 1 then
    errors.misuse("data.text: valid and test are shares of the text, %g and %g leave nothing",
      o.valid, o.test)
  end
  local sizes, first = { train = n, valid = valid, test = test }, 1
  for _, split in ipairs(sets.SPLITS) do
    parts[split] = part(t:narrow(1, first, sizes[split]), o)
    if not parts[split] and (split == "train" or sizes[split] > 0) then
      errors.misuse("data.text: %s: %d characters are too few for a window of %d and one more",
        split, sizes[split], o.length)
    end
    first = first + sizes[split]
  end
  return parts
end

---See sw.data.text. The data set has `vocabulary` and `classes`, the size of the alphabet, and the
---methods encode and decode.
---@param source string   a file; or the text itself, if it has a line break
---@param o? swale.TextOptions
---@return swale.Data
function M.new(source, o)
  options.value("data.text", "source", source, "string")
  o = options.check("data.text", o, TEXT)
  o.stride = o.stride or o.length
  local text, name = read(source)
  local alphabet = o.alphabet == "all" and all_bytes() or occurring(text)
  return sets.new { name = o.name or name, parts = parts_of(core.bytes(text, map_of(alphabet)), o),
    classes = #alphabet, vocabulary = #alphabet, alphabet = alphabet,
    refuse = function(split, why) errors.misuse("data.text: %s: %s", split, why) end }
end

---@param alphabet string
---@param text string
---@return swale.Tensor   int32 (n)
function M.encode(alphabet, text)
  options.value("encode", "text", text, "string")
  for i = 1, #text do
    if not alphabet:find(text:sub(i, i), 1, true) then
      errors.misuse("encode: the data's alphabet has no %q (character %d)", text:sub(i, i), i)
    end
  end
  return core.bytes(text, map_of(alphabet)):to "int32"
end

---@param alphabet string
---@param indices swale.Tensor|integer[]   from 0
---@return string
function M.decode(alphabet, indices)
  options.value("decode", "indices", indices, "table|tensor")
  if core.type(indices) == "tensor" then indices = indices:reshape({ -1 }):table() end
  local list = {}
  for i, index in ipairs(indices) do
    if math.type(index) ~= "integer" or index < 0 or index >= #alphabet then
      errors.misuse("decode: index %s (entry %d) is not in 0 … %d", errors.shown(index), i,
        #alphabet - 1)
    end
    list[i] = alphabet:sub(index + 1, index + 1)
  end
  return table.concat(list)
end

return M
