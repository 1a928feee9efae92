--- Calls a measurement apart from the run: it gets copies and random numbers of its own; its errors
--- and seconds are returned.
local core = require "swale.core"
local create = require "swale.create"
local given = require "swale.measurements.given"
local globals = require "swale.experiment.globals"
local values = require "swale.measurements.values"

local M = {}

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
---@param entry swale.AskedMeasurement
---@param o swale.MeasuredTraining
---@param n integer
---@return boolean ok, any value, number seconds    value: what was measured, or the error
function M.call(entry, o, n)
  local begun, name = require("luv").hrtime(), "measure/" .. entry.name
  local random = core.random(o.seed, name, 2 * n)
  local give_back = globals.borrow_random(o.seed, name, 2 * n + 1)
  local script = create.exchange_stream(random)
  local ok, value = run(entry.row.read, entry.kept, given.new(entry, o, random))
  create.exchange_stream(script)
  give_back()
  local seconds = (require("luv").hrtime() - begun) / 1e9
  if not ok and value == core.INTERRUPTED then error(value, 0) end
  return ok, value, seconds
end

return M
