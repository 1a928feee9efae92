--- SVAG (Li, Malladi, Arora 2021, section 5): SGD whose steps are cut into l, with the noise of the
--- whole. As l grows it approaches the stochastic differential equation of SGD; where its loss is
--- that of SGD already (l = 1), SGD behaves as its equation.
local class = require "swale.class"
local options = require "swale.options"

local M = {}

---@class swale.SVAG
---@field lr number
---@field l number
---@field factors number[]   of the two gradients: their sum is 1, the sum of their squares l
local SVAG = class.new("svag", { name = "swale.SVAG", fields = { "lr", "l", "factors" } })

function SVAG:__tostring() return ("SVAG { lr = %g, l = %g }"):format(self.lr, self.l) end

---One step of w, in place, from the gradients of two batches at w, drawn independently:
---    w = w - lr / l ((1 + s) / 2 g1 + (1 - s) / 2 g2),   s = sqrt(2 l - 1)
---@param w swale.Tensor
---@param g1 swale.Tensor
---@param g2 swale.Tensor
---@return swale.Tensor w
function SVAG:step(w, g1, g2)
  options.value("svag:step", "w", w, "tensor")
  options.value("svag:step", "g1", g1, "tensor")
  options.value("svag:step", "g2", g2, "tensor")
  w:add(-self.lr / self.l * self.factors[1], g1)
  return w:add(-self.lr / self.l * self.factors[2], g2)
end

---Makes l steps of w, which stand for one step of SGD with lr.
---@param w swale.Tensor                             changed
---@param gradient fun(w: swale.Tensor): swale.Tensor   of a new batch at each call
---@return swale.Tensor w
function SVAG:advance(w, gradient)
  options.value("svag:advance", "w", w, "tensor")
  options.value("svag:advance", "gradient", gradient, "function")
  for _ = 1, self.l do
    local first = options.value("svag:advance", "a gradient", gradient(w), "tensor"):clone()
    self:step(w, first, gradient(w))
  end
  return w
end

local SPEC = { lr = "positive", l = "count" }

---@class swale.SVAGOptions
---@field lr number      of SGD
---@field l integer      1 is SGD

---A loop of one's own with SVAG; l = 1 is plain SGD, with the first of each two batches. At each
---step the gradient has the mean G and the variance l Sigma / B, so that l steps of lr / l have the
---drift and the noise of one step of lr.
---    local svag = sw.svag { lr = 0.1, l = 4 }
---    local w = sw.zeros { 3 }
---    svag:advance(w, function(at) return at - sw.randn { 3 } end) -- one step of SGD, in four
---@param o swale.SVAGOptions
---@return swale.SVAG
function M.new(o)
  o = options.check("svag", o, SPEC)
  local s = math.sqrt(2 * o.l - 1)
  o.factors = { (1 + s) / 2, (1 - s) / 2 }
  return setmetatable(o, SVAG)
end

return M
