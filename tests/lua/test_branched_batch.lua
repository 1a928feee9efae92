--- sw.fit.branched_batch on the noisy quadratic, where the expected loss of each branch is exact.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

TestBranchedBatch = {}


local H, LR, BATCH, STEPS = { 1, 0.5, 0.25, 0.1 }, 0.06, 4, 256
local FACTORS = { 1, 2, 4, 8, 16, 32 }

local function trainer_on(problem, seed)
  return sw.Trainer { model = problem:model(1), data = problem.data, loss = problem.loss,
    lr = LR, batch_size = BATCH, sampler = "independent", seed = seed }
end

--- E L of a branch that begins at w = 1, in excess of the least loss; noise of draws with
--- replacement from n examples.
local function expected(problem, sigma, k)
  local c, n = {}, #problem.data.train
  for i in ipairs(H) do c[i] = sigma ^ 2 * (n - 1) / n end
  local run = sw.nqm({ h = H, c = c }):run { steps = STEPS // k, lr = LR * k, batch = BATCH * k }
  return run.loss[STEPS // k]
end

--- The largest factor within tolerance of all smaller ones, by the exact losses.
local function largest(problem, sigma, tolerance)
  local best = 1
  for i, k in ipairs(FACTORS) do
    local within, loss = true, expected(problem, sigma, k)
    for j = 1, i - 1 do
      within = within and loss <= expected(problem, sigma, FACTORS[j]) + tolerance
    end
    if within then best = k end
  end
  return best
end

local problem = sw.data.noisy_quadratic { h = H, n = 2000 }
local quiet = sw.data.noisy_quadratic { h = H, n = 2000, sigma = 0.2 }

-- At 32 the rate is 1.92, near the edge 2 / h: the loss is 0.13 above the others.
function TestBranchedBatch:test_finds_the_exact_batch_size()
  lu.assert_equals(largest(quiet, 0.2, 0.06), 16)
  for seed = 1, 3 do
    local found = sw.fit.branched_batch(trainer_on(quiet, seed), { steps = STEPS,
      factors = FACTORS, tolerance = 0.06, repeats = 16, seed = 100 * seed })
    local e = found.b_crit
    lu.assert_equals({ e.value, e.low, e.high, e.status },
      { 16 * BATCH, 16 * BATCH, 32 * BATCH, "resolved" })
    lu.assert_equals({ found.points[5].holds, found.points[6].holds }, { "yes", "no" })
  end
end

-- Losses vary by 0.01, and 16 is beyond the tolerance by 0.001: little is sure.
function TestBranchedBatch:test_intervals_cover_the_exact_batch_size()
  local tolerance, hits, count = 0.004, 0, coverage.replicates(20)
  local exact = largest(problem, 1, tolerance)
  lu.assert_equals(exact, 8)
  for seed = 1, count do
    local e = sw.fit.branched_batch(trainer_on(problem, seed), { steps = STEPS,
      factors = FACTORS, tolerance = tolerance, repeats = 6, seed = 100 * seed }).b_crit
    if e.low <= exact * BATCH and exact * BATCH < e.high then hits = hits + 1 end
  end
  lu.assert_true(hits >= coverage.least(count, 0.95), ("%d of %d"):format(hits, count))
end

function TestBranchedBatch:test_each_loss_is_that_of_its_branch()
  local found = sw.fit.branched_batch(trainer_on(problem, 1), { steps = STEPS,
    factors = { 1, 8 }, repeats = 30 })
  local least = problem:loss_at { 0, 0, 0, 0 }
  for _, p in ipairs(found.points) do
    lu.assert_equals({ p.batch, p.lr }, { BATCH * p.factor, LR * p.factor })
    local mean = sw.stats.mean(p.losses, { level = 0.999 })
    local exact = least + expected(problem, 1, p.factor)
    lu.assert_true(mean.low <= exact and exact <= mean.high, ("%d: %s, exact %g"):format(p.factor,
      tostring(mean), exact))
  end
end

function TestBranchedBatch:test_the_training_is_not_changed()
  local trainer, twin = trainer_on(problem, 3), trainer_on(problem, 3)
  trainer:fit { steps = 10 }
  sw.fit.branched_batch(trainer, { steps = 8, factors = { 1, 2 }, repeats = 2 })
  trainer:fit { steps = 10 }
  twin:fit { steps = 20 }
  lu.assert_equals(trainer:weights():table(), twin:weights():table())
end

-- The largest factor has a rate above 2 / h: it diverges, and the others stand.
function TestBranchedBatch:test_a_branch_that_diverges_is_beyond()
  local found = sw.fit.branched_batch(trainer_on(problem, 1), { steps = 40000, lr = 0.02,
    factors = { 1, 2, 400 }, repeats = 2, tolerance = 1 })
  lu.assert_equals(found.points[3].loss, math.huge)
  lu.assert_equals(found.points[3].holds, "no")
  lu.assert_equals(found.b_crit.value, 2 * BATCH)
  lu.assert_equals(found.b_crit.high, 400 * BATCH)
end

function TestBranchedBatch:test_what_it_cannot_tell()
  local trainer = trainer_on(problem, 1)
  local all = sw.fit.branched_batch(trainer, { steps = 8, factors = { 1, 2 }, tolerance = 100 })
  lu.assert_equals(all.b_crit.status, "unresolved")
  lu.assert_equals({ all.b_crit.low, all.b_crit.high }, { 2 * BATCH, math.huge })
  lu.assert_equals(all.b_crit.reason, "the largest batch size is within tolerance")
  local once = sw.fit.branched_batch(trainer, { steps = 8, factors = { 1, 2 }, repeats = 1 })
  lu.assert_equals(once.b_crit.reason, "one repeat has no spread")
end

function TestBranchedBatch:test_misuse()
  local trainer = trainer_on(problem, 1)
  lu.assert_error_msg_contains("how long is a branch", sw.fit.branched_batch, trainer, {})
  lu.assert_error_msg_contains("factors must increase", sw.fit.branched_batch, trainer,
    { steps = 1, factors = { 2, 1 } })
  lu.assert_error_msg_contains('scaling must be a function, "linear"', sw.fit.branched_batch,
    trainer, { steps = 1, scaling = "cubic" })
end
