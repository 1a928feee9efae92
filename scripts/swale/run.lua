--- A run is a directory: run.json (parameters, machine, outcome), metrics.jsonl (append-only, one
--- record a line), log.txt (what was printed), checkpoints/, plots/. A directory has one writer.
local class = require "swale.class"
local core = require "swale.core"
local description = require "swale.run.description"
local errors = require "swale.errors"
local fits = require "swale.run.fits"
local folders = require "swale.folders"
local inputs = require "swale.run.inputs"
local keeping = require "swale.run.keeping"
local lines = require "swale.run.lines"
local machine = require "swale.machine"
local objectives = require "swale.run.objective"
local options = require "swale.options"
local place = require "swale.run.place"
local progress = require "swale.progress"
local reading = require "swale.run.reading"
local records = require "swale.run.record"
local source = require "swale.run.source"
local standing = require "swale.run.status"

local M = { read_metrics = reading.read_metrics, read_record = reading.read_record,
  read_info = reading.read_info, read_whole = reading.read_whole }

local LOOKS <const> = 100 -- records between checks that the files are still there

---@class swale.Run
---@field dir string          its directory
---@field seed integer
---@field home string         the folder that dir is named from
---@field status "running"|"done"|"failed"|"diverged"|"interrupted"|"failed: disk full"   readers
---see "killed", too
---@field resuming boolean?    it goes on, and the script has not reached the point yet
---@field interrupted boolean? a training of it was: no other begins
---@field ended boolean?      its files are closed
---@field losses string?      what was taken away
---@field last_step integer?  of the last record that named one
---@field saved_step integer? of the last checkpoint
---@field measured number?    seconds of measurements
---@field checkpoint_seconds number?   at most so many pass between two checkpoints; nil: 600
---@field last_epoch table?   the last record of an epoch
---@field fits swale.RunFits
---@field replay swale.Replay|nil   until the point from which it goes on
local Run = class.new("run", { fields = {
  "dir", "seed", "status", "interrupted", "last_step", "saved_step", "resuming" } })
M.Run = Run

local function clock() return require "luv".hrtime() / 1e9 end

--- Seconds that this process has computed, of all its threads.
local function processor()
  local used = require "luv".getrusage()
  return used.utime.sec + used.stime.sec + (used.utime.usec + used.stime.usec) / 1e6
end

local function open_append(path)
  local file, message = lines.open(path)
  if not file then errors.environment(message, "EIO") end
  return file
end

--- Ends the run, because a record of it cannot be written.
local function fail_write(self, path, message, code)
  if code == "ENOSPC" then
    self.disk_full = true
    errors.environment(("%s: the disk is full"):format(path), code)
  end
  errors.environment(("%s: cannot be written: %s"):format(path, message), "EIO")
end

local function append(self, name, text)
  local file = self[name == "log.txt" and "log" or "metrics"]
  if self.ended then errors.misuse("run: %s is closed, the run has ended", name) end
  local ok, message, code = file:write(text)
  if not ok then fail_write(self, self.dir .. "/" .. name, message, code) end
end

--- Checks the result of a core function that writes: ok, message, code.
local function check_write(self, path, ok, message, code)
  if not ok then fail_write(self, path, message, code) end
end

---@class swale.RunOptions
---@field experiment string        its name; part of the directory's
---@field seed integer
---@field params? table<string, any>
---@field script? string           the file that says what is run
---@field argv? string[]
---@field given? table<string, any>   those of params that replaced defaults
---@field objective? swale.Objective
---@field repeats? swale.Repeated     the run that this one repeats
---@field parent? { run: string, step: integer, fit: integer }   of a fork
---@field progress? swale.ProgressBar
---@field tensorboard? boolean        an event file, too

---@class swale.Repeated
---@field id string
---@field revision swale.Revision   of the source that the run stored

local function begin(self, o, revision)
  self.lock = standing.hold(self.dir)
  M.write_info(self)
  if o.script then source.store(self.dir, o.script, revision) end
  self.log = open_append(self.dir .. "/log.txt")
  self.metrics = open_append(self.dir .. "/metrics.jsonl")
  if o.tensorboard then M.open_board(self) end
end

local function new(seed, bar)
  local self = setmetatable({ seed = seed, status = "running", saved = {}, lacking = {},
    looked = 0, begun = clock(), begun_cpu = processor(), home = require("luv").cwd(),
    progress_bar = bar or progress.new() }, Run)
  self.fits = fits.new(self)
  return self
end

