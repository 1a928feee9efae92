--- The noise of parts of the weights: of each layer, and of the normalisation layers alone, whose
--- noise scale often follows that of all weights (Gray et al. 2024).
local core = require "swale.core"
local estimate = require "swale.estimate"
local result = require "swale.measure.noise_result"
local statistics = require "swale.measure.noise_statistics"
local tree = require "swale.nn.tree"

local M = {}

--- Block sums of some of the selected parameters.
local function blocks_of(read, places)
  local k = #read.units
  local blocks = { units = read.units, squares = {}, weights = 0,
    gram = core.zeros({ k, k }, "float64") }
  for _, p in ipairs(places) do
    local columns = read.sums:narrow(2, p.first, p.length):contiguous()
    blocks.gram, blocks.weights = blocks.gram + statistics.gram(columns), blocks.weights + p.length
    for b = 1, k do
      blocks.squares[b] = (blocks.squares[b] or 0) + read.of_parameters[p.parameter][b]
    end
  end
  return blocks
end

--- The normalisation layers' paths.
local function normalising(layer)
  local paths = {}
  tree.each(layer, function(l, path) if l:normalises() then paths[path] = true end end)
  return paths
end

local function layer_of(path) return path:match "^(.*)%.[^.]*$" or "" end

--- B_simple of each leave-one-out sample, in logarithms; nil if one of them has none.
local function logarithms(moments, drawn)
  local list = {}
  for k, signal in ipairs(moments.leave.signal) do
    local noise = moments.leave.noise[k]
    local b = signal + statistics.correction(drawn) * noise
    if b <= 0 or noise <= 0 then return nil end
    list[k] = math.log(noise) - math.log(b)
  end
  return list
end

--- The ratio of two noise scales of the same blocks: an interval of its logarithm, by a jackknife.
local function ratio(part, all, drawn, text)
  local value = part.b_simple.value / all.b_simple.value
  if part.b_simple.interval == "exact" then
    return estimate.new { value = value, low = value, high = value, target = text,
      interval = "exact" }
  end
  local one, other = logarithms(part.moments, drawn), logarithms(all.moments, drawn)
  if part.b_simple.status ~= "resolved" or all.b_simple.status ~= "resolved" or not one
    or not other then
    return estimate.new { status = "unresolved", value = value, low = 0, high = math.huge,
      target = text, reason = "one of the two noise scales is not resolved" }
  end
  for k, x in ipairs(other) do one[k] = one[k] - x end
  local share = statistics.share_of_variance(drawn)
  local factor = math.exp(all.moments.t * math.sqrt(share * statistics.jackknife(one, one)))
  return estimate.new { value = value, low = value / factor, high = value * factor,
    target = text }
end

---Adds `layers`, and, if there are normalisation layers, `normalisation` and `ratio`.
---@param noise swale.Noise
---@param subject swale.Subject
---@param read swale.NoiseUnits
---@param drawn swale.Drawn
function M.add(noise, subject, read, drawn)
  local groups, kinds, norms, paths = {}, normalising(subject.model.layer), {}, {}
  for _, p in ipairs(read.places) do
    local path = layer_of(subject.model.segments[p.parameter].path)
    if not groups[path] then paths[#paths + 1], groups[path] = path, {} end
    table.insert(groups[path], p)
    if kinds[path] then norms[#norms + 1] = p end
  end
  local function of(places, what)
    return statistics.estimates(blocks_of(read, places), drawn, what .. ", of " .. noise.text)
  end
  noise.layers, noise.paths = {}, paths
  for path, places in pairs(groups) do
    noise.layers[path] = result.new(of(places, "layer " .. path))
  end
  if #norms == 0 then return end
  local part = of(norms, "normalisation layers")
  noise.ratio = ratio(part, noise, drawn, "B_simple of normalisation layers over that of all"
    .. " weights, of " .. noise.text)
  noise.normalisation = result.new(part)
end

return M
