--- Losses: functions of the model's output and the target that give one value an example; the mean
--- over the batch is taken by whoever uses them. A function of one's own may give a scalar instead,
--- which must be a mean over the batch.
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

---@alias swale.LossFunction fun(output: swale.Value, target: swale.Value): swale.Value

---Cross-entropy of class labels under the softmax of the logits, in nats.
---    l_i = log sum_c e^z_ic - z_iy
---@param logits swale.Value    (B, classes)
---@param labels swale.Value    (B), whole numbers from 0
---@return swale.Value          (B)
function M.cross_entropy(logits, labels) return ops.cross_entropy(logits, labels) end

---Mean squared error: the mean over an example's outputs of (output - target)^2, as PyTorch's.
---@param output swale.Value    (B, …)
---@param target swale.Value    of the same shape
---@return swale.Value          (B)
function M.mse(output, target)
  local given, wanted = errors.shape_text(output:shape()), errors.shape_text(target:shape())
  if given ~= wanted then
    errors.misuse("loss.mse: output %s and target %s must have one shape", given, wanted)
  end
  local squares = ops.square(output - target)
  local axes = {}
  for axis = 2, squares:ndim() do axes[#axes + 1] = axis end
  return #axes == 0 and squares or ops.mean(squares, axes)
end

return M
