-- Tensors: values in and out, views, operators.
local t = core.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
local u = t:reshape { 3, 2 }:transpose(1, 2):contiguous()
assert(#t == 2 and t:select(1, -1):narrow(1, 2, 2):get(2) == 6)
local sum = (t + u) * 2 - t / u
assert(#sum:table() == 2 and #tostring(sum) > 0)
assert(-t ~= t and t:to("float64"):dot(u:to "float64") > 0)
u:copy(t):add(2, t):lerp(0.5, t):scale(2):fill(1)
assert(t:clone():broadcast({ 2, 2, 3 }):norm() > 0)
local _, why = pcall(t.narrow, t, 3, 1, 1)
assert(why:find "axis" or why:find "memory", why)
local last <close> = core.zeros { 4 }
assert(last:numel() == 4)
t[1], t[2][1] = 0, 9
t[1] = t[2]
assert(t[1][1] == 9 and t[3] == nil)
local sorted, order = core.sort(t, 1, true)
assert(sorted[1][1] >= sorted[2][1] and #order == 2)
assert(#core.quantile(t, { 0, 0.5 }, 1) == 2 and #core.cumsum(t, 2) == 2)
