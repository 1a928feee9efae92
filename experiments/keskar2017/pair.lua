-- Do large batches end in sharper minima, and do these generalise worse (Keskar et al. 2017)? A
-- small and a large batch train the same network from the same weights on the same examples in the
-- same order; both ends are measured, the way there, and the line and the arc between them.
--
--   swale run experiments/keskar2017/pair.lua [norm=none] [lr_large=0.003]
--   swale run experiments/keskar2017/pair.lua equal=updates epochs=15
--   swale run experiments/keskar2017/pair.lua network=F1 examples=10000 large=1000 epochs=20
--
-- The first one takes 25 s on one core. With equal=updates the large batch makes as many updates
-- as the small one, so many more epochs.
local sw = require "swale"
local regimes = require "regimes"

--- Columns of a path, as lists.
local function columns(path)
  local names, rows = path:table()
  local list = {}
  for k, name in ipairs(names) do
    list[name] = {}
    for i, row in ipairs(rows) do list[name][i] = row[k] end
  end
  return list
end

--- The rise of the train loss a quarter of the way from each end, mean of both directions.
local function rises(line)
  local at = {}
  for i, alpha in ipairs(line.alpha) do at[alpha] = line.train_loss[i] end
  local function rise(alpha) return (at[alpha - 0.25] + at[alpha + 0.25]) / 2 - at[alpha] end
  return rise(0.0), rise(1.0)
end

return sw.experiment {
  name = "keskar_pair",
  params = regimes.params { equal = sw.choice { "epochs", "updates" } },

  run = function(run, p)
    local data, seed = regimes.data(p, run.seed), run.seed
    local function regime(batch, lr, longer)
      local trainer = regimes.trainer(data, p, { batch = batch, lr = lr, seed = seed })
      return trainer, regimes.minimum(trainer, p, seed, longer)
    end
    local longer = p.equal == "updates" and p.large / p.small or 1
    local small_trainer, small = regime(p.small, p.lr_small, 1)
    local large_trainer, large = regime(p.large, p.lr_large, longer)

    local line, curve
    if p.between then
      local o = { on = data, examples = p.sample }
      local on_line = sw.landscape.line(small_trainer, large_trainer, o)
      on_line:plot(run.dir .. "/line.svg", { log = true })
      line, curve = columns(on_line),
        columns(sw.landscape.curve(small_trainer, large_trainer, o))
      small.rise, large.rise = rises(line)
    end
    local loss = math.max(small.train_loss, large.train_loss)
    small.sharpness_at_loss = regimes.at_loss(small.path, loss)
    large.sharpness_at_loss = regimes.at_loss(large.path, loss)
    run:summary { small = small, large = large, line = line, curve = curve, equal_loss = loss }
    run:print("%-22s %10s %10s", "", "small", "large")
    for _, name in ipairs { "updates", "train_loss", "train_accuracy", "test_accuracy",
      "sharpness", "sharpness_half", "subspace", "subspace_half", "sharpness_at_loss", "slope",
      "distance", "rise", "dead" } do
      run:print("%-22s %10.4g %10.4g", name, small[name] or -1, large[name] or -1)
    end
  end,
}
