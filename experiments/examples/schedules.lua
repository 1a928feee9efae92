-- A schedule is a function of progress: print and plot two of them before training.
--
--   swale lua experiments/examples/schedules.lua [schedules.svg]
local sw = require "swale"
local sch = sw.schedule

local function mine(s)
  return 0.1 / (1 + s.epoch) ^ 0.6 * (1 + 0.3 * math.sin(2 * math.pi * s.epoch))
end
local theirs = sch.chain {
  sch.linear { from = 0, to = 0.1, epochs = 1 }, sch.cosine { from = 0.1, to = 0, epochs = 9 },
}

for lr, epoch in sch.values(theirs, { epochs = 10, points = 11 }) do
  print(("epoch %4.1f   theirs %.4f   mine %.4f"):format(epoch, lr, mine { epoch = epoch }))
end
local picture = sch.plot({ mine = mine, theirs = theirs },
  { epochs = 10, file = arg[1] or "schedules.svg" })
print("picture: " .. picture)
