--- Verdicts of a paper's claims on values that are known: each kind, few seeds, values that lack.
local judge = require "swale.paper.judge"
local lu = require "luaunit"
local sw = require "swale"
local valued = require "swale.paper.values"

TestClaims = {}

local SEEDS = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }

--- What differs from seed to seed: mean 0, deviation 0.1.
local NOISE = { 0.05, -0.13, 0.08, 0.16, -0.09, -0.04, 0.11, -0.15, 0.02, -0.01 }

--- Values over seeds of f(noise, seed), of those asked for.
local function over(f, n)
  local asked = table.move(SEEDS, 1, n or 10, 1, {})
  return valued.build(asked, asked, function(seed) return f(NOISE[seed], seed) end)
end

local function around(mean, n)
  return over(function(noise) return mean + noise end, n)
end

--- Rows over levels around their means; neighbours have different noise.
local function rows(means, n)
  return over(function(_, seed)
    local row = {}
    for k, mean in ipairs(means) do row[k] = mean + NOISE[(3 * seed + 7 * k) % 10 + 1] end
    return row
  end, n)
end

local function claim(o)
  local all = { section = "1", text = "a claim", paper = "a number", here = "a formula" }
  for name, value in pairs(o) do all[name] = value end
  all.id = o.id or "only"
  return all
end

--- The rows of claims that are judged together.
local function judged(list, size)
  local claims, digests = {}, { of = {} }
  for i, o in ipairs(list) do claims[i] = claim(o) end
  return judge.judge({ claims = sw.claims(claims), digests = digests },
    { size = size or "full", used = {} })
end

local function one(kind, o, ...)
  local data = table.pack(...)
  o.kind, o.data = kind, function() return table.unpack(data, 1, data.n) end
  return judged({ o })[1]
end

local function verdicts(kind, o, cases)
  for verdict, data in pairs(cases) do
    local copy = {}
    for name, value in pairs(o) do copy[name] = value end
    local row = one(kind, copy, table.unpack(data))
    lu.assert_equals(row.verdict, verdict, row.ours)
  end
end

-- ------------------------------------------------------------------ kinds

function TestClaims:test_greater()
  verdicts("greater", { margin = 0, smallest = 0.5 }, { held = { around(1), 0 },
    ["did not hold"] = { around(0.2), 0 }, unresolved = { over(function(noise)
      return 0.3 + 6 * noise
    end), 0 } })
end

function TestClaims:test_equivalent()
  verdicts("equivalent", { margin = 0.2 }, { held = { around(2.05), around(2):map(function(x)
    return 4 - x
  end) }, ["did not hold"] = { around(2.5), 2 }, unresolved = { around(2.2), 2 } })
end

function TestClaims:test_a_ratio()
  local o = { ratio = true, margin = 1.1 }
  verdicts("equivalent", o, { held = { around(2.02), 2 }, ["did not hold"] = { around(3), 2 },
    unresolved = { around(2.2), 2 } })
  local row = one("equivalent", o, over(function() return 3 end), over(function() return 2 end))
  lu.assert_almost_equals(row.value, 1.5, 1e-12)
end

function TestClaims:test_slope()
  local x = { 1, 2, 3, 4 }
  verdicts("slope", { above = 0.8, below = 1.2 }, { held = { x, rows { 1, 2, 3, 4 } },
    ["did not hold"] = { x, rows { 1, 1.1, 1.2, 1.3 } },
    unresolved = { x, rows { 1.2, 2.4, 3.6, 4.8 } } })
  verdicts("slope", { above = 0.8, log = true }, { held = { x, rows { 1, 2, 3, 4 } },
    ["did not hold"] = { x, rows { 2, 2, 2, 2 } } })
end

function TestClaims:test_interior_peak()
  local x = { 1, 2, 4, 8 }
  verdicts("interior_peak", { smallest = 0.1 }, { held = { x, rows { 1, 2, 3, 1 } },
    ["did not hold"] = { x, rows { 1, 2, 3, 4 } }, unresolved = { x, rows { 1, 1.05, 1, 1 } } })
end

function TestClaims:test_monotone()
  verdicts("monotone", { direction = "decreasing", margin = 0.3 }, {
    held = { rows { 4, 3, 2, 1 } }, ["did not hold"] = { rows { 1, 2, 3, 4 } },
    unresolved = { rows { 1, 1, 1, 1 } } })
  local row = one("monotone", { direction = "decreasing" }, rows { 4, 3, 2, 1 })
  lu.assert_equals({ row.value, row.interval }, { -1, { -1, -0.7 } })
end

function TestClaims:test_shown_has_no_verdict()
  local row = one("shown", {}, around(2))
  lu.assert_equals({ row.verdict, row.seeds }, { "shown", "10" })
  lu.assert_str_contains(row.ours, "2.00 (95 %: 1.9")
end

-- ------------------------------------------------------------------ together

