--- Ends runs at random moments, by a signal or a full disk. All that was recorded before must be
--- there and readable, and nothing else may be left.
---
---     ./swale lua tests/cli/kills.lua 200 [seed]
package.path = (os.getenv "SWALE_HOME" or ".") .. "/tests/lua/?.lua;" .. package.path
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local process = require "swale.process"
local runs = require "swale.run"

local M = {}

local HANGS = 60 -- seconds after a signal

--- Writes a record each step, and each epoch a checkpoint and run.json.
local BODY = [[
    local trainer = sw.Trainer {
      model = sw.nn.Linear(data.features, data.classes), data = data, lr = p.lr,
      batch_size = 200, record = { steps = 1 },
    }
    trainer:on("epoch", function(s)
      run:checkpoint("own-" .. s.step, { weights = trainer:weights() }, { step = s.step })
      run:summary { step = s.step }
    end)
    local pid = math.tointeger(require "luv".os_getpid())
    io.open(("%s/pid-%d"):format(os.getenv "SWALE_KILL_PIDS" or ".", pid), "w"):close()
    trainer:fit { epochs = 1e6, run = run }]]

---@param path string
function M.write_script(path) command.write_script(path, BODY) end

-- ------------------------------------------------------------------ what is left

local NUMBERS = { sigint = 2, sighup = 1, sigkill = 9, sigterm = 15 }

