--- The record of a run whose process is ended, whose files are deleted, whose streams are closed or
--- whose disk is full: no record is lost, and the status is true.
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"
local standing = require "swale.run.status"

local ENDLESS = "trainer:fit { epochs = 1e6, run = run }"
local LONG = os.getenv "SWALE_TEST_LONG" == "1"

TestRecords = command.in_a_folder()

function TestRecords:setUp()
  self.dir = command.folder()
  self.script = self.dir .. "/small.lua"
end

--- `line` of bash, with $@ for `swale run small.lua`; wait_for FILES waits until one has a line.
function TestRecords:bash(line, args)
  return command.shell(self.dir, [[
    wait_for() {
      for i in $(seq 400); do
        for f in $1; do [ ! -s "$f" ] || return 0; done
        sleep 0.05
      done
      return 1
    }
    ]] .. line, args or { "run", "small.lua" })
end

--- Checks that run.json, metrics and checkpoints can be read, and that the last checkpoint's step
--- has a line. Returns run.json and the lines.
function TestRecords:readable(dir)
  dir = dir or command.only_run(self.dir)
  local info, records, last = runs.read_info(dir), runs.read_metrics(dir), 0
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    if not name:find "%.tmp%.%d+$" then
      local _, metadata = assert(core.safetensors_read(dir .. "/checkpoints/" .. name))
      last = math.max(last, math.tointeger(tonumber(metadata.step)))
    end
  end
  local line = 0
  for _, record in ipairs(records) do line = math.max(line, record.step or 0) end
  lu.assert_true(line >= last, ("line %d, checkpoint %d"):format(line, last))
  return info, records, last, line
end

-- ------------------------------------------------------------------ signals

function TestRecords:test_signals_that_ask_for_the_end()
  for signal, code in pairs { TERM = 143, HUP = 129 } do
    command.write_script(self.script, ENDLESS)
    local result = self:bash(([[
      "$@" 2>err & pid=$!
      wait_for 'runs/*/metrics.jsonl'
      kill -%s $pid
      wait $pid]]):format(signal))
    lu.assert_equals(result.code, code, result.err)
    lu.assert_str_contains(command.read(self.dir .. "/err"), "swale: interrupted by SIG" .. signal)
    local info, _, checkpoint, line = self:readable()
    lu.assert_equals(info.status, "interrupted")
    lu.assert_equals(checkpoint, line)
    command.remove(self.dir .. "/runs")
  end
end

--- timeout(1) sends its signal to the process and to its group.
function TestRecords:test_the_same_signal_twice_at_once()
  command.write_script(self.script, ENDLESS)
  local result = self:bash [[
    "$@" 2>err & pid=$!
    wait_for 'runs/*/metrics.jsonl'
    kill -TERM $pid; kill -TERM $pid; kill -HUP $pid
    wait $pid]]
  -- of signals that are pending together the kernel delivers the lowest number first
  lu.assert_true(result.code == 143 or result.code == 129, result.code)
  lu.assert_equals(self:readable().status, "interrupted")
end

function TestRecords:test_a_signal_that_is_ignored_stays_so()
  command.write_script(self.script, "trainer:fit { epochs = 300, run = run }")
  for _, args in ipairs { { "run", "small.lua" }, { "batch", "small.lua", "--seeds", "2" } } do
    local result = self:bash([[
      trap '' HUP TERM
      "$@" >out 2>&1 & pid=$!
      wait_for 'runs/*small*/metrics.jsonl'
      kill -HUP $pid; sleep 0.3; kill -TERM $pid; kill -HUP $pid
      wait $pid]], args)
    lu.assert_equals(result.code, 0, command.read(self.dir .. "/out"))
    for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
      if name:find "small" then -- a batch has a record of its own
        lu.assert_equals(self:readable(self.dir .. "/runs/" .. name).status, "done")
      end
    end
    command.remove(self.dir .. "/runs")
  end
end

function TestRecords:test_a_batch_that_is_hung_up_ends_its_children()
  command.write_script(self.script, ENDLESS)
  local result = self:bash([[
    "$@" >out 2>&1 & pid=$!
    wait_for 'runs/*small*/metrics.jsonl'
    kill -HUP $pid
    wait $pid]], { "batch", "small.lua", "--jobs", "1" })
  lu.assert_equals(result.code, 129, command.read(self.dir .. "/out"))
  lu.assert_equals(self:readable(self:runs_of_children()[1]).status, "interrupted")
