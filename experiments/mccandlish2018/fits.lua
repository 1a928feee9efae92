--- What claims and figures read from steps.lua and adaptive.lua: fits, and costs of the best cells.
local sw = require "swale"

local M = {}

---Fashion-MNIST; at the quick size the digits stand for it.
---@param runs swale.PaperRuns
---@return string
function M.main(runs) return runs.size == "quick" and "digits" or "fashion-mnist" end

--- Runs of steps.lua by seed and batch size, of the seeds that have all batch sizes.
local function complete(runs, data)
  local by_seed, most = {}, 0
  for _, run in ipairs(runs:list("steps", { data = data })) do
    local of = by_seed[run.seed] or {}
    by_seed[run.seed], of[#of + 1] = of, run
    most = math.max(most, #of)
  end
  for seed, list in pairs(by_seed) do
    if #list < most then by_seed[seed] = nil end
  end
  return by_seed
end

local fits = setmetatable({}, { __mode = "k" }) -- of each runs: claims and figures share them

---The fit S = S_min + E_min / B to a target.
---@param runs swale.PaperRuns
---@param data string
---@param i integer          which target
---@return swale.CriticalBatch
function M.fit(runs, data, i)
  local known = fits[runs] or {}
  fits[runs] = known
  local name = data .. i
  if known[name] then return known[name] end
  local rows, target = {}, nil
  for seed, list in pairs(complete(runs, data)) do
    for _, run in ipairs(list) do
      target = run.summary.targets[i]
      for _, c in ipairs(run.summary.cells) do
        rows[#rows + 1] = { batch = run.params.batch, lr = c.lr, seed = seed, steps = c.steps[i],
          reached = c.reached[i] }
      end
    end
  end
  local fit = sw.fit.critical_batch(rows, { bootstrap = 400 })
  fit.loss, known[name] = target, fit
  return fit
end

---A number of each seed's own fit as values over seeds, which pair with others.
---@param field "b_crit"|"s_min"|"e_min"|"deviation"
---@return swale.PaperValues
function M.values(runs, data, i, field)
  local of = {}
  for _, f in ipairs(M.fit(runs, data, i):by_seed()) do of[f.seed] = f[field] end
  local first = runs:list("steps", { data = data })[1].params.batch
  return runs:values("steps", { data = data, batch = first }, function(run) return of[run.seed] end)
end

--- costs[cell][seed] -> for each seed, its cost in the cell that is best for the others.
local function chosen(costs, seed)
  local best, least = nil, math.huge
  for name, cell in pairs(costs) do
    local sum, n = 0, 0
    for other, cost in pairs(cell) do
      if other ~= seed then sum, n = sum + math.log(cost), n + 1 end
    end
    if sum / n < least or sum / n == least and name < best then best, least = name, sum / n end
  end
  return best and costs[best][seed]
end

local function add(costs, name, seed, cost)
  costs[name] = costs[name] or {}
  costs[name][seed] = cost
end

---The cost r S + E to the last target on the digits of the best fixed batch size and rate, and of
---the best adaptive ones; both are chosen by the other seeds.
---@param runs swale.PaperRuns
---@param r number
---@return swale.PaperValues fixed, swale.PaperValues adaptive
function M.costs(runs, r)
  local fixed, adaptive = {}, {}
  for seed, list in pairs(complete(runs, "digits")) do
    for _, run in ipairs(list) do
      for _, c in ipairs(run.summary.cells) do
        add(fixed, ("%d %.3g"):format(run.params.batch, c.factor), seed,
          c.steps[#c.steps] * (r + run.params.batch))
      end
    end
  end
  for _, run in ipairs(runs:list "adaptive") do
    for _, c in ipairs(run.summary.cells) do
      add(adaptive, ("%g %.3g"):format(run.params.scale, c.factor), run.seed, c.costs[#c.costs])
    end
  end
  local function values(costs)
    return runs:values("adaptive", { scale = 1.0 },
      function(run) return chosen(costs, run.seed) end)
  end
  return values(fixed), values(adaptive)
end

return M
