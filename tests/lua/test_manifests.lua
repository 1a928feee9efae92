--- Known data sets: a row for each in SETS, and for each format a writer of a tiny set.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local formats = require "swale.data.formats"
local lu = require "luaunit"
local manifests = require "swale.data.manifests"
local sw = require "swale"
local uv = require "luv"

--- What each data set is: format, shape, classes, train/valid/test.
local SETS = {
  ["fashion-mnist"] = "idx 28x28x1 10 55000/5000/10000",
  mnist = "idx 28x28x1 10 55000/5000/10000",
  digits = "idx 8x8x1 10 1197/300/300",
  cifar10 = "cifar 32x32x3 10 45000/5000/10000",
  cifar100 = "cifar 32x32x3 100 45000/5000/10000",
}

local NEEDED = { "title", "licence", "classes", "shape", "split", "format", "files" }

TestManifests = {}

local function described(manifest)
  local split = manifest.split
  return ("%s %s %d %d/%d/%d"):format(manifest.format, table.concat(manifest.shape, "x"),
    manifest.classes, split.train, split.valid, split.test)
end

function TestManifests:test_each_data_set_has_its_row()
  lu.assert_equals(sw.data.names(), errors.sorted_keys(SETS))
  for name, words in pairs(SETS) do
    local manifest = manifests.sets[name]
    for _, field in ipairs(NEEDED) do
      lu.assert_not_nil(manifest[field], ("%s: the manifest has no %s"):format(name, field))
    end
    lu.assert_equals(described(manifest), words, name)
    lu.assert_not_nil(formats[manifest.format], name .. ": format")
    for key, file in pairs(manifest.files) do
      lu.assert_str_matches(file.sha256, ("%x"):rep(64))
      lu.assert_true(file.bytes > 0, name .. ": " .. key)
    end
  end
end

-- ------------------------------------------------------------------ formats

--- 2 x 3 images of one channel in 5 classes: 4 for training, 1 for validation, 2 for tests. A
--- writer fills a folder, and gives what the manifest says besides the usual: files by their keys.
local X, Y = core.zeros({ 5, 2, 3 }, "uint8"), core.tensor({ 0, 3, 1, 4, 2 }, "uint8")
local TEST_X, TEST_Y = core.zeros({ 2, 2, 3 }, "uint8"), core.tensor({ 4, 0 }, "uint8")
for i = 1, 30 do X:reshape({ 30 }):set(i, 8 * i) end

local WRITERS = {}

local function write_four(folder, write, suffix)
  local files = {}
  for key, t in pairs { train_x = X, train_y = Y, test_x = TEST_X, test_y = TEST_Y } do
    files[key] = key .. suffix
    assert(write(t, folder .. "/" .. files[key]))
  end
  return { files = files }
end

function WRITERS.idx(folder) return write_four(folder, core.idx_write, "-ubyte") end

--- Records of 32 x 32 x 3: it is its own set.
function WRITERS.cifar(folder)
  local list = { train_1 = 10, test = 2 }
  for key, n in pairs(list) do
    local file = assert(io.open(folder .. "/" .. key .. ".bin", "wb"))
    for i = 1, n do file:write(string.char(i % 5), ("\7"):rep(3072)) end
    file:close()
    list[key] = key .. ".bin"
  end
  return { files = list, record = "cifar10", shape = { 32, 32, 3 },
    split = { train = 9, valid = 1, test = 2 } }
end

local function manifest_of(format, folder)
  local made = { format = format, title = "made", licence = "none", classes = 5,
    shape = { 2, 3, 1 }, split = { train = 4, valid = 1, test = 2 } }
  for key, value in pairs(WRITERS[format](folder)) do made[key] = value end
  for key, name in pairs(made.files) do
    local path = folder .. "/" .. name
    made.files[key] = { name = name, bytes = folders.size(path),
      sha256 = assert(core.file_sha256(path)) }
  end
  return made
