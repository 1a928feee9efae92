--- The executor of clusters under Slurm, in place of the pool of processes: job arrays, as large as
--- Slurm allows. What happened to a job is in the file of its state, which is true; the queue says
--- only which jobs may still have an end. There is no need of Slurm's accounting.
---
--- Each job has a name that the table knows, so that jobs are found whatever happened to their
--- submitter: a batch that was killed and is started again waits for those that are in the queue.
local commands = require "swale.batch.slurm_commands"
local core = require "swale.core"
local pool = require "swale.batch.pool"
local tables = require "swale.batch.job_table"

local M = {}

local TICK = 250          -- ms between two looks at the states
local PATIENCE = 20       -- seconds for the end of a job to appear after it left the queue
local SOON, LATE = 1, 15  -- seconds between two looks at the queue
local LARGEST = 1000      -- tasks of an array, so that a batch of thousands takes little memory

--- Reasons to wait that do not end by themselves.
local STUCK = { "Held", "held", "NeverSatisfied", "BadConstraints", "Invalid", "PartitionDown",
  "PartitionNodeLimit", "PartitionTimeLimit" }

local Slurm = {}
Slurm.__index = Slurm

local function uv() return require "luv" end
local function clock() return uv().hrtime() / 1e9 end

-- ------------------------------------------------------------------ submitting

--- Gives tasks back that were not begun.
local function give_back(self, tasks)
  for i = #tasks, 1, -1 do self.o.returned(tasks[i]) end
end

local function track(self, task, job, array)
  self.tasks[#self.tasks + 1] = { task = task, job = job, array = array, size = -1, events = {},
    token = commands.token(job.name, job.index) }
  if array then array.left = array.left + 1 end
end

