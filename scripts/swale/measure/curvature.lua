--- What all measurements of curvature share: the Hessian of the objective over a sample, or its
--- Gauss-Newton form, as a function of vectors whose calls are counted.
local class = require "swale.class"
local errors = require "swale.errors"
local subject = require "swale.measure.subject"

local M = {}

---@class swale.CurvatureOptions: swale.SubjectOptions
---@field kind? "hvp"|"gauss_newton"  the Hessian, or J' H_L J; hvp
---@field memory? number              bytes for what does not depend on the vector; 1 GiB

---Adds the options of all measurements of curvature to those of one.
---@param own table
---@return table own
function M.spec(own)
  own.kind = { choice = { "hvp", "gauss_newton" }, "hvp" }
  own.memory = { "positive", 2 ^ 30 }
  return subject.spec(own)
end

---@class swale.Curvature             C(v) is the product with a vector, float64
---@field subject swale.Subject
---@field n integer                   weights that it goes along
---@field products integer            made so far
local Curvature = class.new("curvature", { fields = { "subject", "n", "products", "kind" } })

---@param where string
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.CurvatureOptions    checked, with M.spec
---@return swale.Curvature
function M.of(where, model, sample, o)
  local of = subject.of(where, model, sample, o)
  return setmetatable({ subject = of, n = of.selected, products = 0, kind = o.kind,
    map = of:operator { kind = o.kind, memory = o.memory } }, Curvature)
end

function Curvature:__call(v)
  self.products = self.products + 1
  local y = self.map(v)
  local size = y:norm()
  if size - size ~= 0 then
    errors.misuse("%s: a product of the Hessian is not finite: the weights or the sample are not,"
      .. " or the loss overflows", self.subject.where)
  end
  return y
end

---"trace of the Hessian on 4096 examples"
---@param what string
---@return string
function Curvature:target(what)
  local of = self.subject
  return ("%s of the %s%s on %d examples"):format(what,
    self.kind == "hvp" and "Hessian" or "Gauss-Newton matrix",
    of.selected < of.size and (" along %d weights"):format(of.selected) or "", of.n)
end

return M
