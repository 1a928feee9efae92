--- Images: CIFAR's files, shapes of inputs, random crops and flips of training images.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

local cache = require "swale.data.cache"
local folders = require "swale.folders"

local function temporary()
  return require("temporary").folder()
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Value of colour c (0 to 2) at place p of image i.
local function value(i, c, p) return (i * 37 + c * 91 + p * 7) % 256 end

--- Images first … first + n - 1 as records, with so many labels each.
local function records(first, n, labels)
  local list = {}
  for i = first, first + n - 1 do
    local bytes = labels == 1 and { i % 10 } or { i % 20, i % 100 }
    for c = 0, 2 do
      for p = 0, 1023 do bytes[#bytes + 1] = value(i, c, p) end
    end
    list[#list + 1] = string.char(table.unpack(bytes))
  end
  return table.concat(list)
end

--- Silences the message of an incomplete set.
local function quietly(f, ...)
  local kept = io.stderr
  io.stderr = { write = function() end } -- luacheck: ignore 122
  local results = table.pack(pcall(f, ...))
  io.stderr = kept                       -- luacheck: ignore 122
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

TestCifar = {}

function TestCifar:setUp()
  self.dir = temporary()
  write(self.dir .. "/data_batch_1.bin", records(0, 12, 1))
  write(self.dir .. "/data_batch_3.bin", records(12, 8, 1))
  write(self.dir .. "/test_batch.bin", records(100, 5, 1))
end

function TestCifar:tearDown() folders.remove(self.dir) end

function TestCifar:load(o)
  o = o or {}
  o.path = o.path or self.dir
  return quietly(sw.data.load, o.name or "cifar10", { path = o.path, valid = o.valid,
    standardise = o.standardise, augment = o.augment, labels = o.labels, images = o.images })
end

function TestCifar:test_part_of_the_set_in_its_fixed_order()
  local data = self:load()
  lu.assert_equals(tostring(data), "cifar10 18/2/5")
  lu.assert_equals(data.shape, { 32, 32, 3 })
  lu.assert_equals({ data.features, data.classes, data.class_names[7] }, { 3072, 10, "frog" })
  local order = core.random(1, "cifar"):permutation(20):table()
  local labels = {}
  for i, y in ipairs(data.train.y:table()) do labels[i] = y end
  for i, y in ipairs(data.valid.y:table()) do labels[18 + i] = y end
  for i = 1, 20 do
    lu.assert_equals(labels[i], order[i] % 10)
    local split = i <= 18 and data.train or data.valid
    local x = split.x:select(1, i <= 18 and i or i - 18)
    lu.assert_equals(x:get(32, 5, 2), value(order[i], 1, 31 * 32 + 4))
  end
end

function TestCifar:test_as_many_for_validation_as_wanted()
  lu.assert_equals(tostring(self:load { valid = 0 }), "cifar10 20/5")
  lu.assert_equals(tostring(self:load { valid = 7 }), "cifar10 13/7/5")
  lu.assert_error_msg_contains("valid is 20, but there are 20 training images", self.load, self,
    { valid = 20 })
  lu.assert_error_msg_contains("validation examples of digits are always the same", sw.data.load,
    "digits", { valid = 3 })
end

function TestCifar:test_channels_are_standardised()
  local data = self:load()
  local all = {}
  for i = 1, 18 do all[i] = i end
  local x = data.train:gather(all):to("float64"):reshape { -1, 3 }
  for c = 1, 3 do
    local one = x:select(2, c):contiguous()
    lu.assert_almost_equals(one:mean():item(), 0, 1e-6)
    lu.assert_almost_equals(one:dot(one) / #one, 1, 1e-6)
  end
  lu.assert_equals(self:load({ standardise = false }).normalisation, nil)
  lu.assert_equals(self:load({ standardise = true }).normalisation.kind, "global")
end

function TestCifar:test_fine_and_coarse_labels()
  write(self.dir .. "/train.bin", records(30, 10, 2))
  write(self.dir .. "/test.bin", records(77, 1, 2))
  local fine, coarse = self:load { name = "cifar100" },
    self:load { name = "cifar100", labels = "coarse" }
  lu.assert_equals({ fine.classes, coarse.classes }, { 100, 20 })
  lu.assert_equals({ fine.test.y:get(1), coarse.test.y:get(1) }, { 77, 17 })
  lu.assert_error_msg_contains("labels goes with cifar100", self.load, self, { labels = "fine" })
end

function TestCifar:test_the_archives_folder_and_gzipped_files()
  local inside = self.dir .. "/cifar-10-batches-bin"
  folders.make_folder(inside)
  for _, name in ipairs { "data_batch_1.bin", "data_batch_3.bin", "test_batch.bin" } do
    assert(folders.rename(self.dir .. "/" .. name, inside .. "/" .. name))
  end
  assert(require("swale.process").run { "gzip", inside .. "/test_batch.bin" })
  lu.assert_equals(tostring(self:load()), "cifar10 18/2/5")
end

function TestCifar:test_without_test_images()
  os.remove(self.dir .. "/test_batch.bin")
  lu.assert_equals(tostring(self:load()), "cifar10 18/2")
end

function TestCifar:test_truncated_files_are_named()
  local whole = records(0, 2, 1)
  for _, n in ipairs { 0, 1, 3072, 3074, 6145 } do
    write(self.dir .. "/data_batch_3.bin", whole:sub(1, n))
    local result, message, code = sw.try(self.load, self)
    lu.assert_nil(result)
    lu.assert_str_contains(message, self.dir .. "/data_batch_3.bin: ")
    lu.assert_str_contains(message, n == 0 and "empty" or "cut short or not CIFAR-10")
    lu.assert_equals(code, "ECORRUPT")
  end
  write(self.dir .. "/data_batch_3.bin", "\10" .. whole:sub(2))
  lu.assert_error_msg_contains("record 1 has label 10", self.load, self)
end

function TestCifar:test_a_folder_without_them()
  folders.remove(self.dir .. "/data_batch_1.bin")
  folders.remove(self.dir .. "/data_batch_3.bin")
  local result, message = sw.try(self.load, self)
  lu.assert_nil(result)
  lu.assert_str_contains(message, self.dir .. ": no files of cifar10 in it")
  lu.assert_str_contains(message, "data_batch_5.bin, test_batch.bin")
end

--- SWALE_TEST_CIFAR10: a folder with CIFAR-10's files, all or some.
function TestCifar:test_real_images()
  local folder = os.getenv "SWALE_TEST_CIFAR10"
  if not folder then lu.skip "SWALE_TEST_CIFAR10 names no folder" end
  local data = self:load { path = folder }
  local mean, deviation = data.normalisation.mean:table(), data.normalisation.deviation:table()
  for c, known in ipairs { { 125.3, 63.0 }, { 123.0, 62.1 }, { 113.9, 66.7 } } do -- published
    lu.assert_almost_equals(mean[c], known[1], 1)
    lu.assert_almost_equals(deviation[c], known[2], 1)
  end
end

--- The whole set is converted once; made small, by a manifest of our files.
TestCifarCache = {}

function TestCifarCache:setUp()
  self.dir = temporary()
  folders.make_folder(self.dir .. "/cifar10")
  write(self.dir .. "/cifar10/data_batch_1.bin", records(0, 30, 1))
  write(self.dir .. "/cifar10/test_batch.bin", records(100, 5, 1))
  local manifest = require("swale.data.manifests").sets.cifar10
  self.manifest, self.files, self.folder = manifest, manifest.files, cache.folder
  manifest.files = {}
  for key, name in pairs { train_1 = "data_batch_1.bin", test = "test_batch.bin" } do
    local path = self.dir .. "/cifar10/" .. name
    manifest.files[key] = { name = name, bytes = folders.size(path),
      sha256 = core.file_sha256(path) }
  end
  cache.folder = function() return self.dir end
end

function TestCifarCache:tearDown()
  self.manifest.files, cache.folder = self.files, self.folder
  folders.remove(self.dir)
end

function TestCifarCache:test_converted_once_and_mapped()
  lu.assert_equals(cache.state "cifar10", "here")
  local first = sw.data.load "cifar10"
  lu.assert_equals(cache.state "cifar10", "cached")
  folders.remove(self.dir .. "/cifar10")
  local again = sw.data.load "cifar10"
  lu.assert_equals(tostring(again), "cifar10 27/3/5")
  lu.assert_equals(again.train.x:table(), first.train.x:table())
  lu.assert_equals(again.valid.y:table(), first.valid.y:table())
  lu.assert_equals(tostring(sw.data.load("cifar10", { valid = 0 })), "cifar10 30/5")
end

--- What the cache keeps of the channels is what is computed without it.
function TestCifarCache:test_kept_moments()
  local kept = sw.data.load("cifar10").normalisation
  local found = sw.data.load("cifar10", { valid = 3 }).normalisation
  lu.assert_equals(kept.mean:table(), found.mean:table())
  lu.assert_equals(kept.deviation:table(), found.deviation:table())
end

--- The authors' archive, from a file:// address.
function TestCifarCache:test_fetched_and_unpacked()
  local uv, process = require "luv", require "swale.process"
  if not process.find "curl" then lu.skip "there is no curl" end
  local web = self.dir .. "/web/cifar10"
  assert(folders.make_folder(web))
  assert(folders.rename(self.dir .. "/cifar10", self.dir .. "/cifar-10-batches-bin"))
  process.run { "tar", "-czf", web .. "/cifar-10-binary.tar.gz", "-C", self.dir,
    "cifar-10-batches-bin" }
  folders.remove(self.dir .. "/cifar-10-batches-bin")
  local kept = os.getenv "SWALE_DATA_URL"
  uv.os_unsetenv "LD_PRELOAD" -- curl never ends behind a sanitizer's library
  uv.os_setenv("SWALE_DATA_URL", "file://" .. self.dir .. "/web")
  local ok, data = pcall(quietly, sw.data.load, "cifar10")
  folders.remove(self.dir .. "/cifar10-v1.safetensors")
  self.manifest.files.test.sha256 = ("0"):rep(64)
  local refused, message = pcall(quietly, sw.data.load, "cifar10")
  if kept then uv.os_setenv("SWALE_DATA_URL", kept) else uv.os_unsetenv "SWALE_DATA_URL" end
  lu.assert_equals({ ok, tostring(data) }, { true, "cifar10 27/3/5" })
  lu.assert_false(refused)
  lu.assert_str_contains(message, "test_batch.bin: wrong SHA-256")
  lu.assert_str_contains(message, "or name their folder")
  lu.assert_equals(folders.entries(self.dir), { "web" })
end

--- Other files in the archive are skipped, and no member may be longer than its file.
function TestCifarCache:test_archives_that_are_too_long()
  local process, download = require "swale.process", require "swale.data.download"
  if not process.find "curl" then lu.skip "there is no curl" end
  local inside, web = self.dir .. "/cifar-10-batches-bin", self.dir .. "/web/cifar10"
  assert(folders.make_folder(web))
  assert(folders.rename(self.dir .. "/cifar10", inside))
  local function get(name, bytes)
    process.run { "truncate", "-s", ("%d"):format(bytes), inside .. "/" .. name }
    process.run { "tar", "-czf", web .. "/cifar-10-binary.tar.gz", "-C", self.dir,
      "cifar-10-batches-bin" }
    local scratch, uv = self.dir .. "/scratch", require "luv"
    folders.remove(scratch)
    assert(folders.make_folder(scratch))
    local kept = os.getenv "SWALE_DATA_URL"
    uv.os_unsetenv "LD_PRELOAD" -- as above
    uv.os_setenv("SWALE_DATA_URL", "file://" .. self.dir .. "/web")
    local ok, message, code = quietly(download.all, "cifar10", self.manifest, scratch)
    if kept then uv.os_setenv("SWALE_DATA_URL", kept) else uv.os_unsetenv "SWALE_DATA_URL" end
    return ok, message or folders.entries(scratch), code
  end
  lu.assert_equals({ get("readme.html", 10 ^ 6) }, { true, { "data_batch_1.bin",
    "test_batch.bin" } })
  local ok, message, code = get("readme.html", 10 ^ 9)
  lu.assert_equals({ ok, code }, { nil, "ECORRUPT" })
  lu.assert_str_contains(message, "bytes when decompressed")
  folders.remove(inside .. "/readme.html")
  ok, message, code = get("test_batch.bin", 10 ^ 6)
  lu.assert_equals({ ok, code }, { nil, "ECORRUPT" })
  lu.assert_str_contains(message, "test_batch.bin: longer than")
end

function TestCifarCache:test_addresses_are_https()
  for name, manifest in pairs(require("swale.data.manifests").sets) do
    for _, address in ipairs(manifest.addresses or {}) do
      lu.assert_equals(address:sub(1, 8), "https://", name)
    end
  end
end

function TestCifarCache:test_a_changed_file_is_used_but_not_kept()
  write(self.dir .. "/cifar10/test_batch.bin", records(101, 5, 1))
  lu.assert_equals(tostring(quietly(sw.data.load, "cifar10")), "cifar10 27/3/5")
  lu.assert_equals(cache.state "cifar10", "here")
end

TestShapes = {}

function TestShapes:test_images_of_the_mnist_family()
  local flat, images = sw.data.load "digits", sw.data.load("digits", { images = true })
  lu.assert_equals(flat.train:gather({ 1 }):shape(), { 1, 64 })
  lu.assert_equals(images.train:gather({ 1, 2 }):shape(), { 2, 8, 8, 1 })
  lu.assert_equals(images.shape, { 8, 8, 1 })
  lu.assert_equals(images:subset({ n = 5 }).train:gather({ 1 }):shape(), { 1, 8, 8, 1 })
  lu.assert_equals(images:standardise("feature").images, true)
  lu.assert_equals(sw.data.load("digits", { images = { 4, 16 } }).shape, { 4, 16 })
end

function TestShapes:test_tensors()
  local x = sw.tensor({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }):reshape { 2, 2, 3 }
  local data = sw.data.from_tensors { train = { x = x, y = sw.zeros { 2 } }, images = true }
  lu.assert_equals(data.shape, { 2, 3, 1 })
  lu.assert_equals(data.train:gather({ 2 }):reshape({ -1 }):table(), { 6, 7, 8, 9, 10, 11 })
  lu.assert_error_msg_contains("images: true needs x of shape", sw.data.from_tensors,
    { train = { x = sw.zeros { 2, 3 } }, images = true })
end

--- A network takes images as flat rows, or rows as images, and learns the same.
function TestShapes:test_models_get_what_they_take()
  local function loss(images)
    local trainer = sw.Trainer { model = sw.nn.Linear(64, 10), lr = 0.1, batch_size = 50,
      data = sw.data.load("digits", { images = images }) }
    return trainer:fit({ steps = 20 }):evaluate("last", { on = "valid" }).loss
  end
  lu.assert_equals(loss(true), loss(false))
end

--- A norm or a function before a layer that takes rows gets images.
function TestShapes:test_layers_before_a_linear_one_get_images()
  local nn = sw.nn
  local x = core.random(1, "test"):fill_normal(core.zeros { 8, 4, 4, 3 }, 0, 1)
  local data = sw.data.from_tensors { images = true, classes = 2,
    train = { x = x, y = core.zeros({ 8 }, "int32") } }
  for _, net in ipairs { nn.Sequential { nn.BatchNorm(3), nn.Flatten(), nn.Linear(48, 2) },
    nn.Sequential { function(v) return v:mean { 2, 3 } end, nn.Linear(3, 2) } } do
    local trainer = sw.Trainer { model = net, data = data, lr = 0.1, batch_size = 4 }
    lu.assert_equals(trainer:fit({ steps = 2 }):state().step, 2)
  end
  lu.assert_equals(nn.Sequential({ nn.Flatten(), nn.Linear(48, 2) }):takes(), "any")
  lu.assert_equals(nn.Sequential({ nn.ReLU(), nn.Linear(48, 2) }):takes(), "rows")
  lu.assert_equals(nn.Sequential({ function(v) return v end, nn.Conv2d(3, 1, 1) }):takes(),
    "images")
end

TestAugment = {}

function TestAugment:setUp()
  local random = core.random(5, "test")
  local x = random:fill_uniform(core.zeros { 23, 6, 5, 2 }, 1, 2)
  self.data = sw.data.from_tensors { images = true, classes = 3,
    train = { x = x, y = core.zeros({ 23 }, "int32") } }
  self.moved = self.data:augment { crop = 2, flip = true }
end

--- Batch after batch, joined.
local function stream(data, o)
  local all = {}
  for batch in data.train:batches(o) do
    for _, v in ipairs(batch.x:reshape({ -1 }):table()) do all[#all + 1] = v end
  end
  return all
end

function TestAugment:test_it_is_seen_in_training_only()
  lu.assert_equals(self.moved.train:gather({ 3 }):table(), self.data.train:gather({ 3 }):table())
  local as_is = stream(self.data, { size = 23, seed = 4 })
  lu.assert_not_equals(stream(self.moved, { size = 23, seed = 4 }), as_is)
  lu.assert_equals(stream(self.moved:augment(false), { size = 23, seed = 4 }), as_is)
end

function TestAugment:test_an_example_differs_from_epoch_to_epoch_and_not_with_the_batch()
  local o = { size = 4, epochs = 3, seed = 9 }
  local small = stream(self.moved, o)
  o.size = 69
  lu.assert_equals(stream(self.moved, o), small)
  o.seed = 10
  lu.assert_not_equals(stream(self.moved, o), small)
  local first, second = {}, {}
  local n = #small // 3
  for i = 1, n do first[i], second[i] = small[i], small[n + i] end
  lu.assert_not_equals(first, second)
end

--- The training's losses are those of the batches of the same seed, however they are cut. The rate
--- is tiny, so that the weights stay.
function TestAugment:test_a_training_sees_the_batches_of_its_seed()
  local model = sw.nn.Sequential { sw.nn.Flatten(), sw.nn.Linear(60, 3) }
  for _, micro in ipairs { false, 3 } do
    local trainer = sw.Trainer { model = model, data = self.moved, lr = 1e-30, batch_size = 7,
      seed = 3, micro_batch = micro or nil }
    local seen, wanted = {}, {}
    trainer:on("step", function(s) seen[#seen + 1] = s.loss end)
    trainer:fit { steps = 9 }
    local f = sw.compile(sw.loss.cross_entropy, trainer.model)
    for batch in self.moved.train:batches { size = 7, epochs = 3, seed = 3 } do
      if #batch.x == 7 then wanted[#wanted + 1] = f:value(trainer:weights(), batch) end
    end
    for i = 1, 9 do lu.assert_almost_equals(seen[i], wanted[i], 1e-5) end -- float32 sums
    local plain = f:value(trainer:weights(), { x = self.data.train.x, y = self.data.train.y })
    lu.assert_almost_equals(trainer:evaluate("last", { on = "train" }).loss, plain, 1e-5)
  end
end

function TestAugment:test_what_is_refused()
  lu.assert_error_msg_contains("crop is 0 to 255 pixels and below the image's 6 x 5, got 5",
    self.data.augment, self.data, { crop = 5 })
  lu.assert_error_msg_contains('unknown option "crops"', self.data.augment, self.data,
    { crops = 5 })
  local rows = sw.data.from_tensors { train = { x = sw.zeros { 4, 3 } } }
  lu.assert_error_msg_contains("crop and flip need images", rows.augment, rows, { flip = true })
end

--- Images that the model gets as flat rows are cropped as images.
function TestAugment:test_flat_images()
  local data = sw.data.load("digits", { augment = { crop = 1 } })
  for batch in data.train:batches { size = 3, epochs = 0.01 } do
    lu.assert_equals(batch.x:shape()[2], 64)
  end
end
