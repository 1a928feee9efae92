--- swale batch --executor slurm, with scripts in place of Slurm's commands.
local batch = require "batch_harness"
local command = require "command"
local core = require "swale.core"
local fake = require "fake_slurm"
local folders = require "swale.folders"
local lu = require "luaunit"
local harness = require "slurm_harness"
local process = require "swale.process"
local runs = require "swale.run"

local contains, ends, wait = batch.contains, batch.ends, harness.wait

TestSlurm = harness.class()

local set_up, tear_down = TestSlurm.setUp, TestSlurm.tearDown

function TestSlurm:setUp()
  set_up(self)
  self.env = fake.make(self.dir)
end

function TestSlurm:tearDown()
  fake.stop(self.dir)
  tear_down(self)
end

function TestSlurm:text(name) return folders.read(self.dir .. "/fake/" .. name) or "" end

function TestSlurm:mark(name) command.write(self.dir .. "/fake/" .. name, "") end

function TestSlurm:jobs()
  local list = {}
  for line in command.read(self:collections()[1] .. "/jobs.jsonl"):gmatch "[^\n]+" do
    list[#list + 1] = core.json_decode(line)
  end
  return list
end

-- ------------------------------------------------------------------ scripts and chunks

function TestSlurm:test_results_codes_and_the_table_are_those_of_processes()
  self:write("a.lua", "if run.seed == 2 then error 'no' end run:summary { value = p.lr }")
  local result = self:slurm("a.lua", "--seeds", "3", "lr=0.25", "--slurm", "partition=a b'c$(d)",
    "--slurm", "exclusive", "--threads", "2")
  ends(result, 1, "ran 3, skipped 0, failed 1")
  contains(result.err, "failed: a.lua lr=0.25 seed 2, run ", "no")
  contains(result.out, "0.25\n")
  lu.assert_equals(self:records_that_are "done", 2)
  local line = self:text "submitted"
  contains(line, "--array=0-2 ", "--requeue", "--signal=B:USR1@60", "--open-mode=append",
    "--cpus-per-task=2", "--partition=a b'c$(d)", "--exclusive", "script.sh 0")
  local script = command.read(self:collections()[1] .. "/slurm/script.sh")
  lu.assert_not_str_contains(script, "a b")
  contains(script, "job '" .. self:collections()[1] .. "/jobs.jsonl'")
  lu.assert_equals(self:records()[1].collection, self:collections()[1]:match "[^/]+$")
  ends(self:slurm("a.lua", "--seeds", "3", "lr=0.25"), 1, "ran 1, skipped 2, failed 1")
end

function TestSlurm:test_arrays_are_as_large_as_slurm_allows()
  self.env = fake.make(self.dir, 3)
  self:write("a.lua", "run:summary { value = run.seed }")
  self:mark "hold"
  local child = self:begin("a.lua", "--seeds", "7", "--jobs", "2")
  wait("two arrays", function() return self:text "submitted":find "\n.*\n" end)
  os.remove(self.dir .. "/fake/hold")
  ends(self:finish(child), 0, "ran 7, skipped 0, failed 0")
  local sizes = {}
  lu.assert_str_matches(self:text "submitted", "[^\n]*\n[^\n]* %-%-dependency=afterany:1 .*")
  for line in self:text "submitted":gmatch "[^\n]+" do
    sizes[#sizes + 1] = line:match "%-%-array=(%S+)" .. " from " .. line:match "(%d+)$"
  end
  lu.assert_equals(sizes, { "0-2%2 from 0", "0-2%2 from 3", "0-0%2 from 6" })
  local jobs = self:jobs()
  lu.assert_equals({ #jobs, jobs[7].seed, jobs[7].index, jobs[5].index }, { 7, 7, 0, 1 })
end

function TestSlurm:test_dry_run_prints_the_script()
  self:write("a.lua", "")
  local result = self:slurm("a.lua", "--seeds", "2", "--dry-run", "--slurm", "time=1:00")
  lu.assert_equals(result.code, 0, result.err)
  contains(result.out, "would run 2, skip 0", "#SBATCH --requeue", "exec '", "--array=0-1",
    "--time=1:00")
  lu.assert_equals(self:text "submitted", "")
end

function TestSlurm:test_options_that_cannot_be_are_refused()
  self:write("a.lua", "")
  for _, option in ipairs { "array=1", "wrap=ls", "=x", "-x=1", "a b=1" } do
    local result = self:slurm("a.lua", "--slurm", option)
    lu.assert_equals(result.code, 2, option .. result.err)
  end
  local result = command.swale(self.dir, { "batch", "a.lua", "--executor", "local", "--slurm",
    "partition=x" }, self.env)
  lu.assert_equals(result.code, 1)
  contains(result.err, "--slurm is for --executor slurm")
end

function TestSlurm:test_what_sbatch_says_is_told_once()
  self:write("a.lua", "")
  self:mark "refuse"
  local result = self:slurm("a.lua", "--seeds", "20")
  ends(result, 1, "ran 0, skipped 0, failed 0")
  contains(result.err, "sbatch ended with status 1: sbatch: error: invalid partition",
    "20 of 20 were not started", "and 15 more")
  lu.assert_equals(select(2, result.err:gsub("invalid partition", "")), 1)
end

function TestSlurm:test_without_slurm_it_says_so()
  self:write("a.lua", "")
  local path = self.dir .. "/only"
  folders.make_folder(path)
  for _, name in ipairs { "lua5.4", "git", "bash" } do
    require("luv").fs_symlink(process.find(name), path .. "/" .. name)
  end
  self.env.PATH = path
  local result = self:slurm "a.lua"
  ends(result, 1, "ran 0, skipped 0, failed 0")
  contains(result.err, "scontrol: there is no such program here")
end

-- ------------------------------------------------------------------ jobs that are lost

function TestSlurm:test_a_job_that_vanishes_has_not_begun()
  self:write("a.lua", "")
  self:mark "lose/1"
  local result = self:slurm("a.lua", "--seeds", "3")
  ends(result, 1, "ran 3, skipped 0, failed 1")
  contains(result.err, "not started: a.lua seed 2: Slurm ended it before it began")
end

function TestSlurm:test_a_job_that_was_killed_is_tried_again()
  self:write("a.lua", [[
    if run.info.attempt == 1 and run.seed == 2 then
      local parent = io.open("/proc/self/stat"):read("a"):match("%) %a (%d+)")
      os.execute("kill -9 " .. parent)
      require("luv").sleep(60000)
    end]])
  local result = self:slurm("a.lua", "--seeds", "3", "--retry", "1")
  ends(result, 0, "ran 3, skipped 0, failed 0")
  contains(result.err, ": a.lua seed 2", "It is tried again.")
end

function TestSlurm:test_a_silent_controller_ends_nothing()
  self:write("a.lua", "while not io.open(p.go) do require('luv').sleep(20) end", "go = 'go'")
  local child = self:begin("a.lua", "--seeds", "2")
  wait("a job", function() return #self:runs() > 0 end)
  self:mark "silent"
  wait("what squeue said", function()
    return command.read(self.dir .. "/err.txt"):find "Unable to contact"
  end)
  command.write(self.dir .. "/go", "")
  ends(self:finish(child), 0, "ran 2, skipped 0, failed 0")
end

-- ------------------------------------------------------------------ signals

function TestSlurm:test_ctrl_c_cancels_and_the_same_command_goes_on()
  self:write("a.lua", "while not io.open 'go' do require('luv').sleep(20) end")
  local child = self:begin("a.lua", "--seeds", "3")
  wait("a job", function() return #self:runs() > 0 end)
  child.handle:kill "sigint"
  local result = self:finish(child)
  lu.assert_equals(result.code, 130, result.err)
  contains(result.err, "2 of 3 were not started")
  contains(self:text "cancelled", "--name=swale:")
  lu.assert_equals(self:records_that_are "interrupted", 1)
  command.write(self.dir .. "/go", "")
  ends(self:slurm("a.lua", "--seeds", "3"), 0, "ran 3, skipped 0, failed 0")
end

function TestSlurm:test_jobs_of_a_batch_that_was_killed_are_waited_for()
  self:write("a.lua", "while not io.open 'go' do require('luv').sleep(20) end")
  local child = self:begin("a.lua", "--seeds", "3")
  wait("a job", function() return #self:runs() > 0 end)
  child.handle:kill "sigkill"
  self:finish(child)
  local second = self:begin("a.lua", "--seeds", "4")
  wait("the other job", function()
    return select(2, self:text "submitted":gsub("\n", "")) == 2
  end)
  command.write(self.dir .. "/go", "")
  local result = self:finish(second)
  ends(result, 0, "ran 4, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 4)
  lu.assert_str_matches(self:text "submitted", ".*%-%-array=0%-2 .*%-%-array=0%-0 .*")
end

function TestSlurm:test_a_job_whose_time_is_over_goes_on()
  self:write("a.lua", [[
    if not run.info.resumed then
      run:checkpoint("first", { w = require("swale").tensor { 1 } })
      run:record { kind = "mine", step = 5 }
      while true do require("luv").sleep(20) end
    end
    run:summary { again = #run.info.resumed }]])
  local child = self:begin "a.lua"
  wait("a step", function()
    local dir = self:runs()[1]
    return dir and (folders.read(dir .. "/metrics.jsonl") or ""):find "mine"
  end)
  process.run({ "bash", "-c", "kill -USR1 $(cat fake/pid/1_0)" }, { cwd = self.dir })
  ends(self:finish(child), 0, "ran 1, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 1)
  lu.assert_equals(self:records()[1].summary, { again = 1 })
end

function TestSlurm:test_a_job_whose_time_is_too_short_is_out_of_time()
  self:write("a.lua", "while true do require('luv').sleep(20) end")
  local child = self:begin "a.lua"
  wait("a run", function() return #self:runs() > 0 end)
  process.run({ "bash", "-c", "kill -USR1 $(cat fake/pid/1_0)" }, { cwd = self.dir })
  local result = self:finish(child)
  ends(result, 1, "ran 1, skipped 0, failed 1")
  contains(result.err, "its job was out of time")
  lu.assert_equals(runs.read_info(self:runs()[1]).status, "timeout")
end

function TestSlurm:test_the_limit_of_time_is_kept()
  self:write("a.lua", "while true do require('luv').sleep(20) end")
  local result = self:slurm("a.lua", "--timeout", "1s")
  ends(result, 1, "ran 1, skipped 0, failed 1")
  contains(result.err, "timeout: a.lua seed 1", "ended after its time, 1 s")
end
