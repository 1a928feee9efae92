--- Cheap statistics of a network at the end of an epoch: dead units, sizes of updates, margins.
--- They have their own programs, samples and random streams, and change no bit of the training.
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

local TRAINED = 512   -- training examples for dead units
local HELD_OUT = 1000 -- validation examples for margins

---@class swale.Vitals
---@field evaluator swale.Evaluator   of the weights that are looked at
---@field names string[]            of the layers before the ReLUs
---@field dead? { program: swale.Program, x: swale.Tensor, y: swale.Tensor }
---@field margin? { program: swale.Program, x: swale.Tensor, y: swale.Tensor }
local Vitals = {}
Vitals.__index = Vitals

local function sample(source, n, seed)
  n = math.min(n, #source)
  local order = core.random(seed, "measure/vitals"):permutation(#source)
  local x, y = source:gather(order:narrow(1, 1, n):contiguous())
  return { x = x, y = y }
end

--- Calls a network layer by layer, and visit(path, output) for each rectifying layer: path is that
--- of the layer with parameters before it.
local function walk(layer, x, p, visit, prefix, at)
  local chain = layer:chain()
  if not chain then
    local y = layer:call(x, p) -- as in evaluation
    if layer:rectifies() then visit(at.path or prefix, y) end
    return y
  end
  for i, child in ipairs(chain) do
    local path = prefix == "" and child.key or prefix .. "." .. child.key
    if #child.layer:parameters() > 0 then at.path = path end
    x = walk(child.layer, x, p[i], visit, path, at)
  end
  return x
end

--- The fraction of the units of each ReLU that are 0 for the whole batch.
local function dead_outputs(graph)
  local names, outputs = {}, {}
  walk(graph.layer, graph.x, graph.bound, function(path, y)
    names[#names + 1] = path
    local axes = {} -- all but the channels of images
    for axis = 1, y:ndim() - 1 do axes[axis] = axis end
    outputs[#outputs + 1] = ops.mean(ops.le(ops.max(y, axes), 0))
  end, "", {})
  return names, outputs
end

--- Logit of the label less the largest other one: (B).
local function margin_output(graph)
  local z = graph.output
  local mine = core.apply("one_hot", { n = z:shape()[2] }, graph.y)
  local others = ops.max(ops.where(ops.gt(mine, 0.5), z * 0 - 1e30, z), -1)
  return ops.sum(z * mine, -1) - others
end

local function with_program(graph, outputs, data)
  data.program = core.program(graph.graph, outputs)
  return data
end

---@param evaluator swale.Evaluator
---@param seed integer               of the samples
---@return swale.Vitals
function M.new(evaluator, seed)
  local graph, data = evaluator.graph, evaluator.data
  local self = setmetatable({ evaluator = evaluator, ratios = {} }, Vitals)
  local outputs
  self.names, outputs = dead_outputs(graph)
  if #outputs > 0 then
    self.dead = with_program(graph, outputs, sample(data.train.source, TRAINED, seed))
  end
  if graph.hit and graph.y:ndim() == 1 and data.valid
    and (graph.output:shape()[2] or 1) ~= 1 and not graph.counted then
    self.margin = with_program(graph, { margin_output(graph) },
      sample(data.valid.source, HELD_OUT, seed))
  end
  return self
end

local function run(self, looked)
  return errors.check(looked.program:run { inputs = { looked.x, looked.y },
    vectors = { self.evaluator.weights, self.evaluator.buffers }, batch = #looked.x })
end

local function dead_units(self, line)
  local found = table.pack(run(self, self.dead))
  line.dead_units = {}
  for i, name in ipairs(self.names) do line.dead_units[name] = found[i]:item() end
end

local function margins(self, line)
  local values = run(self, self.margin):table()
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  table.sort(values)
  line.margin_mean, line.margin_low = sum / #values, values[math.max(1, #values // 10)]
end

--- |change| / |weights| of each parameter at a step of the last epoch.
local function update_ratios(self, line, loop, segments, kept)
  local ratios = self.ratios
  if not loop:update_ratios(ratios) then ratios = kept end
  if not ratios then return end
  line.update_ratio = {}
  for i, s in ipairs(segments) do line.update_ratio[s.path] = ratios[i] end
end

---Adds the statistics to the record of an epoch: dead_units, update_ratio, margin_mean, margin_low
---(the 10 % quantile).
---@param line table
---@param loop swale.Loop|swale.CustomLoop
---@param segments swale.Segment[]    of the weights
---@param kept? number[]    update ratios, while the loop has none
function Vitals:look(line, loop, segments, kept)
  if self.dead then dead_units(self, line) end
  if self.margin then margins(self, line) end
  update_ratios(self, line, loop, segments, kept)
end

return M
