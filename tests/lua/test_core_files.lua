--- swale.core: JSON, IDX, safetensors, whole files.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
if os.getenv "SWALE_BUILD" then
  package.cpath = os.getenv "SWALE_BUILD" .. "/lua/?.so;" .. package.cpath
end

local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local raises, with_folder, run_child, read = harness.raises, harness.with_folder, harness.run_child,
  harness.read

TestJson = {}

local function encoded(value, indent) return core.json_encode(value, indent) end

function TestJson:test_what_is_written()
  lu.assert_equals(encoded { b = 1, a = { 1, 2.0, 0.1 }, c = {}, [""] = true },
    '{"":true,"a":[1,2.0,0.1],"b":1,"c":{}}')
  lu.assert_equals(encoded(nil), "null")
  lu.assert_equals(encoded { 0 / 0 * 0, 1 / 0, -1 / 0, -0.0, 1e300 },
    '["nan","inf","-inf",-0.0,1e+300]')
  lu.assert_equals(encoded { math.mininteger, 0.1 + 0.2, 1 / 3 },
    "[-9223372036854775808,0.30000000000000004,0.3333333333333333]")
  lu.assert_equals(encoded '"\\\n\0\1é', '"\\"\\\\\\n\\u0000\\u0001é"')
  lu.assert_equals(encoded({ a = { 1, {} } }, 2), '{\n  "a": [\n    1,\n    {}\n  ]\n}')
  lu.assert_equals(encoded({ 1 }, 0), "[\n1\n]")
end

function TestJson:test_bytes_that_are_not_utf8_are_replaced()
  local bad = "\u{fffd}"
  lu.assert_equals(encoded "a\xffb", '"a' .. bad .. 'b"')
  lu.assert_equals(encoded "\xc0\x80", '"' .. bad .. bad .. '"') -- overlong
  lu.assert_equals(encoded "\xed\xa0\x80", '"' .. bad:rep(3) .. '"') -- a surrogate
  lu.assert_equals(encoded "\xe2\x82", '"' .. bad .. bad .. '"') -- cut short
  lu.assert_equals(encoded "\u{10ffff}", '"\u{10ffff}"')
end

function TestJson:test_what_cannot_be_written()
  raises("json_encode: a key has a zero byte at params", encoded, { params = { ["a\0b"] = 1 } })
  for _, key in ipairs { "\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80" } do
    raises("json_encode: a key is not UTF-8", encoded, { [key] = 1 })
  end
  raises("json_encode: a function cannot be JSON, at params.rates[2]", encoded,
    { params = { rates = { 1, print } } })
  raises("a tensor cannot be JSON, at t", encoded, { t = core.zeros { 1 } })
  raises("both a sequence and names at x", encoded, { x = { 1, a = 2 } })
  raises("a sequence has holes", encoded, { 1, nil, nil, 4 })
  raises("a key is 1.5, keys must be strings,", encoded, { [1.5] = 1 })
  raises("a key is true", encoded, { [true] = 1 })
  local a = { b = {} }
  a.b.c = { a }
  raises("a table holds itself at b.c[1]", encoded, a)
  local deep = {}
  for _ = 1, 300 do deep = { deep } end
  raises("nested deeper than 200", encoded, deep)
  raises("indent must be an integer from 0 to 16, got -1", encoded, 1, -1)
  local shared = { 1 }
  lu.assert_equals(encoded { shared, shared }, "[[1],[1]]")
end

function TestJson:test_decoding()
  lu.assert_equals(core.json_decode '{"a": [1, 2.0, "x\\u0000", null, true], "b": {}}',
    { a = { 1, 2.0, "x\0", nil, true }, b = {} })
  lu.assert_equals(math.type(core.json_decode "1"), "integer")
  lu.assert_equals(math.type(core.json_decode "1.0"), "float")
  lu.assert_equals(core.json_decode(encoded(0.1 + 0.2)), 0.1 + 0.2)
  for _, bad in ipairs { "", "{", "[1,]", "{'a': 1}", "1 2", "99999999999999999999", '"\xff"',
    ("["):rep(1e5) } do
    local value, why, code = core.json_decode(bad)
    lu.assert_nil(value)
    lu.assert_str_matches(why, "line %d+, column %d+: .+")
    lu.assert_equals(code, "ECORRUPT")
  end
  raises("text must be a string, got 1", core.json_decode, 1)
end

TestFiles = {}

function TestFiles:test_a_text_is_written_whole()
  with_folder(function(folder)
    local path = folder .. "/a"
    for _, text in ipairs { "one", "", "a\0b" } do
      lu.assert_true(core.write_file(path, text))
      lu.assert_equals(read(path), text)
    end
    local ok, why, code = core.write_file(folder .. "/none/a", "x")
    lu.assert_equals({ ok, code }, { nil, "EIO" })
    lu.assert_str_contains(why, "No such file or directory")
    raises("text must be a string, got 1", core.write_file, path, 1)
    raises("zero byte", core.write_file, "a\0b", "")
    lu.assert_equals(require("swale.folders").entries(folder), { "a" })
  end)
end