--- Alone each would hold: p = 0.02 to 0.03; of four Holm asks the first for 0.0125.
function TestClaims:test_claims_are_judged_together()
  local list = {}
  for k = 1, 4 do
    local mean = 0.07 + 0.001 * k
    list[k] = { id = "c" .. k, kind = "greater", data = function() return around(mean), 0 end }
  end
  lu.assert_equals(judged({ list[1] })[1].verdict, "held")
  for _, row in ipairs(judged(list)) do
    lu.assert_equals(row.verdict, "unresolved")
    lu.assert_true(row.interval[1] < 0, row.ours)
  end
end

--- What has no values stays in the family, or a claim would hold because others failed.
function TestClaims:test_a_claim_without_values_counts()
  local list = { { id = "c1", kind = "greater", data = function() return around(0.07), 0 end } }
  for k = 2, 4 do
    list[k] = { id = "c" .. k, kind = "greater", data = function()
      return over(function() return nil end), 0
    end }
  end
  local found = judged(list)
  lu.assert_equals({ found[1].verdict, found[2].verdict }, { "unresolved", "missing" })
  list[2] = { id = "c2", kind = "shown", data = function() return 1 end }
  list[3] = { id = "c3", kind = "shown", data = function() return 1 end }
  list[4] = nil
  lu.assert_equals(judged(list)[1].verdict, "held")
end

-- ------------------------------------------------------------------ seeds

function TestClaims:test_seeds_that_lack_a_value_are_counted()
  local a = over(function(noise, seed) return seed ~= 3 and 1 + noise or 0 / 0 end)
  local b = over(function(noise, seed) return seed ~= 7 and noise or nil end)
  lu.assert_equals(one("greater", {}, a, b).seeds, "8 of 10")
  lu.assert_equals(one("greater", {}, a, 0).seeds, "9 of 10")
  lu.assert_equals(one("shown", {}, a).seeds, "9 of 10")
  local row = one("greater", { seeds = 12 }, around(1), 0)
  lu.assert_equals(row.seeds, "10 of 12", "fewer than were declared")
end

function TestClaims:test_one_seed_decides_nothing()
  for kind, data in pairs { greater = { around(1, 1), 0 }, equivalent = { around(0, 1), 0 },
    slope = { { 1, 2, 3 }, rows({ 1, 2, 3 }, 1) } } do
    local row = one(kind, { margin = kind == "equivalent" and 1 or nil }, table.unpack(data))
    lu.assert_equals({ row.verdict, row.seeds }, { "unresolved", "1" }, kind)
    lu.assert_str_contains(row.ours, "no interval")
  end
end

function TestClaims:test_a_test_of_too_few_seeds_is_none()
  local row = one("interior_peak", {}, { 1, 2, 3 }, rows({ 1, 2, 1 }, 3))
  lu.assert_equals({ row.verdict, row.why, row.seeds },
    { "missing", "it takes 4 seeds or more", "3" })
  row = one("monotone", { margin = 0.1 }, rows({ 1, 2, 3 }, 1))
  lu.assert_equals({ row.verdict, row.why }, { "missing", "it takes 2 seeds or more" })
end

--- Counts of updates, for one, are the same for every seed.
function TestClaims:test_equal_values_have_no_spread()
  local same = over(function() return 3 end)
  lu.assert_equals(one("greater", { margin = 2 }, same, 0).verdict, "held")
  lu.assert_equals(one("greater", { margin = 4 }, same, 0).verdict, "did not hold")
  lu.assert_equals(one("greater", { margin = 3 }, same, 0).verdict, "unresolved", "at the margin")
  lu.assert_equals(one("equivalent", { margin = 0.1 }, same, same).verdict, "held")
end

--- "The same" has to exclude both margins: at a difference of 0 each must be told with a power of
--- 0.9. "Different" is told by two tests, of half the rate each.
function TestClaims:test_seeds_of_a_pilot()
  local function seeds(o, data)
    o.id, o.kind, o.data = "only", "equivalent", function() return data, 0 end
    return judged({ o }, "pilot")[1].would:match "about (%d+) seeds"
  end
  local deviation = sw.stats.mean(over(function(noise) return 5 * noise end)).deviation
  local function of(effect, alpha, power)
    return tostring(sw.stats.seeds { deviation = deviation, effect = effect, alpha = alpha,
      power = power })
  end
  local function spread(mean) return over(function(noise) return mean + 5 * noise end) end
  lu.assert_equals(seeds({ margin = 0.2 }, spread(0)), of(0.2, 0.05, 0.9))
  lu.assert_equals(seeds({ margin = 0.2 }, spread(0.6)), of(0.4, 0.025, 0.8))
  lu.assert_equals(seeds({ margin = 2 }, spread(1.5)), of(0.5, 0.05, 0.8), "one margin is near")
end

function TestClaims:test_derived_values_are_of_the_values_alone()
  local logs = around(3):map(math.log)
  for i, x in ipairs(around(3)) do lu.assert_equals(logs[i], math.log(x)) end
  local largest = around(3):with(around(2), math.max)
  for i, x in ipairs(around(3)) do lu.assert_equals(largest[i], x) end
end

-- ------------------------------------------------------------------ words

