--- A run is a directory: run.json (parameters, machine, outcome), metrics.jsonl (append-only, one
--- record a line), log.txt (what was printed), checkpoints/, plots/. A directory has one writer.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local fits = require "swale.run.fits"
local folders = require "swale.folders"
local format = require "swale.run.format"
local inputs = require "swale.run.inputs"
local keys = require "swale.run.key"
local lines = require "swale.run.lines"
local machine = require "swale.machine"
local objectives = require "swale.run.objective"
local options = require "swale.options"
local place = require "swale.run.place"
local progress = require "swale.progress"
local source = require "swale.run.source"
local standing = require "swale.run.status"

local M = {}

local KEPT = 2     -- checkpoints
local LOOKS = 100  -- records between checks that the files are still there

---@class swale.Run
---@field dir string          its directory
---@field seed integer
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

local function now() return os.date "!%Y-%m-%dT%H:%M:%SZ" end
local function clock() return require "luv".hrtime() / 1e9 end

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

local function versions()
  return { swale = core._VERSION, lua = _VERSION }
end

--- A copy of plain data, as a reader of the file gets it.
local function snapshot(value) return core.json_decode(core.json_encode(value)) end

--- What the work is: the script, its inputs so far, the content key.
local function work(o)
  if not o.script then return {} end
  local files, digest = inputs.list(), nil
  local first = files[1]
  if first and first.kind == "script" and first.path == o.script then digest = first.sha256 end
  digest = digest or core.file_sha256(o.script)
  return { script = o.script, sha256 = digest, files = files, cwd = require "luv".cwd(),
    key = digest and keys.of { script_sha256 = digest, params = o.params or {}, seed = o.seed } }
end

--- The contents of run.json at the start.
local function description(o, revision)
  local writer, origin = standing.writer(), require("swale.run.origin").get()
  local done = work(o)
  return {
    format = format.VERSION, experiment = o.experiment, params = snapshot(o.params or {}),
    given = snapshot(o.given or {}), seed = o.seed, argv = o.argv, cwd = done.cwd,
    script = done.script, script_sha256 = done.sha256, files = done.files,
    key = not o.parent and done.key or nil, -- a fork does no work that another run could do
    objective = o.objective and { name = o.objective.name, goal = o.objective.goal },
    rerun_of = o.repeats and o.repeats.id,
    parent = o.parent,
    commit = revision.commit, dirty = revision.dirty, versions = versions(),
    machine = machine.describe(), threads = core.threads(), instruction_set = core.variant(),
    blas = core.blas(), matmul_precision = "highest",
    collection = origin.collection, tag = origin.tag, attempt = origin.attempt,
    status = "running", started = now(), pid = writer.pid, host = writer.host,
    process_start = writer.process_start, boot_id = writer.boot_id,
  }
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

---@class swale.Repeated
---@field id string
---@field revision swale.Revision   of the source that the run stored

local function begin(self, o, revision)
  self.lock = standing.hold(self.dir)
  self:write_info()
  if o.script then source.store(self.dir, o.script, revision) end
  self.log = open_append(self.dir .. "/log.txt")
  self.metrics = open_append(self.dir .. "/metrics.jsonl")
end

local function new(seed, bar)
  return setmetatable({ seed = seed, status = "running", saved = {}, lacking = {}, looked = 0,
    begun = clock(), fits = fits.new(), progress_bar = bar or progress.new() }, Run)
end

---Makes the directory of a run and writes run.json.
---@param o swale.RunOptions
---@return swale.Run
function M.create(o)
  local self = new(o.seed, o.progress)
  local revision = o.repeats and o.repeats.revision or o.script and machine.revision(o.script) or {}
  self.info = description(o, revision)
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

---Returns the parameters of a run, and in place of some the overrides.
---@param info table
---@param overrides? table<string, any>
---@return table<string, any>
function M.params_with(info, overrides)
  local all = {}
  for name, value in pairs(info.params or {}) do all[name] = value end
  for name, value in pairs(overrides or {}) do all[name] = value end
  return all
end

---Makes info that of a run which is being written by this process.
---@param info table
function M.mark_running(info)
  local writer = standing.writer()
  info.status, info.error, info.ended = "running", nil, nil
  for name, value in pairs(writer) do info[name] = value end
