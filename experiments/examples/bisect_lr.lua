-- A strategy for `swale sweep`: asks for settings, is told their results, and asks again.
--
--   swale sweep experiments/quickstart.lua epochs=1 --seeds 3 \
--     --strategy experiments/examples/bisect_lr.lua
--
-- It looks for the best learning rate between two ends, on a logarithmic scale: of three rates the
-- best one and its neighbours stay. A sweep that is started again asks for the same and skips what
-- is done.
local ROUNDS = 3

--- The mean of the objective over seeds; a setting with a failed run is the worst.
local function loss(result) return result.value or math.huge end

return function(space, ask)
  assert(space.objective and space.objective.goal == "min", "the objective must have the goal min")
  local low, high = 0.01, 0.64
  for _ = 1, ROUNDS do
    local middle = (low * high) ^ 0.5
    local results = ask { { lr = low }, { lr = middle }, { lr = high } } -- waits for all of them
    if loss(results[1]) < loss(results[3]) then high = middle else low = middle end
  end
end
