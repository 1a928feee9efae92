--- Second derivatives of a loss, and quantities made of them: Hessian and Gauss-Newton products,
--- slope and curvature along a direction, the gradients of the latter and of |gradient|^2. Each
--- adds nodes to the graph of loss and gradient, so it is exact, in float32 or float64, by the type
--- of w.
---
--- The functions are methods of what sw.compile returns, f:hvp(w, batch, v), and, without the
--- batch, of model:loss_on: loss:hvp(w, v). Vectors are flat, as long as the weights.
local core = require "swale.core"
local errors = require "swale.errors"
local linearized = require "swale.linearized"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

-- ------------------------------------------------------------------ graphs

local DIRECTION, DUAL = 3, 3 -- the vector of v; the input of a cotangent

--- v, in the shapes of the parameters.
local function directions(g)
  local v = {}
  for i, s in ipairs(g.segments) do v[i] = g.graph:param(s.offset, s.shape, DIRECTION) end
  return v
end

--- sum_i <a_i, b_i>; nil for an empty sum.
local function inner(a, b)
  local sum
  for i, x in ipairs(a) do
    local term = x and b[i] and ops.dot(x, b[i])
    sum = sum and term and sum + term or sum or term
  end
  return sum
end

--- graph:gradient, which raises where an op has no derivative.
local function gradient_of(g, of, wrt, seed)
  return errors.possible(g.graph:gradient(of, wrt, seed))
end

--- The derivative of a node along v, J v, by differentiating J'u, which is linear in u, by u;
--- false if the node depends on no parameter; nil, message, code where an op has no derivative.
local function tangent(g, of)
  local u = g.graph:input(DUAL, "real", of:shape())
  local slopes, why, code = g.graph:gradient(of, g.parameters, u)
  if not slopes then return nil, why, code end
  local along = inner(slopes, directions(g))
  if not along then return false end
  local tangents
  tangents, why, code = g.graph:gradient(along, { u })
  return tangents and tangents[1], why, code
end

local function output_tangent(g)
  return errors.possible(tangent(g, g.output))
    or errors.misuse "second derivatives: the output depends on no parameter"
end

--- The loss' gradient in the outputs, and its Hessian there times t; each may be false.
local function at_output(g, t)
  local slope = gradient_of(g, g.loss, { g.output })[1]
  return slope, slope and gradient_of(g, slope, { g.output }, t)[1]
end

--- What each kind computes: for each parameter a node or false, which go into a vector; and nodes
--- that are returned. g: a CompiledGraph.
local KINDS = {}

--- H v = gradient of <gradient, v>
function KINDS.hvp(g)
  local slope = inner(g.grads, directions(g))
    or errors.misuse "second derivatives: the loss depends on no parameter"
  return gradient_of(g, slope, g.parameters), {}
end

--- J' H_L J v
function KINDS.gauss_newton(g)
  local _, curved = at_output(g, output_tangent(g))
  return curved and gradient_of(g, g.output, g.parameters, curved) or {}, {}
end

function KINDS.jvp(g) return {}, { g.output, output_tangent(g) } end

--- Along w + s v, z being the outputs: L' = <L_z, z'>, L'' = <z', L_zz z'> + <L_z, z''>, which goes
--- forward only, but for batch norms in training mode.
function KINDS.along(g)
  local first = output_tangent(g)
  local slope, curved = at_output(g, first)
  local bent = errors.possible(tangent(g, first))
  local second = inner({ curved, bent and slope }, { first, bent })
  local none = ops.dot(first, first) * 0
  return {}, { g.loss, inner({ slope }, { first }) or none, second or none }
end

--- <v, H v> and its gradient, the third derivative along v twice.
function KINDS.curvature_gradient(g)
  local v = directions(g)
  local curvature = inner(KINDS.hvp(g), v)
  if not curvature then return {}, { inner(v, v) * 0 } end
  return gradient_of(g, curvature, g.parameters), { curvature }
end

--- |gradient|^2 and its gradient, 2 H gradient
function KINDS.squared_gradient_norm(g)
  local norm = inner(g.grads, g.grads)
    or errors.misuse "second derivatives: the loss depends on no parameter"
  return gradient_of(g, norm, g.parameters), { norm }
end

--- |g_i|^2
function KINDS.example_norms(g) return {}, { g:norms "example_norms" } end

