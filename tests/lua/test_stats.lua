--- sw.stats against published tables and data, enumeration, closed forms.
local lu = require "luaunit"
local sw = require "swale"

TestStats = {}

local stats = sw.stats

local function close(got, want, tolerance) lu.assert_almost_equals(got, want, tolerance) end

-- Student (1908): hours of sleep that two drugs gave to ten patients.
local FIRST = { 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0 }
local SECOND = { 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 }

-- Darwin's maize, in eighths of an inch: Fisher (1935), section 21, counts 863 of the 2^15 sums.
local MAIZE = { 49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48 }

-- ------------------------------------------------------------------ means and pairs

-- mean 4, deviation sqrt(10), t = 2.776445105 of 4 degrees: half = t sqrt(2)
function TestStats:test_the_interval_of_a_mean()
  local e = stats.mean { 0, 2, 4, 6, 8 }
  lu.assert_equals(e.value, 4)
  close(e.deviation, math.sqrt(10), 1e-12)
  close(e.high - 4, 2.776445105 * math.sqrt(2), 1e-8)
  close(4 - e.low, 2.776445105 * math.sqrt(2), 1e-8)
  lu.assert_equals(e.interval, "95 %")
  close(stats.mean({ 0, 2, 4, 6, 8 }, { level = 0.9 }).high - 4, 2.131846786 * math.sqrt(2), 1e-8)
end

function TestStats:test_tensors_are_lists()
  lu.assert_equals(stats.mean(sw.tensor({ 0, 2, 4, 6, 8 }, "float64")).value, 4)
  local rows = sw.tensor({ { 1, 2, 3 }, { 1, 3, 5 } }, "float64")
  close(stats.slope({ 1, 2, 3 }, rows).estimate.value, 1.5, 1e-15)
end

function TestStats:test_one_value_has_no_interval()
  local e = stats.mean { 3 }
  lu.assert_equals(e.status, "unresolved")
  lu.assert_equals({ e.value, e.low, e.high }, { 3, -math.huge, math.huge })
  lu.assert_equals(e.reason, "one value has no spread")
  lu.assert_equals(stats.greater({ 3 }, { 1 }).verdict, "unresolved")
end

-- R's documentation of these data: t = -4.0621, df = 9, p = 0.002833, -2.4598858 to -0.7001142.
function TestStats:test_sleep()
  local e = stats.paired(FIRST, SECOND)
  close(e.value, -1.58, 1e-14)
  close(e.low, -2.4598858, 5e-8)
  close(e.high, -0.7001142, 5e-8)
  local f = stats.greater(SECOND, FIRST)
  close(f.p, 0.002833 / 2, 3e-7)
  close(f.p_against, 1 - 0.002833 / 2, 3e-7)
  lu.assert_equals(f.verdict, "held")
  lu.assert_equals(stats.greater(FIRST, SECOND).verdict, "did not hold")
end

function TestStats:test_signs_of_the_maize()
  local f = stats.greater(MAIZE, 0, { by = "signs" })
  lu.assert_equals(f.p * 2 ^ 15, 863)
  lu.assert_equals(f.n, 15)
end

--- p by its definition: the share of sign patterns whose sum is at least the one seen.
local function enumerated(d, m)
  local seen, count, n = 0, 0, #d
  for _, x in ipairs(d) do seen = seen + x - m end
  for set = 0, (1 << n) - 1 do
    local sum = 0
    for i, x in ipairs(d) do sum = sum + (set >> (i - 1) & 1 == 0 and x - m or m - x) end
    if sum >= seen - 1e-9 then count = count + 1 end
  end
  return count / (1 << n)
end

function TestStats:test_signs_equal_their_enumeration()
  local random = sw.random(1, "signs")
  for n = 1, 9 do
    local d = {}
    for i = 1, n do d[i] = random:normal() + 0.4 end
    for _, m in ipairs { -1, 0, 0.3, 1 } do
      close(stats.greater(d, m, { by = "signs" }).p, enumerated(d, m), 1e-14)
    end
  end
