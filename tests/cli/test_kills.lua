--- Ends runs at random moments, see kills.lua: some, and with --long many.
local command = require "command"
local kills = require "kills"
local lu = require "luaunit"
local runs = require "swale.run"

TestKills = {}

local COUNT = os.getenv "SWALE_TEST_LONG" and 400 or 12

function TestKills:test_nothing_recorded_is_lost()
  lu.assert_true(kills.many { count = COUNT, seed = 11 } > 0)
end

TestInterrupts = command.in_a_folder()

-- Ctrl-C as a line of steps has just been written: the end of the fit does not write it again.
function TestInterrupts:test_a_line_of_steps_is_written_once()
  command.write_script(self.dir .. "/small.lua", [[
local record, luv = run.record, require "luv"
rawset(run, "record", function(self, line)
  record(self, line)
  if line.kind == "step" and line.step == 20 then luv.kill(luv.os_getpid(), "sigint") end
end)
trainer:fit { epochs = p.epochs, run = run }
]])
  local result = command.swale(self.dir, { "run", "small.lua" })
  lu.assert_equals(result.code, 130, result.err)
  local steps = {}
  for _, line in ipairs(runs.read_metrics(command.only_run(self.dir))) do
    if line.kind == "step" then steps[#steps + 1] = line.step end
  end
  for i, step in ipairs(steps) do lu.assert_true(i == 1 or step > steps[i - 1], steps) end
  lu.assert_equals(steps[#steps], 20)
end
