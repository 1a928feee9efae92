--- The test of each kind of claim: from the values that its data function gives to a finding of
--- sw.stats, and back from the finding to the claim's own unit.
local errors = require "swale.errors"
local location = require "swale.stats.location"
local finding = require "swale.stats.finding"
local stats = require "swale.stats"
local valued = require "swale.paper.values"

local M = {}

---@class swale.ClaimTest
---@field finding swale.Finding
---@field n integer
---@field asked integer|nil        seeds that were to be run
---@field sides? number[]          means of a and b, geometric ones of a ratio
---@field levels? integer          columns of rows

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

local function logs(where, name, list)
  if type(list) ~= "table" then list = { list } end
  local result = {}
  for i, x in ipairs(list) do
    if x <= 0 then
      errors.misuse("%s: a ratio is of values above 0; %s[%d] is %g", where, name, i, x)
    end
    result[i] = math.log(x)
  end
  return result
end

local function mean(list)
  if type(list) == "number" then return list end
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

local function log_of(x) return x and math.log(x) end

local function is_list(value) return type(value) == "table" and rawlen(value) >= 0 end

--- greater and equivalent: values a and b, or a and a number.
local function pair(claim, alpha, data)
  local where = where_of(claim)
  if not is_list(data[1]) or not is_list(data[2]) and type(data[2]) ~= "number" then
    errors.misuse("%s: data must return values a and b, or a and a number, not %s and %s", where,
      errors.shown(data[1]), errors.shown(data[2]))
  end
  local both, asked = prepared { data[1], data[2] }
  local a, b, margin, smallest = both[1], both[2], claim.margin, claim.smallest
  if #a == 0 then return nil, asked end
  local sides = { mean(a), mean(b) }
  if claim.ratio then
    local single = type(b) == "number"
    a, b = logs(where, "a", a), logs(where, "b", b)
    if single then b = b[1] end
    margin, smallest = log_of(margin), log_of(smallest)
    sides = { math.exp(mean(a)), math.exp(mean(b)) }
  end
  local o = { margin = margin, smallest = smallest, alpha = alpha, by = claim.by }
  local test = claim.kind == "greater" and stats.greater or stats.equivalent
  return { finding = test(a, b, o), n = #a, asked = asked, sides = sides }, asked
end

local function rows_of(claim, value)
  local both, asked = prepared { value }
  if not is_list(both[1]) then
    errors.misuse("%s: data must return rows, a row for each seed, not %s", where_of(claim),
      errors.shown(value))
  end
  return both[1], asked
end

local function slope(claim, alpha, data)
  local rows, asked = rows_of(claim, data[2])
  if #rows == 0 then return nil, asked end
  return { finding = stats.slope(data[1], rows, { above = claim.above, below = claim.below,
    log = claim.log, by = claim.by, alpha = alpha }), n = #rows, asked = asked }, asked
end

local function peak(claim, alpha, data)
  local rows, asked = rows_of(claim, data[2])
  if #rows == 0 then return nil, asked end
  return { finding = stats.interior_peak(data[1], rows, { smallest = claim.smallest,
    by = claim.by, alpha = alpha }), n = #rows, asked = asked }, asked
end

local function monotone(claim, alpha, data)
  local rows, asked = rows_of(claim, data[1])
  if #rows == 0 then return nil, asked end
  return { finding = stats.monotone(rows, { direction = claim.direction, margin = claim.margin,
    alpha = alpha }), n = #rows, asked = asked, levels = #rows[1] }, asked
end

local TESTS = { greater = pair, equivalent = pair, slope = slope, interior_peak = peak,
  monotone = monotone }

---Tests a claim by itself.
---@param claim swale.Claim
---@param alpha number
---@param data any[]     what its data function gave
---@return swale.ClaimTest|nil test   nil: no seed has all values
---@return integer|nil asked
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
---@return { value: number, low: number, high: number, n: integer }|string|nil
function M.shown(data)
  local value = data[1]
  if type(value) == "string" then return value end
  if type(value) == "number" then return { value = value, low = value, high = value, n = 1 } end
  if not is_list(value) or #value == 0 then return nil end
  local e = stats.mean(table.move(value, 1, #value, 1, {}))
  return { value = e.value, low = e.low, high = e.high, n = #value }
end

return M
