local fits = require "fits"
local sw = require "swale"

-- ------------------------------------------------------------------ figures

local COLOURS = { "blue", "vermilion", "green" }

--- Steps over batch sizes at three losses, with their fits; beside it the batch sizes by loss.
local function trade_off(runs, file)
  local data = fits.main(runs)
  local steps = { x_log = true, y_log = true, x_label = "batch size", y_label = "steps" }
  local pareto = { x_log = true, y_log = true, x_label = "steps", y_label = "examples",
    legend = "none" }
  for i = 1, 3 do
    local f = fits.fit(runs, data, i)
    local label, x, s, e = ("loss %g"):format(f.loss), {}, {}, {}
    for k = 0, 48 do
      local b = 2 ^ (k / 4)
      x[#x + 1], s[#s + 1] = b, f:steps(b).value
      e[#e + 1] = b * s[#s]
    end
    steps[#steps + 1] = { x = x, y = s, colour = COLOURS[i], label = label }
    pareto[#pareto + 1] = { x = s, y = e, colour = COLOURS[i] }
    local points = { {}, {}, {} }
    for k, p in ipairs(f.points) do
      points[1][k], points[2][k], points[3][k] = p.batch, p.steps, p.examples
    end
    steps[#steps + 1] = { x = points[1], y = points[2], as = "points", colour = COLOURS[i] }
    pareto[#pareto + 1] = { x = points[2], y = points[3], as = "points", colour = COLOURS[i] }
  end
  sw.plot { file = file, columns = 2, panels = { steps, pareto } }
end

--- A panel of noise scales along one training.
local function growth_panel(run, title)
  local b = run.summary.marks
  local panel = { title = title, x_log = true, y_log = true, x_label = "step",
    y_label = "examples", legend = "top left" }
  local series = { B_simple = {}, B_noise = {}, window = {} }
  local x = {}
  for i, m in ipairs(b) do
    x[i] = m.step
    series.B_simple[i] = m.signal > 0 and m.noise / m.signal or 0 / 0
    series.B_noise[i] = m.curvature > 0 and m.noise_curvature > 0
      and m.noise_curvature / m.curvature or 0 / 0
    local window = tonumber(m.window)
    series.window[i] = window and window > 0 and window or 0 / 0
  end
  for _, s in ipairs { { "B_simple", "grey", "B_simple of all" }, { "B_noise", "green", "B_noise" },
    { "window", "blue", "B_simple of the last 64 steps" } } do
    panel[#panel + 1] = { x = x, y = series[s[1]], colour = s[2], label = s[3] }
  end
  return panel
end

local function growth(runs, file)
  local panels, seen = {}, {}
  for _, data in ipairs { fits.main(runs), "digits" } do
    local run = not seen[data] and runs:list("noise", { data = data })[1]
    seen[data] = true
    if run then panels[#panels + 1] = growth_panel(run, data) end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

--- Geometric mean of a number of each run, with its interval.
local function mean(values)
  local logs = {}
  for _, v in ipairs(values) do
    if type(v) == "number" and v > 0 then logs[#logs + 1] = math.log(v) end
  end
  if #logs < 2 then return sw.estimate { value = logs[1] and math.exp(logs[1]) or 0 / 0 } end
  local m = sw.stats.mean(logs)
  return sw.estimate { value = math.exp(m.value), low = math.exp(m.low), high = math.exp(m.high) }
end

--- B_crit, B_simple, B_noise and branches at the three losses.
local function sizes(runs, file)
  local data, lines = fits.main(runs), { {}, {}, {}, {} }
  local losses = {}
  for i, name in ipairs { "first", "second", "third" } do
    losses[i] = fits.fit(runs, data, i).loss
    lines[1][i] = mean(fits.values(runs, data, i, "b_crit"))
    lines[2][i] = mean(runs:values("noise", { data = data }, name .. ".b_simple"))
    lines[3][i] = mean(runs:values("noise", { data = data }, name .. ".b_noise"))
    local branches = {}
    for _, run in ipairs(runs:list("branched", { data = data })) do
      branches[#branches + 1] = run.summary.at[i] and run.summary.at[i].b_crit
    end
    lines[4][i] = mean(branches)
  end
  local picture = { file = file, y_log = true, x_label = "training loss", y_label = "batch size" }
  for k, name in ipairs { "B_crit", "B_simple", "B_noise", "branches" } do
    picture[k] = { x = losses, y = lines[k], as = "both", label = name }
  end
  sw.plot(picture)
end

local function line_search(runs, file)
  local run = runs:list("line_search", { data = fits.main(runs) })[1]
  local x, found, formula = {}, {}, {}
  for i, p in ipairs(run.summary.points) do
    x[i], formula[i] = p.batch, p.formula
    found[i] = sw.estimate { value = p.found, low = p.low, high = p.high }
  end
  sw.plot { file = file, x_log = true, y_log = true, x_label = "batch size",
    y_label = "best learning rate of a step", legend = "bottom right",
    { x = x, y = formula, label = "eps_max / (1 + B_noise / B)" },
    { x = x, y = found, as = "points", colour = "vermilion", label = "parabola" } }
end

local function temperature(runs, file)
  local series = { {}, {} }
  for k, where in ipairs { { lr = 0.05 }, { batch = 4 } } do
    local by, all = {}, {}
    for _, run in ipairs(runs:list("temperature", where)) do
      local x = run.params.batch / run.params.lr
      if not by[x] then by[x], all[#all + 1] = {}, x end
      table.insert(by[x], run.summary.b_simple)
    end
    table.sort(all)
    local y = {}
    for i, x in ipairs(all) do y[i] = mean(by[x]) end
    series[k] = { x = all, y = y, as = "both", label = k == 1 and "B grows" or "eps falls" }
  end
  local first = series[1]
  local law = {}
  for i, x in ipairs(first.x) do law[i] = first.y[1].value * x / first.x[1] end
  sw.plot { file = file, x_log = true, y_log = true, x_label = "B / eps", y_label = "B_simple",
    legend = "top left", series[1], series[2],
    { x = first.x, y = law, dash = "dashed", colour = "grey", label = "in proportion" } }
end

--- The trade-off of the first noisy quadratic.
local function quadratic(runs, file)
  local s = runs:list("quadratic")[1].summary
  local x, y, grid, fit = {}, {}, {}, {}
  for i, p in ipairs(s.points) do x[i], y[i] = p.batch, p.steps end
  for k = 0, 16 do
    grid[k + 1] = x[1] * (x[#x] / x[1]) ^ (k / 16)
    fit[k + 1] = s.s_min + s.e_min / grid[k + 1]
  end
  sw.plot { file = file, x_log = true, y_log = true, x_label = "batch size", y_label = "steps",
    { x = grid, y = fit, label = "S_min + E_min / B" },
    { x = x, y = y, as = "points", colour = "vermilion", label = "least steps over rates" } }
end

-- ------------------------------------------------------------------ the paper

local BATCHES = { 1, 4, 16, 64, 256 }

return sw.paper {
  title = "An empirical model of large-batch training",
  citation = "McCandlish, Kaplan, Amodei et al. 2018, arXiv 1812.06162",
  work = {
    { "steps.lua", { data = "fashion-mnist", rates = 5,
      batch = { 1, 4, 16, 64, 256, 1024, 4096 } }, seeds = 10,
      quick = { { data = "digits", batch = BATCHES, rates = 3 }, seeds = 3 },
      pilot = { {}, seeds = 4 } },
    { "steps.lua", { data = "digits", batch = { 1, 2, 4, 8, 16, 32, 64, 128, 256 } }, seeds = 10,
      quick = false, pilot = { {}, seeds = 6 } },
    { "noise.lua", { data = "fashion-mnist", examples = 500, final = 0.3 }, seeds = 10,
      quick = { { data = "digits", examples = 200, final = 0.15 }, seeds = 3 },
      pilot = { {}, seeds = 4 } },
    { "noise.lua", { data = "digits" }, seeds = 10, quick = false },
    { "window.lua", {}, seeds = 20, quick = { { window = 64 }, seeds = 3 } },
    { "branched.lua", { data = "fashion-mnist", batch = 8, doublings = 9 }, seeds = 4,
      quick = { { data = "digits", batch = 4, doublings = 6, repeats = 2 }, seeds = 3 } },
    { "line_search.lua", { data = "fashion-mnist", largest = 4096 }, seeds = 10,
      quick = { { data = "digits", largest = 256, draws = 16 }, seeds = 3 } },
    { "temperature.lua", { lr = 0.05, batch = { 4, 8, 16, 32 } }, seeds = 10,
      quick = { { rest = 20.0, measured = 40.0, marks = 20 }, seeds = 3 } },
    { "temperature.lua", { lr = { 0.025, 0.0125, 0.00625 }, batch = 4 }, seeds = 10,
      quick = { { rest = 20.0, measured = 40.0, marks = 20 }, seeds = 3 } },
    { "quadratic.lua", {}, seeds = 20, quick = { { dimensions = 3, target = 0.2 }, seeds = 3 } },
    { "adaptive.lua", { scale = { 0.5, 1.0, 2.0 } }, seeds = 10,
      quick = { { scale = { 0.5, 1.0 }, rates = 3 }, seeds = 3 }, pilot = { {}, seeds = 6 } },
  },
  figures = {
    { "trade_off.svg", "Steps and examples to three training losses, at the best rate of each batch"
      .. " size, with S = S_min + E_min / B", trade_off },
    { "sizes.svg", "The critical batch size, noise scales and branches at three losses (mean over"
      .. " seeds, 95 %)", sizes },
    { "growth.svg", "Noise scales along a training (B = 32, first seed)", growth },
    { "line_search.svg", "The best rate of a single step over the batch size (first seed)",
      line_search },
    { "temperature.svg", "B_simple at rest over B / eps, where B grows and where eps falls",
      temperature },
    { "quadratic.svg", "Steps over the batch size on a noisy quadratic, exact (first seed)",
      quadratic },
  },
}
