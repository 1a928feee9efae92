--- A Slurm of a test's own: its daemons, on free ports, with all state in a folder of the test's.
--- Works as root, where the packages are. It has two nodes, which are daemons on this machine.
local command = require "command"
local folders = require "swale.folders"
local process = require "swale.process"

local M = {}

local PROGRAMS = { "slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "scontrol",
  "sinfo" }

local SBIN = "/usr/sbin:/sbin:"

local CONFIG = [[
ClusterName=test
SlurmctldHost=%s(127.0.0.1)
SlurmctldPort=%d
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%s/munge/sock,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MaxArraySize=4
SlurmctldPidFile=%s/slurmctld.pid
SlurmdPidFile=%s/slurmd-%%n.pid
StateSaveLocation=%s/state
SlurmdSpoolDir=%s/spool/%%n
SlurmctldLogFile=%s/log/slurmctld.log
SlurmdLogFile=%s/log/slurmd-%%n.log
SlurmdParameters=config_overrides
SlurmdTimeout=4
BatchStartTimeout=5
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=2
MinJobAge=300
KillWait=3
NodeName=n1 NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=1 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
]]

--- Waits for the end of its input, which comes when the test ends, however it does; then ends jobs
--- and daemons, and removes the folder D.
local GUARD = [[
trap '' INT TERM HUP
cat >/dev/null
cd "$D" || exit 0
timeout 5 scancel --user=root; sleep 0.2
files="slurmd-n1.pid slurmd-n2.pid slurmctld.pid munge/pid"
for file in $files; do [ -s "$file" ] && kill "$(cat "$file")"; done
for i in $(seq 100); do
  left=
  for file in $files; do [ -s "$file" ] && kill -0 "$(cat "$file")" && left="$left $file"; done
  [ -n "$left" ] || break
  [ "$i" -lt 50 ] || for file in $left; do kill -9 "$(cat "$file")"; done
  sleep 0.1
done
cd / && rm -rf "$D"
]]

--- Kills the daemon $1 and, by their environment, all processes of the jobs of its node, with the
--- process of Slurm that has started them.
local LOSS = [[
kill -9 "$1"
for folder in /proc/[0-9]*; do
  tr '\0' '\n' <"$folder/environ" | grep -qx "SLURMD_NODENAME=$2" || continue
  tr '\0' '\n' <"$folder/environ" | grep -qx "SLURM_CONF=$3" || continue
  jobs="${jobs:-} ${folder#/proc/}"
  parent=$(awk '/^PPid/ { print $2 }' "$folder/status")
  [ "$(cat "/proc/$parent/comm")" != slurmstepd ] || jobs="$parent $jobs"
done 2>/dev/null
for pid in ${jobs:-}; do kill -9 "$pid"; done 2>/dev/null
true]]

local function find(program)
  for folder in (SBIN .. os.getenv "PATH"):gmatch "[^:]+" do
    local path = folder .. "/" .. program
    if require("luv").fs_access(path, "X") then return path end
  end
  return nil
end

---Why there can be no Slurm here; nil: there can.
---@return string|nil
function M.lacks()
  if require("luv").getuid() ~= 0 then return "its daemons need root" end
  for _, program in ipairs(PROGRAMS) do
    if not find(program) then return ("there is no %s"):format(program) end
  end
  return nil
end

--- A port that nobody uses at this moment.
local function free_port()
  local uv = require "luv"
  local socket = uv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  uv.run "nowait"
  return math.tointeger(port)
end

local function run(argv, env)
  argv[1] = find(argv[1])
  local result, message = process.run(argv, { env = env, timeout = 60 })
  if not result then return nil, message end
  if result.code ~= 0 then return nil, ("%s: %s"):format(argv[1], result.err) end
  return result.out
end

local function write_files(dir)
  for _, name in ipairs { "munge", "state", "spool/n1", "spool/n2", "log" } do
    assert(folders.make_folder(dir .. "/" .. name))
  end
  local uv = require "luv"
  uv.fs_chmod(dir, 493)
  uv.fs_chmod(dir .. "/munge", 493)
  command.write(dir .. "/munge/key", (assert(uv.random(1024))))
  uv.fs_chmod(dir .. "/munge/key", 384)
  local host = uv.os_gethostname():match "^[^.]+"
  command.write(dir .. "/slurm.conf", CONFIG:format(host, free_port(), dir, dir, dir, dir, dir, dir,
    dir, host, free_port(), host, free_port()))
end

---@class swale.TestSlurm
---@field dir string
---@field env table<string, string>
local Slurm = {}
Slurm.__index = Slurm

function Slurm:node(name)
  return run({ "slurmd", "-N", name, "-f", self.dir .. "/slurm.conf" }, self.env)
end

local function wait_until_idle(self)
  for _ = 1, 150 do
    local out = run({ "sinfo", "-h", "-N", "-o", "%T" }, self.env)
    if out and select(2, out:gsub("idle\n", "")) == 2 then return true end
    command.sleep(0.2)
  end
  return nil, "its nodes were not idle in 30 seconds"
end

local function begin(self)
  local dir = self.dir
  local ok, message = run({ "munged", "--key-file=" .. dir .. "/munge/key",
    "--socket=" .. dir .. "/munge/sock", "--pid-file=" .. dir .. "/munge/pid",
    "--log-file=" .. dir .. "/munge/log", "--seed-file=" .. dir .. "/munge/seed" }, self.env)
  if ok then ok, message = run({ "slurmctld", "-f", dir .. "/slurm.conf" }, self.env) end
  for _, node in ipairs { "n1", "n2" } do
    if ok then ok, message = self:node(node) end
  end
  if ok then ok, message = wait_until_idle(self) end
  return ok, message
end

local function guard(self)
  local uv = require "luv"
  local ends = assert(uv.pipe())
  self.input = ends.write
  local env = { D = self.dir, SLURM_CONF = self.env.SLURM_CONF, PATH = self.env.PATH }
  self.guard = assert(uv.spawn("bash", { args = { "-c", GUARD }, env = process.environment(env),
    detached = true, stdio = { ends.read, nil, nil } }, function() self.guard:close() end))
  uv.fs_close(ends.read)
end

---Starts the daemons.
---@return swale.TestSlurm|nil slurm, string? message
function M.start()
  -- munged refuses a folder that is below one of 0700, as that of the tests
  local dir = assert(folders.temporary_folder "/tmp")
  write_files(dir)
  local self = setmetatable({ dir = dir, env = { SLURM_CONF = dir .. "/slurm.conf",
    PATH = SBIN .. os.getenv "PATH" } }, Slurm)
  guard(self)
  local ok, message = begin(self)
  if ok then return self end
  self:stop()
  return nil, message
end

function Slurm:run(argv) return run(argv, self.env) end

---The processes of a node's jobs and its daemon end, as if it had lost its power.
---@param node string
function Slurm:lose(node)
  local text = command.read(("%s/slurmd-%s.pid"):format(self.dir, node))
  local daemon = text:match "%d+"
  process.run { "bash", "-c", LOSS, "bash", daemon, node, self.env.SLURM_CONF }
end

---Ends the daemons and removes their folder.
function Slurm:stop()
  local uv = require "luv"
  uv.fs_close(self.input)
  while not self.guard:is_closing() do uv.run "once" end
  uv.run "nowait"
end

return M
