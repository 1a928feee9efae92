--- A loop whose optimizer is a Lua function. The native loop below it has the optimizer "none": it
--- draws batches, computes loss, gradient and norms, clips and follows schedules; the function
--- updates the weights.
local copies = require "swale.copies"
local core = require "swale.core"
local errors = require "swale.errors"
local rules = require "swale.trainer.hyper"

local M = {}

---@class swale.CustomLoop
---@field inner swale.Loop        of the optimizer "none"
---@field f fun(w: swale.Tensor, g: swale.Tensor, state: table, hyper: table)
---@field weights swale.Tensor
---@field kept table              the function's state
---@field s table                 the loop's state after the last step
---@field hyper table             what the function is given
local Loop = {}
Loop.__index = Loop

---@param inner swale.Loop
---@param f function
---@param weights swale.Tensor
---@return swale.CustomLoop
function M.new(inner, f, weights)
  return setmetatable({ inner = inner, f = f, weights = weights, kept = {}, s = {}, hyper = {} },
    Loop)
end

---@param name swale.Hyper
---@param value number|swale.NativeSchedule
function Loop:set(name, value) self.inner:set(name, value) end

local function refuse(self)
  local info = debug.getinfo(self.f, "S")
  errors.misuse("Trainer: the optimizer (%s:%d) changes no weight. It changes w in place, as in"
    .. " w:add(-hyper.lr, g); w = w - hyper.lr * g makes another tensor, which is not used",
    info.short_src, info.linedefined)
end

--- Calls f; returns whether its first argument was bound to something else when it returned.
local function call_watched(f, w, ...)
  local rebound, hook, mask, count = false, debug.gethook()
  if hook ~= nil then return false, f(w, ...) end -- a debugger's, which goes first
  debug.sethook(function()
    if debug.getinfo(2, "f").func == f then
      local name, value = debug.getlocal(2, 1)
      rebound = name ~= nil and value ~= w
    end
  end, "r")
  local ok, value = pcall(f, w, ...)
  debug.sethook(hook, mask, count)
  if not ok then error(value, 0) end
  return rebound, value
end

--- The first call with a rate above 0 is watched: a function that computes new weights and does not
--- write them into w trains nothing.
local function apply(self, g, now)
  local w = self.weights
  if self.watched or now.lr == 0 then return self.f(w, g, self.kept, now) end
  self.watched = true
  local before = w:clone()
  local rebound, value = call_watched(self.f, w, g, self.kept, now)
  local other = core.type(value) == "tensor" and value ~= w
  if (rebound or other) and (w - before):norm() == 0 then refuse(self) end
end

--- The update that follows a gradient. Gives the examples seen so far.
local function update(self)
  local s, now = self.inner:state(self.s), self.hyper
  for _, name in ipairs(rules.NAMES) do now[name] = s[name] end
  now.step = s.step
  apply(self, self.inner:gradient(), now)
  local sound, message, code = self.inner:check()
  if not sound then return nil, message, code end
  return s.examples
end

local function advance(self, steps, stop)
  for _ = 1, steps do
    local why, message, code = self.inner:advance(1, stop)
    if not why or why == "interrupted" then return why, message, code end
    local examples, fault, kind = update(self)
    if not examples then return nil, fault, kind end
    if stop and examples >= stop then return "examples" end
  end
  return "steps"
end

---@param steps integer
---@param stop? integer
---@param t? table
---@return string|nil why, string? message, string? code
function Loop:advance(steps, stop, t)
  local why, message, code = advance(self, steps, stop)
  if t then self:state(t) end
  return why, message, code
end

---As the native loop's.
---@param ... swale.Hyper
---@return fun(...: number): boolean|nil, ...
function Loop:stepper(...)
  local step = self.inner:stepper(...)
  local function updated(news, ...)
    if news == nil then return nil, ... end
    local examples, message, code = update(self)
    if not examples then return nil, message, code end
    return news, ...
  end
  return function(...) return updated(step(...)) end
end

---@param t table
---@return table t
function Loop:state(t) return self.inner:state(t) end

--- Names in a checkpoint begin with these where they belong to the trainer.
local RESERVED <const> = { "^weights", "^buffers", "^average" }

---Whether a tensor of a checkpoint belongs to the trainer, not to the function.
---@param name string
---@return boolean
function M.is_reserved(name)
  for _, pattern in ipairs(RESERVED) do if name:find(pattern) then return true end end
  return false
end

local function saved_name(name)
  local taken = M.is_reserved(name) or name:find "^optimizer%."
  return taken and "optimizer." .. name or name
end

---@return table<string, swale.Tensor>   the tensors that the function keeps
function Loop:state_vectors()
  local found = {}
  for name, value in pairs(self.kept) do
    if core.type(value) == "tensor" and type(name) == "string" then
      found[saved_name(name)] = value
    end
  end
  return found
end

---A copy of all that the function keeps.
---@return table
function Loop:memory() return copies.deep(self.kept) end

---@param o swale.LoopResume    with vectors, the tensors of a checkpoint: what else the function
---kept is lost; or with memory
function Loop:restore(o)
  local inner = {}
  for name, value in pairs(o) do inner[name] = value end
  inner.vectors, inner.memory = nil, nil
  self.inner:restore(inner)
  self.kept = o.memory and copies.deep(o.memory) or {}
  if not o.memory then
    for name, value in pairs(o.vectors) do
      self.kept[name:match "^optimizer%.(.*)" or name] = value:clone()
    end
  end
end

---@return number
function Loop:take_mean() return self.inner:take_mean() end
---@param i integer
---@return any ...
function Loop:norms(i) return self.inner:norms(i) end
---@return number measured, number paired, number plain
function Loop:cost() return self.inner:cost() end
---@param every integer
---@param regularised? boolean
function Loop:measure(every, regularised) self.inner:measure(every, regularised) end
function Loop:measure_next() self.inner:measure_next() end
---@return true|nil sound, string? message, string? code
function Loop:check() return self.inner:check() end
---@return string|nil
function Loop:first_nan() return self.inner:first_nan() end

--- Update ratios are not measured: the function makes the update.
function Loop:watch_updates() end
function Loop:update_ratios() end

return M
