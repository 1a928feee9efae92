--- The tables at the end of a batch: a row for each run, from the record of the collection.
local collections = require "swale.batch.collection"
local core = require "swale.core"
local folders = require "swale.folders"
local place = require "swale.run.place"
local progress = require "swale.progress"

local M = {}

local COLUMNS = 5 -- of summary values

--- The last event of each piece of work, in order.
local function last_events(dir)
  local last, list = {}, {}
  for event in collections.events(dir) do last[event.work] = event end
  for _, event in pairs(last) do list[#list + 1] = event end
  table.sort(list, function(a, b) return a.work < b.work end)
  return list
end

local function summary_of(event)
  local text = event.run and folders.read(("%s/%s/run.json"):format(place.root(), event.run))
  local info, summary = text and core.json_decode(text), {}
  if type(info) ~= "table" or type(info.summary) ~= "table" then return summary end
  for name, value in pairs(info.summary) do
    if type(value) ~= "table" then summary[name] = value end
  end
  return summary
end

--- Names of summary values, those that most rows have first.
local function summary_names(rows)
  local counts, names = {}, {}
  for _, row in ipairs(rows) do
    for name in pairs(row.summary) do
      if not counts[name] then names[#names + 1] = name end
      counts[name] = (counts[name] or 0) + 1
    end
  end
  table.sort(names, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return table.move(names, 1, math.min(#names, COLUMNS), 1, {})
end

local function cell(value)
  if value == nil then return "" end
  return math.type(value) == "float" and ("%.6g"):format(value) or tostring(value)
end

--- Whether a column says anything.
local function is_varied(events, f)
  for _, event in ipairs(events) do
    if f(event) ~= f(events[1]) then return true end
  end
  return false
end

local function settings(event) return table.concat(event.overrides, " ") end

---Returns a row for each piece of work as text.
---@param dir string   of the collection
---@return string|nil
function M.runs(dir)
  local events = last_events(dir)
  if #events == 0 then return nil end
  for _, event in ipairs(events) do event.summary = summary_of(event) end
  local with_settings, names = is_varied(events, settings), summary_names(events)
  local header, rows = { "script" }, {}
  local function add(row, ...) table.move({ ... }, 1, select("#", ...), #row + 1, row) end
  if with_settings then add(header, "settings") end
  add(header, "seed", "status", "time", table.unpack(names))
  for i, event in ipairs(events) do
    rows[i] = { event.script }
    if with_settings then add(rows[i], settings(event)) end
    add(rows[i], event.seed, event.skipped and event.status .. " before" or event.status,
      event.seconds and progress.seconds(event.seconds) or "")
    local first = #rows[i]
    for c, name in ipairs(names) do rows[i][first + c] = cell(event.summary[name]) end
  end
  return require("swale.table").render(header, rows)
end

---@param dir string
---@param objective table|nil
function M.print(dir, objective)
  local _ = objective
  local text = M.runs(dir)
  if text then io.stdout:write(text, "\n") end
end

return M
