--- Calls a measurement apart from the run: it gets copies and random numbers of its own; its errors
--- and seconds are returned.
local core = require "swale.core"
local create = require "swale.create"
local errors = require "swale.errors"
local globals = require "swale.experiment.globals"
local states = require "swale.trainer.state"
local values = require "swale.measurements.values"

local M = {}

local function copy_of(t) return t and t:clone() end

local COPIES = {
  weights = function(o) return copy_of(o.weights) end,
  start = function(o) return copy_of(o.start) end,
  buffers = function(o) return copy_of(o.buffers) end,
  state = function(o) return states.copy(o.state) end,
}

--- The argument of the function: copies, made on first use.
local function view(name, o)
  return setmetatable({ name = name }, { __name = "swale.Measuring", __index = function(m, key)
    local make = COPIES[key]
    if not make then errors.no_name("what is measured has", key, COPIES) end
    local value = make(o)
    rawset(m, key, value)
    return value
  end })
end

--- Within a coroutine f gets another one, whose end is checked: if f yielded, other code would draw
--- its random numbers. In the main coroutine, where interrupts arrive, no function can yield.
local function protected(f, ...)
  if not coroutine.isyieldable() then return pcall(f, ...) end
  local thread = coroutine.create(f)
  local ok, value = coroutine.resume(thread, ...)
  local yielded = ok and coroutine.status(thread) ~= "dead"
  coroutine.close(thread) -- closes the variables that f left open
  if yielded then return false, "a measurement cannot yield" end
  return ok, value
end

local function run(f, ...)
  local ok, value = protected(f, ...)
  if not ok then return false, value end
  return pcall(values.check, value)
end

---Calls read(kept, m) once. Call number n of a name draws the same random numbers in every run of
---the seed.
---@param name string
---@param read fun(kept: any, m: swale.Measuring): swale.Measured
---@param kept any
---@param o { weights: swale.Tensor, start: swale.Tensor, buffers?: swale.Tensor,
---state: swale.State, seed: integer, n: integer }
---@return boolean ok, any value, number seconds    value: what was measured, or the error
function M.call(name, read, kept, o)
  local begun, stream = require("luv").hrtime(), "measure/" .. name
  local give_back = globals.borrow_random(o.seed, stream, 2 * o.n + 1)
  local script = create.exchange_stream(core.random(o.seed, stream, 2 * o.n))
  local ok, value = run(read, kept, view(name, o))
  create.exchange_stream(script)
  give_back()
  local seconds = (require("luv").hrtime() - begun) / 1e9
  if not ok and value == core.INTERRUPTED then error(value, 0) end
  return ok, value, seconds
end

return M
