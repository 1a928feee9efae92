--- One update of a weight vector by eager ops: what each native optimizer is compared with.
---
---     oracle[kind](w, g, state, hyper, self)
---
--- state: the vectors it keeps, and step; hyper: lr, momentum, weight_decay; self: swale.Optimizer.
local M = {}

function M.sgd(w, g, state, hyper, self)
  local momentum = hyper.momentum
  local d = g:clone():add(hyper.weight_decay, w)
  if momentum ~= 0 then
    local m = state.momentum
    state.momentum = m and m:scale(momentum):add(1 - self.dampening, d) or d:clone()
    d = self.nesterov and d:clone():add(momentum, state.momentum) or state.momentum
  end
  w:add(-hyper.lr, d)
end

local function adam(w, g, state, hyper, self)
  local beta1, beta2 = hyper.momentum, self.beta2
  local step = (state.step or 0) + 1
  state.step = step
  state.exp_avg = state.exp_avg or g * 0
  state.exp_avg_sq = state.exp_avg_sq or g * 0
  state.exp_avg:lerp(1 - beta1, g)
  state.exp_avg_sq:scale(beta2):add(1 - beta2, g * g)
  local root = (state.exp_avg_sq * (1 / (1 - beta2 ^ step))):sqrt() + self.eps
  w:add(-hyper.lr / (1 - beta1 ^ step), state.exp_avg / root)
end

function M.adam(w, g, state, hyper, self)
  adam(w, g:clone():add(hyper.weight_decay, w), state, hyper, self)
end

function M.adamw(w, g, state, hyper, self)
  w:scale(1 - hyper.lr * hyper.weight_decay)
  adam(w, g, state, hyper, self)
end

return M
