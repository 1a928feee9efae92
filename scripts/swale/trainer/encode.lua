--- Lua values as one JSON text, exactly, and back: tables with any keys, shared and cyclic ones,
--- integers and floats apart, -0, nan and infinities, strings of any bytes. Tensors stay outside,
--- under names. What cannot be kept is refused with its path: "mem.history[3] is a function".
---
--- A number, boolean or string is itself; all else is a JSON array that begins with a kind:
---     ["t", [v1, v2, …], [k, v, k, v, …]]   a table: its sequence, then its other keys
---     ["o", […], […], "estimate"]           likewise, an object
---     ["r", n]                              table n of the text again, counted from 1
---     ["n", "nan" | "inf" | "-inf"]   ["x", "00ff"]   ["w", name]: a tensor   ["s", […]]: a stream
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

--- Objects that are kept; functions among their fields, which are methods, are left out.
local CLASSES <const> = { estimate = require("swale.estimate").CLASS,
  metrics = require("swale.trainer.metrics").CLASS }
local NAMES <const> = {}
for name, class in pairs(CLASSES) do NAMES[class] = name end

local DEEPEST <const> = 80 -- tables within tables; core.json_encode takes 200 arrays

-- ------------------------------------------------------------------ paths

--- The path to a value: of the root its name, else "mem.history[3]".
local function words(path)
  if not path.up then return path.key end
  local key = path.key
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return words(path.up) .. "." .. key end
  return ("%s[%s]"):format(words(path.up), type(key) == "string" and ("%q"):format(key)
    or tostring(key))
end

local KINDS <const> = { ["function"] = "a function", thread = "a coroutine", table = "a table" }

local function kind_of(value)
  local class = core.type(value)
  if class then return ("an object (%s)"):format(class) end
  return KINDS[type(value)] or "an object"
end

--- What is raised within this file, and given to the caller as a message.
local Refusal = {}

local function refuse(path, what)
  error(setmetatable({ message = ("%s %s"):format(words(path), what) }, Refusal), 0)
end

-- ------------------------------------------------------------------ writing

local encode

local function number(x)
  if math.type(x) == "integer" or x - x == 0 then return x end
  return { "n", x ~= x and "nan" or x > 0 and "inf" or "-inf" }
end

local function text(s)
  if utf8.len(s) then return s end
  return { "x", (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) }
end

local function check_key(key, path)
  local kind = type(key)
  if kind == "string" or kind == "number" or kind == "boolean" then return end
  refuse(path, ("has a key that is %s"):format(kind_of(key)))
end

