--- All about one run, as `swale show` prints it.
local errors = require "swale.errors"
local folders = require "swale.folders"
local metrics = require "swale.store.metrics"
local shown = require "swale.store.shown"

local M = {}

local function add(lines, fmt, ...) lines[#lines + 1] = fmt:format(...) end

local function pairs_of(lines, title, values, note)
  local names = errors.sorted_keys(type(values) == "table" and values or {})
  if #names == 0 then return end
  add(lines, "\n%s", title)
  local width = 0
  for _, name in ipairs(names) do width = math.max(width, utf8.len(name) or #name) end
  for _, name in ipairs(names) do
    local text = shown.short(values[name])
    local gap = (" "):rep(width - (utf8.len(name) or #name))
    add(lines, "  %s%s  %s%s", shown.short(name), gap, text, note and note(name) or "")
  end
end

local function machine_text(info)
  local parts, threads = {}, math.tointeger(info.threads)
  for _, name in ipairs { "host", "instruction_set" } do
    if info[name] then parts[#parts + 1] = shown.short(info[name]) end
  end
  if threads then parts[#parts + 1] = threads .. (threads == 1 and " thread" or " threads") end
  return table.concat(parts, ", ")
end

local function commit_text(info)
  if not info.commit then return nil end
  return shown.short(info.commit):sub(1, 12) .. (info.dirty and ", with changes" or "")
end

local function parent_text(info)
  local parent = info.parent
  return type(parent) == "table" and ("%s, step %s"):format(shown.short(parent.run),
    shown.short(parent.step)) or nil
end

local function resumed_text(info)
  local steps = {}
  for i, entry in ipairs(type(info.resumed) == "table" and info.resumed or {}) do
    steps[i] = type(entry) == "table" and shown.short(entry.step) or "?"
  end
  return #steps > 0 and "at step " .. table.concat(steps, ", ") or nil
end

--- The lines at the top: what it was and how it went.
local function head(lines, view)
  local info = view.info
  local status = view.status .. (info.error and ": " .. shown.short(info.error) or "")
  local rows = {
    { "status", status }, { "experiment", view.experiment }, { "script", info.script },
    { "seed", shown.short(view.seed) }, { "started", shown.time(info.started) .. " UTC" },
    { "time", shown.seconds(info.wall_seconds) }, { "steps", info.last_step },
    { "collection", view.collection }, { "tag", view.tag }, { "parent", parent_text(info) },
    { "resumed", resumed_text(info) }, { "commit", commit_text(info) },
    { "machine", machine_text(info) }, { "directory", view.dir },
  }
  add(lines, "%s", view.id)
  for _, row in ipairs(rows) do
    local name, text = row[1], row[2]
    if text and text ~= "" then add(lines, "  %-10s  %s", name, shown.short(text)) end
  end
end

local function at(value, step)
  if value == nil then return "" end
  return shown.short(value) .. (step and (" at %s"):format(shown.short(step)) or "")
end

local POSITIONS = { step = true, examples = true, epoch = true, seconds = true }

local function add_metrics(lines, view)
  local rows = {}
  for _, s in ipairs(metrics.summaries(view.dir .. "/metrics.jsonl")) do
    if not POSITIONS[s.name] then
      rows[#rows + 1] = { s.kind, s.name, s.count, shown.short(s.last), at(s.min, s.min_step),
        at(s.max, s.max_step) }
    end
  end
  if #rows == 0 then return end
  add(lines, "\nmetrics")
  local text = require("swale.table").render({ "lines", "name", "values", "last", "least",
    "greatest" }, rows)
  add(lines, "  %s", (text:gsub("\n", "\n  ")))
end

local function add_files(lines, view)
  local list = {}
  for _, entry in ipairs(view:checkpoints()) do list[#list + 1] = tostring(entry.step) end
  if #list > 0 then add(lines, "\ncheckpoints  %s", table.concat(list, ", ")) end
  local plots = folders.entries(view.dir .. "/plots")
  for i, name in ipairs(plots) do plots[i] = ("%s/plots/%s"):format(view.dir, name) end
  if #plots > 0 then add(lines, "\nplots\n  %s", table.concat(plots, "\n  ")) end
end

---@param view swale.RunView
---@return string
function M.text(view)
  local lines, given = {}, view.info.given
  head(lines, view)
  pairs_of(lines, "parameters", view.params, type(given) == "table" and function(name)
    return given[name] ~= nil and "  (given)" or ""
  end)
  pairs_of(lines, "results", view.summary)
  pairs_of(lines, "notes", view.info.notes)
  add_metrics(lines, view)
  add_files(lines, view)
  return table.concat(lines, "\n")
end

return M
