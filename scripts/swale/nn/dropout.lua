--- Dropout (Srivastava et al. 2014).
local core = require "swale.core"
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@class swale.Dropout: swale.Layer
---@field p number
local Dropout = layer.kind "Dropout"

function Dropout:has_modes() return self.p > 0 end
function Dropout:keeps_channels() return true end
function Dropout.sample() return M.Dropout(0.5), layer.example { 4, 6 } end
function Dropout:declared() return ("p = %g"):format(self.p) end

function Dropout:forward(x, _, context)
  if context.mode == "eval" or self.p == 0 then return x end
  if core.type(x) ~= "node" then
    errors.misuse "drops units in training only, which is compiled: sw.Trainer or sw.compile"
  end
  return ops.dropout(x, self.p)
end

---In training, each element is 0 with probability p, else x / (1 - p); in evaluation, x. The mask
---follows from seed, step and the example's position in the training: it is the same for any number
---of threads and micro-batches, and for loss, gradient and second derivatives of a step.
---@param p? number          below 1; 0.5
---@param o? { name?: string }
---@return swale.Dropout
function M.Dropout(p, o)
  layer.check_first("nn.Dropout", p, "0.5")
  o = options.check("nn.Dropout", o, { name = "string?" })
  o.p = options.value("nn.Dropout", "p", p or 0.5, "nonnegative")
  if o.p >= 1 then errors.misuse("nn.Dropout: p is from 0 to below 1, not %g", o.p) end
  layer.check_name("nn.Dropout", o.name)
  return layer.new(Dropout, o)
end

return M