end

-- 0.1 + 0.2 - 0.3 is not 0 in binary: ties are ties all the same.
function TestStats:test_signs_take_ties_for_ties()
  local d = { 0.1, 0.2, -0.3 }
  lu.assert_equals(stats.greater(d, 0, { by = "signs" }).p, enumerated({ 1, 2, -3 }, 0))
end

-- An end of the interval is where the one-sided p passes (1 - level) / 2.
function TestStats:test_the_interval_of_signs_inverts_the_test()
  local d, level = { 0.3, 1.2, -0.4, 0.9, 2.2, 0.1, 0.8, 1.5 }, 0.9
  local e = stats.mean(d, { by = "signs", level = level })
  lu.assert_true(enumerated(d, e.low - 1e-6) <= 0.05)
  lu.assert_true(enumerated(d, e.low + 1e-6) > 0.05)
  local mirrored = {}
  for i, x in ipairs(d) do mirrored[i] = -x end
  lu.assert_true(enumerated(mirrored, -e.high - 1e-6) <= 0.05)
  lu.assert_true(enumerated(mirrored, -e.high + 1e-6) > 0.05)
end

function TestStats:test_five_signs_cannot_give_95_percent()
  local e = stats.mean({ 1, 2, 3, 4, 5 }, { by = "signs" })
  lu.assert_equals(e.status, "unresolved")
  lu.assert_str_contains(e.reason, "5 signs")
  lu.assert_equals(stats.greater({ 1, 2, 3, 4, 5 }, 0, { by = "signs" }).p, 1 / 32)
end

function TestStats:test_signs_of_many_pairs_are_drawn_by_the_seed()
  local d, random = {}, sw.random(2, "signs")
  for i = 1, 18 do d[i] = random:normal() + 0.4 end
  local f = stats.greater(d, 0, { by = "signs" })
  lu.assert_equals(f.p, stats.greater(d, 0, { by = "signs" }).p)
  close(f.p, enumerated(d, 0), 5 * math.sqrt(f.p / 9999)) -- five deviations of 9,999 draws
end

-- ------------------------------------------------------------------ equivalence and verdicts

-- d has mean 0.1 and standard error 0.1: both tests are t = (0.5 -+ 0.1) / 0.1 of 3 degrees,
-- whose distribution is 1/2 + (atan(u) + u / (1 + u^2)) / pi, u = t / sqrt(3).
local function cauchy_like(t)
  local u = t / math.sqrt(3)
  return 0.5 + (math.atan(u) + u / (1 + u * u)) / math.pi
end

function TestStats:test_equivalence_is_two_tests()
  local d = { 0.1 + 0.3, 0.1 - 0.1, 0.1 - 0.1, 0.1 - 0.1 }
  local f = stats.equivalent(d, { 0, 0, 0, 0 }, { margin = 0.5 })
  close(stats.mean(d).deviation, 0.2, 1e-14)
  close(f.p, 1 - cauchy_like(4), 1e-12)
  close(f.p_against, 1, 0)
  lu.assert_equals(f.verdict, "held")
  close(f.estimate.high - 0.1, 2.353363435 * 0.1, 1e-9)
  lu.assert_equals(stats.equivalent(d, 0, { margin = 0.2 }).verdict, "unresolved")
  lu.assert_equals(stats.equivalent(d, 2, { margin = 0.2 }).verdict, "did not hold")
end

function TestStats:test_the_verdict_is_where_the_interval_lies()
  local random = sw.random(3, "verdicts")
  local seen = {}
  for _ = 1, 200 do
    local d, shift = {}, 2 * random:normal()
    for i = 1, 6 do d[i] = random:normal() + shift end
    local f = stats.equivalent(d, 0, { margin = 1.5 })
    local e = f.estimate
    lu.assert_equals(f.verdict == "held", e:above(-1.5) and e:below(1.5))
    if f.verdict == "did not hold" then lu.assert_true(e:above(1.5) or e:below(-1.5)) end
    seen[f.verdict] = true
  end
  lu.assert_equals(seen, { held = true, unresolved = true, ["did not hold"] = true })