end

function TestManifests:setUp()
  self.folder, self.data = require("temporary").folder(), os.getenv "SWALE_DATA"
end

function TestManifests:tearDown()
  manifests.sets.made = nil
  if self.data then uv.os_setenv("SWALE_DATA", self.data) else uv.os_unsetenv "SWALE_DATA" end
  folders.remove(self.folder)
end

local FIELDS = { "complete", "read", "metadata", "normalisation", "parts" }

function TestManifests:test_each_format_reads_what_its_writer_wrote()
  for _, name in ipairs(errors.sorted(formats)) do
    local format = formats[name]
    for _, field in ipairs(FIELDS) do
      lu.assert_is_function(format[field], ("the format %s has no %s"):format(name, field))
    end
    lu.assert_is_boolean(format.as_published, ("the format %s: as_published"):format(name))
    lu.assert_not_nil(WRITERS[name], ("the format %s has no writer here"):format(name))
  end
  for name in pairs(WRITERS) do
    lu.assert_not_nil(formats[name], ("there is no format %s"):format(name))
    local folder = self.folder .. "/" .. name
    assert(folders.make_folder(folder))
    manifests.sets.made = manifest_of(name, folder)
    local data, split = sw.data.load("made", { path = folder }), manifests.sets.made.split
    lu.assert_equals(tostring(data), ("made %d/%d/%d"):format(split.train, split.valid, split.test),
      name)
    lu.assert_equals(data.shape, manifests.sets.made.shape, name)
    lu.assert_equals(data.classes, 5, name)
    if data.shape[1] == 2 then
      lu.assert_equals(data.train.y:table(), { 0, 3, 1, 4 }, name)
      lu.assert_equals(data.valid.x:reshape({ 6 }):table(), { 200, 208, 216, 224, 232, 240 }, name)
      lu.assert_equals(data.test.y:table(), { 4, 0 }, name)
    end
    self:check_moments(formats[name], data)
  end
end

local function values(normalisation)
  if not normalisation then return nil end
  local mean, deviation = normalisation.mean, normalisation.deviation
  if type(mean) == "number" then return { mean, deviation } end
  return { mean:table(), deviation:table() }
end

--- What the cache keeps of a set is what its training images give.
function TestManifests:check_moments(format, data)
  local tensors = { ["train.x"] = data.train.x }
  for _, kind in ipairs { "global", "channel" } do
    local kept = format.normalisation(kind, format.metadata(tensors))
    local wanted = kept and require("swale.data.normalise").of(kind, data.train.x:narrow(1, 1,
      #data.train.x - (format.valid and format.valid(#data.train.x) or 0)))
    lu.assert_equals(values(kept), values(wanted))
  end
end

--- A set that is converted first and one that is read back from the cache are the same.
function TestManifests:test_each_format_goes_through_the_cache()
  for _, name in ipairs(errors.sorted(formats)) do
    local cache = self.folder .. "/" .. name
    assert(folders.make_folder(cache .. "/made"))
    uv.os_setenv("SWALE_DATA", cache)
    manifests.sets.made = manifest_of(name, cache .. "/made")
    local first = sw.data.load "made"
    lu.assert_true(folders.exists(require("swale.data.cache").path "made"), name)
    folders.remove(cache .. "/made")
    local again = sw.data.load "made"
    lu.assert_equals(tostring(again), tostring(first), name)
    lu.assert_equals(again.train.x:table(), first.train.x:table(), name)
    lu.assert_equals(values(again.normalisation), values(first.normalisation), name)
  end
end

function TestManifests:test_another_file_than_published_is_refused()
  manifests.sets.made = manifest_of("idx", self.folder)
  manifests.sets.made.files.train_y.sha256 = ("0"):rep(64)
  lu.assert_error_msg_contains("train_y-ubyte: wrong SHA-256", sw.data.load, "made",
    { path = self.folder })
end
