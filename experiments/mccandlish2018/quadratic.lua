-- What does the theory give where all of it can be computed: the trade-off of steps and examples,
-- the saving of an adaptive batch, and the steps of a line search at every step?
--
--   swale run experiments/mccandlish2018/quadratic.lua [dimensions=30]
--
-- It takes 1 s. (McCandlish et al. 2018, section 2, appendices D and E.1.) A seed is a noisy
-- quadratic with eigenvalues i^-power and a random start; expected losses are exact.
local sw = require "swale"

local BATCHES, MOST = { 8, 32, 128, 512, 2048 }, 1000 -- steps
local SCALES = { 1 / 4, 1 / 2, 1, 2, 4, 8 } -- of the adaptive batch, tuned as the fixed is

--- The moments before a step as B_noise, and after it.
local function b_noise(q, m)
  local above, below = 0, 0
  for i, h in ipairs(q.h) do above, below = above + h * q.c[i], below + h ^ 3 * m[i] end
  return above / below
end

--- Steps and examples until the loss is the target, with batch(moments) and rate(batch, moments).
local function descend(q, target, most, batch, rate)
  local m, steps, examples = table.move(q.start, 1, #q.start, 1, {}), 0, 0
  local loss = math.huge
  while loss > target and steps < most do
    local b, before = batch(m), loss
    local lr = rate(b, m)
    loss = 0
    for i, h in ipairs(q.h) do
      m[i] = (1 - lr * h) ^ 2 * m[i] + lr ^ 2 * q.c[i] / b
      loss = loss + 0.5 * h * m[i]
    end
    if loss ~= loss or loss > 1e6 then return math.huge, math.huge end
    local part = loss > target and 1 or steps == 0 and 1
      or math.log(before / target) / math.log(before / loss)
    steps, examples = steps + part, examples + part * b
  end
  if loss > target then return math.huge, math.huge end
  return steps, examples
end

return sw.experiment {
  name = "mccandlish_quadratic",
  params = { dimensions = 20, power = 1.0, target = 0.03, r = 64.0 },

  run = function(run, p)
    local random, start = sw.random(run.seed), {}
    for i = 1, p.dimensions do start[i] = random:normal() ^ 2 end
    local q = sw.nqm { dimensions = p.dimensions, power = p.power, start = start }
    local target, rows = p.target * q:run({ steps = 1, lr = 0 }).loss[0], {}
    for _, batch in ipairs(BATCHES) do
      local lr, steps = q:best_rate(target, { batch = batch, most = MOST })
      for seed = 1, 2 do -- no noise: the fit wants two seeds
        rows[#rows + 1] = { batch = batch, lr = lr, seed = seed, steps = steps, reached = true }
      end
    end
    local fit = sw.fit.critical_batch(rows, { bootstrap = 200 })
    local errors, fixed = 0, math.huge -- fixed: least r S + E of one batch size
    for _, point in ipairs(fit.points) do
      errors = errors + (math.log(point.steps / fit:steps(point.batch).value)) ^ 2 / #fit.points
    end
    for k = -4, 4 do
      local batch = math.sqrt(p.r * fit.b_crit.value) * 2 ^ (k / 2)
      local _, steps = q:best_rate(target, { batch = batch, most = MOST })
      fixed = math.min(fixed, steps * (p.r + batch))
    end

    local b_crit, most = fit.b_crit.value, math.floor(3 * fit.points[1].steps)
    local adaptive, chosen = math.huge, nil
    local at = math.sqrt(p.r * b_crit) -- the best fixed batch, by theory
    local lr = q:best_rate(target, { batch = at, most = MOST })
    for k = -6, 6 do -- eps* is tuned for the adaptive batch as rates are for the fixed ones
      local eps = lr * 1.15 ^ k
      for _, scale in ipairs(SCALES) do
        for _, middle in ipairs { 0, b_crit / 16, b_crit / 4, b_crit } do -- B*
          local steps, examples = descend(q, target, most,
            function(m) return math.max(1, scale * math.sqrt(p.r * b_noise(q, m))) end,
            function(b) return eps * (1 + middle / at) / (1 + middle / b) end)
          local cost = p.r * steps + examples
          if cost < adaptive then adaptive, chosen = cost, { scale, middle / b_crit, k } end
        end
      end
    end
    local _, best = q:best_rate(target, { batch = b_crit, most = MOST })
    local greedy = descend(q, target, most, function() return b_crit end,
      function(b, m) return (q:best_step { batch = b, moments = m }) end)
    run:summary { b_crit = b_crit, s_min = fit.s_min.value, e_min = fit.e_min.value,
      r_squared = fit.r_squared, deviation = math.exp(math.sqrt(errors)), fixed = fixed,
      adaptive = adaptive, saving = fixed / adaptive, greedy = greedy / best,
      scale = chosen[1], middle = chosen[2], factor = 1.15 ^ chosen[3],
      b_noise_start = b_noise(q, q.start),
      points = fit.points }
    run:print("B_crit %.4g, deviation %.3g, fixed / adaptive %.4g, greedy / fixed %.3g", b_crit,
      math.exp(math.sqrt(errors)), fixed / adaptive, greedy / best)
  end,
}
