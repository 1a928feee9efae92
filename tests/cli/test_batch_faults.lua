--- swale batch where runs, the disk or the batch itself fail.
local batch = require "batch_harness"
local collections = require "swale.batch.collection"
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local histories = require "swale.batch.history"
local lu = require "luaunit"
local outcome = require "swale.batch.outcome"
local pool = require "swale.batch.pool"
local process = require "swale.process"

local contains, ends = batch.contains, batch.ends

TestBatchFaults = batch.class()

-- ------------------------------------------------------------------ how runs fail

function TestBatchFaults:test_a_run_out_of_time()
  self:write("a.lua", "if run.seed == 1 then while true do end end")
  local result = self:batch("a.lua", "--seeds", "2", "--timeout", "1s")
  ends(result, 1, "ran 2, skipped 0, failed 1")
  contains(result.err, "timeout: a.lua seed 1, run ", ": ended after its time, 1 s")
  local info = self:records()[1]
  lu.assert_equals({ info.status, info.error }, { "timeout", "ended after its time, 1 s" })
  lu.assert_false(folders.exists(info.dir .. "/.lock"))
end

--- The sanitizers reserve terabytes.
local function skip_if_sanitized()
  local preset = os.getenv "SWALE_PRESET"
  lu.skipIf(preset == "asan" or preset == "tsan", "a sanitizer reserves more than the limit")
end

function TestBatchFaults:test_a_run_that_reaches_its_limit_of_memory()
  skip_if_sanitized()
  self:write("a.lua", "local t = {}\nfor i = 1, 1e4 do t[i] = ('x'):rep(1e5) .. i end")
  local result = self:batch("a.lua", "--memory", "300M")
  ends(result, 1, "ran 1, skipped 0, failed 1")
  contains(result.err, "failed: a.lua seed 1, run ",
    "it reached the limit of memory, --memory 300M", "not enough memory")
end

--- Tensors are refused, too, and a run below the limit is not.
function TestBatchFaults:test_the_limit_of_memory_is_about_tensors_too()
  skip_if_sanitized()
  self:write("a.lua", "sw.zeros { math.tointeger(run.seed * 5e7) }")
  local result = self:batch("a.lua", "--seeds", "1,4", "--memory", "500M")
  ends(result, 1, "ran 2, skipped 0, failed 1")
  contains(result.err, "failed: a.lua seed 4, run ", "it reached the limit of memory")
end

function TestBatchFaults:test_exit_statuses_are_told_apart()
  self:write("a.lua", [[
    if run.seed == 1 then os.exit(3) end
    if run.seed == 2 then os.exit(7) end
    if run.seed == 3 then require("luv").kill(require("luv").os_getpid(), "sigabrt") end]])
  local result = self:batch("a.lua", "--seeds", "3", "--jobs", "1")
  ends(result, 1, "ran 3, skipped 0, failed 3")
  contains(result.err, "failed: a.lua seed 1, run ", "failed: a.lua seed 2, run ",
    "killed: a.lua seed 3, run ", "ended by SIGABRT")
  local records = self:records()
  lu.assert_equals({ records[1].error, records[2].error, records[3].status },
    { "os.exit(3)", "os.exit(7)", "killed" })
end

--- 100 MB go to a file; the parent reads its ends.
--- Before the batch has looked at the end of a run that was killed, another process may go on with
--- it: then the record is that one's.
function TestBatchFaults:test_a_killed_run_that_another_process_goes_on_with()
  local run, other, log = self.dir .. "/run", self.dir .. "/other", self.dir .. "/log"
  folders.make_folder(run)
  folders.make_folder(other)
  command.write(other .. "/run.json", '{ "status": "running", "pid": 8 }')
  local function of()
    command.write(run .. "/run.json", '{ "status": "running", "pid": 7 }')
    command.write(log, ("run: %s\nrun: %s\n"):format(other, run)) -- the script may print it, too
    local work = { script = "a.lua", overrides = {}, seed = 1 }
    local found = outcome.of({ output = log, work = work, attempt = 1 },
      { code = 0, signal = 9, pid = 7, seconds = 1, timed_out = false }, {})
    lu.assert_equals(found.status, "killed")
    lu.assert_equals(found.run, run)
    return core.json_decode(command.read(run .. "/run.json")).status
  end
  local lock = assert(core.hold(run .. "/.lock"))
  lu.assert_equals(of(), "running")
  lu.assert_true(core.is_held(run .. "/.lock"))
  lock:release()
  lu.assert_equals(of(), "killed")
  lu.assert_false(folders.exists(run .. "/.lock"))
