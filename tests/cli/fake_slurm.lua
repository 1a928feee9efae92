--- Shell scripts in place of Slurm's commands, in a folder that tests put into PATH. The queue is a
--- folder of files; a process runs the tasks of an array one after the other.
local command = require "command"
local folders = require "swale.folders"

local M = {}

local FAKE = {}

--- Each task has a file queue/ID_INDEX with its line of squeue, and pid/ID_INDEX while it runs.
FAKE.sbatch = [[
printf '%s\n' "$*" >>"$FAKE/submitted"
[ ! -e "$FAKE/refuse" ] || { echo "sbatch: error: invalid partition" >&2; exit 1; }
for word; do
  case $word in
    --array=*) range=${word#--array=0-}; last=${range%%\%*} ;;
    --job-name=*) name=${word#*=} ;;
    --chdir=*) cd "${word#*=}" ;;
    --*) ;;
    *) [ -n "${script:-}" ] && offset=$word || script=$word ;;
  esac
done
id=$(($(ls "$FAKE/ids" | wc -l) + 1)); : >"$FAKE/ids/$id"
for k in $(seq 0 "$last"); do echo "PENDING|Resources|$name" >"$FAKE/queue/${id}_$k"; done
setsid "$FAKE/bin/array" "$id" "$last" "$name" "$script" "$offset" </dev/null >/dev/null 2>&1 &
echo "$id;cluster"
]]

FAKE.array = [[
id=$1 last=$2 name=$3 script=$4 offset=$5
for k in $(seq 0 "$last"); do
  task=${id}_$k
  while [ -e "$FAKE/hold" ]; do sleep 0.05; done
  [ -e "$FAKE/queue/$task" ] || continue
  [ ! -e "$FAKE/lose/$k" ] || { rm "$FAKE/queue/$task" "$FAKE/lose/$k"; continue; }
  again=yes
  while [ -n "$again" ]; do
    again=
    echo "RUNNING|None|$name" >"$FAKE/queue/$task"
    SLURM_ARRAY_TASK_ID=$k SLURM_ARRAY_JOB_ID=$id sh "$script" "$offset" >>"$FAKE/output" 2>&1 &
    echo $! >"$FAKE/pid/$task"
    wait $!
    rm "$FAKE/pid/$task"
    [ ! -e "$FAKE/again/$task" ] || { again=yes; rm "$FAKE/again/$task"; }
  done
  rm -f "$FAKE/queue/$task"
done
]]

FAKE.squeue = [[
[ ! -e "$FAKE/silent" ] || { echo "squeue: error: Unable to contact slurm controller" >&2; exit 1; }
for file in "$FAKE"/queue/*; do
  [ ! -e "$file" ] || echo "${file##*/}|$(cat "$file")"
done
]]

FAKE.scancel = [[
printf '%s\n' "$*" >>"$FAKE/cancelled"
for file in "$FAKE"/queue/*; do
  [ -e "$file" ] || continue
  pid=$FAKE/pid/${file##*/}
  case "$*" in *KILL*) signal=KILL ;; *) signal=TERM ;; esac
  if [ -e "$pid" ]; then kill -$signal "$(cat "$pid")"; else rm -f "$file"; fi
done
]]

FAKE.scontrol = [[
case $1 in
  show) echo "MaxArraySize            = $(cat "$FAKE/size")" ;;
  requeue) [ ! -e "$FAKE/refuse_requeue" ] && : >"$FAKE/again/$2" ;;
esac
]]

---Makes the commands. Returns the environment that has them.
---@param dir string
---@param size? integer   of arrays
---@return table<string, string> env
function M.make(dir, size)
  for _, name in ipairs { "bin", "ids", "queue", "pid", "lose", "again" } do
    assert(folders.make_folder(("%s/fake/%s"):format(dir, name)))
  end
  command.write(dir .. "/fake/size", tostring(size or 1001))
  for name, text in pairs(FAKE) do
    local path = ("%s/fake/bin/%s"):format(dir, name)
    command.write(path, "#!/bin/sh\nset -u\n" .. text)
    require("luv").fs_chmod(path, 493)
  end
  return { FAKE = dir .. "/fake", PATH = ("%s/fake/bin:%s"):format(dir, os.getenv "PATH"),
    SWALE_SLURM_WAIT = "0.5" }
end

---Ends what the tasks of a test have left: it waits for the arrays to be over.
---@param dir string
function M.stop(dir)
  command.shell(dir, "rm -f fake/hold; touch fake/lose/x; for i in $(seq 100); do "
    .. "[ -n \"$(ls fake/queue fake/pid 2>/dev/null | grep _)\" ] || break; "
    .. "for p in fake/pid/*; do [ ! -e $p ] || kill $(cat $p); done; rm -f fake/queue/*; "
    .. "sleep 0.1; done", {})
end

return M
