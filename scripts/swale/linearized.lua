--- The second derivative at one point and one batch, as a linear map of vectors.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Linearized          L(v) is the product with a vector
---@field kind "hvp"|"gauss_newton"
---@field kept boolean              what does not depend on v is computed once and kept
---@field bytes integer             that are kept, or would be
local Linearized = class.new("linearized", { fields = { "kind", "kept", "bytes" } })

---@class swale.LinearizedParts
---@field kind "hvp"|"gauss_newton"
---@field varying swale.Program        v is its varying vector; only this object runs it
---@field plain swale.Program       the same, whole each time
---@field point swale.ProgramRun    inputs, batch, and the keys of random numbers
---@field vectors swale.Tensor[]    weights and buffers, copies of its own
---@field memory number             bytes that may be kept

---@param o swale.LinearizedParts
---@return swale.Linearized
function M.new(o)
  local bytes = o.varying:kept_bytes(o.point.batch)
  local kept = bytes <= o.memory
  return setmetatable({ kind = o.kind, program = kept and o.varying or o.plain, kept = kept,
    bytes = bytes, w = o.vectors[1], buffers = o.vectors[2], fresh = true,
    point = o.point }, Linearized)
end

local function check_direction(self, v)
  options.value("linearize", "v", v, "tensor")
  if v:numel() ~= self.w:numel() then
    errors.misuse("linearize: v has %d elements, the model has %d weights", v:numel(),
      self.w:numel())
  end
  return v:to(self.w:dtype())
end

function Linearized:__call(v)
  v = check_direction(self, v)
  local out, o = core.zeros({ v:numel() }, v:dtype()), {}
  local again = self.kept and not self.fresh
  for name, value in pairs(self.point) do
    if not again or name ~= "inputs" and name ~= "batch" then o[name] = value end
  end
  o.vectors, o.out = { self.w, self.buffers, v }, out
  if again then
    errors.check(self.program:rerun(o))
  else
    errors.check(self.program:run(o))
    self.fresh = false
  end
  return out
end

---@param list swale.Tensor[]
---@return swale.Tensor[]          the product with each
function Linearized:apply(list)
  local products = {}
  for i, v in ipairs(options.value("linearize", "vectors", list, "list")) do
    products[i] = self(v)
  end
  return products
end

return M