--- A program of a kind: what it gives back, then what goes into the vector. varying: it can rerun
--- along other directions.
local function program_of(g, kind, dtype, varying)
  local parts, outputs = KINDS[kind](g)
  local offsets = {}
  if #outputs == 0 then outputs[1] = g.loss end
  for i = 1, #outputs do offsets[i] = false end
  for i, s in ipairs(g.segments) do
    if parts[i] then
      outputs[#outputs + 1] = parts[i]
      offsets[#outputs] = s.offset
    end
  end
  return core.program(g.graph, outputs, { dtype = dtype, offsets = offsets,
    varying = varying and DIRECTION or nil })
end

-- ------------------------------------------------------------------ running them

--- A program of a kind with its inputs. J'u is linear in u: its derivative is the same for any u,
--- but some ops that compute it need one.
local function prepare(f, kind, batch, dtype)
  local program, inputs, g = f:program(kind, batch, dtype, program_of)
  local shape = g.output:shape()
  for i, size in ipairs(shape) do
    if type(size) == "string" then shape[i] = (tonumber(size:match "^%d+") or 1) * #batch.x end
  end
  inputs[DUAL] = core.zeros(shape, dtype)
  return program, inputs, g
end

local function check_vector(where, name, t, n)
  options.value(where, name, t, "tensor")
  if t:numel() ~= n then
    errors.misuse("%s: %s has %d elements, the model has %d weights", where, name, t:numel(), n)
  end
  return t
end

--- Runs a kind at w along v. Returns the vector and the program's outputs.
local function run(f, kind, w, batch, v)
  local n = f.model:weights():numel()
  local dtype = check_vector(kind, "w", w, n):dtype()
  local program, inputs = prepare(f, kind, batch, dtype)
  v = v and check_vector(kind, "v", v, n)
  if v and v:dtype() ~= dtype then v = v:to(dtype) end
  local out = core.zeros({ n }, dtype)
  local results = table.pack(errors.check(program:run(f:drawing(batch, {
    inputs = inputs, vectors = f:vectors(w, v), batch = #batch.x, out = out }))))
  return out, table.unpack(results, 1, results.n)
end

---The Hessian times v, at most 8/3 of a gradient's matrix products.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param v swale.Tensor
---@return swale.Tensor      flat
function M.hvp(f, w, batch, v) return (run(f, "hvp", w, batch, v)) end

---J' H_L J v: the Hessian without the network's own curvature, J being the outputs' derivative in
---the weights and H_L the loss' Hessian in the outputs. Positive semi-definite where the loss is
---convex; the Fisher information times v for cross-entropy.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param v swale.Tensor
---@return swale.Tensor      flat
function M.gauss_newton(f, w, batch, v) return (run(f, "gauss_newton", w, batch, v)) end

---The outputs and their derivative along v, J v.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param v swale.Tensor
---@return swale.Tensor output, swale.Tensor tangent   both (B, …)
function M.jvp(f, w, batch, v)
  local _, output, along = run(f, "jvp", w, batch, v)
  return output, along
end

---The loss, its slope <gradient, v> and its curvature <v, H v> along v.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param v swale.Tensor
---@return number value, number slope, number curvature
function M.along(f, w, batch, v)
  local _, value, first, second = run(f, "along", w, batch, v)
  return value:item(), first:item(), second:item()
end

---The curvature <v, H v> and its gradient in w, v held fixed: the third derivative along v, v. For
---a unit eigenvector it is the gradient of the eigenvalue. About three times a Hessian product.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param v swale.Tensor
---@return number curvature, swale.Tensor gradient
function M.curvature_gradient(f, w, batch, v)
  local gradient, curvature = run(f, "curvature_gradient", w, batch, v)
  return curvature:item(), gradient
end

---|gradient|^2 and its own gradient, 2 H gradient.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@return number squared, swale.Tensor gradient
function M.squared_gradient_norm(f, w, batch)
  local gradient, squared = run(f, "squared_gradient_norm", w, batch)
  return squared:item(), gradient
end

---The squared norms of the gradients of each example's loss, from which the noise scale follows.
---    local each, _, g = f:example_norms(w, batch):mean():item(), f:value_and_gradient(w, batch)
---    local noise_scale = (each - g:dot(g)) / g:dot(g)      -- tr(covariance) / |gradient|^2
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@return swale.Tensor      (B)
function M.example_norms(f, w, batch)
  local _, norms = run(f, "example_norms", w, batch)
  return norms
end

local LINEARIZE = { kind = { choice = { "hvp", "gauss_newton" }, "hvp" },
  memory = { "positive", 2 ^ 30 } }

---The Hessian (or kind "gauss_newton") at w, as a linear map: `local L = loss:linearize(w)`, then
---L(v) or L:apply { v1, v2 }. Parts that do not depend on v are computed once, if they fit into
---memory.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param o? { kind?: "hvp"|"gauss_newton", memory?: number }   bytes that may be kept: 1 GiB
---@return swale.Linearized
function M.linearize(f, w, batch, o)
  o = options.check("linearize", o, LINEARIZE)
  check_vector("linearize", "w", w, f.model:weights():numel())
  local program, inputs, g = prepare(f, o.kind, batch, w:dtype())
  local vectors = f:vectors(w:clone())
  if vectors[2] == f.buffers then vectors[2] = vectors[2]:clone() end
  return linearized.new { kind = o.kind, memory = o.memory, vectors = vectors,
    point = f:drawing(batch, { inputs = inputs, batch = #batch.x }),
    varying = program_of(g, o.kind, w:dtype(), true), plain = program }
end

---The whole Hessian, (n, n), column by column: for networks of at most some thousand weights.
---@param f swale.Compiled
---@param w swale.Tensor
---@param batch swale.Batch
---@param o? { kind?: "hvp"|"gauss_newton", memory?: number }   as for linearize
---@return swale.Tensor
function M.full_hessian(f, w, batch, o)
  local map, n = M.linearize(f, w, batch, o), w:numel()
  local h, v = core.zeros({ n, n }, w:dtype()), core.zeros({ n }, w:dtype())
  for i = 1, n do
    v:set(i, 1)
    h:select(2, i):copy(map(v))
    v:set(i, 0)
  end
  return h
end

return M
