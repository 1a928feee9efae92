--- What a set of runs says about its objective, in a few lines: the best setting, how far the next
--- one is, and which others the best one cannot be told from.
local groups = require "swale.store.groups"

local M = {}

local LISTED = 6 -- settings by name in a line

local function number(x) return ("%.4g"):format(x + 0.0) end -- of -0 it is 0

local function interval_text(e)
  if e.low - e.low ~= 0 or e.high - e.high ~= 0 then return "" end
  return (" (95 %%: %s to %s)"):format(number(e.low), number(e.high))
end

local function names_of(list, text_of)
  local names = {}
  for i = 1, math.min(#list, LISTED) do names[i] = text_of(list[i]) end
  if #list > LISTED then names[#names + 1] = ("%d more"):format(#list - LISTED) end
  return table.concat(names, "; ")
end

local function counted(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function text_of(group) return group.text end

local function mean_text(group)
  return ("mean %s%s over %s"):format(number(group.mean), interval_text(group.interval),
    counted(group.n, "seed"))
end

---The result of a single setting.
---@param grouped swale.RunGroups
---@param group swale.RunGroup   with values
---@return string
function M.mean_line(grouped, group)
  return ("%s, %s: %s"):format(grouped.metric, group.text, mean_text(group))
end

---What is good of a result whose goal nobody has declared: its name tells.
---@param name string
---@return "min"|"max", boolean known   false: the name does not tell
function M.usual_goal(name)
  if name:find "acc" or name:find "margin" then return "max", true end
  return "min", name:find "loss" ~= nil or name:find "err" ~= nil
end

local function first_line(grouped, best)
  local word = grouped.goal == "max" and "greatest" or "least"
  return ("best by %s (%s): %s, %s"):format(grouped.metric, word, best.text, mean_text(best))
end

--- By how much the best one is better: above 0 for either goal.
local function next_line(grouped, found)
  local d, sign = found.difference, grouped.goal == "max" and 1 or -1
  if not d then return ("next: %s; they share no seed"):format(found.next.text) end
  local low, high = sign * d.low, sign * d.high
  return ("next: %s, worse by %s%s"):format(found.next.text, number(sign * d.value),
    interval_text { low = math.min(low, high), high = math.max(low, high) })
end

local function open_line(found, others)
  if found.best.n < 2 then
    return "One seed cannot tell a difference from chance: more --seeds can."
  elseif #found.open == 0 then
    return others == 1 and "The difference is above chance." or
      ("It is better than each of the others (95 %%, corrected for %d comparisons)."):format(others)
  end
  return ("%s be told from: %s."):format(others == 1 and "It cannot" or
    ("Corrected for %d comparisons, it cannot"):format(others), names_of(found.open, text_of))
end

--- "lr = 3 (2 diverged, 1 done; its mean 0.1 is better)"
local function with_counts(group, better)
  local parts = {}
  for _, status in ipairs(require("swale.errors").sorted_keys(group.counts)) do
    parts[#parts + 1] = ("%d %s"):format(group.counts[status], status)
  end
  return ("%s (%s%s)"):format(group.text, table.concat(parts, ", "),
    better[group] and ("; its mean %s is better"):format(number(group.mean)) or "")
end

--- Settings of fewer seeds than the best one has; those whose means are better come first.
local function incomplete_line(grouped, found)
  local better, list, sign = {}, {}, grouped.goal == "max" and -1 or 1
  for _, group in ipairs(groups.ranked(found.incomplete, grouped.goal)) do
    if sign * group.mean < sign * found.best.mean then
      better[group], list[#list + 1] = true, group
    end
  end
  for _, group in ipairs(found.incomplete) do
    if not better[group] then list[#list + 1] = group end
  end
  return ("Not compared, because fewer of their seeds are done: %s."):format(
    names_of(list, function(group) return with_counts(group, better) end))
end

--- The settings that are compared: of successive halving those with the greatest length.
local function compared(grouped, strategy)
  if type(strategy) ~= "table" or strategy.kind ~= "halving" then return grouped end
  local name, longest = strategy.parameter, nil
  for _, group in ipairs(grouped) do
    local length = group.n > 0 and group.settings[name]
    if length and (not longest or length > longest) then longest = length end
  end
  local list = { metric = grouped.metric, goal = grouped.goal, settings = grouped.settings }
  for _, group in ipairs(grouped) do
    if group.settings[name] == longest then list[#list + 1] = group end
  end
  return list
end

--- Why a run that is done has no value: what it has recorded instead.
local function missing_in(view, metric)
  local last = {}
  for name, column in pairs(view:metrics { kind = "epoch" }) do last[name] = column[#column] end
  local _, why = require("swale.run.objective").value(metric, view.summary, last)
  return why
end

local function no_value(grouped)
  local text = ("no setting has a value of %s"):format(grouped.metric)
  for _, group in ipairs(grouped) do
    local _, view = next(group.latest)
    local why = view and missing_in(view, grouped.metric)
    if why then return ("%s: %s"):format(text, why) end
  end
  return text
end

---@param grouped swale.RunGroups   of a metric, with a goal
---@param strategy? table           of a sweep's collection.json
---@return string[]|nil lines       nil: there is no goal, nothing to compare, or more than one
---experiment: their objectives may be different quantities
function M.lines(grouped, strategy)
  if not grouped.goal or #grouped < 2 then return nil end
  local all = #grouped
  for _, group in ipairs(grouped) do
    if group.experiment ~= grouped[1].experiment then return nil end
  end
  grouped = compared(grouped, strategy)
  local found = groups.best(grouped)
  if not found then return { no_value(grouped) } end
  local lines, others = { first_line(grouped, found.best) }, #grouped - 1 - #found.incomplete
  if found.next then
    table.insert(lines, next_line(grouped, found))
    table.insert(lines, open_line(found, others))
  end
  if #found.incomplete > 0 then
    table.insert(lines, incomplete_line(grouped, found))
  end
  if #grouped < all then
    table.insert(lines, ("The other settings were left out by their shorter runs (%s)."):format(
      strategy.parameter))
  end
  return lines
end

return M
