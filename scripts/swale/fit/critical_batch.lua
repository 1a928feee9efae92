--- The critical batch size from runs to a target loss.
local class = require "swale.class"
local errors = require "swale.errors"
local figure = require "swale.plot.figure"
local hyperbola = require "swale.fit.hyperbola"
local options = require "swale.options"
local percentile = require "swale.stats.percentile"
local runs = require "swale.fit.runs"
local stats = require "swale.stats"

local M = {}

local LEAST_SEEDS, LEAST_DRAWS = 8, 200

---@class swale.CriticalBatch
---@field b_crit swale.Estimate     E_min / S_min
---@field s_min swale.Estimate      steps that no batch size can do without
---@field e_min swale.Estimate      examples that no number of steps can do without
---@field points swale.CriticalPoint[]   one a batch size
---@field warnings string[]         what the runs cannot tell
---@field target number|nil         the loss
---@field r_squared number          of log(steps); how well a hyperbola fits
---@field seeds integer
local CriticalBatch = class.new("critical_batch", { name = "swale.CriticalBatch", fields = {
  "b_crit", "s_min", "e_min", "points", "warnings", "target", "r_squared", "seeds" } })

---@class swale.CriticalPoint
---@field batch number
---@field lr number             the best rate
---@field steps number          geometric mean over seeds; infinite if no run reached the target
---@field examples number
---@field reached integer       seeds that did
---@field edge boolean          no larger, or no smaller rate was tried

