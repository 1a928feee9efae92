--- The second derivative at one point and one batch, as a linear map of vectors.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Linearized          L(v) is the product with a vector
---@field kind "hvp"|"gauss_newton"
---@field kept boolean              what does not depend on v was computed once
local Linearized = { __name = "swale.Linearized" }
Linearized.__index = Linearized

---@param program swale.Program
---@param inputs swale.Tensor[]
---@param vectors swale.Tensor[]    weights and buffers, copies of its own
---@param batch integer
---@param o { kind: string, memory: number, seed: integer }
---@return swale.Linearized
function M.new(program, inputs, vectors, batch, o)
  return setmetatable({ program = program, inputs = inputs, w = vectors[1], buffers = vectors[2],
    batch = batch, kind = o.kind, memory = o.memory, seed = o.seed, kept = false }, Linearized)
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
  local out = core.zeros({ v:numel() }, v:dtype())
  errors.check(self.program:run { inputs = self.inputs, vectors = { self.w, self.buffers, v },
    batch = self.batch, out = out, seed = self.seed })
  return out
end

---@param list swale.Tensor[]
---@return swale.Tensor[]          the product with each
function Linearized:apply(list)
  local products = {}
  for i, v in ipairs(options.value("linearize", "vectors", list, "table")) do
    products[i] = self(v)
  end
  return products
end

return M
