--- What sw.measure.noise returns.
local class = require "swale.class"

local M = {}

---@class swale.Noise
---@field b_simple swale.Estimate     tr(Sigma) / |G|^2, in examples
---@field signal swale.Estimate       |G|^2
---@field noise swale.Estimate        tr(Sigma), of an example
---@field covariance { signal: number, noise: number, both: number }   of the two estimates
---@field examples integer            that were read
---@field by string
local Noise = class.new("noise", { fields = { "b_simple", "signal", "noise", "covariance",
  "examples", "by" } })

function Noise:__tostring()
  return ("B_simple %s\n|G|^2 %s\ntr(Sigma) %s"):format(self.b_simple, self.signal, self.noise)
end

---@param fields table
---@return swale.Noise
function M.new(fields) return setmetatable(fields, Noise) end

return M
