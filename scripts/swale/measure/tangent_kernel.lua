--- The tangent kernel: inner products of the derivatives of a network's outputs.
local core = require "swale.core"
local errors = require "swale.errors"
local factors = require "swale.measure.gram_factors"
local ops = require "swale.ops"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.tangent_kernel"

---@class swale.TangentKernelOptions: swale.SubjectOptions
---@field output? integer    one output, from 1; nil: the sum over all

local OPTIONS = subjects.spec { mode = { choice = { "eval" }, "eval" }, output = "count?" }

--- The number of outputs of an example.
local function outputs_of(model, sample, o)
  local s = subjects.of(WHERE, model, sample, o)
  local shape = s.compiled:graph(s:batch(core.zeros({ 1 }, "int32"))).output:shape()
  if #shape ~= 2 then
    errors.misuse("%s: outputs must be (batch, outputs), not %s", WHERE, errors.shape_text(shape))
  elseif (o.output or 1) > shape[2] then
    errors.misuse("%s: output = %d: the network has %d", WHERE, o.output, shape[2])
  end
  return shape[2]
end

--- The kernel of output c: its value stands for the loss.
local function kernel_of(model, sample, o, c)
  o.loss = function(output) return ops.reshape(ops.slice(output, 2, c, 1), { "batch" }) end
  return (factors.matrix(subjects.of(WHERE, model, sample, o)))
end

---The tangent kernel of a network (Jacot et al. 2018), K_ij = sum_c <J_ic, J_jc>, with J_ic the
---gradient of output c of example i:
---    local kernel = sw.measure.tangent_kernel(model, data.train:sample(200))
---    print(sw.linalg.eigvalsh(kernel))
---Costs measure.gram once for each output.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.TangentKernelOptions   without loss and weight_decay, of which it has none
---@return swale.Tensor                   float64 (n, n)
function M.tangent_kernel(model, sample, o)
  o = options.check(WHERE, o, OPTIONS)
  if o.loss or o.weight_decay ~= 0 then
    errors.misuse("%s: %s is not taken: it is of the outputs alone", WHERE,
      o.loss and "loss" or "weight_decay")
  end
  o.loss = function(output) return ops.mean(output) end -- a graph must have a loss
  local count = outputs_of(model, sample, o)
  if o.output then return kernel_of(model, sample, o, o.output) end
  local sum = kernel_of(model, sample, o, 1)
  for c = 2, count do sum:add(1, kernel_of(model, sample, o, c)) end
  return sum
end

return M
