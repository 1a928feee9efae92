-- Test accuracy against the batch size, at one rate, momentum and number of training examples
-- (Smith & Le 2018, section 5): is there an optimum inside, and where?
--
--   swale run experiments/smith_le2018/curve.lua [lr=0.1] [momentum=0.9] [n=1000] [--seed 3]
--
-- It takes about 25 s on a core. Cells share initial weights and order of the examples.
local sw = require "swale"
local cell = require "cell"
local peak = require "peak"

--- The powers of sqrt 2, rounded, from p.least to p.most (at most 0.9 n), and n with `full`.
local function batches(p)
  local list, size, k = {}, 1, 1
  while size <= math.min(p.most, p.n * 0.9) do
    if size >= p.least then list[#list + 1] = size end
    k = k + 1
    size = math.floor(2 ^ (k / 2) + 0.5)
  end
  if p.full then list[#list + 1] = p.n end
  return list
end

return sw.experiment {
  name = "curve",
  params = { data = "fashion-mnist", n = 1000, lr = 0.1, momentum = 0.9, width = 200,
    activation = sw.choice { "relu", "tanh" }, sampler = sw.choice { "shuffle", "independent" },
    least = 8, most = 1000, full = true,
    fitted = 1e-3, -- train loss at which a training ends
    updates = 3000 }, -- at most, at lr / (1 - momentum) = 1 or more; below as many times more

  run = function(run, p)
    local data, valid = cell.data(p.data, p.n, run.seed)
    local cells = {}
    run:print("batch  updates  train loss  train acc  test acc  dead   counts")
    for i, batch in ipairs(batches(p)) do
      local c = cell.train(data, valid, p, batch, run.seed)
      cells[i] = c
      run:print("%5d  %7d  %10.4g  %9.4f  %8.4f  %.3f  %s%s", batch, c.updates,
        c.train_loss or 0 / 0, c.train_accuracy or 0 / 0, c.test_accuracy or 0 / 0, c.dead or 0,
        c.counts and "yes" or "no", c.collapsed and ", collapsed" or "")
    end
    local best = peak.of(cells)
    run:print("parabola in log B: highest at B = %s", best and ("%.0f"):format(best) or "?")
    run:summary { cells = cells, b_opt = best }
  end,
}
