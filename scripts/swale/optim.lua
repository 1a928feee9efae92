--- Optimizers, as descriptions: the Trainer does the work, natively, on the flat weight vector.
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.SGDOptions
---@field momentum? swale.Hyperparameter        0
---@field dampening? number                     0
---@field nesterov? boolean                     false; wants momentum and no dampening
---@field weight_decay? swale.Hyperparameter    0; added to the gradient, before momentum
---@field lr? swale.Hyperparameter              here or in the Trainer, not in both

---@class swale.Optimizer
---@field kind "sgd"
---@field momentum swale.Hyperparameter
---@field dampening number
---@field nesterov boolean
---@field weight_decay swale.Hyperparameter
---@field lr? swale.Hyperparameter
local Optimizer = { __name = "swale.Optimizer" }
Optimizer.__index = Optimizer

function Optimizer:__tostring()
  local function shown(x) return type(x) == "number" and ("%g"):format(x) or "scheduled" end
  return ("SGD { momentum = %s, weight_decay = %s%s }"):format(shown(self.momentum),
    shown(self.weight_decay), self.nesterov and ", nesterov = true" or "")
end

local SGD = {
  momentum = { "nonnegative|Schedule|Rule|function", 0 }, dampening = { "number", 0 },
  nesterov = { "boolean", false }, weight_decay = { "nonnegative|Schedule|Rule|function", 0 },
  lr = "nonnegative|Schedule|Rule|function?",
}

---Stochastic gradient descent, in PyTorch's order:
---    g = gradient + weight_decay w
---    m = momentum m + (1 - dampening) g        (m = g at the first step)
---    w = w - lr (nesterov and g + momentum m or m)
---@param o? swale.SGDOptions
---@return swale.Optimizer
function M.SGD(o)
  o = options.check("optim.SGD", o, SGD)
  if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
    errors.misuse("optim.SGD: nesterov wants a momentum above 0 and no dampening")
  end
  o.kind = "sgd"
  return setmetatable(o, Optimizer)
end

return M
