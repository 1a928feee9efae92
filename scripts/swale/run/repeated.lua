--- Repeating a run: what is loaded for it, what is different today, and whether the same came out.
local core = require "swale.core"
local folders = require "swale.folders"
local keys = require "swale.run.key"
local source = require "swale.run.source"

local M = {}

local function digest_problem(path, expected)
  local digest = core.file_sha256(path)
  if not digest then return path .. " is not there" end
  return digest ~= expected and path .. " is not what the run executed" or nil
end

---Why a run cannot be repeated from its script.
---@param info table   its run.json
---@return string|nil why
function M.refusal(info)
  if type(info.script) ~= "string" then return "its record names no script" end
  local parent = type(info.parent) == "table" and info.parent
  if not parent then return nil end
  return ("it is a fork of %s from step %s: `swale fork %s --at %s` makes one again"):format(
    tostring(parent.run), tostring(parent.step), tostring(parent.run), tostring(parent.step))
end

---Why the source that a run stored cannot be repeated.
---@param dir string
---@param info table   its run.json
---@return string|nil why
function M.problem(dir, info)
  local why = digest_problem(source.script_path(dir, info.script), info.script_sha256)
  for _, entry in ipairs(type(info.files) == "table" and info.files or {}) do
    if entry.kind == "module" and entry.name and not why then
      why = digest_problem(source.module_path(dir, entry.name), entry.sha256)
    end
  end
  return why
end

---What will be different from the run, apart from the source.
---@param info table
---@return string[] lines
function M.differences(info)
  local lines = {}
  local function add(what, before, now)
    if before ~= nil and before ~= now then
      lines[#lines + 1] = ("%s: %s then, %s now"):format(what, tostring(before), tostring(now))
    end
  end
  local versions = type(info.versions) == "table" and info.versions or {}
  add("release of Swale", versions.swale, core._VERSION)
  add("instruction set", info.instruction_set, core.variant())
  add("BLAS", info.blas, core.blas())
  lines[#lines + 1] = keys.changed(info, { data = true, load = true })
  return lines
end

--- A record without what depends on the time that it took.
local function timeless(line)
  local record = core.json_decode(line)
  if type(record) ~= "table" then return line end
  if record.kind == "cost" then return nil end
  record.seconds = nil
  return core.json_encode(record), record.step
end

local function records(dir)
  local file = io.open(dir .. "/metrics.jsonl")
  return function()
    for line in file and file:lines() or function() end do
      local text, step = timeless(line)
      if text then return text, step end
    end
    if file then file:close() end
    file = nil
  end
end

---Compares what two runs have recorded.
---@param a string   directories
---@param b string
---@return string words
function M.comparison(a, b)
  local next_a, next_b = records(a), records(b)
  local n = 0
  while true do
    local x, step = next_a()
    local y = next_b()
    if x ~= y then
      return ("the records differ from line %d on%s"):format(n + 1,
        step and (", step %d"):format(step) or "")
    end
    if not x then break end
    n = n + 1
  end
  local names = M.unequal(folders.read(a .. "/run.json"), folders.read(b .. "/run.json"))
  if #names > 0 then
    return ("the records are equal, but not the summaries: %s"):format(table.concat(names, ", "))
  end
  return n > 0 and ("all %d records and the summary are equal"):format(n)
    or "the summaries are equal"
end

local function summary_of(text)
  local info = text and core.json_decode(text)
  return type(info) == "table" and type(info.summary) == "table" and info.summary or {}
end

---The names of summary values that two records do not share.
---@param a string|nil   texts of run.json
---@param b string|nil
---@return string[]
function M.unequal(a, b)
  local one, two, names, seen = summary_of(a), summary_of(b), {}, {}
  for _, values in ipairs { one, two } do
    for name in pairs(values) do
      if not seen[name] and core.json_encode { one[name] } ~= core.json_encode { two[name] } then
        names[#names + 1] = name
      end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

return M
