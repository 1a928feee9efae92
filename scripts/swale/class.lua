--- Classes of the objects that scripts use. Their methods check self, so that `t.sum()` is not
--- taken for `t:sum()`, and reading a name that an object does not have raises instead of giving
--- nil.
---
---     local Model = class.new("model", { fields = { "seed" } })
---     function Model:weights() return self.flat end -- wrapped as it is assigned
---
--- Swale's own files may read fields that are not set.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local getmetatable = getmetatable

--- The names that a class offers; those that begin with "_" are internal.
local function offered(class)
  local names = {}
  while class do
    for name, value in next, class do
      if type(name) == "string" and type(value) == "function" and not name:find "^_" then
        names[name] = true
      end
    end
    local meta = getmetatable(class)
    class = meta and meta.parent
  end
  return names
end

local function refuse_name(what, key, names, remedy)
  if type(key) ~= "string" then
    errors.misuse("the %s has no [%s]; its fields and methods go by name: %s", what,
      errors.shown(key), table.concat(errors.sorted(names), ", "))
  end
  if remedy then errors.misuse("the %s has no %s; %s", what, errors.shown(key), remedy) end
  errors.no_name(("the %s has"):format(what), key, names)
end

local function refuse_self(what, method, self)
  local meta, got = type(self) == "table" and getmetatable(self), core.type(self) or type(self)
  if type(meta) == "table" and meta.__name then got = meta.__name:gsub("^swale%.", "") end
  errors.misuse("%s:%s: self is %s; methods are called with a colon: %s:%s(…)", what, method,
    got == "nil" and "missing" or errors.with_article(tostring(got)), what, method)
end

--- A function that checks self and calls f, by f's number of arguments: `...` takes twice as long.
local WRAPPERS = {
  function(class, refuse, f)
    return function(self)
      if getmetatable(self) ~= class then refuse(self) end
      return f(self)
    end
  end,
  function(class, refuse, f)
    return function(self, a)
      if getmetatable(self) ~= class then refuse(self) end
      return f(self, a)
    end
  end,
  function(class, refuse, f)
    return function(self, a, b)
      if getmetatable(self) ~= class then refuse(self) end
      return f(self, a, b)
    end
  end,
}

local function wrap_any(class, refuse, f)
  return function(self, ...)
    if getmetatable(self) ~= class then refuse(self) end
    return f(self, ...)
  end
end

--- The method, which refuses a self that is not of the class or of one with its name.
local function checked(class, what, method, f)
  local info = debug.getinfo(f, "u")
  local wrap = not info.isvararg and WRAPPERS[info.nparams] or wrap_any
  return wrap(class, function(self)
    local meta = getmetatable(self)
    if type(meta) ~= "table" or rawget(meta, "__name") ~= class.__name then
      refuse_self(what, method, self)
    end
  end, f)
end

---Makes the functions that are assigned to a table of methods check their self.
---@param what string      in messages: "trainer"
---@param class table      the metatable of the objects
---@return fun(t: table, key: string, value: any)   a __newindex
function M.checking(what, class)
  return function(t, key, value)
    if type(value) == "function" and not key:find "^__" then
      value = checked(class, what, key, value)
    end
    rawset(t, key, value)
  end
end

---Returns the handler for reading a name that is neither field nor method: it gives nil to Swale's
---own files and for names that begin with "__", and raises otherwise.
---@param what string
---@param key any
---@param class table      its methods are suggested
---@param fields table<string, boolean>   and these, which are nil where an object has none
---@param remedy? fun(key: any): string|nil   what a message says instead of the names
function M.missing(what, key, class, fields, remedy)
  if fields[key] or type(key) == "string" and key:find "^__" or errors.is_library(4) then return end
  local names = offered(class)
  for name in pairs(fields) do names[name] = true end
  refuse_name(what, key, names, remedy and remedy(key))
end

---@class swale.ClassOptions
---@field name? string            __name: "swale." and the word, capitalised
---@field fields? string[]        what a script may read besides the methods; may be nil
---@field parent? table           a class whose methods it has too
---@field remedy? fun(key: any): string|nil   of a name that is not there, instead of the names

---A class: a metatable, and the table of its methods. Functions assigned to it check their self,
---unless their names begin with "__".
---@param what string      in messages: "trainer"
---@param o? swale.ClassOptions
---@return table
function M.new(what, o)
  o = o or {}
  local parent, fields = o.parent, {}
  for _, key in ipairs(o.fields or {}) do fields[key] = true end
  local class = { __name = o.name or "swale." .. what:sub(1, 1):upper() .. what:sub(2) }
  class.__index = class
  local function index(_, key)
    local inherited = parent and rawget(parent, key)
    if inherited == nil then M.missing(what, key, class, fields, o.remedy) end
    return inherited
  end
  return setmetatable(class,
    { parent = parent, __index = index, __newindex = M.checking(what, class) })
end

--- Objects of the core are looked up there.
core.on_missing(function(what, key, methods) refuse_name(what, key, methods) end)

return M
