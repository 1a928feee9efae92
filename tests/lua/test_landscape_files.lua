--- Files of landscapes: points that outlast a kill or a full disk; tables and pictures.
local core = require "swale.core"
local folders = require "swale.folders"
local harness = require "landscape_harness"
local lu = require "luaunit"
local metrics = require "swale.trainer.metrics"
local process = require "swale.process"
local sw = require "swale"
local temporary = require "temporary"

local land = sw.landscape
local regression, options, vector, counted_calls, trainer_of = harness.regression,
  harness.options, harness.vector, harness.counted_calls, harness.trainer_of
local A, B, C = harness.A, harness.B, harness.C

TestLandscapeFiles = {}

function TestLandscapeFiles:setUp()
  self.dir, self.q = temporary.folder(), regression(20, 3)
end

function TestLandscapeFiles:tearDown() folders.remove(self.dir) end

--- The number of evaluations of f, two splits a point.
local function counted(f)
  local result
  return counted_calls(metrics, "evaluate", function() result = f() end) / 2, result
end

function TestLandscapeFiles:line(file, to)
  return land.line(vector(A), vector(to or B), options(self.q, { points = 9, file = file }))
end

-- A run that was killed left whole lines, and maybe a part of one.
function TestLandscapeFiles:test_a_killed_grid_goes_on()
  local file = self.dir .. "/line.jsonl"
  local whole = self:line(file)
  local text = folders.read(file)
  local lines = {}
  for line in text:gmatch "[^\n]*\n" do lines[#lines + 1] = line end
  lu.assert_equals(#lines, 10)
  for _, torn in ipairs { "", lines[6]:sub(1, 20), lines[6]:sub(1, -2) } do
    assert(core.write_file(file, table.concat(lines, "", 1, 5) .. torn))
    local n, again = counted(function() return self:line(file) end)
    lu.assert_equals(n, 1 + 5) -- the key's point, and those that are not in the file
    lu.assert_equals(again.rows, whole.rows)
    lu.assert_equals(folders.read(file), text)
  end
  lu.assert_equals((counted(function() return self:line(file) end)), 1)
end

function TestLandscapeFiles:test_an_error_keeps_what_is_finished()
  local file, evaluate, n = self.dir .. "/line.jsonl", metrics.evaluate, 0
  metrics.evaluate = function(...)
    n = n + 1
    if n == 9 then error("interrupted", 0) end
    return evaluate(...)
  end
  local ok = pcall(self.line, self, file)
  metrics.evaluate = evaluate
  lu.assert_false(ok)
  lu.assert_equals(select(2, folders.read(file):gsub("\n", "")), 1 + 4)
end

function TestLandscapeFiles:test_points_of_something_else_are_refused()
  local file = self.dir .. "/line.jsonl"
  self:line(file)
  local text = folders.read(file)
  lu.assert_error_msg_contains("has points of something else", self.line, self, file, C)
  self.q = regression(20, 4)
  lu.assert_error_msg_contains("has points of something else", self.line, self, file)
  lu.assert_equals(folders.read(file), text)
  assert(core.write_file(file, "a text\n"))
  lu.assert_error_msg_contains("has points of something else", self.line, self, file)
end

function TestLandscapeFiles:test_a_text_of_another_kind_is_kept()
  local file = self.dir .. "/line.jsonl"
  assert(core.write_file(file, "a text without a line break"))
  lu.assert_error_msg_contains("has points of something else", self.line, self, file)
  lu.assert_equals(folders.read(file), "a text without a line break")
end

-- Reading a device such as /dev/full would never end.
function TestLandscapeFiles:test_a_device_is_refused()
  if not folders.exists "/dev/full" then lu.skip "there is no /dev/full" end
  local ok, message, code = sw.try(self.line, self, "/dev/full")
  lu.assert_equals({ ok, message, code },
    { nil, "landscape: /dev/full: cannot be read: not a regular file", "EIO" })
end

--- Calls f while files cannot grow beyond `free` more bytes, as on a full disk.
local function with_space(free, f, ...)
  local uv = require "luv"
  local write = uv.fs_write
  uv.fs_write = function(fd, text, offset)
    if free == 0 then return nil, "ENOSPC: no space left on device", "ENOSPC" end
    local part = text:sub(1, free)
    free = free - #part
    return write(fd, part, offset)
  end
  local result = table.pack(sw.try(f, ...))
  uv.fs_write = write
  return table.unpack(result, 1, result.n)
end

function TestLandscapeFiles:test_a_full_disk_ends_the_grid_and_keeps_its_points()
  local file = self.dir .. "/line.jsonl"
  local whole = self:line(file)
  local text = folders.read(file)
  for _, free in ipairs { 0, 10, text:find("\n", 1, true) + 5, #text // 2 } do
    local points = math.max(0, select(2, text:sub(1, free):gsub("\n", "")) - 1)
    folders.remove(file)
    local ok, message, code = with_space(free, self.line, self, file)
    lu.assert_equals({ ok, code }, { nil, "ENOSPC" })
    lu.assert_str_contains(message, ("it keeps %d of 9 points"):format(points))
    local kept = folders.read(file)
    lu.assert_equals(kept, text:sub(1, #kept))
    lu.assert_true(kept == "" or kept:sub(-1) == "\n")
    lu.assert_equals(self:line(file).rows, whole.rows)
    lu.assert_equals(folders.read(file), text)
  end
end

function TestLandscapeFiles:test_a_file_has_one_writer()
  local file = self.dir .. "/line.jsonl"
  self:line(file)
  local text, lock = folders.read(file), core.hold(file)
  lu.assert_error_msg_contains("another process may be writing it", self.line, self, file)
  lock:release()
  lu.assert_equals(folders.read(file), text)
  self:line(file)
end

function TestLandscapeFiles:test_infinite_and_nan_losses_are_kept()
  local file, huge = self.dir .. "/line.jsonl", { 1e200, 1e200, -1e200 }
  for _ = 1, 2 do
    local line = land.line(vector(A), vector(huge), options(self.q, { points = 10, file = file }))
    lu.assert_equals(line.rows[9].train_loss, math.huge)
    if process.find "gnuplot" then line:plot(self.dir .. "/line.svg") end
  end
end

function TestLandscapeFiles:test_tables_and_csv()
  local line = self:line(nil)
  local names, rows = line:table()
  lu.assert_equals(names, { "alpha", "train_loss", "test_loss" })
  lu.assert_equals(#rows, 9)
  line:save(self.dir .. "/line.csv")
  local values, _, columns = sw.load(self.dir .. "/line.csv", { dtype = "float64" })
  lu.assert_equals(columns, names)
  lu.assert_equals(values:table(), rows)
end

function TestLandscapeFiles:test_pictures()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local trainer = trainer_of()
  local w, file = trainer.average.captured, self.dir .. "/a.svg"
  local function shows(object, words, o)
    object:plot(file, o)
    local svg = folders.read(file)
    for _, word in ipairs(words) do lu.assert_str_contains(svg, word) end
  end
  shows(land.line(w[1], w[3], { on = trainer, points = 5 }), { "train loss", "test accuracy" })
  local plane = land.plane { w[1], w[2], w[3], on = trainer, grid = 4 }
  shows(plane:mark("SWA", trainer.average):path("way", w), { "SWA", "way", "test error" },
    { value = "test error" })
  shows(land.rays(trainer, { on = trainer, rise = 0.1, n = 2 }), { "rise of train loss" })
  shows(land.travel(w, { unit = "epochs" }), { "distance from the start", "log t" })
  lu.assert_error_msg_contains('did you mean "test error"', plane.plot, plane, file,
    { value = "test eror" })
end
