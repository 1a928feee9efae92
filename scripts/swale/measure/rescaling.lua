--- The invariance test: rescale a ReLU layer, which changes no output (Dinh et al. 2017), and
--- report which measures of sharpness changed.
local class = require "swale.class"
local errors = require "swale.errors"
local options = require "swale.options"
local search = require "swale.measure.sharpness_search"
local sharpness = require "swale.measure.sharpness"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.rescaling"
local SAME <const> = 1e-4 -- the loss of an equal function may differ by this, relative to 1 + loss

---@class swale.RescalingOptions: swale.SharpnessOptions
---@field factor? number       of a layer; 4. The weights of the next one are divided by it
---@field first? string        path of that layer ("1"); the first for which the loss stays

---@class swale.Rescaling
---@field factor number
---@field first string         path of the layer that was multiplied
---@field second string        path of the layer that was divided
---@field loss number[]        before and after: equal but for rounding
---@field before swale.Sharpness
---@field after swale.Sharpness
---@field ratios table<string, number>   after / before, of sharpness and its companions
local Rescaling = class.new("rescaling", { fields = { "factor", "first", "second", "loss", "before",
  "after", "ratios" } })

--- The layers with parameters, in order: { path =, segments = }.
local function groups_of(model)
  local list, by_path = {}, {}
  for _, s in ipairs(model.segments) do
    local path = s.path:match "^(.*)%.[^.]*$" or ""
    if not by_path[path] then
      by_path[path] = { path = path, segments = {} }
      list[#list + 1] = by_path[path]
    end
    table.insert(by_path[path].segments, s)
  end
  return list
end

local function scale(w, group, factor, keep)
  for _, s in ipairs(group.segments) do
    if not (keep and s.path:find(keep)) then w:narrow(1, s.offset, s.size):scale(factor) end
  end
end

local function rescaled(weights, first, second, factor)
  local w = weights:clone()
  scale(w, first, factor)
  scale(w, second, 1 / factor, "bias$")
  return w
end

--- The first pair of neighbouring layers for which the loss stays, of those that o names.
local function find(subject, o)
  local before, groups, tried = subject:value(), groups_of(subject.model), {}
  for i = 1, #groups - 1 do
    if o.first == nil or groups[i].path == o.first then
      local w = rescaled(subject.weights, groups[i], groups[i + 1], o.factor)
      local after = subject:value(w)
      if math.abs(after - before) <= SAME * (1 + math.abs(before)) then
        return groups[i].path, groups[i + 1].path, w, { before, after }
      end
      tried[#tried + 1] = ("%s and %s (loss %.4g to %.4g)"):format(groups[i].path,
        groups[i + 1].path, before, after)
    end
  end
  local paths = {}
  for i, group in ipairs(groups) do paths[i] = ("%q"):format(group.path) end
  errors.misuse("%s: no layer%s can be rescaled without a change of the loss: tried %s. It takes a "
    .. "layer, a ReLU and a layer; those with parameters are %s", WHERE,
    o.first and (" %q"):format(o.first) or "", #tried > 0 and table.concat(tried, ", ") or "none",
    table.concat(paths, ", "))
end

local function ratios(before, after)
  local list = { sharpness = after.value / before.value }
  for name, e in pairs(before.companions) do list[name] = after.companions[name].value / e.value end
  return list
end

function Rescaling:__tostring()
  local lines = { ("layer %s times %g, layer %s divided by it: loss %.6g, then %.6g"):format(
    self.first, self.factor, self.second, self.loss[1], self.loss[2]) }
  for _, name in ipairs(errors.sorted(self.ratios)) do
    local one = name == "sharpness" and self.before or self.before.companions[name]
    lines[#lines + 1] = ("%-14s %10.4g, then times %.4g"):format(name, one.value, self.ratios[name])
  end
  return table.concat(lines, "\n")
end

---Draws the measures before and after, as bars.
---@param file string          ends in .svg, .png or .pdf
function Rescaling:plot(file)
  return self.before:plot(file, { name = "before", { "rescaled", self.after } })
end

---Multiplies a layer by a factor and divides the next one's weights by it, which changes no output
---of a ReLU network, and measures sharpness before and after. What changed depends on how the
---network is written down, not on the function that it computes.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.RescalingOptions
---@return swale.Rescaling
function M.rescaling(model, sample, o)
  o = options.check(WHERE, o, search.spec { factor = { "positive", 4 }, first = "string?" })
  local own = { factor = o.factor, first = o.first }
  local subject = subjects.of(WHERE, model, sample, o)
  local first, second, w, loss = find(subject, own)
  o.factor, o.first, o.companions = nil, nil, o.companions or true
  o.weights = subject.weights
  local before = sharpness.sharpness(model, sample, o)
  o.weights = w
  local after = sharpness.sharpness(model, sample, o)
  return setmetatable({ factor = own.factor, first = first, second = second, loss = loss,
    before = before, after = after, ratios = ratios(before, after) }, Rescaling)
end

return M