--- The first two digests are in FIPS 180-4's examples; the others are of sha256sum.
function TestFiles:test_sha256()
  local known = {
    [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    [("a"):rep(1000000)] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  }
  with_folder(function(folder)
    local function check(text, digest)
      assert(core.write_file(folder .. "/a", text))
      lu.assert_equals({ core.sha256(text), core.file_sha256(folder .. "/a") }, { digest, digest })
    end
    for text, digest in pairs(known) do check(text, digest) end
    for n = 50, 130 do check(("b"):rep(n), core.sha256(("b"):rep(n))) end
    lu.assert_equals(core.sha256(("b"):rep(119)),
      "68297a9eb141ce16bbc0847da1c0c48e2858704feaa13993bde29f87a198a6e1")
    lu.assert_str_contains(select(2, core.file_sha256(folder)), "not a regular file")
  end)
end

function TestFiles:test_a_full_disk_is_an_error_and_loses_nothing()
  local text, how, number = run_child([[
    core.catch_signals()
    local path = arg[0] .. ".txt"
    assert(core.write_file(path, "old"))
    print(core.write_file(path, ("x"):rep(1 << 20)))
    print(io.open(path):read "a")
    os.remove(path)]], { shell = "ulimit -f 8; exec lua5.4 %s 2>&1" })
  lu.assert_equals({ how, number }, { "exit", 0 }, text)
  lu.assert_str_matches(text, "nil\t.*disk full.*\tENOSPC\nold\n")
end

--- 20 MB of addresses hold lua5.4 and the module, not OpenBLAS.
function TestFiles:test_want_of_memory_is_no_missing_package()
  local text, how, number = run_child("print 'loaded'",
    { shell = "ulimit -v 20000; exec lua5.4 %s 2>&1" })
  lu.assert_not_equals({ how, number }, { "exit", 0 }, text)
  lu.assert_not_str_contains(text, "apt install")
end

function TestFiles:test_idx()
  with_folder(function(folder)
    local path = folder .. "/a.idx.gz"
    local t = core.tensor({ { 1, 2, 3 }, { 4, 5, 255 } }, "uint8")
    lu.assert_true(core.idx_write(t, path))
    lu.assert_equals(core.idx_read(path):table(), t:table())
    local value, why, code = core.idx_read(folder .. "/none")
    lu.assert_equals({ value, code }, { nil, "EIO" })
    lu.assert_str_contains(why, folder .. "/none")
    core.write_file(path, "hello")
    lu.assert_equals({ select(3, core.idx_read(path)) }, { "ECORRUPT" })
    raises("idx_write: tensor must be a tensor, got nil", core.idx_write, nil, path)
    raises("uint8", core.idx_write, core.zeros { 2 }, path)
  end)
end

function TestFiles:test_safetensors()
  with_folder(function(folder)
    local path = folder .. "/a.safetensors"
    local given = { w = core.tensor { { 1, 2 }, { 3, 4 } }, ["a.b"] = core.tensor({ 1 }, "int32"),
      e = core.zeros { 0, 3 } }
    lu.assert_true(core.safetensors_write(path, given, { step = "3" }))
    for _, mapped in ipairs { false, true } do
      local tensors, metadata = core.safetensors_read(path, mapped)
      lu.assert_equals(metadata, { step = "3" })
      for name, t in pairs(given) do lu.assert_equals(tensors[name]:table(), t:table()) end
      lu.assert_equals(pcall(tensors.w.fill, tensors.w, 1), not mapped)
    end
    lu.assert_true(core.safetensors_write(path, {}))
    lu.assert_equals({ core.safetensors_read(path) }, { {}, {} })
  end)
end

function TestFiles:test_safetensors_misuse()
  local write = core.safetensors_write
  raises("tensors must be a table, got nil", write, "/none/x")
  raises("w must be a tensor, got 1", write, "/none/x", { w = 1 })
  raises("names of tensors must be strings, got 1", write, "/none/x", { core.zeros { 1 } })
  raises("step must be a string, got 3", write, "/none/x", {}, { step = 3 })
  local freed = core.zeros { 1 }
  freed:free()
  raises("was freed", write, "/none/x", { w = freed })
  lu.assert_equals(select(3, write("/none/x", {})), "EIO")
  lu.assert_equals(select(3, core.safetensors_read "/none/x"), "EIO")
  raises("mapped must be true or false, got 1", core.safetensors_read, "/none/x", 1)
end

if arg[0]:find "test_core_files%.lua$" then os.exit(lu.LuaUnit.run()) end

TestLocks = {}

function TestLocks:test_a_lock_is_held_by_one()
  with_folder(function(folder)
    local path = folder .. "/lock"
    local lock = assert(core.hold(path))
    local second, message, code = core.hold(path)
    lu.assert_equals({ second, code }, { nil, "EHELD" })
    lu.assert_str_contains(message, path)
    lu.assert_true(core.is_held(path))
    lock:release()
    lu.assert_false(core.is_held(path))
    core.hold(path):release()
    lu.assert_equals(select(3, core.hold(folder .. "/none/lock")), "ENOENT")
  end)
end

--- A lock is one on the file that has the name: the file of an earlier holder is gone.
function TestLocks:test_a_lock_whose_file_was_removed()
  with_folder(function(folder)
    local path = folder .. "/lock"
    local first = assert(core.hold(path))
    os.remove(path)
    local second = assert(core.hold(path))
    first:release()
    lu.assert_true(core.is_held(path))
    second:release()
    lu.assert_false(core.is_held(path))
  end)
end
