--- Inner products of the gradients of examples, without the gradients. Of a linear layer, with
--- inputs x_i and derivatives d_i of example i's loss in its outputs, they are
---
---     <x_i, x_j> <d_i, d_j> of the weights,   <d_i, d_j> of the bias
---
--- (Goodfellow 2015). It keeps x and d of all examples. Other parameters have no such rule: their
--- gradients are computed one example at a time and kept.
local core = require "swale.core"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local ops = require "swale.ops"
local segments = require "swale.segments"

local M = {}

local MEMORY <const> = 2 ^ 30 -- bytes of gradients that are kept

---@class swale.GramFactor
---@field x swale.Node
---@field d swale.Node
---@field weight boolean     the weights are selected
---@field bias boolean

-- ------------------------------------------------------------------ linear layers

--- Inputs and outputs of linear layers that are called once, on a row for each example.
local function rows_of_layers(g, where)
  local found, order, calls = {}, {}, {}
  local output
  local function note(layer, path, x, y)
    if not layer:multiplies_rows() then return end
    calls[layer] = (calls[layer] or 0) + 1
    if calls[layer] > 1 then
      found[path] = nil
    elseif #x:shape() == 2 and g.ties[1] == nil then
      found[path], order[#order + 1] = { x = x, y = y, path = path, layer = layer }, path
    end
  end
  listen(g.layer, note, function() output = g.layer:call(g.x, g.bound) end)
  local list = {}
  for _, path in ipairs(order) do
    local f = found[path]
    if f and calls[f.layer] == 1 then list[#list + 1] = f end
  end
  return list, output or errors.misuse("%s: the network gave no output", where)
end

--- The sum of the examples' losses.
local function total_loss(loss, output, y)
  local value = loss(output, y)
  if #value:shape() == 0 then return nil end
  return ops.sum(value)
end

--- Nodes of the factors, and the parameters that they cover.
local function factors_of(g, subject, selected)
  local layers, output = rows_of_layers(g, subject.where)
  local sum, outputs = total_loss(subject.compiled.loss, output, g.y), {}
  if not sum then return {}, {} end
  for i, l in ipairs(layers) do outputs[i] = l.y end
  local slopes = #layers > 0 and errors.possible(g.graph:gradient(sum, outputs)) or {}
  local factors, covered = {}, {}
  for i, l in ipairs(layers) do
    local prefix = l.path == "" and "" or l.path .. "."
    local weight, bias = prefix .. "weight", prefix .. "bias"
    covered[weight], covered[bias] = true, true
    if slopes[i] and (selected[weight] or selected[bias]) then
      factors[#factors + 1] = { x = l.x * 1, d = slopes[i], weight = selected[weight] or false,
        bias = selected[bias] or false }
    end
  end
  return factors, covered
end

-- ------------------------------------------------------------------ reading

local function add_products(gram, factors, values)
  for k, f in ipairs(factors) do
    local d = values.d[k]
    local both = ops.matmul(d, d, { transpose_b = true })
    if f.weight then
      local x = values.x[k]
      local inputs = ops.matmul(x, x, { transpose_b = true })
      gram:add(1, both * (f.bias and inputs + 1 or inputs))
    else
      gram:add(1, both)
    end
  end
end

--- Writes the rows of one batch's outputs below those before.
local function put(list, k, first, n, t)
  t = t:to "float64"
  list[k] = list[k] or core.zeros({ n, t:shape()[2] }, "float64")
  list[k]:narrow(1, first, #t):copy(t)
end

--- What a program gives: by the program, which is kept for further calls.
---@type table<swale.Program, { factors: swale.GramFactor[], covered: table, has_hits: boolean }>
local made_for = setmetatable({}, { __mode = "k" })

local function maker(subject, selected)
  return function(g, _, dtype)
    local factors, covered = factors_of(g, subject, selected)
    local outputs = {}
    for k, f in ipairs(factors) do outputs[2 * k - 1], outputs[2 * k] = f.x, f.d end
    local has_hits = g.hit ~= nil and #g.hit:shape() == 1
    outputs[#outputs + 1] = has_hits and g.hit or g.loss
    local program = core.program(g.graph, outputs, { dtype = dtype })
    made_for[program] = { factors = factors, covered = covered, has_hits = has_hits }
    return program
  end
end

local function key_of(selected)
  local paths = {}
  for path in pairs(selected) do paths[#paths + 1] = path end
  table.sort(paths)
  return "gram " .. table.concat(paths, " ")
end

---@param subject swale.Subject
---@param selected table<string, boolean>   paths of parameters
---@param gram swale.Tensor                 (n, n), float64: added to
---@return table<string, boolean> covered   parameters that are in it
---@return swale.Tensor|nil hits            (n, 1): 1 where the predicted class is the label
function M.add_linear(subject, selected, gram)
  local values, hits, first, made = { x = {}, d = {} }, {}, 1, nil
  local compiled, key, make = subject.compiled, key_of(selected), maker(subject, selected)
  for batch, count in subject:parts() do
    local program, inputs = compiled:program(key, batch, subject.dtype, make)
    made = made_for[program]
    local out = table.pack(errors.check(program:run { inputs = inputs, batch = count,
      vectors = compiled:vectors(subject.weights) }))
    for k = 1, #made.factors do
      put(values.x, k, first, subject.n, out[2 * k - 1])
      put(values.d, k, first, subject.n, out[2 * k])
    end
    if made.has_hits then put(hits, 1, first, subject.n, out[#out]:reshape { count, 1 }) end
    first = first + count
  end
  add_products(gram, made.factors, values)
  return made.covered, hits[1]
end

---Adds the inner products of the gradients of other parameters, one example at a time.
---@param subject swale.Subject
---@param list swale.Segment[]
---@param gram swale.Tensor
function M.add_rest(subject, list, gram)
  local weights = 0
  for _, s in ipairs(list) do weights = weights + segments.elements(s.shape) end
  if weights == 0 then return end
  if 8 * weights * subject.n > MEMORY then
    errors.misuse("%s: %d weights (%s …) have no rule but their gradients; of %d examples these do"
      .. ' not fit into 1 GiB: over = "…" selects others, split:sample(n) fewer examples',
      subject.where, weights, list[1].path, subject.n)
  end
  local rows, row = core.zeros({ subject.n, weights }, "float64"), 0
  for batch in subject:parts(1) do
    row = row + 1
    local _, gradient = subject.compiled:value_and_gradient(subject.weights, batch)
    local at = 1
    for _, s in ipairs(list) do
      rows:select(1, row):narrow(1, at, s.size):copy(
        gradient:narrow(1, s.offset, s.size):to "float64")
      at = at + s.size
    end
  end
  gram:add(1, ops.matmul(rows, rows, { transpose_b = true }))
end

return M
