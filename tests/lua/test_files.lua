--- Tensors in files by the name's extension, compared with NumPy where it is installed, and data
--- sets from csv files.
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local sw = require "swale"

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

TestFiles = {}

function TestFiles:setUp()
  self.folder = require("temporary").folder()
end

function TestFiles:tearDown() folders.remove(self.folder) end
function TestFiles:path(name) return self.folder .. "/" .. name end

function TestFiles:test_npy_there_and_back()
  for _, dtype in ipairs { "float32", "float64", "int32", "uint8" } do
    local t = sw.tensor({ { 1, 2 }, { 3, 4 } }, dtype)
    sw.save(self:path "a.npy", t:t())
    local back = sw.load(self:path "a.npy")
    lu.assert_equals(back:dtype(), dtype)
    lu.assert_equals(back:table(), { { 1, 3 }, { 2, 4 } })
  end
end

function TestFiles:test_csv_there_and_back()
  local t = sw.tensor({ { 0.1, math.huge }, { -2.5e-300, 7 } }, "float64")
  sw.save(self:path "a.csv", t, { "a", "b" })
  local back, labels, names = sw.load(self:path "a.csv", { dtype = "float64" })
  lu.assert_equals(back:table(), t:table())
  lu.assert_false(labels)
  lu.assert_equals(names, { "a", "b" })
end

function TestFiles:test_csv_options()
  write(self:path "a.csv", "1;yes\n;no\n")
  local t, labels = sw.load(self:path "a.csv", { label = -1, classes = { "no", "yes" },
    missing = "nan", separator = ";" })
  lu.assert_equals(labels:table(), { 1, 0 })
  lu.assert_nan(t:get(2, 1))
  local result, message, code = sw.try(sw.load, self:path "a.csv")
  lu.assert_nil(result)
  lu.assert_equals(message, self:path "a.csv" .. ": line 2, column 1 (1): an empty field;"
    .. " ask for missing ones as nan")
  lu.assert_equals(code, "ECORRUPT")
end

function TestFiles:test_wrong_arguments()
  lu.assert_error_msg_contains(
    "label must be a string or a place (1 …, or -1 … from the end), not 0", sw.load,
    "a.csv", { label = 0 })
  lu.assert_error_msg_contains('the name ends in .safetensors, .npy or .csv', sw.load, "a.txt")
  lu.assert_error_msg_contains("from a table of tensors by name", sw.save, "a.safetensors",
    sw.zeros { 1 })
  lu.assert_error_msg_contains('unknown option "maped"', sw.load, "a.safetensors", { maped = true })
  lu.assert_error_msg_contains('unknown option "mapped"', sw.load, "a.npy", { mapped = true })
  lu.assert_error_msg_contains("npy_write: tensor must be a tensor", sw.save, "a.npy", {})
  lu.assert_error_msg_contains("/nowhere/a.npy: cannot read", sw.load, "/nowhere/a.npy")
end

--- 0 … 23 as (2, 3, 4)
local function counted(dtype)
  local values = {}
  for i = 1, 24 do values[i] = i - 1 end
  return sw.tensor(values, dtype):reshape { 2, 3, 4 }
end

local READ_AS = { f2 = "float32", f4 = "float32", f8 = "float64", i1 = "int32", i2 = "int32",
  i4 = "int32", i8 = "int32", u1 = "uint8", u2 = "int32", u4 = "int32", u8 = "int32",
  b1 = "uint8" }

local function check_numpys_files(self)
  for kind, dtype in pairs(READ_AS) do
    for _, form in ipairs { "C1", "C2", "C3", "F1", "F2", "F3" } do
      local t = sw.load(self:path(kind .. form .. ".npy"))
      lu.assert_equals(t:dtype(), dtype)
      local want = counted(dtype):table()
      if kind == "b1" then want = counted("float64"):gt(0):table() end
      lu.assert_equals(t:table(), want, kind .. form)
    end
  end
  local table = sw.load(self:path "b.csv", { dtype = "float64" })
  lu.assert_equals(table:table(), { { 0.1, 2 }, { 1e-300, -4 } })
end

function TestFiles:test_numpy_agrees()
  for _, dtype in ipairs { "float32", "float64", "int32", "uint8" } do
    sw.save(self:path("a-" .. dtype .. ".npy"), counted(dtype))
  end
  sw.save(self:path "a.csv", sw.tensor { { 0.1, 1e-30 }, { -3, math.huge } }, { "a", "b" })
  local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
  local result = process.run { "/usr/bin/python3", here .. "/numpy_check.py", self.folder }
  if not result or result.err:find "ModuleNotFoundError" then
    lu.skip "python3-numpy is not installed"
  end
  lu.assert_equals(result.err, "")
  check_numpys_files(self)
end

-- ------------------------------------------------------------------ data sets from csv files

TestCsv = {}

