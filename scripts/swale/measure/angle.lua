--- The angle between two vectors.
local core = require "swale.core"

local M = {}

---Returns the angle in radians, 0 to pi, to the precision of the vectors also where it is near
---either end (Kahan 2006): 2 atan2(|a/|a| - b/|b||, |a/|a| + b/|b||). NaN where one is 0.
---@param a swale.Tensor
---@param b swale.Tensor
---@return number
function M.between(a, b)
  local la, lb = a:norm(), b:norm()
  if not (la > 0 and lb > 0) then return core.NAN end
  local x, y = a * (1 / la), b * (1 / lb)
  return 2 * math.atan((x - y):norm(), (x + y):norm())
end

return M