end

function TestStats:test_an_effect_too_small_to_matter_does_not_hold()
  local d = { 0.10, 0.11, 0.09, 0.10, 0.12, 0.10 }
  lu.assert_equals(stats.greater(d, 0).verdict, "held")
  lu.assert_equals(stats.greater(d, 0, { smallest = 0.5 }).verdict, "did not hold")
  lu.assert_equals(stats.greater(d, 0, { margin = 0.2 }).verdict, "did not hold")
end

function TestStats:test_a_finding_as_text()
  lu.assert_equals(tostring(stats.greater(SECOND, FIRST)), "held: a - b is above 0; 1.58"
    .. " (90 %: 0.867 to 2.293), the mean of a - b, p = 0.0014, n = 10")
end

-- ------------------------------------------------------------------ slope

-- Anscombe's first data set: slope 0.5001, standard error 0.1179, p = 0.00217 (two-sided).
function TestStats:test_the_slope_of_anscombe()
  local x = { 10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5 }
  local y = { 8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68 }
  local f = stats.slope(x, y)
  close(f.estimate.value, 0.500091, 1e-6)
  close((f.estimate.high - f.estimate.value) / 1.833112933, 0.117906, 1e-6)
  close(2 * f.p, 0.00217, 1e-5)
end

function TestStats:test_slopes_of_seeds_are_a_sample()
  local f = stats.slope({ 0, 1, 2 }, { { 5, 6, 7 }, { 1, 3, 5 }, { 0, 3, 6 } }, { above = 1 })
  close(f.estimate.value, 2, 1e-15) -- slopes 1, 2 and 3: t = (2 - 1) / (1 / sqrt 3) of 2 degrees
  close(f.p, 0.5 - math.sqrt(3) / 2 / math.sqrt(2 + 3), 1e-12)
  lu.assert_equals(f.n, 3)
end

function TestStats:test_a_power_law_has_its_exponent()
  local x, y = { 1, 2, 4, 8 }, {}
  for i, v in ipairs(x) do y[i] = 3 * v ^ 0.7 end
  local f = stats.slope(x, y, { log = true, above = 0.6, below = 0.8 })
  close(f.estimate.value, 0.7, 1e-14)
  lu.assert_equals(f.verdict, "held")
  lu.assert_equals(stats.slope(x, y, { log = true, below = 0.5 }).verdict, "did not hold")
  lu.assert_error_msg_contains("is of values above 0; y[2] is -2", stats.slope, { 1, 2, 3 },
    { 1, -2, 3 }, { log = true })
end

function TestStats.test_means_of_columns()
  local rows = { { 1, 10 }, { 2, 1000 }, { 3, 100 } }
  local plain, geometric = stats.means(rows), stats.means(rows, { log = true })
  close(plain[1].value, 2, 1e-15)
  lu.assert_equals(plain[1].low, stats.mean({ 1, 2, 3 }).low)
  close(geometric[2].value, 100, 1e-13)
  local t = 0.95 / math.sqrt(2 * 0.975 * 0.025) -- Student's, 2 degrees of freedom
  local half = t / math.sqrt(3) * math.log(10)
  close(geometric[2].high / (100 * math.exp(half)), 1, 1e-14) -- ten roundings in an exponent of 6
  lu.assert_equals(stats.means { { 4, 5 } }, { 4, 5 })
  lu.assert_error_msg_contains("rows[2] has 1 values, not 2", stats.means, { { 1, 2 }, { 3 } })
end

-- ------------------------------------------------------------------ monotone

