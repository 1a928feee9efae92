--- Reads the annotations of Swale's own files as text: the comment above each function, and the
--- fields of each class.
local folders = require "swale.folders"

local M = {}

---The folder of Swale's Lua files, with a slash.
M.HOME = debug.getinfo(1, "S").source:match "^@(.*)annotations%.lua$"

---@class swale.Annotation        of a function
---@field name string
---@field arguments string        "(o)", as it is written
---@field class string|nil        of a method: "Trainer"
---@field text string[]           the description
---@field params string[]         "name type  description"
---@field returns string[]

---@class swale.Annotations
---@field by_place table<string, swale.Annotation>     "file:line"
---@field functions table<string, swale.Annotation[]>  those of modules, by their own names
---@field core table<string, swale.Annotation>         of swale.core
---@field methods table<string, table<string, swale.Annotation>>   by class and name
---@field fields table<string, string[]>               by class: "name type  description"; `parent`

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
        into[#into] = into[#into] .. " " .. words -- a description that continues
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
  if owner == "M" then
    index.functions[name] = index.functions[name] or {}
    table.insert(index.functions[name], entry)
  end
  if owner == "core" then index.core[name] = entry end
  if entry.class and #entry.text > 0 then
    index.methods[entry.class] = index.methods[entry.class] or {}
    index.methods[entry.class][name] = entry
  end
end

--- Notes a line of a class's annotations: a field, or the continuation of its description.
local function note_annotation(index, line, block)
  local named, rest = line:match "^%-%-%-@class swale%.([%w_]+)(.*)"
  local field = line:match "^%-%-%-@field (.*)$"
  if named then
    local fields = index.fields[named] or {} -- files may go on with a class
    fields.parent = fields.parent or rest:match "^: *swale%.([%w_]+)"
    block.class, block.fields, index.fields[named] = named, fields, fields
  elseif field and block.fields then
    table.insert(block.fields, field)
  elseif block.fields and #block.fields > 0 and not line:find "^%-%-%-@" then
    block.fields[#block.fields] = block.fields[#block.fields] .. " " .. line:sub(4)
  end
end

--- Reads a file. `local X = …` below a class's annotations makes X:method a method of that class;
--- methods of other tables belong to the class named last.
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

---Returns all annotations; the files are read once.
---@return swale.Annotations
function M.all()
  if index then return index end
  index = { by_place = {}, functions = {}, core = {}, methods = {}, fields = {} }
  for _, path in ipairs(lua_files(M.HOME, {})) do read(index, path) end
  return index
end

return M