local FLOWERS = "width,length,kind\n1,10,rose\n3,20,lily\n5,30,rose\n7,40,rose\n"

function TestCsv:setUp()
  TestFiles.setUp(self)
  self.file = self.folder .. "/flowers.csv"
  write(self.file, FLOWERS)
end

TestCsv.tearDown = TestFiles.tearDown

function TestCsv:options(more)
  local o = { train = self.file, label = "kind", classes = { "lily", "rose" } }
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

function TestCsv:test_words_as_labels()
  local data = sw.data.csv(self:options { name = "flowers" })
  lu.assert_equals(tostring(data), "flowers 4")
  lu.assert_equals(data.train.y:table(), { 1, 0, 1, 1 })
  lu.assert_equals({ data.names, data.class_names, data.classes },
    { { "width", "length" }, { "lily", "rose" }, 2 })
  lu.assert_equals(data.train.x:select(1, 2):table(), { 3, 20 })
end

--- Each column has mean 0 and deviation 1: 1, 3, 5, 7 are 4 +- sqrt(5).
function TestCsv:test_columns_are_standardised_each()
  local x = sw.data.csv(self:options()).train:gather({ 1 }):reshape({ -1 }):table()
  lu.assert_almost_equals(x, { -3 / math.sqrt(5), -3 / math.sqrt(5) }, 1e-6)
end

function TestCsv:test_splits_are_drawn_from_one_file()
  local data = sw.data.csv(self:options { valid = 1, test = 1, standardise = false })
  lu.assert_equals(tostring(data), "csv 2/1/1")
  local seen = {}
  for _, split in ipairs { "train", "valid", "test" } do
    for i, row in ipairs(data[split].x:table()) do
      seen[#seen + 1] = row[1]
      lu.assert_equals(data[split].y:get(i), row[1] == 3 and 0 or 1)
    end
  end
  table.sort(seen)
  lu.assert_equals(seen, { 1, 3, 5, 7 })
  lu.assert_error_msg_contains("valid and test take 4 rows, but there are 4", sw.data.csv,
    self:options { valid = 4 })
end

function TestCsv:test_targets()
  write(self.file, "a,b,c\n1,2,3\n4,5,6\n")
  local data = sw.data.csv { train = self.file, target = { "c", "a" }, standardise = false }
  lu.assert_equals(data.train.y:table(), { { 3, 1 }, { 6, 4 } })
  lu.assert_equals(data.train.x:table(), { { 2 }, { 5 } })
  lu.assert_equals({ data.names, data.classes }, { { "b" } })
  lu.assert_error_msg_contains('has no column "d"', sw.data.csv,
    { train = self.file, target = "d" })
end

function TestCsv:test_files_must_have_the_same_columns()
  local other = self.folder .. "/other.csv"
  write(other, "length,width,kind\n10,1,rose\n")
  lu.assert_error_msg_contains("other.csv: other columns than in", sw.data.csv,
    self:options { test = other })
end

function TestCsv:test_wrong_arguments()
  lu.assert_error_msg_contains('line 2, column 3 (kind): expected a number, found text "rose"',
    sw.data.csv, { train = self.file })
  lu.assert_error_msg_contains("none of the 1 classes", sw.data.csv,
    self:options { classes = { "rose" } })
  lu.assert_error_msg_contains('no column "sort"', sw.data.csv, self:options { label = "sort" })
  lu.assert_error_msg_contains("either label or target", sw.data.csv,
    self:options { target = "width" })
  lu.assert_error_msg_contains("classes need label", sw.data.csv,
    { train = self.file, classes = 2 })
end

function TestCsv:test_labels_are_told_apart()
  lu.assert_error_msg_contains("label must be a string or a place", sw.data.csv,
    self:options { label = 0 })
  lu.assert_error_msg_contains('found "rose"; words need the option classes: "rose", "lily"',
    sw.data.csv, { train = self.file, label = "kind" })
  write(self.file, "1,10,rose\n3,20,lily\n") -- the first line is no line of names
  lu.assert_error_msg_contains('line 1, column 3: a label is a whole number from 0, found "rose"',
    sw.data.csv, { train = self.file, label = -1 })
  write(self.file, "a,a,b\n1,2,3\n")
  lu.assert_error_msg_contains('has two columns "a"', sw.data.csv,
    { train = self.file, target = "a" })
  write(self.file, "a,b\n1,NA\n")
  lu.assert_error_msg_contains("a missing value, NA; fill in or leave out rows", sw.data.csv,
    { train = self.file, target = "a" })
end

function TestCsv:test_numbers_as_labels()
  write(self.file, "2,0.5\n0,1.5\n")
  lu.assert_equals(sw.data.csv({ train = self.file, label = 1 }).classes, 3)
  lu.assert_error_msg_contains("flowers.csv: train: label 2 of example 1", sw.data.csv,
    { train = self.file, label = 1, classes = 2 })
end
