-- Can a linear model memorise random labels, and does the evidence tell (Smith & Le 2018, section
-- 3)? Logistic regression on two classes, with true or random labels, over the precision lambda of
-- the prior.
--
--   swale run experiments/smith_le2018/evidence.lua [labels=random] [n=200] [--seed 3]
--
-- It takes about 30 s on a core.
local sw = require "swale"

--- The examples of classes 0 and 1 of a split, at most n of them, drawn with a seed.
local function two_classes(split, n, seed)
  local labels, chosen = split.y:table(), {}
  for _, i in ipairs(sw.random(seed, "two_classes"):permutation(#labels):table()) do
    if labels[i + 1] < 2 and #chosen < n then chosen[#chosen + 1] = i + 1 end
  end
  local x, y = split:gather(chosen)
  return { x = x, y = y }
end

--- Loss and accuracy of weights of a linear model on a split.
local function judge(model, weights, split)
  local copy = model:clone()
  copy:weights():copy(weights)
  local logit, right = copy:forward(split.x):reshape { #split.y }, 0
  for i, z in ipairs(logit:table()) do
    if (z > 0 and 1 or 0) == split.y:get(i) then right = right + 1 end
  end
  return copy:loss_on(split, sw.loss.logistic)(copy:weights()), right / #split.y
end

return sw.experiment {
  name = "evidence",
  params = { data = "fashion-mnist", labels = sw.choice { "true", "random" }, n = 200,
    least = -3.0, most = 4.0, each = 0.5 }, -- log10 of lambda

  run = function(run, p)
    local whole = sw.data.load(p.data)
    local data = sw.data.from_tensors { classes = 2,
      train = two_classes(whole.train, p.n, run.seed),
      test = two_classes(whole.test, math.huge, run.seed) }
    -- Random labels have no rule to learn, so those of the test set are drawn, too.
    if p.labels == "random" then data = data:random_labels { seed = run.seed, on = "all" } end
    local model = sw.nn.Linear(data.features, 1):build { seed = run.seed }
    local points, best, least = {}, nil, nil
    run:print("    lambda  train acc  test acc  test loss  log ratio to the null model")
    for power = p.least, p.most, p.each do
      local e = sw.measure.evidence(model, data.train,
        { lambda = 10 ^ power, loss = sw.loss.logistic })
      local _, fitted = judge(model, e.weights, data.train)
      local loss, right = judge(model, e.weights, data.test)
      local point = { lambda = 10 ^ power, log_ratio = e.log_ratio.value, cost = e.cost,
        occam = e.occam.value, train_accuracy = fitted, test_accuracy = right, test_loss = loss }
      points[#points + 1] = point
      if not best or point.log_ratio > best.log_ratio then best = point end
      if not least or loss < least.test_loss then least = point end
      run:print("%10.4g  %9.4f  %8.4f  %9.4f  %9.2f", point.lambda, fitted, right, loss,
        point.log_ratio)
    end
    run:summary { points = points, weak = points[1], best = best, least = least,
      ratio = best.lambda / least.lambda }
  end,
}
