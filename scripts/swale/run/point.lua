--- Points of a run that it can go on from: what its checkpoints say of the run besides the
--- training. A checkpoint of a run has one as JSON in its metadata, under `run`; where the training
--- could not be continued to the same bits from there, as inside the hook of another fit, it has
--- none.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

---@class swale.Point
---@field fit integer        number of the fit in the run, from 1
---@field trainer integer    number of its trainer, in the order of their first fits
---@field ended boolean      the fit is over
---@field step integer       of its trainer
---@field fired { step: integer, examples: integer }   where events of the fit happened last
---@field over? boolean       nothing of the fit is left to train; set by readers
---@field terms swale.Terms  what the fit was asked for
---@field metrics integer    bytes of metrics.jsonl
---@field log integer        bytes of log.txt
---@field fields table       of the run: last_step, last_epoch, …
---@field saved string[]     names of the last checkpoints before this one
---@field wall number        seconds of the run
---@field cpu? number         seconds of its processes
---@field notes? table
---@field summary? table
---@field stays? boolean      the checkpoint is one to keep
---@field best? boolean       its weights were the best on valid
---@field path? string       of the checkpoint; set by readers

--- Of a point, and the types of what it has.
local TYPES <const> = { fit = "integer", trainer = "integer", step = "integer", ended = "boolean",
  fired = "table", terms = "table", metrics = "integer", log = "integer", fields = "table",
  saved = "table", wall = "number" }

--- Fields of a run that its records set.
local FIELDS <const> = { "last_step", "saved_step", "measured", "last_epoch" }

---Returns the point at which a run is.
---@param run swale.Run
---@param at { fit: swale.FitOfRun, step: integer, ended: boolean, fired: table }
---@return swale.Point
function M.of(run, at)
  local fit = at.fit
  local fields, saved = {}, {}
  for _, name in ipairs(FIELDS) do fields[name] = rawget(run, name) end
  for i, path in ipairs(run.saved) do saved[i] = folders.name(path) end
  return { fit = fit.number, trainer = fit.trainer, ended = at.ended, step = at.step,
    fired = at.fired, terms = fit.terms,
    metrics = run.metrics.bytes, log = run.log.bytes,
    fields = fields, saved = saved, wall = run:seconds(), cpu = run:cpu_seconds(),
    notes = run.info.notes, summary = run.info.summary }
end

---Sets what the records of a run had set.
---@param run swale.Run
---@param point swale.Point
function M.restore_fields(run, point)
  for _, name in ipairs(FIELDS) do run[name] = point.fields[name] end
  run.info.notes, run.info.summary = point.notes, point.summary
  run.saved = {}
  for _, name in ipairs(point.saved) do
    local path = run.dir .. "/checkpoints/" .. name
    if folders.exists(path) then run.saved[#run.saved + 1] = path end
  end
end

--- Gives a checkpoint a second name, unless there is one.
local function also(path, other)
  if not folders.exists(other) then require("swale.run.links").make(path, other) end
end

---Makes the checkpoints of a run those that it had at a point, whatever was killed afterwards.
---@param run swale.Run
---@param point swale.Point
function M.restore_checkpoints(run, point)
  local step = ("%s/checkpoints/step-%08d.safetensors"):format(run.dir, point.step)
  also(point.path, step)
  if point.ended then also(point.path, M.fit_path(run.dir, point.fit)) end
  if point.best then require("swale.run.links").make(point.path, M.best_path(run.dir)) end
  if not point.stays then require("swale.run.keeping").note(run, step) end
end

-- ------------------------------------------------------------------ in files

local function all_are(kind, list)
  for _, value in pairs(list) do if type(value) ~= kind then return false end end
  return true
end

--- Whether a table has what a point has.
local function is_point(found)
  for name, kind in pairs(TYPES) do
    local value = found[name]
    if type(value) ~= kind and math.type(value) ~= kind then return false end
  end
  return all_are("string", found.terms) and all_are("string", found.saved)
    and math.type(found.fired.step) == "integer" and math.type(found.fired.examples) == "integer"
    and found.metrics >= 0 and found.log >= 0
end

---Reads the point of a checkpoint. One that an interrupt wrote in the midst of a step has none, and
---needs no message: the one before it has.
---@param path string
---@return swale.Point|nil point, string? message
function M.read(path)
  local tensors, metadata = core.safetensors_read(path, true)
  if not tensors then return nil, ("%s: %s"):format(path, metadata) end
  if metadata.lacks == require("swale.trainer.checkpoint").WITHIN then return nil end
  if metadata.lacks then return nil, ("%s: %s"):format(path, metadata.lacks) end
  local point, why = core.json_decode(metadata.run or "null")
  if type(point) ~= "table" then return nil, why and path .. ": " .. why end
  if not is_point(point) then return nil, path .. ": what it says of its run is damaged" end
  point.path = path
  return point
end

---Returns the name of the file that has the end of a fit.
---@param dir string
---@param number integer
---@return string
function M.fit_path(dir, number)
  return ("%s/checkpoints/fit-%04d.safetensors"):format(dir, number)
end

---Whether point a is after b.
---@param a swale.Point
---@param b swale.Point
---@return boolean
function M.is_after(a, b)
  if a.fit ~= b.fit then return a.fit > b.fit end
  if a.step ~= b.step then return a.step > b.step end
  return a.ended and not b.ended
end

---@param dir string
---@return string
function M.best_path(dir) return dir .. "/checkpoints/best.safetensors" end

---Whether a file's name is that of a checkpoint with a point: those of a script have other names.
---@param name string
---@return boolean
function M.is_checkpoint(name)
  return name:find "^step%-%d+%.safetensors$" ~= nil or name:find "^fit%-%d+%.safetensors$" ~= nil
end

---Returns the points of a run's checkpoints, the last one first, and what could not be read.
---@param dir string
---@return swale.Point[] points, string[] problems
function M.list(dir)
  local points, problems = {}, {}
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    local point, why
    if M.is_checkpoint(name) then
      point, why = M.read(dir .. "/checkpoints/" .. name)
      points[#points + 1], problems[#problems + 1] = point, not point and why or nil
    end
  end
  table.sort(points, M.is_after)
  return points, problems
end

---Returns the last point that a run can go on from: what it names is still in the files.
---@param dir string
---@param first integer        its first fit: those before it are of the run that was forked
---@return swale.Point|nil point
---@return string[] problems    checkpoints that cannot be used
function M.newest(dir, first)
  local points, problems = M.list(dir)
  local metrics = folders.size(dir .. "/metrics.jsonl") or 0
  local log = folders.size(dir .. "/log.txt") or 0
  for _, point in ipairs(points) do
    if point.fit < first then return nil, problems end
    if point.metrics > metrics or point.log > log then
      problems[#problems + 1] = ("%s: metrics.jsonl or log.txt is shorter than when it was written")
        :format(point.path)
    else
      return point, problems
    end
  end
  return nil, problems
end

return M
