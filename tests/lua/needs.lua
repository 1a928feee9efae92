--- Skips a test where the machine does not have what it needs.
local core = require "swale.core"
local lu = require "luaunit"

local M = {}

local function skip_unless(solver, why)
  if not solver then lu.skip(why) end
  local _ <close> = solver
end

function M.arpack() skip_unless(core.arpack(2, core.zeros({ 2 }, "float64"):fill(1))) end
function M.lbfgsb() skip_unless(core.lbfgsb(core.zeros({ 1 }, "float64"), nil, nil, {})) end

return M
