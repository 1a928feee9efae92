-- The time of a training example against batch size, number of examples, and number of parameters.
--
--   ./swale lua tests/bench/cost.lua [SECONDS]    a minute or more; writes docs/cost.{svg,json}
--
-- One thread, float32, SGD with momentum, N(0, 1) features of 784 elements, 10 classes. Each point
-- is the median of its steps over SECONDS (0.3 unless told otherwise).
local core = require "swale.core"
local compile = require "swale.compile"
local gnuplot = require "swale.gnuplot"
local sw = require "swale"
local clock = require("luv").hrtime

local SECONDS = tonumber(arg[1]) or 0.3

local MOST = 100000
local random = core.random(0, "bench")
local x = random:fill_normal(core.zeros { MOST, 784 }, 0, 1)
local y = core.zeros({ MOST }, "int32")
for i = 1, MOST do y:set(i, random:integer(10) - 1) end

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

-- Microseconds an example, and the number of weights.
local function cost(widths, batch, data)
  local model = network(widths)
  local graph = compile.graph(model.layer, sw.loss.cross_entropy,
    { features = { 784 }, labels = true })
  local loop = core.loop { program = graph:train(), weights = model:weights(), source = data }
  loop:set("lr", 0.01)
  loop:set("momentum", 0.9)
  loop:set("batch_size", batch)
  assert(loop:advance(3))
  local times, total = {}, 0
  while total < SECONDS * 1e9 or #times < 5 do
    local begun = clock()
    assert(loop:advance(1))
    times[#times + 1] = clock() - begun
    total = total + times[#times]
  end
  table.sort(times)
  return times[#times // 2 + 1] / 1e3 / batch, #model:weights()
end

local NETWORKS = {
  { name = "784-10", widths = {} },
  { name = "784-100-10", widths = { 100 } },
  { name = "784-800-800-10", widths = { 800, 800 } },
}

core.set_threads(1)
local result = { batch = {}, examples = {}, parameters = {}, variant = core.variant(),
  blas = core.blas() }

local function add(list, series, at, us)
  list[#list + 1] = { series = series, x = at, us_per_example = us }
  print(("%-16s %9d %9.3f us an example"):format(series, at, us))
end

do
  local data = source(60000)
  for _, n in ipairs(NETWORKS) do
    for power = 0, 12 do
      add(result.batch, n.name, 2 ^ power | 0, (cost(n.widths, 2 ^ power | 0, data)))
    end
  end
  for _, width in ipairs { 16, 32, 64, 128, 256, 512, 1024, 2048 } do
    for _, batch in ipairs { 32, 256 } do
      local us, weights = cost({ width }, batch, data)
      add(result.parameters, "batch " .. batch, weights, us)
    end
  end
end
for _, examples in ipairs { 300, 1000, 3000, 10000, 30000, MOST } do
  local set = source(examples)
  for _, n in ipairs { NETWORKS[1], NETWORKS[2] } do
    add(result.examples, n.name .. ", batch 32", examples, (cost(n.widths, 32, set)))
  end
end

-- ------------------------------------------------------------------ the picture

local COLOURS = { "#0072b2", "#d55e00", "#009e73" }

local function panel(list, origin, title, xlabel)
  local order, lines, plots = {}, {}, {}
  for _, p in ipairs(list) do
    if not lines[p.series] then
      order[#order + 1] = p.series
      lines[p.series] = {}
    end
    table.insert(lines[p.series], ("%g %g"):format(p.x, p.us_per_example))
  end
  local blocks = {}
  for i, name in ipairs(order) do
    blocks[i] = ("$d%d_%d << EOD\n%s\nEOD\n"):format(origin, i, table.concat(lines[name], "\n"))
    plots[i] = ("$d%d_%d using 1:2 with linespoints pt 7 ps 0.5 lw 2 lc rgb '%s' title %s"):format(
      origin, i, COLOURS[i], gnuplot.quoted(name))
  end
  return table.concat(blocks), ("set title %s\nset xlabel %s\nplot %s\n"):format(
    gnuplot.quoted(title), gnuplot.quoted(xlabel), table.concat(plots, ", "))
end

local panels = {
  { result.batch, "Cost of a training example", "batch size" },
  { result.parameters, "784-h-10", "parameters" },
  { result.examples, "Number of training examples", "training examples" },
}
local blocks, plots = {}, {}
for i, p in ipairs(panels) do blocks[i], plots[i] = panel(p[1], i, p[2], p[3]) end
local commands = gnuplot.HEAD .. "\n" .. table.concat(blocks)
  .. "set logscale xy\nset format x '10^{%L}'\nset ylabel 'microseconds an example'\n"
  .. "set multiplot layout 3,1\n" .. table.concat(plots) .. "unset multiplot\n"
assert(gnuplot.draw(commands, "svg", "docs/cost.svg", 1100))
assert(core.write_file("docs/cost.json", core.json_encode(result, 1) .. "\n"))