end

--- info as JSON; fields that JSON cannot hold are left out and named in left_out.
local function text_of(info)
  local ok, text = pcall(core.json_encode, info, 2)
  if ok then return text end
  local kept, left_out = {}, {}
  for key, value in pairs(info) do
    local good, why = pcall(core.json_encode, { [key] = value })
    if good then kept[key] = value else left_out[#left_out + 1] = tostring(why) end
  end
  table.sort(left_out)
  kept.left_out = left_out
  return core.json_encode(kept, 2)
end

---Rewrites run.json, atomically.
function Run:write_info()
  if self.info.files then self.info.files = inputs.list() end
  check_write(self, self.dir .. "/run.json",
    standing.write(self.dir, "run.json", text_of(self.info) .. "\n"))
end

---Returns what happened to records that are not in their files any more; nil if all are there.
---@return string|nil
function Run:lost()
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
  local lost = self:lost()
  if lost then errors.environment(lost, "EIO") end
end

--- Kinds of lines whose seconds are those of measurements.
local MEASURED <const> = { measurement = true, cost = true }

---Appends a record to metrics.jsonl: one line, one write.
---@param record table   plain data; kind says what it is
function Run:record(record)
  options.value("run:record", "the record", record, "table")
  append(self, "metrics.jsonl", core.json_encode(record) .. "\n")
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
  local folder = self.dir .. "/checkpoints"
  local made, why = folders.make_folder(folder)
  check_write(self, folder, made, why)
  local path, texts = ("%s/%s.safetensors"):format(folder, name), {}
  for key, value in pairs(metadata or {}) do texts[key] = tostring(value) end
  check_write(self, path, core.safetensors_write(path, tensors, texts))
  look(self)
  if o and o.keep then return path end
  self.saved_step = tonumber(texts.step) or self.saved_step
  self:forget_checkpoints(path, texts.lacks ~= nil)
  return path
end

--- Checkpoints of a kind make room for each other: those of trainings, of trainings inside of
--- others, of the script.
local function kind_of(path)
  local kind = path:match "/(%l+)%-%d+%.safetensors$"
  return (kind == "step" or kind == "inner") and kind or "script"
end

--- The checkpoint of a kind to remove: the oldest that no run can go on from, but the newest of
--- all, else the oldest; nil: there are not too many.
local function superfluous(self, kind)
  local same, lacking = {}, nil
  for _, path in ipairs(self.saved) do
    if kind_of(path) == kind then same[#same + 1] = path end
  end
  if #same <= KEPT then return nil end
  for i = #same - 1, 1, -1 do if self.lacking[same[i]] then lacking = same[i] end end
  return lacking or same[1]
end

local function forget(list, path)
  for i, one in ipairs(list) do
    if one == path then table.remove(list, i) return end
  end
end

---Notes path as the newest checkpoint and removes all but the last two of its kind.
---@param path string
---@param lacks? boolean    no run can go on from it
function Run:forget_checkpoints(path, lacks)
  forget(self.saved, path)
  table.insert(self.saved, path)
  self.lacking[path] = lacks
  local old = superfluous(self, kind_of(path))
  while old do
    forget(self.saved, old)
    folders.remove(old)
    old = superfluous(self, kind_of(path))
  end
end

---Returns how long its files are: what a run that is resumed cuts them to.
---@return { metrics: integer, log: integer }
function Run:offsets() return { metrics = self.metrics.bytes, log = self.log.bytes } end

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

--- The `print` of the script.
function Run:print_all(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  self:print("%s", table.concat(texts, "\t"))
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
    local ok, copy = pcall(snapshot, { [key] = value })
    if not ok and copy == core.INTERRUPTED then error(copy, 0) end
    if not ok then errors.misuse("%s: %s", where, plain_reason(copy)) end
    kept[key] = copy[key]
  end
  self.info[part] = kept
  self:write_info()
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
---@param status string
---@param message? string
---@return true|nil ok, string? message   nil if run.json cannot be written
function Run:finish(status, message)
  self.status = status
  local info = self.info
  info.status, info.error, info.ended = status, message, now()
  info.wall_seconds, info.measurement_seconds = self:seconds(), self.measured
  info.last_step = self.last_step
  self.progress_bar:clear()
  note_objective(self)
  local ok, why = pcall(self.write_info, self)
  inputs.follow(nil)
  for _, file in ipairs { self.metrics, self.log } do pcall(file.close, file) end
  self.ended = true
  if ok then standing.release(self.dir, self.lock) end
  return ok or nil, not ok and tostring(why) or nil
end

---Removes the directory of a run that has nothing to keep.
function Run:remove()
  for _, file in ipairs { self.metrics, self.log } do file:close() end
  self.ended = true
  folders.remove(self.dir)
  if self.lock then self.lock:release() end
end

-- ------------------------------------------------------------------ fits

---Begins a fit of a trainer in this run. Returns the point to restore in place of training up to
---it.
---@param engine swale.Engine
---@param length swale.Duration
---@return swale.FitOfRun fit, swale.Point|nil restored
function Run:begin_fit(engine, length) return fits.begin(self, engine, length) end

---@param fit swale.FitOfRun
function Run:leave_fit(fit) fits.leave(self, fit) end

---Returns the name of a checkpoint of the present fit.
---@param step integer
---@return string
function Run:step_name(step) return fits.step_name(self, step) end

---Keeps a checkpoint as that of the best weights.
---@param path string
function Run:keep_best(path) fits.keep_best(self, path) end

---Keeps the checkpoint of the end of a fit.
---@param fit swale.FitOfRun
---@param path string
function Run:keep_fit(fit, path) fits.keep(self, fit, path) end

---Returns what a checkpoint says of the run, so that it can go on from there; nil where it cannot.
---@param step integer
---@param ended boolean     the fit is over
---@param fired { step: integer, examples: integer }   where its events happened last
---@return swale.Point|nil
function Run:point(step, ended, fired) return fits.point(self, step, ended, fired) end

---Restores the training of a point.
---@param engine swale.Engine
---@param fit swale.Fit
---@param point swale.Point
function Run:restore(engine, fit, point) self.replay:restore(engine, fit, point) end

---Goes on from a point that was restored.
---@param point swale.Point
function Run:arrive(point) self.replay:arrive(self, point) end

---@return number   since its beginning, while a process ran it
function Run:seconds() return clock() - self.begun end

---Counts its seconds from so many on.
---@param seconds number
function Run:start_from(seconds) self.begun = clock() - seconds end

-- ------------------------------------------------------------------ reading

--- Parses a JSON object; nil and what is wrong with it.
local function object(text)
  local value, why = core.json_decode(text)
  if type(value) == "table" and text:find "^%s*{" then return value end
  return nil, why or ("expected an object, found %s"):format(errors.shown(text:sub(1, 20)))
end

---Returns the records of a run. An incomplete last line, of a run that was killed, is left out.
---@param dir string
---@return table[] records
function M.read_metrics(dir)
  local path = dir .. "/metrics.jsonl"
  local records, bad = {}, nil
  local file, message = io.open(path)
  if not file then errors.environment(message, "EIO") end
  for line in file:lines() do
    if bad then
      file:close()
      errors.environment(("%s:%d: not a record: %s"):format(path, #records + 1, bad), "ECORRUPT")
    end
    local record, why = object(line)
    if record then records[#records + 1] = record else bad = why end
  end
  file:close()
  return records
end

---Returns the contents of run.json as they are. Raises for a newer format.
---@param dir string
---@return table
function M.read_record(dir)
  local path = dir .. "/run.json"
  local text, message, code = folders.read(path)
  if not text then errors.environment(message, code) end
  local info, why = object(text)
  if not info then errors.environment(path .. ": " .. why, "ECORRUPT") end
  errors.check(format.check(path, info.format))
  return info
end

---The same, but "killed" for the status of a run whose writer was killed.
---@param dir string
---@return table
function M.read_info(dir)
  local info = M.read_record(dir)
  info.status = standing.of(dir, info)
  return info
end

---The same, of a run that is executed again. Raises where a field that this needs is damaged.
---@param dir string
---@return table
function M.read_whole(dir)
  local info = M.read_info(dir)
  errors.check(format.check_fields(dir .. "/run.json", info))
  return info
end

return M
