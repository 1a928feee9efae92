--- Inner products of the gradients of examples, mostly without the gradients. Of a layer that
--- multiplies rows x_it (of example i, position t) by its weight, with derivatives d_it of example
--- i's loss in its outputs, they are
---
---     sum_t sum_s <x_it, x_js> <d_it, d_js>,     of the bias  sum_t sum_s <d_it, d_js>
---
--- (Goodfellow 2015; Rochette et al. 2019 for convolutions, whose rows are the pixels below the
--- kernel). With many positions the gradients sum_t d_it x_it' themselves are the smaller form. The
--- gradients of a norm are vectors of channels. Other parameters have no such rule: their gradients
--- are computed one example at a time and kept.
local core = require "swale.core"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local ops = require "swale.ops"
local segments = require "swale.segments"

local M = {}

local MEMORY <const> = 2 ^ 30 -- bytes that are kept, of one layer
local BATCH <const> = 2 ^ 27  -- bytes of rows that are computed at a time

---@class swale.GramFactor
---@field outputs swale.Node[]   what a program computes of it for each example
---@field take fun(t: swale.Tensor[], count: integer): swale.Tensor[]   what is kept of a batch's
---@field add fun(gram: swale.Tensor, kept: swale.Tensor[])
---@field bytes integer          of the outputs of an example, in float64

-- ------------------------------------------------------------------ the layers that have a rule

local function without_affine(p)
  local rest = {}
  for name, value in pairs(p) do rest[name] = value end
  rest.weight, rest.bias = nil, nil
  return rest
end

--- What a rule needs of a call: rows, or what a norm scales; nil: there is no rule.
local function rule_of(layer, x, p, context)
  if layer:normalises() and p and p.weight then
    return { scaled = layer:call(x, without_affine(p), context) }
  end
  local rows, groups = layer:rows(x)
  return rows and { rows = rows, groups = groups or 1 }
end

--- y as a node of its own: a graph joins a reshape with the next one, and then nothing depends on
--- the first. Times 1 is simplified, so the 1 is computed.
local function apart(y, p)
  local w = ops.sum(p.weight)
  return y * ops.eq(w, w)
end

