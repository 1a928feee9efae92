--- Pictures of a run, drawn by gnuplot: loss, learning rate, batch size and measurements over
--- examples, one above the other, as SVG and PNG in the run's plots/.
local axes = require "swale.plot.axes"
local errors = require "swale.errors"
local folders = require "swale.folders"
local gnuplot = require "swale.gnuplot"
local measured = require "swale.plot.measured"
local process = require "swale.process"
local runs = require "swale.run"
local standing = require "swale.run.status"

local M = {}

local POINTS = 600        -- of a curve, at most: a curve is 765 pixels wide
local HEIGHT, MORE = 800, 152 -- pixels; and for each measurement
local MANY_CAPTURES = 60  -- more are not drawn as lines

--- Colours of Okabe and Ito, which are distinct for the colour-blind.
local COLOURS = { raw = "#9ecae1", smooth = "#0072B2", valid = "#D55E00", lr = "#009E73",
  batch = "#CC79A7", capture = "#999999" }

--- Curves of averages: colour, and number of gnuplot's point.
local AVERAGED = { { colour = "black", shape = 9 }, { colour = "#E69F00", shape = 5 },
  { colour = "#56B4E9", shape = 13 }, { colour = "#CC79A7", shape = 11 } }

---@class swale.Series
---@field steps { examples: number, loss: number?, lr: number?, batch_size: number? }[]
---@field epochs { examples: number, valid_loss: number? }[]   and NAME_valid_loss of averages
---@field captures number[]          examples
---@field epoch_examples number?     examples in an epoch
---@field measured swale.MeasuredPanel[]

local function is_finite(v) return type(v) == "number" and v - v == 0 end

