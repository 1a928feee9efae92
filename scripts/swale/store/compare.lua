--- Runs side by side: what differs in their configuration, final and best values of their metrics,
--- and settings compared over seeds.
local errors = require "swale.errors"
local groups = require "swale.store.groups"
local metrics = require "swale.store.metrics"
local shown = require "swale.store.shown"
local tables = require "swale.table"
local verdicts = require "swale.store.verdict"

local M = {}

local MANY = 6 -- runs; more are compared by settings alone

--- Fields of run.json that two runs may differ in, besides parameters.
local FIELDS = { "experiment", "script", "script_sha256", "seed", "commit", "dirty", "threads",
  "instruction_set", "blas", "host", "status" }

local function field_text(view, name)
  local value = shown.short(view.info[name])
  local is_digest = name == "commit" or name == "script_sha256"
  return is_digest and value:sub(1, 12) or value
end

local function row_of(views, title, text_of)
  local row, differs = { title }, false
  for i, view in ipairs(views) do
    row[i + 1] = text_of(view)
    differs = differs or row[i + 1] ~= row[2]
  end
  return row, differs
end

local function header_of(views, title)
  local header = { title }
  for i, view in ipairs(views) do header[i + 1] = view.id end
  return header
end

---What differs: fields, then parameters.
---@param views swale.RunView[]
---@return string|nil   nil: nothing
function M.differences(views)
  local rows = {}
  for _, name in ipairs(FIELDS) do
    local row, differs = row_of(views, name, function(view) return field_text(view, name) end)
    if differs then rows[#rows + 1] = row end
  end
  for _, name in ipairs(groups.varied(views)) do
    rows[#rows + 1] = row_of(views, name, function(view)
      return groups.shown(groups.param(view, name))
    end)
  end
  return #rows > 0 and tables.render(header_of(views, "difference"), rows) or nil
end

-- ------------------------------------------------------------------ metrics

local POSITIONS = { step = true, examples = true, epoch = true, seconds = true, lr = true,
  batch_size = true, momentum = true, weight_decay = true, until_epoch = true, until_step = true }

--- Whether a small value is good, as the objective says, else by the name; whether that is known.
local function goal_of(views, name)
  local objective = views[1].objective
  if objective and objective.name == name then return objective.goal, true end
  return verdicts.usual_goal(name)
end

--- By name, the summary of the lines of epochs, else of steps.
local function summaries_of(view)
  local found = {}
  for _, s in ipairs(metrics.summaries(view.dir .. "/metrics.jsonl")) do
    local is_shown = s.kind == "epoch" or s.kind == "step" and not found[s.name]
    if is_shown and not POSITIONS[s.name] then found[s.name] = s end
  end
  return found
end

local function cell(s, goal, is_known)
  if not s then return "" end
  local best, step = s.min, s.min_step
  if goal == "max" then best, step = s.max, s.max_step end
  if not is_known or not best or best == s.last then return shown.short(s.last) end
  return ("%s (%s%s)"):format(shown.short(s.last), shown.short(best),
    step and " at " .. shown.short(step) or "")
end

---Results of run:summary, then the last value of each metric and, in parentheses, its best, where
---the name tells what is good.
---@param views swale.RunView[]
---@return string|nil
function M.metrics(views)
  local of, results, names, rows = {}, {}, {}, {}
  for _, view in ipairs(views) do
    of[view] = summaries_of(view)
    for name, value in pairs(view.summary) do results[name] = type(value) ~= "table" or nil end
    for name in pairs(of[view]) do names[name] = true end
  end
  for _, name in ipairs(errors.sorted_keys(results)) do
    rows[#rows + 1] = row_of(views, name, function(view) return shown.short(view.summary[name]) end)
  end
  for _, name in ipairs(errors.sorted_keys(names)) do
    local goal, is_known = goal_of(views, name)
    if not results[name] then
      rows[#rows + 1] = row_of(views, name, function(view)
        return cell(of[view][name], goal, is_known)
      end)
    end
  end
  return #rows > 0 and tables.render(header_of(views, "last (best)"), rows) or nil
end

-- ------------------------------------------------------------------ settings

--- "3 failed, 1 killed"
local function not_done(group)
  local parts = {}
  for _, status in ipairs(errors.sorted_keys(group.counts)) do
    if status ~= "done" then parts[#parts + 1] = group.counts[status] .. " " .. status end
  end
  if group.missing > 0 then parts[#parts + 1] = group.missing .. " without a finite value" end
  return table.concat(parts, ", ")
end

local function interval_text(estimate)
  if not estimate or estimate.low == -math.huge then return "" end
  return ("%s to %s"):format(shown.short(estimate.low), shown.short(estimate.high))
end

--- The columns about how far a setting is from the best one, over common seeds.
local function against(group, best, is_open)
  if group == best then return "the best", "", "" end
  local difference, n = groups.paired(group, best)
  if not difference then return "", "", "no common seed" end
  local verdict = n < 2 and "one common seed" or is_open and "not told apart" or "worse"
  return shown.short(difference.value), interval_text(difference), ("%s (%d)"):format(verdict, n)
end

--- The groups that the best one is not surely better than, as a set.
local function open_groups(found, goal)
  local set = {}
  for _, group in ipairs(groups.best(found, goal).open) do set[group] = true end
  return set
end

---A table of settings for one metric: means over seeds with their 95 % intervals, and the
---differences from the best setting, paired over the seeds that both have. A verdict allows for the
---number of settings (Holm).
---@param views swale.RunView[]
---@param metric string
---@param goal? "min"|"max"
---@return string|nil   nil: no run has a value of it
function M.settings(views, metric, goal)
  goal = goal or (goal_of(views, metric))
  local found = groups.of(views, { metric = metric, goal = goal })
  local ranked, rows = groups.ranked(found), {}
  if #ranked == 0 then return nil end
  for _, group in ipairs(found) do
    if group.n == 0 then ranked[#ranked + 1] = group end
  end
  local open = open_groups(found, goal)
  for i, group in ipairs(ranked) do
    local difference, interval, judged = "", "", ""
    if group.n > 0 and #ranked > 1 then
      difference, interval, judged = against(group, ranked[1], open[group])
    end
    rows[i] = { group.text, group.n, shown.short(group.mean), interval_text(group.interval),
      difference, interval, judged, not_done(group) }
  end
  local header = { ("%s (%s)"):format(metric, goal), "seeds", "mean", "95 % interval",
    "from the best", "95 % interval", "verdict (seeds)", "left out" }
  return tables.render(header, rows)
end

-- ------------------------------------------------------------------ all

--- Metrics by which settings are compared, if none is asked for.
local function usual_metrics(views)
  if views[1].objective then return { views[1].objective.name } end
  local names = {}
  for _, view in ipairs(views) do
    for name, value in pairs(view.summary) do
      if metrics.number(value) then names[name] = true end
    end
  end
  return errors.sorted_keys(names)
end

local function has_settings(views)
  local found = groups.of(views, {})
  if #found > 1 and #views > MANY then return true end
  for _, group in ipairs(found) do if #group.runs > 1 then return true end end
  return false
end

---@param views swale.RunView[]
---@param wanted? string[]   metrics to compare settings by
---@param goal? "min"|"max"  what is good of them
---@return string
function M.text(views, wanted, goal)
  local parts = {}
  if #views <= MANY then
    parts[1] = M.differences(views) or "the runs do not differ in their configuration"
    parts[2] = M.metrics(views)
  end
  if wanted or has_settings(views) then
    for _, metric in ipairs(wanted or usual_metrics(views)) do
      parts[#parts + 1] = M.settings(views, metric, goal)
        or ("no run that is done has a finite value of " .. metric)
    end
  end
  return table.concat(parts, "\n\n")
end

return M
