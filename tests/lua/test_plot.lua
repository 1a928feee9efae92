--- Pictures: which records become which curves, and that gnuplot accepts them.
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
  local commands = plot.commands(plot.series(list))
  local block = commands:match "%$raw << EOD\n(.-)EOD"
  lu.assert_equals(select(2, block:gsub("\n", "")), 19)
end

-- Each average has a curve, whatever its name.
function TestSeries:test_averages_are_drawn()
  local list = records(20)
  list[21].ema_valid_loss = 0.25
  local commands, texts = plot.commands(plot.series(list))
  lu.assert_str_contains(commands, "$average1 << EOD\n0.64 0.25\nEOD")
  lu.assert_str_contains(commands, 'title "validation, average"')
  lu.assert_equals(texts, {})
  list[21]["my_own_valid_loss"] = 0.2
  commands, texts = plot.commands(plot.series(list))
  lu.assert_str_contains(commands, "$average2 << EOD\n0.64 0.2\nEOD")
  lu.assert_equals(texts, { AVERAGE1 = "validation, ema", AVERAGE2 = "validation, my_own" })
end

function TestSeries:test_nothing_to_draw()
  local commands, message = plot.commands(plot.series {})
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
  local commands = plot.commands(plot.series(records(10000)))
  local block = commands:match "%$raw << EOD\n(.-)EOD"
  lu.assert_true(select(2, block:gsub("\n", "")) <= 600)
end

local function sawtooth(n, period)
  local points = {}
  for i = 1, n do points[i] = { i, 0.02 - 0.01 * (i % period) / period } end
  return points
end

function TestSeries:test_corners_of_a_sawtooth()
  local corners = plot.corners(sawtooth(1000, 100))
  lu.assert_equals(#corners, 1 + 2 * 10)
  lu.assert_equals({ corners[2][1], corners[3][1] }, { 99, 100 })
end

function TestSeries:test_corners_of_a_curve_lie_near_it()
  local points = {}
  for i = 1, 2000 do points[i] = { i, 1 + math.cos(i / 600) } end
  local corners, at = plot.corners(points), 1
  lu.assert_true(#corners < 200)
  for _, p in ipairs(points) do
    while corners[at + 1][1] < p[1] do at = at + 1 end
    local a, b = corners[at], corners[at + 1]
    local y = a[2] + (b[2] - a[2]) * (p[1] - a[1]) / (b[1] - a[1])
    lu.assert_almost_equals(y, p[2], 2e-3 * math.abs(p[2]) + 1e-12)
  end
end

function TestSeries:test_corners_of_points_that_go_back()
  local points = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 3, 3 }, { 2, 2 }, { 4, 4 } }
  lu.assert_equals(plot.corners(points), points)
  lu.assert_equals(plot.corners { { 1, 1 } }, { { 1, 1 } })
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
  local list = records(200)
  list[201].swa_valid_loss, list[201].last_k_valid_loss = 0.2, 0.25
  local path, message = self:draw(list)
  lu.assert_nil(message)
  lu.assert_equals(path, self.dir .. "/plots/training.svg")
  local svg = folders.read(path)
  lu.assert_str_contains(svg, "</svg>")
  lu.assert_nil(svg:find "<g [^>]*>%s*</g>" or svg:find "<title>gnuplot")
  lu.assert_equals(folders.read(self.dir .. "/plots/training.png"):sub(2, 4), "PNG")
  lu.assert_equals(folders.entries(self.dir .. "/plots"), { "training.png", "training.svg" })
end

function TestPicture:test_the_last_steps_of_a_one_cycle_do_not_press_the_rest_flat()
  local list = records(50)
  list[50].lr = 1e-12
  local commands = plot.commands(plot.series(list))
  lu.assert_str_contains(commands, 'set format y "%g"\nset logscale y\nset yrange [1e-06:0.0112]')
end

-- ------------------------------------------------------------------ what was measured