---Sorts the records of a run by kind.
---@param records table[]
---@return swale.Series
function M.series(records)
  local s = { steps = {}, epochs = {}, captures = {}, measured = measured.panels(records) }
  for _, record in ipairs(records) do
    if is_finite(record.examples) then
      if record.kind == "step" then s.steps[#s.steps + 1] = record end
      if record.kind == "epoch" then s.epochs[#s.epochs + 1] = record end
      if record.kind == "capture" then s.captures[#s.captures + 1] = record.examples end
      if is_finite(record.epoch) and record.epoch > 0 then
        s.epoch_examples = record.examples / record.epoch
      end
    end
  end
  return s
end

--- { x, y } of all records in which `name` is a finite number; x in thousands of examples.
local function curve(records, name)
  local points = {}
  for _, record in ipairs(records) do
    if is_finite(record[name]) then
      points[#points + 1] = { record.examples / 1000, record[name] }
    end
  end
  return points
end

--- The mean of points first to last, number by number.
local function mean_of(points, first, last)
  local mean = {}
  for k = 1, #points[first] do
    mean[k] = 0
    for i = first, last do mean[k] = mean[k] + points[i][k] / (last - first + 1) end
  end
  return mean
end

--- Means over groups of neighbours, so that at most POINTS are left.
local function thinned(points)
  local group = math.ceil(#points / POINTS)
  if group <= 1 then return points end
  local result = {}
  for first = 1, #points, group do
    result[#result + 1] = mean_of(points, first, math.min(first + group - 1, #points))
  end
  return result
end

---Means over a window around each point, a fiftieth of all points wide.
---@param points number[][]
---@return number[][]
function M.smoothed(points)
  local half, sums, result = math.max(1, #points // 100), { [0] = 0 }, {}
  for i, p in ipairs(points) do sums[i] = sums[i - 1] + p[2] end
  for i, p in ipairs(points) do
    local before = math.min(half, i - 1)            -- at the start, where a loss falls steeply,
    local after = math.min(before, #points - i)     -- the window is symmetric: no lag
    result[i] = { p[1], (sums[i + after] - sums[i - before - 1]) / (before + after + 1) }
  end
  return result
end

--- The changes of a curve that is drawn as stairs, each with the point before it.
local function changes(points)
  local result = {}
  for i, p in ipairs(points) do
    local before, after = points[i - 1], points[i + 1]
    if not before or not after or before[2] ~= p[2] or after[2] ~= p[2] then
      result[#result + 1] = p
    end
  end
  return result
end

local SLACK = 5e-4 -- relative error of a line that leaves points out: far less than a pixel

---The corners of a curve that is made of straight lines: the lines between them are at most SLACK
---of its value away from each other point. All points are kept unless x grows from each to the
---next.
---@param points number[][]
---@return number[][]
function M.corners(points)
  local result, anchor, least, most = { points[1] }, points[1], -math.huge, math.huge
  for i = 2, #points do
    local p, before = points[i], points[i - 1]
    if p[1] <= before[1] then return points end
    local slope = (p[2] - anchor[2]) / (p[1] - anchor[1])
    if not (slope >= least and slope <= most) and before ~= anchor then
      result[#result + 1], anchor, least, most = before, before, -math.huge, math.huge
      slope = (p[2] - anchor[2]) / (p[1] - anchor[1])
    end
    local slack = SLACK * math.abs(p[2]) / (p[1] - anchor[1])
    least, most = math.max(least, slope - slack), math.min(most, slope + slack)
  end
  if #points > 1 then result[#result + 1] = points[#points] end
  return result
end

local function range(points)
  local low, high = math.huge, -math.huge
  for _, p in ipairs(points) do low, high = math.min(low, p[2]), math.max(high, p[2]) end
  return low, high
end

-- ------------------------------------------------------------------ gnuplot's language

local function block(lines, name, points)
  lines[#lines + 1] = ("$%s << EOD"):format(name)
  for _, p in ipairs(points) do lines[#lines + 1] = ("%.7g %.7g"):format(p[1], p[2]) end
  lines[#lines + 1] = "EOD"
end

local HEAD = gnuplot.HEAD .. [[

set lmargin at screen 0.115
set rmargin at screen 0.965]]

--- Begins a panel between two heights, in pixels from the top; label is a gnuplot expression.
local function panel(lines, height, top, bottom, label)
  top, bottom = 1 - top / height, 1 - bottom / height
  lines[#lines + 1] = ("set tmargin at screen %g\nset bmargin at screen %g"):format(top, bottom)
  lines[#lines + 1] = ("set label 1 %s at screen 0.025, screen %g center rotate by 90"):format(
    label, (top + bottom) / 2)
end

local function capture_lines(lines, s)
  if #s.captures > MANY_CAPTURES then return end
  for i, examples in ipairs(s.captures) do
    local x = examples / 1000
    lines[#lines + 1] = ('set arrow %d from %.7g, graph 0 to %.7g, graph 1 nohead dt 3 lw 1'
      .. ' lc rgb "%s" back'):format(i, x, x, COLOURS.capture)
  end
end

--- An axis of epochs at the top, if their length is known.
local function epoch_axis(lines, s, xmax)
  if not s.epoch_examples then return end
  local epochs = xmax * 1000 / s.epoch_examples
  lines[#lines + 1] = ([[
set x2range [0:%.7g]
set x2tics %s in scale 0.5 offset 0,-0.4
set x2label "epochs" offset 0,-0.6]]):format(epochs, epochs < 1 and "autofreq" or
    ("%g"):format(math.max(1, math.ceil(epochs / 12))))
end

--- The range without the highest and lowest hundredth, so that a spike does not flatten the rest.
local function bulk(points)
  local values = {}
  for i, p in ipairs(points) do values[i] = p[2] end
  table.sort(values)
  local cut = #values // 100
  return values[1 + cut], values[#values - cut]
end

--- The axis of the loss: logarithmic if it falls to less than a third.
local function loss_axis(lines, curves)
  local low, high = math.huge, -math.huge
  for _, points in ipairs(curves) do
    if #points > 0 then
      local from, to = bulk(points)
      low, high = math.min(low, from), math.max(high, to)
    end
  end
  if low > 0 and high / low > 3 then
    lines[#lines + 1] = "set logscale y\nset ytics " .. axes.log_tics(low, high)
    lines[#lines + 1] = ("set yrange [%.7g:%.7g]"):format(low / 1.1, high * 1.15)
  else
    lines[#lines + 1] = gnuplot.y_range(low, high, 0.06)
  end
end

--- The validation losses of averages, in the order of their names.
local function averaged_curves(epochs)
  local names, list = {}, {}
  for _, record in ipairs(epochs) do
    for column in pairs(record) do
      local name = type(column) == "string" and column:match "^(.+)_valid_loss$"
      if name then names[name] = true end
    end
  end
  for _, name in ipairs(errors.sorted(names)) do
    local points = curve(epochs, name .. "_valid_loss")
    if #points > 0 then list[#list + 1] = { name = name, points = points } end
  end
  return list
end

--- What gnuplot is to write beside the curve of average number i.
local function averaged_title(list, i, texts)
  if #list == 1 then return '"validation, average"' end
  local variable = "AVERAGE" .. i
  texts[variable] = "validation, " .. list[i].name
  return variable
end

local function loss_panel(lines, s, raw, captures, texts)
  local valid, averaged = curve(s.epochs, "valid_loss"), averaged_curves(s.epochs)
  local smooth = M.smoothed(raw)
  local curves = { thinned(raw), smooth, valid }
  block(lines, "raw", thinned(raw))
  block(lines, "smooth", thinned(smooth))
  for _, one in ipairs(averaged) do curves[#curves + 1] = one.points end
  loss_axis(lines, curves)
  local plots = {
    ('$raw using 1:2 with lines lw 0.7 lc rgb "%s" title "training loss"'):format(COLOURS.raw),
    ('$smooth using 1:2 with lines lw 2.5 lc rgb "%s" title "smoothed"'):format(COLOURS.smooth),
  }
  local function marked(points, name, title, colour, shape)
    if #points == 0 then return end
    block(lines, name, points)
    plots[#plots + 1] = ('$%s using 1:2 with linespoints lw 1.2 pt %d ps 0.8 lc rgb "%s"'
      .. ' title %s'):format(name, shape, colour, title)
  end
  marked(valid, "valid", '"validation"', COLOURS.valid, 7)
  for i, one in ipairs(averaged) do
    local mark = AVERAGED[(i - 1) % #AVERAGED + 1]
    marked(one.points, "average" .. i, averaged_title(averaged, i, texts), mark.colour, mark.shape)
  end
  if captures then
    plots[#plots + 1] = ('NaN with lines dt 3 lc rgb "%s" title "captured for the average"')
      :format(COLOURS.capture)
  end
  lines[#lines + 1] = "plot " .. table.concat(plots, ", \\\n  ")
end

local LR_DECADES = 1e4 -- largest ratio on its axis: the last steps of a one-cycle are below

local function lr_panel(lines, points)
  block(lines, "lr", thinned(M.corners(points)))
  local low, high = range(points)
  local log = low > 0 and high / low > 20
  lines[#lines + 1] = 'set format y "%g"\n' .. (log and "set logscale y" or "unset logscale y")
  lines[#lines + 1] = ("set yrange [%s:%.7g]"):format(
    log and ("%.7g"):format(math.max(low / 1.12, high / LR_DECADES)) or "0",
    high > 0 and high * 1.12 or 1)
  lines[#lines + 1] = ('plot $lr using 1:2 with lines lw 1.8 lc rgb "%s" notitle')
    :format(COLOURS.lr)
end

local function batch_panel(lines, points)
  block(lines, "batch", changes(points))
  local low, high = range(points)
  lines[#lines + 1] = low > 0 and high > low and "set logscale y 2" or "unset logscale y"
  lines[#lines + 1] = ("set yrange [%.7g:%.7g]"):format(low / 1.3, high * 1.3)
  lines[#lines + 1] = ('plot $batch using 1:2 with steps lw 2.2 lc rgb "%s" notitle')
    :format(COLOURS.batch)
end

--- The panels below the loss: label, height in pixels, and what draws each.
local function lower_panels(s, texts)
  local list = {
    { '"learning rate"', 140, function(lines) lr_panel(lines, curve(s.steps, "lr")) end },
    { '"batch size"', 132, function(lines) batch_panel(lines, curve(s.steps, "batch_size")) end },
  }
  for i, one in ipairs(s.measured) do
    local label = ("MEASURED%d"):format(i)
    texts[label] = one.name
    list[#list + 1] = { label, MORE - 20,
      function(lines) measured.draw(lines, one, i, texts, thinned) end }
  end
  return list
end

local function draw_lower(lines, list, height)
  local top = 440
  for i, one in ipairs(list) do
    panel(lines, height, top, top + one[2], one[1])
    if i == #list then
      lines[#lines + 1] = 'set format x "%g"\nset xlabel "examples seen (thousands)" offset 0,0.5'
    end
    one[3](lines)
    top = top + one[2] + 20
  end
end

---Returns the gnuplot commands for one run, without terminal and output, and the texts of their
---variables. The caller adds TITLE.
---@param s swale.Series
---@return string|nil commands     nil: there is nothing to draw
---@return table<string, string>|string texts   or the message
---@return integer height          in pixels
function M.commands(s)
  local loss, height = curve(s.steps, "loss"), HEIGHT + MORE * #s.measured
  if #loss == 0 then
    return nil, "no losses were recorded (fit { …, run = run } records them)", 0
  end
  local xmax, texts = math.max(loss[#loss][1], 1e-3), {}
  local lines = { HEAD, 'set multiplot title TITLE noenhanced font ",16"',
    ("set xrange [0:%.7g]"):format(xmax) }
  capture_lines(lines, s)
  panel(lines, height, 92, 420, '"loss"')
  lines[#lines + 1] = 'set format x ""'
  epoch_axis(lines, s, xmax)
  loss_panel(lines, s, loss, #s.captures > 0 and #s.captures <= MANY_CAPTURES, texts)
  lines[#lines + 1] = "unset x2tics\nunset x2label\nset ytics autofreq"
  draw_lower(lines, lower_panels(s, texts), height)
  lines[#lines + 1] = "unset multiplot"
  return table.concat(lines, "\n") .. "\n", texts, height
end

--- Statuses that a title does not show; run:plot draws a run while it is running.
local ENDED = { done = true, running = true }

local function title_of(info)
  local data = type(info.params) == "table" and info.params.data
  local odd = type(info.status) == "string" and not ENDED[info.status]
  local ended = odd and ", " .. info.status or ""
  return ("%s%s, seed %s%s"):format(tostring(info.experiment or "run"),
    data and ", " .. tostring(data) or "", tostring(info.seed), ended)
end

---Draws a run, running or ended, into its plots/.
---@param dir string
---@return string|nil path   of the SVG; the PNG is in the same folder
---@return string? message
function M.run(dir)
  if not process.find "gnuplot" then return nil, "there is no gnuplot (package gnuplot-nox)" end
  local info = runs.read_info(dir)
  if info.status == "killed" then standing.clear(dir) end
  local commands, texts, height = M.commands(M.series(runs.read_metrics(dir)))
  if type(texts) == "string" then return nil, texts end
  texts.TITLE = title_of(info)
  local picture = { commands = commands, texts = texts, height = height }
  local ok, message = folders.make_folder(dir .. "/plots")
  for _, kind in ipairs { "png", "svg" } do
    local path = ("%s/plots/training.%s"):format(dir, kind)
    if ok then ok, message = gnuplot.draw(picture, kind, path) end
  end
  if not ok then return nil, message end
  return dir .. "/plots/training.svg"
end

return M
