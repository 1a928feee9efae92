--- Values as one text, exactly: what comes back is what was given, or the path of what cannot.
local core = require "swale.core"
local encode = require "swale.trainer.encode"
local lu = require "luaunit"
local sw = require "swale"

TestEncode = {}

--- The value as a file gives it back; nil and the reason if it cannot be kept.
local function back(value)
  local tensors = {}
  local found, reason = encode.value(encode.encoder(tensors), value, "mem")
  if reason then return nil, reason end
  local text = core.json_encode { found }
  local ok, read = encode.read(encode.decoder(tensors), core.json_decode(text)[1])
  assert(ok, read)
  return read, tensors
end

local function same_bits(a, b)
  return math.type(a) == math.type(b) and string.pack(math.type(a) == "float" and "d" or "j", a)
    == string.pack(math.type(b) == "float" and "d" or "j", b)
end

function TestEncode:test_numbers()
  for _, x in ipairs { 0, -0.0, 0.0, 1, 1.0, -1, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308,
    math.huge, -math.huge, math.maxinteger, math.mininteger, 2 ^ 53, 1 << 60, 1e100 } do
    lu.assert_true(same_bits(back(x), x), tostring(x))
  end
  local nan = back(0 / 0)
  lu.assert_true(nan ~= nan)
end

function TestEncode:test_texts()
  for _, text in ipairs { "", "plain", "é…\u{10FFFF}", "\0\255\128 bytes", "\237\160\128",
    '"quotes"\n\t\\', ("x"):rep(10000) } do
    lu.assert_equals(back(text), text)
  end
end

function TestEncode:test_tables_with_any_keys()
  for _, t in ipairs { {}, { 1, 2, "three", false }, { a = 1, [1] = "one", [3] = "hole" },
    { [-5] = 1, [0] = 2, [1.5] = 3, [true] = 4, [false] = 5, ["\255"] = 6, [math.huge] = 7 },
    { [1] = 1, [2] = 2, [4] = 4 }, { nested = { { { x = { 1 } } } } } } do
    lu.assert_equals(back(t), t)
  end
  local keys = back { [1] = "integer", ["1"] = "text" }
  lu.assert_equals({ keys[1], keys["1"] }, { "integer", "text" })
end

function TestEncode:test_shared_and_cyclic_tables()
  local shared = { 1 }
  local t = { a = shared, b = shared, list = { shared } }
  t.self, shared.up = t, t
  local found = back(t)
  lu.assert_is(found.a, found.b)
  lu.assert_is(found.list[1], found.a)
  lu.assert_is(found.self, found)
  lu.assert_is(found.a.up, found)
end

function TestEncode:test_tensors()
  local f = sw.tensor({ { 1, 0 / 0 }, { -0.0, math.huge } }, "float64")
  local i = sw.tensor({ 7 }, "int32")
  local found, tensors = back { f = f, again = f, i = i, view = f[1] }
  lu.assert_is(found.f, f)
  lu.assert_is(found.again, f)
  lu.assert_is(found.i, i)
  local count = 0
  for _ in pairs(tensors) do count = count + 1 end
  lu.assert_equals(count, 3)
end

function TestEncode:test_streams_go_on()
  for draws = 0, 5 do
    local random = sw.random(3, "a stream", 7)
    for _ = 1, draws do random:integer(10) end
    local other = back { r = random }.r
    for _ = 1, 9 do
      lu.assert_equals({ other:uniform(), other:integer(7), other:normal() },
        { random:uniform(), random:integer(7), random:normal() })
    end
  end
  local random = sw.random(1)
  lu.assert_error_msg_contains("not what random:save gives", random.load, random, { 1, 2 })
  lu.assert_error_msg_contains("not what random:save gives", random.load, random,
    { 1, 2, 3, 5, 0, 0, 0, 0 })
end

function TestEncode:test_estimates()
  local e = sw.estimate { value = 2, low = 1, high = math.huge, target = "x", effort = 12 }
  local found = back { e }[1]
  lu.assert_equals(tostring(found), tostring(e))
  lu.assert_true(found:above(0.5))
  lu.assert_equals(found.effort, 12)
end

function TestEncode:test_what_cannot_be_kept_is_named_by_its_path()
  local function refused(value) return select(2, back(value)) end
  lu.assert_equals(refused(print), "mem is a function")
  lu.assert_equals(refused { history = { 1, 2, print } }, "mem.history[3] is a function")
  lu.assert_equals(refused { ["a b"] = { [2.5] = io.stdout } }, 'mem["a b"][2.5] is an object')
  lu.assert_equals(refused { x = { [{}] = 1 } }, "mem.x has a key that is a table")
  lu.assert_equals(refused { c = coroutine.create(print) }, "mem.c is a coroutine")
  lu.assert_equals(refused { o = setmetatable({}, {}) }, "mem.o has a metatable")
  lu.assert_equals(refused { g = core.graph() }, "mem.g is an object (graph)")
  local deep = {}
  for _ = 1, 200 do deep = { deep } end
  lu.assert_str_contains(refused(deep), "is nested deeper than 80")
end

--- What was refused leaves nothing behind: the numbers of later references are right.
function TestEncode:test_the_rest_is_kept()
  local tensors = {}
  local encoder, shared = encode.encoder(tensors), { 1 }
  lu.assert_nil(encode.value(encoder, { shared, sw.ones { 2 }, print }, "bad"))
  lu.assert_nil(next(tensors))
  local first = encode.value(encoder, { shared }, "a")
  local second = encode.value(encoder, { shared, {} }, "b")
  local decoder = encode.decoder(tensors)
  local _, a = encode.read(decoder, first)
  local _, b = encode.read(decoder, second)
  lu.assert_is(a[1], b[1])
end

function TestEncode:test_damaged_texts()
  for _, text in ipairs { '["q"]', '["n", "one"]', '["r", 5]', '["w", "none"]', '["t", 1, 2]',
    '["o", [], [], "car"]', '["x", 5]', '["s", [1]]', "[]" } do
    local ok, why = encode.read(encode.decoder {}, core.json_decode(text))
    lu.assert_false(ok, text)
    lu.assert_str_contains(why, "its state is damaged")
  end
end
