-- Finalisers of a script that free and revive objects while memory runs out.
local kept = {}
do
  local t = core.zeros { 100 }
  setmetatable({}, { __gc = function() t:free() end })
  setmetatable({ t = core.zeros { 3 } }, { __gc = function(o) kept[1] = o.t end })
end
for i = 1, 5 do
  local view = core.zeros({ 64, 64 }):narrow(1, i, 2)
  setmetatable({ view }, { __gc = function(o) o[1]:free() end })
  collectgarbage "step"
end
collectgarbage()
assert(core.type(kept[1]) == "tensor" and not pcall(kept[1].numel, kept[1]))
