--- Variables that functions of a training keep outside of it: upvalues, which a checkpoint does not
--- have. They are compared with what they were when the fit began.
local core = require "swale.core"

local M = {}

local DEEPEST <const>, MOST <const> = 4, 2000 -- of tables; of their values
local LARGEST <const> = 2 ^ 24 -- elements of a tensor

-- ------------------------------------------------------------------ what a value is

local look

--- Tables that are no data: modules, and the globals, which are one.
local function is_module(value)
  for _, module in pairs(package.loaded) do if module == value then return true end end
  return false
end

local function look_at_table(value, parts, depth)
  if getmetatable(value) ~= nil or depth > DEEPEST then return end
  if depth == 1 and is_module(value) then return end
  local lines = {}
  for key, one in next, value do
    if #lines >= MOST then break end
    local inner = { tostring(key), "=" }
    look(one, inner, depth + 1)
    lines[#lines + 1] = table.concat(inner)
  end
  table.sort(lines)
  parts[#parts + 1] = "{" .. table.concat(lines, ",") .. "}"
end

--- Adds the value as text: of tensors the norm; nothing of functions and other objects.
function look(value, parts, depth)
  local kind, class = type(value), core.type(value)
  if kind == "table" then
    look_at_table(value, parts, depth)
  elseif class == "random" then
    parts[#parts + 1] = table.concat(value:save(), " ")
  elseif class == "tensor" and value:dtype():find "^float" and value:numel() <= LARGEST then
    parts[#parts + 1] = ("%.17g"):format(value:norm())
  elseif kind == "number" then
    parts[#parts + 1] = ("%.17g"):format(value)
  elseif kind == "string" or kind == "boolean" or kind == "nil" then
    parts[#parts + 1] = tostring(value)
  end
end

local function text_of(value)
  local parts = {}
  look(value, parts, 1)
  return table.concat(parts)
end

-- ------------------------------------------------------------------ functions and their upvalues

---@class swale.WatchedUpvalue
---@field f function
---@field i integer
---@field name string
---@field owner string     the function in words
---@field remedy string
---@field text string      its value when the fit began

local function add(self, f, owner, remedy, depth)
  if self.seen[f] or depth > DEEPEST then return end
  self.seen[f] = true
  for i = 1, debug.getinfo(f, "u").nups do
    local name, value = debug.getupvalue(f, i)
    local id = debug.upvalueid(f, i)
    if not self.seen[id] and name ~= "_ENV" and not self.own[value or false] then
      self.seen[id] = true
      if type(value) == "function" then add(self, value, owner, remedy, depth + 1) end
      self[#self + 1] = { f = f, i = i, name = name, owner = owner, remedy = remedy,
        text = text_of(value) }
    end
  end
end

local IN_MEM <const> = "keep it in mem, the rule's second argument"
local IN_STATE <const> = "keep it in state, the function's third argument"
local NOWHERE <const> = "a run that is resumed has the value from before the fit"

---Notes the upvalues of all functions of a training.
---@param engine swale.Engine     ready
---@return table watch
function M.watch(engine)
  local self = { seen = {}, own = {} }
  for _, own in ipairs { engine.weights, engine.buffers or nil } do self.own[own] = true end
  for _, rule in ipairs(engine.rules) do add(self, rule.f, "rule " .. rule.name, IN_MEM, 1) end
  local optimizer = engine.optimizer.step
  if optimizer then add(self, optimizer, "the optimizer", IN_STATE, 1) end
  for event, list in pairs(engine.hooks) do
    for _, f in ipairs(list) do add(self, f, ('a hook of "%s"'):format(event), NOWHERE, 1) end
  end
  for _, entry in ipairs(engine.measurements.list) do
    if entry.row.f then add(self, entry.row.f, "measurement " .. entry.name, NOWHERE, 1) end
  end
  if engine.until_ then add(self, engine.until_, "until_", NOWHERE, 1) end
  return self
end

---Returns a sentence for each upvalue that has changed, once.
---@param watch swale.WatchedUpvalue[]
---@return string[]
function M.changes(watch)
  local found = {}
  for _, one in ipairs(watch) do
    local _, value = debug.getupvalue(one.f, one.i)
    if not one.told and text_of(value) ~= one.text then
      one.told = true
      local info = debug.getinfo(one.f, "S")
      found[#found + 1] = ("%s changes its upvalue `%s` (%s:%d), which a checkpoint does not have:"
        .. " %s"):format(one.owner, one.name, info.short_src, info.linedefined, one.remedy)
    end
  end
  return found
end

return M
