--- The annotations of Swale's own files as a manual: what a name stands for, its arguments and
--- their options. Names: "schedule.cyclic", "Trainer", "Trainer:fit", "Tensor:add".
local arguments = require "swale.arguments"
local errors = require "swale.errors"
local folders = require "swale.folders"

local M = {}

local HOME = debug.getinfo(1, "S").source:match "^@(.*)manual%.lua$"

---@class swale.ManualEntry
---@field title string            "M.cyclic(o)", as it is written
---@field class string|nil        of a method: "Trainer"
---@field name string
---@field text string[]           the description
---@field params string[]         "name type  description"
---@field returns string[]

-- ------------------------------------------------------------------ reading the files

local function lua_files(folder, list)
  for _, name in ipairs(folders.entries(folder)) do
    local path = folder .. name
    if name:find "%.lua$" then
      list[#list + 1] = path
    elseif name ~= "cli" and folders.entries(path) then
      lua_files(path .. "/", list)
    end
  end
  return list
end

--- The block above line i, sorted into description, parameters, results.
local function block_above(lines, i)
  local first = i
  while first > 1 and lines[first - 1]:find "^%-%-%-" do first = first - 1 end
  local entry = { text = {}, params = {}, returns = {} }
  local into = entry.text
  for k = first, i - 1 do
    local tag, rest = lines[k]:match "^%-%-%-@(%a+) ?(.*)$"
    local list = tag == "param" and entry.params or tag == "return" and entry.returns
    if list then
      list[#list + 1], into = rest, list
    elseif not tag then
      local words = lines[k]:sub(4)
      if into == entry.text then
        into[#into + 1] = words
      else
        into[#into] = into[#into] .. " " .. words -- a description that goes on
      end
    end
  end
  return entry
end

local function note_function(index, path, line, i, lines, classes)
  local owner, mark, name, list = line:match "^function ([%w_]+)([.:])([%w_]+)(%b())"
  if not owner or name:find "^__" then return end
  local entry = block_above(lines, i)
  entry.name, entry.arguments = name, list
  entry.class = mark == ":" and (classes[owner] or classes.last) or nil
  index.by_place[path .. ":" .. i] = entry
  if owner == "M" then index.functions[name] = entry end
  if owner == "core" then index.core[name] = entry end
  if entry.class and #entry.text > 0 then
    index.methods[entry.class] = index.methods[entry.class] or {}
    index.methods[entry.class][name] = entry
  end
end

--- A class's block of annotations: its fields, whose descriptions may go on in the next line.
local function note_annotation(index, line, block)
  local named, rest = line:match "^%-%-%-@class swale%.([%w_]+)(.*)"
  local field = line:match "^%-%-%-@field (.*)$"
  if named then
    block.class, block.fields = named, { parent = rest:match "^: *swale%.([%w_]+)" }
    index.fields[named] = block.fields
  elseif field and block.fields then
    table.insert(block.fields, field)
  elseif block.fields and #block.fields > 0 and not line:find "^%-%-%-@" then
    block.fields[#block.fields] = block.fields[#block.fields] .. " " .. line:sub(4)
  end
end

--- `local X = …` below a class's annotations says that X:method is a method of that class; methods
--- of other tables belong to the class named last.
local function read(index, path)
  local lines, classes, block = {}, {}, {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  for i, line in ipairs(lines) do
    if line:find "^%-%-%-" then
      note_annotation(index, line, block)
    else
      local variable = block.class and line:match "^local ([%w_]+)"
      if variable then classes[variable], classes.last = block.class, block.class end
      block = {}
      note_function(index, path, line, i, lines, classes)
    end
  end
end

local index

local function load_index()
  if index then return index end
  index = { by_place = {}, functions = {}, core = {}, methods = {}, fields = {} }
  for _, path in ipairs(lua_files(HOME, {})) do read(index, path) end
  return index
end

-- ------------------------------------------------------------------ writing a page

--- "name type  description" in columns. Two blanks end the type.
local function rows(list)
  local cells = {}
  for i, text in ipairs(list) do
    local name, rest = text:match "^(%S+) +(.*)$"
    local kind, words = (rest or ""):match "^(.-)%s%s+(.*)$"
    cells[i] = { name or text, kind or rest or "", words or "" }
  end
  local text = require("swale.table").render({ "name", "type", "" }, cells)
  return ("  " .. text:gsub("\n", "\n  "))
end

--- A class's fields, and behind them those of the class that it extends.
local function fields_of(class)
  local fields, list = load_index().fields[class], {}
  while fields do
    table.move(fields, 1, #fields, #list + 1, list)
    fields = load_index().fields[fields.parent]
  end
  return list
end

--- Tables of options that the parameters name.
local function options_of(entry)
  local parts = {}
  for _, text in ipairs(entry.params) do
    local name, types = text:match "^(%S+) +(.*)$"
    for class in (types or ""):gmatch "swale%.([%w_]*Options)" do
      local fields = fields_of(class)
      if #fields > 0 then
        parts[#parts + 1] = ("\nOptions, in %s:\n%s"):format(name, rows(fields))
      end
    end
  end
  return parts
end

local function page(name, entry)
  local parts = { name .. entry.arguments }
  for _, line in ipairs(entry.text) do parts[#parts + 1] = "  " .. line end
  if #entry.params > 0 then parts[#parts + 1] = "\nArguments:\n" .. rows(entry.params) end
  for _, text in ipairs(options_of(entry)) do parts[#parts + 1] = text end
  if #entry.returns > 0 then
    parts[#parts + 1] = "\nGives: " .. table.concat(entry.returns, ", ")
  end
  return table.concat(parts, "\n")
end

-- ------------------------------------------------------------------ finding

local function callable(value)
  if type(value) == "function" then return value end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call or nil
end

--- Of a C function by its name in swale.core.
local function entry_of(f)
  local info = debug.getinfo(arguments.inner(f), "S")
  if info.what == "C" then
    for name, value in pairs(require "swale.core") do
      if value == f then return load_index().core[name] end
    end
  end
  return load_index().by_place[info.source:gsub("^@", "") .. ":" .. info.linedefined]
end

--- What a path of names below sw stands for; nil where there is nothing.
local function walk(path)
  local value = require "swale"
  for name in path:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    local ok, found = pcall(function() return value[name] end)
    if not ok or found == nil then return nil end
    value = found
  end
  return value
end

local function sorted_names(t, skip)
  local list = {}
  for key in pairs(t) do
    if type(key) == "string" and key ~= skip then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

local function page_of_table(name, value)
  local lines = { name .. " has:" }
  for _, key in ipairs(sorted_names(value, "_VERSION")) do
    local f = callable(value[key])
    local entry = f and entry_of(f)
    lines[#lines + 1] = ("  %-20s %s"):format(key, entry and entry.text[1] or "")
  end
  return table.concat(lines, "\n")
end

local function page_of_class(class)
  local lines = { class .. " has the methods:" }
  local methods = load_index().methods[class]
  for _, key in ipairs(sorted_names(methods)) do
    lines[#lines + 1] = ("  %-20s %s"):format(key, methods[key].text[1])
  end
  return table.concat(lines, "\n")
end

local function with_methods(text, class)
  return load_index().methods[class] and text .. "\n\n" .. page_of_class(class) or text
end

--- A method that stands among a module's functions: of tensors in ops, of others by a field.
local function borrowed_method(class, name)
  local op = (class == "Tensor" or class == "Node") and rawget(require "swale.ops", name)
  if op then return entry_of(op) end
  for _, field in ipairs(load_index().fields[class] or {}) do
    if field:match "^(%S+) +function" == name then return load_index().functions[name] end
  end
  return nil
end

local function page_of_method(class, name)
  local methods = load_index().methods[class]
  if not methods then return nil, load_index().methods end
  local entry = methods[name] or borrowed_method(class, name)
  if not entry then return nil, methods end
  return page(class .. ":" .. name, entry)
end

--- Modules whose functions are found by their own name alone.
local MODULES = { "nn", "loss", "optim", "schedule", "average", "data", "zoo", "ops" }

--- "average.SWA" for "SWA": the public functions of that name, with their modules.
local function in_modules(name)
  local list = {}
  for _, module in ipairs(MODULES) do
    local value = walk(module .. "." .. name)
    if value ~= nil and callable(value) then list[#list + 1] = module .. "." .. name end
  end
  return list
end

--- "Model" for "model", as scripts name their variables.
local function class_name(name)
  local methods, capital = load_index().methods, name:gsub("^%l", string.upper)
  return not methods[name] and methods[capital] and capital or name
end

local function known_names()
  local list = {}
  for name, value in pairs(require "swale") do
    list[#list + 1] = name
    for key in pairs(type(value) == "table" and value or {}) do
      if type(key) == "string" then list[#list + 1] = name .. "." .. key end
    end
  end
  for class in pairs(load_index().methods) do list[#list + 1] = class end
  return list
end

---A page for a value, as the repl's help(x) has it: what a function or a table of Swale is.
---@param value any
---@param name? string    as the page's title
---@return string|nil page
function M.of(value, name)
  local f = callable(value)
  local entry = f and entry_of(f)
  if entry then return page(name or entry.name, entry) end
  return type(value) == "table" and page_of_table(name or "it", value) or nil
end

---A page for a name: "schedule.cyclic" or "cyclic", "nn", "Trainer", "Trainer:fit"; sw. in front
---does not matter.
---@param name string
---@return string|nil page, string? problem    with the nearest name
function M.page(name)
  local short = name:gsub("^sw%.", "")
  local class, method = short:match "^([%w_]+):([%w_]+)$"
  if class then
    class = class_name(class)
    local found, names = page_of_method(class, method)
    if found then return found end
    local full = {}
    for known in pairs(names) do
      full[#full + 1] = names == load_index().methods and known or class .. ":" .. known
    end
    local wrong = names == load_index().methods and class or short
    return nil, ('there is no help for "%s"%s'):format(name, errors.suggestion(wrong, full))
  end
  if short == "sw" or short == "swale" then return page_of_table("sw", require "swale") end
  local value = walk(short)
  local text = value ~= nil and M.of(value, "sw." .. short)
  if text then return with_methods(text, short) end
  local full = in_modules(short)
  if #full == 1 then return M.page(full[1]) end
  if #full > 1 then
    return nil, ('"%s" stands for several: %s'):format(name, table.concat(full, ", "))
  end
  if load_index().methods[class_name(short)] then return page_of_class(class_name(short)) end
  return nil, ('there is no help for "%s"%s'):format(name, errors.suggestion(short, known_names()))
end

return M
