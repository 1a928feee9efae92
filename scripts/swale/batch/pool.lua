--- A pool of processes: a number at a time, the next one as soon as one ends. Ctrl-C and SIGTERM
--- send SIGINT to the children, so that they save what they have; the second one ends them at once.
---
--- Each child leads a process group of its own. Otherwise the terminal's Ctrl-C would reach it in
--- addition to ours, and a second one ends a training without its record. What is left of a group
--- when its leader has ended is killed. guard.lua does this if the pool itself is killed.
local core = require "swale.core"
local guard = require "swale.batch.guard"

local M = {}

local PATIENCE = 15  -- seconds between one signal to a child and the next
local AGAIN = 0.25   -- seconds in which a second SIGTERM or SIGHUP is the same one
local TICK = 500     -- ms

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
---@field stopped? string         what had ended the pool before it ended
---@field problem? string         it could not be started
---@field lost? boolean           what started it was killed, and so was it

---@class swale.ProcessPoolOptions
---@field jobs integer                                at once
---@field next fun(): swale.PoolJob|"wait"|"stop"|nil  the next one; nil or "wait": none now, ask
---again when one has ended, and for "wait" also about twice a second; "stop": end all
---@field started? fun(job: swale.PoolJob, pid: integer)
---@field ended fun(job: swale.PoolJob, result: swale.PoolResult)
---@field stopping? fun(reason: string, count: integer)  once, after so many children got SIGINT
---@field tick? fun()                                 about twice a second
---@field patience? number                            seconds between signals to a child (15)
---@field stop_signal? string                         the first one to a child ("sigint")
---@field also? string[]                              signals that stop the pool, besides
---SIGINT, SIGTERM, SIGHUP

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

local function after(child, seconds, f)
  local timer = uv().new_timer()
  timer:start(math.ceil(seconds * 1000), 0, f)
  table.insert(child.timers, timer)
end

--- Sends SIGTERM, and SIGKILL later.
local function insist(self, child)
  end_group(child.pid, "sigterm")
  after(child, self.patience, function() end_group(child.pid, "sigkill") end)
end

--- The callback of an exit only notes it: libuv would lose errors raised in it.
local function on_exit(self, child)
  return function(code, signal)
    child.result = { code = code, signal = signal, pid = child.pid,
      seconds = (uv().hrtime() - child.begun) / 1e9, timed_out = child.timed_out or false,
      stopped = self.stopped }
    end_group(child.pid, "sigkill") -- what it has left behind
    stop_timers(child)
    child.handle:close()
    self.finished[#self.finished + 1] = child
  end
end

local function spawn(self, child)
  local job, process = child.job, require "swale.process"
  local fd, problem, fault = uv().fs_open(job.output, "a", 420) -- rw-r--r--
  if not fd then return nil, problem, fault end
  local handle, pid, code = uv().spawn(job.argv[1], {
    args = table.move(job.argv, 2, #job.argv, 1, {}), cwd = job.cwd, detached = true,
    env = process.environment(job.env), stdio = { self.nothing, fd, fd },
  }, on_exit(self, child))
  uv().fs_close(fd)
  if not handle then return nil, pid, code end
  child.handle, child.pid = handle, math.tointeger(pid)
  self.guard:add(child.pid)
  return true
end

--- Of processes, files, memory there are none left for the moment.
local SCARCE = { EAGAIN = true, EMFILE = true, ENFILE = true, ENOMEM = true }

--- Starts a job; keeps it for later where that needs the end of another one.
local function start(self, job)
  local child = { job = job, timers = {}, begun = uv().hrtime() }
  local ok, problem, code = spawn(self, child)
  if not ok and SCARCE[code] and self.count > 0 then
    self.kept = job
    return
  elseif not ok then
    self.o.ended(job, { code = 1, signal = 0, pid = 0, seconds = 0, timed_out = false,
      problem = problem })
    return
  end
  self.running[child] = true
  self.count = self.count + 1
  if job.timeout then
    after(child, job.timeout, function()
      child.timed_out = true
      insist(self, child)
    end)
  end
  if self.o.started then self.o.started(job, child.pid) end
end

--- Ends the children: SIGINT, later SIGTERM, then SIGKILL; at once if that is asked for again.
local function stop(self, reason)
  local now = uv().hrtime() / 1e9
  if self.stopped then
    if reason ~= "sigint" and now - self.stopped_at < AGAIN then return end
    for child in pairs(self.running) do end_group(child.pid, "sigkill") end
    return
  end
  self.stopped, self.stopped_at = reason, now
  for child in pairs(self.running) do
    end_group(child.pid, self.o.stop_signal or "sigint")
    after(child, self.patience, function() insist(self, child) end)
  end
end

local function fill(self)
  self.waits = false
  while not self.stopped and self.count < self.o.jobs do
    local job = self.kept or self.o.next()
    self.kept = nil
    self.waits = job == "wait"
    if job == "stop" then stop(self, job) end
    if type(job) ~= "table" then return end
    start(self, job)
    if self.kept then return end
  end
end

local function drain(self)
  local finished = self.finished
  self.finished = {}
  for _, child in ipairs(finished) do
    self.running[child] = nil
    self.count = self.count - 1
    self.guard:remove(child.pid)
    self.o.ended(child.job, child.result)
  end
end

local CHECKED = { sigterm = true, sighup = true } -- those that core.is_ignored knows

---Calls f(name) at each of the signals. A SIGHUP that is ignored, as under nohup, stays ignored.
---@param names string[]
---@param f fun(name: string)
---@return table[] handles   of libuv, to be closed
function M.on_signals(names, f)
  local handles = {}
  for _, name in ipairs(names) do
    if not (CHECKED[name] and core.is_ignored(name)) then
      local handle = uv().new_signal()
      handle:start(name, function() f(name) end)
      handles[#handles + 1] = handle
    end
  end
  return handles
end

local function watch(self)
  local names = table.move(self.o.also or {}, 1, #(self.o.also or {}), 4,
    { "sigint", "sigterm", "sighup" })
  self.handles = M.on_signals(names, function(name) stop(self, name) end)
  local timer = uv().new_timer()
  timer:start(TICK, TICK, function() self.ticked = true end)
  table.insert(self.handles, timer)
end

local function close(self)
  for child in pairs(self.running) do -- some are left only if a callback raised
    end_group(child.pid, "sigkill")
    stop_timers(child)
  end
  for _, handle in ipairs(self.handles) do handle:close() end
  self.guard:close()
  uv().fs_close(self.nothing)
  uv().run "nowait"
end

--- Outside of libuv's callbacks, which lose errors.
local function tell_stopping(self)
  if not self.stopped or self.told then return end
  self.told = true
  if self.o.stopping and self.count > 0 then self.o.stopping(self.stopped, self.count) end
end

local function work(self)
  fill(self)
  while self.count > 0 or self.waits and not self.stopped do
    uv().run "once"
    tell_stopping(self)
    drain(self)
    if self.ticked then
      self.ticked = false
      if self.o.tick then self.o.tick() end
    end
    fill(self)
  end
end

---Runs jobs until there are no more, or until Ctrl-C.
---@param o swale.ProcessPoolOptions
---@return string|nil stopped   what ended it: "sigint", "sigterm", "sighup", "stop"
function M.run(o)
  local self = setmetatable({ o = o, running = {}, count = 0, finished = {}, handles = {},
    patience = o.patience or PATIENCE, guard = guard.start(),
    nothing = assert(uv().fs_open("/dev/null", "r", 0)) }, Pool)
  local _ <close> = setmetatable({}, { __close = function() close(self) end })
  watch(self)
  work(self)
  return self.stopped
end

return M
