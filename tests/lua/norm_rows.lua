-- Rows of test_ops.lua: normalisation, by plain Lua.
local h = require "op_harness"

local B, EPS = "batch", 0.01

-- Runs of examples { first, count }, from 0: a last one of a single example joins the one before.
local function ghosts(examples, size)
  if size == 0 or size >= examples then return { { 0, examples } } end
  local list = {}
  for first = 0, examples - 1, size do
    local n = math.min(size, examples - first)
    if n == 1 and size > 1 then
      list[#list][2] = list[#list][2] + 1
    else
      list[#list + 1] = { first, n }
    end
  end
  return list
end

-- Calls f(positions, channel, ghost number) for each ghost and channel.
local function each(x, size, f)
  local channels = x.shape[#x.shape]
  local row = #x // x.shape[1]
  for g, ghost in ipairs(ghosts(x.shape[1], size)) do
    for c = 1, channels do
      local at = {}
      for i = ghost[1] * row + c, (ghost[1] + ghost[2]) * row, channels do at[#at + 1] = i end
      f(at, c, g)
    end
  end
end

local function zeros(shape) return h.array(shape, function() return 0 end) end

local function total(at, f)
  local sum = 0
  for _, i in ipairs(at) do sum = sum + f(i) end
  return sum
end

local function stats_shape(x, size)
  return { size > 0 and x.shape[1] or 1, 2, x.shape[#x.shape] }
end

local function batch_norm(size)
  return function(x, gamma, beta)
    local channels = #gamma
    local y, stats, moments = zeros(x.shape), zeros(stats_shape(x, size)), zeros { 2, channels }
    each(x, size, function(at, c, g)
      local mean = total(at, function(i) return x[i] end) / #at
      local var = total(at, function(i) return (x[i] - mean) ^ 2 end) / #at
      local r = (var + EPS) ^ -0.5
      for _, i in ipairs(at) do y[i] = gamma[c] * (x[i] - mean) * r + beta[c] end
      stats[(g - 1) * 2 * channels + c], stats[(g - 1) * 2 * channels + channels + c] = mean, r
      local share = #at * channels / #x
      moments[c] = moments[c] + share * mean
      moments[channels + c] = moments[channels + c] + share * var
    end)
    return y, stats, moments
  end
end

local function mean_and_r(stats, c, g)
  local channels = stats.shape[3]
  return stats[(g - 1) * 2 * channels + c], stats[(g - 1) * 2 * channels + channels + c]
end

-- With given stats: the formulas of the derivative.
local function grad(size)
  return function(x, dy, gamma, stats)
    local dx, dgamma, dbeta = zeros(x.shape), zeros(gamma.shape), zeros(gamma.shape)
    each(x, size, function(at, c, g)
      local mean, r = mean_and_r(stats, c, g)
      local function xh(i) return (x[i] - mean) * r end
      local sum = total(at, function(i) return dy[i] end)
      local k = total(at, function(i) return dy[i] * xh(i) end)
      dgamma[c], dbeta[c] = dgamma[c] + k, dbeta[c] + sum
      for _, i in ipairs(at) do dx[i] = gamma[c] * r * (dy[i] - sum / #at - xh(i) * k / #at) end
    end)
    return dx, dgamma, dbeta
  end
end

local function grad2(size)
  return function(x, dy, gamma, stats, u, p, q)
    local dx, dc, dgamma = zeros(x.shape), zeros(x.shape), zeros(gamma.shape)
    each(x, size, function(at, c, g)
      local mean, r = mean_and_r(stats, c, g)
      local n = #at
      local function xh(i) return (x[i] - mean) * r end
      local sum_c = total(at, function(i) return dy[i] end)
      local sum_u = total(at, function(i) return u[i] end)
      local k = total(at, function(i) return dy[i] * xh(i) end)
      local big_u = total(at, function(i) return u[i] * xh(i) end)
      local rest = total(at, function(i) return u[i] * dy[i] end) - sum_u * sum_c / n
        - big_u * k / n
      dgamma[c] = dgamma[c] + r * rest
      for _, i in ipairs(at) do
        local ut = u[i] - sum_u / n - xh(i) * big_u / n
        local ct = dy[i] - sum_c / n - xh(i) * k / n
        dc[i] = gamma[c] * r * ut + p[c] * xh(i) + q[c]
        dx[i] = -gamma[c] * r * r * (rest * xh(i) + k * ut + big_u * ct) / n + p[c] * r * ct
      end
    end)
    return dx, dc, dgamma
  end
end

local function ghost_mean(size)
  return function(x)
    local means = zeros(x.shape)
    each(x, size, function(at)
      local sum = total(at, function(i) return x[i] end)
      for _, i in ipairs(at) do means[i] = sum / #at end
    end)
    return means
  end
end

local function add_ghosts(class, name, shape, size)
  local channels = shape[#shape]
  local stats = { size > 0 and B or 1, 2, channels, low = 0.5 }
  local attrs = { n = size }
  h.add(class, { op = "batch_norm", name = "batch_norm_" .. name, differentiable = { 1 },
    attrs = { value = EPS, n = size }, inputs = { shape, { channels }, { channels } },
    reference = batch_norm(size) })
  h.add(class, { op = "batch_norm_grad", name = "batch_norm_grad_" .. name, attrs = attrs,
    inputs = { shape, shape, { channels }, stats }, smooth = false, reference = grad(size) })
  h.add(class, { op = "batch_norm_grad2", name = "batch_norm_grad2_" .. name, attrs = attrs,
    inputs = { shape, shape, { channels }, stats, shape, { channels }, { channels } },
    smooth = false, reference = grad2(size) })
  h.add(class, { op = "ghost_mean", name = "ghost_mean_" .. name, attrs = attrs,
    inputs = { shape }, reference = ghost_mean(size) })
end

-- y = (x - mean) r and r = 1 / sqrt(variance + eps) of each group that the axes make.
local function normalise(axes)
  return function(x)
    local gathered = h.groups(x, axes, true)
    local means, r = {}, { shape = gathered.shape }
    for i, values in ipairs(gathered) do
      local sum, square = 0, 0
      for _, v in ipairs(values) do sum = sum + v end
      means[i] = sum / #values
      for _, v in ipairs(values) do square = square + (v - means[i]) ^ 2 end
      r[i] = 1 / math.sqrt(square / #values + EPS)
    end
    local y = h.array(x.shape, function(i)
      local group = h.ravel(h.unravel(i, x.shape), gathered.shape)
      return (x[i] - means[group]) * r[group]
    end)
    return y, r
  end
end

return function(class)
  local parts = { rows = { 4 }, groups = { 2, 4 }, examples = { 2, 3, 4 }, middle = { 3 } }
  for name, axes in pairs(parts) do
    h.add(class, { op = "normalise", name = "normalise_" .. name,
      attrs = { axes = axes, value = EPS }, inputs = { { B, 2, 3, 4 } },
      reference = normalise(axes) })
  end
  add_ghosts(class, "whole", { B, 2, 3, 5 }, 0)
  add_ghosts(class, "rows", { B, 3, 2 }, 0)
  add_ghosts(class, "ghosts", { B, 2, 3 }, 2) -- batches of 1, 2, 3 and 5: all kinds of remainders
  add_ghosts(class, "alone", { B, 3, 3 }, 1)
  h.add(class, { op = "batch_norm", name = "batch_norm_moments", differentiable = { 1, 3 },
    attrs = { value = EPS }, inputs = { { B, 2, 3 }, { 3 }, { 3 } }, reference = batch_norm(0),
    wrong = { { { B, 2, 3 }, { 2 }, { 3 }, says = "batch_norm: gamma must be (3)" },
      { { B, 2, 3 }, { 3 }, { 4 }, says = "batch_norm: beta must be (3)" },
      { { B }, { 1 }, { 1 }, says = "channels last" } } })
end
