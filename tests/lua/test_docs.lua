-- LuaCATS annotations against what the modules export, both ways: every public function has its
-- description, and nothing is described that is not there.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local lu = require "luaunit"

TestDocs = {}

local SCRIPTS = debug.getinfo(errors.misuse, "S").source:match "^@(.*)swale/errors%.lua$"

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

local function lua_files()
  local list = {}
  local pipe <close> = assert(io.popen(("find '%sswale' -name '*.lua' | sort"):format(SCRIPTS)))
  for path in pipe:lines() do
    if not path:find "/meta/" and not path:find "/cli/" then list[#list + 1] = path end
  end
  return list
end

local function module_of(path)
  local name = path:sub(#SCRIPTS + 1):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
  return name
end

-- The annotation block right above a line.
local function block_above(lines, i)
  local block = {}
  while i > 1 and lines[i - 1]:find "^%-%-%-" do
    i = i - 1
    table.insert(block, 1, lines[i])
  end
  return table.concat(block, "\n")
end

-- Functions of the module's table, as they are written: name -> { parameters, block, line }.
local function declared(path)
  local lines, found = lines_of(path), {}
  for i, line in ipairs(lines) do
    local name, parameters = line:match "^function M%.([%w_]+)%((.-)%)"
    if name then
      found[name] = { parameters = parameters, block = block_above(lines, i), line = i }
    end
  end
  return found, table.concat(lines, "\n")
end

local function parameter_names(text)
  local names = {}
  for name in text:gmatch "[%w_%.]+" do names[#names + 1] = name end
  return names
end

local function check_block(where, f)
  local documented = {}
  for name in f.block:gmatch "%-%-%-@param ([%w_%.]+)" do documented[#documented + 1] = name end
  lu.assert_equals(documented, parameter_names(f.parameters), where .. ": @param")
end

function TestDocs:test_every_parameter_of_a_public_function_is_described()
  for _, path in ipairs(lua_files()) do
    for name, f in pairs(declared(path)) do
      check_block(("%s:%d: %s"):format(path:sub(#SCRIPTS + 1), f.line, name), f)
    end
  end
end

-- Methods of classes. A comment that begins with a blank is a note for readers, no description.
function TestDocs:test_every_parameter_of_a_method_is_described()
  for _, path in ipairs(lua_files()) do
    local lines = lines_of(path)
    for i, line in ipairs(lines) do
      local name, parameters = line:match "^function [%w_]+:(%l[%w_]*)%((.-)%)"
      if name and block_above(lines, i):find "^%-%-%-%S" then
        check_block(("%s:%d: %s"):format(path:sub(#SCRIPTS + 1), i, name),
          { block = block_above(lines, i), parameters = parameters })
      end
    end
  end
end

-- Editors and `swale help` find a class by its name alone.
function TestDocs:test_class_names_are_unique()
  local seen = {}
  for _, path in ipairs(lua_files()) do
    for _, line in ipairs(lines_of(path)) do
      local name = line:match "^%-%-%-@class (swale%.[%w_]+)"
      lu.assert_nil(name and seen[name], ("%s is in %s and in %s"):format(name, seen[name], path))
      if name then seen[name] = path end
    end
  end
end

-- Layers override what nn/layer.lua describes; the methods of tensors are described by their ops.
local INHERITED = {}
for _, line in ipairs(lines_of(SCRIPTS .. "swale/nn/layer.lua")) do
  INHERITED[line:match "^function Layer:(%l[%w_]*)" or ""] = true
end

function TestDocs:test_every_method_is_described()
  for _, path in ipairs(lua_files()) do
    local lines = lines_of(path)
    for i, line in ipairs(lines) do
      local class, name, parameters = line:match "^function ([%w_]+):(%l[%w_]*)%((.-)%)"
      if class and not (path:find "/nn/" and INHERITED[name]) then
        local block = block_above(lines, i)
        lu.assert_true(block ~= "" or parameters == "",
          ("%s:%d: %s:%s is not described"):format(path:sub(#SCRIPTS + 1), i, class, name))
      end
    end
  end
end

function TestDocs:test_modules_export_the_functions_they_declare()
  for _, path in ipairs(lua_files()) do
    local module = require(module_of(path))
    for name in pairs(declared(path)) do
      lu.assert_is_function(module[name], module_of(path) .. "." .. name)
    end
  end
end

local function fields_of_class(text, class)
  local fields, inside = {}, false
  for line in text:gmatch "[^\n]+" do
    local named = line:match "^%-%-%-@class ([%w_%.]+)"
    if named then inside = named == class end
    if inside and not line:find "^%-%-%-" then inside = false end
    local field = inside and line:match "^%-%-%-@field ([%w_]+)"
    if field then fields[field] = true end
  end
  return fields
end

-- Modules that put their table together from others describe it by the fields of a class.
local function check_fields(path, class, exported)
  local fields = fields_of_class(table.concat(lines_of(path), "\n"), class)
  lu.assert_equals(errors.sorted_keys(exported), errors.sorted_keys(fields))
end

function TestDocs:test_the_table_sw_and_its_annotation_agree()
  local sw, exported = require "swale", {}
  for name, value in pairs(sw) do
    exported[name] = true
    lu.assert_not_nil(value, name)
  end
  check_fields(SCRIPTS .. "swale/init.lua", "swale", exported)
end

-- A module may export the functions of its parts.
local function is_declared_in_a_part(name, value)
  local path = debug.getinfo(value, "S").source:match "^@(.*)"
  return path ~= nil and declared(path)[name] ~= nil
end

-- What is exported must be declared, or be a field of an annotated class, or data in capitals.
function TestDocs:test_modules_export_nothing_undescribed()
  for _, path in ipairs(lua_files()) do
    local module = require(module_of(path))
    local found, text = declared(path)
    if type(module) == "table" and not path:find "init%.lua$" then
      for name, value in pairs(module) do
        local known = found[name] or type(value) ~= "function"
          or text:find("---@field " .. name .. " ", 1, true) or is_declared_in_a_part(name, value)
        lu.assert_true(known ~= nil and known ~= false,
          ("%s exports %s without a description"):format(module_of(path), tostring(name)))
      end
    end
  end
end

-- ------------------------------------------------------------------ swale.core

--- All lines of the annotations.
local function meta_lines()
  local text = {}
  for _, name in ipairs(folders.entries(SCRIPTS .. "swale/meta")) do
    text[#text + 1] = folders.read(SCRIPTS .. "swale/meta/" .. name)
  end
  return table.concat(text):gmatch "[^\n]+"
end

local function meta_functions()
  local found = {}
  for line in meta_lines() do
    local name = line:match "^function core%.([%w_]+)" or line:match "^core%.([%w_]+) ="
      or line:match "^%-%-%-@field (_VERSION)"
    if name then found[name] = true end
  end
  return found
end

local function meta_methods(class)
  local found = {}
  for line in meta_lines() do
    local name = line:match("^function " .. class .. ":([%w_]+)")
    if name then found[name] = true end
  end
  return found
end

function TestDocs:test_core_and_its_annotations_agree()
  lu.assert_equals(errors.sorted_keys(core), errors.sorted_keys(meta_functions()))
end

function TestDocs:test_the_methods_of_core_are_there()
  local x, graph = core.zeros { 2 }, core.graph()
  local node = graph:input(1, "real", { "batch" })
  local objects = { Tensor = x, Graph = graph, Node = node, Random = core.random(1, "test"),
    Program = core.program(graph, { node }), Average = core.average(2),
    NativeSchedule = core.schedule { kind = "constant", value = 1 },
    Source = core.source { x = core.zeros { 2, 2 } } }
  for class, object in pairs(objects) do
    for name in pairs(meta_methods(class)) do
      lu.assert_is_function(object[name], class .. ":" .. name)
    end
  end
end
