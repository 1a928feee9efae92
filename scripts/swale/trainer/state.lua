--- The live state that rules see: one table, filled anew after every step.
local errors = require "swale.errors"
local estimate = require "swale.estimate"

local M = {}

---@class swale.State
---@field step integer              updates made
---@field examples integer          seen by them
---@field epoch number              examples / size of the training set
---@field loss number               of the last batch, before its update; nan before the first
---@field grad_norm number          of its gradient, without weight decay; nan before the first
---@field lr number                 of the last update (before the first: what is set)
---@field batch_size integer        likewise
---@field momentum number           likewise
---@field weight_decay number       likewise
---@field epoch_examples integer    size of the training set
---@field fault "loss"|"gradient"|"weights"|"buffers"|false   what was not finite, where it stopped
---@field noise_scale swale.Estimate  never nil; reading it raises unless `measure` asks for it

M.FIELDS = { "step", "examples", "epoch", "loss", "grad_norm", "lr", "batch_size", "momentum",
  "weight_decay", "epoch_examples", "fault", "noise_scale" }

local meta = { __name = "swale.State" }

function meta.__index(_, key)
  if key == "fault" then return false end
  if key == "noise_scale" then estimate.unasked(key) end
  errors.no_name("the state has", key, M.FIELDS)
end

function meta:__tostring()
  return ("step %d, epoch %.2f: loss %.4g, lr %.4g, batch %d"):format(self.step, self.epoch,
    self.loss, self.lr, self.batch_size)
end

---@return swale.State   empty
function M.new() return setmetatable({}, meta) end

---A copy that later steps leave alone.
---@param s swale.State
---@return swale.State
function M.copy(s)
  local copy = M.new()
  for _, key in ipairs(M.FIELDS) do copy[key] = rawget(s, key) end
  local noise = rawget(s, "noise_scale")
  if noise then
    copy.noise_scale = estimate.new(noise.status, noise.value, noise.low, noise.high)
      :because(noise.reason)
  end
  return copy
end

return M
