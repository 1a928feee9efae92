-- The small classes: random streams, schedules, averages, sources.
local r = core.random(1, "init", 2)
local w = r:fill_normal(core.zeros { 5 }, 0, 1)
assert(#r:permutation(6):table() == 6)

local average = core.average(5)
average:update(w)
average:update(core.zeros { 5 })
assert(average:mean():norm() <= w:norm())

local s = core.schedule { kind = "step", value = 1, gamma = 0.5,
  period = { amount = 2, unit = "steps" } }
assert(s:at(2, 2, 3, 10) == 0.5)

local source = core.source { x = core.zeros({ 4, 3 }, "uint8"),
  y = core.tensor({ 0, 1, 0, 1 }, "uint8"), classes = 2 }
local x, y = source:gather(core.tensor({ 1, 3 }, "int32"))
assert(#x == 2 and y:get(1) == 1)
