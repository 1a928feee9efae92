--- Runs that fail: one clear message, the right exit status, no record lost.
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"

TestFaults = command.in_a_folder()

function TestFaults:setUp()
  self.dir = command.folder()
  self.script = self.dir .. "/small.lua"
end

function TestFaults:run_script(...) return command.swale(self.dir, { "run", "small.lua", ... }) end

local function fails(result, code, ...)
  for _, part in ipairs { ... } do lu.assert_str_contains(result.err, part) end
  lu.assert_equals(result.code, code, result.err)
  lu.assert_not_str_contains(result.err, "stack traceback")
end

--- Checks the record of the only run: its end; its metrics parse, its checkpoints load. A file that
--- was being written when a run was killed still has its temporary name.
function TestFaults:kept(status)
  local dir = command.only_run(self.dir)
  local info, records = runs.read_info(dir), runs.read_metrics(dir)
  lu.assert_equals(info.status, status)
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    local unfinished = status == "killed" and name:find "%.safetensors%.tmp%.%d+$"
    if not unfinished then
      lu.assert_not_nil(core.safetensors_read(dir .. "/checkpoints/" .. name))
    end
  end
  return info, records, dir
end

function TestFaults:no_run() lu.assert_equals(folders.entries(self.dir .. "/runs"), {}) end

-- ------------------------------------------------------------------ the script

function TestFaults:test_a_wrong_parameter()
  command.write_script(self.script)
  fails(self:run_script "learning_rate=0.2", 2, 'swale: small.lua has no parameter "learning_rate";'
    .. ' did you mean "lr"? It declares: batch, epochs, loud, lr, sort.')
  fails(self:run_script "lr=abc", 2, "parameter lr takes a number, not abc")
  self:no_run()
end

function TestFaults:test_a_syntax_error()
  command.write(self.script, "local x = = 3\n")
  fails(self:run_script(), 1, "swale: small.lua:1: unexpected symbol near '='")
  self:no_run()
end

function TestFaults:test_no_experiment()
  command.write(self.script, "return 3\n")
  fails(self:run_script(), 1, "small.lua does not return an experiment", "return sw.experiment {")
  self:no_run()
end

function TestFaults:test_no_script()
  fails(self:run_script(), 1, "small.lua: No such file or directory")
  folders.make_folder(self.script)
  fails(self:run_script(), 1, "small.lua")
end

function TestFaults:test_a_script_that_raises_before_it_returns()
  command.write(self.script, "\nerror 'too early'\n")
  fails(self:run_script(), 1, "swale: small.lua:2: too early")
  self:no_run()
end

function TestFaults:test_an_unknown_option()
  command.write_script(self.script, "sw.average.SWA { stat = 1 }")
  fails(self:run_script(), 1,
    'small.lua:11: average.SWA: unknown option "stat"; did you mean "start"?')
  self:kept "failed"
end

