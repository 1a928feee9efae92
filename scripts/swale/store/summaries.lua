--- Last, least and greatest values of all columns of metrics.jsonl, in the index: read when a
--- condition or a column asks for one first, and again where the file has changed.
local errors = require "swale.errors"
local folder = require "swale.store.folder"
local metrics = require "swale.store.metrics"

local M = {}

local PART = 50 -- runs that are stored at once

local INSERT = [[INSERT INTO metrics (run, kind, name, count, last, min, max, last_step, min_step,
  max_step) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]]

--- Runs whose metrics are not those that the index knows: { id, stamp }.
local function stale(index)
  local list = {}
  index:query("SELECT id, metrics_stamp FROM runs WHERE problem IS NULL", {}, function(id, before)
    local stamp = folder.stamp(("%s/%s/metrics.jsonl"):format(index.root, id))
    if stamp ~= before then list[#list + 1] = { id = id, stamp = stamp } end
  end)
  return list
end

--- SQLite has no NaN: of a value, or of a step that a line does not have.
local function number(value)
  if value == value then return value end
  return nil
end

local function store_run(index, run)
  index:run("DELETE FROM metrics WHERE run = ?", { run.id }, 1)
  index:run("UPDATE runs SET metrics_stamp = ? WHERE id = ?", { run.stamp, run.id }, 2)
  for _, s in ipairs(run.found or {}) do
    index:run(INSERT, { run.id, s.kind, s.name, s.count, number(s.last), s.min, s.max,
      number(s.last_step), number(s.min_step), number(s.max_step) }, 10)
  end
end

--- Reads the metrics of runs first to last, without a lock, and stores their summaries.
local function read_part(index, list, first, last)
  for i = first, last do
    local path = ("%s/%s/metrics.jsonl"):format(index.root, list[i].id)
    local found, message = errors.try(metrics.summaries, path)
    list[i].found = found
    if not found then table.insert(index.notes, message) end
  end
  index:change(function()
    for i = first, last do store_run(index, list[i]) end
  end)
  for i = first, last do list[i].found = nil end
end

---@param index swale.Index
function M.read(index)
  local list = stale(index)
  for first = 1, #list, PART do
    read_part(index, list, first, math.min(first + PART - 1, #list))
  end
end

return M
