--- A run is a directory: run.json (what it is and how it went), metrics.jsonl (append-only, one
--- record a line), log.txt (what was printed), checkpoints/, plots/. One writer a directory.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local machine = require "swale.machine"
local options = require "swale.options"
local place = require "swale.run.place"
local progress = require "swale.progress"

local M = {}

local KEPT = 2 -- checkpoints

---@class swale.Run
---@field dir string          its directory
---@field seed integer
---@field status "running"|"done"|"failed"|"diverged"|"interrupted"|"failed: disk full"
---@field interrupted boolean? a training of it was: no other begins
---@field last_step integer?  of the last record that named one
---@field saved_step integer? of the last checkpoint
local Run = class.new("run", { fields = {
  "dir", "seed", "status", "interrupted", "last_step", "saved_step" } })

local function now() return os.date "!%Y-%m-%dT%H:%M:%SZ" end
local function clock() return require "luv".hrtime() / 1e9 end

local function open_append(path)
  local file, message = io.open(path, "a")
  if not file then errors.environment(message, "EIO") end
  file:setvbuf "no" -- one line, one write
  return file
end

--- ENOSPC, EFBIG, EDQUOT.
local function is_full(message)
  message = tostring(message):lower()
  return message:find "no space left" or message:find "file too large" or message:find "disk full"
    or message:find "quota exceeded"
end

--- A record that cannot be written ends the run: what is not recorded has not happened.
local function fail_write(self, path, message)
  if is_full(message) then
    self.disk_full = true
    errors.environment(("%s: the disk is full"):format(path), "EIO")
  end
  errors.environment(("%s: cannot be written: %s"):format(path, message), "EIO")
end

local function append(self, file, name, text)
  if io.type(file) ~= "file" then errors.misuse("run: %s is closed, the run has ended", name) end
  local ok, message = file:write(text)
  if not ok then fail_write(self, self.dir .. "/" .. name, message) end
end

--- The same by core functions that give nil, message, code.
local function check_write(self, path, ok, message)
  if not ok then fail_write(self, path, message) end
end

local function versions()
  return { swale = core._VERSION, lua = _VERSION }
end

--- What stands in run.json from the start on.
local function description(o)
  local revision = o.script and machine.revision(o.script:match "^(.*)/[^/]*$" or ".") or {}
  return {
    experiment = o.experiment, params = o.params or {}, seed = o.seed, argv = o.argv,
    script = o.script, script_sha256 = o.script and require("swale.data.digest").sha256(o.script),
    commit = revision.commit, dirty = revision.dirty, versions = versions(),
    machine = machine.describe(), threads = core.threads(), instruction_set = core.variant(),
    blas = core.blas(), matmul_precision = "highest",
    status = "running", started = now(), pid = math.tointeger(require "luv".os_getpid()),
  }
end

---@class swale.RunOptions
---@field experiment string        its name; part of the directory's
---@field seed integer
---@field params? table<string, any>
---@field script? string           the file that says what is run
---@field argv? string[]
---@field progress? swale.ProgressBar

---Makes a run's directory and writes down all that is known already.
---@param o swale.RunOptions
---@return swale.Run
function M.create(o)
  local self = setmetatable({ seed = o.seed, status = "running", saved = {}, begun = clock() }, Run)
  self.dir = place.make(o.experiment)
  self.info = description(o)
  self.progress_bar = o.progress or progress.new()
  self:write_info()
  self.log = open_append(self.dir .. "/log.txt")
  self.metrics = open_append(self.dir .. "/metrics.jsonl")
  return self
end

---Rewrites run.json, atomically.
function Run:write_info()
  local path = self.dir .. "/run.json"
  check_write(self, path, core.write_file(path, core.json_encode(self.info, 2) .. "\n"))
end

---Appends a record to metrics.jsonl: one line, one write.
---@param record table   plain data; kind says what it is
function Run:record(record)
  options.value("run:record", "the record", record, "table")
  append(self, self.metrics, "metrics.jsonl", core.json_encode(record) .. "\n")
  self.last_step = record.step or self.last_step
  if record.kind == "epoch" then
    local line = progress.epoch_line(record)
    append(self, self.log, "log.txt", line .. "\n")
    self.progress_bar:line(line)
  end
end

