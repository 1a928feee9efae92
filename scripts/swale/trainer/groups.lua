--- Groups of parameters, each with factors of rate and decay of its own.
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

local GROUP = { match = "string|function", lr = { "nonnegative", 1 },
  weight_decay = { "nonnegative", 1 }, frozen = { "boolean", false } }

local function matches(group, path)
  if type(group.match) == "function" then return group.match(path) end
  return path:find(group.match) ~= nil
end

local function group_of(groups, path)
  for _, group in ipairs(groups) do
    if matches(group, path) then
      group.used = true
      return group
    end
  end
end

local function paths_of(segments)
  local paths = {}
  for i, s in ipairs(segments) do paths[i] = s.path end
  return table.concat(paths, ", ")
end

local function checked(groups, segments)
  local list = {}
  for i, group in ipairs(groups) do
    list[i] = options.check(("Trainer: groups[%d]"):format(i), group, GROUP)
    if type(group.match) == "string" and not pcall(string.find, "", group.match) then
      errors.misuse("Trainer: groups[%d]: %q is no Lua pattern", i, group.match)
    end
  end
  if #list == 0 and next(groups) then
    errors.misuse 'Trainer: groups is a list: { { match = "bias", weight_decay = 0 } }'
  end
  for _, s in ipairs(segments) do s.group = group_of(list, s.path) end
  for i, group in ipairs(list) do
    if not group.used then
      errors.misuse("Trainer: groups[%d] matches no parameter, or an earlier one took them: %s", i,
        paths_of(segments))
    end
  end
end

---Returns the segments as the loop takes them, one for each parameter.
---@param segments swale.Segment[]
---@param groups swale.ParameterGroup[]|nil
---@return swale.LoopSegment[]
function M.segments(segments, groups)
  local copies, list, trained = {}, {}, false
  for i, s in ipairs(segments) do copies[i] = { path = s.path } end
  checked(groups or {}, copies)
  for i, s in ipairs(segments) do
    local group = copies[i].group or { lr = 1, weight_decay = 1, frozen = false }
    list[i] = { first = s.offset, length = s.size, lr_factor = group.lr,
      weight_decay_factor = group.weight_decay, frozen = group.frozen }
    trained = trained or not group.frozen
  end
  if not trained then errors.misuse "Trainer: groups: all parameters are frozen" end
  return list
end

return M
