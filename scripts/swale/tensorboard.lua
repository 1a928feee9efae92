--- Event files of TensorBoard: a sequence of TFRecords (length, its checksum, data, its checksum),
--- each an Event in the wire format of protocol buffers.
local M = {}

-- ------------------------------------------------------------------ checksums

local POLYNOMIAL <const> = 0x82f63b78 -- CRC-32C, reflected

local TABLE = {}
for i = 0, 255 do
  local x = i
  for _ = 1, 8 do x = x & 1 == 1 and x >> 1 ~ POLYNOMIAL or x >> 1 end
  TABLE[i] = x
end

---@param text string
---@return integer
function M.crc32c(text)
  local x = 0xffffffff
  for i = 1, #text do x = TABLE[(x ~ text:byte(i)) & 0xff] ~ x >> 8 end
  return x ~ 0xffffffff
end

--- Checksums are stored so that the checksum of a text with checksums is not a special one.
local function masked(text)
  local x = M.crc32c(text)
  return ((x >> 15 | x << 17) + 0xa282ead8) & 0xffffffff
end

local function framed(data)
  local length = ("<I8"):pack(#data)
  return ("%s%s%s%s"):format(length, ("<I4"):pack(masked(length)), data, ("<I4"):pack(masked(data)))
end

-- ------------------------------------------------------------------ protocol buffers

local VARINT <const>, EIGHT_BYTES <const>, TEXT <const>, FOUR_BYTES <const> = 0, 1, 2, 5

local function varint(n)
  local bytes = {}
  repeat
    local low = n & 0x7f
    n = n >> 7
    bytes[#bytes + 1] = string.char(n ~= 0 and low | 0x80 or low)
  until n == 0
  return table.concat(bytes)
end

local function key(field, type_) return varint(field << 3 | type_) end
local function whole(field, n) return key(field, VARINT) .. varint(n) end
local function double(field, x) return key(field, EIGHT_BYTES) .. ("<d"):pack(x) end
local function text(field, s) return key(field, TEXT) .. varint(#s) .. s end

--- Numbers beyond float32 are infinite there.
local function float(field, x) return key(field, FOUR_BYTES) .. ("<f"):pack(x) end

-- Fields of tensorflow.Event, Summary, Summary.Value, SummaryMetadata and TensorProto.
local WALL_TIME <const>, STEP <const>, FILE_VERSION <const>, SUMMARY <const> = 1, 2, 3, 5
local VALUE <const>, TAG <const>, SIMPLE_VALUE <const>, TENSOR <const>, METADATA <const> =
  1, 1, 2, 8, 9
local DTYPE <const>, SHAPE <const>, STRING_VAL <const>, DT_STRING <const> = 1, 2, 8, 7

local function event(seconds, step, rest)
  return framed(double(WALL_TIME, seconds) .. whole(STEP, step) .. rest)
end

---Returns the first record of a file.
---@param seconds number   since 1970
---@return string
function M.head(seconds) return event(seconds, 0, text(FILE_VERSION, "brain.Event:2")) end

---Returns a record with scalars of a step.
---@param seconds number
---@param step integer
---@param scalars { [1]: string, [2]: number }[]   tag and value
---@return string
function M.scalars(seconds, step, scalars)
  local values = {}
  for i, scalar in ipairs(scalars) do
    values[i] = text(VALUE, text(TAG, scalar[1]) .. float(SIMPLE_VALUE, scalar[2]))
  end
  return event(seconds, step, text(SUMMARY, table.concat(values)))
end

---Returns a record with a text, which TensorBoard shows as Markdown.
---@param seconds number
---@param tag string
---@param words string
---@return string
function M.text(seconds, tag, words)
  local metadata = text(1, text(1, "text")) -- plugin_data.plugin_name
  local shape = text(2, whole(1, 1))        -- one dimension of size 1
  local tensor = whole(DTYPE, DT_STRING) .. text(SHAPE, shape) .. text(STRING_VAL, words)
  return event(seconds, 0, text(SUMMARY, text(VALUE, text(TAG, tag) .. text(TENSOR, tensor)
    .. text(METADATA, metadata))))
end

return M
