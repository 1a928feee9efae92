--- Kinks of a loss: how many rectified values change sign between two points.
local core = require "swale.core"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local ops = require "swale.ops"

local M = {}

--- Outputs: for each rectifying layer 1 where its output is positive, else 0.
local function make(graph, _, dtype)
  local signs = {}
  local function note(layer, _, _, y)
    if layer:rectifies() then signs[#signs + 1] = ops.gt(y, 0) end
  end
  listen(graph.layer, note, function() graph.layer:call(graph.x, graph.bound) end)
  return #signs > 0 and core.program(graph.graph, signs, { dtype = dtype }) or nil
end

local function signs_at(s, w, batch, count)
  local program, inputs = s.compiled:program("kinks", batch, s.dtype, make)
  if not program then return {} end
  return table.pack(errors.check(program:run(s.compiled:drawing(batch, { inputs = inputs,
    vectors = s.compiled:vectors(w:to(s.dtype)), batch = count }))))
end

---Counts the outputs of rectifying layers, a value for each unit and example, that are positive at
---one of two points and 0 or below at the other. Costs two forward passes over the sample.
---@param s swale.Subject
---@param a swale.Tensor     weights (size)
---@param b swale.Tensor     (size)
---@return integer changed, integer all    of how many
function M.between(s, a, b)
  local changed, all = 0, 0
  for batch, count in s:parts() do
    local here = signs_at(s, a, batch, count)
    for i, there in ipairs(signs_at(s, b, batch, count)) do
      changed = changed + ops.sum(ops.ne(here[i], there)):item()
      all = all + there:numel()
    end
  end
  return math.tointeger(changed), all
end

return M
