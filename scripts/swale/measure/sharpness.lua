--- Sharpness (Keskar et al. 2017, metric 2.1): how much the loss can rise in a small box around the
--- weights, in the full space or in the span of random directions.
local balls = require "swale.measure.ball_search"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local figure = require "swale.plot.figure"
local options = require "swale.options"
local search = require "swale.measure.sharpness_search"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.sharpness"

---@class swale.Sharpness: swale.Estimate
---@field starts { value: number, status: string, reason: string, iterations: integer,
---evaluations: integer }[]
---@field spread number               best start minus worst
---@field effort { starts: integer, iterations: integer, evaluations: integer }
---@field loss number                 at the weights
---@field companions table<string, swale.Estimate>|false   rises of the loss: sam, l2, linf, and
---adaptive_sam, adaptive_l2, adaptive_linf, which rescaling a ReLU layer does not change
---@field plot fun(self: swale.Sharpness, file: string, others?: table)   bars

local SPEC = search.spec {}

-- ------------------------------------------------------------------ the result

--- The names of the companions, in the order in which they are shown.
local SHOWN <const> = { "sam", "l2", "linf", "adaptive_sam", "adaptive_l2", "adaptive_linf" }

local Companions = {}

function Companions:__tostring()
  local words = {}
  for i, name in ipairs(SHOWN) do words[i] = ("%s %.4g"):format(name, self[name].value) end
  return table.concat(words, ", ")
end

local function about(subject, o)
  local space = o.subspace and ("%d random columns, %s"):format(o.subspace, o.columns)
    or "the full space"
  return ("metric 2.1 in %s, epsilon %g, of the loss of %d examples (%s mode, %s)"):format(space,
    o.epsilon, subject.n, subject.mode, subject.dtype)
end

--- What starts did, by the status of their search.
local ENDS <const> = { converged = "converged", iterations = "used up their iterations",
  abnormal = "met rounding", evaluations = "used up their evaluations" }

local function summary(starts)
  local values, iterations, evaluations, ends = {}, 0, 0, {}
  for i, s in ipairs(starts) do
    values[i], iterations = s.value, iterations + s.iterations
    evaluations = evaluations + s.evaluations
    ends[s.status] = (ends[s.status] or 0) + 1
  end
  local words = {}
  for _, status in ipairs(errors.sorted(ends)) do
    words[#words + 1] = ("%d %s"):format(ends[status], ENDS[status] or status)
  end
  return math.max(table.unpack(values)), math.min(table.unpack(values)),
    { starts = #starts, iterations = iterations, evaluations = evaluations },
    table.concat(words, ", ")
end

local function bar_values(list)
  local names, values = {}, {}
  for i, entry in ipairs(list) do names[i], values[i] = entry[1], entry[2] end
  return names, values
end

local function is_sharpness(x)
  return estimate.is_estimate(x) and rawget(x, "effort") and rawget(x, "companions") ~= nil
end

--- { name, sharpness } of all that is drawn; whether each has companions.
local function listed(self, others)
  for key in pairs(others) do
    if key ~= "name" and math.type(key) ~= "integer" then
      errors.misuse('sharpness:plot: unknown option %s; takes { name =, { "batch 500", large } }',
        errors.shown(key))
    end
  end
  local list, whole = { { others.name or "these weights", self } }, self.companions
  for i, other in ipairs(others) do
    if type(other) ~= "table" or type(other[1]) ~= "string" or not is_sharpness(other[2]) then
      errors.misuse("sharpness:plot: [%d] must be { name, sharpness }, not %s", i,
        errors.shown(other))
    end
    list[#list + 1], whole = other, whole and other[2].companions
  end
  return list, whole
end

local function companions_panel(list)
  local panel, positive = { title = "rise of the loss in a ball", y_label = "rise" }, true
  for _, entry in ipairs(list) do
    local rises = {}
    for i, name in ipairs(SHOWN) do
      rises[i] = { (name:gsub("_", " ")), entry[2].companions[name].value }
      positive = positive and rises[i][2] > 0
    end
    local x, y = bar_values(rises)
    panel[#panel + 1] = { x = x, y = y, as = "bars",
      label = #list > 1 and entry[1] or nil }
  end
  panel.legend = "above"
  panel.y_log = positive
  return panel
end

---Bars of sharpness and companions, side by side with those of others:
---    small:plot("sharpness.svg", { name = "batch 32", { "batch 500", large } })
---@param self swale.Sharpness
---@param file string                ends in .svg, .png or .pdf
---@param others? table              { name =, { name, sharpness }, … }
local function plot(self, file, others)
  options.value("sharpness:plot", "file", file, "string")
  others = options.value("sharpness:plot", "others", others, "table?")
  local list, whole = listed(self, others or {})
  local phis = {}
  for i, entry in ipairs(list) do phis[i] = { entry[1], entry[2].value } end
  local names, values = bar_values(phis)
  return figure.plot { file = file, panels = { { x = names, y = values, as = "bars",
    title = ("sharpness, epsilon %g"):format(self.epsilon),
    y_label = "100 (max f - f) / (1 + f)", x_range = #names == 1 and { 0, 2 } or nil },
    whole and companions_panel(list) or nil } }
end

---How much the loss f can rise in a small box around the weights x (Keskar et al., metric 2.1):
---    phi = 100 (max f(x + A z) - f(x)) / (1 + f(x)),   |z_i| <= epsilon (|(A^+ x)_i| + 1)
---A = I, or n x p random columns. The maximum is searched by L-BFGS-B from random points in the box
---(at a minimum the gradient at x itself is 0): `value` is the best point found, which is a sure
---lower bound and grows with effort; compare values of equal effort and at equal loss alone.
---`starts` has what each found and why it ended. phi depends on the parametrisation: three of its
---`companions` do not change when a ReLU layer is rescaled; see measure.rescaling.
---    local phi = sw.measure.sharpness(model, data.train:sample(500), { starts = 3 })
---    print(phi, phi.spread, phi.effort.evaluations, phi.companions.adaptive_l2)
---Cost: some 12 gradients of the sample for each start, and 65 for the companions.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.SharpnessOptions
---@return swale.Sharpness
function M.sharpness(model, sample, o)
  o = options.check(WHERE, o, SPEC)
  local subject = subjects.of(WHERE, model, sample, o)
  local ball = balls.around(subject, false)
  local starts = search.maximise_all(search.begin(subject, ball, o), o)
  local best, worst, effort, ends = summary(starts)
  local value = math.max(0, best) -- z = 0 is in the box, too
  return estimate.new { value = value, low = value, high = math.huge, interval = "bound",
    target = about(subject, o), starts = starts, spread = best - worst, effort = effort,
    loss = ball.loss, epsilon = o.epsilon, subspace = o.subspace or false,
    columns = o.subspace and o.columns or false, mode = o.mode, dtype = subject.dtype,
    examples = subject.n, plot = plot,
    companions = o.companions and setmetatable(search.companions(ball, o), Companions),
    reason = ("the best of %d starts, %d evaluations (%s); the maximum may be higher"):format(
      #starts, effort.evaluations, ends) }
end

return M
