--- Statistics that experiments decide by. Values are over seeds: one number a seed, in the same
--- order in each list, so that seeds pair.
---
--- A claim about them is tested by greater, equivalent, slope, interior_peak or monotone, each of
--- which returns a swale.Finding: "held", "did not hold" or "unresolved", with its interval.
---@class swale.stats
---@field mean fun(x: swale.Numbers, o?: swale.MeanOptions): swale.Estimate
---@field means fun(rows: swale.NumberRows, o?: swale.MeansOptions): (swale.Estimate|number)[]
---@field paired fun(a: swale.Numbers, b: any, o?: swale.MeanOptions): swale.Estimate
---@field seeds fun(o: swale.SeedsOptions): integer
---@field bootstrap fun(units: any[], statistic: function, o?: swale.BootstrapOptions): any
---@field greater fun(a: swale.Numbers, b: any, o?: swale.GreaterOptions): swale.Finding
---@field equivalent fun(a: swale.Numbers, b: any, o: swale.EquivalentOptions): swale.Finding
---@field slope fun(x: swale.Numbers, y: any, o?: swale.SlopeOptions): swale.Finding
---@field interior_peak fun(x: swale.Numbers, y: any, o?: swale.PeakOptions): swale.Finding
---@field monotone fun(y: swale.NumberRows, o?: swale.MonotoneOptions): swale.Finding
---@field holm fun(list: any[], o?: swale.HolmOptions): any[]
local M = {}

for _, file in ipairs { "mean", "bootstrap", "claims", "slope", "peak", "trend", "holm" } do
  for name, f in pairs(require("swale.stats." .. file)) do M[name] = f end
end

return M