---Writes checkpoints/NAME.safetensors; the last two are kept, and those that are to be.
---@param name string
---@param tensors table<string, swale.Tensor>
---@param metadata? table<string, any>   written as text
---@param o? { keep?: boolean }
---@return string path
function Run:checkpoint(name, tensors, metadata, o)
  options.value("run:checkpoint", "the name", name, "string")
  options.value("run:checkpoint", "tensors", tensors, "table")
  if name:find "^[.]" or name:find "[/%c]" then
    errors.misuse("run:checkpoint: a name is no path and begins with no dot, not %q", name)
  end
  local folder = self.dir .. "/checkpoints"
  local made, why = folders.make_folder(folder)
  check_write(self, folder, made, why)
  local path, texts = ("%s/%s.safetensors"):format(folder, name), {}
  for key, value in pairs(metadata or {}) do texts[key] = tostring(value) end
  check_write(self, path, core.safetensors_write(path, tensors, texts))
  if o and o.keep then return path end
  self.saved_step = tonumber(texts.step) or self.saved_step
  self:forget_checkpoints(path)
  return path
end

--- path is the newest now; all but the last two go.
function Run:forget_checkpoints(path)
  for i, old in ipairs(self.saved) do
    if old == path then table.remove(self.saved, i) break end
  end
  table.insert(self.saved, path)
  while #self.saved > KEPT do folders.remove(table.remove(self.saved, 1)) end
end

---Redraws the bar, if there is a terminal and it is time.
---@param o { done: number, total: number, text?: string }
function Run:progress(o) self.progress_bar:update(o) end

---Whether progress would draw anything now.
---@return boolean
function Run:wants_progress() return self.progress_bar:is_due() end

local function formatted(fmt, ...)
  if select("#", ...) == 0 then return tostring(fmt) end
  local ok, text = pcall(string.format, fmt, ...)
  return ok and text or errors.misuse("run:print: the values do not fit the format %s: %s",
    errors.shown(fmt), text:match "%((.*)%)" or text)
end

--- Nobody listening any more is no fault; a full disk is.
local function write_out(self, text)
  local ok, message = io.stdout:write(text, "\n")
  if ok then ok, message = io.stdout:flush() end
  if not ok and not message:find "Broken pipe" then fail_write(self, "standard output", message) end
end

---Prints a line, and keeps it in log.txt.
---@param fmt string   as for string.format, if there is anything to format
---@param ... any
function Run:print(fmt, ...)
  local text = formatted(fmt, ...)
  self.progress_bar:clear()
  write_out(self, text)
  append(self, self.log, "log.txt", text .. "\n")
end

--- For those who print by Lua's own means.
function Run:print_all(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  self:print("%s", table.concat(texts, "\t"))
end

--- What cannot be written is refused before it is in the record, which is written again later.
local function put(self, part, values)
  core.json_encode { [part] = values }
  local kept = self.info[part] or {}
  for key, value in pairs(values) do kept[key] = value end
  self.info[part] = kept
  self:write_info()
end

---Notes something beside the metrics, in run.json.
---@param key string
---@param value any   plain data
function Run:note(key, value)
  options.value("run:note", "the key", key, "string")
  put(self, "notes", { [key] = value })
end

---The numbers this run is about, in run.json.
---@param values table<string, any>
function Run:summary(values)
  put(self, "summary", options.value("run:summary", "values", values, "table"))
end

---Draws loss, learning rate and batch size into plots/ and prints where. Never fails a run.
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

---Ends the run: status, error, times go into run.json.
---@param status string
---@param message? string
---@return true|nil ok, string? message   nil where even that cannot be written
function Run:finish(status, message)
  self.status = status
  local info = self.info
  info.status, info.error, info.ended = status, message, now()
  info.wall_seconds = clock() - self.begun
  info.last_step = self.last_step
  self.progress_bar:clear()
  local ok, why = pcall(self.write_info, self)
  for _, file in ipairs { self.metrics, self.log } do pcall(file.close, file) end
  return ok or nil, not ok and tostring(why) or nil
end

-- ------------------------------------------------------------------ reading

--- A JSON object, or nil and what is wrong with it.
local function object(text)
  local value, why = core.json_decode(text)
  if type(value) == "table" and text:find "^%s*{" then return value end
  return nil, why or ("expected an object, found %s"):format(errors.shown(text:sub(1, 20)))
end

---The records of a run so far. A torn last line, of a run that was killed, is left out.
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

---What run.json says.
---@param dir string
---@return table
function M.read_info(dir)
  local path = dir .. "/run.json"
  local text, message, code = folders.read(path)
  if not text then errors.environment(message, code) end
  local info, why = object(text)
  if not info then errors.environment(path .. ": " .. why, "ECORRUPT") end
  return info
end

return M
