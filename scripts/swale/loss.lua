--- Losses: functions of the model's output and the target that give one value an example; the mean
--- over the batch is taken by whoever uses them. A function of one's own may give a scalar instead,
--- which must be a mean over the batch.
local arguments = require "swale.arguments"
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

---@alias swale.LossFunction fun(output: swale.Value, target: swale.Value): swale.Value

local function same_shape(name, output, target)
  local given, wanted = errors.shape_text(output:shape()), errors.shape_text(target:shape())
  if given ~= wanted then
    errors.misuse("loss.%s: output %s and target %s must have one shape", name, given, wanted)
  end
end

--- The mean over what belongs to an example: (B, …) -> (B)
local function each(values)
  local axes = {}
  for axis = 2, values:ndim() do axes[#axes + 1] = axis end
  return #axes == 0 and values or ops.mean(values, axes)
end

--- Tensors compute in one float type only; graphs take theirs from the program.
local function like(x, y)
  local both = core.type(x) == "tensor" and core.type(y) == "tensor"
  return both and y:to(x:dtype()) or y
end

---Cross-entropy of class labels under the softmax of the logits, in nats.
---    l_i = log sum_c e^z_ic - z_iy
---Where an example has several labels (the characters of a text) it is the mean over them.
---@param logits swale.Value    (B, classes); (B, …, classes), or a row a label: (B n, classes)
---@param labels swale.Value    (B) or (B, …), whole numbers from 0
---@return swale.Value          (B)
function M.cross_entropy(logits, labels)
  if labels:ndim() < 2 or logits:ndim() ~= 2 then return each(ops.cross_entropy(logits, labels)) end
  local rows = ops.cross_entropy(logits, ops.reshape(labels, { logits:shape()[1] }))
  return each(ops.reshape(rows, labels:shape()))
end

---Mean squared error: the mean over an example's outputs of (output - target)^2, as PyTorch's.
---@param output swale.Value    (B, …)
---@param target swale.Value    of the same shape
---@return swale.Value          (B)
function M.mse(output, target)
  same_shape("mse", output, target)
  return each(ops.square(output - target))
end

---Cross-entropy with the labels smoothed: 1 - epsilon on the label, epsilon over all classes.
---    l_i = (1 - epsilon) CE(z_i, y_i) + epsilon mean_c -log softmax(z_i)_c
---@param epsilon number        0 … 1
---@return swale.LossFunction
function M.label_smoothing(epsilon)
  if type(epsilon) ~= "number" or not (epsilon >= 0 and epsilon <= 1) then
    errors.misuse("loss.label_smoothing: epsilon must be a number from 0 to 1, got %s",
      errors.shown(epsilon))
  end
  if epsilon == 0 then return M.cross_entropy end -- 0 times an infinite spread would be NaN
  return function(logits, labels)
    local spread = -ops.mean(ops.log_softmax(logits), -1)
    return ops.cross_entropy(logits, labels) * (1 - epsilon) + spread * epsilon
  end
end

---Cross-entropy of targets that are probabilities. A class with q = 0 adds nothing, even if its
---logit is -inf.
---    l_i = -sum_c q_ic log softmax(z_i)_c
---@param logits swale.Value    (B, classes)
---@param probabilities swale.Value   of the same shape
---@return swale.Value          (B)
function M.soft_cross_entropy(logits, probabilities)
  same_shape("soft_cross_entropy", logits, probabilities)
  return ops.soft_cross_entropy(logits, like(logits, probabilities))
end

--- Class labels or numbers, as numbers of the output's shape.
local function as_numbers(output, target)
  if core.type(target) == "node" and target:kind() == "index" then target = ops.cast(target) end
  return ops.reshape(like(output, target), output:shape())
end

---Logistic loss of one logit an example, for targets 0 and 1 (or anything between).
---    l_i = log(1 + e^z_i) - y_i z_i = y_i log(1 + e^-z_i) + (1 - y_i) log(1 + e^z_i),
---of which the second form is computed: its terms have one sign, and so do its slope's.
---@param logit swale.Value     (B) or (B, 1)
---@param target swale.Value    labels 0 and 1, or numbers
---@return swale.Value          (B)
function M.logistic(logit, target)
  local y = as_numbers(logit, target)
  return each(y * ops.softplus(-logit) + (1 - y) * ops.softplus(logit))
end

---Hinge loss of class labels, as PyTorch's multi_margin_loss.
---    l_i = sum_{c /= y} max(0, 1 - z_iy + z_ic) / classes
---@param logits swale.Value    (B, classes)
---@param labels swale.Value    (B), whole numbers from 0
---@return swale.Value          (B)
function M.hinge(logits, labels)
  local classes = logits:shape()[2]
  local is_own = like(logits, ops.one_hot(labels, classes))
  local own = ops.sum(ops.where(is_own, logits, 0), -1, true)
  return ops.sum(ops.where(is_own, 0, ops.relu(logits - own + 1)), -1) / classes
end

arguments.check_all(M, "loss", {
  cross_entropy = "logits: value, labels: value", mse = "output: value, target: value",
  soft_cross_entropy = "logits: value, probabilities: value",
  logistic = "logit: value, target: value", hinge = "logits: value, labels: value",
})

return M
