--- Dense linear algebra by LAPACK, named as in NumPy and PyTorch. Matrices are float32 or float64
--- tensors of two dimensions; results are new tensors of the same type. Each call takes O(n^3) on
--- one thread; sides are at most 20,000. An element that is not finite is refused, and so is a
--- result that overflows.
local arguments = require "swale.arguments"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.linalg
---@field eigsh fun(product: function, n: integer, o?: swale.EigshOptions): swale.Tensor,
---swale.Tensor, swale.EigshInfo
local M = {}

---Eigenvalues, ascending, and eigenvectors, the columns of the second result:
---    a = v diag(w) v'
---@param a swale.Tensor        (n, n), symmetric but for rounding
---@return swale.Tensor w       (n)
---@return swale.Tensor v       (n, n)
function M.eigh(a) return core.eigh(a) end

---The eigenvalues alone, in about a third of the time.
---@param a swale.Tensor        (n, n), symmetric but for rounding
---@return swale.Tensor w       (n), ascending
function M.eigvalsh(a) return core.eigh(a, true) end

---The same of a symmetric tridiagonal matrix, as Lanczos's method makes it.
---@param diagonal swale.Tensor (n)
---@param beside swale.Tensor   (n - 1)
---@return swale.Tensor w       (n), ascending
---@return swale.Tensor v       (n, n), vectors as columns
function M.eigh_tridiagonal(diagonal, beside) return core.eigh_tridiagonal(diagonal, beside) end

---The thin singular value decomposition: with k = min(m, n)
---    a (m, n) = u (m, k) diag(s) vt (k, n),   s descending
---@param a swale.Tensor
---@return swale.Tensor u
---@return swale.Tensor s
---@return swale.Tensor vt
function M.svd(a) return core.svd(a) end

---The thin QR decomposition: a (m, n) = q (m, k) r (k, n), k = min(m, n).
---@param a swale.Tensor
---@return swale.Tensor q       columns are orthonormal
---@return swale.Tensor r       upper triangular; its diagonal may be negative
function M.qr(a) return core.qr(a) end

---The lower triangular l with a = l l'.
---@param a swale.Tensor        (n, n), symmetric but for rounding, positive definite
---@return swale.Tensor l
function M.cholesky(a)
  local l, minor = core.cholesky(a)
  if l then return l end
  errors.misuse("linalg.cholesky: the matrix is not positive definite: its leading minor of order "
    .. "%d is not positive; linalg.eigvalsh shows the eigenvalues, and adding a multiple of the "
    .. "identity above -min makes all of them positive", minor)
end

---The determinant of a, (n, n): sign exp(log). A singular matrix has sign 0 and log -inf.
---@param a swale.Tensor
---@return number sign
---@return number log
function M.slogdet(a) return core.slogdet(a) end

---The x with a x = b. A matrix that is singular to rounding is refused.
---@param a swale.Tensor        (n, n)
---@param b swale.Tensor        (n) or (n, k)
---@return swale.Tensor x       of b's shape
function M.solve(a, b) return core.solve(a, b) end

---The same for a triangular a; the other triangle is not used.
---@param a swale.Tensor        (n, n)
---@param b swale.Tensor        (n) or (n, k)
---@param o? { upper?: boolean }   false: the lower triangle
---@return swale.Tensor x       of b's shape
function M.solve_triangular(a, b, o)
  o = options.check("linalg.solve_triangular", o, { upper = { "boolean", false } })
  return core.solve_triangular(a, b, o.upper)
end

---The x of least norm that minimises |a x - b|. Singular values below epsilon max(m, n) times the
---largest count as 0.
---@param a swale.Tensor        (m, n)
---@param b swale.Tensor        (m) or (m, k)
---@return swale.Tensor x       (n) or (n, k)
---@return integer rank         singular values that do not count as 0
---@return swale.Tensor s       singular values of a
function M.lstsq(a, b) return core.lstsq(a, b) end

M.eigsh = require("swale.eigsh").eigsh

local ONE, TWO = "a: tensor", "a: tensor, b: tensor"
arguments.check_all(M, "linalg", {
  eigh = ONE, eigvalsh = ONE, svd = ONE, qr = ONE, cholesky = ONE, slogdet = ONE,
  solve = TWO, lstsq = TWO, solve_triangular = "a: tensor, b: tensor, o: table?",
  eigh_tridiagonal = "diagonal: tensor, beside: tensor",
  eigsh = "product: callable, n: count, o: table?",
})

return M
