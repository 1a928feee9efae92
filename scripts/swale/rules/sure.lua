--- The lower end of a noise scale that rules act on. An end of a 95 % interval is above the truth
--- at some time if a rule asks for it at each step; `sure` of a window's noise scale is so in at
--- most 1 of 40 trainings (core/measure/noise.h). Estimates at the weights have none: their `low`.
---@param e swale.Estimate
---@return number
return function(e) return rawget(e, "sure") or e.low end
