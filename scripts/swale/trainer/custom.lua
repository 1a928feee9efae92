--- A loop whose optimizer is a Lua function. The native loop below it draws batches, computes loss,
--- gradient and norms, and updates with a rate of 0; the function does the rest.
local copies = require "swale.copies"
local core = require "swale.core"
local errors = require "swale.errors"
local rules = require "swale.trainer.hyper"

local M = {}

---@class swale.CustomLoop
---@field inner swale.Loop
---@field f fun(w: swale.Tensor, g: swale.Tensor, state: table, hyper: table)
---@field o table                 see new
local Loop = {}
Loop.__index = Loop

local OWN = { "lr", "momentum", "weight_decay" }

---@param inner swale.Loop
---@param f function
---@param o table       weights, max_norm, coupling, reference, n: examples in an epoch
---@return swale.CustomLoop
function M.new(inner, f, o)
  for _, name in ipairs(OWN) do inner:set(name, 0) end
  return setmetatable({ inner = inner, f = f, o = o, kept = {}, given = {}, s = {},
    hyper = { lr = 0, momentum = 0, weight_decay = 0 } }, Loop)
end

---@param name swale.Hyper
---@param value number|swale.NativeSchedule
function Loop:set(name, value)
  if name == "batch_size" then return self.inner:set(name, value) end
  self.given[name] = value
  if self.s.step == nil and type(value) == "number" then self.hyper[name] = value end
end

local function refuse(self)
  local info = debug.getinfo(self.f, "S")
  errors.misuse("Trainer: the optimizer (%s:%d) changes no weight. It changes w in place, as in"
    .. " w:add(-hyper.lr, g); w = w - hyper.lr * g makes another tensor, which is not used",
    info.short_src, info.linedefined)
end

--- Calls f, and says whether its first argument was bound to something else when it returned.
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
  local w = self.o.weights
  if self.watched or now.lr == 0 then return self.f(w, g, self.kept, now) end
  self.watched = true
  local before = w:clone()
  local rebound, value = call_watched(self.f, w, g, self.kept, now)
  local other = core.type(value) == "tensor" and value ~= w
  if (rebound or other) and (w - before):norm() == 0 then refuse(self) end
end

local function rate_factor(o, batch)
  if o.coupling == "linear" then return batch / o.reference end
  return o.coupling == "sqrt" and math.sqrt(batch / o.reference) or 1
end

--- The numbers of the update that follows a gradient: of the last batch, or of one that was
--- refused.
local function settle(self, refused)
  local s, now = self.inner:state(self.s), self.hyper
  local step, before = s.step - 1, s.examples - s.batch_size
  if refused then step, before = s.step, s.examples end
  for _, name in ipairs(OWN) do
    local value = self.given[name]
    now[name] = type(value) == "number" and value
      or value:at(step, before, before + s.batch_size, self.o.n)
  end
  now.lr = now.lr * rate_factor(self.o, s.batch_size)
  now.batch_size, now.step = s.batch_size, s.step
  return s, now
end

local function update(self)
  local s, now = settle(self)
  local g = self.inner:gradient()
  local most = self.o.max_norm
  if most and s.grad_norm > most then -- twice: one factor may be below the numbers of float32
    local root = math.sqrt(most / s.grad_norm)
    g:scale(root):scale(root)
  end
  apply(self, g, now)
  local sound, message, code = self.inner:check()
  if not sound then return nil, message, code end
  return s.examples
end

local function advance(self, steps, stop)
  for _ = 1, steps do
    local why, message, code = self.inner:advance(1, stop)
    if code == "ENAN" then settle(self, true) end
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

local function take(self, names, ...)
  for i, name in ipairs(names) do
    local value = select(i, ...)
    if not rules.is_valid(name, value) then return i, value end
    self:set(name, name == "batch_size" and math.floor(value) or value)
  end
end

---As the native loop's.
---@param ... swale.Hyper
---@return fun(...: number): boolean|nil, ...
function Loop:stepper(...)
  local names, s = { ... }, {}
  return function(...)
    local i, value = take(self, names, ...)
    if i then return nil, i, value end
    local why, message, code = self:advance(1, nil, s)
    if not why then return nil, message, code end
    if why == "interrupted" then return nil, why, "EINTERRUPTED" end
    return true, s.step, s.examples, s.epoch, s.loss, s.grad_norm, s.lr, s.batch_size
  end
end

---@param t table
---@return table t
function Loop:state(t)
  self.inner:state(t)
  for _, name in ipairs(OWN) do t[name] = self.hyper[name] end
  return t
end

---@return table<string, swale.Tensor>   the tensors that the function keeps
function Loop:state_vectors()
  local found = {}
  for name, value in pairs(self.kept) do
    if core.type(value) == "tensor" and type(name) == "string" then found[name] = value end
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
    for name, value in pairs(o.vectors) do self.kept[name] = value:clone() end
  end
  for _, name in ipairs(OWN) do self.hyper[name] = o[name] or self.hyper[name] end
end

---@return number
function Loop:take_mean() return self.inner:take_mean() end
---@param i integer
---@return any ...
function Loop:norms(i) return self.inner:norms(i) end
---@param every integer
function Loop:measure(every) self.inner:measure(every) end
---@return true|nil sound, string? message, string? code
function Loop:check() return self.inner:check() end
---@return string|nil
function Loop:blame() return self.inner.blame and self.inner:blame() end

--- Nobody but the function knows how far weights move.
function Loop:watch_updates() end
function Loop:update_ratios() end

return M
