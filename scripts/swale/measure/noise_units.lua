--- Reads a sample's gradients in units (examples, or batches of fixed size) and adds them up in
--- blocks, in float64. It keeps a vector for each block: 64 MiB of them, or 32 vectors.
---
--- Costs a gradient of each example; with units of one example also the squared norms of their own
--- gradients (a few per cent more), which are not stored.
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

local MEMORY = 1 << 26
local FEWEST_BLOCKS, BLOCKS, MOST_BLOCKS = 32, 64, 256
local EXAMPLES = 32 -- of a block, where there are enough

---@class swale.PlaceRead
---@field parameter integer
---@field first integer             in a selected vector, from 1
---@field length integer

---@class swale.NoiseUnits
---@field size integer              examples of a unit
---@field n integer                 examples read: whole units
---@field order swale.Tensor        int32 (n), the examples in the order of the blocks
---@field blocks integer[][]        { first unit, units } of each
---@field sums swale.Tensor         (K, selected), float64: sum of u over each block
---@field units number[]            of each block
---@field squares number[]          sum of |u|^2 over each block
---@field of_parameters table<integer, number[]>   squares of each parameter, where asked for
---@field places swale.PlaceRead[]|nil  those parameters

--- Blocks of about equal size. Those of examples are large enough to be computed at once.
local function blocks_of(units, weights, by_examples)
  local most = math.min(MOST_BLOCKS, math.max(FEWEST_BLOCKS, MEMORY // (8 * weights)), units)
  local count = by_examples and math.min(most, math.max(BLOCKS, units // EXAMPLES)) or most
  local blocks, done = {}, 0
  for k = 1, count do
    local size = units * k // count - done
    blocks[k] = { done + 1, size }
    done = done + size
  end
  return blocks
end

-- ------------------------------------------------------------------ programs

--- Selected parameters that the loss depends on.
local function places_of(graph, where, places)
  local list = {}
  for _, i in ipairs(places) do
    if graph:norms_of_each(where)[i] then list[#list + 1] = i end
  end
  return #list > 0 and list or errors.misuse("%s: the loss depends on no selected weight", where)
end

--- The squared norms of the examples, of all selected parameters together; then of each.
local function norm_nodes(graph, where, places, each)
  if not each and #places == #graph.segments then return { graph:norms(where) } end
  local nodes, sum = {}, nil
  for j, i in ipairs(places_of(graph, where, places)) do
    local node = graph:norms_of_each(where)[i]
    sum = sum and sum + node or node
    nodes[j] = each and node or nil
  end
  return { sum, table.unpack(nodes) }
end

local function sum_of(t) return ops.sum(t:to "float64"):item() end

--- A function that gives the gradient of a batch's mean loss, the sum over its examples of the
--- squared norms, and such sums by parameter.
local function reader_of_examples(subject, each)
  local places, where, compiled = subject:parameters(), subject.where, subject.compiled
  local kind = (each and "noise of each " or "noise ") .. table.concat(places, " ")
  local function make(graph, _, dtype)
    return graph:beside_gradients(norm_nodes(graph, where, places, each), dtype)
  end
  return function(batch)
    local out = core.zeros({ subject.size }, subject.dtype)
    local program, inputs, graph = compiled:program(kind, batch, subject.dtype, make)
    local results = table.pack(errors.check(program:run(compiled:drawing(batch, {
      batch = #batch.x, inputs = inputs, vectors = compiled:vectors(subject.weights),
      out = out }))))
    local squares = {}
    for j, i in ipairs(each and places_of(graph, where, places) or {}) do
      squares[i] = sum_of(results[j + 1])
    end
    return out, sum_of(results[1]), squares
  end
end

-- ------------------------------------------------------------------ reading

local function add(list, k, x) list[k] = (list[k] or 0) + x end

local function float64(t) return t:dtype() == "float64" and t or t:to "float64" end

---The examples first … first + count - 1 of an order; each has a dropout mask of its own.
---@param subject swale.Subject
---@param order swale.Tensor      int32, from 0
---@param first integer
---@param count integer
---@return swale.Batch
function M.batch_of(subject, order, first, count)
  local batch = subject:batch(order:narrow(1, first, count):contiguous())
  batch.position = first - 1
  return batch
end
local batch_of = M.batch_of

--- |v|^2 of each parameter of a full vector.
local function squares_of(subject, v, places)
  local squares = {}
  for _, i in ipairs(places) do
    local s = subject.model.segments[i]
    local part = v:narrow(1, s.offset, s.size)
    squares[i] = part:dot(part)
  end
  return squares
end

local function read_examples(subject, self, each, most)
  local read = reader_of_examples(subject, each)
  for k, block in ipairs(self.blocks) do
    local sum, first, left = self.sums:select(1, k), block[1], block[2]
    while left > 0 do
      local count = math.min(most, left)
      local gradient, square, of_each = read(batch_of(subject, self.order, first, count))
      sum:add(count, float64(subject:select(gradient)))
      add(self.squares, k, square)
      for i, x in pairs(of_each) do add(self.of_parameters[i], k, x) end
      first, left = first + count, left - count
    end
  end
end

local function read_batches(subject, self, each)
  local places = each and subject:parameters() or {}
  for k, block in ipairs(self.blocks) do
    local sum = self.sums:select(1, k)
    for unit = block[1], block[1] + block[2] - 1 do
      local batch = batch_of(subject, self.order, (unit - 1) * self.size + 1, self.size)
      local _, gradient = subject.compiled:value_and_gradient(subject.weights, batch)
      gradient = float64(gradient)
      local selected = subject:select(gradient)
      sum:add(1, selected)
      add(self.squares, k, selected:dot(selected))
      for i, x in pairs(squares_of(subject, gradient, places)) do
        add(self.of_parameters[i], k, x)
      end
    end
  end
end

--- What the vector w, added to each unit's gradient, adds to the squares over blocks.
local function add_to_squares(squares, sums, units, w)
  local ww = w:dot(w)
  for k, count in ipairs(units) do
    squares[k] = squares[k] + 2 * sums:select(1, k):dot(w) + count * ww
  end
end

--- Weight decay adds the same vector, decay times w, to each unit's gradient.
local function regularise(subject, self)
  local w = subject:select(float64(subject.weights)):clone():scale(subject.weight_decay)
  add_to_squares(self.squares, self.sums, self.units, w)
  for _, p in ipairs(self.places or {}) do
    add_to_squares(self.of_parameters[p.parameter],
      self.sums:narrow(2, p.first, p.length):contiguous(), self.units,
      w:narrow(1, p.first, p.length))
  end
  for k, count in ipairs(self.units) do self.sums:select(1, k):add(count, w) end
end

--- Parameters that were read on their own, and where they are in selected vectors.
local function places_read(subject, self)
  local places, at = {}, 1
  for _, i in ipairs(subject:parameters()) do
    local length = subject.model.segments[i].size
    if rawget(self.of_parameters, i) then
      places[#places + 1] = { parameter = i, first = at, length = length }
    end
    at = at + length
  end
  return places
end

local LEAST <const> = 1e-30 -- of a unit's squared norm: float32 holds it to rounding above 1e-38

---Why what was read tells nothing; nil: it does. The squared norms of examples are in the dtype of
---the network.
---@param subject swale.Subject
---@param read swale.NoiseUnits
---@return string|nil
function M.fault(subject, read)
  local squares, norms, units = 0, 0, 0
  for k, square in ipairs(read.squares) do
    squares, norms = squares + square, norms + read.sums:select(1, k):norm()
    units = units + read.units[k]
  end
  if squares - squares ~= 0 or norms - norms ~= 0 then
    return "a gradient at these weights is not finite"
  elseif norms > 0 and squares < LEAST * units and subject.dtype == "float32" then
    return 'the squares of the gradients are too small for float32: dtype = "float64" holds them'
  end
  return nil
end

local DRAWN <const> = 64 -- units at least, where each is drawn by itself

--- The examples of `count` units: a partition, or each unit drawn by itself.
local function order_of(subject, count, o)
  local random = subject:random()
  if not o.independent then return random:permutation(subject.n) end
  local order = core.zeros({ count * o.size }, "int32")
  for i = 1, count do
    local drawn = random:permutation(subject.n):narrow(1, 1, o.size)
    order:narrow(1, (i - 1) * o.size + 1, o.size):copy(drawn)
  end
  return order
end

---@param subject swale.Subject
---@param o { size: integer, by_examples: boolean, independent: boolean, each: boolean,
---most: integer }   independent: an example may be in several units
---@return swale.NoiseUnits
function M.read(subject, o)
  local count = math.max(subject.n // o.size, o.independent and DRAWN or 0)
  local self = { size = o.size, n = count * o.size, units = {}, squares = {},
    of_parameters = setmetatable({}, { __index = function(all, i)
      all[i] = {}
      return all[i]
    end }),
    order = order_of(subject, count, o),
    blocks = blocks_of(count, subject.selected, o.by_examples) }
  for k, block in ipairs(self.blocks) do self.units[k] = block[2] end
  self.sums = core.zeros({ #self.blocks, subject.selected }, "float64")
  if o.by_examples then
    read_examples(subject, self, o.each, o.most)
  else
    read_batches(subject, self, o.each)
  end
  if o.each then self.places = places_read(subject, self) end
  if subject.weight_decay ~= 0 then regularise(subject, self) end
  return self
end

return M