---Makes the directory of a run and writes run.json.
---@param o swale.RunOptions
---@return swale.Run
function M.create(o)
  local self = new(o.seed, o.progress)
  local revision = o.repeats and o.repeats.revision or o.script and machine.revision(o.script) or {}
  self.info = description.of(o, revision)
  self.dir = place.make(o.experiment)
  self.info.id = self.dir:match "[^/]+$"
  local ok, fault = pcall(begin, self, o, revision)
  if ok then return self end
  folders.remove(self.dir) -- interrupted, or a full disk: there is nothing in it yet
  error(fault, 0)
end

---Returns a run that is there, which goes on. Nothing is written yet.
---@param dir string
---@param info table        what its run.json holds
---@param lock swale.Lock|nil
---@return swale.Run
function M.reopen(dir, info, lock)
  local self = new(info.seed)
  self.dir, self.info, self.lock = dir, info, lock
  return self
end

---Writes the event file of TensorBoard anew, and goes on with it.
---@param self swale.Run
function M.open_board(self)
  self.board = require("swale.run.board").write(self.dir, self.info, M.read_metrics(self.dir))
end

---Rewrites run.json, atomically.
---@param self swale.Run
function M.write_info(self)
  if self.info.files then self.info.files = inputs.list() end
  check_write(self, self.dir .. "/run.json",
    standing.write(self.dir, "run.json", description.text(self.info) .. "\n"))
end

---Goes back to the folder that the run's directory is named from, which a script may have left.
---@param self swale.Run
function M.come_home(self) require("luv").chdir(self.home) end

---Returns what happened to records that are not in their files any more; nil if all are there.
---@param self swale.Run
---@return string|nil
function M.lost(self)
  for _, file in ipairs { self.metrics, self.log } do
    local what = file.fd and file:lost()
    if what and not self.losses then
      self.losses = ("%s: %s while the run wrote it; records are lost"):format(file.path, what)
    end
  end
  return self.losses
end

--- Checks the files at each epoch and checkpoint and every LOOKS records, so that a run whose
--- record was deleted ends early.
local function look(self)
  self.looked = 0
  local here = require("luv").cwd()
  if here ~= self.home and self.dir:sub(1, 1) ~= "/" then
    errors.environment(("the script went to the folder %s, where %s is not found: luv.chdir is for"
      .. " before and after a run"):format(here, self.dir), "EIO")
  end
  local lost = M.lost(self)
  if lost then errors.environment(lost, "EIO") end
end

--- Kinds of lines whose seconds are those of measurements.
local MEASURED <const> = { measurement = true, cost = true }

---Appends a record to metrics.jsonl: one line, one write.
---@param record table   plain data; kind says what it is
function Run:record(record)
  options.value("run:record", "the record", record, "table")
  append(self, "metrics.jsonl", core.json_encode(record) .. "\n")
  if self.board then self.board:record(record) end
  self.last_step = record.step or self.last_step
  if MEASURED[record.kind] and tonumber(record.seconds) then
    self.measured = (self.measured or 0) + record.seconds
  end
  self.looked = self.looked + 1
  if record.kind == "epoch" or self.looked >= LOOKS then look(self) end
  if record.kind == "epoch" then
    self.last_epoch = record
    local line = progress.epoch_line(record)
    append(self, "log.txt", line .. "\n")
    self.progress_bar:line(line)
  end
end

---Writes checkpoints/NAME.safetensors. The last two are kept, besides those of trainings, and those
---written with `keep`.
---@param name string
---@param tensors table<string, swale.Tensor>
---@param metadata? table<string, any>   written as text
---@param o? { keep?: boolean }
---@return string path
function Run:checkpoint(name, tensors, metadata, o)
  options.value("run:checkpoint", "the name", name, "string")
  options.value("run:checkpoint", "tensors", tensors, "table")
  if name:find "^[.]" or name:find "[/%c]" then
    errors.misuse("run:checkpoint: a name has no slash and does not begin with a dot: %q", name)
  end
  look(self)
  local folder = self.dir .. "/checkpoints"
  local made, why = folders.make_folder(folder)
  check_write(self, folder, made, why)
  local path, texts = ("%s/%s.safetensors"):format(folder, name), {}
  for key, value in pairs(metadata or {}) do texts[key] = tostring(value) end
  check_write(self, path, core.safetensors_write(path, tensors, texts))
  look(self)
  if o and o.keep then return path end
  self.saved_step = tonumber(texts.step) or self.saved_step
  keeping.note(self, path, texts.lacks ~= nil)
  return path
end

---@return number   since its beginning, while a process ran it
function Run:seconds() return clock() - self.begun end

---@return number   of processor time, of all threads of the processes that ran it
function Run:cpu_seconds() return processor() - self.begun_cpu end

---Redraws the progress bar, if there is a terminal and it is due.
---@param o { done: number, total: number, text?: string }
function Run:progress(o) self.progress_bar:update(o) end

