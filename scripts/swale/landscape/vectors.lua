--- Arithmetic of weight vectors, in float64; the weights that a script names, as vectors.
local average = require "swale.average"
local core = require "swale.core"
local errors = require "swale.errors"
local models = require "swale.model"
local options = require "swale.options"

local M = {}

local function is_trainer(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(meta) == "table" and meta.__name == "swale.Trainer"
end

---Whether a value names a trainer.
---@param v any
---@return boolean
function M.is_trainer(v) return is_trainer(v) end

---The model that a value brings: a model itself, or that of a trainer.
---@param v any
---@return swale.Model|nil
function M.model_of(v)
  if models.is_model(v) then return v end
  return is_trainer(v) and v.model or nil
end

---The weights that a value stands for, as a copy.
---@param where string
---@param name string
---@param v swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@return swale.Tensor   float64, flat
function M.of(where, name, v)
  local model = M.model_of(v)
  if model then
    v = model:weights()
  elseif average.is_average(v) then
    v = v:weights()
  end
  if core.type(v) ~= "tensor" or v:ndim() ~= 1 then
    errors.misuse("%s: %s must be weights: a flat tensor, a model, a trainer or an average, not %s",
      where, name, core.type(v) == "tensor" and "a tensor of shape " .. errors.shape_text(v:shape())
      or errors.shown(v))
  end
  return v:dtype() == "float64" and v:clone() or v:to "float64"
end

---The weights of a list, all of one length.
---@param where string
---@param list any[]
---@param least integer
---@return swale.Tensor[]
function M.list(where, list, least)
  if type(list) ~= "table" or getmetatable(list) or #list < least then
    errors.misuse("%s: takes a list of %d weights or more, not %s", where, least,
      errors.shown(list))
  end
  options.value(where, "weights", list, "list")
  local result = {}
  for i, v in ipairs(list) do
    result[i] = M.of(where, ("weights %d"):format(i), v)
    M.check_length(where, ("weights %d"):format(i), result[i], result[1]:numel())
  end
  return result
end

---@param where string
---@param name string
---@param v swale.Tensor
---@param n integer
function M.check_length(where, name, v, n)
  if v:numel() ~= n then
    errors.misuse("%s: %s has %d elements, the others have %d", where, name, v:numel(), n)
  end
end

---The sum of vectors with factors.
---@param terms { [1]: number, [2]: swale.Tensor }[]
---@return swale.Tensor   float64, new
function M.sum(terms)
  local result = core.zeros({ terms[1][2]:numel() }, "float64")
  for _, term in ipairs(terms) do
    if term[1] ~= 0 then result:add(term[1], term[2]) end
  end
  return result
end

---@param a swale.Tensor
---@param b swale.Tensor
---@return swale.Tensor   a - b
function M.difference(a, b) return M.sum { { 1, a }, { -1, b } } end

---The coordinates of d in the plane of u and v by least squares, and its distance from the plane.
---@param d swale.Tensor
---@param u swale.Tensor
---@param v swale.Tensor
---@return number x
---@return number y
---@return number residual
function M.project(d, u, v)
  local uu, uv, vv, ud, vd = u:dot(u), u:dot(v), v:dot(v), u:dot(d), v:dot(d)
  local determinant = uu * vv - uv * uv
  local x, y = (vv * ud - uv * vd) / determinant, (uu * vd - uv * ud) / determinant
  return x, y, M.sum({ { 1, d }, { -x, u }, { -y, v } }):norm()
end

return M
