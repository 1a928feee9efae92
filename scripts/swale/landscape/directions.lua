--- Directions in the space of weights: random ones, normalised by filters, and the principal ones
--- of a trajectory.
local core = require "swale.core"
local errors = require "swale.errors"
local linalg = require "swale.linalg"
local vectors = require "swale.landscape.vectors"

local M = {}

---A direction whose elements are drawn from N(0, 1).
---@param n integer
---@param seed integer
---@param i integer      which
---@return swale.Tensor  float64
function M.normal(n, seed, i)
  local d = core.zeros({ n }, "float64")
  core.random(seed, "measure/landscape", i):fill_normal(d, 0, 1)
  return d
end

--- The parts of a flat vector that are normalised together: { first, length }.
local function parts_of(segments, how, biases)
  local list = {}
  for _, s in ipairs(segments) do
    if #s.shape <= 1 then
      if how == "none" or biases == "normal" then list[#list + 1] = { s.offset, s.size } end
    else
      local count = how == "filter" and s.shape[1] or 1
      for k = 0, count - 1 do
        list[#list + 1] = { s.offset + k * (s.size // count), s.size // count }
      end
    end
  end
  return list
end

--- Makes a part of v orthogonal to that of u, and gives both the length of w's part.
local function shape_part(u, v, w, part)
  local pu, pv = u:narrow(1, part[1], part[2]), v:narrow(1, part[1], part[2])
  local length = w and w:narrow(1, part[1], part[2]):norm()
  local uu = pu:dot(pu)
  if uu > 0 then pv:add(-pu:dot(pv) / uu, pu) end
  if part[2] == 1 then pv:fill(0) end -- nothing of one element is orthogonal to another
  for _, p in ipairs { pu, pv } do
    local norm = p:norm()
    if length and norm > 0 then p:scale(length / norm) end
  end
end

---Two random directions, orthogonal part by part; with "filter" and "layer" each part has the
---length of the weights'. What belongs to no part is 0.
---@param segments swale.Segment[]
---@param w swale.Tensor
---@param o { normalise: "filter"|"layer"|"none", biases: "zero"|"normal", seed: integer }
---@return swale.Tensor u, swale.Tensor v
function M.pair(segments, w, o)
  local all = { M.normal(w:numel(), o.seed, 1), M.normal(w:numel(), o.seed, 2) }
  local u, v = core.zeros({ w:numel() }, "float64"), core.zeros({ w:numel() }, "float64")
  local length_of = o.normalise ~= "none" and w or nil
  for _, part in ipairs(parts_of(segments, o.normalise, o.biases)) do
    u:narrow(1, part[1], part[2]):copy(all[1]:narrow(1, part[1], part[2]))
    v:narrow(1, part[1], part[2]):copy(all[2]:narrow(1, part[1], part[2]))
    shape_part(u, v, length_of, part)
  end
  return u, v
end

--- The inner products of vectors: (n, n).
local function gram_of(list)
  local rows = {}
  for i, a in ipairs(list) do
    rows[i] = {}
    for j, b in ipairs(list) do rows[i][j] = j < i and rows[j][i] or a:dot(b) end
  end
  return core.tensor(rows, "float64")
end

--- The direction of an eigenvector of the Gram matrix, of length 1.
local function direction(list, vector)
  local terms = {}
  for i, d in ipairs(list) do terms[i] = { vector[i], d } end
  local v = vectors.sum(terms)
  v:scale(1 / v:norm())
  return v
end

---The two principal directions of the differences from the last vector.
---@param where string
---@param w swale.Tensor[]
---@return swale.Tensor u, swale.Tensor v
---@return number[] explained    shares of the sum of the squared differences
function M.principal(where, w)
  local list = {}
  for i = 1, #w - 1 do list[i] = vectors.difference(w[i], w[#w]) end
  local values, columns = linalg.eigh(gram_of(list))
  local n, total, shares, found = #list, 0, {}, {}
  local eigenvalues = values:table()
  for _, value in ipairs(eigenvalues) do total = total + math.max(0, value) end
  if eigenvalues[n - 1] <= 1e-12 * total then
    errors.misuse("%s: the weights are on a line; landscape.line draws that", where)
  end
  for k = 1, 2 do
    found[k] = direction(list, columns:select(2, n + 1 - k):contiguous():table())
    shares[k] = eigenvalues[n + 1 - k] / total
  end
  found[2]:add(-found[1]:dot(found[2]), found[1])
  found[2]:scale(1 / found[2]:norm())
  return found[1], found[2], shares
end

return M
