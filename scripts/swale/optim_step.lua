--- One update of a weight vector by eager ops: the optimizers for loops of one's own, and what the
--- native ones are compared with.
local errors = require "swale.errors"

local M = {}

local function number(self, hyper, name)
  local value = hyper and hyper[name] or self[name] or self.defaults[name]
  if type(value) ~= "number" then
    errors.misuse("optim: %s must be a number in a loop of one's own: opt(w, g, state, { %s = … })",
      name, name)
  end
  return value
end

---@param w swale.Tensor       changed in place
---@param g swale.Tensor       left as it is
---@param state table          what it remembers: momentum
---@param hyper table          lr, momentum, weight_decay
---@param self swale.Optimizer
function M.sgd(w, g, state, hyper, self)
  local momentum, decay = number(self, hyper, "momentum"), number(self, hyper, "weight_decay")
  local d = decay == 0 and g or g:clone():add(decay, w)
  if momentum ~= 0 then
    local m = state.momentum
    state.momentum = m and m:scale(momentum):add(1 - self.dampening, d) or d:clone()
    d = self.nesterov and d:clone():add(momentum, state.momentum) or state.momentum
  end
  w:add(-number(self, hyper, "lr"), d)
end

local function adam(w, g, state, hyper, self)
  local beta1, beta2 = number(self, hyper, "momentum"), self.beta2
  local step = (state.step or 0) + 1
  state.step = step
  state.exp_avg = state.exp_avg or g * 0
  state.exp_avg_sq = state.exp_avg_sq or g * 0
  state.exp_avg:lerp(1 - beta1, g)
  state.exp_avg_sq:scale(beta2):add(1 - beta2, g * g)
  local root = (state.exp_avg_sq * (1 / (1 - beta2 ^ step))):sqrt() + self.eps
  w:add(-number(self, hyper, "lr") / (1 - beta1 ^ step), state.exp_avg / root)
end

---@param w swale.Tensor
---@param g swale.Tensor
---@param state table          exp_avg, exp_avg_sq, step
---@param hyper table
---@param self swale.Optimizer
function M.adam(w, g, state, hyper, self)
  local decay = number(self, hyper, "weight_decay")
  adam(w, decay == 0 and g or g:clone():add(decay, w), state, hyper, self)
end

---@param w swale.Tensor
---@param g swale.Tensor
---@param state table
---@param hyper table
---@param self swale.Optimizer
function M.adamw(w, g, state, hyper, self)
  w:scale(1 - number(self, hyper, "lr") * number(self, hyper, "weight_decay"))
  adam(w, g, state, hyper, self)
end

return M