---Returns whether progress would draw now.
---@return boolean
function Run:wants_progress() return self.progress_bar:is_due() end

local function formatted(fmt, ...)
  if select("#", ...) == 0 then return tostring(fmt) end
  local ok, text = pcall(string.format, fmt, ...)
  return ok and text or errors.misuse("run:print: the values do not fit the format %s: %s",
    errors.shown(fmt), text:match "%((.*)%)" or text)
end

--- Error numbers of Linux, as Lua's io functions return them.
local ERRNO = { [5] = "EIO", [27] = "ENOSPC", [28] = "ENOSPC", [32] = "EPIPE", [122] = "ENOSPC" }

--- Writes a line to stdout. A pipe without a reader (EPIPE) and a terminal that was closed (EIO)
--- are ignored; a full disk, a file that is too large (27) and a full quota (122) end the run.
local function write_out(self, text)
  local ok, message, number = io.stdout:write(text, "\n")
  if ok then ok, message, number = io.stdout:flush() end
  local code = ERRNO[number]
  if ok or code == "EPIPE" or code == "EIO" then return end
  fail_write(self, "standard output", message, code)
end

---Prints a line, and keeps it in log.txt.
---@param fmt string   as for string.format, if there is anything to format
---@param ... any
function Run:print(fmt, ...)
  local text = formatted(fmt, ...)
  self.progress_bar:clear()
  write_out(self, text)
  append(self, "log.txt", text .. "\n")
end

local function plain_reason(message) return (message:gsub("^.-json_encode: ", "")) end

--- Refuses values that JSON cannot hold, before they are part of the record.
local function put(self, where, part, values)
  local kept = {}
  for key, value in pairs(self.info[part] or {}) do kept[key] = value end
  for key, value in pairs(values) do
    if type(key) ~= "string" then
      errors.misuse("%s: each value needs a name, as in { accuracy = 0.9 }; %s is not one", where,
        errors.shown(key))
    end
    local ok, copy = pcall(description.copy, { [key] = value })
    if not ok and copy == core.INTERRUPTED then error(copy, 0) end
    if not ok then errors.misuse("%s: %s", where, plain_reason(copy)) end
    kept[key] = copy[key]
  end
  self.info[part] = kept
  M.write_info(self)
end

---Notes a value in run.json.
---@param key string
---@param value any   plain data
function Run:note(key, value)
  options.value("run:note", "the key", key, "string")
  put(self, "run:note", "notes", { [key] = value })
end

---Writes the main results of the run into run.json; `swale batch` shows them.
---@param values table<string, any>
function Run:summary(values)
  options.value("run:summary", "values", values, "table")
  put(self, "run:summary", "summary", values)
end

---Draws the run into plots/ and prints the path. A fault in drawing does not fail the run.
---@return string|nil path   of the SVG
function Run:plot()
  local ok, path, message = pcall(require("swale.plot").run, self.dir)
  if ok and path then
    self:print("picture: %s (and .png)", path)
    return path
  end
  if path == core.INTERRUPTED then error(path, 0) end
  self:print("no picture: %s", tostring(ok and message or path))
  return nil
end

--- Notes the value of the objective; says why there is none.
local function note_objective(self)
  local objective = self.info.objective
  if not objective then return end
  local value, why = objectives.value(objective.name, self.info.summary, self.last_epoch)
  objective.value = value
  if not value and self.status == "done" then
    io.stderr:write("swale: the run has no value of its objective: ", why, "\n")
  end
end

---Ends the run: writes status, error and times into run.json.
---@param self swale.Run
---@param status string
---@param message? string
---@return true|nil ok, string? message   nil if run.json cannot be written
function M.finish(self, status, message)
  if self.resuming then return nil, "it ended before the point from which it goes on" end
  self.status = status
  local info = self.info
  info.status, info.error, info.ended = status, message, records.now()
  info.wall_seconds, info.measurement_seconds = self:seconds(), self.measured
  info.cpu_seconds, info.last_step = self:cpu_seconds(), self.last_step
  self.progress_bar:clear()
  note_objective(self)
  local ok, why = pcall(M.write_info, self)
  inputs.follow(nil)
  for _, file in ipairs { self.metrics, self.log, self.board } do pcall(file.close, file) end
  self.ended = true
  if ok then standing.release(self.dir, self.lock) end
  return ok or nil, not ok and tostring(why) or nil
end

---Removes the directory of a run that has nothing to keep.
---@param self swale.Run
function M.remove(self)
  for _, file in ipairs { self.metrics, self.log, self.board } do file:close() end
  self.ended = true
  folders.remove(self.dir)
  if self.lock then self.lock:release() end
end

return M
