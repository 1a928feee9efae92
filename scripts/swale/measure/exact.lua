--- Exact quantities of a small network by enumeration: the gradient of each example, the whole
--- Hessian. What the estimates of sw.measure can be compared with.
local answers = require "swale.data.answers"
local core = require "swale.core"
local dense = require "swale.measure.dense"
local errors = require "swale.errors"
local options = require "swale.options"
local subject = require "swale.measure.subject"

local M = {}

local MOST <const> = 2 ^ 27 -- elements of a matrix: 1 GiB

local function check_size(s)
  if s.whole then
    errors.misuse("measure.exact: the examples are coupled (a batch norm in training mode, or a"
      .. " loss that is no mean over examples): none has a gradient of its own")
  elseif s.n < 2 then
    errors.misuse "measure.exact: one example has no covariance: 2 are needed"
  elseif s.selected * math.max(s.n, s.selected) > MOST then
    errors.misuse("measure.exact: %d weights and %d examples are too many for whole matrices; over"
      .. ' = "^0%%." selects weights, data.train:sample(500) examples', s.selected, s.n)
  end
end

--- A row for each example: the gradient of its objective.
local function gradients_of(s)
  local rows, row = core.zeros({ s.n, s.selected }, "float64"), 0
  local decay = s:select(s.weights:to "float64") * s.weight_decay
  for batch in s:parts(1) do
    row = row + 1
    local _, g = s.compiled:value_and_gradient(s.weights, batch)
    rows:select(1, row):copy(s:select(g:to "float64")):add(1, decay)
  end
  return rows
end

local SPEC = subject.spec { dtype = { choice = { "float32", "float64" }, "float64" } }

---The sample's exact gradient G, Hessian H, covariance Sigma of the examples' gradients (with
---n - 1), and |G|^2, tr(Sigma), B_simple, B_noise, eps_max of them, for a network of at most some
---thousand weights. Costs n gradients of an example, P Hessian products over the sample and n P^2
---operations, P being the number of weights; memory for n P and 4 P^2 numbers.
---@param model swale.Model
---@param sample swale.Split|swale.Batch   two examples at least
---@param o? swale.SubjectOptions          dtype is by default "float64"
---@return swale.Answers
---@return swale.Tensor gradients          float64 (n, P): of each example
function M.exact(model, sample, o)
  local s = subject.of("measure.exact", model, sample, options.check("measure.exact", o, SPEC))
  check_size(s)
  local gradients = gradients_of(s)
  return answers.of_examples(s:value(), gradients, dense.of(s:operator(), s.selected)), gradients
end

return M