function CriticalBatch:__tostring()
  local lines = { ("B_crit %s"):format(self.b_crit), ("S_min %s"):format(self.s_min),
    ("E_min %s"):format(self.e_min) }
  for _, warning in ipairs(self.warnings) do lines[#lines + 1] = "warning: " .. warning end
  return table.concat(lines, "\n")
end

---Steps to the target at a batch size, by the fit.
---@param batch number
---@return swale.Estimate
function CriticalBatch:steps(batch)
  options.value("critical_batch:steps", "batch", batch, "positive")
  local draws = {}
  for i, h in ipairs(self.draws) do draws[i] = h and hyperbola.steps(h, batch) or 0 / 0 end
  return percentile.estimate(hyperbola.steps(self.fit, batch), draws, { level = self.level,
    units = self.seeds, signed = false, log = true,
    target = ("steps at batch size %g"):format(batch) })
end

-- ------------------------------------------------------------------ one fit a seed

---@class swale.SeedFit
---@field seed integer
---@field b_crit number
---@field s_min number
---@field e_min number
---@field deviation number    of log(steps) from the curve, with n - 2 degrees of freedom

--- Of log(steps) from the curve, over the batch sizes that reached the target.
local function deviation_from(h, batches, cells)
  local squares, n = 0, 0
  for b, cell in ipairs(cells) do
    if cell.reached > 0 then
      squares, n = squares + (cell.mean - math.log(hyperbola.steps(h, batches[b]))) ^ 2, n + 1
    end
  end
  return n > 2 and math.sqrt(squares / (n - 2)) or 0 / 0
end

---A fit to the runs of each seed alone, for statistics over seeds. The rates are those that are
---best for the other seeds: one chosen by the seed itself would be quick by chance.
---@return swale.SeedFit[]   in order of seed; a seed that never reached the target is left out
function CriticalBatch:by_seed()
  local t, fits = self.runs, {}
  for k, column in ipairs(t.columns) do
    local others, cells = {}, {}
    for i, other in ipairs(t.columns) do
      if i ~= k then others[#others + 1] = other end
    end
    for b, best in ipairs(runs.best(t, others)) do
      cells[b] = runs.cell(t, { column }, best.index)
    end
    local h = hyperbola.fit(t.batches, cells, t.deviation)
    if h then
      fits[#fits + 1] = { seed = t.names[k], b_crit = h.b_crit, s_min = h.s_min, e_min = h.e_min,
        deviation = deviation_from(h, t.batches, cells) }
    end
  end
  return fits
end

-- ------------------------------------------------------------------ picture

local CURVE = 60 -- points of the curve

--- Series of steps over batch sizes: the fit with its band, the runs, the two limits.
local function steps_panel(self)
  local x, y, points = {}, {}, { x = {}, y = {} }
  local first, last = self.points[1].batch, self.points[#self.points].batch
  for i = 0, CURVE do
    x[i + 1] = first * (last / first) ^ (i / CURVE)
    y[i + 1] = self:steps(x[i + 1])
  end
  for i, p in ipairs(self.points) do points.x[i], points.y[i] = p.batch, p.steps end
  return { x_log = true, y_log = true, x_label = "batch size", y_label = "steps to the target",
    { x = x, y = y, label = "S_min + E_min / B" },
    { x = points.x, y = points.y, as = "points", mark = 1, colour = "vermilion",
      label = "best rate" },
    { x = { self.b_crit.value }, as = "vertical", colour = "grey", dash = "dashed",
      label = "B_crit" } }
end

--- Batch sizes side by side: B_crit and others, as the noise scale.
local function sizes_panel(self, others)
  local names, values = { "B_crit" }, { self.b_crit }
  for _, name in ipairs(errors.sorted_keys(others)) do
    names[#names + 1] = name
    values[#values + 1] = options.value("critical_batch:plot", name, others[name], "Estimate")
  end
  return { y_log = true, y_label = "batch size", legend = "none", x_range = { 0.5, #names + 0.5 },
    { x = names, y = values, as = "points", colour = "vermilion", point_size = 1.2 } }
end

---Draws steps over batch sizes with the fit; beside it B_crit and other batch sizes, as the noise
---scale or that of a branched measurement:  fit:plot("fit.svg", { B_simple = noise.b_simple })
---@param file string          .svg, .png or .pdf
---@param others? table<string, swale.Estimate>
---@return string file
function CriticalBatch:plot(file, others)
  options.value("critical_batch:plot", "others", others, "table?")
  local picture = { file = file, panels = { steps_panel(self) } }
  if others and next(others) then
    picture.columns, picture.panels[2] = 2, sizes_panel(self, others)
  end
  return figure.draw("critical_batch:plot", picture)
end

-- ------------------------------------------------------------------ points and warnings

local function points_of(table_of_runs, cells)
  local points = {}
  for b, cell in ipairs(cells) do
    local rates, batch = table_of_runs.rates[b], table_of_runs.batches[b]
    local steps = math.exp(cell.mean)
    points[b] = { batch = batch, lr = cell.lr, steps = steps, examples = batch * steps,
      reached = cell.reached,
      edge = #rates > 1 and (cell.lr == rates[1] or cell.lr == rates[#rates]) }
  end
  return points
end

local function list_of(points, test)
  local list = {}
  for _, p in ipairs(points) do
    if test(p) then list[#list + 1] = ("%g"):format(p.batch) end
  end
  return #list > 0 and table.concat(list, ", ") or nil
end

local function straddle_warning(points, b_crit)
  local first, last = points[1].batch, points[#points].batch
  if b_crit > first and b_crit < last then return nil end
  return b_crit <= first
    and ("all batch sizes, %g to %g, are above B_crit: S_min is measured, E_min is not"):format(
      first, last)
    or ("all batch sizes, %g to %g, are below B_crit: E_min is measured, S_min is not"):format(
      first, last)
end

local function warnings_of(points, b_crit, seeds)
  local list = { straddle_warning(points, b_crit) }
  local edges = list_of(points, function(p) return p.edge and p.reached > 0 end)
  local never = list_of(points, function(p) return p.reached == 0 end)
  local partly = list_of(points, function(p) return p.reached > 0 and p.reached < seeds end)
  if edges then
    list[#list + 1] = ("the best rate is the least or the largest tried at batch %s"):format(edges)
  end
  if never then list[#list + 1] = ("no run reached the target at batch %s"):format(never) end
  if partly then list[#list + 1] = ("not every seed reached it at batch %s"):format(partly) end
  if seeds < LEAST_SEEDS then
    list[#list + 1] = ("%d seeds give no interval; it takes %d"):format(seeds, LEAST_SEEDS)
  end
  return list
end

--- The share of the variance of log(steps) over batch sizes that the curve explains.
local function r_squared(points, h)
  local mean, n, rest, all = 0, 0, 0, 0
  for _, p in ipairs(points) do
    if p.reached > 0 then mean, n = mean + math.log(p.steps), n + 1 end
  end
  for _, p in ipairs(points) do
    if p.reached > 0 then
      rest = rest + (math.log(p.steps) - math.log(hyperbola.steps(h, p.batch))) ^ 2
      all = all + (math.log(p.steps) - mean / n) ^ 2
    end
  end
  return all > 0 and 1 - rest / all or 0
end

-- ------------------------------------------------------------------ intervals

local NAMES = { "b_crit", "s_min", "e_min" }

local TARGET = "%s of runs at the best rates tried"

local function limits(name, e, few)
  if few then
    e:update("unresolved", e.value, 0, math.huge, few)
  elseif e.high == math.huge then
    e:because("no batch size is surely above it")
  elseif e.low == 0 and name == "b_crit" then
    e:update("unresolved", e.value, 0, e.high, "no batch size is surely below it")
  end
  return e
end

--- Draws seeds, each with all its runs; the best rates are chosen anew in each draw.
local function intervals(table_of_runs, o)
  local draws, first = {}, true
  local function statistic(columns)
    local h = hyperbola.fit(table_of_runs.batches, runs.best(table_of_runs, columns),
      table_of_runs.deviation)
    if first then first = false else draws[#draws + 1] = h or false end
    local values = {}
    for _, name in ipairs(NAMES) do values[name] = h and h[name] or 0 / 0 end
    return values
  end
  local few = table_of_runs.seeds < LEAST_SEEDS and "too few seeds" or nil
  local estimates = stats.bootstrap(table_of_runs.columns, statistic, { draws = o.bootstrap,
    level = o.level, seed = o.seed, signed = false, log = true })
  for name, e in pairs(estimates) do
    e.target = TARGET:format(name)
    limits(name, e, few)
  end
  return estimates, draws
end

local SPEC = { target = "number?", bootstrap = { "count", 1000 }, level = { "positive", 0.95 },
  seed = { "integer", 1 } }

---@class swale.CriticalBatchOptions
---@field target? number       the loss of the runs; chooses rows that have several
---@field bootstrap? integer   draws; 1000
---@field level? number        0.95
---@field seed? integer        of the draws; 1

---Fits steps to a target loss over batch sizes (McCandlish et al. 2018, eqs. 2.11 and 2.12):
---    S = S_min + E_min / B,  that is (S / S_min - 1) (E / E_min - 1) = 1;  B_crit = E_min / S_min
---in log space, at the best rate of each batch size. Rows are runs { batch, lr, seed, steps,
---reached }, by name: every seed at every batch size and rate. A run that did not reach the target
---has reached = false and the steps it made; it counts as one that takes more (log(steps) is taken
---for normal, with the deviation of the others). The intervals draw seeds with all their runs and
---choose the best rates anew in each draw; they need 8 seeds. The lowest of several noisy means is
---low: with many rates near the best one S_min and E_min are both too small, B_crit is not. Cost:
---0.25 ms a draw for 8 batch sizes, 5 rates and 8 seeds; more where runs are censored.
---@param rows swale.RunRow[]
---@param o? swale.CriticalBatchOptions
---@return swale.CriticalBatch
function M.critical_batch(rows, o)
  o = options.check("fit.critical_batch", o, SPEC)
  if o.bootstrap < LEAST_DRAWS then
    errors.misuse("fit.critical_batch: an interval takes %d draws or more, not bootstrap = %d",
      LEAST_DRAWS, o.bootstrap)
  end
  local table_of_runs = runs.of("fit.critical_batch", rows, o.target)
  if #table_of_runs.batches < 3 then
    errors.misuse("fit.critical_batch: needs 3 batch sizes or more, got %d", #table_of_runs.batches)
  elseif table_of_runs.seeds < 2 then
    errors.misuse("fit.critical_batch: needs %d seeds, got %d", LEAST_SEEDS, table_of_runs.seeds)
  end
  local cells = runs.best(table_of_runs, table_of_runs.columns)
  local h = hyperbola.fit(table_of_runs.batches, cells, table_of_runs.deviation)
  if not h then errors.misuse "fit.critical_batch: no run reached the target" end
  local points = points_of(table_of_runs, cells)
  local fit, draws = intervals(table_of_runs, o)
  fit.fit, fit.draws, fit.level, fit.points, fit.target = h, draws, o.level, points, o.target
  fit.runs = table_of_runs
  fit.seeds, fit.r_squared = table_of_runs.seeds, r_squared(points, h)
  fit.warnings = warnings_of(points, h.b_crit, fit.seeds)
  return setmetatable(fit, CriticalBatch)
end

return M
