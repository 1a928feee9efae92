--- Data sets from csv files: rows are examples, columns are features, and one column has labels or
--- some have targets. From a single file, valid and test are drawn at random. core/io/csv.h defines
--- numbers, names and missing values.
local core = require "swale.core"
local errors = require "swale.errors"
local inputs = require "swale.run.inputs"
local normalise = require "swale.data.normalise"
local options = require "swale.options"
local rows = require("swale.data.transform").rows
local sets = require "swale.data.set"

local M = {}

---@class swale.CsvOptions
---@field train string
---@field valid? string|integer       a file, or a number of rows of train
---@field test? string|integer
---@field label? string|integer       the column of class labels: its name, or its number (-1: last)
---@field classes? string[]|integer   the labels' words; or their number, where labels are numbers
---@field target? string|string[]     or the columns of numbers to be predicted
---@field separator? string           inferred from the first line
---@field header? boolean             whether the first line has names; inferred
---@field seed? integer               for drawing valid and test (1)
---@field name? string
---@field standardise? swale.Standardise    "feature"

local CSV = { train = "string", valid = "string|count?", test = "string|count?",
  label = "string|place?", classes = "list|count?", target = "string|list?",
  separator = "string?", header = "boolean?", seed = { "integer", 1 }, name = { "string", "csv" },
  standardise = { "boolean|string", "feature" } }

local REPAIR = "; fill in or leave out rows in which values are missing"

--- One file: rows, labels or nil, names of the columns.
local function read(path, o)
  local words = type(o.classes) == "table" and o.classes or nil
  local x, y, names = core.csv_read(path, { separator = o.separator, header = o.header,
    label = o.label, classes = words })
  if not x then
    errors.environment(tostring(y):gsub("; ask for missing ones as nan", REPAIR), names)
  end
  if #x == 0 then errors.environment(path .. ": no rows in it", "ECORRUPT") end
  inputs.file(path, "data")
  return { path = path, x = x, y = y or nil, names = names }
end

local function place_of(file, name)
  local place
  for i, known in ipairs(file.names) do
    if known == name and place then
      errors.misuse('data.csv: target: %s has two columns "%s"', file.path, name)
    elseif known == name then
      place = i
    end
  end
  if place then return place end
  errors.misuse('data.csv: target: %s has no column %s%s', file.path, errors.shown(name),
    errors.suggestion(name, file.names))
end

local function columns(x, places)
  local t = core.zeros { #x, #places }
  for k, place in ipairs(places) do t:narrow(2, k, 1):copy(x:narrow(2, place, 1)) end
  return t
end

--- Moves the target columns from x to y.
local function take_targets(file, target)
  local wanted, others, names, at = {}, {}, {}, {}
  for k, name in ipairs(type(target) == "table" and target or { target }) do
    wanted[k] = place_of(file, name)
    at[wanted[k]] = true
  end
  for i, name in ipairs(file.names) do
    if not at[i] then others[#others + 1], names[#names + 1] = i, name end
  end
  if #others == 0 then errors.misuse "data.csv: target: no columns are left for the input" end
  file.x, file.y, file.names = columns(file.x, others), columns(file.x, wanted), names
end

local function read_part(path, o)
  local file = read(path, o)
  if o.target then take_targets(file, o.target) end
  return file
end

local function check_same_columns(first, other)
  local a, b = table.concat(first.names, ", "), table.concat(other.names, ", ")
  if first.x:shape()[2] ~= other.x:shape()[2] or a ~= b and a ~= "" and b ~= "" then
    errors.environment(("%s: other columns than in %s: %s"):format(other.path, first.path, b),
      "ECORRUPT")
  end
end

--- Rows first … first + n - 1 of the shuffled file.
local function drawn(file, order, first, n)
  local index = order:narrow(1, first, n):contiguous()
  return { path = file.path, x = rows(file.x, index), y = file.y and rows(file.y, index) }
end

local function number(value) return type(value) == "number" and value or 0 end

local function parts_of(o)
  local whole = read_part(o.train, o)
  local valid, test = number(o.valid), number(o.test)
  local parts, n = { train = whole }, #whole.x - valid - test
  if n < 1 then
    errors.misuse("data.csv: valid and test take %d rows, but there are %d", valid + test, #whole.x)
  elseif valid + test > 0 then
    local order = core.random(o.seed, "csv"):permutation(#whole.x)
    parts.train = drawn(whole, order, 1, n)
    parts.valid = valid > 0 and drawn(whole, order, n + 1, valid) or nil
    parts.test = test > 0 and drawn(whole, order, n + valid + 1, test) or nil
  end
  for _, split in ipairs { "valid", "test" } do
    if type(o[split]) == "string" then
      parts[split] = read_part(o[split], o)
      check_same_columns(whole, parts[split])
    end
  end
  return parts, whole.names
end

local function classes_of(o, parts)
  if not o.label then return nil end
  if o.classes then return type(o.classes) == "table" and #o.classes or o.classes end
  local most = 0
  for _, part in pairs(parts) do
    for _, y in ipairs(part.y:table()) do most = math.max(most, y) end
  end
  return most + 1
end

---See sw.data.csv. Labels without words are whole numbers from 0; by default their largest gives
---the number of classes.
---@param o swale.CsvOptions
---@return swale.Data
function M.load(o)
  if type(o) == "string" then
    errors.misuse("data.csv: takes a table: data.csv { train = %s, label = … }", errors.shown(o))
  end
  o = options.check("data.csv", o, CSV)
  local kind = normalise.kind("data.csv", o.standardise)
  if o.label and o.target then errors.misuse "data.csv: takes either label or target" end
  if math.type(o.classes) == "integer" and o.classes > 2 ^ 31 - 1 then
    errors.misuse("data.csv: classes may be at most 2147483647, got %d", o.classes)
  end
  if o.classes and not o.label then errors.misuse "data.csv: classes need label, their column" end
  local parts, names = parts_of(o)
  return sets.new { name = o.name, parts = parts, classes = classes_of(o, parts),
    class_names = type(o.classes) == "table" and o.classes or nil, names = names[1] and names,
    normalisation = normalise.of(kind, parts.train.x), refuse = function(split, why)
      errors.environment(("%s: %s: %s"):format(parts[split].path, split, why), "ECORRUPT")
    end }
end

return M
