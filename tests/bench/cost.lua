-- The time of a training example against batch size, parameters (by depth, by width), threads, and
-- number of examples.
--
--   ./swale lua tests/bench/cost.lua [SECONDS [PANEL…]]
--
-- writes docs/cost.{svg,json}, in two minutes or more. Panels: batch depth width examples threads;
-- those that are not named stay as they are in docs/cost.json.
--
-- Float32, SGD with momentum, N(0, 1) features of 784 elements, 10 classes; one thread, in CPU
-- time, but for the panel of threads. Each point is the median of its steps over SECONDS (0.3
-- unless told otherwise), of threads the least. Dashed: the multiply-adds of a step at the
-- processor's peak.
local core = require "swale.core"
local compile = require "swale.compile"
local folders = require "swale.folders"
local gnuplot = require "swale.gnuplot"
local measure = require "swale.bench.measure"
local peak = require "swale.bench.peak"
local sw = require "swale"

local SECONDS = tonumber(arg[1]) or 0.3

local MOST = 100000
local x, y = require("swale.bench.network").examples({ features = { 784 } }, MOST)

local function source(examples)
  return core.source { x = x:narrow(1, 1, examples), y = y:narrow(1, 1, examples), classes = 10 }
end

local function network(widths)
  local layers, last = {}, 784
  for _, width in ipairs(widths) do
    layers[#layers + 1] = sw.nn.Linear(last, width)
    layers[#layers + 1] = sw.nn.ReLU()
    last = width
  end
  layers[#layers + 1] = sw.nn.Linear(last, 10)
  return sw.nn.Sequential(layers):build { seed = 0 }
end

-- Microseconds of an example's multiply-adds at the peak: three products a layer, two for the
-- first.
local function floor_of(widths)
  local all, last = 0, 784
  for i = 1, #widths + 1 do
    local width = widths[i] or 10
    all = all + last * width * (i == 1 and 2 or 3)
    last = width
  end
  return 2 * all / peak.gflops() / 1e3
end

-- Microseconds an example, and the number of weights.
local function cost(widths, batch, data)
  local model = network(widths)
  local graph = compile.graph(model.layer, sw.loss.cross_entropy,
    { features = { 784 }, labels = true })
  local loop = core.loop { program = graph:train(), weights = model:weights(), source = data }
  loop:set("lr", 1e-6) -- batches of 1 diverge at usual rates
  loop:set("momentum", 0.9)
  loop:set("batch_size", batch)
  local step = measure.calls(function() assert(loop:advance(1)) end, SECONDS)
  return step.median_ms * 1e3 / batch, #model:weights(), step.min_ms * 1e3 / batch
end

-- ------------------------------------------------------------------ what is measured

local NETWORKS = {
  { name = "784-10", widths = {} },
  { name = "784-100-10", widths = { 100 } },
  { name = "784-800-800-10", widths = { 800, 800 } },
}

local function add(list, series, at, us, floor)
  list[#list + 1] = { series = series, x = at, us_per_example = us, at_peak = floor }
  print(("%-24s %9d %9.3f us an example"):format(series, at, us))
end

local function by_batch(data)
  local list = {}
  for _, n in ipairs(NETWORKS) do
    for power = 0, 12 do
      add(list, n.name, 2 ^ power | 0, (cost(n.widths, 2 ^ power | 0, data)))
    end
  end
  return list
end

-- Networks of several sizes, at two batch sizes; at(size, weights) is where a point stands.
local function by_size(data, sizes, widths_of, at)
  local list = {}
  for _, batch in ipairs { 32, 256 } do
    for _, size in ipairs(sizes) do
      local widths = widths_of(size)
      local us, weights = cost(widths, batch, data)
      add(list, "batch " .. batch, at(size, weights), us, floor_of(widths))
    end
  end
  return list
end

local function by_depth(data)
  return by_size(data, { 1, 2, 4, 8, 16, 32 }, function(depth)
    local widths = {}
    for i = 1, depth do widths[i] = 256 end
    return widths
  end, function(_, weights) return weights end)
end

local function by_width(data)
  return by_size(data, { 16, 32, 64, 128, 256, 512, 1024, 2048 },
    function(width) return { width, width } end, function(width) return width end)
end

local function by_threads(data)
  local list = {}
  measure.use_clock "wall"
  for _, n in ipairs(NETWORKS) do
    for threads = 1, core.cores() do
      core.set_threads(threads)
      local _, _, least = cost(n.widths, 256, data)
      add(list, n.name .. ", batch 256", threads, least)
    end
  end
  core.set_threads(1)
  measure.use_clock "cpu"
  return list
end

local function by_examples()
  local list = {}
  for _, examples in ipairs { 300, 1000, 3000, 10000, 30000, MOST } do
    local set = source(examples)
    for i = 1, 2 do
      add(list, NETWORKS[i].name .. ", batch 32", examples, (cost(NETWORKS[i].widths, 32, set)))
    end
  end
  return list
end

-- ------------------------------------------------------------------ the picture

local COLOURS = { "#0072b2", "#d55e00", "#009e73" }
local AXIS = "set xtics auto\nset format x '%.0s%c'\nset autoscale x\n" -- 10k, 1M

-- The points of each series, as gnuplot's data, in the order in which they come.
local function series_of(list)
  local order, lines, floors = {}, {}, {}
  for _, p in ipairs(list) do
    if not lines[p.series] then
      order[#order + 1] = p.series
      lines[p.series] = {}
    end
    table.insert(lines[p.series], ("%g %g"):format(p.x, p.us_per_example))
    if p.at_peak and p.series == order[1] then
      floors[#floors + 1] = ("%g %g"):format(p.x, p.at_peak)
    end
  end
  return order, lines, floors
end

-- A panel's data, and the commands that draw it; its texts are added to `texts`.
local function panel(p, origin, texts)
  local order, lines, floors = series_of(p.points)
  local blocks, plots, least, most = {}, {}, math.huge, 0
  for _, point in ipairs(p.points) do
    least = math.min(least, point.at_peak or point.us_per_example)
    most = math.max(most, point.us_per_example)
  end
  local function curve(key, points, title, style)
    local name = ("%s%d"):format(key, origin)
    texts["NAME_" .. name] = title
    blocks[#blocks + 1] = ("$%s << EOD\n%s\nEOD\n"):format(name, table.concat(points, "\n"))
    plots[#plots + 1] = ("$%s using 1:2 with %s title NAME_%s"):format(name, style, name)
  end
  for i, name in ipairs(order) do
    curve(("S%d_"):format(i), lines[name], name,
      ("linespoints pt 7 ps 0.5 lw 2 lc rgb '%s'"):format(COLOURS[i]))
  end
  if floors[1] then
    curve("F", floors, "at the processor's peak", "lines dt 2 lw 1.5 lc rgb '#888888'")
  end
  texts["TITLE_" .. origin], texts["ALONG_" .. origin] = p.title, p.along
  return table.concat(blocks), ("set title TITLE_%d\nset xlabel ALONG_%d\n%s"
    .. "set yrange [%g:%g]\nplot %s\n"):format(origin, origin, p.axis or AXIS, least / 2, most * 20,
    table.concat(plots, ", "))
end

local function draw(result)
  local cores, counts = 1, {}
  for _, p in ipairs(result.threads) do cores = math.max(cores, p.x) end
  for i = 1, cores do counts[i] = i end
  local panels = {
    { points = result.batch, title = "Batch size", along = "batch size" },
    { points = result.depth, title = "Depth: 784-256-…-256-10", along = "parameters" },
    { points = result.width, title = "Width: 784-w-w-10", along = "w" },
    { points = result.examples, title = "Size of the data set", along = "training examples" },
    { points = result.threads, title = "Threads", along = "threads",
      axis = ("set xtics (%s)\nset format x '%%g'\nset xrange [0.8:%g]\n"):format(
        table.concat(counts, ","), cores * 1.2) },
  }
  local blocks, plots, texts = {}, {}, { UNIT = "microseconds an example" }
  for i, p in ipairs(panels) do blocks[i], plots[i] = panel(p, i, texts) end
  local commands = gnuplot.HEAD .. "\nset key top left\nset logscale xy\nset format y '%g'\n"
    .. table.concat(blocks) .. "set ylabel UNIT\nset multiplot layout 3,2\n"
    .. table.concat(plots) .. "unset multiplot\n"
  assert(gnuplot.draw({ texts = texts, height = 1200, width = 1000, commands = commands }, "svg",
    "docs/cost.svg"))
end

-- ------------------------------------------------------------------ all of it

local PANELS = { batch = by_batch, depth = by_depth, width = by_width, examples = by_examples,
  threads = by_threads }

local function measured(names)
  core.set_threads(1)
  measure.use_clock "cpu"
  local data = source(60000)
  local result = #names > 0 and core.json_decode(assert(folders.read "docs/cost.json")) or {}
  if #names == 0 then names = { "batch", "depth", "width", "examples", "threads" } end
  result.variant, result.gflops_per_thread = core.variant(), peak.gflops()
  for _, name in ipairs(names) do result[name] = PANELS[name](data) end
  return result
end

local result = measured { table.unpack(arg, 2) }
assert(core.write_file("docs/cost.json", core.json_encode(result, 1) .. "\n"))
draw(result)
