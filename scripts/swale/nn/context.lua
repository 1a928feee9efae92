--- What a layer is told when it computes: whether it trains, and where new values of buffers go.
local class = require "swale.class"
local errors = require "swale.errors"

local M = {}

---@class swale.Context
---@field mode "train"|"eval"
---@field fold? boolean   evaluation, without derivatives: norms may go into the weights before them
---@field on_set? fun(buffer: swale.Value, value: swale.Value)   where new values of buffers go
---@field norm_mode? fun(layer: swale.Layer, x: swale.Value, p: table): "train"|"eval"
---of a batch norm, if it is not the mode: it is told of each one, in the order of the network
---@field one? swale.Node   of batch norms: 1, from which they make the batch's size
local Context = class.new("context", { fields = { "mode", "fold", "on_set", "norm_mode", "one" } })

---@param mode "train"|"eval"
---@param fields? table        on_set, norm_mode
---@return swale.Context
function M.new(mode, fields)
  local self = fields or {}
  if mode ~= "train" and mode ~= "eval" then
    errors.misuse('mode is "train" or "eval", not %s', errors.shown(mode))
  end
  self.mode = mode
  return setmetatable(self, Context)
end

---For eager computing and whoever gives no other: running statistics, no dropout.
M.eval = M.new "eval"

---The buffer's value after this step: a training keeps it once the step's loss was finite;
---elsewhere nothing comes of it.
---@param buffer swale.Value     as forward got it in p
---@param value swale.Value      of its shape
function Context:set(buffer, value)
  if self.on_set then self.on_set(buffer, value) end
end

return M
