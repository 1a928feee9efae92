--- Running statistics for given weights, from a pass over data: those that layers, as batch norms,
--- return from their method statistics. All examples have the same weight whatever the batch size,
--- and the variance of the batch means is included. With n_b values of a channel in batch b, their
--- mean m_b and biased variance v_b, and N = sum n_b:
---
---    mean = sum n_b m_b / N,    var = sum n_b (v_b + (m_b - mean)^2) / (N - 1)
---
--- in double, batch after batch (Chan et al. 1979), so that a mean that is large compared with the
--- deviation costs no digits; N - 1 as in PyTorch's running_var. Dropout is off.
local contexts = require "swale.nn.context"
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local options = require "swale.options"
local segments = require "swale.segments"

local M = {}

---@class swale.StatisticsSite    a call of a layer that has running statistics
---@field moments swale.Node       and positions: of its swale.LayerStatistics
---@field positions integer
---@field channels integer
---@field mean swale.Tensor        views of the result, as the next two
---@field var swale.Tensor
---@field count swale.Tensor

---@class swale.Reestimation
---@field layer swale.Layer
---@field weights swale.Tensor
---@field buffers swale.Tensor          the result has its other values
---@field source swale.Source
---@field example swale.Example
---@field index? swale.Tensor           int32, from 0: examples; nil: all
---@field method "pooled"|"layerwise"
---@field batch_size integer

--- The views of the result that belong to a layer's buffers, by their nodes.
local function views_by_node(o, nodes)
  local found = {}
  for path, view in pairs(segments.views(o.result, select(2, segments.of(o.layer)))) do
    found[nodes[path]] = view
  end
  return found
end

local function site_of(statistics, views)
  local moments = statistics.moments
  return { moments = moments, positions = statistics.positions, channels = moments:shape()[2],
    mean = views[statistics.mean], var = views[statistics.var], count = views[statistics.count] }
end

--- A graph with all layers that have running statistics in one mode, the others as in evaluation,
--- and a site for each of the former.
local function build(o, mode)
  local graph, sites = core.graph(), {}
  local bound, nodes = segments.nodes(graph, o.layer)
  local views, inside = views_by_node(o, nodes), contexts.new(mode)
  local function of_buffers(layer, x, p)
    local statistics = layer:statistics(x, p)
    if not statistics then return contexts.eval end
    sites[#sites + 1] = site_of(statistics, views)
    return inside
  end
  o.layer:call(entry.input(graph, o.example), bound,
    contexts.new("eval", { of_buffers = of_buffers }))
  return graph, sites
end

local function all(n)
  local index = core.zeros({ n }, "int32")
  for i = 1, n do index:set(i, i - 1) end
  return index
end

--- A single example left over is added to the last batch: alone it has no variance.
local function each_batch(o, f)
  local index, first = o.index or all(#o.source), 1
  while first <= #index do
    local count = math.min(o.batch_size, #index - first + 1)
    if #index - first + 1 - count == 1 then count = count + 1 end
    f((o.source:gather(index:narrow(1, first, count):contiguous())), count)
    first = first + count
  end
end

--- m2: sum of squares of deviations from the mean.
local function new_sum(site)
  return { n = 0, batches = 0, mean = core.zeros({ site.channels }, "float64"),
    m2 = core.zeros({ site.channels }, "float64") }
end

local function add(sum, site, moments, examples)
  local n = examples * site.positions
  local mean, var = moments:select(1, 1):to "float64", moments:select(1, 2):to "float64"
  local share, off = n / (sum.n + n), mean - sum.mean
  sum.m2:add(n, var)
  sum.m2:add(share * sum.n, off * off)
  sum.mean:add(share, off)
  sum.n, sum.batches = sum.n + n, sum.batches + 1
end

local function store(sum, site)
  local var = sum.m2 * (1 / math.max(sum.n - 1, 1))
  site.mean:copy(sum.mean:to(site.mean:dtype()))
  site.var:copy(var:to(site.var:dtype()))
  site.count:fill(sum.batches)
end

local function run(o, graph, sites)
  local outputs, sums = {}, {}
  for i, site in ipairs(sites) do outputs[i], sums[i] = site.moments, new_sum(site) end
  local program = core.program(graph, outputs, { dtype = o.weights:dtype() })
  each_batch(o, function(x, n)
    if core.interrupted() then error(core.INTERRUPTED, 0) end
    local moments = table.pack(program:run { inputs = { x }, vectors = { o.weights, o.result } })
    errors.check(moments[1], moments[2], moments[3])
    for i, site in ipairs(sites) do add(sums[i], site, moments[i], n) end
  end)
  for i, site in ipairs(sites) do store(sums[i], site) end
end

---The buffers for these weights, as a new vector.
---    pooled      one pass in which batch norms normalise by batches, as in training
---    layerwise   a pass for each batch norm, those before it as in evaluation, with their new
---                statistics: exact, whatever the batch size
---@param o swale.Reestimation
---@return swale.Tensor
function M.buffers(o)
  o = setmetatable({ result = o.buffers:to(o.weights:dtype()):clone() }, { __index = o })
  if o.method == "pooled" then
    local graph, sites = build(o, "train")
    if #sites > 0 then run(o, graph, sites) end
  else
    local graph, sites = build(o, "eval")
    for _, site in ipairs(sites) do run(o, graph, { site }) end
  end
  return o.result
end

---@class swale.ReestimateOptions
---@field method? "pooled"|"layerwise"   "pooled"
---@field batch_size? integer            1000
---@field weights? swale.Tensor          flat; the model's own
---@field commit? boolean                also sets the model's statistics; false

local OPTIONS = { method = { choice = { "pooled", "layerwise" }, "pooled" },
  batch_size = { "count", 1000 }, weights = "tensor?", commit = { "boolean", false } }

---Running statistics of the model's batch norms for weights of its form, from data: method
---model:reestimate(data.train, { weights = average }). See M.buffers and the head of this file.
---@param model swale.Model
---@param split swale.Split
---@param o? swale.ReestimateOptions
---@return swale.Tensor buffers     a new flat vector
function M.reestimate(model, split, o)
  options.value("model:reestimate", "the data", split, "Split")
  o = options.check("model:reestimate", o, OPTIONS)
  local buffers, weights = model:buffers(), o.weights or model:weights()
  if not buffers then
    errors.misuse("model:reestimate: %s keeps no running statistics", tostring(model.layer))
  elseif weights:numel() ~= model:weights():numel() then
    errors.misuse("model:reestimate: %d weights, the model has %d", weights:numel(),
      model:weights():numel())
  end
  local rows = split.source:shape()
  local example = { rows = rows, features = entry.features(model.layer, rows, split.shape),
    index = split.vocabulary ~= nil }
  local result = M.buffers { layer = model.layer, weights = weights, buffers = buffers,
    source = split.source, example = example, method = o.method, batch_size = o.batch_size }
  if o.commit then buffers:copy(result:to "float32") end
  return result
end

return M
