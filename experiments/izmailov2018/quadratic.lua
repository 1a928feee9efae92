-- How much less does the average of n iterates vary than one of them? SGD at a constant rate on the
-- noisy quadratic, where captures c steps apart have the correlation rho = (1 - lr h)^c and
--
--     var(mean) / var(one) = (n + 2 sum_k (n - k) rho^k) / n^2,      not 1 / n
--
--   swale run experiments/izmailov2018/quadratic.lua [every=10] [--seed 3]
--
-- It takes about 2 s on one core.
local sw = require "swale"

local GROUPS = { 1, 0.3, 0.1, 0.03 } -- eigenvalues h

local function eigenvalues(each)
  local h = {}
  for _, value in ipairs(GROUPS) do
    for _ = 1, each do h[#h + 1] = value end
  end
  return h
end

--- The mean square of the coordinates of a group.
local function variance(w, group, each)
  local part = w:narrow(1, (group - 1) * each + 1, each)
  return part:dot(part) / each
end

return sw.experiment {
  name = "quadratic",
  params = { each = 200, examples = 2000, lr = 0.5, batch = 4, every = 10, captures = 64,
    windows = 16 },

  run = function(run, p)
    local problem = sw.data.noisy_quadratic { h = eigenvalues(p.each), n = p.examples,
      seed = run.seed }
    local trainer = sw.Trainer { model = problem:model(0), data = problem.data,
      loss = problem.loss, lr = p.lr, batch_size = p.batch, sampler = "independent",
      seed = run.seed }
    trainer:fit { steps = math.ceil(10 / (p.lr * GROUPS[#GROUPS])) } -- to the stationary state

    local sums, sizes = {}, {} -- of squares, by the number of captures and the group
    for _ = 1, p.windows do
      local average = sw.average.SWA {}
      for n = 1, p.captures do
        average:update(trainer:fit({ steps = p.every }):weights())
        if n & (n - 1) == 0 then -- 1, 2, 4, …
          sums[n] = sums[n] or { 0, 0, 0, 0 }
          for g in ipairs(GROUPS) do
            sums[n][g] = sums[n][g] + variance(average:weights(), g, p.each) / p.windows
          end
        end
      end
    end
    for n in pairs(sums) do sizes[#sizes + 1] = n end
    table.sort(sizes)

    -- The variance of the noise is that of independent draws from the finite set.
    local c, rows, total = 1 - 1 / p.examples, {}, 0
    for g, h in ipairs(GROUPS) do
      local model = sw.nqm { h = { h }, c = { c } }
      local measured, formula = {}, {}
      for i, n in ipairs(sizes) do
        measured[i] = sums[n][g]
        formula[i] = model:averaged({ lr = p.lr, batch = p.batch, captures = n,
          every = p.every }).moments[1]
        if n > 1 then
          total = total + measured[i] / formula[i] / (#GROUPS * (#sizes - 1))
        end
      end
      local one, last = formula[1], #sizes
      rows[g] = { h = h, rho = (1 - p.lr * h) ^ p.every, measured = measured, formula = formula,
        ratio = measured[last] / formula[last], over_1_n = measured[last] * sizes[last] / one }
      run:print("h = %-4g rho = %.3f: of %d captures %.4g, formula %.4g, 1/n %.4g", h,
        rows[g].rho, sizes[last], measured[last], formula[last], one / sizes[last])
    end
    run:summary { sizes = sizes, groups = rows, over_1_n = rows[#rows].over_1_n,
      ratio = total } -- measured over formula, the mean over groups and n > 1
  end,
}
