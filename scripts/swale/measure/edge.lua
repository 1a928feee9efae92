--- The edge of stability: curvature along the steps of SGD beside the curvature at which a step of
--- this learning rate overshoots, 2 / lr.
---
--- For batches of b examples of the sample, g being the gradient and H_B the Hessian of one:
---     batch sharpness    E[g'H_B g / |g|^2]
---     ratio of means     E[g'H_B g] / E[|g|^2]
---     with momentum      E[s'H_B s / s'g],   s = momentum * velocity + g
---     interaction        E[g'H g] / |G|^2,   G and H of the sample
--- (Andreyev and Beneventano 2024; with momentum Andreyev 2026). SGD without momentum stays where
--- batch sharpness is about 2 / lr, full batches where the largest eigenvalue is. With momentum m
--- the curvature stays about 2 (1 - m) / lr for small batches, 2 (1 + m) / lr for large ones.
local class = require "swale.class"
local core = require "swale.core"
local draws = require "swale.measure.draws"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local eigenvalues = require "swale.measure.eigenvalues"
local figure = require "swale.plot.figure"
local lines = require "swale.measure.lines"
local options = require "swale.options"
local statistics = require "swale.measure.noise_statistics"
local subject = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.edge"

---@class swale.EdgeOptions: swale.SubjectOptions
---@field batch_size integer          examples of a batch
---@field chunk? integer              most examples computed at a time; 4096
---@field lr? number                  for the thresholds
---@field momentum? number            of SGD; 0
---@field velocity? swale.Tensor      flat: SGD's momentum buffer, for the form with momentum
---@field interaction? boolean        measure that, too; false. A draw costs a gradient of half the
---sample and a Hessian product of all of it
---@field top? boolean                measure the largest eigenvalue; true
---@field relative_error? number      half an interval over its value, until which is drawn; 0.05
---@field draws? integer              at most; 1000
---@field tolerance? number           of the largest eigenvalue; 1e-3

---@class swale.Edge
---@field top swale.Estimate|nil      the largest eigenvalue of the sample's Hessian, with a bound
---@field batch_sharpness swale.Estimate
---@field ratio_of_means swale.Estimate
---@field with_momentum swale.Estimate|nil
---@field interaction swale.Estimate|nil
---@field thresholds table<string, number>   plain: 2 / lr; with momentum also small_batch,
---large_batch; empty without lr
---@field draws integer
local Edge = class.new("edge", { fields = { "top", "batch_sharpness", "ratio_of_means",
  "with_momentum", "interaction", "thresholds", "draws" } })

local SHOWN <const> = { { "top", "largest eigenvalue" }, { "batch_sharpness", "batch sharpness" },
  { "ratio_of_means", "ratio of means" }, { "with_momentum", "with momentum" },
  { "interaction", "interaction" } }

function Edge:__tostring() return lines.of(self, SHOWN) end

local SPEC = subject.spec { batch_size = "count", chunk = { "count", 4096 }, lr = "positive?",
  momentum = { "nonnegative", 0 }, velocity = "tensor?", interaction = { "boolean", false },
  top = { "boolean", true },
  relative_error = { "positive", 0.05 }, draws = { "count", 1000 },
  tolerance = { "positive", 1e-3 } }

-- ------------------------------------------------------------------ one batch

--- Random batches, as a training draws them: no example twice, within one or, as far as whole
--- batches go, within a pass over the sample. So the means vary less than of independent batches,
--- most where few examples have large gradients and draws are as many as examples.
local function batches_of(s, o, random)
  local order, used = nil, s.n
  return function()
    if used + o.batch_size > s.n then order, used = random:permutation(s.n), 0 end
    used = used + o.batch_size
    return s:batch(order:narrow(1, used - o.batch_size + 1, o.batch_size))
  end
end

--- The gradient of the objective along the selected weights, 0 elsewhere.
local function gradient_of(s, batch)
  local _, g = s.compiled:value_and_gradient(s.weights, batch)
  g = s:expand(s:select(g))
  if s.weight_decay == 0 then return g end
  return g:clone():add(s.weight_decay, s:expand(s:select(s.weights)))
end

--- v'H_B v and v'v. The product is made along v / |v|: that of a gradient of 1e-20 is 0 in float32.
local function curvature_along(s, batch, v)
  local square = v:dot(v)
  if square == 0 then return 0, 0 end
  local _, _, curvature = s.compiled:along(s.weights, batch, v * (1 / square ^ 0.5))
  return (curvature + s.weight_decay) * square, square
end

-- ------------------------------------------------------------------ many

--- Whether each interval is short enough, but for those that no number of draws makes short.
local function all_within(list, most)
  for _, e in ipairs(list) do
    if e.status == "resolved" and (e.high - e.low) / 2 > most * math.abs(e.value) then
      return false
    end
  end
  return true
end

local function target(s, o, what)
  return ("%s over batches of %d from %d examples"):format(what, o.batch_size, s.n)
end

local NO_DIRECTION <const> = "the gradient of a batch is 0 or not finite: it has no direction"

local function fields_of(s, o, what)
  return { target = target(s, o, what), reason = NO_DIRECTION }
end

local AWAY <const> = 4 -- deviations

local NEAR_ZERO <const> = "s'g is near 0 or below for some batches, so that few of them are most of"
  .. " the mean"

--- With momentum a step can be at a right angle to its batch's gradient. Where the cosines are not
--- away from 0, the mean of s'Hs / s'g is made of rare large terms, of which draws say little.
local function momentum_of(s, o, d)
  local e = d.momentum:estimate(fields_of(s, o, "sharpness with momentum"))
  if e.status == "pending" then return e end
  local deviation = d.cosine:error() * math.sqrt(d.cosine.n)
  if math.abs(d.cosine:mean()) >= AWAY * deviation then return e end
  return e:update("unresolved", e.value, -math.huge, math.huge, NEAR_ZERO)
end

--- How many batches hold E|g|^2 or E[g'Hg], where they are less than a sixth and not all examples
--- were drawn. Of log-normal inputs and residuals (sigma = 0.5, 96 of 300 examples) 383 of 400
--- intervals of the ratio cover with this; without it 169 of 200.
local FEW_OF <const> = 6

local function few_of(s, o, d)
  local few = nil
  for _, x in ipairs { d.square, d.curvature } do
    local mean = x:mean()
    if x.n * o.batch_size < s.n and mean > 0 and mean < math.huge then
      local count = statistics.few_units((x:error() / mean) ^ 2, x.n, FEW_OF)
      few = count and math.min(few or count, count) or few
    end
  end
  return few
end

local FEW <const> = "about %.0f of %d batches hold the means, and others like them may be missing:"
  .. " more draws are needed"

--- Rare large gradients that were not drawn can have another curvature, larger or smaller.
local function ratio_of(s, o, d)
  local e = draws.ratio(d.curvature, d.square, fields_of(s, o, "ratio of means"))
  local few = few_of(s, o, d)
  if e.status == "pending" or not few then return e end
  return e:update("unresolved", e.value, -math.huge, math.huge, FEW:format(few, d.square.n))
end

--- Estimates of the draws so far.
local function sharpness_of(s, o, d)
  return { d.ratio:estimate(fields_of(s, o, "batch sharpness")), ratio_of(s, o, d),
    d.momentum and momentum_of(s, o, d) }
end

--- The whole sample is one batch: nothing is drawn.
local function exact_of_whole(value, what)
  local fields = { signed = true, target = what .. " of the whole sample" }
  if value - value ~= 0 then
    fields.reason = NO_DIRECTION
    return estimate.new(fields)
  end
  fields.value, fields.low, fields.high, fields.interval = value, value, value, "exact"
  return estimate.new(fields)
end

local function exact_of(d)
  return { exact_of_whole(d.ratio[1], "sharpness"), exact_of_whole(d.ratio[1], "sharpness"),
    d.momentum and exact_of_whole(d.momentum[1], "sharpness with momentum") }
end

--- Fewer draws of gradients' squares may lack the few large ones: of 24 or 48 the interval of their
--- ratio covers 90 % where it says 95.
local LEAST <const> = 96

local function sharpness(s, o)
  local d = { ratio = draws.new(), curvature = draws.new(), square = draws.new(),
    momentum = o.velocity and draws.new(), cosine = draws.new() }
  local push = o.velocity and s:expand(s:select(o.velocity:to(s.dtype))) * o.momentum
  local next_batch, whole = batches_of(s, o, s:random()), o.batch_size == s.n
  local n = draws.until_enough(whole and 1 or o.draws, function()
    return not few_of(s, o, d) and all_within(sharpness_of(s, o, d), o.relative_error)
  end, function()
    local batch = next_batch()
    local g = gradient_of(s, batch)
    local curvature, square = curvature_along(s, batch, g)
    d.curvature:add(curvature)
    d.square:add(square)
    d.ratio:add(curvature / square)
    if push then
      local step = push + g
      local along = step:dot(g)
      d.momentum:add((curvature_along(s, batch, step)) / along)
      d.cosine:add(along / math.sqrt(step:dot(step) * square))
    end
  end, LEAST)
  local list = whole and exact_of(d) or sharpness_of(s, o, d)
  return { batch_sharpness = list[1], ratio_of_means = list[2], with_momentum = list[3], draws = n }
end

--- v'H v, likewise along v / |v|.
local function quadratic(h, v)
  local square = v:dot(v)
  if square == 0 then return 0 end
  local unit = v * (1 / square ^ 0.5)
  return unit:dot(h(unit)) * square
end

--- u = sum of e_i (g_i - G) over the sample, e_i = 1 or -1 at random: twice the sum over those with
--- e_i = 1, since all g_i - G add up to 0.
local function signed_sum(s, mean, random)
  local positive, sum = {}, core.zeros({ s.selected }, "float64")
  for i = 1, s.n do
    if random:integer(2) == 1 then positive[#positive + 1] = i - 1 end
  end
  for first = 1, #positive, s.most do
    local count = math.min(s.most, #positive - first + 1)
    local index = core.tensor(table.move(positive, first, first + count - 1, 1, {}), "int32")
    sum:add(2 * count, s:gradient_of(s:batch(index)))
  end
  return sum:add(-2 * #positive, mean)
end

--- E[g'Hg] / |G|^2 over batches drawn without replacement:
---     E[g'Hg] = G'HG + (1/b - 1/N) tr(H Sigma),   E[u'Hu] = (N - 1) tr(H Sigma)
--- Every example counts in each u, so that few large gradients do not make the interval fail, as
--- they do where batches are drawn.
local function interaction(s, o)
  if s.whole then
    errors.misuse("%s: interaction: the examples of a batch are coupled, so that gradient and"
      .. " Hessian of the sample are not means over batches", WHERE)
  end
  local _, mean = s:value_and_gradient()
  local h, each, random = s:operator(), draws.new(), s:random(1)
  local square, along = mean:dot(mean), quadratic(h, mean)
  local share = o.batch_size == s.n and 0 or (1 / o.batch_size - 1 / s.n) / (s.n - 1)
  local function read()
    return each:estimate({ target = target(s, o, "interaction of gradient and noise"),
      reason = "the gradient of the sample is 0 or not finite" }, share / square, along / square)
  end
  if share == 0 then return exact_of_whole(along / square, "interaction") end
  draws.until_enough(o.draws, function() return all_within({ read() }, o.relative_error) end,
    function()
      each:add(quadratic(h, signed_sum(s, mean, random)))
    end)
  return read()
end

local function thresholds(o)
  if not o.lr then return {} end
  local list = { plain = 2 / o.lr }
  if o.momentum > 0 then
    list.small_batch, list.large_batch = 2 * (1 - o.momentum) / o.lr, 2 * (1 + o.momentum) / o.lr
  end
  return list
end

local function check(s, o)
  if o.batch_size > s.n then
    errors.misuse("%s: batch_size must be at most the %d examples of the sample, not %d", WHERE,
      s.n, o.batch_size)
  elseif o.momentum >= 1 then
    errors.misuse("%s: momentum must be below 1, not %g", WHERE, o.momentum)
  elseif o.draws < 2 then
    errors.misuse("%s: draws must be at least 2; an interval takes 6", WHERE)
  elseif o.velocity and o.velocity:numel() ~= s.size then
    errors.misuse("%s: velocity has %d elements, the model has %d weights", WHERE,
      o.velocity:numel(), s.size)
  end
end

--- Options without those of the edge alone, for measure.eigenvalues.
local function of_eigenvalues(o)
  local kept = { tolerance = o.tolerance }
  for name in pairs(subject.spec {}) do kept[name] = o[name] end
  kept.batch_size = o.chunk
  return kept
end

---Largest eigenvalue and sharpness along the batches' gradients, each with its interval, beside the
---thresholds. A draw costs a gradient and a curvature of one batch (with velocity two curvatures);
---it draws until each half interval is relative_error of its value, 96 times or more, at most
---`draws` times: then the intervals are as long as they are.
---    local edge = sw.measure.edge(model, data.train, { batch_size = 32, lr = 0.1, draws = 100 })
---    print(edge.top, edge.batch_sharpness, edge.thresholds.plain)
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.EdgeOptions
---@return swale.Edge
function M.edge(model, sample, o)
  o = options.check(WHERE, o, SPEC)
  local s = subject.of(WHERE, model, sample, o)
  check(s, o)
  local self = setmetatable(sharpness(s, o), Edge)
  self.thresholds = thresholds(o)
  if o.interaction then self.interaction = interaction(s, o) end
  if o.top then self.top = eigenvalues.eigenvalues(model, sample, of_eigenvalues(o))[1] end
  return self
end

local LINES <const> = { { "plain", "2 / lr", "vermilion", "solid" },
  { "small_batch", "2 (1 - m) / lr", "black", "dashed" },
  { "large_batch", "2 (1 + m) / lr", "purple", "dotted" } }

---Draws the quantities with their intervals, and the thresholds as lines.
---@param file string                 .svg, .png or .pdf
---@return string file
function Edge:plot(file)
  options.value("edge:plot", "file", file, "string")
  local names, values, series = {}, {}, {}
  for _, shown in ipairs(SHOWN) do
    local e = self[shown[1]]
    if e then names[#names + 1], values[#values + 1] = shown[2], e end
  end
  series[1] = { x = names, y = values, as = "bars" }
  for _, line in ipairs(LINES) do
    local at = self.thresholds[line[1]]
    if at then
      series[#series + 1] = { y = { at }, as = "horizontal", label = line[2], colour = line[3],
        dash = line[4], line_width = 2 }
    end
  end
  series.file, series.y_label, series.title = file, "curvature", "edge of stability"
  series.legend = "above"
  return figure.plot(series)
end

return M