function TestFaults:test_a_callback_that_raises()
  command.write_script(self.script, [[trainer.lr = function(s)
      if s.step == 50 then error "enough" end
      return 0.1
    end
    trainer:fit { epochs = 2, run = run }]])
  fails(self:run_script(), 1, "small.lua:12: enough", 'The run is kept as "failed": ',
    "metrics up to")
  local _, records, dir = self:kept "failed"
  lu.assert_true(#records >= 4)
  lu.assert_str_contains(command.read(dir .. "/log.txt"), "stack traceback")
  local result = self:run_script "--traceback"
  lu.assert_str_contains(result.err, "stack traceback")
end

--- The process ends at once, with a record that says so.
function TestFaults:test_os_exit_in_a_rule()
  command.write_script(self.script, [[trainer.lr = function(s)
      if s.step == 50 then os.exit(7) end
      return 0.1
    end
    trainer:fit { epochs = 2, run = run }]])
  lu.assert_equals(self:run_script().code, 7)
  local info, records = self:kept "failed"
  lu.assert_equals(info.error, "os.exit(7)")
  lu.assert_true(#records >= 4)
end

function TestFaults:test_a_batch_of_nothing()
  command.write_script(self.script)
  fails(self:run_script "batch=0", 1, "batch_size")
  fails(self:run_script "batch=-3", 1, "batch_size")
end

function TestFaults:test_a_loss_that_is_nan()
  command.write_script(self.script, [[
    trainer.lr = sw.rule(0.05, function(s) return s.step < 60 and 0.05 or 1e38 end)
    trainer:fit { epochs = p.epochs, run = run }]])
  local result = self:run_script()
  fails(result, 3, "the loss is", "last finite", "gradient norm",
    'The run is kept as "diverged": ', "metrics up to step", "weights of step ")
  lu.assert_str_matches(result.err, ".*\nstep %d+: the loss is .*")
  local info, records = self:kept "diverged"
  lu.assert_str_contains(info.error, "the loss is")
  lu.assert_true(#records > 4)
end

-- ------------------------------------------------------------------ places

function TestFaults:test_an_unwritable_place()
  command.write_script(self.script)
  command.write(self.dir .. "/runs", "a file")
  fails(self:run_script(), 1, "the run's directory cannot be made in",
    "SWALE_RUNS names another place")
  fails(command.swale(self.dir, { "run", "small.lua" }, { SWALE_RUNS = "/proc/runs" }), 1,
    "the run's directory cannot be made in /proc/runs")
end

--- 20 blocks of 1 KiB: room for run.json and the first lines of metrics.
function TestFaults:test_a_file_that_may_not_grow()
  command.write_script(self.script, [[
    run:note("before", true)
    for i = 1, 10000 do run:record { kind = "step", step = i, loss = 0.5 } end]])
  local result = command.shell(self.dir, 'ulimit -f 20; "$@"', { "run", "small.lua" })
  fails(result, 1, "metrics.jsonl: the disk is full", 'kept as "failed: disk full"')
  local info, records = self:kept "failed: disk full"
  lu.assert_str_contains(info.error, "the disk is full")
  lu.assert_equals(records[#records].step, #records)
  lu.assert_true(#records > 300)
end

function TestFaults:test_a_checkpoint_that_does_not_fit()
  command.write_script(self.script, [[
    run:checkpoint("one", { weights = sw.zeros(100) }, { step = 1 })
    run:checkpoint("two", { weights = sw.zeros(100000) }, { step = 2 })]])
  local result = command.shell(self.dir, 'ulimit -f 20; "$@"', { "run", "small.lua" })
  fails(result, 1, "two.safetensors", "disk is full", "weights of step 1")
  local _, _, dir = self:kept "failed: disk full"
  lu.assert_equals(folders.entries(dir .. "/checkpoints"), { "one.safetensors" })
end

--- Nothing can be written any more, not even run.json.
function TestFaults:test_not_even_run_json()
  command.write_script(self.script, [[
    io.open(run.dir .. "/here", "w"):close()
    for i = 1, 1e7 do run:record { kind = "step", step = i } end]])
  local result = command.shell(self.dir, 'ulimit -f 1; "$@"', { "run", "small.lua" })
  lu.assert_equals(result.code, 1, result.err)
  lu.assert_str_contains(result.err:lower(), "full")
end

function TestFaults:test_output_to_a_full_device()
  if not folders.exists "/dev/full" then lu.skip "there is no /dev/full" end
  command.write_script(self.script, 'run.metrics = require("swale.run.lines").open "/dev/full"\n'
    .. 'run:record { kind = "step", step = 1 }')
  fails(self:run_script(), 1, "the disk is full")
  self:kept "failed: disk full"
end

function TestFaults:test_printing_to_a_full_device()
  if not folders.exists "/dev/full" then lu.skip "there is no /dev/full" end
  command.write_script(self.script, 'print "much"')
  local result = command.shell(self.dir, '"$@" >/dev/full', { "run", "small.lua" })
  fails(result, 1, "standard output: the disk is full", 'kept as "failed: disk full"')
  self:kept "failed: disk full"
end

function TestFaults:test_a_reader_that_goes_away_harms_nothing()
  command.write_script(self.script, "for i = 1, 1e4 do print(i) end")
  local result = command.shell(self.dir, '"$@" | head -n 1; exit ${PIPESTATUS[0]}',
    { "run", "small.lua" })
  lu.assert_equals({ result.code, result.out }, { 0, "1\n" })
  self:kept "done"
end

-- ------------------------------------------------------------------ Ctrl-C

local ENDLESS = "trainer:fit { epochs = 1e6, run = run }"

--- Runs in the background and is sent a signal once there are metrics. Returns the exit status.
function TestFaults:signalled(signal)
  return command.shell(self.dir, ([[
    "$@" 2>err & pid=$!
    for i in $(seq 100); do
      sleep 0.1
      [ ! -s "$(echo runs/*/metrics.jsonl)" ] || break
    done
    kill -%s $pid
    wait $pid]]):format(signal), { "run", "small.lua" })
end

--- bash lets background jobs ignore SIGINT unless it has job control.
function TestFaults:interrupted(body)
  command.write_script(self.script, body)
  local result = process.run({ "bash", "-mc", [[
    lua5.4 "$SWALE_HOME/scripts/bin/swale.lua" run small.lua 2>err & pid=$!
    for i in $(seq 200); do
      sleep 0.05
      [ ! -s "$(echo runs/*/metrics.jsonl)" ] || break
    done
    kill -INT $pid
    wait $pid]] },
    { cwd = self.dir, env = { SWALE_RUNS = self.dir .. "/runs" }, timeout = 60 })
  return result.code, command.read(self.dir .. "/err")
end

function TestFaults:test_ctrl_c_in_a_native_loop()
  local code, err = self:interrupted(ENDLESS)
  lu.assert_equals(code, 130, err)
  lu.assert_str_contains(err, "swale: interrupted at step")
  lu.assert_str_contains(err, 'The run is kept as "interrupted": ')
  local info = self:kept "interrupted"
  lu.assert_not_nil(info.ended)
end

function TestFaults:test_ctrl_c_in_lua()
  local code, err = self:interrupted 'run:record { kind = "step", step = 1 }\nwhile true do end'
  lu.assert_equals(code, 130, err)
  self:kept "interrupted"
end

function TestFaults:test_ctrl_c_cannot_be_caught_by_a_loop_of_pcalls()
  local code, err = self:interrupted [[
    run:record { kind = "step", step = 1 }
    while not require("swale.core").interrupted() do pcall(function() while true do end end) end]]
  lu.assert_equals(code, 130, err)
  self:kept "interrupted"
end

function TestFaults:test_ctrl_c_in_a_row_of_trainings_under_pcall()
  local code, err = self:interrupted [[
    for _ = 1, 1e6 do pcall(trainer.fit, trainer, { epochs = 1e6, run = run }) end]]
  lu.assert_equals(code, 130, err)
  self:kept "interrupted"
end

function TestFaults:test_a_killed_run_stays_readable()
  command.write_script(self.script, ENDLESS)
  local result = self:signalled "KILL"
  lu.assert_equals(result.code, 137)
  self:kept "killed"
end
