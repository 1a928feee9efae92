---@meta _
-- swale.core: linear algebra, minimisation.

---@class swale.core
local core = {}

---Of tensors of float32 or float64 with two dimensions; `sw.linalg` describes each.
---@param a swale.Tensor            symmetric
---@param only_values? boolean
---@return swale.Tensor values
---@return swale.Tensor? vectors
function core.eigh(a, only_values) end
---@param diagonal swale.Tensor     (n)
---@param beside swale.Tensor       (n - 1)
---@param only_values? boolean
---@return swale.Tensor values
---@return swale.Tensor? vectors
function core.eigh_tridiagonal(diagonal, beside, only_values) end
---@param a swale.Tensor
---@return swale.Tensor u
---@return swale.Tensor s
---@return swale.Tensor vt
function core.svd(a) end
---@param a swale.Tensor
---@return swale.Tensor q
---@return swale.Tensor r
function core.qr(a) end
---@param a swale.Tensor            symmetric
---@return swale.Tensor|nil l       nil: it is not positive definite
---@return integer? minor           then the order of the first leading minor that is not positive
function core.cholesky(a) end
---@param a swale.Tensor
---@return number sign
---@return number log
function core.slogdet(a) end
---@param a swale.Tensor
---@param b swale.Tensor
---@return swale.Tensor x
function core.solve(a, b) end
---@param a swale.Tensor
---@param b swale.Tensor
---@param upper? boolean
---@return swale.Tensor x
function core.solve_triangular(a, b, upper) end
---@param a swale.Tensor
---@param b swale.Tensor
---@return swale.Tensor x
---@return integer rank
---@return swale.Tensor s
function core.lstsq(a, b) end

---@class swale.Arpack              a few eigenpairs of a symmetric matrix, in float64
local Arpack = {}
---@class swale.ArpackOptions
---@field k? integer                1
---@field which? "largest"|"smallest"|"both"|"magnitude"
---@field basis? integer            Lanczos vectors; 2 k + 1, at least 20, at most n
---@field restarts? integer         300
---@field tolerance? number         of an error bound, relative; 0: epsilon
---ARPACK has static memory: a process runs one solve at a time, until it is closed or collected.
---@param n integer
---@param start swale.Tensor        (n), float64
---@param o? swale.ArpackOptions
---@return swale.Arpack|nil solver, string? why, string? code      nil: EUNSUPPORTED, no ARPACK
function core.arpack(n, start, o) end
---@return swale.Tensor|nil x       to be multiplied; nil: done, or a fault
---@return swale.Tensor|string|nil y    the product is to be written here before the next step
---@return string? code             ENAN: the product is not finite
function Arpack:step() end
---@return swale.Tensor values      (m), ascending: those that converged
---@return swale.Tensor vectors     (m, n), rows of norm 1
function Arpack:result() end
---@return integer
function Arpack:products() end

---@class swale.Lbfgsb              minimises a function of a float64 vector within bounds, by L-BFGS-B
local Lbfgsb = {}
---@class swale.LbfgsbOptions
---@field memory? integer           10, at most 100
---@field tolerance? number         of the largest element of the projected gradient; 0: none
---@field decrease? number          of the value in an iteration, relative to max(|value|, 1); 0: none
---@param x0 swale.Tensor           (n), float64
---@param lower? swale.Tensor       (n); -inf: none
---@param upper? swale.Tensor
---@param o? swale.LbfgsbOptions
---@return swale.Lbfgsb|nil solver, string? why, string? code      nil: EUNSUPPORTED, no library
function core.lbfgsb(x0, lower, upper, o) end
---@param value? number             at x, after "evaluate", with the gradient written
---@return "evaluate"|"iterate"|"converged"|"abnormal"|nil task    nil: a fault
---@return string? why
---@return string? code             ENAN: value or gradient is not finite
function Lbfgsb:step(value) end
---@return swale.Tensor             a copy
function Lbfgsb:x() end
---@return swale.Tensor             to be written before the step that follows "evaluate"
function Lbfgsb:gradient() end
---@return string                   the library's own words
function Lbfgsb:reason() end
