--- sw.fit.critical_batch against synthetic runs whose law is known.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

TestCriticalBatch = {}

local BATCHES = { 8, 16, 32, 64, 128, 256, 512, 1024 }
local RATES = { 0.25, 0.5, 1, 1.5, 1.8 } -- in units of the best one, eps_max / (1 + B_crit / B)

local S_MIN, E_MIN = 1000, 96000

--- Runs of one law: steps at rate x times the best one are more by 1 / (2 x - x^2), as on a
--- quadratic; log(steps) has a part of the seed and a part of the run.
local function runs(random, o)
  local rows = {}
  for seed = 1, o.seeds or 8 do
    local effect = (o.noise or 0.1) * random:normal()
    for _, batch in ipairs(o.batches or BATCHES) do
      for _, x in ipairs(o.rates or RATES) do
        local ideal = (S_MIN + E_MIN / batch) / (2 * x - x * x)
        local steps = math.ceil(ideal * math.exp(effect + (o.noise or 0.1) * random:normal()))
        local limit = o.limit or steps
        rows[#rows + 1] = { batch = batch, lr = x / (1 + 96 / batch), seed = seed,
          steps = math.min(steps, limit), reached = steps <= limit }
      end
    end
  end
  return rows
end

local function fit(random, o)
  return sw.fit.critical_batch(runs(random, o), { bootstrap = o.bootstrap or 200 })
end

-- Without noise the law comes back, but for steps that are whole.
function TestCriticalBatch:test_a_law_without_noise_is_found()
  local f = fit(sw.random(1), { noise = 0 })
  lu.assert_almost_equals(f.s_min.value / S_MIN, 1, 1e-3)
  lu.assert_almost_equals(f.e_min.value / E_MIN, 1, 1e-3)
  lu.assert_almost_equals(f.b_crit.value, 96, 0.1)
  lu.assert_almost_equals(f.r_squared, 1, 1e-6)
  lu.assert_equals(f.warnings, {})
  for i, p in ipairs(f.points) do
    lu.assert_almost_equals(p.lr, 1 / (1 + 96 / BATCHES[i]), 1e-12)
    lu.assert_equals(p.reached, 8)
    lu.assert_almost_equals(p.steps, S_MIN + E_MIN / p.batch, 1)
  end
  lu.assert_almost_equals(f:steps(96).value, 2 * S_MIN, 2)
end

