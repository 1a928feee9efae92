--- A pool of processes: a number at a time, the next one as soon as one ends. After Ctrl-C or
--- SIGTERM children get SIGINT, then SIGTERM, then SIGKILL.
---
--- Each child leads a process group of its own. Otherwise the terminal's Ctrl-C would reach it in
--- addition to ours, and a second one ends a training without its record.
local core = require "swale.core"

local M = {}

local PATIENCE = 15000 -- ms between one signal to a child and the next

---@class swale.PoolJob
---@field argv string[]
---@field output string           the file that gets all it prints
---@field timeout? number         seconds
---@field env? table<string, string|false>
---@field cwd? string

---@class swale.PoolResult
---@field code integer            exit status; 0 where a signal ended it
---@field signal integer          0: none
---@field pid integer
---@field seconds number
---@field timed_out boolean
---@field problem? string         it could not be started

---@class swale.ProcessPoolOptions
---@field jobs integer                                at once
---@field next fun(): swale.PoolJob|nil               the next one, or nil at the end
---@field started? fun(job: swale.PoolJob)
---@field ended fun(job: swale.PoolJob, result: swale.PoolResult)
---@field tick? fun()                                 about once a second

local Pool = {}
Pool.__index = Pool

local function uv() return require "luv" end

--- Signals the whole group, so that what a child has started ends with it.
local function end_group(pid, signal) uv().kill(-pid, signal) end

local function stop_timers(child)
  for _, timer in ipairs(child.timers) do
    timer:stop()
    timer:close()
  end
  child.timers = {}
end

local function after(child, milliseconds, f)
  local timer = uv().new_timer()
  timer:start(milliseconds, 0, f)
  table.insert(child.timers, timer)
end

local function insist(child)
  end_group(child.pid, "sigterm")
  after(child, PATIENCE, function() end_group(child.pid, "sigkill") end)
end

--- The callback of an exit only notes it: libuv would lose errors raised in it.
local function on_exit(self, child)
  return function(code, signal)
    child.result = { code = code, signal = signal, pid = child.pid,
      seconds = (uv().hrtime() - child.begun) / 1e9, timed_out = child.timed_out or false }
    stop_timers(child)
    child.handle:close()
    self.finished[#self.finished + 1] = child
  end
end

local function spawn(self, child)
  local job, process = child.job, require "swale.process"
  local fd, problem = uv().fs_open(job.output, "a", 420) -- rw-r--r--
  if not fd then return nil, problem end
  local handle, pid = uv().spawn(job.argv[1], {
    args = table.move(job.argv, 2, #job.argv, 1, {}), cwd = job.cwd, detached = true,
    env = process.environment(job.env), stdio = { self.nothing, fd, fd },
  }, on_exit(self, child))
  uv().fs_close(fd)
  if not handle then return nil, pid end
  child.handle, child.pid = handle, math.tointeger(pid)
  return true
end

local function start(self, job)
  local child = { job = job, timers = {}, begun = uv().hrtime() }
  local ok, problem = spawn(self, child)
  if not ok then
    self.o.ended(job, { code = 1, signal = 0, pid = 0, seconds = 0, timed_out = false,
      problem = problem })
    return
  end
  self.running[child] = true
  self.count = self.count + 1
  if job.timeout then
    after(child, math.ceil(job.timeout * 1000), function()
      child.timed_out = true
      end_group(child.pid, "sigkill")
    end)
  end
  if self.o.started then self.o.started(job) end
end

local function fill(self)
  while not self.stopped and not self.empty and self.count < self.o.jobs do
    local job = self.o.next()
    if job then start(self, job) else self.empty = true end
  end
end

local function drain(self)
  local finished = self.finished
  self.finished = {}
  for _, child in ipairs(finished) do
    self.running[child] = nil
    self.count = self.count - 1
    self.o.ended(child.job, child.result)
  end
end

--- The first time children get SIGINT, the second time SIGTERM.
local function stop(self, signal)
  local first = not self.stopped
  self.stopped = self.stopped or signal
  for child in pairs(self.running) do
    if not first then
      insist(child)
    else
      end_group(child.pid, "sigint")
      after(child, PATIENCE, function() insist(child) end)
    end
  end
end

--- A SIGHUP that is ignored, as under nohup, stays ignored.
local function watch_signal(self, name)
  if name ~= "sigint" and core.is_ignored(name) then return end
  local handle = uv().new_signal()
  handle:start(name, function() stop(self, name) end)
  table.insert(self.handles, handle)
end

local function watch(self)
  for _, name in ipairs { "sigint", "sigterm", "sighup" } do watch_signal(self, name) end
  if self.o.tick then
    local timer = uv().new_timer()
    timer:start(1000, 1000, function() self.ticked = true end)
    table.insert(self.handles, timer)
  end
end

local function close(self)
  for child in pairs(self.running) do -- some are left only if a callback raised
    end_group(child.pid, "sigkill")
    stop_timers(child)
  end
  for _, handle in ipairs(self.handles) do handle:close() end
  uv().fs_close(self.nothing)
  uv().run "nowait"
end

local function work(self)
  fill(self)
  while self.count > 0 do
    uv().run "once"
    drain(self)
    if self.ticked then
      self.ticked = false
      self.o.tick()
    end
    fill(self)
  end
end

---Runs jobs until there are no more, or until Ctrl-C.
---@param o swale.ProcessPoolOptions
---@return string|nil stopped   the signal that ended it: "sigint", "sigterm", "sighup"
function M.run(o)
  local self = setmetatable({ o = o, running = {}, count = 0, finished = {}, handles = {},
    nothing = assert(uv().fs_open("/dev/null", "r", 0)) }, Pool)
  local _ <close> = setmetatable({}, { __close = function() close(self) end })
  watch(self)
  work(self)
  return self.stopped
end

return M
