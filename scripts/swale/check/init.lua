--- Plans an experiment without training: layers, weights, memory, updates and time of each training
--- in it.
local dry = require "swale.check.dry"
local report = require "swale.check.report"

local M = {}

local MOST = 10 -- trainings shown in full

---@class swale.CheckOptions
---@field seed integer
---@field timed boolean         times a few steps on a copy of the weights
---@field say fun(line: string)

---@param experiment swale.Experiment
---@param params table<string, any>
---@param o swale.CheckOptions
---@return integer fits
---@return { value: any, traceback: string }|nil failure   what ended it
function M.run(experiment, params, o)
  local fits, seen = 0, {}
  local failure = dry.execute(experiment, params, o.seed, function(fit)
    fits = fits + 1
    if fits > MOST then return end
    if fits > 1 then o.say "" end
    if not seen[fit.engine] then o.say(report.layers(fit.engine)) end
    seen[fit.engine] = true
    for _, line in ipairs(report.lines(fit, o.timed)) do o.say(line) end
  end)
  if fits > MOST then o.say(("… and %d more trainings"):format(fits - MOST)) end
  return fits, failure
end

return M
