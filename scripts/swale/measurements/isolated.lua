--- Calls a measurement apart from the run: it gets copies and random numbers of its own; what it
--- writes into the trained vectors is undone; its errors and seconds are returned.
local copies = require "swale.copies"
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

-- ------------------------------------------------------------------ what is kept apart

--- Calls read with random numbers of its own.
local function call(entry, o, n)
  local name = "measure/" .. entry.name
  local random = core.random(o.seed, name, 2 * n)
  local give_back = globals.borrow_random(o.seed, name, 2 * n + 1)
  local script = create.exchange_stream(random)
  local ok, value = run(entry.row.read, entry.kept, given.new(entry, o, random))
  create.exchange_stream(script)
  give_back()
  return ok, value
end

--- The trained vectors, which a script can reach: through the model that it gave to the trainer,
--- through a view.
local function trained(o) return { o.weights, o.buffers } end

local function remember(o)
  o.intact = o.intact or {}
  for i, vector in ipairs(trained(o)) do o.intact[i] = copies.tensor(vector, o.intact[i]) end
end

--- Puts back what was written into; returns whether anything was.
local function put_back(o)
  local wrote = false
  for i, vector in ipairs(trained(o)) do
    if vector:distance(o.intact[i]) ~= 0 then wrote = true end
    vector:copy(o.intact[i])
  end
  return wrote
end

local WROTE <const> = "it wrote into the weights of its training, which are as before; m.weights is"
  .. " a copy"

---Calls read(kept, m) once. Call number n of a name draws the same random numbers in every run of
---the seed.
---@param entry swale.AskedMeasurement
---@param o swale.MeasuredTraining
---@param n integer
---@return boolean ok, any value, number seconds    value: what was measured, or the error
function M.call(entry, o, n)
  local begun = require("luv").hrtime()
  remember(o)
  local ok, value = call(entry, o, n)
  local wrote = put_back(o)
  if not ok and value == core.INTERRUPTED then error(value, 0) end
  if ok and wrote then ok, value = false, WROTE end
  return ok, value, (require("luv").hrtime() - begun) / 1e9
end

return M
