--- swale watch, without a terminal and on a pseudo-terminal.
local batch = require "batch_harness"
local command = require "command"
local lu = require "luaunit"
local process = require "swale.process"
local watches = require "swale.watch"

TestWatch = batch.class()

local set_up = TestWatch.setUp

function TestWatch:setUp()
  set_up(self)
  command.write_script(self.dir .. "/a.lua")
  self:write("b.lua", "while not io.open 'go' do require('luv').sleep(20) end")
end

function TestWatch:train()
  local result = command.swale(self.dir, { "run", "a.lua", "epochs=2" })
  lu.assert_equals(result.code, 0, result.err)
end

function TestWatch:test_without_a_terminal_it_prints_one_table()
  self:train()
  local result = command.swale(self.dir, { "watch" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_matches(result.out, "1 runs, 0 running\nrun +status +step +epoch +loss +steps/s"
    .. " +time left\n%S+_small_%w+ +done +75 +2%.0 of 2 +[%d.]+\n")
  result = command.swale(self.dir, { "watch", "nothing" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, '"nothing"')
end

--- Signals and keys end it, and leave the terminal as it was.
local function check_end(self, ending, status)
  local result = command.shell(self.dir, ([[
    export TERM=xterm; printf '%%q ' "$@" >words; mkfifo keys
    cat >inner.sh <<'END'
stty rows 24 cols 90; before=$(stty -g)
eval "set -- $(cat words)"
%s
[ "$(stty -g)" = "$before" ] && echo same mode
echo "status $status"
END
    (exec 3>keys; for i in $(seq 300); do grep -q "1 runs" typescript 2>/dev/null && break
      sleep 0.1; done; [ ! -e key ] || cat key >&3; sleep 0.1
      for i in $(seq 300); do grep -q ^status typescript && break; sleep 0.1; done) &
    script -qefc 'bash inner.sh' typescript <keys >/dev/null
    wait; cat typescript]]):format(ending),
    { "watch" })
  local out = result.out:gsub("\r", "")
  lu.assert_str_contains(out, "same mode")
  lu.assert_str_contains(out, "status " .. status)
  lu.assert_str_matches(out, ".*\27%[%?1049h.*1 runs, 0 running.*\27%[%?1049l.*")
  lu.assert_str_contains(out, "loss of ")
  lu.assert_equals(select(2, out:gsub("\27%[%?1049l", "")), 1)
end

function TestWatch:test_q_ends_it()
  self:train()
  command.write(self.dir .. "/key", "q")
  check_end(self, '"$@"; status=$?', 0)
end

function TestWatch:test_ctrl_c_ends_it()
  self:train()
  command.write(self.dir .. "/key", "\3")
  check_end(self, '"$@"; status=$?', 0)
end

function TestWatch:test_sigterm_ends_it()
  self:train()
  check_end(self, [["$@" & pid=$!
for i in $(seq 300); do grep -q "1 runs" typescript && break; sleep 0.1; done
kill $pid; wait $pid; status=$?]], 143)
end

function TestWatch:test_runs_that_run_come_first()
  self:train()
  local uv = require "luv"
  local handle = uv.spawn("lua5.4", { args = { os.getenv "SWALE_HOME" .. "/scripts/bin/swale.lua",
    "run", "b.lua" }, cwd = self.dir,
    env = process.environment { SWALE_RUNS = self.dir .. "/runs" } }, function() end)
  local text
  for _ = 1, 600 do
    text = command.swale(self.dir, { "watch" }).out
    if text:find "1 running" then break end
    uv.sleep(50)
  end
  command.write(self.dir .. "/go", "")
  lu.assert_str_matches(text, "2 runs, 1 running\n[^\n]*\n%S+_quick_%w+ +running\n%S+_small.*")
  uv.run "default"
  handle:close()
  uv.run "nowait"
end

-- ------------------------------------------------------------------ curves

function TestWatch:test_curves_have_a_dot_for_each_point()
  lu.assert_equals(watches.curve({ 0, 1 }, { 0, 1 }, 1, 1), { utf8.char(0x2800 + 0x40 + 0x08) })
  lu.assert_equals(watches.curve({ 0, 1, 2, 3 }, { 3, 0 / 0, math.huge, 0 }, 2, 1),
    { utf8.char(0x2801, 0x2880) })
  lu.assert_equals(watches.curve({ 5 }, { 7 }, 1, 2), { utf8.char(0x2800), utf8.char(0x2840) })
  lu.assert_equals(watches.curve({ 5 }, { 0 / 0 }, 1, 2), {})
  lu.assert_equals(watches.curve({ 0, 5 }, { 3, 3 }, 3, 1), { ("\u{28c0}"):rep(3) })
  lu.assert_equals(#watches.curve({ 1, 2 }, { 1, 2 }, 40, 6), 6)
end
