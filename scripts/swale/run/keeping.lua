--- Which checkpoints of a run stay: the last two of each kind, besides those that trainings keep.
local folders = require "swale.folders"

local M = {}

local KEPT = 2

--- Checkpoints of a kind make room for each other: those of trainings, of trainings inside of
--- others, of the script.
local function kind_of(path)
  local kind = path:match "/(%l+)%-%d+%.safetensors$"
  return (kind == "step" or kind == "inner") and kind or "script"
end

--- The checkpoint of a kind to remove: the oldest that no run can go on from, but the newest of
--- all, else the oldest; nil: there are not too many.
local function superfluous(run, kind)
  local same, lacking = {}, nil
  for _, path in ipairs(run.saved) do
    if kind_of(path) == kind then same[#same + 1] = path end
  end
  if #same <= KEPT then return nil end
  for i = #same - 1, 1, -1 do if run.lacking[same[i]] then lacking = same[i] end end
  return lacking or same[1]
end

local function forget(list, path)
  for i, one in ipairs(list) do
    if one == path then table.remove(list, i) return end
  end
end

---Notes path as the newest checkpoint and removes all but the last two of its kind.
---@param run swale.Run
---@param path string
---@param lacks? boolean    no run can go on from it
function M.note(run, path, lacks)
  forget(run.saved, path)
  table.insert(run.saved, path)
  run.lacking[path] = lacks
  local old = superfluous(run, kind_of(path))
  while old do
    forget(run.saved, old)
    folders.remove(old)
    old = superfluous(run, kind_of(path))
  end
end

return M
