--- An orthonormal basis that grows. Vectors are orthogonalised twice, which is enough: what the
--- first pass leaves is small beside what it takes away.
local class = require "swale.class"

local M = {}

---@class swale.Basis
---@field vectors swale.Tensor[]      float64, of one length
local Basis = class.new("basis", { fields = { "vectors" } })

---@return swale.Basis
function M.new() return setmetatable({ vectors = {} }, Basis) end

---Subtracts from v, in place, its projection onto the basis.
---@param v swale.Tensor
---@return swale.Tensor v
function Basis:remove(v)
  for _ = 1, 2 do
    for i = #self.vectors, 1, -1 do
      local q = self.vectors[i]
      v:add(-q:dot(v), q)
    end
  end
  return v
end

local LEFT <const> = 1e-10 -- of a vector's length; less is the rounding of what was removed

---Adds the direction of v that the basis does not have; v is changed. Nothing, if there is none.
---@param v swale.Tensor
---@param scale? number               what its length is compared with; that of v
---@return number length              of what was left; 0: v is within the basis
function Basis:extend(v, scale)
  scale = scale or v:norm()
  local length = self:remove(v):norm()
  if length <= LEFT * scale or length ~= length then return 0 end
  v:scale(1 / length)
  self:remove(v):scale(1 / v:norm())
  self.vectors[#self.vectors + 1] = v
  return length
end

return M
