--- Event files of TensorBoard, read back by code of the test's own and by protoc.
local folders = require "swale.folders"
local lu = require "luaunit"
local board = require "swale.run.board"
local process = require "swale.process"
local temporary = require "temporary"
local tensorboard = require "swale.tensorboard"

--- What of TensorFlow's event.proto, summary.proto and tensor.proto is in use, by field numbers.
local PROTO = [[
syntax = "proto3";
message PluginData { string plugin_name = 1; }
message Metadata { PluginData plugin_data = 1; }
message Dim { int64 size = 1; }
message Shape { repeated Dim dim = 2; }
message Tensor { int32 dtype = 1; Shape tensor_shape = 2; repeated bytes string_val = 8; }
message Value { string tag = 1; float simple_value = 2; Tensor tensor = 8; Metadata metadata = 9; }
message Summary { repeated Value value = 1; }
message Event {
  double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
}
message File { repeated Event event = 1; }
]]

--- CRC-32C bit by bit, from its definition: the remainder of a division of polynomials.
local function checksum(text)
  local x = 0xffffffff
  for i = 1, #text do
    for bit = 0, 7 do
      local top = (x >> 31) ~ (text:byte(i) >> bit & 1)
      x = (x << 1 & 0xffffffff) ~ (top == 1 and 0x1edc6f41 or 0)
    end
  end
  local reflected = 0
  for bit = 0, 31 do reflected = reflected | (x >> bit & 1) << (31 - bit) end
  return ~reflected & 0xffffffff
end

--- The records of a file, checked.
local function records(text)
  local list, at = {}, 1
  local function masked(part)
    local x = checksum(part)
    return (((x >> 15 | x << 17) & 0xffffffff) + 0xa282ead8) & 0xffffffff
  end
  while at <= #text do
    local size = ("<I8"):unpack(text, at)
    lu.assert_equals(("<I4"):unpack(text, at + 8), masked(text:sub(at, at + 7)))
    local data = text:sub(at + 12, at + 11 + size)
    lu.assert_equals(#data, size)
    lu.assert_equals(("<I4"):unpack(text, at + 12 + size), masked(data))
    list[#list + 1], at = data, at + 16 + size
  end
  return list
end

local function length(n)
  local bytes = ""
  while n > 127 do bytes, n = bytes .. string.char(n & 127 | 128), n >> 7 end
  return bytes .. string.char(n)
end

--- What protoc makes of the events of a file.
local function decoded(text)
  if not process.find "protoc" then
    if os.getenv "CI" == "true" then lu.fail "no protoc" end
    lu.skip "there is no protoc (package protobuf-compiler)"
  end
  local parts = {}
  for i, data in ipairs(records(text)) do parts[i] = "\x0a" .. length(#data) .. data end
  local result
  temporary.with_folder(function(folder)
    local file = assert(io.open(folder .. "/event.proto", "wb"))
    file:write(PROTO)
    file:close()
    result = assert(process.run({ "protoc", "--proto_path=" .. folder, "--decode=File",
      "event.proto" }, { input = table.concat(parts) }))
  end)
  lu.assert_equals(result.code, 0, result.err)
  return result.out
end

TestTensorboard = {}

function TestTensorboard:test_checksums_are_those_of_the_standard()
  lu.assert_equals(tensorboard.crc32c "123456789", 0xe3069283) -- the check value of CRC-32C
  lu.assert_equals(tensorboard.crc32c(("\0"):rep(32)), 0x8a9136aa) -- RFC 3720, B.4
  for _, text in ipairs { "", "a", ("\xff"):rep(100) } do
    lu.assert_equals(tensorboard.crc32c(text), checksum(text))
  end
end

function TestTensorboard:test_events_decode()
  local text = tensorboard.head(12.5) .. tensorboard.text(12.5, "parameters", "| lr |\n")
    .. tensorboard.scalars(13, 300, { { "step/loss", 0.25 }, { "step/lr", -1e300 } })
    .. tensorboard.scalars(14, 2 ^ 40 | 0, { { ("x"):rep(200), 0 / 0 } })
  local out = decoded(text)
  for _, part in ipairs { 'file_version: "brain.Event:2"', "wall_time: 12.5", "step: 300\n",
    'tag: "step/loss"\n      simple_value: 0.25\n', "simple_value: -inf", "simple_value: nan",
    "step: 1099511627776", 'tag: "' .. ("x"):rep(200), 'string_val: "| lr |\\n"',
    'plugin_name: "text"', "dtype: 7", "size: 1\n" } do
    lu.assert_str_contains(out, part)
  end
end

function TestTensorboard:test_all_numbers_of_a_record_are_there()
  temporary.with_folder(function(folder)
    local info = { started = "2026-11-29T01:02:03Z", seed = 3, params = { a_b = "x|y", lr = 0.5 } }
    local made = board.write(folder, info, {
      { kind = "step", step = 10, loss = 0.5, seconds = 2.5, word = "text", on = true } })
    made:record { kind = "measurement", name = "noise_scale", step = 12, value = "nan",
      seconds = 9 }
    made:record { kind = "epoch", step = 20, epoch = 1, valid_loss = "inf", seconds = 4 }
    made:record { kind = "mine", word = "no number" }
    made:close()
    lu.assert_equals(folders.entries(folder), { board.NAME })
    local out = decoded(assert(folders.read(folder .. "/" .. board.NAME)))
    local base = os.time { year = 2026, month = 11, day = 29, hour = 1, min = 2, sec = 3 }
      + os.difftime(os.time(os.date("*t", 0)), os.time(os.date("!*t", 0)))
    for _, part in ipairs { 'tag: "step/loss"', 'tag: "measurement/noise_scale/value"',
      'tag: "epoch/valid_loss"', "a\\\\_b", "x\\\\|y", "| seed | 3 |",
      ("wall_time: %.1f"):format(base + 2.5) } do
      lu.assert_str_contains(out, part)
    end
    lu.assert_equals(select(2, out:gsub("event {", "")), 5) -- two of them the head
    lu.assert_not_str_contains(out, "word")
  end)
end
