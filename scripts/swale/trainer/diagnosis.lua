--- Messages about a training that has ended: dead units, updates too small or large, overfitting.
local M = {}

local DEAD = 0.3        -- of a layer's units
local FALLING = 0.05    -- of the loss, in the last epoch
local RISEN = 0.1       -- of the validation loss, since its lowest
local SMALL, LARGE = 1e-4, 0.1 -- of the weights, one update

local function percent(x)
  return x < 0.0995 and ("%.2g %%"):format(100 * x) or ("%.0f %%"):format(100 * x)
end

--- "fc1", "layer 0"
local function title(path) return path:find "^%d" and "layer " .. path or path end

local function sorted_pairs(t)
  local keys, i = {}, 0
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return function()
    i = i + 1
    return keys[i], t[keys[i]]
  end
end

local function dead(say, last)
  for path, fraction in sorted_pairs(last.dead_units or {}) do
    if fraction >= DEAD then
      say("dead " .. path, "%s of the units of %s are dead: they are 0 for every training example"
        .. " looked at", percent(fraction), title(path))
    end
  end
end

local function falling(say, last, before)
  if not before or not last.loss or not before.loss then return end
  local fall = (before.loss - last.loss) / math.abs(before.loss)
  if fall > FALLING then
    say("falling", "the loss still falls by %s an epoch: it may pay to train longer", percent(fall))
  end
end

--- The largest update of any weight matrix, relative to it.
local function largest_ratio(line)
  local largest
  for path, ratio in pairs(line.update_ratio or {}) do
    local counts = not path:find "bias$" and ratio > 0 and ratio < math.huge
    if counts then largest = math.max(largest or 0, ratio) end
  end
  return largest
end

local function updates(say, history)
  local largest
  for _, line in ipairs(history) do
    local ratio = largest_ratio(line)
    if ratio then largest = math.max(largest or 0, ratio) end
  end
  if not largest then return end
  if largest < SMALL then
    say("small", "updates are at most %.1g of the weights: the rate may be too small", largest)
  end
  local now = largest_ratio(history[#history])
  if now and now > LARGE then
    say("large", "updates are still %s of the weights: the rate may be too large", percent(now))
  end
end

local function risen(say, history)
  local last, lowest, at = history[#history].valid_loss, math.huge, nil
  for _, line in ipairs(history) do
    local loss = line.valid_loss
    if loss and loss < lowest then lowest, at = loss, line.epoch end
  end
  if last and lowest > 0 and last > (1 + RISEN) * lowest then
    say("risen", "the validation loss has risen by %s since epoch %.4g: it overfits",
      percent(last / lowest - 1), at)
  end
end

---@param history table[]   the records of the epochs
---@param say fun(kind: string, fmt: string, ...: any)
function M.give(history, say)
  local last = history[#history]
  if not last then return end
  dead(say, last)
  falling(say, last, history[#history - 1])
  updates(say, history)
  risen(say, history)
end

return M
