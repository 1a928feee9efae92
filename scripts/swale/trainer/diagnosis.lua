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

local function updates(say, seen)
  if not seen.largest then return end
  if seen.largest < SMALL then
    say("small", "updates are at most %.1g of the weights: the rate may be too small", seen.largest)
  end
  local now = largest_ratio(seen.last)
  if now and now > LARGE then
    say("large", "updates are still %s of the weights: the rate may be too large", percent(now))
  end
end

local function risen(say, seen)
  local last, lowest = seen.last.valid_loss, seen.lowest
  if last and lowest and lowest > 0 and last > (1 + RISEN) * lowest then
    say("risen", "the validation loss has risen by %s since epoch %.4g: it overfits",
      percent(last / lowest - 1), seen.lowest_at)
  end
end

---@class swale.Seen        what messages need of the epochs so far
---@field last? table       records of the last two
---@field before? table
---@field largest? number   update ratio of any weight matrix
---@field lowest? number    loss on valid
---@field lowest_at? number   its epoch

---Takes the record of an epoch.
---@param seen swale.Seen   an empty table at first
---@param line table
function M.add(seen, line)
  seen.before, seen.last = seen.last, line
  local ratio, loss = largest_ratio(line), line.valid_loss
  if ratio then seen.largest = math.max(seen.largest or 0, ratio) end
  if loss and loss < (seen.lowest or math.huge) then
    seen.lowest, seen.lowest_at = loss, line.epoch
  end
end

---@param seen swale.Seen
---@param say fun(kind: string, fmt: string, ...: any)
function M.give(seen, say)
  if not seen.last then return end
  dead(say, seen.last)
  falling(say, seen.last, seen.before)
  updates(say, seen)
  risen(say, seen)
end

return M