-- Page (1963), table 2: the least L of a level of 5 %, for k levels and n rows.
local PAGE = { [3] = { [2] = 28, [3] = 41, [4] = 54, [5] = 66, [6] = 79, [7] = 91, [8] = 104 },
  [4] = { [2] = 58, [3] = 84, [4] = 111, [5] = 137, [6] = 163 },
  [5] = { [2] = 103, [3] = 150, [4] = 197, [5] = 244 } }

--- Rows of 1 … k whose L is the one given, by swapping neighbours, each of which costs 1.
local function rows_with(k, n, l)
  local rows, excess = {}, n * k * (k + 1) * (2 * k + 1) // 6 - l
  for i = 1, n do
    rows[i] = {}
    for j = 1, k do rows[i][j] = j end
    for j = 1, k - 1, 2 do
      if excess > 0 then
        rows[i][j], rows[i][j + 1] = j + 1, j
        excess = excess - 1
      end
    end
  end
  lu.assert_equals(excess, 0)
  return rows
end

function TestStats:test_the_table_of_page()
  for k, row in pairs(PAGE) do
    for n, l in pairs(row) do
      local least = n * k * (k + 1) * (2 * k + 1) // 6 - n * (k // 2)
      if l > least then
        local where = ("k = %d, n = %d"):format(k, n)
        lu.assert_true(stats.monotone(rows_with(k, n, l)).p <= 0.05, where)
        lu.assert_true(stats.monotone(rows_with(k, n, l - 1)).p > 0.05, where)
      end
    end
  end
end

