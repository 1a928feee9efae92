--- What a batch shows on a terminal.
local batch = require "batch_harness"
local command = require "command"
local live = require "swale.batch.live"
local lu = require "luaunit"
local outcome = require "swale.batch.outcome"

TestBatchLive = batch.class()

local ONE = { script = "a.lua", overrides = { "lr=0.1" }, seed = 3 }

--- Lines on a terminal of a size, at a time that the test sets.
local function screen(columns, rows)
  local s = { now = 100, columns = columns, rows = rows, text = "" }
  s.live = live.new { terminal = true, clock = function() return s.now end,
    write = function(text) s.text = text end, size = function() return s.columns, s.rows end }
  function s.draw(o)
    s.now = s.now + 1
    s.live:draw { total = o[1], ended = o[2], counts = { done = o[2], failed = 0, skipped = 0 } }
    return s.text
  end
  return s
end

--- A child whose run is in a folder of the test.
function TestBatchLive:child(work, lines)
  local dir, output = self.dir .. "/run", self.dir .. "/output"
  require("swale.folders").make_folder(dir)
  command.write(output, "run: " .. dir .. "\n")
  command.write(dir .. "/run.json", '{"pid": 7}')
  command.write(dir .. "/metrics.jsonl", lines)
  lu.assert_equals(outcome.find_run(output, 7), dir)
  return { work = work, output = output }
end

local LINE = '{"epoch":%g,"kind":"step","loss":0.25,"step":%d,"until_epoch":8}\n'

function TestBatchLive:test_a_line_for_each_process_and_one_for_all()
  local task = self:child(ONE, LINE:format(2, 100) .. '{"kind":"epoch","loss":9}\n{"kind":"st')
  local s = screen(120, 24)
  s.live:add(task, 7)
  lu.assert_equals(s.draw { 4, 1 }, "a.lua lr=0.1 seed 3  epoch 2.0 of 8  loss 0.25  3 s left\n"
    .. "[#####...............] 1 done, 0 failed, 0 skipped, 3 left")
  command.write(self.dir .. "/run/metrics.jsonl", LINE:format(2, 100) .. LINE:format(4, 300))
  lu.assert_str_contains(s.draw { 4, 1 }, "epoch 4.0 of 8  loss 0.25  200 steps/s  2 s left")
  s.live:remove(task, { seconds = 10, status = "done" })
  lu.assert_str_contains(s.draw { 4, 2 }, "2 done, 0 failed, 0 skipped, 2 left, 20 s left")
  s.live:clear()
  lu.assert_equals(s.text, "\r\27[J")
end

function TestBatchLive:test_lines_are_cut_to_the_terminal()
  local s = screen(40, 6)
  for i = 1, 9 do
    s.live:add({ output = "none", work = { script = ("ö"):rep(60), overrides = {}, seed = i } }, 1)
  end
  local lines = {}
  for line in (s.draw { nil, 0 } .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line
    lu.assert_true(utf8.len(line) <= 39, line)
  end
  lu.assert_equals(#lines, 5)
  lu.assert_equals(lines[4], "… 6 more are running")
end

--- Settings and seed stay where the script does not fit, and the pace is left out first.
function TestBatchLive:test_long_names_keep_what_differs()
  local s = screen(60, 24)
  local work = { script = "some/long/folder/a_long_name.lua", overrides = { "lr=0.1" }, seed = 3 }
  s.live:add(self:child(work, LINE:format(2, 100)), 7)
  s.draw { 4, 1 }
  command.write(self.dir .. "/run/metrics.jsonl", LINE:format(2, 100) .. LINE:format(4, 30000))
  lu.assert_str_contains(s.draw { 4, 1 }, "\27[Ja_long_… lr=0.1 seed 3  epoch 4.0 of 8  loss 0.25"
    .. "  2 s left\n")
  s.columns = 53
  lu.assert_str_contains(s.draw { 4, 1 }, "\27[Jlr=0.1 seed 3  epoch 4.0 of 8  loss 0.25  3 s left")
  s.columns = 120
  lu.assert_str_contains(s.draw { 4, 1 }, "folder/a_long_name.lua lr=0.1 seed 3  epoch 4.0 of 8"
    .. "  loss 0.25  29900 steps/s  4 s left\n")
end

--- After the terminal became narrower the lines take more rows: the cursor goes up by them.
function TestBatchLive:test_a_terminal_that_is_resized()
  local s = screen(60, 24)
  s.live:add({ output = "none", work = ONE }, 1)
  local lines = s.draw { 4, 1 }
  local widths = { #lines:match "^[^\n]*", #lines:match "[^\n]*$" }
  lu.assert_equals(widths, { 24, 58 })
  s.columns = 20
  lu.assert_equals(s.draw({ 4, 1 }):match "^\r\27%[(%d+)A\27%[J", "4") -- 2 rows and 3, less one
end

--- `script` gives a terminal. The runs take longer than two drawings.
function TestBatchLive:test_on_a_terminal()
  command.write_script(self.dir .. "/a.lua")
  local result = command.shell(self.dir, [[
    script -qec "stty cols 90 rows 10; $(printf '%q ' "$@")" /dev/null </dev/null]],
    { "batch", "a.lua", "--seeds", "2", "--jobs", "2", "epochs=300" })
  lu.assert_equals(result.code, 0, result.out)
  lu.assert_str_contains(result.out, "a.lua epochs=300 seed 2  epoch ")
  lu.assert_str_contains(result.out, "ran 2, skipped 0, failed 0")
  lu.assert_nil(result.out:find("[1/2]", 1, true)) -- plain lines are for files
end

function TestBatchLive:test_a_run_on_a_terminal_ends_well()
  command.write_script(self.dir .. "/a.lua")
  local result = command.shell(self.dir, [[
    script -qec "$(printf '%q ' "$@")" /dev/null </dev/null]], { "run", "a.lua", "epochs=2" })
  lu.assert_equals(result.code, 0, result.out)
end
