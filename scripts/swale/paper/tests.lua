--- The test of each kind of claim: from the values that its data function gives to a finding of
--- sw.stats, and back from the finding to the claim's own unit.
local errors = require "swale.errors"
local location = require "swale.stats.location"
local finding = require "swale.stats.finding"
local samples = require "swale.stats.samples"
local stats = require "swale.stats"
local valued = require "swale.paper.values"

local M = {}

---@class swale.ClaimTest
---@field finding swale.Finding
---@field n integer
---@field sides? number[]          means of a and b, geometric ones of a ratio
---@field levels? integer          columns of rows

-- What sw.stats asks for: half of the seeds pick a peak's level; a step is a mean over seeds.
local PEAK_SEEDS <const>, MARGIN_SEEDS <const> = 4, 2

local function where_of(claim) return "claim " .. claim.id end

--- Plain lists of what is aligned by seed; and how many seeds all of them were asked
--- for. What has no seeds stays as it is.
local function prepared(list)
  local found, asked, places = {}, {}, {}
  for i, value in ipairs(list) do
    if valued.is_values(value) then
      found[#found + 1], asked[#asked + 1], places[i] = value, value.asked, #found + 1
    end
  end
  if #found == 0 then return list end
  local aligned, result = valued.aligned(found), {}
  for i, value in ipairs(list) do result[i] = places[i] and aligned[places[i]] or value end
  return result, #valued.common(asked)
end

local function logs(where, name, value)
  local list = type(value) == "table" and value or { value }
  return samples.logarithms(where, "a ratio is of values above 0", name, list)
end

local function mean(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

local function log_of(x) return x and math.log(x) end

local function is_list(value) return type(value) == "table" end

--- Why there is no test of so few seeds; nil if there is.
local function too_few(rows, least)
  if #rows == 0 then return "no seed has all values" end
  return #rows < least and ("it takes %d seeds or more"):format(least) or nil
end

--- greater and equivalent: values a and b, or a and a number.
local function pair(claim, alpha, data)
  local where = where_of(claim)
  if not is_list(data[1]) or not is_list(data[2]) and type(data[2]) ~= "number" then
    errors.misuse("%s: data must return values a and b, or a and a number, not %s and %s", where,
      errors.shown(data[1]), errors.shown(data[2]))
  end
  local both, asked = prepared { data[1], data[2] }
  local a, b, margin, smallest = both[1], both[2], claim.margin, claim.smallest
  if #a == 0 then return nil, asked, too_few(a, 1), 0 end
  if type(a[1]) == "table" or is_list(b) and type(b[1]) == "table" then
    errors.misuse("%s: data must return one value for each seed, not rows", where)
  end
  local sides = is_list(b) and { mean(a), mean(b) } or nil
  if claim.ratio then
    local single = type(b) == "number"
    a, b = logs(where, "a", a), logs(where, "b", b)
    if single then b = b[1] end
    margin, smallest = log_of(margin), log_of(smallest)
    sides = not single and { math.exp(mean(a)), math.exp(mean(b)) } or nil
  end
  local o = { margin = margin, smallest = smallest, alpha = alpha, by = claim.by }
  local test = claim.kind == "greater" and stats.greater or stats.equivalent
  return { finding = test(a, b, o), n = #a, sides = sides }, asked
end

local function rows_of(claim, value)
  local both, asked = prepared { value }
  local rows = both[1]
  if not is_list(rows) then
    errors.misuse("%s: data must return rows, a row for each seed, not %s", where_of(claim),
      errors.shown(value))
  elseif valued.is_values(value) and #rows > 0 and type(rows[1]) ~= "table" then
    errors.misuse("%s: data must return rows, of runs:rows or runs:join, not one value for each"
      .. " seed", where_of(claim))
  end
  return rows, asked
end

local function slope(claim, alpha, data)
  local rows, asked = rows_of(claim, data[2])
  local why = too_few(rows, 1)
  if why then return nil, asked, why, 0 end
  return { finding = stats.slope(data[1], rows, { above = claim.above, below = claim.below,
    log = claim.log, by = claim.by, alpha = alpha }), n = #rows }, asked
end

local function peak(claim, alpha, data)
  local rows, asked = rows_of(claim, data[2])
  local why = too_few(rows, PEAK_SEEDS)
  if why then return nil, asked, why, #rows end
  return { finding = stats.interior_peak(data[1], rows, { smallest = claim.smallest,
    by = claim.by, alpha = alpha }), n = #rows }, asked
end

local function monotone(claim, alpha, data)
  local rows, asked = rows_of(claim, data[1])
  local why = too_few(rows, claim.margin and MARGIN_SEEDS or 1)
  if why then return nil, asked, why, #rows end
  return { finding = stats.monotone(rows, { direction = claim.direction, margin = claim.margin,
    alpha = alpha }), n = #rows, levels = #rows[1] }, asked
end

local TESTS = { greater = pair, equivalent = pair, slope = slope, interior_peak = peak,
  monotone = monotone }

---Tests a claim by itself.
---@param claim swale.Claim
---@param alpha number
---@param data any[]     what its data function gave
---@return swale.ClaimTest|nil test
---@return integer|nil asked
---@return string|nil why     there is no test
---@return integer|nil n      seeds that have all values, if there is no test
function M.test(claim, alpha, data) return TESTS[claim.kind](claim, alpha, data) end

---A finding that tells nothing: its claim stays in the family of those judged together.
---@param alpha number
---@return swale.Finding
function M.nothing(alpha)
  return finding.new { claim = "nothing is known", where = location.student(0, 0, 0, 0),
    target = "nothing", p = 1, p_against = 1, alpha = alpha }
end

---Values of a claim that is only shown: their mean, and how many.
---@param data any[]
---@return { value: number, low: number, high: number, n: integer, asked: integer?,
---  two?: number[] }|string|nil   two: the values of two seeds
function M.shown(data)
  local value = data[1]
  if type(value) == "string" then return value end
  if type(value) == "number" then return { value = value, low = value, high = value, n = 1 } end
  if not is_list(value) or #value == 0 then return nil end
  local e = stats.mean(table.move(value, 1, #value, 1, {}))
  return { value = e.value, low = e.low, high = e.high, n = #value, two = #value == 2 and value
    or nil, asked = valued.is_values(value) and #value.asked or nil }
end

return M