--- Layers that have a rule, are called once and share no weights, in order of the calls.
local function layers_of(g)
  local list, calls, output = {}, {}, nil
  local function note(layer, path, x, y, p, context)
    if calls[layer] then
      calls[layer].rule = nil
      return nil
    end
    local rule = rule_of(layer, x, p, context)
    calls[layer] = { path = path, y = rule and apart(y, p), layer = layer, rule = rule }
    list[#list + 1] = calls[layer]
    return calls[layer].y
  end
  listen(g.layer, note, function() output = g.layer:call(g.x, g.bound) end)
  local kept = {}
  for _, call in ipairs(list) do
    if call.rule and #g.ties == 0 then kept[#kept + 1] = call end
  end
  return kept, output
end

-- ------------------------------------------------------------------ gradients that are vectors

--- (B, channels): the sum over an example's positions.
local function by_example(node)
  local axes = {}
  for axis = 2, #node:shape() - 1 do axes[axis - 1] = axis end
  return #axes > 0 and ops.sum(node, axes) or node
end

local function add_square(gram, kept)
  gram:add(1, ops.matmul(kept[1], kept[1], { transpose_b = true }))
end

local function vector(node)
  local shape = node:shape()
  return { outputs = { node }, bytes = 8 * shape[#shape], add = add_square,
    take = function(t) return { t[1] } end }
end

-- ------------------------------------------------------------------ rows

--- Positions of an example, and the length of its rows.
local function sizes_of(node)
  local shape = node:shape()
  local positions = type(shape[1]) == "string" and tonumber(shape[1]:match "^%d+") or 1
  for axis = 2, #shape - 1 do positions = positions * shape[axis] end
  return positions, shape[#shape]
end

--- Part k of the last axis.
local function part_of(t, k, parts)
  if parts == 1 then return t end
  local shape = t:shape()
  local n = shape[#shape] // parts
  return t:narrow(#shape, (k - 1) * n + 1, n):contiguous()
end

--- <x_i, x_j> <d_i, d_j>, and 1 in place of the former for the bias.
local function add_single(gram, x, d, f)
  local both = ops.matmul(d, d, { transpose_b = true })
  local inputs = f.weight and ops.matmul(x, x, { transpose_b = true })
  if inputs and f.bias then inputs = inputs + 1 end
  gram:add(1, inputs and both * inputs or both)
end

--- The same over all pairs of positions, an example with all others at a time.
local function add_pairs(gram, x, d, f)
  local n, t = x:shape()[1], f.positions
  local all_x, all_d = x:reshape { n * t, -1 }, d:reshape { n * t, -1 }
  for i = 1, n do
    local both = ops.matmul(d:select(1, i), all_d, { transpose_b = true })
    local inputs = ops.matmul(x:select(1, i), all_x, { transpose_b = true })
    if f.bias then inputs = inputs + 1 end
    local sums = ops.sum((both * inputs):reshape { t, n, t }, { 1, 3 })
    gram:select(1, i):add(1, sums:reshape { n })
  end
end

--- Keeps the rows.
local function by_rows(f)
  local t, parts = f.positions, f.groups
  local add = t == 1 and add_single or add_pairs
  return { bytes = 8 * t * (f.k + f.m), outputs = { f.rows, f.d },
    take = function(out, count)
      if t == 1 then return { out[1]:reshape { count, f.k }, out[2]:reshape { count, f.m } } end
      return { out[1]:reshape { count, t, f.k }, out[2]:reshape { count, t, f.m } }
    end,
    add = function(gram, kept)
      for k = 1, parts do add(gram, part_of(kept[1], k, parts), part_of(kept[2], k, parts), f) end
    end }
end

--- Keeps the gradients: for each group a matrix of weights.
local function by_gradients(f)
  local t, parts, outputs = f.positions, f.groups, {}
  local x, d = ops.reshape(f.rows, { "batch", t, f.k }), ops.reshape(f.d, { "batch", t, f.m })
  local k, m = f.k // parts, f.m // parts
  for i = 0, parts - 1 do
    outputs[i + 1] = ops.bmm(parts == 1 and d or ops.slice(d, 3, i * m + 1, m),
      parts == 1 and x or ops.slice(x, 3, i * k + 1, k), { transpose_a = true })
  end
  outputs[parts + 1] = f.bias and ops.sum(d, 2) or nil
  return { bytes = 8 * t * (f.k + f.m), outputs = outputs,
    take = function(out, count)
      for i = 1, #out do out[i] = out[i]:reshape { count, -1 } end
      return out
    end,
    add = function(gram, kept)
      for _, part in ipairs(kept) do add_square(gram, { part }) end
    end }
end

--- The cheaper form that fits.
local function form_of(f, n, where)
  local t, k, m = f.positions, f.k / f.groups, f.m / f.groups
  local rows = { work = t ^ 2 * (k + m), bytes = 8 * n * t * (f.k + f.m), make = by_rows }
  local gradients = { work = k * m * (1 + t / n), bytes = 8 * n * f.groups * k * m,
    make = by_gradients }
  local first, second = rows, gradients
  if t > 1 and gradients.work < rows.work then first, second = gradients, rows end
  if first.bytes <= MEMORY then return first.make(f) end
  if second.bytes <= MEMORY then return second.make(f) end
  errors.misuse('%s: "%s": neither the %d positions of %d examples nor their gradients fit into 1'
    .. ' GiB: over = "…" selects other parameters, split:sample(n) fewer examples', where, f.path,
    t, n)
end

-- ------------------------------------------------------------------ the factors of a network

--- The sum of the examples' losses.
local function total_loss(loss, output, y)
  local value = loss(output, y)
  if #value:shape() == 0 then return nil end
  return ops.sum(value)
end

--- Appends what a layer adds, with d the derivative in its outputs.
local function add_factors(list, call, d, weight, bias, subject)
  local rule = call.rule
  if rule.scaled then
    if weight then list[#list + 1] = vector(by_example(d * rule.scaled)) end
    if bias then list[#list + 1] = vector(by_example(d)) end
  elseif weight then
    local f = { path = call.path, rows = rule.rows * 1, d = d, groups = rule.groups, weight = true,
      bias = bias }
    f.positions, f.k = sizes_of(f.rows)
    f.m = select(2, sizes_of(d))
    list[#list + 1] = form_of(f, subject.n, subject.where)
  else
    list[#list + 1] = vector(by_example(d))
  end
end

--- The factors of a network, and the parameters that they cover.
local function factors_of(g, subject, selected)
  local calls, output = layers_of(g)
  local sum, outputs = total_loss(subject.compiled.loss, output, g.y), {}
  if not sum or #calls == 0 then return {}, {} end
  for i, call in ipairs(calls) do outputs[i] = call.y end
  local slopes = errors.possible(g.graph:gradient(sum, outputs))
  local factors, covered = {}, {}
  for i, call in ipairs(calls) do
    local prefix = call.path == "" and "" or call.path .. "."
    local weight, bias = prefix .. "weight", prefix .. "bias"
    if slopes[i] and (selected[weight] or selected[bias]) then
      covered[weight], covered[bias] = true, true
      add_factors(factors, call, slopes[i], selected[weight], selected[bias], subject)
    end
  end
  return factors, covered
end

-- ------------------------------------------------------------------ reading

--- Writes the rows of one batch below those before.
local function put(list, k, first, n, t)
  if not list[k] then
    local shape = t:shape()
    shape[1] = n
    list[k] = core.zeros(shape, "float64")
  end
  list[k]:narrow(1, first, #t):copy(t)
end

--- What a program gives: by the program, which is kept for further calls.
---@type table<swale.Program, { factors: swale.GramFactor[], covered: table, has_hits: boolean }>
local made_for = setmetatable({}, { __mode = "k" })

local function maker(subject, selected)
  return function(g, _, dtype)
    local factors, covered = factors_of(g, subject, selected)
    local outputs, bytes = {}, 1
    for _, f in ipairs(factors) do
      table.move(f.outputs, 1, #f.outputs, #outputs + 1, outputs)
      bytes = bytes + f.bytes
    end
    local has_hits = g.hit ~= nil and #g.hit:shape() == 1
    outputs[#outputs + 1] = has_hits and g.hit or g.loss
    local program = core.program(g.graph, outputs, { dtype = dtype })
    made_for[program] = { factors = factors, covered = covered, has_hits = has_hits, bytes = bytes }
    return program
  end
end

local function key_of(selected)
  local paths = {}
  for path in pairs(selected) do paths[#paths + 1] = path end
  table.sort(paths)
  return "gram " .. table.concat(paths, " ")
end

--- Keeps what the factors need of a program's outputs, in float64.
local function keep(made, kept, out, first, count, n)
  local at = 0
  for i, f in ipairs(made.factors) do
    local t = {}
    for j = 1, #f.outputs do t[j] = out[at + j]:to "float64" end
    at, kept[i] = at + #f.outputs, kept[i] or {}
    for k, part in ipairs(f.take(t, count)) do put(kept[i], k, first, n, part) end
  end
end

--- Adds the inner products of the gradients of all parameters that have a rule. Returns which those
--- are, by path, and the hits.
local function add_layers(subject, selected, gram)
  local compiled, key, make = subject.compiled, key_of(selected), maker(subject, selected)
  local one = subject:batch(core.zeros({ 1 }, "int32"))
  local made = made_for[compiled:program(key, one, subject.dtype, make)]
  local kept, hits, first = {}, {}, 1
  local size = math.min(subject.most, math.max(1, math.floor(BATCH / made.bytes)))
  for batch, count in subject:parts(size) do
    local program, inputs = compiled:program(key, batch, subject.dtype, make)
    local out = table.pack(errors.check(program:run { inputs = inputs, batch = count,
      vectors = compiled:vectors(subject.weights) }))
    keep(made, kept, out, first, count, subject.n)
    if made.has_hits then put(hits, 1, first, subject.n, out[#out]:reshape { count, 1 }) end
    first = first + count
  end
  for i, f in ipairs(made.factors) do
    f.add(gram, kept[i])
    kept[i] = nil
  end
  return made.covered, hits[1]
end

---Adds the inner products of the gradients of other parameters, one example at a time.
---@param subject swale.Subject
---@param list swale.Segment[]
---@param gram swale.Tensor         (n, n), float64
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

---The inner products of the gradients of each example's loss along the selected parameters.
---@param subject swale.Subject
---@return swale.Tensor matrix      (n, n), float64
---@return swale.Tensor|nil hits    (n, 1): 1 where the predicted class is the label
function M.matrix(subject)
  local selected, rest, matrix = {}, {}, core.zeros({ subject.n, subject.n }, "float64")
  local all = subject.model.segments
  for _, i in ipairs(subject:parameters()) do selected[all[i].path] = true end
  local covered, hits = add_layers(subject, selected, matrix)
  for _, s in ipairs(all) do
    if selected[s.path] and not covered[s.path] then rest[#rest + 1] = s end
  end
  M.add_rest(subject, rest, matrix)
  return matrix, hits
end

return M