function TestClaims:test_each_test_is_said()
  local function rule(o)
    o.data = function() return around(3), 2 end
    return judged({ o })[1].rule
  end
  lu.assert_equals(rule { kind = "greater" }, "a - b above 0; did not hold if below")
  lu.assert_equals(rule { kind = "greater", ratio = true, smallest = 1.5 },
    "a / b above 1; did not hold if below 1.5, the smallest that matters")
  lu.assert_equals(rule { kind = "equivalent", margin = 0.003 }, "a - b from -0.003 to 0.003")
  lu.assert_equals(rule { kind = "equivalent", ratio = true, margin = 2 }, "a / b from 1 / 2 to 2")
  lu.assert_equals(rule { kind = "slope", log = true, above = 0.6, below = 1.4 },
    "the exponent from 0.6 to 1.4")
  lu.assert_equals(rule { kind = "slope", below = 2 }, "the slope below 2")
  lu.assert_equals(rule { kind = "interior_peak", smallest = 0.1 }, "an inner level lies above both"
    .. " ends; did not hold if by less than 0.1, the smallest that matters")
  lu.assert_equals(rule { kind = "monotone", direction = "decreasing" },
    "the values are decreasing (Page's test)")
  lu.assert_nil(rule { kind = "shown" })
end

function TestClaims:test_an_interval_has_two_digits_of_its_width()
  local function ours(o, f) -- of an interval mean -+ 2.262 * 0.1 / sqrt(10), times a scale
    o.id, o.kind = "only", "greater"
    o.data = function() return over(f), o.ratio and 1 or 0 end
    return judged({ o })[1].ours:match "^[^;]*"
  end
  lu.assert_str_matches(ours({}, function(noise) return 3 + noise end),
    "3%.00 %(2%.9%d to 3%.0%d%)")
  lu.assert_str_matches(ours({}, function(noise) return 0.25 + noise / 1000 end),
    "0%.25000 %(0%.2499%d to 0%.2500%d%)")
  lu.assert_str_matches(ours({ ratio = true }, function(noise) return math.exp(noise / 100) end),
    "ratio 1%.0000 %(0%.999%d to 1%.000%d%)")
  lu.assert_str_matches(ours({}, function(noise) return -1e-9 + noise / 1000 end),
    "0%.00000 %(%-0%.0000%d to 0%.0000%d%)")
  lu.assert_equals(ours({}, function() return 0.125 end), "0.125 (0.125 to 0.125)")
  lu.assert_str_matches(ours({}, function(noise) return 123456 + 5000 * noise end),
    "123456 %(123%d%d%d to 123%d%d%d%)")
end

function TestClaims:test_more_seeds_than_declared_are_said()
  local function seeds(declared)
    return judged({ { kind = "greater", seeds = declared,
      data = function() return around(3), 2 end } })[1].seeds
  end
  lu.assert_equals({ seeds(10), seeds(6), seeds(12) }, { "10", "10 (6 declared)", "10 of 12" })
end

function TestClaims:test_a_constant_needs_no_interval()
  local row = judged({ { kind = "shown", data = function()
    return over(function() return 16000 / 1312 end) end } })[1]
  lu.assert_equals(row.ours, "12.2")
end

function TestClaims:test_a_ratio_of_one_seed_has_no_interval()
  local row = judged({ { kind = "greater", ratio = true,
    data = function() return over(function() return 1.5 end, 1), 1 end } })[1]
  lu.assert_equals(row.ours, "ratio 1.5 (no interval)")
end

function TestClaims:test_two_seeds_are_shown_themselves()
  local row = judged({ { kind = "shown", data = function()
    return over(function(_, seed) return 100 * seed end, 2) end } })[1]
  lu.assert_equals({ row.ours, row.interval }, { "150 (two seeds: 100, 200)" })
end

function TestClaims:test_sides_are_those_of_two_settings()
  local both = judged({ { kind = "greater", data = function() return around(3), around(2) end } })
  lu.assert_str_matches(both[1].ours, ".*; 3 against 2$")
  local single = judged({ { kind = "greater", data = function() return around(3), 2 end } })
  lu.assert_not_str_contains(single[1].ours, "against")
end

-- ------------------------------------------------------------------ mistakes

function TestClaims:test_a_mistake_breaks_its_claim_alone()
  local cases = {
    { "greater", {}, around(1), 0 / 0, "b must be a finite number" },
    { "greater", { ratio = true }, around(0), 1, "a ratio is of values above 0" },
    { "greater", {}, around(1), nil, "data must return values a and b" },
    { "greater", {}, rows { 1, 2 }, 0, "one value for each seed, not rows" },
    { "slope", {}, SEEDS, around(1), "data must return rows, of runs:rows or runs:join" },
    { "shown", {}, rows { 1, 2, 3 }, nil, "must be a finite number" },
  }
  for _, case in ipairs(cases) do
    local broken = { id = "broken", kind = case[1], data = function() return case[3], case[4] end }
    broken.ratio = case[2].ratio
    local found = judged { broken,
      { id = "whole", kind = "greater", data = function() return around(1), 0 end } }
    lu.assert_equals({ found[1].verdict, found[2].verdict }, { "broken", "held" })
    lu.assert_str_contains(found[1].why, case[5])
  end
end