-- Each seed has a law of its own, S_min and E_min alike.
function TestCriticalBatch:test_by_seed_fits_each_seed_alone()
  local rows = {}
  for seed = 3, 5 do
    for _, batch in ipairs { 8, 64, 512 } do
      local steps = seed * (1000 + 96000 / batch)
      rows[#rows + 1] = { batch = batch, lr = 1, seed = seed, steps = steps, reached = true }
    end
  end
  local fits = sw.fit.critical_batch(rows, { bootstrap = 200 }):by_seed()
  lu.assert_equals(#fits, 3)
  for i, f in ipairs(fits) do
    lu.assert_equals(f.seed, i + 2)
    lu.assert_almost_equals(f.s_min / (1000 * f.seed), 1, 1e-4)
    lu.assert_almost_equals(f.b_crit, 96, 0.01)
    lu.assert_almost_equals(f.deviation, 0, 1e-4)
  end
end

-- Of a seed whose run at one rate was quick by chance, the rate that the others choose counts.
function TestCriticalBatch:test_by_seed_takes_the_rate_that_is_best_for_the_others()
  local rows = {}
  for seed = 1, 3 do
    for _, batch in ipairs { 8, 64, 512 } do
      for lr = 1, 2 do
        local lucky = seed == 1 and lr == 2
        local steps = (1000 + 96000 / batch) * (lr == 1 and 1 or lucky and 0.2 or 1.5)
        rows[#rows + 1] = { batch = batch, lr = lr, seed = seed, steps = steps, reached = true }
      end
    end
  end
  local fits = sw.fit.critical_batch(rows, { bootstrap = 200 }):by_seed()
  lu.assert_almost_equals(fits[1].s_min, 1000, 1)
end

--- The least of sum (log S - log(s + e / B))^2 over a fine grid of s and e.
local function grid_search(points, around_s, around_e)
  local best, s_best, e_best = math.huge, nil, nil
  for i = -60, 60 do
    for j = -60, 60 do
      local s, e = around_s * math.exp(i / 2000), around_e * math.exp(j / 2000)
      local sum = 0
      for _, p in ipairs(points) do
        sum = sum + (math.log(p.steps) - math.log(s + e / p.batch)) ^ 2
      end
      if sum < best then best, s_best, e_best = sum, s, e end
    end
  end
  return s_best, e_best
end

function TestCriticalBatch:test_the_fit_is_the_least_squares_of_log_steps()
  local f = fit(sw.random(3), {})
  local s, e = grid_search(f.points, f.s_min.value, f.e_min.value)
  lu.assert_almost_equals(f.s_min.value / s, 1, 1e-3)
  lu.assert_almost_equals(f.e_min.value / e, 1, 1e-3)
end

-- ------------------------------------------------------------------ runs that do not end

--- The likelihood of one batch's runs by its definition, integrated numerically.
local function likelihood(mean, deviation, values, bounds)
  local total = 0
  for _, y in ipairs(values) do total = total - 0.5 * ((y - mean) / deviation) ^ 2 end
  for _, bound in ipairs(bounds) do
    local sum, h = 0, deviation / 200
    for i = 0, 3000 do
      local z = (bound + i * h - mean) / deviation
      sum = sum + math.exp(-0.5 * z * z) * (i == 0 and 0.5 or 1) * h
    end
    total = total + math.log(sum / deviation / math.sqrt(2 * math.pi))
  end
  return total
end

function TestCriticalBatch:test_a_cell_that_is_partly_censored_has_the_most_likely_mean()
  local cells, deviation = require "swale.fit.runs", 0.3
  local values, bounds = { 6.1, 6.5, 6.3 }, { 6.4, 6.6 }
  local columns = {}
  for i, y in ipairs(values) do columns[i] = { y, open = { false } } end
  for _, y in ipairs(bounds) do columns[#columns + 1] = { y, open = { true } } end
  local cell = cells.cell({ cells = { { batch = 1, lr = 1 } }, deviation = deviation }, columns, 1)
  lu.assert_equals(cell.reached, 3)
  local function at(mean) return likelihood(mean, deviation, values, bounds) end
  lu.assert_almost_equals((at(cell.mean + 1e-4) - at(cell.mean - 1e-4)) / 2e-4, 0, 1e-2)
  lu.assert_true(at(cell.mean) > at(cell.mean + 0.01) and at(cell.mean) > at(cell.mean - 0.01))
end

-- The runs of batch 8 to 32 take 13,000, 7,000 and 4,000 steps, and are stopped at 4,000: what is
-- left, and that the others take more, gives the same law.
function TestCriticalBatch:test_runs_that_were_stopped_count()
  local f = fit(sw.random(2), { limit = 4000 })
  lu.assert_equals(f.points[1].reached, 0)
  lu.assert_equals(f.points[1].steps, math.huge)
  lu.assert_true(math.abs(math.log(f.b_crit.value / 96)) < 0.25, tostring(f))
  local text = table.concat(f.warnings, "\n")
  lu.assert_str_contains(text, "no run reached the target at batch 8, 16")
end

-- Taken for runs that reached the target they give another law.
function TestCriticalBatch:test_bounds_taken_for_steps_would_mislead()
  local rows = runs(sw.random(2), { limit = 4000 })
  for _, row in ipairs(rows) do row.reached = true end
  local f = sw.fit.critical_batch(rows, { bootstrap = 200 })
  lu.assert_true(f.b_crit.value < 80, tostring(f))
end

-- ------------------------------------------------------------------ what runs cannot tell

function TestCriticalBatch:test_batch_sizes_on_one_side_are_told()
  local low = fit(sw.random(1), { batches = { 1, 2, 3, 4 }, noise = 0.2 })
  lu.assert_str_contains(table.concat(low.warnings), "1 to 4, are below B_crit")
  lu.assert_equals(low.b_crit.status, "unresolved")
  lu.assert_equals(low.b_crit.high, math.huge)
  lu.assert_true(low.b_crit.low > 2, "the end that is sure: " .. tostring(low.b_crit))
  local high = fit(sw.random(1), { batches = { 4096, 8192, 16384 } })
  lu.assert_str_contains(table.concat(high.warnings), "4096 to 16384, are above B_crit")
  lu.assert_equals(high.b_crit.low, 0)
  lu.assert_equals(high.b_crit.status, "unresolved")
  lu.assert_true(high.b_crit.high < 4096)
end

function TestCriticalBatch:test_the_best_rate_at_the_end_of_its_grid_is_told()
  local f = fit(sw.random(1), { rates = { 0.25, 0.5 } })
  lu.assert_str_contains(table.concat(f.warnings),
    "the best rate is the least or the largest tried at batch 8, 16")
end

function TestCriticalBatch:test_few_seeds_give_no_interval()
  local f = fit(sw.random(1), { seeds = 5 })
  lu.assert_equals(f.b_crit.status, "unresolved")
  lu.assert_equals({ f.b_crit.low, f.b_crit.high }, { 0, math.huge })
  lu.assert_str_contains(table.concat(f.warnings), "5 seeds give no interval; it takes 8")
end

-- ------------------------------------------------------------------ coverage

--- How many of the intervals hold the truth.
local function covered(count, o)
  local hits = { b_crit = 0, s_min = 0, e_min = 0 }
  local truth = { b_crit = E_MIN / S_MIN, s_min = S_MIN, e_min = E_MIN }
  for seed = 1, count do
    local f = fit(sw.random(seed, "critical batch"), o)
    for name, value in pairs(truth) do
      if f[name].low <= value and value <= f[name].high then hits[name] = hits[name] + 1 end
    end
  end
  return hits
end

-- One rate of the grid is good. With several that are nearly as good, the lowest of their means is
-- below the truth by a part of the noise, about the same at each batch size.
function TestCriticalBatch:test_intervals_cover()
  local count, draws = coverage.replicates(12), coverage.LONG and 1000 or 200
  for _, limit in ipairs { false, 4000 } do
    local hits = covered(count, { seeds = 10, limit = limit or nil, bootstrap = draws })
    if coverage.LONG then
      print(("of %d: %d %d %d"):format(count, hits.b_crit, hits.s_min, hits.e_min))
    end
    for name, n in pairs(hits) do
      lu.assert_true(n >= coverage.least(count, 0.95), ("%s: %d of %d"):format(name, n, count))
    end
  end
end

-- ------------------------------------------------------------------ rows

function TestCriticalBatch:test_rows_that_do_not_make_a_table_are_refused()
  local rows = runs(sw.random(1), {})
  local last = table.remove(rows)
  lu.assert_error_msg_contains("seed 8 has no run of batch 1024", sw.fit.critical_batch, rows)
  rows[#rows + 1] = last
  rows[#rows + 1] = last
  lu.assert_error_msg_contains("two runs of batch 1024", sw.fit.critical_batch, rows)
  rows[#rows] = nil
  rows[1] = { batch = 8, lr = 1, seed = 1, steps = 10 }
  lu.assert_error_msg_contains("rows[1].reached", sw.fit.critical_batch, rows)
  rows[1] = { batch = 8, lr = 1, seed = 1, steps = 10, examples = 160, reached = true }
  lu.assert_error_msg_contains("one batch size", sw.fit.critical_batch, rows)
  lu.assert_error_msg_contains("needs 3 batch sizes", sw.fit.critical_batch,
    runs(sw.random(1), { batches = { 8, 16 } }))
  lu.assert_error_msg_contains("no run reached the target", sw.fit.critical_batch,
    runs(sw.random(1), { limit = 1 }))
end

function TestCriticalBatch:test_one_of_several_targets_is_chosen()
  local rows = runs(sw.random(1), { noise = 0 })
  for _, row in ipairs(runs(sw.random(1), { noise = 0 })) do
    row.target, row.steps = 0.1, 3 * row.steps
    rows[#rows + 1] = row
  end
  for i = 1, #rows // 2 do rows[i].target = 0.5 end
  lu.assert_error_msg_contains("several targets (0.1, 0.5); choose one", sw.fit.critical_batch,
    rows)
  local f = sw.fit.critical_batch(rows, { target = 0.1, bootstrap = 200 })
  lu.assert_almost_equals(f.s_min.value / (3 * S_MIN), 1, 1e-3)
end
