--- A claim's test and its estimate in words: "a / b above 1", "ratio 4.1 (2.2 to 7.7)".
local M = {}

local function number(x)
  if x ~= x then return "nan" end
  if x == math.huge or x == -math.huge then return x > 0 and "inf" or "-inf" end
  local size = math.abs(x)
  return (size >= 1000 and size < 1e7 and "%.0f" or "%.3g"):format(x)
end

--- Writes numbers with two digits of a width, 0.0033 for 0.0017; without a width, with three.
local function fixed(width)
  local decimals = width > 0 and width < math.huge and 1 - math.floor(math.log(width, 10)) or -1
  if decimals < 0 or decimals > 6 then return number end
  return function(x)
    if x - x ~= 0 then return number(x) end
    return (("%%.%df"):format(decimals):format(x):gsub("^%-(0%.?0*)$", "%1")) -- no "-0.00"
  end
end

--- A value and its interval, with as many decimals.
local function with_interval(value, low, high, before)
  if low == -math.huge and high == math.huge then
    return number(value), "no interval", number
  end
  local ends = low == -math.huge and { value, high } or high == math.huge and { low, value }
    or { low, high }
  local shown = fixed(ends[2] - ends[1])
  return shown(value), ("%s%s to %s"):format(before or "", shown(low), shown(high)), shown
end

--- The two sides, as precise as their difference.
local function sides_text(sides, shown)
  return ("%s against %s"):format(shown(sides[1]), shown(sides[2]))
end

--- The estimate in the claim's own unit: exp of logarithms; a correlation from -1 to 1, a
--- decreasing trend with its sign.
local function unit(claim, e)
  if claim.ratio then
    if e.low == -math.huge and e.high == math.huge then return math.exp(e.value), e.low, e.high end
    local function back(x) return x == -math.huge and 0 or math.exp(x) end
    return back(e.value), back(e.low), back(e.high)
  elseif claim.kind == "monotone" then
    local low, high = math.max(e.low, -1), math.min(e.high, 1)
    if claim.direction == "decreasing" then return -e.value, -high, -low end
    return e.value, low, high
  end
  return e.value, e.low, e.high
end

local HELD = {}

function HELD.greater(claim)
  local what, margin = claim.ratio and "a / b" or "a - b", claim.margin or (claim.ratio and 1 or 0)
  local text = ("%s above %g"):format(what, margin)
  if (claim.smallest or margin) == margin then return text .. "; did not hold if below" end
  return ("%s; did not hold if below %g, the smallest that matters"):format(text, claim.smallest)
end

function HELD.equivalent(claim)
  if not claim.ratio then return ("a - b from %g to %g"):format(-claim.margin, claim.margin) end
  return ("a / b from 1 / %g to %g"):format(claim.margin, claim.margin)
end

function HELD.slope(claim)
  local what = claim.log and "the exponent" or "the slope"
  if claim.above and claim.below then
    return ("%s from %g to %g"):format(what, claim.above, claim.below)
  end
  return claim.below and ("%s below %g"):format(what, claim.below)
    or ("%s above %g"):format(what, claim.above or 0)
end

function HELD.interior_peak(claim)
  local text = "an inner level lies above both ends"
  local smallest = claim.smallest or 0
  return smallest == 0 and text
    or ("%s; did not hold if by less than %g, the smallest that matters"):format(text, smallest)
end

function HELD.monotone(claim)
  local text = ("the values are %s (Page's test)"):format(claim.direction or "increasing")
  return claim.margin and ("%s, no step the other way by %g"):format(text, claim.margin) or text
end

---What the interval of a claim must be for a verdict; nil of one that is only shown.
---@param claim swale.Claim
---@return string|nil
function M.rule(claim) return HELD[claim.kind] and HELD[claim.kind](claim) end

local NAMES = { slope = "slope ", monotone = "rank correlation " }

---Puts the estimate of a claim into its row.
---@param claim swale.Claim
---@param test swale.ClaimTest
---@param found swale.Finding   after Holm
---@param row swale.ClaimRow
function M.estimate(claim, test, found, row)
  local value, low, high = unit(claim, found.estimate)
  row.value, row.interval, row.sides = value, { low, high }, test.sides
  local name = claim.ratio and "ratio " or NAMES[claim.kind] or ""
  if claim.kind == "interior_peak" then
    name = found.estimate.target .. ": "
  end
  local ours, interval, shown = with_interval(value, low, high)
  row.ours = ("%s%s (%s)"):format(name, ours, interval)
  if test.sides then
    row.ours = ("%s; %s"):format(row.ours, sides_text(test.sides, not claim.ratio and shown
      or number))
  end
end

---Puts what is only shown into its row.
---@param row swale.ClaimRow
---@param found table|string|nil
function M.shown(row, found)
  if not found then
    row.verdict, row.why = "missing", "no run has a value"
  elseif type(found) == "string" then
    row.ours = found
  else
    row.value, row.n = found.value, found.n
    row.ours = number(found.value)
    if found.two then -- Student's t of two seeds would say nothing
      row.ours = ("%s (two seeds: %s, %s)"):format(row.ours, number(found.two[1]),
        number(found.two[2]))
    elseif found.n > 1 and found.high - found.low > 1e-9 * math.abs(found.value) then
      row.interval = { found.low, found.high }
      row.ours = ("%s (%s)"):format(with_interval(found.value, found.low, found.high, "95 %: "))
    end
  end
end

return M
