--- The work of a batch: every script with every seed. A source is asked for one piece after the
--- other and is told the results, so that thousands take no memory in advance.
local seeds = require "swale.batch.seeds"

local M = {}

---@class swale.WorkSource
---@field total integer|nil      pieces of work, where that is known
---@field settings string[]      names of the parameters that are varied
---@field strategy? table        how they are chosen, for the record
---@field next fun(): swale.Work|"wait"|nil   "wait": none before another result; nil: no more
---@field told? fun(work: swale.Work, result: swale.WorkResult)

---@param scripts swale.BatchScript[]
---@param ranges swale.SeedRange[]
---@return swale.WorkSource
function M.of(scripts, ranges)
  local i, next_seed = 1, seeds.each(ranges)
  local function advance()
    local seed = next_seed()
    if seed then return scripts[i], seed end
    i, next_seed = i + 1, seeds.each(ranges)
    return scripts[i], next_seed()
  end
  return {
    total = #scripts * seeds.count(ranges), settings = {},
    next = function()
      local script, seed = advance()
      if not script then return nil end
      return { script = script.path, overrides = script.overrides, params = script.resolved,
        seed = seed }
    end,
  }
end

return M
