--- Data sets from a network, by a local server that misbehaves on demand; caches that are damaged
--- or cannot be written.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"

local DEBIAN = "/usr/share/datasets/fashion-mnist"
local HERE = os.getenv "SWALE_HOME" .. "/tests/cli"

TestDownloads = {}

local function python()
  return process.find "/usr/bin/python3" or process.find "python3"
end

function TestDownloads:setUp()
  if not python() then lu.skip "there is no python3 to serve the files" end
  if not process.find "curl" then lu.skip "there is no curl" end
  self.dir = command.folder()
  self.cache = self.dir .. "/cache"
  self.port = self:start_server()
end

--- The server writes its port to a file; it is ended by tearDown.
function TestDownloads:start_server()
  local uv = require "luv"
  local fd = assert(uv.fs_open(self.dir .. "/port", "w", 420))
  self.server = assert(uv.spawn(python(), { args = { HERE .. "/broken_server.py", DEBIAN },
    stdio = { nil, fd, nil } }, function() end))
  uv.fs_close(fd)
  for _ = 1, 100 do
    local port = command.read(self.dir .. "/port"):match "^(%d+)\n"
    if port then return port end
    command.sleep(0.05)
  end
  error "the server did not start"
end

function TestDownloads:tearDown()
  if self.server then command.stop(self.server) end
  if self.dir then command.remove(self.dir) end
end

function TestDownloads:get(how, name)
  return command.swale(self.dir, { "data", "get", name or "fashion-mnist" }, {
    SWALE_DATA = self.cache,
    SWALE_DATA_URL = ("http://127.0.0.1:%s/%s"):format(self.port, how),
  })
end

--- Nothing unfinished is left: no file, no temporary folder.
function TestDownloads:fails(result, ...)
  lu.assert_equals(result.code, 1, result.err)
  for _, part in ipairs { "127.0.0.1", "swale data get", self.cache, ... } do
    lu.assert_str_contains(result.err, part)
  end
  lu.assert_equals(folders.entries(self.cache), {})
end

local function need_files()
  if not folders.exists(DEBIAN) then lu.skip "dataset-fashion-mnist is not installed" end
end

function TestDownloads:test_a_whole_download()
  need_files()
  local result = self:get "ok"
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_equals(folders.entries(self.cache), { "fashion-mnist-v1.safetensors" })
  command.write(self.dir .. "/a.lua", 'print(require("swale").data.load "fashion-mnist")')
  local environment = { SWALE_DATA = self.cache }
  result = command.swale(self.dir, { "lua", "a.lua" }, environment)
  lu.assert_equals(result.out, "fashion-mnist 55000/5000/10000\n", result.err)
  self:damaged_cache(environment)
end

--- A truncated cache file is named, and `data get` makes it again.
function TestDownloads:damaged_cache(environment)
  local path = self.cache .. "/fashion-mnist-v1.safetensors"
  assert(process.run({ "truncate", "-s", "1000000", path }).code == 0)
  local result = command.swale(self.dir, { "lua", "a.lua" }, environment)
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, path)
  lu.assert_str_contains(result.err, "`swale data get fashion-mnist` makes it anew")
  lu.assert_equals(command.swale(self.dir, { "data", "get", "fashion-mnist" }, environment).code, 0)
  lu.assert_equals(command.swale(self.dir, { "lua", "a.lua" }, environment).code, 0)
end

function TestDownloads:test_cut_short()
  need_files()
  self:fails(self:get "cut", "cut short")
end

function TestDownloads:test_changed_on_the_way()
  need_files()
  self:fails(self:get "wrong", "t10k-images-idx3-ubyte.gz")
end

--- The first of the files has 7,840,016 bytes: a longer download is ended at that length.
function TestDownloads:test_too_long_when_decompressed()
  self:fails(self:get "bomb",
    "t10k-images-idx3-ubyte.gz: more than 7840016 bytes when decompressed")
end

function TestDownloads:test_a_file_without_end()
  self:fails(self:get "endless", "t10k-images-idx3-ubyte.gz: more than", "not the file meant")
end

--- Of a process that was killed while it fetched; one that still does has its folder locked.
function TestDownloads:test_scratch_folders_that_were_left()
  local core, kept = require "swale.core", { ".swale-AAAAA1", ".swale-notours", "swale-AAAAA2" }
  for _, name in ipairs { ".swale-AAAAA0", table.unpack(kept) } do
    assert(folders.make_folder(self.cache .. "/" .. name))
    command.write(self.cache .. "/" .. name .. "/.lock", "")
  end
  local lock = core.hold(self.cache .. "/.swale-AAAAA1/.lock")
  lu.assert_equals(self:get("nowhere").code, 1)
  lu.assert_equals(folders.entries(self.cache), kept)
  lock:release()
end

function TestDownloads:test_not_there() self:fails(self:get "nowhere", "404") end

function TestDownloads:test_another_file_of_that_name()
  need_files()
  self:fails(self:get("ok", "mnist"), "wrong SHA-256")
end

function TestDownloads:test_no_server_answers()
  command.stop(self.server)
  self.server = nil
  command.sleep(0.2)
  self:fails(self:get "ok", "does not answer")
end

TestCache = {}

function TestCache:setUp()
  need_files()
  self.dir = command.folder()
  command.write(self.dir .. "/a.lua", 'print(require("swale").data.load "fashion-mnist")')
end

function TestCache:tearDown() if self.dir then command.remove(self.dir) end end

function TestCache:test_one_that_cannot_be_written_is_done_without()
  command.write(self.dir .. "/file", "")
  local result = command.swale(self.dir, { "lua", "a.lua" }, { SWALE_DATA = self.dir .. "/file" })
  lu.assert_equals(result.out, "fashion-mnist 55000/5000/10000\n", result.err)
  lu.assert_str_contains(result.err, "cannot be cached, going on without")
end

--- The labels of valid are the last bytes of the file.
function TestCache:test_a_label_outside_the_classes()
  local environment = { SWALE_DATA = self.dir .. "/cache" }
  lu.assert_equals(command.swale(self.dir, { "lua", "a.lua" }, environment).code, 0)
  local path = self.dir .. "/cache/fashion-mnist-v1.safetensors"
  local file = assert(io.open(path, "r+b"))
  file:seek("end", -3)
  file:write "M"
  file:close()
  local result = command.swale(self.dir, { "lua", "a.lua" }, environment)
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, path .. ": valid: label 77 of example 4998 is outside")
  lu.assert_str_contains(result.err, "Remove the file; `swale data get fashion-mnist` makes it")
end

function TestCache:test_files_of_ones_own_that_are_damaged()
  local own = self.dir .. "/cache/fashion-mnist"
  folders.make_folder(own)
  for _, name in ipairs(folders.entries(DEBIAN)) do
    process.run { "cp", DEBIAN .. "/" .. name, own }
  end
  process.run { "truncate", "-s", "100000", own .. "/t10k-images-idx3-ubyte.gz" }
  local result = command.swale(self.dir, { "lua", "a.lua" }, { SWALE_DATA = self.dir .. "/cache" })
  lu.assert_equals(result.code, 1, result.err)
  lu.assert_str_contains(result.err, own .. "/t10k-images-idx3-ubyte.gz: damaged or cut short")
end
