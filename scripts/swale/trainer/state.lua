--- The live state that rules see: one table, updated after every step.
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local hyper = require "swale.trainer.hyper"
local measure = require "swale.measurements"
local values = require "swale.measurements.values"

local M = {}

---@class swale.State
---@field step integer              updates made
---@field examples integer          seen by them
---@field epoch number              examples / size of the training set
---@field loss number               of the last batch, before its update; nan before the first
---@field grad_norm number          of its gradient, without weight decay; nan before the first
---@field lr number                 of the last update; before the first, the setting
---@field batch_size integer        likewise
---@field momentum number           likewise
---@field weight_decay number       likewise
---@field epoch_examples integer    size of the training set
---@field fault "loss"|"gradient"|"weights"|"buffers"|false   what was not finite at the end
---@field [string] swale.Measured   measurements, by name; see swale.measure

---@class swale.LoopField        of what loop:state writes
---@field name string
---@field read? boolean           scripts read it in the state
---@field saved? boolean          snapshots have it

---@type swale.LoopField[]
local LOOP <const> = {
  { name = "step", read = true, saved = true }, { name = "examples", read = true, saved = true },
  { name = "epoch", read = true }, { name = "loss", read = true, saved = true },
  { name = "grad_norm", read = true, saved = true }, { name = "loss_sum", saved = true },
  { name = "loss_examples", saved = true }, { name = "measurements" },
  { name = "fault", read = true }, { name = "bad_step" }, { name = "bad_segment" },
  { name = "bad_loss" }, { name = "bad_grad_norm" },
}
for _, name in ipairs(hyper.NAMES) do
  LOOP[#LOOP + 1] = { name = name, read = true, saved = true }
end

local function names_of(which)
  local names = {}
  for _, field in ipairs(LOOP) do
    if not which or field[which] then names[#names + 1] = field.name end
  end
  return names
end

---Names of all that loop:state writes; of these, what snapshots have.
M.LOOP, M.SAVED = names_of(), names_of "saved"

---Names of what scripts read, besides measurements.
M.FIELDS = names_of "read"
M.FIELDS[#M.FIELDS + 1] = "epoch_examples"

local function text(self)
  return ("step %d, epoch %.2f: loss %.4g, lr %.4g, batch %d"):format(self.step, self.epoch,
    self.loss, self.lr, self.batch_size)
end

--- Raises for a name that the state does not have, such as a measurement that is not in `measure`.
local function refuse(key, measured)
  if measure.is_registered(key) then estimate.unasked(key) end
  local names = table.move(M.FIELDS, 1, #M.FIELDS, 1, {})
  table.move(measure.NAMES, 1, #measure.NAMES, #names + 1, names)
  for name in pairs(measured) do names[#names + 1] = name end
  errors.no_name("the state has", key, names)
end

---Returns an empty state. Measurements are fields of it, too.
---@param measured table<string, any>   whose keys are their names; it may change later
---@return swale.State
function M.new(measured)
  return setmetatable({}, { __name = "swale.State", __tostring = text, measured = measured,
    __index = function(_, key)
      if key == "fault" then return false end
      refuse(key, measured)
    end })
end

---Returns a copy that later steps do not change.
---@param s swale.State
---@return swale.State
function M.copy(s)
  local measured = getmetatable(s).measured
  local copy = M.new(measured)
  for _, key in ipairs(M.FIELDS) do copy[key] = rawget(s, key) end
  for name in pairs(measured) do copy[name] = values.copy(rawget(s, name)) end
  return copy
end

return M