--- The array that the next one has to wait for, so that no more tasks run at once than --jobs says.
local function before(self)
  local last = self.arrays[#self.arrays]
  return self.o.jobs and last and last.left > 0 and last.id or nil
end

local function submit(self, tasks)
  local offset, batch = self.table.count, self.o.batch
  local name = ("swale:%s:%d"):format(self.o.collection.id, offset)
  local jobs, message = self.table:append(tasks,
    { threads = batch.threads, memory = batch.memory, tensorboard = batch.tensorboard }, name)
  local id
  if jobs then
    local array = { name = name, left = 0 }
    self.names[#self.names + 1] = name
    id, message = commands.submit { name = name, count = #tasks, offset = offset,
      at_once = self.o.jobs, threads = batch.threads, folder = self.table.folder,
      script = self.script, options = batch.slurm or {}, after = before(self) }
    array.id = id
    for i, task in ipairs(id and tasks or {}) do track(self, task, jobs[i], array) end
    if id then self.arrays[#self.arrays + 1] = array end
  end
  if not id then
    give_back(self, tasks)
    self.problem = message
  end
  self.look_at, self.pause = 0, SOON
end

--- Asks for tasks until there is an array of them, or none now.
local function gather(self, room)
  local tasks = {}
  self.waits = false
  while #tasks < room and not self.stopped do
    local task = self.o.next()
    self.waits = task == "wait"
    if task == "stop" then self.stop_at = true end
    if type(task) ~= "table" then break end
    if task.adopts then track(self, task, task.adopts) else tasks[#tasks + 1] = task end
  end
  return tasks
end

local function fill(self)
  if self.stopped or self.problem or #self.tasks > self.size then return end
  local tasks = gather(self, self.size)
  if self.stop_at or self.stopped then
    give_back(self, tasks)
  elseif #tasks > 0 then
    submit(self, tasks)
  end
end

-- ------------------------------------------------------------------ looking

--- What the state says of the end.
local function result_of(child, stopped, final)
  local result = { code = 0, signal = 9, pid = 0, seconds = 0, timed_out = false,
    stopped = stopped }
  for _, event in ipairs(child.events) do
    result.pid = event.pid or result.pid
    result.lost = event.event == "begin"
    if event.event == "end" then
      result.code, result.signal = event.code, event.signal
      result.timed_out = event.timed_out or false
      result.seconds = result.seconds + event.seconds
    elseif not final then
      result.code, result.signal = 0, 9
    end
  end
  return result
end

--- Reads the state of a job if it has changed.
local function read_state(self, child)
  local stat = uv().fs_stat(child.job.state)
  if not stat or stat.size == child.size then return end
  child.size = stat.size
  child.events = tables.events(child.job.state)
  local first, last = child.events[1], child.events[#child.events]
  if first and not child.begun then
    child.begun = true
    self.o.started(child.task, first.pid)
  end
  child.final = last ~= nil and last.final == true
  self.pause = SOON
end

local function say_stuck(self, entry)
  for _, word in ipairs(STUCK) do
    if entry.state == "PENDING" and entry.cause:find(word, 1, true)
      and not self.said[entry.cause] then
      self.said[entry.cause] = true
      self.o.say(("Slurm does not start job %s: %s"):format(entry.id, entry.cause))
    end
  end
end

--- Notes which jobs are in the queue. Where Slurm does not answer, what it said before counts.
local function read_queue(self)
  local now = clock()
  if now < self.look_at then return end
  self.look_at = now + self.pause
  self.pause = math.min(self.pause * 1.5, LATE)
  local queue, message = commands.queue()
  if not queue and not self.said.silent then
    self.said.silent = true
    self.o.say(message)
  end
  for _, child in ipairs(queue and self.tasks or {}) do
    local entry = queue[child.token]
    child.gone = not entry and (child.gone or now) or nil
    if entry then
      child.id = entry.id
      say_stuck(self, entry)
    end
  end
end

local function finish(self, child)
  if child.array then child.array.left = child.array.left - 1 end
  if not child.begun and self.stopped then return self.o.returned(child.task) end
  local result = result_of(child, self.stopped, child.final)
  if not child.begun then
    result.problem = ("Slurm ended it before it began; what it said is in %s"):format(
      self.table.folder)
  end
  self.o.ended(child.task, result)
end

--- Whether a job has left the queue long enough ago. One that was cancelled before it began leaves
--- no trace to wait for.
local function is_lost(self, child)
  if not child.gone then return false end
  return clock() - child.gone > self.patience or self.stopped and not child.begun
end

local function look(self)
  read_queue(self)
  local tasks, over = self.tasks, {}
  self.tasks = {}
  for _, child in ipairs(tasks) do
    read_state(self, child)
    local list = (child.final or is_lost(self, child)) and over or self.tasks
    list[#list + 1] = child
  end
  for _, child in ipairs(over) do finish(self, child) end
end

-- ------------------------------------------------------------------ the end

--- Cancels all jobs; the second time without giving them time. SIGHUP, as at the end of a session,
--- leaves them: they are waited for when the same command is typed again.
local function stop(self, reason)
  if reason == "sighup" then
    self.stopped, self.left = reason, true
    return
  end
  local ids = {}
  for _, child in ipairs(self.tasks) do
    if not child.array and child.id then ids[#ids + 1] = child.id end
  end
  local again = self.stopped ~= nil
  if not again and self.o.stopping then self.o.stopping(reason, #self.tasks) end
  self.stopped = self.stopped or reason
  commands.cancel(self.names, ids, again)
  self.look_at, self.pause = 0, SOON
end

local function stop_if_asked(self)
  local reason = table.remove(self.signals, 1) or not self.stopped and self.stop_at and "stop"
  if reason then stop(self, reason) end
end

local function work(self)
  fill(self)
  while (#self.tasks > 0 or self.waits and not self.stopped and not self.problem)
    and not self.left do
    uv().run "once"
    stop_if_asked(self)
    look(self)
    if self.o.tick then self.o.tick() end
    fill(self)
  end
end

local function open(o)
  local size, message = commands.array_size()
  if not size then return nil, message end
  local self = setmetatable({ o = o, table = tables.open(o.collection.dir), tasks = {}, names = {},
    arrays = {}, signals = {}, said = {}, size = math.min(size, LARGEST), look_at = 0, pause = SOON,
    patience = tonumber(os.getenv "SWALE_SLURM_WAIT") or PATIENCE }, Slurm)
  self.script = self.table.folder .. "/script.sh"
  local ok
  ok, message = core.write_file(self.script, commands.script(self.table.path))
  if not ok then return nil, message end
  return self
end

local function watch(self)
  local handles = pool.on_signals({ "sigint", "sigterm", "sighup" }, function(name)
    self.signals[#self.signals + 1] = name
  end)
  local timer = uv().new_timer()
  timer:start(TICK, TICK, function() end) -- wakes the loop
  handles[#handles + 1] = timer
  return handles
end

local function close(self, handles)
  for _, handle in ipairs(handles) do handle:close() end
  self.table:close()
  uv().run "nowait"
end

---Does tasks as jobs of Slurm until there are no more, or until Ctrl-C.
---@param o swale.ExecutorOptions
---@return string|nil stopped   what ended it: "sigint", "sigterm", "sighup", "stop"
---@return string? problem      why tasks were given back
function M.run(o)
  local self, message = open(o)
  if not self then return nil, message end
  local handles = watch(self)
  local _ <close> = setmetatable({}, { __close = function() close(self, handles) end })
  work(self)
  if self.left then
    self.problem = "jobs are left in the queue of Slurm; the same command waits for them"
  end
  return self.stopped, self.problem
end

---Returns the jobs of batches that were killed and are still in the queue.
---@return table<string, swale.Job>   by the identity of the work
function M.adoptable()
  local jobs = tables.left()
  if not next(jobs) then return {} end
  local queue = commands.queue() or {}
  for identity, job in pairs(jobs) do
    if not queue[commands.token(job.name, job.index)] then jobs[identity] = nil end
  end
  return jobs
end

---Prints the script of the jobs and how sbatch would be called, for --dry-run.
---@param o swale.BatchOptions
---@param count integer   tasks
function M.show(o, count)
  local folder = "COLLECTION/slurm"
  print(("\n%s/script.sh:\n%s"):format(folder, commands.script "COLLECTION/jobs.jsonl"))
  if count == 0 then return end
  local size = math.min(commands.array_size() or LARGEST, LARGEST)
  print(table.concat(commands.submission { name = "swale:COLLECTION:0",
    count = math.min(count, size), offset = 0, at_once = o.jobs, threads = o.threads,
    folder = folder, script = folder .. "/script.sh", options = o.slurm or {} }, " "))
end

return M
