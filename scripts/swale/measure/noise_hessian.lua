--- The Hessian's part of the noise: G'HG and tr(H Sigma), from which B_noise, eps_max and eps_opt
--- follow (McCandlish et al. 2018, eq. 2.4 to 2.8).
---
--- A Hessian and gradients of the same examples share their noise, so the estimates are
--- cross-fitted. The sample is cut into J blocks of two halves. With H_a of half a alone, the mean
--- gradient g of the M units outside of a, and W = E g_i'H g_i:
---
---     G'HG        (M g'H_a g - W) / (M - 1)         pairs of different units, none of half a
---     W           u'H_a u / m,  u = sum e_i g_i     over the other half of the block, of m units,
---                                                   e_i = 1 or -1 at random
---     tr(H Sigma) W - G'HG
---
--- averaged over the halves. u is made of up to eight groups of a half, with as many of the other
--- one for H_a: the smaller a group, the less its random signs add to the variance. Covariances are
--- a jackknife over blocks, with those of the signal.
---
--- Costs a second gradient of each example (times probes) and 1 + probes Hessian products over it.
local core = require "swale.core"
local statistics = require "swale.measure.noise_statistics"
local units = require "swale.measure.noise_units"

local M = {}

local BLOCKS = 16
local GROUPS, FEWEST_IN_GROUP = 8, 4
M.FEWEST = 4 * BLOCKS -- units

---@class swale.HalfBlock
---@field first integer       its units
---@field units integer
---@field sum swale.Tensor    of their gradients, (selected)
---@field squares number

-- ------------------------------------------------------------------ halves

local function combined(read, from, to)
  local half = { first = read.blocks[from][1], units = 0, squares = 0,
    sum = core.zeros({ read.sums:shape()[2] }, "float64") }
  for k = from, to do
    half.units = half.units + read.units[k]
    half.squares = half.squares + read.squares[k]
    half.sum:add(1, read.sums:select(1, k))
  end
  return half
end

--- Halves of neighbouring blocks of what was read.
local function halves_of(read)
  local halves, count, done = {}, #read.blocks, 0
  for a = 1, 2 * BLOCKS do
    local last = count * a // (2 * BLOCKS)
    halves[a] = combined(read, done + 1, last)
    done = last
  end
  return halves
end

-- ------------------------------------------------------------------ products and signs

local function float64(t) return t:dtype() == "float64" and t or t:to "float64" end

--- Batches of a half: parts of at most `most` examples, or a unit each where units are coupled.
local function batches_of(subject, read, half, most)
  local first, last = (half.first - 1) * read.size + 1, (half.first - 1 + half.units) * read.size
  local step = subject.whole and read.size or most
  return function()
    if first > last then return nil end
    local count = math.min(step, last - first + 1)
    first = first + count
    return units.batch_of(subject, read.order, first - count, count), count
  end
end

--- H_a v of a full or selected vector, over the half's examples.
local function product(subject, read, half, most, v)
  local full = subject:expand(v):to(subject.dtype)
  local sum, n = core.zeros({ subject.size }, "float64"), half.units * read.size
  for batch, count in batches_of(subject, read, half, most) do
    sum:add(count / n, float64(subject.compiled:hvp(subject.weights, batch, full)))
  end
  sum = subject:select(sum)
  if subject.weight_decay ~= 0 then sum:add(subject.weight_decay, float64(v)) end
  return sum
end