local function files_below(folder, list)
  for _, name in ipairs(folders.entries(folder)) do
    local path = folder .. "/" .. name
    if folders.is_folder(path) then files_below(path, list) else list[#list + 1] = path end
  end
  return list
end

local function check_checkpoints(dir)
  local steps = {}
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    if not name:find "%.tmp%." then
      local tensors, metadata = core.safetensors_read(dir .. "/checkpoints/" .. name)
      assert(tensors and tensors.weights, ("%s: %s"):format(name, metadata))
      steps[#steps + 1] = math.tointeger(tonumber(metadata.step))
    end
  end
  return steps
end

--- Checks that there is one record for each step from the first on. Returns the last step.
local function check_metrics(dir)
  local step = 0
  if not folders.exists(dir .. "/metrics.jsonl") then return step end
  for _, record in ipairs(runs.read_metrics(dir)) do
    if record.kind == "step" then
      assert(record.step == step + 1, ("step %s after step %d"):format(record.step, step))
      step = record.step
    end
  end
  return step
end

--- Checks that no temporary file is left after another process has read the run.
local function check_litter(dir)
  command.swale(".", { "plot", dir })
  for _, path in ipairs(files_below(dir, {})) do assert(not path:find "%.tmp%.", path) end
end

--- How a run ended, read by another process; its steps. nil: it had not begun.
---@param dir string
---@param wanted table<string, boolean>   statuses
---@return string|nil status, integer? steps
function M.check_run(dir, wanted)
  local steps = check_metrics(dir)
  local saved = check_checkpoints(dir)
  if not folders.exists(dir .. "/run.json") then
    assert(steps == 0 and #saved == 0, "there are records without run.json")
    return nil
  end
  local info = runs.read_info(dir)
  assert(wanted[info.status], ("%s: the status is %s"):format(dir, info.status))
  for _, step in ipairs(saved) do assert(step <= steps, "a checkpoint of a step without record") end
  assert(not info.summary or info.summary.step <= steps, "a summary of a step without record")
  if info.status == "interrupted" and steps > 0 then
    assert(info.last_step == steps, ("last_step %s, %d records"):format(info.last_step, steps))
    assert(math.max(table.unpack(saved)) == steps, "no checkpoint of the last step")
  end
  check_litter(dir)
  return info.status, steps
end

-- ------------------------------------------------------------------ signals

local function environment(dir)
  return process.environment { SWALE_RUNS = dir .. "/runs", CI = "true", SWALE_KILL_PIDS = dir }
end

--- Calls ready() until it returns true, at most for some seconds.
local function wait_for(seconds, ready)
  local uv = require "luv"
  local start = uv.hrtime()
  while not ready() and (uv.hrtime() - start) / 1e9 < seconds do
    uv.run "nowait"
    uv.sleep(5)
  end
  return ready()
end

local function has_records(dir)
  for _, name in ipairs(folders.entries(dir .. "/runs")) do
    if (folders.read(dir .. "/runs/" .. name .. "/metrics.jsonl") or "") ~= "" then return true end
  end
  return false
end

--- Starts a command in a folder, sends it a signal some seconds after it has begun, or after there
--- are records. Returns code and signal as libuv gives them.
local function killed(dir, args, signal, seconds, after_records)
  local uv, argv, code, by = require "luv", process.swale(), nil, nil
  table.move(args, 1, #args, #argv + 1, argv)
  local err = assert(uv.fs_open(dir .. "/err", "w", 420))
  local handle = assert(uv.spawn(argv[1], { args = table.move(argv, 2, #argv, 1, {}), cwd = dir,
    env = environment(dir), stdio = { nil, nil, err } }, function(c, s) code, by = c, s end))
  uv.fs_close(err)
  local function over() return code ~= nil end
  if after_records then
    wait_for(HANGS, function() return over() or has_records(dir) end)
  end
  wait_for(seconds, over)
  if not over() then handle:kill(signal) end
  if not wait_for(HANGS, over) then
    handle:kill "sigkill"
    wait_for(HANGS, over)
    error(("%s does not end it"):format(signal))
  end
  handle:close()
  uv.run "nowait"
  return code, by
end

--- A signal that comes before Swale has a handler for it ends the process, or Lua, which has one
--- for Ctrl-C.
local function check_end(dir, signal, code, by)
  local number, err = NUMBERS[signal], folders.read(dir .. "/err") or ""
  if signal == "sigint" and err:find "^%S+: interrupted!\n" then return end
  local ended = by == number or signal ~= "sigkill" and code == 128 + number
  assert(ended, ("%s: status %d, signal %d: %s"):format(signal, code, by, err))
  assert(not err:find("stack traceback", 1, true), err)
end

local function only_runs(dir, wanted)
  local steps = 0
  for _, name in ipairs(folders.entries(dir .. "/runs")) do
    local _, n = M.check_run(dir .. "/runs/" .. name, wanted)
    steps = steps + (n or 0)
  end
  return steps
end

---Ends one run.
---@param dir string      a folder of its own
---@param random swale.Random
---@return integer steps   that it had made
function M.run(dir, random)
  local signals = { "sigkill", "sigkill", "sigterm", "sigint", "sighup" }
  local signal = signals[random:integer(#signals)]
  local after_records = random:integer(4) > 1
  local seconds = random:uniform() * (after_records and 0.3 or 0.5)
  M.write_script(dir .. "/small.lua")
  local code, by = killed(dir, { "run", "small.lua" }, signal, seconds, after_records)
  check_end(dir, signal, code, by)
  local status = by == NUMBERS[signal] and "killed" or "interrupted"
  return only_runs(dir, { [status] = true })
end

---Ends a batch; its children must end with it.
---@param dir string
---@param random swale.Random
function M.batch(dir, random)
  local uv = require "luv"
  local signals = { "sigkill", "sigkill", "sigterm", "sighup" }
  local signal = signals[random:integer(#signals)]
  M.write_script(dir .. "/small.lua")
  local code, by = killed(dir, { "batch", "small.lua", "--seeds", "3", "--jobs", "2" }, signal,
    random:uniform() * 0.5, true)
  check_end(dir, signal, code, by)
  for _, name in ipairs(folders.entries(dir)) do
    local pid = math.tointeger(tonumber(name:match "^pid%-(%d+)$"))
    local gone = not pid or wait_for(HANGS, function() return not uv.kill(pid, 0) end)
    if not gone then
      uv.kill(pid, "sigkill")
      error(("%s of a batch: process %d trains on"):format(signal, pid))
    end
  end
  return only_runs(dir, { killed = true, interrupted = true })
end

-- ------------------------------------------------------------------ a full disk

--- A file system of so many KiB, if the process may mount one; else a limit on the size of files.
local SMALL_DISK = [[
mount -t tmpfs -o size=%dk none runs && "$@"; code=$?; cp -r runs/. kept; exit $code]]

local function has_mounts()
  local result = process.run { "unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt" }
  return result ~= nil and result.code == 0
end

---Fills the disk.
---@param dir string
---@param random swale.Random
---@return integer steps
function M.full_disk(dir, random)
  M.write_script(dir .. "/small.lua")
  local size, words = 40 + random:integer(200), process.swale()
  table.move({ "run", "small.lua" }, 1, 2, #words + 1, words)
  for _, name in ipairs { "runs", "kept" } do assert(folders.make_folder(dir .. "/" .. name)) end
  local argv = has_mounts() and { "unshare", "-rm", "bash", "-c", SMALL_DISK:format(size), "bash" }
    or { "bash", "-c", ('ulimit -f %d; "$@"; code=$?; cp -r runs/. kept; exit $code'):format(size),
      "bash" }
  local result = assert(process.run(table.move(words, 1, #words, #argv + 1, argv),
    { cwd = dir, env = { SWALE_RUNS = dir .. "/runs", CI = "true" }, timeout = HANGS }))
  assert(result.code == 1 and result.err:lower():find "full", ("status %d: %s"):format(result.code,
    result.err))
  assert(not result.err:find("stack traceback", 1, true), result.err)
  local name = folders.entries(dir .. "/kept")[1]
  if not name then return 0 end
  local _, steps = M.check_run(dir .. "/kept/" .. name, { ["failed: disk full"] = true })
  return steps or 0
end

-- ------------------------------------------------------------------ many of them

---Ends runs and batches and fills disks in turn; raises at the first that leaves a fault.
---@param o { count: integer, seed: integer, say?: fun(line: string) }
---@return integer steps   that all of them had made
function M.many(o)
  local kinds, steps = { "run", "run", "run", "full_disk", "run", "batch" }, 0
  for number = 1, o.count do
    local random, kind = core.random(o.seed, "kills", number), kinds[number % #kinds + 1]
    local dir = command.folder()
    local ok, result = xpcall(M[kind], debug.traceback, dir, random)
    if not ok then error(("seed %d, %s %d in %s: %s"):format(o.seed, kind, number, dir, result),
      0) end
    steps = steps + (result or 0)
    command.remove(dir)
    if o.say then o.say(("%d: %s, %d steps"):format(number, kind, result or 0)) end
  end
  return steps
end

local function main(count, seed)
  M.many { count = math.tointeger(tonumber(count)) or 50, seed = math.tointeger(tonumber(seed))
    or 1,
    say = print }
end

if arg and arg[0] and arg[0]:match "kills%.lua$" then main(...) end

return M
