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

local function exact(rows, seen)
  local at_least, at_most = 0, 0
  for sum, p in pairs(distribution(rows)) do
    if sum >= seen then at_least = at_least + p end
    if sum <= seen then at_most = at_most + p end
  end
  return at_least, at_most
end

local function shuffled(random, ranks)
  for i = #ranks, 2, -1 do
    local j = 1 + math.floor(random:uniform() * i)
    ranks[i], ranks[j] = ranks[j], ranks[i]
  end
  return ranks
end

local function drawn(rows, seen, seed)
  local random, copies, at_least, at_most = core.random(seed, "stats/trend"), {}, 1, 1
  for i, ranks in ipairs(rows) do copies[i] = table.move(ranks, 1, #ranks, 1, {}) end
  for _ = 1, DRAWS do
    local sum = 0
    for _, ranks in ipairs(copies) do sum = sum + score(shuffled(random, ranks)) end
    if sum >= seen then at_least = at_least + 1 end
    if sum <= seen then at_most = at_most + 1 end
  end
  return at_least / (DRAWS + 1), at_most / (DRAWS + 1)
end

--- Page's L of all rows: P(L or more) and P(L or less) if the levels make no difference.
local function page(rows, seed)
  local seen, ranks = 0, {}
  for i, row in ipairs(rows) do
    ranks[i] = double_ranks(row)
    seen = seen + score(ranks[i])
  end
  if #rows[1] <= MOST_EXACT then return exact(ranks, seen) end
  return drawn(ranks, seen, seed)
end

--- Spearman's rank correlation of a row with its levels; 0 if all its values are equal.
local function correlation(row)
  local ranks, levels = double_ranks(row), {}
  for k in ipairs(row) do levels[k] = k end
  local mean_r, squares_r = samples.moments(ranks)
  local mean_k, squares_k = samples.moments(levels)
  local products = 0
  for k, rank in ipairs(ranks) do products = products + (rank - mean_r) * (k - mean_k) end
  return squares_r == 0 and 0 or products / math.sqrt(squares_r * squares_k)
end

local function correlations(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = correlation(row) end
  return list
end

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
---The estimate is of the mean rank correlation of y with the level, from -1 to 1.
---@param y swale.NumberRows   3 columns or more
---@param o? swale.MonotoneOptions
---@return swale.Finding
function M.monotone(y, o)
  o = options.check("stats.monotone", o, SPEC)
  finding.check_alpha("stats.monotone", o.alpha)
  local rows = samples.rows("stats.monotone", "y", y, 1, 3)
  if o.direction == "decreasing" then rows = negated(rows) end
  local p, p_against = page(rows, o.seed)
  if o.margin then
    if #rows < 2 then errors.misuse "stats.monotone: a margin needs 2 rows or more, one a seed" end
    local rises, falls = steps(rows, o.margin)
    p, p_against = math.max(p, rises), 2 * math.min(p_against, falls)
  end
  return finding.new { claim = ("y is %s%s"):format(o.direction,
    o.margin and (", no step the other way by %g"):format(o.margin) or ""),
    where = location.of_mean(correlations(rows)), target = "the rank correlation with the level",
    p = p, p_against = p_against, alpha = o.alpha }
end

return M
