--- Run directories: records, checkpoints, readers; progress, tables, other programs.
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local progress = require "swale.progress"
local runs = require "swale.run"
local store = require "store_harness"
local sw = require "swale"

TestRun = store.in_a_root()

function TestRun:setUp()
  store.set_up(self)
  self.lines = {}
  self.run = runs.create { experiment = "a test/of names", seed = 3, params = { lr = 0.1 },
    progress = progress.new { terminal = false,
      write = function(text) self.lines[#self.lines + 1] = text end } }
end

function TestRun:test_the_name_of_the_directory()
  lu.assert_str_matches(self.run.dir, self.root:gsub("%p", "%%%0")
    .. "/%d%d%d%d%-%d%d%-%d%d_a%-test%-of%-names_%w%w%w%w")
end

function TestRun:test_run_json_is_there_from_the_start()
  local info = runs.read_info(self.run.dir)
  lu.assert_equals({ info.status, info.seed, info.params.lr }, { "running", 3, 0.1 })
end

--- The disk becomes full in the midst of a line: what is written of it is cut off.
function TestRun:test_a_line_that_fits_in_part()
  local luv = require "luv"
  self.run:record { kind = "step", step = 1 }
  local path, write, calls = self.run.dir .. "/metrics.jsonl", luv.fs_write, 0
  local before = folders.size(path)
  rawset(luv, "fs_write", function(fd, text, at)
    calls = calls + 1
    if calls == 1 then return write(fd, text:sub(1, 5), at) end
    return nil, "ENOSPC: no space left on device", "ENOSPC"
  end)
  local ok, fault = pcall(self.run.record, self.run, { kind = "step", step = 2 })
  rawset(luv, "fs_write", write)
  lu.assert_false(ok)
  lu.assert_str_contains(tostring(fault), "metrics.jsonl: the disk is full")
  lu.assert_equals(folders.size(path), before)
end

function TestRun:test_records_come_back()
  self.run:record { kind = "step", step = 1, loss = 0.1 + 0.2, lr = 1e-3 }
  self.run:record { kind = "step", step = 2, loss = 0 / 0, noise_scale_high = math.huge }
  local records = runs.read_metrics(self.run.dir)
  lu.assert_equals(#records, 2)
  lu.assert_equals(records[1].loss, 0.1 + 0.2)
  lu.assert_equals(math.type(records[1].step), "integer")
  lu.assert_equals(records[2].noise_scale_high, "inf")
end

function TestRun:test_seconds_of_measurements_are_added_up()
  for i = 1, 4 do
    self.run:record { kind = "measurement", name = "drift", step = i, drift = i, seconds = 0.25 }
  end
  runs.finish(self.run, "done")
  local info = runs.read_info(self.run.dir)
  lu.assert_equals(info.measurement_seconds, 1)
  lu.assert_is_number(info.wall_seconds)
end

function TestRun:test_what_cannot_be_recorded_is_refused_by_the_users_line()
  local here = "test_run.lua:%d+: "
  local function refuses(words, method, ...)
    local args = table.pack(...)
    local ok, message = pcall(function()
      self.run[method](self.run, table.unpack(args, 1, args.n))
    end)
    lu.assert_false(ok)
    lu.assert_str_matches(message, ".*" .. here .. words .. ".*")
  end
  refuses("run:record: the record must be a table, not 3", "record", 3)
  refuses("run:note: the key must be a string, not nil", "note")
  refuses("run:summary: values must be a table, not nil", "summary")
  refuses("run:note: a function cannot be JSON, at x", "note", "x", print)
  refuses('run:print: the values do not fit the format "%%d": number has no integer '
    .. "representation", "print", "%d", 1.5)
  refuses("run:checkpoint: a name has no slash", "checkpoint", "../x", {})
  self.run:record { kind = "epoch", loss = "high", batch_size = 1.5 }
  lu.assert_true(runs.finish(self.run, "done"))
  lu.assert_equals(runs.read_info(self.run.dir).status, "done")
end

function TestRun:test_a_record_that_is_no_object()
  for _, text in ipairs { "5", "null", "[1]", "true", '"x"' } do
    local file <close> = assert(io.open(self.run.dir .. "/run.json", "w"))
    file:write(text)
    file:flush()
    lu.assert_error_msg_contains("run.json: expected an object, found " .. ("%q"):format(text),
      runs.read_info, self.run.dir)
  end
end

--- One wrong call must not make the record unwritable from then on.
function TestRun:test_a_summary_has_names()
  self.run:summary { accuracy = 0.9 }
  for _, values in ipairs { { 0.8 }, { accuracy = 1, 0.8 }, { [1.5] = 2 }, { [true] = 2 } } do
    lu.assert_error_msg_contains("run:summary: each value needs a name", self.run.summary, self.run,
      values)
  end
  for name, words in pairs { ["a\0b"] = "a key has a zero byte",
    ["a\xff"] = "a key is not UTF-8" } do
    lu.assert_error_msg_contains("run:summary: " .. words, self.run.summary, self.run,
      { [name] = 1 })
    lu.assert_error_msg_contains("run:note: " .. words, self.run.note, self.run, "x",
      { { [name] = 1 } })
    lu.assert_error_msg_contains(words, self.run.record, self.run, { kind = "step", [name] = 1 })
  end
  lu.assert_error_msg_contains("a sequence and names at list", self.run.summary, self.run,
    { list = { 1, x = 2 } })
  lu.assert_true(runs.finish(self.run, "done"))
  lu.assert_equals(runs.read_info(self.run.dir).summary, { accuracy = 0.9 })
end

--- A table is recorded as it was at the call, whatever changes it later.
function TestRun:test_notes_are_copies()
  local rates = { 0.1, 0.2 }
  self.run:note("rates", rates)
  rates[3] = print
  self.run:summary { best = 3, worst = 0 / 0 }
  lu.assert_true(runs.finish(self.run, "done"))
  local info = runs.read_info(self.run.dir)
  lu.assert_equals(info.notes, { rates = { 0.1, 0.2 } })
  lu.assert_equals(info.summary, { best = 3, worst = "nan" })
  lu.assert_nil(info.left_out)
end

--- If a field cannot be written all the same, the rest is written, with a note.
function TestRun:test_a_run_ends_whatever_is_in_its_record()
  self.run.info.odd = { 1, x = print }
  lu.assert_true(runs.finish(self.run, "done"))
  local info = runs.read_info(self.run.dir)
  lu.assert_equals({ info.status, info.odd }, { "done" })
  lu.assert_str_contains(info.left_out[1], "a sequence and names at odd")
end

function TestRun:append(text)
  local file = assert(io.open(self.run.dir .. "/metrics.jsonl", "a"))
  file:write(text)
  file:close()
end

function TestRun:test_a_torn_last_line_is_left_out()
  self.run:record { kind = "step", step = 1 }
  self:append '{"kind":"step","st'
  lu.assert_equals(runs.read_metrics(self.run.dir), { { kind = "step", step = 1 } })
end

function TestRun:test_a_broken_line_before_others_is_an_error()
  self:append '{"kind":"st\n{"kind":"step","step":1}\n'
  lu.assert_error_msg_contains("metrics.jsonl:1: not a record", runs.read_metrics, self.run.dir)
end

function TestRun:test_the_last_two_checkpoints_stay()
  for step = 1, 4 do
    self.run:checkpoint("step-" .. step, { weights = sw.tensor { step } }, { step = step })
  end
  lu.assert_equals(folders.entries(self.run.dir .. "/checkpoints"),
    { "step-3.safetensors", "step-4.safetensors" })
  local tensors, metadata = sw.load(self.run.dir .. "/checkpoints/step-4.safetensors")
  lu.assert_equals({ tensors.weights:table(), metadata.step }, { { 4 }, "4" })
  lu.assert_equals(self.run.saved_step, 4)
end

function TestRun:test_a_checkpoint_written_again_counts_once()
  for _, name in ipairs { "a", "b", "a", "c" } do
    self.run:checkpoint(name, { weights = sw.tensor { 1 } })
  end
  lu.assert_equals(folders.entries(self.run.dir .. "/checkpoints"),
    { "a.safetensors", "c.safetensors" })
end

function TestRun:test_an_epoch_is_a_line_where_there_is_no_terminal()
  self.run:record { kind = "epoch", step = 9, epoch = 1.0004, loss = 0.51234,
    valid_accuracy = 0.875, lr = 0.01, batch_size = 64 }
  lu.assert_equals(self.lines,
    { "epoch   1.0  loss 0.5123  valid acc 0.8750  lr 0.0100  batch 64\n" })
  lu.assert_str_contains(folders.read(self.run.dir .. "/log.txt"), "epoch   1.0  loss 0.5123")
end

function TestRun:test_finish()
  self.run:record { kind = "step", step = 5 }
  lu.assert_true(runs.finish(self.run, "failed", "why"))
  local info = runs.read_info(self.run.dir)
  lu.assert_equals({ info.status, info.error, info.last_step }, { "failed", "why", 5 })
end

TestProgress = {}

function TestProgress:setUp()
  self.text = ""
  self.bar = progress.new { terminal = true, write = function(t) self.text = self.text .. t end }
  self.bar.columns = 70
end

function TestProgress:test_the_bar_fits_into_the_terminal()
  self.bar:update { done = 1, total = 4, text = ("x"):rep(200) }
  local line = self.text:match "\r(.*)\27%[K"
  lu.assert_true(#line <= 69, #line)
  lu.assert_str_contains(line, "[#####...............]")
end

function TestProgress:test_it_is_not_drawn_again_at_once()
  self.bar:update { done = 1, total = 4 }
  local before = self.text
  self.bar:update { done = 2, total = 4 }
  lu.assert_equals(self.text, before)
end

function TestProgress:test_clear_takes_it_away_once()
  self.bar:update { done = 1, total = 4 }
  self.text = ""
  self.bar:clear()
  self.bar:clear()
  lu.assert_equals(self.text, "\r\27[K")
end

function TestProgress:test_durations()
  lu.assert_equals(progress.duration(12.4), "12 s")
  lu.assert_equals(progress.duration(200), "3 min 20 s")
  lu.assert_equals(progress.duration(7500), "2 h 5 min")
end

TestTable = {}

function TestTable:test_numbers_to_the_right()
  local rows = { { "a", 0.25 }, { "long", "12.5" } }
  local text = require("swale.table").render({ "name", "loss" }, rows)
  lu.assert_equals(text, "name  loss\na     0.25\nlong  12.5")
end

TestProcess = {}

function TestProcess:test_nothing_is_quoted()
  local result = process.run { "printf", "%s|", "a b", "$HOME", "'" }
  lu.assert_equals({ result.code, result.out }, { 0, "a b|$HOME|'|" })
end

function TestProcess:test_input_status_and_errors()
  lu.assert_equals(process.run({ "cat" }, { input = ("x"):rep(200000) }).out, ("x"):rep(200000))
  local result = process.run { "sh", "-c", "echo oh >&2; exit 7" }
  lu.assert_equals({ result.code, result.err }, { 7, "oh\n" })
  lu.assert_equals(process.run({ "sleep", "20" }, { timeout = 0.2 }).code, 143)
end

function TestProcess:test_a_program_that_is_not_there()
  local result, message, code = process.run { "no-such-program" }
  lu.assert_nil(result)
  lu.assert_str_contains(message, "no-such-program")
  lu.assert_equals(code, "ENOENT")
  lu.assert_nil(process.find "no-such-program")
end
