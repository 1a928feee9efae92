--- Losses: functions of the model's output and the target that return one value for each example;
--- the caller takes the mean over the batch. A custom function may return a scalar instead, which
--- must be a mean over the batch.
local arguments = require "swale.arguments"
local core = require "swale.core"
local errors = require "swale.errors"
local facts = require "swale.loss_facts"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@alias swale.LossFunction fun(y: swale.Value, target: swale.Value): swale.Value, swale.Value?
---The second value is a weight for each example. The loss of a batch is then the sum of the first
---values divided by the sum of the weights.

local function same_shape(name, output, target)
  local wanted, given = errors.shape_text(output:shape()), errors.shape_text(target:shape())
  if given ~= wanted then
    errors.misuse("loss.%s: the target has shape %s, expected %s, as the output", name, given,
      wanted)
  end
end

--- The mean over the values of an example: (B, …) -> (B)
local function each(values)
  local axes = {}
  for axis = 2, values:ndim() do axes[#axes + 1] = axis end
  return #axes == 0 and values or ops.mean(values, axes)
end

--- An op on tensors takes one float type; in a graph, the program sets the type.
local function like(x, y)
  local both = core.type(x) == "tensor" and core.type(y) == "tensor"
  return both and y:to(x:dtype()) or y
end

--- ops.one_hot with the loss's name in its messages.
local function one_hot(where, labels, classes, ignored)
  local ok, result = pcall(ops.one_hot, labels, classes, ignored)
  if ok then return result end
  error((tostring(result):gsub("one_hot: ", where .. ": ", 1)), 0)
end

local function is_index(x)
  if core.type(x) == "node" then return x:kind() == "index" end
  return not x:dtype():find "^float"
end

--- Gives logits with one row for each label, (B n, classes), the axes of the labels, (B, …).
local function rows_alike(where, logits, labels)
  if not is_index(labels) then
    errors.misuse("%s: labels must be whole numbers of int32 or uint8, got real numbers %s;"
      .. " loss.soft_cross_entropy takes probabilities", where, errors.shape_text(labels:shape()))
  end
  if labels:ndim() < 2 or logits:ndim() ~= 2 then return logits end
  local shape = labels:shape()
  shape[#shape + 1] = logits:shape()[2]
  return ops.reshape(logits, shape)
end

--- The sum over the values of an example: (B, …) -> (B)
local function total(values)
  local axes = {}
  for axis = 2, values:ndim() do axes[#axes + 1] = axis end
  return #axes == 0 and values or ops.sum(values, axes)
end

---@class swale.CrossEntropyOptions
---@field ignore_index? integer       labels of this value do not count
---@field weight? number[]|swale.Tensor   w_c of each class, 1
---@field label_smoothing? number     epsilon, 0
---@field divide_by? "weights"|"examples"   "weights": the loss of a batch is PyTorch's, the sum of
---w_y l divided by the sum of w_y over the labels that count; the loss of a batch without such
---labels is nan. "examples": divided by the number of all labels, which keeps examples independent,
---as micro_batch and per-example gradient norms need

local CROSS_ENTROPY = { ignore_index = "integer?", weight = "list|tensor?",
  label_smoothing = { "nonnegative", 0 },
  divide_by = { choice = { "weights", "examples" }, "weights" } }

local SMOOTHING = { ignore_index = CROSS_ENTROPY.ignore_index, weight = CROSS_ENTROPY.weight,
  divide_by = CROSS_ENTROPY.divide_by }

local COUPLED = [[

  The loss divides by the sum of the weights of the batch's labels, which couples its examples.
  With divide_by = "examples" it divides by their number:
  sw.loss.cross_entropy { …, divide_by = "examples" }]]

local function class_weights(where, weight)
  if not weight then return nil end
  local list = core.type(weight) == "tensor" and weight:reshape({ -1 }):table() or weight
  local sum = 0
  for i, w in ipairs(list) do
    if type(w) ~= "number" or not (w >= 0 and w < math.huge) then
      errors.misuse("%s: weight[%d] must be a number that is not negative, not %s", where, i,
        errors.shown(w))
    end
    sum = sum + w
  end
  if sum == 0 then errors.misuse("%s: weight: one of them must be above 0", where) end
  return core.tensor(list, "float64")
end

--- A tensor of constants, for x's graph or with x's type.
local function constant_for(x, t)
  return core.type(x) == "tensor" and t:to(x:dtype()) or t
end

--- w_c of each class, as a row that is broadcast over the logits.
local function weights_for(where, logits, weight)
  local shape = logits:shape()
  local classes = shape[#shape]
  if weight and #weight ~= classes then
    errors.misuse("%s: weight has %d elements, the logits %s classes", where, #weight,
      tostring(classes))
  end
  return weight and constant_for(logits, weight), classes
end

--- q_ic = w_c ((1 - epsilon) [c = y_i] + epsilon / C), 0 where y_i does not count: then
--- sum_c -q_ic log softmax(z_i)_c is the share of label i, and sum_c w_c [c = y_i] its weight.
local function counting_loss(where, o)
  local weight, epsilon = class_weights(where, o.weight), o.label_smoothing
  local function loss(logits, labels)
    logits = rows_alike(where, logits, labels)
    local w, classes = weights_for(where, logits, weight)
    local own = like(logits, one_hot(where, labels, classes, o.ignore_index))
    local counted = ops.sum(own, -1, true)
    if w then own = own * w end
    local q = own
    if epsilon > 0 then
      local spread = counted * (epsilon / classes)
      q = own * (1 - epsilon) + (w and spread * w or ops.broadcast(spread, logits:shape()))
    end
    local values = ops.soft_cross_entropy(logits, q)
    if o.divide_by == "examples" then return each(values) end
    return total(values), total(ops.sum(own, -1))
  end
  return facts.note(loss, { name = "cross_entropy", ignore_index = o.ignore_index,
    coupled = o.divide_by == "weights" and COUPLED or nil })
end

local function with_options(where, o)
  o = options.check(where, o, CROSS_ENTROPY)
  if o.label_smoothing > 1 then
    errors.misuse("%s: label_smoothing must be a number from 0 to 1, not %s", where,
      errors.shown(o.label_smoothing))
  end
  if o.ignore_index or o.weight then return counting_loss(where, o) end
  return o.label_smoothing > 0 and M.label_smoothing(o.label_smoothing) or M.cross_entropy
end

local plain_cross_entropy = arguments.checked("loss.cross_entropy", function(logits, labels)
  return each(ops.cross_entropy(rows_alike("loss.cross_entropy", logits, labels), labels))
end, "logits: value, labels: value")

---Cross-entropy of class labels under the softmax of the logits, in nats.
---    l_i = log sum_c e^z_ic - z_iy
---Of an example with several labels (the characters of a text) it is the mean over them.
---`sw.loss.cross_entropy { weight = { 1, 5 }, ignore_index = 0 }` makes a loss function: its mean
---is PyTorch's, over the labels that count, by their weights.
---@param logits swale.Value|swale.CrossEntropyOptions   (B, classes); (B, …, classes), or one row
---for each label, (B n, classes); or options
---@param labels? swale.Value   (B) or (B, …), whole numbers from 0
---@return swale.Value          (B); or a loss function
function M.cross_entropy(logits, labels)
  if labels == nil and type(logits) == "table" then
    return with_options("loss.cross_entropy", logits)
  end
  return plain_cross_entropy(logits, labels)
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
---It takes several labels for each example, and the options of cross_entropy.
---@param epsilon number        0 … 1
---@param o? swale.CrossEntropyOptions
---@return swale.LossFunction
function M.label_smoothing(epsilon, o)
  if type(epsilon) ~= "number" or not (epsilon >= 0 and epsilon <= 1) then
    errors.misuse("loss.label_smoothing: epsilon must be a number from 0 to 1, got %s",
      errors.shown(epsilon))
  end
  if o ~= nil then
    local all = { label_smoothing = epsilon }
    for key, value in pairs(options.check("loss.label_smoothing", o, SMOOTHING)) do
      all[key] = value
    end
    return with_options("loss.label_smoothing", all)
  end
  if epsilon == 0 then return M.cross_entropy end -- 0 times an infinite spread would be NaN
  return facts.note(function(logits, labels)
    logits = rows_alike("loss.label_smoothing", logits, labels)
    local spread = -ops.mean(ops.log_softmax(logits), -1)
    return each(ops.cross_entropy(logits, labels) * (1 - epsilon) + spread * epsilon)
  end, { name = "label_smoothing" })
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

--- The text of a shape, without axes of size 1 after the first.
local function core_shape(x)
  local shape = x:shape()
  while #shape > 1 and shape[#shape] == 1 do shape[#shape] = nil end
  return errors.shape_text(shape)
end

--- Class labels 0 and 1, or numbers, as numbers of the output's shape.
local function as_numbers(output, target)
  local both = core.type(output) == "tensor" and core.type(target) == "tensor"
  if both and core_shape(output) ~= core_shape(target) then
    same_shape("logistic", output, target)
  end
  if is_index(target) then target = ops.slice(one_hot("loss.logistic", target, 2), -1, 2, 1) end
  return ops.reshape(like(output, target), output:shape())
end

---Logistic loss of one logit for each example, for targets from 0 to 1.
---    l_i = log(1 + e^z_i) - y_i z_i = y_i log(1 + e^-z_i) + (1 - y_i) log(1 + e^z_i),
---The second form is computed: its terms have the same sign, and so have its derivative's.
---In a Trainer a model with one output learns two classes; its sign is the class.
---@param logit swale.Value     (B) or (B, 1); (B, …) for several labels
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
  local shape = logits:shape()
  if #shape ~= 2 then
    errors.misuse("loss.hinge: takes logits (B, classes), not %s", errors.shape_text(shape))
  end
  local classes = shape[2]
  local is_own = like(logits, one_hot("loss.hinge", labels, classes))
  local own = ops.sum(ops.where(is_own, logits, 0), -1, true)
  return ops.sum(ops.where(is_own, 0, ops.relu(logits - own + 1)), -1) / classes
end

arguments.check_all(M, "loss", {
  mse = "output: value, target: value",
  soft_cross_entropy = "logits: value, probabilities: value",
  logistic = "logit: value, target: value", hinge = "logits: value, labels: value",
})

local FACTS = { logistic = { one_output = true }, mse = {}, cross_entropy = {} }

function FACTS.mse.remedy(labels)
  return labels and "the data has class labels: loss = sw.loss.cross_entropy, the default, takes"
    .. " them; sw.loss.mse takes targets of the output's shape"
end

function FACTS.cross_entropy.remedy(labels, positions)
  if not labels then
    return "the data has targets, not labels: cross_entropy, the default, takes class labels; for"
      .. " targets, loss = sw.loss.mse, or sw.loss.soft_cross_entropy of probabilities"
  end
  return positions > 1 and "the outputs still have positions: nn.GlobalAvgPool() or nn.Flatten()"
    .. " before the last nn.Linear makes them (batch, classes)"
end

for name, loss in pairs(M) do
  if name ~= "label_smoothing" then -- which returns a loss
    local known = FACTS[name] or {}
    known.name = name
    facts.note(loss, known)
  end
end

return M
