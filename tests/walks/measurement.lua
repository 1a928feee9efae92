--- A measurement: the length of the path of the weights, in straight lines from one look to the
--- next.
local FILE = "scripts/swale/measurements/travel.lua"

return {
  adds = "measurement travel",
  pieces = {
    { name = "file", file = FILE, create = true,
      dropped = "module 'swale.measurements.travel' not found", text = [[
--- The length of the path of the weights, in straight lines from one look to the next.
local M = { options = {} }

return M
]] },
    { name = "prepare", of = "file", file = FILE, before = "return M", text = [[
---@return { length: number, last?: swale.Tensor } kept
function M.prepare() return { length = 0 } end

]], dropped = "measure%.travel does not define prepare" },
    { name = "read", of = "file", file = FILE, before = "return M", text = [[
---@param kept table
---@param m swale.Measuring
---@return number
function M.read(kept, m)
  kept.length = kept.length + m.weights:distance(kept.last or m.start)
  kept.last = m.weights
  return kept.length
end

]], dropped = "measure%.travel does not define read" },
    { name = "save", of = "file", file = FILE, before = "return M", text = [[
---@param kept table
---@return table saved
function M.save(kept) return { length = kept.length, last = kept.last } end

]], dropped = "measure%.travel does not define save" },
    { name = "load", of = "file", file = FILE, before = "return M", text = [[
---@param kept table
---@param saved table
function M.load(kept, saved) kept.length, kept.last = saved.length, saved.last end

]], dropped = "measure%.travel does not define load" },
    { name = "name in the list", file = "scripts/swale/measurements/init.lua",
      replace = 'M.NAMES = {', text = 'M.NAMES = { "travel",',
      dropped = "measure/init%.lua lacks travel" },
    { name = "row in the docs", file = "docs/reference.md", part = "docs",
      after = "| `noise_scale` |", text = [[
| `travel` | the length of the path of the weights, in straight lines from one look to the next |
]], dropped = "docs/reference%.md does not name the measurement travel" },
  },
  tests = { { "lua", "^test_measure%." } },
}
