--- Pictures: which records become which curves, and that gnuplot takes them.
local folders = require "swale.folders"
local lu = require "luaunit"
local plot = require "swale.plot"
local process = require "swale.process"

local function records(n)
  local list = {}
  for i = 1, n do
    list[i] = { kind = "step", step = i, examples = 32 * i, epoch = i / 10, loss = 2 / i,
      lr = 0.01, batch_size = i < n / 2 and 32 or 64 }
  end
  list[#list + 1] = { kind = "epoch", step = n, examples = 32 * n, epoch = n / 10,
    valid_loss = 0.3 }
  list[#list + 1] = { kind = "capture", step = n, examples = 32 * n, n = 1 }
  return list
end

TestSeries = {}

function TestSeries:test_kinds_are_sorted()
  local s = plot.series(records(20))
  lu.assert_equals({ #s.steps, #s.epochs, s.captures }, { 20, 1, { 640 } })
  lu.assert_equals(s.epoch_examples, 320)
end

function TestSeries:test_losses_that_are_no_numbers_are_left_out()
  local list = records(20)
  list[3].loss = "nan"
  local commands = plot.commands(plot.series(list), "t")
  local block = commands:match "%$raw << EOD\n(.-)EOD"
  lu.assert_equals(select(2, block:gsub("\n", "")), 19)
end

function TestSeries:test_nothing_to_draw()
  local commands, message = plot.commands(plot.series {}, "t")
  lu.assert_nil(commands)
  lu.assert_str_contains(message, "no losses")
end

function TestSeries:test_smoothing_keeps_straight_lines()
  local points = {}
  for i = 1, 500 do points[i] = { i, 3 * i } end
  local smoothed = plot.smoothed(points)
  for i = 1, 495 do lu.assert_almost_equals(smoothed[i][2], 3 * i, 1e-9) end
end

function TestSeries:test_long_curves_are_thinned()
  local commands = plot.commands(plot.series(records(10000)), "t")
  local block = commands:match "%$raw << EOD\n(.-)EOD"
  lu.assert_true(select(2, block:gsub("\n", "")) <= 1500)
end

TestPicture = {}

function TestPicture:setUp()
  self.dir = require("temporary").folder()
  self:write("run.json", '{"experiment":"a_b \\"c\\"","seed":1,"params":{"data":"digits"}}')
end

function TestPicture:tearDown() folders.remove(self.dir) end

function TestPicture:write(name, text)
  local file = assert(io.open(self.dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

function TestPicture:draw(list)
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local lines = {}
  for i, record in ipairs(list) do lines[i] = require("swale.core").json_encode(record) .. "\n" end
  self:write("metrics.jsonl", table.concat(lines))
  return plot.run(self.dir)
end

function TestPicture:test_both_files()
  local path, message = self:draw(records(200))
  lu.assert_nil(message)
  lu.assert_equals(path, self.dir .. "/plots/training.svg")
  lu.assert_str_contains(folders.read(path), "</svg>")
  lu.assert_equals(folders.read(self.dir .. "/plots/training.png"):sub(2, 4), "PNG")
  lu.assert_equals(folders.entries(self.dir .. "/plots"), { "training.png", "training.svg" })
end

function TestPicture:test_the_last_steps_of_a_one_cycle_do_not_press_the_rest_flat()
  local list = records(50)
  list[50].lr = 1e-12
  local commands = plot.commands(plot.series(list), "one cycle")
  lu.assert_str_contains(commands, 'set format y "%g"\nset logscale y\nset yrange [1e-06:0.0112]')
end

--- One record, constant curves, losses of zero: gnuplot is easily upset by empty ranges.
function TestPicture:test_degenerate_runs()
  lu.assert_not_nil(self:draw { { kind = "step", step = 1, examples = 32, epoch = 0.1, loss = 0,
    lr = 0, batch_size = 32 } })
  local list = records(5)
  for _, record in ipairs(list) do record.loss, record.epoch = record.loss and 0.5, nil end
  lu.assert_not_nil(self:draw(list))
end