local function measured_records()
  local list = records(60)
  for i = 1, 60 do
    list[i].noise_scale, list[i].noise_scale_low = 20 + i, i > 20 and 15 + i or 0
    list[i].noise_scale_high, list[i].noise_scale_status = i > 20 and 30 + i or "inf", "resolved"
    if i > 10 and i <= 13 then list[i].noise_scale = "nan" end -- a gap in the curve
  end
  for i = 1, 6 do
    list[#list + 1] = { kind = "measurement", name = "drift", step = 10 * i, examples = 320 * i,
      drift = i / 10, seconds = 0.01 }
    list[#list + 1] = { kind = "measurement", name = "layers", step = 10 * i, examples = 320 * i,
      seconds = 1, ["layers.0.weight"] = i, ["layers.1.weight"] = 2 * i,
      ["layers.1.weight_low"] = i, ["layers.1.weight_high"] = 3 * i }
  end
  list[#list + 1] = { kind = "measurement", name = "failing", step = 9, examples = 9, error = "x" }
  return list
end

-- A range that is empty, or not finite, would take the whole picture away.
function TestPicture:test_values_of_any_size_are_drawn()
  for _, list in ipairs { { 3 }, { 3, 3 }, { -7.5, -7.5 }, { math.maxinteger }, { 1e308, -1e308 },
    { 1e-320, 1 }, { 0 }, { 1e300, 1 } } do
    local lines = records(#list)
    for i, value in ipairs(list) do
      lines[#lines + 1] = { kind = "measurement", name = "m", examples = 320 * i, m = value }
    end
    local path, message = self:draw(lines)
    lu.assert_not_nil(path, tostring(message) .. " for " .. tostring(list[1]))
  end
end

function TestSeries:test_measurements_are_found_by_their_names()
  local panels, columns = plot.series(measured_records()).measured, {}
  for i, panel in ipairs(panels) do
    columns[i] = {}
    for k, curve in ipairs(panel.curves) do
      local n = 0
      for _, piece in ipairs(curve.points) do n = n + #piece end
      columns[i][k] = ("%s %d %d %d"):format(curve.column, #curve.points, n, #curve.bands)
    end
  end
  lu.assert_equals(columns, { { "drift 1 6 0" },
    { "layers.0.weight 1 6 0", "layers.1.weight 1 6 1" }, { "noise_scale 2 57 1" } })
  lu.assert_equals(#panels[3].curves[1].bands[1], 40)
end

--- An unresolved estimate has a band from its sure end to the end of the panel.
function TestSeries:test_open_intervals_have_bands()
  local list = records(3)
  for i, high in ipairs { 40, "inf", 50 } do
    list[i].noise_scale, list[i].noise_scale_low, list[i].noise_scale_high = 30, 20, high
  end
  list[2].noise_scale = 900
  local series = plot.series(list)
  lu.assert_equals(#series.measured[1].curves[1].bands[1], 3)
  local commands = plot.commands(series)
  lu.assert_str_contains(commands, "set logscale y\nset yrange [18.18182:1350]\n$m1_1_band")
  lu.assert_str_contains(commands, ("%.7g 20 1350\n"):format(list[2].examples / 1000))
end

function TestPicture:test_measurements_have_panels()
  lu.assert_not_nil(self:draw(measured_records()))
  self:shows "noise_scale"
  self:shows "drift"
  self:shows "layers.1.weight"
  lu.assert_equals(folders.read(self.dir .. "/plots/training.svg"):match 'height="(%d+)"',
    tostring(800 + 3 * 152))
end

--- One record, constant curves, losses of zero: gnuplot refuses empty ranges.
function TestPicture:test_degenerate_runs()
  lu.assert_not_nil(self:draw { { kind = "step", step = 1, examples = 32, epoch = 0.1, loss = 0,
    lr = 0, batch_size = 32 } })
  local list = records(5)
  for _, record in ipairs(list) do record.loss, record.epoch = record.loss and 0.5, nil end
  lu.assert_not_nil(self:draw(list))
end

-- ------------------------------------------------------------------ texts are data

--- Texts that would run a command if they became code.
local function hostile(marker)
  local run = "touch " .. marker
  return { "\n!" .. run .. "\n", "`" .. run .. "`", '";system "' .. run .. '";x="',
    "';system '" .. run .. "';x='", '\\"\n!' .. run .. "\n", "\r!" .. run .. "\r",
    "\nEOD\n!" .. run .. "\n", "\0\n!" .. run .. "\n", "@TITLE ${x} %s {/*9 e}^2_3 \\n \\141 \\" }
end

--- What the SVG terminal makes of a text.
local function in_svg(text) return (text:gsub("[&<]", { ["&"] = "&amp;", ["<"] = "&lt;" })) end

function TestPicture:shows(text)
  local svg = folders.read(self.dir .. "/plots/training.svg")
  lu.assert_true(svg:find("<text>" .. in_svg(text) .. "</text>", 1, true) ~= nil, text)
end

function TestPicture:marker() return self.dir .. "/pwned" end

function TestPicture:nothing_ran()
  lu.assert_false(folders.exists(self:marker()))
  local parser = process.find "xmllint"
  if parser then
    lu.assert_equals(process.run { parser, "--noout", self.dir .. "/plots/training.svg" }.code, 0)
  end
end

--- JSON as another program may write it: each byte its own escape.
local function escaped(text)
  return '"' .. text:gsub("[^\0]", function(c) return ("\\u%04x"):format(c:byte()) end)
    :gsub("\0", "") .. '"'
end

function TestPicture:test_a_record_cannot_run_commands()
  for _, text in ipairs(hostile(self:marker())) do
    for _, info in ipairs { '"experiment":%s,"seed":1', '"seed":%s', '"params":{"data":%s}' } do
      self:write("run.json", "{" .. info:gsub("%%s", (escaped(text):gsub("%%", "%%%%"))) .. "}")
      lu.assert_not_nil(self:draw(records(4)))
      self:nothing_ran()
    end
  end
end

function TestPicture:test_names_and_values_of_a_record_cannot_run_commands()
  local text = ("\n!touch %s\n"):format(self:marker())
  local list = records(20)
  for i, name in ipairs { "kind", "step", "examples", "epoch", "loss", "lr", "batch_size", text } do
    list[i][name] = text
  end
  lu.assert_not_nil(self:draw(list))
  self:nothing_ran()
end

function TestPicture:test_names_of_measurements_cannot_run_commands()
  for _, text in ipairs(hostile(self:marker())) do
    text = text:gsub("\0", "") -- which no key of a record can have
    local list = records(20)
    for i = 1, 3 do
      list[#list + 1] = { kind = "measurement", name = text, step = i, examples = 32 * i,
        [text] = i, [text .. ".a"] = i, [text .. ".b"] = i }
    end
    lu.assert_not_nil(self:draw(list))
    self:nothing_ran()
  end
end

function TestPicture:test_a_title_is_shown_as_it_is()
  for _, title in ipairs { "a_b^2 {x} \\n $y `z` @w #1", "α – 学习率 \u{1F600}",
    "0123\\0611 & <b>" } do
    self:write("run.json", require("swale.core").json_encode { experiment = title, seed = 7 })
    lu.assert_not_nil(self:draw(records(20)))
    self:shows(title .. ", seed 7")
  end
end

function TestPicture:test_schedules_cannot_run_commands()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local schedule, file = require "swale.schedule", self.dir .. "/plots/training.svg"
  local texts = hostile(self:marker())
  for byte = 0, 255 do
    local char = string.char(byte)
    texts[#texts + 1] = ("%s!touch %s%s"):format(char, self:marker(), char)
  end
  assert(folders.make_folder(self.dir .. "/plots"))
  for _, text in ipairs(texts) do
    schedule.plot({ [text] = 0.1, ["a_b {c} 0611"] = 0.2 },
      { epochs = 2, points = 2, file = file })
    self:nothing_ran()
    self:shows "a_b {c} 0611"
  end
end

--- gnuplot never gets a path: a file of exactly that name is written, or none.
function TestPicture:test_paths_cannot_run_commands()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local schedule = require "swale.schedule"
  for _, range in ipairs { { 1, 46 }, { 48, 127 }, { 128, 255 } } do -- all but "/", in three names
    local bytes = {}
    for byte = range[1], range[2] do bytes[#bytes + 1] = string.char(byte) end
    local name = self.dir .. "/`touch pwned`\n!touch pwned\n" .. table.concat(bytes) .. ".svg"
    schedule.plot({ a = 0.1 }, { epochs = 1, points = 2, file = name })
    lu.assert_true(folders.exists(name))
    folders.remove(name)
  end
  lu.assert_equals(folders.entries(self.dir), { "run.json" })
  lu.assert_error_msg_contains("file ends in", schedule.plot, { a = 0.1 },
    { epochs = 1, file = self.dir .. "/a\0.svg" })
  lu.assert_equals(folders.entries(self.dir), { "run.json" })
end
