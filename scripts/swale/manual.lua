--- A manual made of the annotations of Swale's own files: a page for a name, with its arguments and
--- their options. Names: "schedule.cyclic", "Trainer", "Trainer:fit", "Tensor:add".
local annotations = require "swale.annotations"
local arguments = require "swale.arguments"
local errors = require "swale.errors"

local M = {}

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

--- The fields of a class, followed by those of the class that it extends.
local function fields_of(class)
  local fields, list = annotations.all().fields[class], {}
  while fields do
    table.move(fields, 1, #fields, #list + 1, list)
    fields = annotations.all().fields[fields.parent]
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
        parts[#parts + 1] = ("\nOptions, in %s:\n%s"):format(name:match "[^?]+", rows(fields))
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
    parts[#parts + 1] = "\nReturns: " .. table.concat(entry.returns, ", ")
  end
  return table.concat(parts, "\n")
end

-- ------------------------------------------------------------------ finding

local function callable(value)
  if type(value) == "function" then return value end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call or nil
end

--- The annotation of a function; of a C function by its name in swale.core.
local function entry_of(f)
  local info = debug.getinfo(arguments.inner(f), "S")
  if info.what == "C" then
    for name, value in pairs(require "swale.core") do
      if value == f then return annotations.all().core[name] end
    end
  end
  return annotations.all().by_place[info.source:gsub("^@", "") .. ":" .. info.linedefined]
end

--- The value at a path of names below sw; nil if there is none.
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
  local fields, methods = fields_of(class), annotations.all().methods[class] or {}
  local lines, names = {}, sorted_names(methods)
  if #fields > 0 then lines = { class .. " has the fields:", rows(fields) } end
  if #fields > 0 and #names > 0 then lines[#lines + 1] = "" end
  if #names > 0 then lines[#lines + 1] = class .. " has the methods:" end
  for _, key in ipairs(names) do
    lines[#lines + 1] = ("  %-20s %s"):format(key, methods[key].text[1])
  end
  if class == "Tensor" or class == "Node" then
    lines[#lines + 1] = "\nMost functions of sw.ops are methods as well: `swale help ops`."
  end
  return table.concat(lines, "\n")
end

--- Of a measurement that Swale has: the comment at the head of its file.
local function page_of_measurement(name)
  if not require("swale.measurements").is_registered(name) then return nil end
  local lines = { ("measure = { %s = sw.every { steps = 5 } }"):format(name) }
  for line in io.lines(annotations.HOME .. "measurements/" .. name .. ".lua") do
    local text = line:match "^%-%-%- (.*)"
    if not text then break end
    lines[#lines + 1] = "  " .. text
  end
  return table.concat(lines, "\n")
end

local function with_methods(text, class)
  return annotations.all().methods[class] and text .. "\n\n" .. page_of_class(class) or text
end

--- The function of that name in a module; of several, the one that takes self.
local function as_method(name)
  local found = annotations.all().functions[name] or {}
  if #found == 1 then return found[1] end
  for _, entry in ipairs(found) do
    if entry.arguments:find "^%(self[,)]" then return entry end
  end
  return nil
end

--- A method that is declared as a function of a module: of tensors in ops, of others by a field.
local function borrowed_method(class, name)
  local op = (class == "Tensor" or class == "Node") and rawget(require "swale.ops", name)
  if op then return entry_of(op) end
  for _, field in ipairs(annotations.all().fields[class] or {}) do
    if field:match "^(%S+) +function" == name then return as_method(name) end
  end
  return nil
end

local function page_of_method(class, name)
  local methods = annotations.all().methods[class]
  if not methods then return nil, annotations.all().methods end
  local entry = methods[name] or borrowed_method(class, name)
  if not entry then return nil, methods end
  return page(class .. ":" .. name, entry)
end

--- "average.SWA" for "SWA": the public functions of that name, with their modules.
local function in_modules(name)
  local list = {}
  for module, functions in pairs(require "swale") do
    local value = type(functions) == "table" and rawget(functions, name)
    if value and callable(value) then list[#list + 1] = module .. "." .. name end
  end
  return list
end

local function is_class(name)
  return annotations.all().methods[name] ~= nil or annotations.all().fields[name] ~= nil
end

--- "Model" for "model", as scripts name their variables.
local function class_name(name)
  local capital = name:gsub("^%l", string.upper)
  return not is_class(name) and is_class(capital) and capital or name
end

local function known_names()
  local list = {}
  for name, value in pairs(require "swale") do
    list[#list + 1] = name
    for key in pairs(type(value) == "table" and value or {}) do
      if type(key) == "string" then list[#list + 1] = name .. "." .. key end
    end
  end
  for class in pairs(annotations.all().methods) do list[#list + 1] = class end
  local measured = require("swale.measurements").NAMES
  table.move(measured, 1, #measured, #list + 1, list)
  return list
end

---Returns a page for a value, for the repl's help(x): a function or a table of Swale.
---@param value any
---@param name? string    as the page's title
---@return string|nil page
function M.of(value, name)
  local f = callable(value)
  local entry = f and entry_of(f)
  if entry then return page(name or entry.name, entry) end
  return type(value) == "table" and page_of_table(name or "it", value) or nil
end

local function no_page(name, wrong, known)
  return nil, ('there is no help for "%s"%s'):format(name, errors.suggestion(wrong, known))
end

local function page_of_method_named(name, class, method)
  class = class_name(class)
  local found, names = page_of_method(class, method)
  if found then return found end
  if names == annotations.all().methods then return no_page(name, class, names) end
  local full = {}
  for known in pairs(names) do full[#full + 1] = class .. ":" .. known end
  return no_page(name, class .. ":" .. method, full)
end

---Returns a page for a name: "schedule.cyclic" or "cyclic", "nn", "Trainer", "Trainer:fit",
---"State", "noise_scale", with or without sw. in front.
---@param name string
---@return string|nil page, string? problem    with the nearest name
function M.page(name)
  local short = name:gsub("^sw%.", "")
  local class, method = short:match "^([%w_]+):([%w_]+)$"
  if class then return page_of_method_named(name, class, method) end
  if short == "sw" or short == "swale" then return page_of_table("sw", require "swale") end
  local value = walk(short)
  local text = value ~= nil and M.of(value, "sw." .. short)
  if text then return with_methods(text, short) end
  local full = in_modules(short)
  if #full == 1 then return M.page(full[1]) end
  if #full > 1 then
    return nil, ('"%s" is the name of several: %s'):format(name, table.concat(full, ", "))
  end
  class = class_name(short)
  if is_class(class) then return page_of_class(class) end
  local measured = page_of_measurement(short)
  if measured then return measured end
  return no_page(name, short, known_names())
end

return M