--- The examples of the units of a half that have one sign, in their order.
local function examples_with(read, half, signs, sign)
  local list = {}
  for j = 1, half.units do
    if signs[j] == sign then
      local first = (half.first + j - 2) * read.size
      for i = 1, read.size do list[#list + 1] = read.order:get(first + i) end
    end
  end
  return list
end

local function add_gradients(subject, sum, list, size, most, scale)
  local step = subject.whole and size or most
  for first = 1, #list, step do
    local count = math.min(step, #list - first + 1)
    local index = core.tensor(table.move(list, first, first + count - 1, 1, {}), "int32")
    local batch = subject:batch(index)
    local _, gradient = subject.compiled:value_and_gradient(subject.weights, batch)
    sum:add(scale * count / size, float64(gradient))
  end
end

--- u = sum of e_i g_i over the units of a half: the gradients of those with either sign.
local function signed_sum(subject, read, half, most, stream)
  local signs, excess = {}, 0
  for j = 1, half.units do
    signs[j] = stream:integer(2) == 1 and 1 or -1
    excess = excess + signs[j]
  end
  local sum = core.zeros({ subject.size }, "float64")
  for _, sign in ipairs { 1, -1 } do
    add_gradients(subject, sum, examples_with(read, half, signs, sign), read.size, most, sign)
  end
  if subject.weight_decay ~= 0 then
    sum:add(excess * subject.weight_decay, float64(subject.weights))
  end
  return subject:select(sum)
end

-- ------------------------------------------------------------------ what is read

---@class swale.NoiseHalves
---@field halves swale.HalfBlock[]
---@field total number              units
---@field quad number[]             of each half: g'H_a g, g the mean of all others
---@field cross number[][]          by block and half: (sum over the block)'H_a g
---@field own number[]              (mean over the half)'H_a g
---@field w number[]                of each block
---@field probes integer

local function block_sum(halves, j) return halves[2 * j - 1].sum + halves[2 * j].sum end

local function read_quadratics(subject, read, parts, most)
  local total = core.zeros({ read.sums:shape()[2] }, "float64")
  for _, half in ipairs(parts.halves) do total:add(1, half.sum) end
  for a, half in ipairs(parts.halves) do
    local others = (total - half.sum) * (1 / (parts.total - half.units))
    local v = product(subject, read, half, most, others)
    parts.quad[a], parts.own[a] = others:dot(v), half.sum:dot(v) / half.units
    for j = 1, BLOCKS do parts.cross[j][a] = block_sum(parts.halves, j):dot(v) end
  end
end

--- Group q of `count` of a half.
local function group_of(half, q, count)
  local done = half.units * (q - 1) // count
  return { first = half.first + done, units = half.units * q // count - done }
end

local function groups_in(half)
  return math.max(1, math.min(GROUPS, half.units // FEWEST_IN_GROUP))
end

--- sum over groups of u'H_a u: u of half `from`, H_a of half `of`.
local function probe(subject, read, of, from, most, stream)
  local sum, count = 0, groups_in(from)
  for q = 1, count do
    local u = signed_sum(subject, read, group_of(from, q, count), most, stream)
    sum = sum + u:dot(product(subject, read, group_of(of, q, count), most, u))
  end
  return sum
end

local function read_probes(subject, read, parts, most, probes)
  local stream = subject:random(1)
  for j = 1, BLOCKS do
    local one, other, sum = parts.halves[2 * j - 1], parts.halves[2 * j], 0
    for _ = 1, probes do
      sum = sum + probe(subject, read, one, other, most, stream)
        + probe(subject, read, other, one, most, stream)
    end
    parts.w[j] = sum / (probes * (one.units + other.units))
  end
end

---@param subject swale.Subject
---@param read swale.NoiseUnits    at least M.FEWEST units
---@param o { most: integer, probes: integer }
---@return swale.NoiseHalves
function M.read(subject, read, o)
  local parts = { halves = halves_of(read), total = 0, quad = {}, own = {}, cross = {}, w = {},
    probes = o.probes }
  for _, half in ipairs(parts.halves) do parts.total = parts.total + half.units end
  for j = 1, BLOCKS do parts.cross[j] = {} end
  read_quadratics(subject, read, parts, o.most)
  read_probes(subject, read, parts, o.most, o.probes)
  return parts
end

-- ------------------------------------------------------------------ estimates

local function mean(list, skip)
  local sum, count = 0, 0
  for j, x in ipairs(list) do
    if j ~= skip then sum, count = sum + x, count + 1 end
  end
  return sum / count
end

--- G'HG, from the halves outside of block `skip`, if there is one, and units outside of it. The
--- block's own product with itself, s'H_a s, is replaced by its expectation.
local function curvature(parts, w, skip, known)
  local sum, weight = 0, 0
  for a, half in ipairs(parts.halves) do
    local quad, m = parts.quad[a], parts.total - half.units
    if skip and (a + 1) // 2 ~= skip then
      local own = parts.halves[2 * skip - 1].units + parts.halves[2 * skip].units
      local square = own * own * known.curvature + own * known.noise
      quad = (m * m * quad - 2 * m * parts.cross[skip][a] + square) / (m - own) ^ 2
      m = m - own
    end
    if (a + 1) // 2 ~= skip then
      sum = sum + half.units * (m * quad - w) / (m - 1)
      weight = weight + half.units
    end
  end
  return sum / weight
end

--- E ((H_i - H)(g_i - G))'G: what a Hessian and a gradient of the same unit have in common.
local function shared(parts)
  local sum = 0
  for a, half in ipairs(parts.halves) do
    sum = sum + half.units * (parts.own[a] - parts.quad[a])
  end
  return sum / #parts.halves
end

--- The blocks' Gram matrix, for the signal without each of them.
local function signal_without_each(read, parts)
  local sums = core.zeros({ BLOCKS, read.sums:shape()[2] }, "float64")
  local blocks = { units = {}, squares = {}, weights = read.sums:shape()[2] }
  for j = 1, BLOCKS do
    local one, other = parts.halves[2 * j - 1], parts.halves[2 * j]
    sums:select(1, j):copy(block_sum(parts.halves, j))
    blocks.units[j], blocks.squares[j] = one.units + other.units, one.squares + other.squares
  end
  blocks.gram = statistics.gram(sums)
  return statistics.moments(blocks).leave
end

---@class swale.NoiseCurvature
---@field signal number           |G|^2
---@field curvature number        G'HG
---@field noise_curvature number  tr(H Sigma), of an example
---@field cov table<string, number>   ss, sc, sn, cc, cn, nn: s the signal, c, n as above
---@field t number
---@field few number|nil          so few units hold tr(H Sigma) that its upper end is not known
---@field units number

--- Of normal gradients and H >= 0 random signs add to the relative variance of W at most 2 / n, n
--- being the number of vectors u: that is no sign of few examples.
local function few_of(parts, w)
  if w <= 0 then return nil end
  local vectors, variance, count = 0, 0, #parts.w
  for _, half in ipairs(parts.halves) do vectors = vectors + groups_in(half) * parts.probes end
  for _, x in ipairs(parts.w) do variance = variance + (x - w) ^ 2 / (count * (count - 1)) end
  return statistics.few_units(variance / w ^ 2 - 2 / vectors, parts.total)
end

---Estimates and their covariance.
---@param read swale.NoiseUnits
---@param parts swale.NoiseHalves
---@param drawn swale.Drawn
---@param signal number           of the target
---@param exact? number           G'HG, where it is known exactly
---@param few number|nil          of how few units the noise is, if they are too few
---@return swale.NoiseCurvature
function M.estimates(read, parts, drawn, signal, exact, few)
  local w, leave = mean(parts.w), { s = {}, c = {}, n = {} }
  local c = curvature(parts, w)
  local known, without = { curvature = c, noise = w - c }, signal_without_each(read, parts)
  for j = 1, BLOCKS do
    local w_j = mean(parts.w, j)
    leave.s[j] = without.signal[j]
    leave.c[j] = curvature(parts, w_j, j, known)
    leave.n[j] = drawn.size * (w_j - leave.c[j])
  end
  local n, share = w - c, statistics.share_of_variance(drawn)
  if exact then
    c, n = exact, w - exact
    for j = 1, BLOCKS do
      leave.s[j], leave.c[j], leave.n[j] = 0, 0, drawn.size * mean(parts.w, j)
    end
  elseif drawn.target == "train" and not drawn.replacement then
    c = c + (n + 2 * shared(parts)) * drawn.size / drawn.of
  end
  local cov = {}
  for _, pair in ipairs { "ss", "sc", "sn", "cc", "cn", "nn" } do
    cov[pair] = (pair == "nn" and 1 or share)
      * statistics.jackknife(leave[pair:sub(1, 1)], leave[pair:sub(2, 2)])
  end
  return { signal = signal, curvature = c, noise_curvature = drawn.size * n, cov = cov,
    few = few or not drawn.exact and few_of(parts, w) or nil, units = parts.total,
    t = core.student_quantile(0.975, BLOCKS - 1) }
end

return M
