--- How much the loss rises within a ball around the weights, and by SAM's step.
local options = require "swale.options"
local search = require "swale.measure.ball_search"
local subjects = require "swale.measure.subject"

local M = {}

---@class swale.BallOptions: swale.SubjectOptions
---@field rho? number             radius; 0.05, adaptive 0.5
---@field norm? "l2"|"linf"       "l2"
---@field adaptive? boolean       the ball is an ellipsoid (box) as wide as each weight; false
---@field steps? integer          of the ascent from each start; 20
---@field starts? integer         the first is SAM's point, others are random; 1

local SPEC = { rho = "positive?", norm = { choice = { "l2", "linf" }, "l2" },
  adaptive = { "boolean", false }, steps = { "count", 20 }, starts = { "count", 1 } }

---The worst case in a ball around the weights: how much the loss of the sample can rise. The value
---is a lower bound, found by projected gradient ascent; each step costs a gradient of the sample.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.BallOptions
---@return swale.Estimate           with starts, spread, effort, rho, norm, adaptive, loss
function M.ball(model, sample, o)
  o = options.check("measure.ball", o, subjects.spec(SPEC))
  o.rho = o.rho or o.adaptive and 0.5 or 0.05
  return search.largest(search.around(subjects.of("measure.ball", model, sample, o), o.adaptive), o)
end

---SAM's one-step sharpness (Foret et al. 2021, eq. 2): the rise of the loss by a step of length rho
---along the gradient. Two gradients of the sample.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? { rho?: number, adaptive?: boolean }    as for ball, and those of every measurement
---@return swale.Estimate
function M.sam(model, sample, o)
  o = options.check("measure.sam", o, subjects.spec { rho = "positive?",
    adaptive = { "boolean", false } })
  o.rho = o.rho or o.adaptive and 0.5 or 0.05
  return search.step(search.around(subjects.of("measure.sam", model, sample, o), o.adaptive), o)
end

return M