--- Keys in an order that is the same in each process: numbers, then texts, then booleans.
local function before(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  if type(a) == "boolean" then return b and not a end
  return a < b
end

local function other_keys(value, n, path)
  local keys = {}
  for key in next, value do
    local is_listed = math.type(key) == "integer" and key >= 1 and key <= n
    check_key(key, path)
    if not is_listed then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  return keys
end

local function list(value, path, out)
  if out.seen[value] then return { "r", out.seen[value] } end
  if path.depth > DEEPEST then refuse(path, ("is nested deeper than %d"):format(DEEPEST)) end
  local class = getmetatable(value)
  local object = class and NAMES[class]
  if class ~= nil and not object then refuse(path, "has a metatable") end
  out.tables = out.tables + 1
  out.seen[value] = out.tables
  local n, sequence, rest = rawlen(value), {}, {}
  for i = 1, n do
    local one = rawget(value, i)
    if one == nil then -- a border inside: it is all keys
      n, sequence = 0, {}
      break
    end
    sequence[i] = one
  end
  for i = 1, n do
    sequence[i] = encode(sequence[i], { up = path, key = i, depth = path.depth + 1 }, out)
  end
  for _, key in ipairs(other_keys(value, n, path)) do
    local one = rawget(value, key)
    if not (object and type(one) == "function") then
      rest[#rest + 1] = encode(key, path, out)
      rest[#rest + 1] = encode(one, { up = path, key = key, depth = path.depth + 1 }, out)
    end
  end
  return { object and "o" or "t", sequence, rest, object }
end

--- A tensor is written once, whatever refers to it.
local function tensor(value, out)
  local name = out.names[value]
  if not name then
    out.count = out.count + 1
    name = ("state.%d"):format(out.count)
    out.names[value], out.tensors[name] = name, value
  end
  return { "w", name }
end

function encode(value, path, out)
  local kind, class = type(value), core.type(value)
  if kind == "boolean" then return value end
  if kind == "number" then return number(value) end
  if kind == "string" then return text(value) end
  if class == "tensor" then return tensor(value, out) end
  if class == "random" then return { "s", value:save() } end
  if kind == "table" then return list(value, path, out) end
  return refuse(path, "is " .. kind_of(value))
end

---@class swale.Encoder
---@field tensors table<string, swale.Tensor>   those to write beside the text, by name
---@field names table<swale.Tensor, string>     their names
---@field seen table<table, integer>      the number of each table
---@field tables integer
---@field count integer                   of the names that were made

---Begins a text. Tensors that have names already are not written twice.
---@param tensors table<string, swale.Tensor>   added to
---@return swale.Encoder
function M.encoder(tensors)
  local names = {}
  for name, t in pairs(tensors) do names[t] = name end
  return { tensors = tensors, names = names, seen = {}, tables = 0, count = 0 }
end

---Returns a value as what JSON can hold; nil and the reason if it cannot be kept: then the encoder
---is as before.
---@param out swale.Encoder
---@param value any
---@param name string     of the value, in reasons
---@return any|nil encoded, string? reason
function M.value(out, value, name)
  local trial = { tensors = {}, names = setmetatable({}, { __index = out.names }),
    seen = setmetatable({}, { __index = out.seen }), tables = out.tables, count = out.count }
  local ok, found = pcall(encode, value, { key = name, depth = 0 }, trial)
  if not ok then
    if getmetatable(found) ~= Refusal then error(found, 0) end
    return nil, found.message
  end
  for _, field in ipairs { "tensors", "names", "seen" } do
    for key, one in next, trial[field] do out[field][key] = one end
  end
  out.tables, out.count = trial.tables, trial.count
  return found
end

-- ------------------------------------------------------------------ reading

local decode

local NUMBERS <const> = { nan = core.NAN, inf = math.huge, ["-inf"] = -math.huge }

local function damaged(what)
  error(setmetatable({ message = "its state is damaged: " .. what }, Refusal), 0)
end

local READERS <const> = {
  n = function(one) return NUMBERS[one[2]] or damaged "a number" end,
  x = function(one)
    return (one[2]:gsub("%x%x", function(c) return string.char(tonumber(c, 16)) end))
  end,
  w = function(one, into)
    local found = into.tensors[one[2]]
    if not found then into.missing = one[2] end
    return found or false
  end,
  s = function(one) return core.random(0, ""):load(one[2]) end,
  r = function(one, into) return into.tables[one[2]] or damaged "a reference" end,
}

local function read_table(one, into)
  local found = {}
  into.tables[#into.tables + 1] = found
  for i, value in ipairs(one[2]) do found[i] = decode(value, into) end
  for i = 1, #one[3], 2 do found[decode(one[3][i], into)] = decode(one[3][i + 1], into) end
  return found
end

function READERS.t(one, into) return read_table(one, into) end
function READERS.o(one, into)
  return setmetatable(read_table(one, into), CLASSES[one[4]] or damaged "a class")
end

function decode(value, into)
  if type(value) ~= "table" then return value end
  local read = READERS[value[1]] or damaged "an unknown kind of value"
  return read(value, into)
end

---Begins to read a text: parts in the order in which they were encoded.
---@param tensors table<string, swale.Tensor>
---@return table decoder
function M.decoder(tensors) return { tensors = tensors, tables = {} } end

---Returns the value that was encoded. Its tensors are those of the file.
---@param decoder table
---@param encoded any
---@return boolean ok, any value    or false and what is wrong with it
---@return string? missing          a tensor that is not there
function M.read(decoder, encoded)
  decoder.missing = nil
  local ok, value = pcall(decode, encoded, decoder)
  if ok and not decoder.missing then return true, value end
  if ok then
    return false, "its state is damaged: there is no tensor " .. errors.shown(decoder.missing),
      decoder.missing
  end
  if getmetatable(value) == Refusal then return false, value.message end
  if value == core.INTERRUPTED then error(value, 0) end
  return false, "its state is damaged"
end

return M
