--- swale batch --executor slurm against a Slurm that the test starts. Skipped where it cannot be
--- started, but where CI is to have it.
local batch = require "batch_harness"
local command = require "command"
local folders = require "swale.folders"
local harness = require "slurm_harness"
local lu = require "luaunit"
local real = require "real_slurm"
local runs = require "swale.run"

local contains, ends, wait = batch.contains, batch.ends, harness.wait

TestSlurmReal = harness.class()

local set_up, tear_down = TestSlurmReal.setUp, TestSlurmReal.tearDown

--- A test that cannot run is skipped, or fails where it has to run.
local function skip(why)
  if os.getenv "CI" == "true" then
    lu.fail("Slurm cannot be started: " .. why)
  end
  lu.skip("Slurm cannot be started: " .. why)
end

--- Tests that wait for timeouts of Slurm: half a minute each.
local LONG = { test_work_of_a_lost_node_goes_on_at_another = true,
  test_time_that_is_over_and_a_parent_that_is_killed = true }

if not os.getenv "SWALE_TEST_LONG" and os.getenv "CI" ~= "true" then
  setmetatable(TestSlurmReal, { __newindex = function(class, name, f)
    if not LONG[name] then rawset(class, name, f) end
  end })
end

function TestSlurmReal:setUp()
  local why = real.lacks()
  if why then skip(why) end
  local slurm, message = real.start()
  if not slurm then skip(message) end
  set_up(self)
  self.real, self.env = slurm, slurm.env
  self.env.SWALE_SLURM_WAIT = "2"
end

function TestSlurmReal:tearDown()
  if not self.real then return end
  self.real:stop()
  self.real = nil
  tear_down(self)
end

--- A training whose record has lines until it waits for the file `go`, in its first process only.
local BODY = [[
    run.checkpoint_seconds = 0
    trainer:on("epoch", function(s)
      local held = not run.info.resumed and s.epoch >= 2
      while held and not io.open "go" do require("luv").sleep(20) end
    end)
    trainer:fit { epochs = 4, run = run }
    run:summary { steps = trainer:state().step }]]

function TestSlurmReal:train() command.write_script(self.dir .. "/a.lua", BODY) end

--- Waits until n runs have written a checkpoint of their first epoch.
function TestSlurmReal:wait_for_checkpoints(n)
  wait("checkpoints", function()
    local count = 0
    for _, dir in ipairs(self:runs()) do
      if #folders.entries(dir .. "/checkpoints") > 0 then count = count + 1 end
    end
    return count >= n
  end)
end

--- The metrics of each run without their times, by seed.
local function metrics(records)
  local texts = {}
  for seed, info in pairs(records) do
    texts[seed] = command.read(info.dir .. "/metrics.jsonl"):gsub('"seconds":[^,}]*', "")
      :gsub('"[%w_]*seconds":[^,}]*', "")
  end
  return texts
end

--- Records of the same work that nothing has disturbed.
function TestSlurmReal:undisturbed(seeds)
  command.write(self.dir .. "/go", "")
  ends(command.swale(self.dir, { "batch", "a.lua", "--force", "--seeds", seeds },
    { SWALE_RUNS = self.dir .. "/others" }), 0, ("ran %s, skipped 0, failed 0"):format(seeds))
  local list = {}
  for _, name in ipairs(folders.entries(self.dir .. "/others")) do
    local dir = self.dir .. "/others/" .. name
    if folders.exists(dir .. "/run.json") then
      local info = runs.read_info(dir)
      info.dir, list[info.seed] = dir, info
    end
  end
  return metrics(list)
end

function TestSlurmReal:test_arrays_codes_and_a_task_that_is_killed()
  self:write("a.lua", [[
    if run.seed == 2 then error "no" end
    if run.seed == 3 and run.info.attempt == 1 then os.execute("kill -9 " .. run.info.pid) end
    run:summary { value = run.seed }]])
  local result = self:slurm("a.lua", "--seeds", "6", "--retry", "1", "--slurm", "partition=main")
  ends(result, 1, "ran 6, skipped 0, failed 1")
  contains(result.err, "failed: a.lua seed 2", "killed: a.lua seed 3", "It is tried again.")
  lu.assert_equals(self:records_that_are "done", 5)
  result = self:slurm("a.lua", "--seeds", "3", "--slurm", "partition=none")
  lu.assert_equals(result.code, 1)
  contains(result.err, "sbatch ended with status 1: sbatch: error: ")
end

function TestSlurmReal:test_ctrl_c_cancels_what_runs_and_what_waits()
  self:train()
  local child = self:begin("a.lua", "--seeds", "3")
  self:wait_for_checkpoints(2)
  child.handle:kill "sigint"
  local result = self:finish(child)
  lu.assert_equals(result.code, 130, result.err)
  contains(result.err, "1 of 3 were not started")
  lu.assert_equals(self:records_that_are "interrupted", 2)
  lu.assert_equals(self.real:run { "squeue", "-h", "-t", "pending,running" }, "")
  command.write(self.dir .. "/go", "")
  ends(self:slurm("a.lua", "--seeds", "3", "--slurm", "exclusive"), 0,
    "ran 3, skipped 0, failed 0")
end

function TestSlurmReal:test_work_of_a_lost_node_goes_on_at_another()
  self:train()
  local child = self:begin("a.lua", "--seeds", "2")
  self:wait_for_checkpoints(2)
  self.real:lose "n2"
  command.write(self.dir .. "/go", "")
  local result = self:finish(child)
  ends(result, 0, "ran 2, skipped 0, failed 0")
  local records, resumed = self:records(), 0
  for _, info in pairs(records) do resumed = resumed + #(info.resumed or {}) end
  lu.assert_equals({ #self:runs(), resumed }, { 2, 1 }, result.err)
  lu.assert_equals(metrics(records), self:undisturbed "2")
end

function TestSlurmReal:test_time_that_is_over_and_a_parent_that_is_killed()
  self:train()
  local child = self:begin("a.lua", "--seeds", "2")
  self:wait_for_checkpoints(2)
  child.handle:kill "sigkill"
  self:finish(child)
  local ids = self.real:run { "squeue", "-h", "-r", "-o", "%A" }
  for id in ids:gmatch "%d+" do
    self.real:run { "scancel", "--batch", "--signal=USR1", id }
  end
  ends(self:slurm("a.lua", "--seeds", "2"), 0, "ran 2, skipped 0, failed 0")
  local records = self:records()
  lu.assert_equals({ #self:runs(), #records[1].resumed, #records[2].resumed }, { 2, 1, 1 })
  lu.assert_equals(metrics(records), self:undisturbed "2")
end