end

function TestRecords:runs_of_children()
  local list = {}
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    if name:find "small" then list[#list + 1] = self.dir .. "/runs/" .. name end
  end
  return list
end

--- At any moment there is either no run yet, or one that says "interrupted".
function TestRecords:test_a_signal_at_any_moment()
  command.write_script(self.script, ENDLESS)
  for i = 1, LONG and 100 or 10 do
    local result = self:bash(([[
      "$@" 2>err & pid=$!
      sleep %.3f
      kill -TERM $pid
      wait $pid]]):format((i * 0.0617) % 0.25))
    lu.assert_equals(result.code, 143, command.read(self.dir .. "/err"))
    for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
      lu.assert_equals(self:readable(self.dir .. "/runs/" .. name).status, "interrupted")
    end
    command.remove(self.dir .. "/runs")
  end
end

--- More signals come while the last checkpoint and the end are being written.
function TestRecords:test_signals_without_end()
  command.write_script(self.script, ENDLESS)
  local result = self:bash [[
    "$@" 2>err & pid=$!
    wait_for 'runs/*/metrics.jsonl'
    kill -TERM $pid; sleep 0.26
    for i in 1 2 3 4 5 6 7 8 9; do kill -HUP $pid 2>/dev/null; sleep 0.26; done
    wait $pid]]
  lu.assert_true(result.code == 143 or result.code == 129, result.code)
  local status = self:readable().status
  lu.assert_true(status == "interrupted" or status == "killed", status)
end

-- ------------------------------------------------------------------ kills

--- A zombie, as in a container without init, counts as ended.
local function lives(pid)
  local state = (folders.read(("/proc/%d/stat"):format(pid)) or ""):match "%) (%a) "
  return state ~= nil and state ~= "Z" and state ~= "X"
end

function TestRecords:test_children_die_with_their_batch()
  command.write_script(self.script, ENDLESS)
  local result = self:bash([[
    "$@" >out 2>&1 & pid=$!
    for i in $(seq 400); do
      set -- runs/*small*/metrics.jsonl
      [ ! -s "$1" ] || [ ! -s "${2:-}" ] || break
      sleep 0.05
    done
    kill -KILL $pid
    wait $pid 2>/dev/null
    for i in $(seq 200); do
      [ "$(grep -l '"interrupted"' runs/*/run.json | wc -l)" != 2 ] || exit 0
      sleep 0.05
    done
    exit 1]], { "batch", "small.lua", "--seeds", "2", "--jobs", "2" })
  lu.assert_equals(result.code, 0, command.read(self.dir .. "/out"))
  for _, dir in ipairs(self:runs_of_children()) do
    lu.assert_equals(self:readable(dir).status, "interrupted")
    local pid = math.tointeger(runs.read_info(dir).pid)
    for _ = 1, 100 do
      if not lives(pid) then break end
      command.sleep(0.05)
    end
    lu.assert_false(lives(pid))
  end
end

function TestRecords:test_killed_at_any_moment()
  command.write_script(self.script, ENDLESS)
  for i = 1, LONG and 100 or 8 do
    local result = self:bash(([[
      "$@" 2>err & pid=$!
      wait_for 'runs/*/run.json'
      sleep %.3f
      kill -KILL $pid
      wait $pid]]):format((i * 0.0617) % 0.4))
    lu.assert_equals(result.code, 137, result.err)
    lu.assert_equals(self:readable().status, "killed")
    command.remove(self.dir .. "/runs")
  end
end

--- The reader reports it and removes the killed writer's temporary files.
function TestRecords:test_a_script_that_leaves_its_folder()
  local away = self.dir .. "/away"
  folders.make_folder(away)
  command.write_script(self.script, [[
    require("luv").chdir "away"
    if p.epochs > 1 then trainer:fit { epochs = 1, run = run } end]])
  for epochs, ends in pairs { [1] = { "done", 0 }, [2] = { "failed", 1 } } do
    local result = command.swale(self.dir, { "run", "small.lua", "epochs=" .. epochs },
      { SWALE_RUNS = "runs" })
    local run = command.only_run(self.dir)
    lu.assert_equals({ runs.read_info(run).status, result.code }, ends, result.err)
    lu.assert_equals(folders.entries(away), {})
    command.remove(run)
  end
  local result = command.swale(self.dir, { "run", "small.lua", "epochs=2" })
  lu.assert_equals(result.code, 0, result.err)
end

function TestRecords:test_a_plot_of_a_killed_run()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  command.write_script(self.script, ENDLESS)
  self:bash [[
    "$@" 2>err & pid=$!
    wait_for 'runs/*/metrics.jsonl'
    kill -KILL $pid
    wait $pid]]
  local dir = command.only_run(self.dir)
  folders.make_folder(dir .. "/checkpoints")
  command.write(dir .. "/checkpoints/step-00000099.safetensors.tmp.99999", "a part")
  local result = command.swale(self.dir, { "plot", dir })
  lu.assert_equals({ result.code, result.err },
    { 0, ("swale: %s: its status is killed\n"):format(dir) })
  lu.assert_str_contains(command.read(dir .. "/plots/training.svg"), ", seed 1, killed</text>")
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    lu.assert_str_matches(name, ".*%.safetensors")
  end
end

-- ------------------------------------------------------------------ who is alive

local function info_of(changes)
  local info = standing.writer()
  info.status = "running"
  for key, value in pairs(changes or {}) do info[key] = value or nil end
  return info
end

function TestRecords:test_a_lock_decides()
  local lock = standing.hold(self.dir)
  lu.assert_equals(standing.of(self.dir, info_of { pid = 99999999 }), "running")
  lu.assert_nil(standing.hold(self.dir)) -- no other process writes there
  lock:release()
  lu.assert_equals(standing.of(self.dir, info_of()), "killed")
  standing.release(self.dir, nil)
  lu.assert_equals(folders.entries(self.dir), {})
  lu.assert_equals(standing.of(self.dir, { status = "done", pid = 1 }), "done")
end

function TestRecords:test_without_a_lock_the_process_is_looked_for()
  local function status(changes) return standing.of(self.dir, info_of(changes)) end
  lu.assert_equals(status(), "running")
  lu.assert_equals(status { pid = 99999999 }, "killed")
  lu.assert_equals(status { process_start = 1 }, "killed") -- another process has that number now
  lu.assert_equals(status { boot_id = "00000000-0000-0000-0000-000000000000" }, "killed")
  lu.assert_equals(status { process_start = false, boot_id = false }, "running")
end

function TestRecords:test_of_another_machine_nothing_is_known()
  lu.assert_equals(standing.of(self.dir, info_of { host = "elsewhere" }), "running on elsewhere")
  standing.hold(self.dir):release()
  lu.assert_equals(standing.of(self.dir, info_of { host = "elsewhere" }), "running on elsewhere")
  lu.assert_equals(standing.of(self.dir, info_of { host = false, machine = { host = "there" } }),
    "running on there")
end

function TestRecords:test_the_record_names_its_writer()
  command.write_script(self.script)
  lu.assert_equals(command.swale(self.dir, { "run", "small.lua" }).code, 0)
  local info = self:readable()
  local me = standing.writer()
  lu.assert_equals({ info.host, info.boot_id }, { me.host, me.boot_id })
  lu.assert_equals(math.type(info.pid), "integer")
  lu.assert_true(info.process_start >= me.process_start) -- it began after this one
end

-- ------------------------------------------------------------------ temporary files

function TestRecords:test_the_next_writer_clears_what_a_killed_one_left()
  local path, dead = self.dir .. "/a.json", self.dir .. "/a.json.tmp.99999999"
  local others = { "a.json.tmp.99999999x", "a.json.tmp.0", "b.json.tmp.99999999", "a.json.tmp." }
  command.write(dead, "a part")
  for _, name in ipairs(others) do command.write(self.dir .. "/" .. name, "not ours") end
  assert(core.write_file(path, "whole"))
  table.sort(others)
  table.insert(others, 1, "a.json")
  lu.assert_equals(folders.entries(self.dir), others)
end

--- The lock shows that the writer lives, whatever its pid is in this namespace.
function TestRecords:test_a_living_writers_file_is_left_alone()
  local path = self.dir .. "/a.json.tmp.99999999"
  local lock = core.hold(path)
  assert(core.write_file(self.dir .. "/a.json", "whole"))
  lu.assert_true(folders.exists(path))
  lock:release()
  assert(core.write_file(self.dir .. "/a.json", "whole"))
  lu.assert_equals(folders.entries(self.dir), { "a.json" })
end

-- ------------------------------------------------------------------ files taken away

local TAKEN = {
  ["it was deleted"] = "os.remove(%s)",
  ["it was replaced"] = "os.rename(%s, %s .. '.old'); io.open(%s, 'w'):close()",
  ["it was cut short"] = "io.open(%s, 'w'):close()",
}

function TestRecords:test_records_that_are_taken_away()
  for what, how in pairs(TAKEN) do
    for _, name in ipairs { "metrics.jsonl", "log.txt" } do
      for _, after in ipairs { "", "trainer:fit { epochs = 1, run = run }", "os.exit(0)" } do
        command.write_script(self.script, "trainer:fit { epochs = 2, run = run }\n"
          .. how:gsub("%%s", ("run.dir .. '/%s'"):format(name)) .. "\n" .. after)
        local result = command.swale(self.dir, { "run", "small.lua" })
        lu.assert_equals(result.code, 1, result.err)
        lu.assert_str_contains(result.err, ("%s: %s"):format(name, what))
        local info = runs.read_info(command.only_run(self.dir))
        lu.assert_equals(info.status, "failed")
        lu.assert_str_contains(info.error, what)
        command.remove(self.dir .. "/runs")
      end
    end
  end
end

--- A run notices long before its end that its files were deleted.
function TestRecords:test_an_endless_run_whose_records_are_deleted_ends()
  command.write_script(self.script, ENDLESS)
  local result = self:bash [[
    "$@" 2>err & pid=$!
    wait_for 'runs/*/metrics.jsonl'
    rm runs/*/metrics.jsonl
    wait $pid]]
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(command.read(self.dir .. "/err"), "metrics.jsonl: it was deleted")
end

-- ------------------------------------------------------------------ closed streams

function TestRecords:test_closed_streams()
  command.write_script(self.script, [[
    print "to a closed pipe"
    io.stderr:write "likewise\n"
    trainer:fit { epochs = 1, run = run }]])
  command.write(self.dir .. "/plain.lua", 'print(require("swale").zeros { 2 })')
  for _, closed in ipairs { "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-",
    "<&- >&- 2>&-" } do
    for _, args in ipairs { { "run", "small.lua" }, { "batch", "small.lua" },
        { "lua", "plain.lua" }, { "data", "list" }, { "--help" } } do
      lu.assert_equals(self:bash('"$@" ' .. closed, args).code, 0, closed .. " " .. args[1])
    end
    for _, dir in ipairs(self:runs_of_children()) do
      lu.assert_equals(self:readable(dir).status, "done")
      lu.assert_equals((command.read(dir .. "/log.txt"):gsub("\n.*", "")), "to a closed pipe")
    end
    command.remove(self.dir .. "/runs")
  end
end

-- ------------------------------------------------------------------ a full disk

--- Runs end as "failed: disk full", with every line whole. On a small file system in a namespace
--- where any user may mount one.
function TestRecords:test_a_full_file_system()
  if not process.find "unshare" or process.run { "unshare", "-rm", "true" }.code ~= 0 then
    lu.skip "no namespace can be made here"
  end
  command.write_script(self.script, ENDLESS)
  for _, size in ipairs { 40, 64, 100, 400 } do -- KB
    local result = self:bash(([[
      mkdir -p small kept
      unshare -rm bash -c 'mount -t tmpfs -o size=%dk tmpfs small || exit 99
        SWALE_RUNS=small/runs "$@" 2>err; code=$?
        cp -r small/runs kept
        exit $code' bash "$@"]]):format(size))
    if result.code == 99 then lu.skip "no file system can be mounted here" end
    lu.assert_equals(result.code, 1, result.err)
    lu.assert_str_contains(command.read(self.dir .. "/err"), "disk")
    for _, name in ipairs(folders.entries(self.dir .. "/kept/runs")) do
      lu.assert_equals(self:readable(self.dir .. "/kept/runs/" .. name).status, "failed: disk full")
    end
    command.remove(self.dir .. "/kept")
  end
end
