--- The tables at the end of a batch, from its record and those of its runs: a row for each setting
--- with means over seeds, and a row for each piece of work.
local collections = require "swale.batch.collection"
local groups = require "swale.store.groups"
local place = require "swale.run.place"
local progress = require "swale.progress"
local records = require "swale.run.record"
local shown = require "swale.store.shown"
local tables = require "swale.table"
local verdict = require "swale.store.verdict"
local views = require "swale.store.view"

local M = {}

local COLUMNS = 5 -- of results

---The last event of each piece of work, in order.
---@param dir string   of the collection
---@return table[]
function M.outcomes(dir)
  local last, list = {}, {}
  for event in collections.events(dir) do last[event.work] = event end
  for _, event in pairs(last) do list[#list + 1] = event end
  table.sort(list, function(a, b) return a.work < b.work end)
  return list
end

--- The run of an event, without what its run.json says of machine and script: a thousand of them
--- take megabytes.
local function view_of(event)
  local view = event.run and views.read(("%s/%s"):format(place.root(), event.run))
  if view then view.info = nil end
  return view
end

--- Adds to each event its run. Returns the events.
local function with_views(events)
  for _, event in ipairs(events) do event.view = view_of(event) end
  return events
end

--- Each run once: a sweep may ask for a setting again.
local function runs_of(events)
  local list, seen = {}, {}
  for _, event in ipairs(events) do
    local view = event.view
    if view and not seen[view.id] then
      seen[view.id], list[#list + 1] = true, view
    end
  end
  return list
end

-- ------------------------------------------------------------------ results

--- Adds the names of a run's summary to counts and names.
local function count_names(view, counts, names)
  for name, value in pairs(view.summary) do
    if type(value) ~= "table" then
      if not counts[name] then names[#names + 1] = name end
      counts[name] = (counts[name] or 0) + 1
    end
  end
end

--- Names of results: the objective's, then those of the summaries, what most runs have first.
local function result_names(runs, objective)
  local counts, names = {}, {}
  for _, view in ipairs(runs) do count_names(view, counts, names) end
  table.sort(names, function(a, b)
    if (a == objective) ~= (b == objective) then return a == objective end
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  if objective and not counts[objective] then table.insert(names, 1, objective) end
  return table.move(names, 1, math.min(#names, COLUMNS), 1, {})
end

local function result_of(view, name)
  if not view then return "" end
  local value = view.summary[name]
  if value == nil and view.status == "done" then value = view:value(name) end
  return type(value) ~= "table" and shown.short(value) or ""
end

-- ------------------------------------------------------------------ settings

--- "0.9613 (0.9587 to 0.9639)"; one value has no interval.
local function mean_text(group)
  local e = group.interval
  if not e then return "" end
  if not (e.low - e.low == 0 and e.high - e.high == 0) then return ("%.4g"):format(group.mean) end
  return ("%.4g (%.4g to %.4g)"):format(group.mean, e.low, e.high)
end

local function counts_text(group)
  local parts = { ("%d done"):format(group.counts.done or 0) }
  for _, status in ipairs(require("swale.errors").sorted_keys(group.counts)) do
    if status ~= "done" then
      parts[#parts + 1] = ("%d %s"):format(group.counts[status], status)
    end
  end
  return table.concat(parts, ", ")
end

local function has_several(grouped)
  for _, group in ipairs(grouped) do if #group.runs > 1 then return true end end
  return false
end

--- Names whose values are numbers.
local function measured(runs, names)
  local kept, by_name = {}, {}
  for _, name in ipairs(names) do
    local grouped = groups.of(runs, { metric = name })
    for _, group in ipairs(grouped) do
      if group.n > 0 and not by_name[name] then
        kept[#kept + 1], by_name[name] = name, grouped
      end
    end
  end
  return kept, by_name
end

---A row for each setting: its runs, and means of results over seeds with 95 % intervals.
---@param runs swale.RunView[]
---@param names string[]
---@return string|nil   nil: no setting has two runs, or there are no results
local function settings_table(runs, names)
  local kept, by_name = measured(runs, names)
  local first = by_name[kept[1]]
  if not first or not has_several(first) then return nil end
  local header, rows = { "setting", "runs" }, {}
  for c, name in ipairs(kept) do header[2 + c] = name .. ", mean (95 %)" end
  for i, group in ipairs(first) do
    rows[i] = { group.text, counts_text(group) }
    for c, name in ipairs(kept) do rows[i][2 + c] = mean_text(by_name[name][i]) end
  end
  return tables.render(header, rows)
end

-- ------------------------------------------------------------------ each run

--- How many events have each word.
local function word_counts(events)
  local counts = {}
  for _, event in ipairs(events) do
    for _, word in ipairs(event.overrides) do counts[word] = (counts[word] or 0) + 1 end
  end
  return counts
end

--- The words of each event that not all of them have; nil if there are none.
local function settings_of(events)
  local counts, list, any = word_counts(events), {}, false
  for i, event in ipairs(events) do
    local words = {}
    for _, word in ipairs(event.overrides) do
      if counts[word] < #events then words[#words + 1] = word end
    end
    list[i], any = table.concat(words, " "), any or #words > 0
  end
  return any and list or nil
end

local function scripts_differ(events)
  for _, event in ipairs(events) do
    if event.script ~= events[1].script then return true end
  end
  return false
end

local function status_of(event)
  if not event.skipped then return event.status end
  return event.run and event.status .. " before" or "skipped"
end

--- A row for each piece of work: what all of them share is left out.
local function runs_table(events, names)
  local with_script, settings, header, rows = scripts_differ(events), settings_of(events), {}, {}
  local function add(row, ...) table.move({ ... }, 1, select("#", ...), #row + 1, row) end
  if with_script then add(header, "script") end
  if settings then add(header, "settings") end
  add(header, "seed", "status", "time", table.unpack(names))
  for i, event in ipairs(events) do
    rows[i] = {}
    if with_script then add(rows[i], event.script) end
    if settings then add(rows[i], settings[i]) end
    add(rows[i], event.seed, status_of(event),
      event.seconds and progress.seconds(event.seconds) or "")
    local before = #rows[i]
    for c, name in ipairs(names) do rows[i][before + c] = result_of(event.view, name) end
  end
  return tables.render(header, rows)
end

local function strategy_of(dir)
  local info = records.read(dir .. "/collection.json")
  return info and info.strategy
end

---Prints the tables of a collection.
---@param dir string
---@param objective? string   the result that comes first
function M.print(dir, objective)
  local events = with_views(M.outcomes(dir))
  if #events == 0 then return end
  local runs = runs_of(events)
  objective = objective or runs[1] and runs[1].objective and runs[1].objective.name
  local names = result_names(runs, objective)
  local settings = settings_table(runs, names)
  io.stdout:write(runs_table(events, names), "\n")
  if settings then io.stdout:write("\n", settings, "\n\n") end
  local lines = objective and verdict.lines(groups.of(runs, { metric = objective }),
    strategy_of(dir))
  if lines then io.stdout:write(table.concat(lines, "\n"), "\n\n") end
end

return M
