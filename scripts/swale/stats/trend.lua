--- Whether values rise from level to level: Page's test, with the levels as they are in each seed.
local core = require "swale.core"
local errors = require "swale.errors"
local finding = require "swale.stats.finding"
local location = require "swale.stats.location"
local options = require "swale.options"
local samples = require "swale.stats.samples"

local M = {}

local SPEC = { direction = { choice = { "increasing", "decreasing" }, "increasing" },
  margin = "nonnegative?", alpha = { "positive", 0.05 }, seed = { "integer", 1 } }

local MOST_EXACT = 8 -- levels
local DRAWS = 9999

--- Twice the ranks, so that ranks of ties, which share their mean, are whole.
local function double_ranks(row)
  local order, ranks = {}, {}
  for k in ipairs(row) do order[k] = k end
  table.sort(order, function(a, b) return row[a] < row[b] end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and row[order[last + 1]] == row[order[first]] do last = last + 1 end
    for i = first, last do ranks[order[i]] = first + last end
    first = last + 1
  end
  return ranks
end

--- sum of k ranks[k]
local function score(ranks)
  local sum = 0
  for k, rank in ipairs(ranks) do sum = sum + k * rank end
  return sum
end

--- How many orders of these ranks give each score: level by level, over the set of ranks used.
local function orders(ranks)
  local sets = { [0] = { [0] = 1 } }
  for level = 1, #ranks do
    local next_sets = {}
    for used, counts in pairs(sets) do
      for i, rank in ipairs(ranks) do
        local bit = 1 << (i - 1)
        if used & bit == 0 then
          local to = next_sets[used | bit] or {}
          next_sets[used | bit] = to
          for sum, count in pairs(counts) do
            local at = sum + level * rank
            to[at] = (to[at] or 0) + count
          end
        end
      end
    end
    sets = next_sets
  end
  return sets[(1 << #ranks) - 1]
end

local function convolved(a, b)
  local result = {}
  for x, p in pairs(a) do
    for y, q in pairs(b) do result[x + y] = (result[x + y] or 0) + p * q end
  end
  return result
end

--- The probability of each sum of scores if every order is as likely, in each row.
local function distribution(rows)
  local known, all = {}, { [0] = 1 }
  for _, ranks in ipairs(rows) do
    local sorted = table.move(ranks, 1, #ranks, 1, {})
    table.sort(sorted)
    local key = table.concat(sorted, " ")
    if not known[key] then
      local total, counts = 0, orders(sorted)
      for _, count in pairs(counts) do total = total + count end
      for sum, count in pairs(counts) do counts[sum] = count / total end
      known[key] = counts
    end
    all = convolved(all, known[key])
  end
  return all
end

local function shuffled(random, ranks)
  for i = #ranks, 2, -1 do
    local j = 1 + math.floor(random:uniform() * i)
    ranks[i], ranks[j] = ranks[j], ranks[i]
  end
  return ranks
end

--- How many of 10,000 random orders give each sum; the one that was seen is one of them.
local function drawn(rows, seen, seed)
  local random, copies, all = core.random(seed, "stats/trend"), {}, { [seen] = 1 }
  for i, ranks in ipairs(rows) do copies[i] = table.move(ranks, 1, #ranks, 1, {}) end
  for _ = 1, DRAWS do
    local sum = 0
    for _, ranks in ipairs(copies) do sum = sum + score(shuffled(random, ranks)) end
    all[sum] = (all[sum] or 0) + 1
  end
  return all, DRAWS + 1
end

-- ------------------------------------------------------------------ Page's test

--- Page's L and the mean rank correlation, which is linear in L: (L - its mean) / scale.
local Page = {}
Page.__index = Page

local SLACK <const> = 1e-12 -- rounding of sums of probabilities

---The interval that belongs to the test: the correlation, less what it can be by chance. Its low
---end is above 0 where p is at most (1 - level) / 2, its high end below 0 where p_against is.
---@param level number
---@return number low, number high
function Page:interval(level)
  if self.scale == 0 then return -math.huge, math.huge end
  local rate, sums, p = ((1 - level) / 2 + SLACK) * self.total, self.sums, self.p
  local i, j, above, below = #sums, 1, p[#sums], p[1]
  while above <= rate and i > 1 do i, above = i - 1, above + p[i - 1] end
  while below <= rate and j < #sums do j, below = j + 1, below + p[j + 1] end
  return math.max((self.seen - sums[i]) / self.scale, -1),
    math.min((self.seen - sums[j]) / self.scale, 1)
end

--- P(L or more) and P(L or less) if the levels make no difference.
local function tails(page)
  local at_least, at_most = 0, 0
  for i, sum in ipairs(page.sums) do
    if sum >= page.seen then at_least = at_least + page.p[i] end
    if sum <= page.seen then at_most = at_most + page.p[i] end
  end
  return at_least / page.total, at_most / page.total
end

--- The mean L of a row, and its difference from that for a correlation of 1.
local function scale_of(ranks)
  local levels = {}
  for k in ipairs(ranks) do levels[k] = k end
  local mean_r, squares_r = samples.moments(ranks)
  local mean_k, squares_k = samples.moments(levels)
  return #ranks * mean_r * mean_k, math.sqrt(squares_r * squares_k)
end

--- The standard deviation of the rows' correlations; nil of one row.
local function spread_of(correlations)
  if #correlations < 2 then return nil end
  local _, squares = samples.moments(correlations)
  return math.sqrt(squares / (#correlations - 1))
end

---@return swale.Location
local function page_of(rows, seed)
  local page, middle = { seen = 0, scale = 0, n = #rows, sums = {}, p = {} }, 0
  local list, correlations = {}, {}
  for i, row in ipairs(rows) do
    local ranks = double_ranks(row)
    local l, mean, scale = score(ranks), scale_of(ranks)
    list[i], correlations[i] = ranks, scale == 0 and 0 or (l - mean) / scale
    page.seen, page.scale, middle = page.seen + l, page.scale + scale, middle + mean
  end
  page.value = page.scale == 0 and 0 or (page.seen - middle) / page.scale
  page.spread, page.few = spread_of(correlations), "the values of each row are equal"
  local all, total
  if #rows[1] <= MOST_EXACT then
    all, total = distribution(list), 1
  else
    all, total = drawn(list, page.seen, seed)
  end
  page.total = total
  for sum in pairs(all) do table.insert(page.sums, sum) end
  table.sort(page.sums)
  for i, sum in ipairs(page.sums) do page.p[i] = all[sum] end
  return setmetatable(page, Page)
end

-- ------------------------------------------------------------------ steps

--- p of "some step falls by margin or more", and of "none does".
local function steps(rows, margin)
  local rises, falls, n = 0, 1, #rows[1] - 1
  for k = 1, n do
    local d = samples.differences("stats.monotone", samples.column(rows, k + 1),
      samples.column(rows, k))
    local where = location.of_mean(d)
    rises = math.max(rises, where:above(-margin))
    falls = math.min(falls, n * where:below(-margin))
  end
  return rises, falls
end

local function negated(rows)
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = {}
    for k, v in ipairs(row) do list[i][k] = -v end
  end
  return list
end

---@class swale.MonotoneOptions
---@field direction? "increasing"|"decreasing"   "increasing"
---@field margin? number        also claims that no step goes the other way by this much
---@field alpha? number         0.05
---@field seed? integer         of random orders, with more than 8 levels; 1

---Whether y rises (or falls) from level to level. y has a row for each seed and a column for each
---level, in order. Page's test (1963): the sum over rows of k times the rank of column k; exact for
---up to 8 levels, ties included; 9,999 random orders for more. One row is Spearman's test. It asks
---whether the levels make a difference of this direction; a curve that falls at its end may pass.
---With a margin each step is tested as well (by Student's t), and p is the largest.
---    print(sw.stats.monotone { { 1, 2, 4, 5 }, { 1, 3, 2, 6 }, { 2, 3, 4, 4 } })
---The estimate is of the mean rank correlation of y with the level, from -1 to 1; rows with ties
---weigh less. Its interval has the spread that Page's test assumes, so it agrees with the verdict.
---@param y swale.NumberRows   3 columns or more
---@param o? swale.MonotoneOptions
---@return swale.Finding
function M.monotone(y, o)
  o = options.check("stats.monotone", o, SPEC)
  finding.check_alpha("stats.monotone", o.alpha)
  local rows = samples.rows("stats.monotone", "y", y, 1, 3)
  if o.direction == "decreasing" then rows = negated(rows) end
  local page = page_of(rows, o.seed)
  local p, p_against = tails(page)
  if o.margin then
    if #rows < 2 then errors.misuse "stats.monotone: a margin needs 2 rows or more, one a seed" end
    local rises, falls = steps(rows, o.margin)
    p, p_against = math.max(p, rises), 2 * math.min(p_against, falls)
  end
  return finding.new { claim = ("y is %s%s"):format(o.direction,
    o.margin and (", no step the other way by %g"):format(o.margin) or ""),
    where = page, target = "the rank correlation with the level", p = p, p_against = p_against,
    either = o.margin and true, alpha = o.alpha }
end

return M
