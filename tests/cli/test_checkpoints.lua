--- Checkpoints of a run that goes on: by time, by SIGUSR1.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

TestCheckpoints = command.in_a_folder()

function TestCheckpoints:steps()
  return #folders.entries(command.only_run(self.dir) .. "/checkpoints")
end

--- The first mark of the record, after 10 steps, has one; the hook stops the fit before the next.
function TestCheckpoints:test_by_time()
  command.write_script(self.dir .. "/small.lua", "trainer:fit { steps = 15, run = run }")
  for seconds, count in pairs { ["0"] = 3, ["600"] = 2 } do -- with fit-0001
    local result = command.swale(self.dir, { "run", "small.lua", "--checkpoint", seconds })
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_equals(self:steps(), count, seconds)
    command.remove(self.dir .. "/runs")
  end
  local result = command.swale(self.dir, { "run", "small.lua", "--checkpoint", "soon" })
  lu.assert_equals(result.code, 2)
  lu.assert_str_contains(result.err, "'soon' is not a number of seconds")
end

function TestCheckpoints:test_sigusr1_writes_one_and_the_run_goes_on()
  command.write_script(self.dir .. "/small.lua", [[
    local luv, sent = require "luv", 0
    trainer:on("step", function(s)
      if s.step == 12 then luv.kill(luv.os_getpid(), "sigusr1") end
    end)
    trainer:fit { steps = 35, run = run }]])
  local result = command.swale(self.dir, { "run", "small.lua" })
  lu.assert_equals(result.code, 0, result.err)
  local dir = command.only_run(self.dir)
  lu.assert_equals(folders.entries(dir .. "/checkpoints"), { "fit-0001.safetensors",
    "step-00000020.safetensors", "step-00000035.safetensors" })
  lu.assert_equals(runs.read_info(dir).status, "done")
end