end

--- Calls f with self.dir as the folder of runs.
function TestBatchFaults:as_root(f)
  local getenv = os.getenv
  rawset(os, "getenv", function(name) return name == "SWALE_RUNS" and self.dir or getenv(name) end)
  local ok, fault = pcall(f)
  rawset(os, "getenv", getenv)
  if not ok then error(fault, 0) end
end

--- Another batch ends the work between the look at what is done and the claim.
function TestBatchFaults:test_work_that_is_done_before_it_is_claimed()
  self:as_root(function()
    local history, hold = histories.new {}, core.hold
    rawset(core, "hold", function(path)
      if not folders.exists(path) then
        folders.make_folder(self.dir .. "/by_another")
        command.write(self.dir .. "/by_another/run.json", '{ "status": "done", "key": "abc" }')
        command.write(path, "by_another")
      end
      return hold(path)
    end)
    local ok, verdict, why = pcall(history.judge, history, {}, "abc")
    rawset(core, "hold", hold)
    lu.assert_equals({ ok, verdict, why }, { true, "skip", "done by by_another" })
    lu.assert_false(core.is_held(self.dir .. "/.claims/abc") == true)
  end)
end

--- The batch that was doing the work was killed: its run is gone on with.
function TestBatchFaults:test_work_of_a_batch_that_was_killed()
  self:as_root(function()
    local history, claims = histories.new {}, self.dir .. "/.claims"
    folders.make_folder(claims)
    local lock = assert(core.hold(claims .. "/abc"))
    lu.assert_equals(history:judge({}, "abc"), "later")
    folders.make_folder(self.dir .. "/begun/checkpoints/x")
    command.write(self.dir .. "/begun/run.json", '{\n  "key": "abc",\n  "status": "running" }')
    lock:release()
    local verdict, why = history:judge({}, "abc")
    lu.assert_equals({ verdict, why }, { "run", "goes on with begun" })
    history:close "own"
  end)
end

--- Another batch has begun after the last look at which ones run.
function TestBatchFaults:test_claims_that_another_process_holds_stay()
  local history, claims = nil, self.dir .. "/.claims"
  self:as_root(function() history = histories.new {} end)
  folders.make_folder(claims)
  command.write(claims .. "/free", "")
  local lock = assert(core.hold(claims .. "/held"))
  history:close "own"
  lu.assert_equals(folders.entries(claims), { "held" })
  lock:release()
  history:close "own"
  lu.assert_false(folders.exists(claims))
end