--- All orders of a list.
local function permutations(list)
  if #list <= 1 then return { list } end
  local all = {}
  for i, first in ipairs(list) do
    local rest = table.move(list, 1, #list, 1, {})
    table.remove(rest, i)
    for _, tail in ipairs(permutations(rest)) do all[#all + 1] = { first, table.unpack(tail) } end
  end
  return all
end

local function page(rows)
  local sum = 0
  for _, row in ipairs(rows) do
    for k, v in ipairs(row) do sum = sum + k * v end
  end
  return sum
end

-- Every order of both rows; ties have the mean of their ranks.
function TestStats:test_page_with_ties_equals_its_enumeration()
  local first, second = { 1, 2.5, 2.5, 4 }, { 2, 1, 3.5, 3.5 }
  local seen, count, all = page { first, second }, 0, 0
  for _, one in ipairs(permutations(first)) do
    for _, other in ipairs(permutations(second)) do
      all = all + 1
      if page { one, other } >= seen then count = count + 1 end
    end
  end
  lu.assert_equals(all, 576)
  local f = stats.monotone { { 10, 20, 20, 30 }, { 5, 4, 7, 7 } }
  close(f.p, count / all, 1e-14)
  local reversed = stats.monotone({ { -10, -20, -20, -30 }, { -5, -4, -7, -7 } },
    { direction = "decreasing" })
  close(reversed.p, count / all, 1e-14)
end

-- Ten levels are drawn: P(L = its most) of one row is 1 / 10!, so p is 1 / 10000 but for luck.
function TestStats:test_many_levels_are_drawn()
  local row = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }
  lu.assert_equals(stats.monotone({ row }).p, 1e-4)
  lu.assert_equals(stats.monotone({ row }).p_against, 1)
  lu.assert_equals(stats.monotone({ row }).estimate.value, 1)
end

local function whole_rows(random, n, k, values)
  local rows = {}
  for i = 1, n do
    rows[i] = {}
    for j = 1, k do rows[i][j] = math.floor(random:uniform() * values) + j // 2 end
  end
  return rows
end

--- Whether the interval of a finding, with and without a margin, says what its verdict does.
local function agrees(f, margin)
  local e = f.estimate
  if f.verdict == "held" then return e:above(0) end
  if margin then return true end -- a step may be why
  if f.verdict == "did not hold" then return e:below(0) end
  return not e:above(0) and not e:below(0)
end

-- Ties, few rows, one row, levels that are drawn.
function TestStats:test_the_interval_of_a_trend_agrees_with_the_test()
  local random, seen = sw.random(1, "trends"), {}
  for trial = 1, 300 do
    local n, k = trial % 5 + 1, trial % 7 == 0 and 9 or trial % 3 + 3
    if k < 9 or trial < 40 then
      local rows = whole_rows(random, n, k, trial % 4 + 2)
      local o = { direction = trial % 2 == 0 and "increasing" or "decreasing",
        margin = n > 1 and trial % 11 == 0 and 3 or nil }
      local f = stats.monotone(rows, o)
      seen[f.verdict] = true
      lu.assert_true(agrees(f, o.margin), tostring(f))
      for _, each in ipairs(stats.holm { f, stats.greater({ 1, 2, 3 }, 0) }) do
        lu.assert_true(each.claim ~= f.claim or agrees(each, o.margin), tostring(each))
      end
    end
  end
  lu.assert_equals(seen, { held = true, ["did not hold"] = true, unresolved = true })
end

function TestStats:test_a_margin_looks_at_each_step()
  local rows = {}
  for i = 1, 6 do rows[i] = { 1 + i / 50, 2 - i / 60, 3 + i / 70, 2.5 + i / 40, 4 } end
  lu.assert_equals(stats.monotone(rows).verdict, "held")
  lu.assert_equals(stats.monotone(rows, { margin = 1 }).verdict, "held")
  lu.assert_equals(stats.monotone(rows, { margin = 0.1 }).verdict, "did not hold")
end

-- ------------------------------------------------------------------ Holm

-- R: p.adjust(c(.01, .02, .03, .04, .05), "holm"), and one out of order.
function TestStats:test_holm()
  lu.assert_almost_equals(stats.holm { 0.01, 0.02, 0.03, 0.04, 0.05 },
    { 0.05, 0.08, 0.09, 0.09, 0.09 }, 1e-15)
  lu.assert_almost_equals(stats.holm { 0.5, 0.001, 0.4 }, { 0.8, 0.003, 0.8 }, 1e-15)
  lu.assert_equals(stats.holm {}, {})
  lu.assert_error_msg_contains("[2] must be a p-value", stats.holm, { 0.1, 1.5 })
end

function TestStats:test_holm_judges_findings_anew()
  local sure = stats.greater(SECOND, FIRST)                       -- p = 0.0014
  local near = stats.greater({ 1, 0.5, 1.9, 0, 0.4 }, 0)         -- p = 0.040
  lu.assert_equals(near.verdict, "held")
  lu.assert_true(near.p > 0.025)
  local list = stats.holm { near, sure, stats.greater({ 1, -1, 0.1 }, 0) }
  lu.assert_equals(list[2].verdict, "held")
  close(list[2].p_adjusted, 3 * sure.p, 1e-15)
  lu.assert_equals(list[1].verdict, "unresolved")
  close(list[1].p_adjusted, 2 * near.p, 1e-15)
  lu.assert_equals(near.verdict, "held")
  lu.assert_true(list[1].estimate.low < 0, "the interval of its step, 95 %, holds 0")
end

-- Means of 10, 1.6 and 1.5 at one spread: the second step compares with alpha / 2 and is the last,
-- though the third p is below alpha.
function TestStats:test_what_comes_after_the_last_step_is_compared_as_that_was()
  local function of(mean)
    local d = {}
    for i, x in ipairs { 5, -5, 4, -4, 0.5, -0.5, 5.4, -5.4 } do d[i] = mean + x end
    return stats.greater(d, 0)
  end
  local sure, near, last = of(10), of(1.6), of(1.5)
  local list = stats.holm({ sure, near, last }, { alpha = 0.2 })
  lu.assert_true(near.p > 0.1 and last.p < 0.2)
  lu.assert_equals(list[3].verdict, "unresolved")
  lu.assert_equals(list[2].estimate.interval, list[3].estimate.interval)
  lu.assert_true(list[3].estimate.low < 0)
end

--- A claim of each kind about a random truth, and its bounds: it held above `inside` (or between),
--- and did not hold below `outside` (or beyond).
local function random_claims(random)
  local function row(n, mean)
    local list = {}
    for i = 1, n do list[i] = mean + random:normal() end
    return list
  end
  local list, shift = {}, 1.2 * random:normal()
  list[1] = { stats.greater(row(8, shift), 0, { smallest = 0.7 }), { 0, math.huge },
    { 0.7, math.huge } }
  list[2] = { stats.equivalent(row(8, shift), 0, { margin = 1.2 }), { -1.2, 1.2 }, { -1.2, 1.2 } }
  local rows, curves = {}, {}
  for i = 1, 8 do
    rows[i] = { random:normal(), shift + random:normal(), 2 * shift + random:normal() }
    curves[i] = { random:normal(), 2 + shift + random:normal(), random:normal(),
      1 + random:normal() }
  end
  list[3] = { stats.slope({ 1, 2, 3 }, rows, { above = -1, below = 1 }), { -1, 1 }, { -1, 1 } }
  list[4] = { stats.interior_peak({ 1, 2, 3, 4 }, curves, { smallest = 0.5 }), { 0, math.huge },
    { 0.5, math.huge } }
  return list
end

local function lies_in(e, bounds) return e.low > bounds[1] and e.high < bounds[2] end

local function lies_outside(e, bounds) return e.high < bounds[1] or e.low > bounds[2] end

local function assert_agrees(found, inside, outside)
  local e, text = found.estimate, tostring(found)
  if found.verdict == "held" then
    lu.assert_true(lies_in(e, inside), text)
  elseif found.verdict == "did not hold" then
    lu.assert_true(lies_outside(e, outside), text)
  else
    lu.assert_false(lies_in(e, inside), text)
    -- A peak's interval is of one level, and the others may be peaks.
    lu.assert_false(not found.at and lies_outside(e, outside), text)
  end
end

function TestStats:test_verdicts_after_holm_are_where_the_intervals_lie()
  local random, seen = sw.random(5, "families"), {}
  for _ = 1, 300 do
    local claims, findings = random_claims(random), {}
    for k, claim in ipairs(claims) do
      findings[k] = claim[1]
      assert_agrees(table.unpack(claim))
    end
    for k, found in ipairs(stats.holm(findings)) do
      assert_agrees(found, claims[k][2], claims[k][3])
      seen[found.verdict .. k] = true
    end
  end
  lu.assert_equals(#require("swale.errors").sorted_keys(seen), 12)
end

-- ------------------------------------------------------------------ interior peak

function TestStats:test_a_peak_is_picked_on_one_half_and_tested_on_the_other()
  local picking, testing = { 0, 1, 3, 0 }, { 0.1, 5, 1.2, 0.3 }
  local rows = {}
  for i = 1, 8 do
    local row = i % 2 == 1 and picking or testing
    rows[i] = { row[1] + i / 100, row[2], row[3] - i / 90, row[4] }
  end
  local f = stats.interior_peak({ 1, 2, 4, 8 }, rows)
  lu.assert_equals(f.at, 4)
  close(f.ends[2].value, 1.2 - 0.3 - 5 / 90, 1e-14)
  lu.assert_equals(f.estimate.value, f.ends[1].value) -- the less sure one: it varies more
  lu.assert_equals(f.verdict, "held")
end

function TestStats:test_a_curve_without_a_peak_does_not_hold()
  local rows = {}
  for i = 1, 8 do rows[i] = { 3 + i / 100, 2 - i / 90, 1 + i / 80, 0 } end
  lu.assert_equals(stats.interior_peak({ 1, 2, 4, 8 }, rows).verdict, "did not hold")
end

-- ------------------------------------------------------------------ bootstrap, seeds

-- Of 2 units a draw is (a, a), (b, b) or both, with chances 1/4, 1/4, 1/2.
function TestStats:test_bootstrap_draws_whole_units()
  local seen = {}
  stats.bootstrap({ { 1, 10 }, { 2, 20 } }, function(drawn)
    local sum = drawn[1][1] + drawn[2][1]
    lu.assert_equals(drawn[1][2] + drawn[2][2], 10 * sum)
    seen[sum] = (seen[sum] or 0) + 1
    return sum
  end)
  lu.assert_equals(seen[2] + seen[3] + seen[4], 1001)
  lu.assert_true(math.abs(seen[3] - 500) < 80) -- five deviations
  lu.assert_true(math.abs(seen[2] - 250) < 70)
end

-- The ends are order statistics: for values 1 … 1000 as draws they can be counted. Few units: the
-- share is that of Hesterberg (2015), 0.0057 for n = 8.
function TestStats:test_bootstrap_ends_are_order_statistics()
  local calls = 0
  local e = stats.bootstrap({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
    calls = calls + 1
    return calls == 1 and 500 or calls - 1
  end)
  lu.assert_equals({ e.low, e.high }, { 5, 996 })
end

function TestStats:test_bootstrap_counts_draws_without_a_value()
  local calls = 0
  local e = stats.bootstrap({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
    calls = calls + 1
    return calls % 100 == 0 and 0 / 0 or calls
  end)
  lu.assert_equals(e.failed, 10)
  lu.assert_equals({ e.low, e.high }, { -math.huge, math.huge })
  lu.assert_str_contains(e.reason, "10 of 1000 draws")
end

function TestStats:test_bootstrap_of_several_quantities()
  local e = stats.bootstrap({ 1, 2, 3 }, function(d) return { first = d[1], twice = 2 * d[1] } end)
  lu.assert_equals(e.twice.high, 2 * e.first.high)
end

function TestStats:test_bootstrap_refuses_draws_without_end()
  lu.assert_error_msg_contains("draws must be at most 1000000", stats.bootstrap, { 1, 2 },
    function() return 1 end, { draws = 2 ^ 32 })
end

-- Tables of power: a paired one-sided test of d / sigma = 0.5 takes 27 pairs for power 0.8, of 0.2
-- 156; the formula may ask for one too many.
function TestStats:test_seeds_of_a_test()
  lu.assert_equals(stats.seeds { deviation = 2, effect = 1 }, 27)
  lu.assert_equals(stats.seeds { deviation = 1, effect = 0.2 }, 157)
  lu.assert_error_msg_contains("takes more than", stats.seeds, { deviation = 1, effect = 1e-9 })
end

-- ------------------------------------------------------------------ misuse

function TestStats:test_lists_that_do_not_pair_are_refused()
  lu.assert_error_msg_contains("2 and 3 values do not pair", stats.paired, { 1, 2 }, { 1, 2, 3 })
  lu.assert_error_msg_contains("a[2] must be a finite number, not nan", stats.greater,
    { 1, 0 / 0 }, { 1, 2 })
  lu.assert_error_msg_contains("y[2] has 2 values, not 3", stats.monotone,
    { { 1, 2, 3 }, { 1, 2 } })
  lu.assert_error_msg_contains("needs 4 rows or more", stats.interior_peak, { 1, 2, 3 },
    { { 1, 2, 3 } })
  lu.assert_error_msg_contains("alpha must be above 0 and below 0.5", stats.greater, { 1 }, 0,
    { alpha = 0.5 })
  lu.assert_error_msg_contains("smallest, 1, must be at least margin", stats.greater, { 1 }, 0,
    { margin = 2, smallest = 1 })
  lu.assert_error_msg_contains("all x are equal", stats.slope, { 1, 1 }, { 1, 2 })
end