function TestBatchFaults:test_a_flood_of_output_and_binary_output()
  self:write("a.lua", [[
    if run.seed == 1 then
      local text = ("x"):rep(1e6) .. "\n"
      for _ = 1, 100 do io.write(text) end
      io.write "the end\n"
    else
      for i = 0, 255 do io.write(string.char(i), "\0\27[2J") end
    end
    error "no"]])
  local result = self:batch("a.lua", "--seeds", "2")
  ends(result, 1, "ran 2, skipped 0, failed 2")
  contains(result.err, "  | the end\n", "a.lua:")
  lu.assert_true(#result.err < 20000)
  lu.assert_nil(result.err:find "\27")
  local log = self:records()[1].dir .. "/output.txt"
  lu.assert_true(folders.size(log) > 1e8)
end

--- A script that does not load has no run; its output is in the record of the batch.
function TestBatchFaults:test_a_folder_of_forty_scripts_with_one_that_does_not_load()
  for i = 1, 39 do self:write(("many/e%02d.lua"):format(i), "-- " .. i) end
  command.write(self.dir .. "/many/e40.lua", "-- experiment\nlocal x = = 3")
  local result = self:batch("many", "--jobs", "4")
  ends(result, 1, "ran 40, skipped 0, failed 1")
  contains(result.err, "failed: many/e40.lua seed 1\n", "e40.lua:2: unexpected symbol near '='")
  local log = result.err:match "  log: ([^\n]+)"
  lu.assert_str_contains(log, "/output/0040_e40_seed1.txt")
  lu.assert_true(folders.exists(log))
end

function TestBatchFaults:test_what_was_killed_is_tried_again()
  self:write("a.lua", [[
    local again = io.open "again"
    io.open("again", "w"):close()
    if not again then require("luv").kill(require("luv").os_getpid(), "sigkill") end]])
  local result = self:batch("a.lua", "--retry", "1")
  ends(result, 0, "ran 1, skipped 0, failed 0")
  contains(result.err, "killed: a.lua seed 1, run ", "It is tried again.")
  lu.assert_equals(self:records_that_are "done", 1)
  local last
  for event in collections.events(self:collections()[1]) do last = event end
  lu.assert_equals({ last.attempt, last.status }, { 2, "done" })
end

function TestBatchFaults:test_errors_are_not_tried_again()
  self:write("a.lua", "error 'no'")
  ends(self:batch("a.lua", "--retry", "3"), 1, "ran 1, skipped 0, failed 1")
  lu.assert_equals(#self:runs(), 1)
end

function TestBatchFaults:test_fail_fast_starts_no_more()
  self:write("a.lua", "if run.seed == 2 then error 'no' end")
  local result = self:batch("a.lua", "--seeds", "5", "--jobs", "1", "--fail-fast")
  ends(result, 1, "ran 2, skipped 0, failed 1")
  contains(result.err, "ended at the first failure; 3 of 5 were not started: a.lua seed 3,"
    .. " a.lua seed 4, a.lua seed 5")
end

function TestBatchFaults:test_only_what_failed_is_run_again()
  self:write("a.lua", "if run.seed ~= 2 then error 'no' end")
  command.write(self.dir .. "/b.lua", "local experiment = = 3")
  ends(self:batch("a.lua", "b.lua", "--seeds", "2..3"), 1, "ran 4, skipped 0, failed 3")
  self:write("a.lua", "-- mended")
  self:write("b.lua", "")
  local result = self:batch("a.lua", "b.lua", "--seeds", "2..4", "--failed")
  ends(result, 0, "ran 3, skipped 3, failed 0")
  contains(result.err, "swale: skipped: a.lua seed 2: it was done the last time")
  ends(self:batch("a.lua", "--seeds", "2..4", "--failed"), 0, "ran 0, skipped 3, failed 0")
end

function TestBatchFaults:test_damaged_lines_of_its_record_are_left_out()
  self:write("a.lua", 'error "no"')
  ends(self:batch("a.lua"), 1, "ran 1, skipped 0, failed 1")
  local record = self:collections()[1]
  local path = record .. "/members.jsonl"
  local text, id = command.read(path), record:match "[^/]+$"
  local line = text:match "[^\n]*\n$"
  for from, to in pairs { ['"work":%d+'] = '"work":[]', ['"seed":%d+'] = '"seed":1.5',
    ['"overrides":[%[{].-[%]}]'] = '"overrides":[{}]', ['"seconds":[%d.e+-]+'] = '"seconds":"x"',
    ['"script":"[^"]*"'] = '"script":null', ["^.*$"] = "[]\n5\n\0\n{" } do
    local damaged, n = line:gsub(from, to)
    lu.assert_equals(n, 1, from)
    command.write(path, text .. damaged)
    local result = self:batch("a.lua", "--failed", "--dry-run")
    ends(result, 0, "would run 1, skip 0")
    result = command.swale(self.dir, { "show", id })
    lu.assert_equals({ result.code, result.err }, { 0, "" })
  end
end

-- ------------------------------------------------------------------ the disk

--- On a file system of its own, which is full after some runs.
function TestBatchFaults:test_a_full_disk()
  local probe = process.run { "unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt" }
  if not probe or probe.code ~= 0 then lu.skip "no file system can be mounted here" end
  self:write("a.lua", [[
    if run.seed == 2 then
      local file = io.open(run.dir .. "/large", "w")
      while file and file:write(("x"):rep(65536)) and file:flush() do end
    end]])
  folders.make_folder(self.dir .. "/runs")
  local result = command.shell(self.dir, [[unshare -rm bash -c '
    mount -t tmpfs -o size=400k none runs && "$@"; code=$?; cp -r runs/. kept
    exit $code' bash "$@"]], { "batch", "a.lua", "--seeds", "200", "--jobs", "1" })
  lu.assert_equals(result.code, 1, result.err)
  contains(result.err, "the disk is full", "The same command does what is missing.")
  local record
  for _, name in ipairs(folders.entries(self.dir .. "/kept")) do
    if name:find "_batch_" then record = self.dir .. "/kept/" .. name end
  end
  contains(command.read(record .. "/collection.json"), '"status": "failed"')
  local seen = {}
  for event in collections.events(record) do seen[event.work] = event.status end
  lu.assert_equals(seen[1], "done")
end

-- ------------------------------------------------------------------ the pool

--- The result of one job.
local function result_of(job)
  local result, given
  pool.run { jobs = 1, patience = 0.2,
    next = function()
      if given then return nil end
      given = true
      return job
    end,
    ended = function(_, found) result = found end }
  return result
end

--- What ignores SIGTERM gets SIGKILL. On a busy machine it may not ignore it yet.
function TestBatchFaults:test_a_child_that_ignores_sigterm()
  local result
  for _, timeout in ipairs { 0.5, 2, 8 } do
    result = result_of { argv = { "env", "--ignore-signal=TERM", "sleep", "60" },
      timeout = timeout, output = self.dir .. "/output" }
    lu.assert_true(result.timed_out)
    if result.signal == 9 then return end
  end
  lu.assert_equals(result.signal, 9)
end

function TestBatchFaults:test_a_program_that_does_not_exist()
  contains(result_of({ argv = { "/no/such/program" }, output = self.dir .. "/output" }).problem,
    "no such file")
end

--- Where no process can be started while others run, the job is started when one has ended.
function TestBatchFaults:test_a_limit_of_processes()
  local uv, left, codes = require "luv", 3, {}
  local spawn, running = uv.spawn, 0
  rawset(uv, "spawn", function(path, o, f)
    if path ~= "sleep" then return spawn(path, o, f) end
    if running > 0 then return nil, "EAGAIN: resource temporarily unavailable", "EAGAIN" end
    running = running + 1
    return spawn(path, o, f)
  end)
  local ok, fault = pcall(pool.run, { jobs = 3, next = function()
    left = left - 1
    return left >= 0 and { argv = { "sleep", "0.02" }, output = self.dir .. "/output" } or nil
  end, ended = function(_, result)
    running, codes[#codes + 1] = running - 1, result.problem or result.code
  end })
  rawset(uv, "spawn", spawn)
  lu.assert_true(ok, fault)
  lu.assert_equals(codes, { 0, 0, 0 })
end

-- ------------------------------------------------------------------ a thousand

--- Processor time of the children that have ended, in seconds: clock ticks are 1/100 s on Linux.
local function children_seconds()
  local text = folders.read "/proc/self/stat" or ""
  local fields = {}
  for word in (text:match ".*%)(.*)" or ""):gmatch "%S+" do fields[#fields + 1] = word end
  return (fields[14] + fields[15]) / 100
end

--- The most memory that a batch of n runs takes, in kB, and the processor time of a run.
function TestBatchFaults:cost_of(n)
  local before, peak, ended = children_seconds(), 0, nil
  local argv, uv = process.swale(), require "luv"
  local words = { argv[2], "batch", "a.lua", "--seeds", tostring(n), "--jobs", "2", "--force" }
  local handle, pid
  handle, pid = uv.spawn(argv[1], { args = words, cwd = self.dir,
    env = process.environment { SWALE_RUNS = self.dir .. "/runs" } }, function(code)
    ended = code
    handle:close()
  end)
  while not ended do
    local text = folders.read(("/proc/%d/status"):format(pid)) or ""
    peak = math.max(peak, tonumber(text:match "VmHWM:%s*(%d+)") or 0)
    uv.run "nowait"
    uv.sleep(5)
  end
  lu.assert_equals(ended, 0)
  return peak, (children_seconds() - before) / n
end

--- Two cores have 40 ms of processor time for a run that may take 20 ms. The parent keeps nothing
--- of a run that has ended; the tables at the end are a few hundred bytes a row.
function TestBatchFaults:test_a_thousand_runs()
  lu.skipIf(not os.getenv "SWALE_TEST_LONG" or os.getenv "SWALE_PRESET" == "asan", "with --long")
  self:write("a.lua", "")
  local few = self:cost_of(100)
  local many, seconds = self:cost_of(1000)
  print(("1000 runs: %.1f ms of processor time each, %d kB at most; 100 runs: %d kB"):format(
    1000 * seconds, many, few))
  lu.assert_true(seconds < 0.04, seconds)
  lu.assert_true(many < few + 4000, many - few)
end
