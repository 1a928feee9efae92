--- Linear algebra: identities and known answers. Tolerances count roundings: epsilon of the type
--- times the size times the norm.
local lu = require "luaunit"
local sw = require "swale"

TestLinalg = {}

local la = sw.linalg
local TYPES = { "float32", "float64" }
local EPSILON = { float32 = 2.0 ^ -23, float64 = 2.0 ^ -52 }
local SHAPES = { { 1, 1 }, { 2, 2 }, { 7, 3 }, { 3, 7 }, { 40, 40 }, { 65, 20 }, { 20, 65 } }

local function random(shape, dtype, name)
  return sw.randn(shape, dtype, sw.random(1, name or "a"))
end

local function diag(values)
  local n = #values
  local d = sw.zeros({ n, n }, values:dtype())
  for i = 1, n do d:set(i, i, values[i]) end
  return d
end

local function eye(n, dtype) return diag(sw.ones({ n }, dtype)) end

--- The largest difference is at most so many roundings of numbers as large as scale.
local function near(got, want, scale, roundings)
  lu.assert_equals(got:shape(), want:shape())
  lu.assert_equals(got:dtype(), want:dtype())
  local off = (got - want):abs():max():item()
  local allowed = roundings * EPSILON[got:dtype()] * scale
  lu.assert_true(off <= allowed, ("off by %g, allowed %g"):format(off, allowed))
end

local function orthonormal_columns(q)
  local n = q:shape()[2]
  near(q:t():matmul(q), eye(n, q:dtype()), 1, 10 * q:shape()[1])
end

local function triangle(t, upper)
  for i = 1, t:shape()[1] do
    for j = 1, t:shape()[2] do
      if upper and j < i or not upper and j > i then lu.assert_equals(t:get(i, j), 0) end
    end
  end
end

local function ascending(t, sign)
  for i = 2, #t do lu.assert_true(sign * t[i] >= sign * t[i - 1]) end
end

--- Second differences: 2 beside -1, whose eigenvalues are 2 - 2 cos(pi k / (n + 1)).
local function differences(n, dtype)
  local a = sw.zeros({ n, n }, dtype)
  for i = 1, n do
    a:set(i, i, 2)
    if i > 1 then a:set(i, i - 1, -1) a:set(i - 1, i, -1) end
  end
  return a
end

local function waves(n, dtype)
  local w = {}
  for k = 1, n do w[k] = 2 - 2 * math.cos(math.pi * k / (n + 1)) end
  return sw.tensor(w, dtype)
end

-- ------------------------------------------------------------------ spectra

function TestLinalg:test_eigh_of_a_known_matrix()
  for _, dtype in ipairs(TYPES) do
    for _, n in ipairs { 1, 2, 3, 40 } do
      local a = differences(n, dtype)
      local w, v = la.eigh(a)
      near(w, waves(n, dtype), 4, 4 * n)
      near(a:matmul(v), v:matmul(diag(w)), 4, 4 * n)
      near(la.eigvalsh(a), w, 4, 4 * n)
      orthonormal_columns(v)
    end
  end
end

function TestLinalg:test_eigh_leaves_its_input_and_takes_views()
  local a = random({ 9, 9 }, "float64")
  a = a + a:t()
  local wide = sw.zeros({ 9, 18 }, "float64")
  wide:narrow(2, 10, 9):copy(a)
  local w, v = la.eigh(wide:narrow(2, 10, 9))
  near(wide:narrow(2, 10, 9):contiguous(), a, 1, 0)
  near(v:matmul(diag(w)):matmul(v:t()), a, 9, 20)
end

--- Hessians of float32 products are symmetric but for rounding.
function TestLinalg:test_symmetry_but_for_rounding()
  local a = sw.tensor({ { 1, 2 + 1e-9 }, { 2 - 1e-9, 1 } }, "float64")
  near(la.eigvalsh(a), sw.tensor({ -1, 3 }, "float64"), 1, 10)
  lu.assert_error_msg_contains("eigh: the matrix is not symmetric: [2][1] is 4, [1][2] is 2; if it "
    .. "should be, pass (a + a:transpose(1, 2)) / 2", la.eigh, sw.tensor { { 1, 2 }, { 4, 1 } })
end

function TestLinalg:test_tridiagonal_is_as_the_full_matrix()
  for _, dtype in ipairs(TYPES) do
    for _, n in ipairs { 1, 2, 30 } do
      local beside = n > 1 and sw.full({ n - 1 }, -1, dtype) or sw.zeros({ 0 }, dtype)
      local w, v = la.eigh_tridiagonal(sw.full({ n }, 2, dtype), beside)
      near(w, waves(n, dtype), 4, 4 * n)
      near(differences(n, dtype):matmul(v), v:matmul(diag(w)), 4, 4 * n)
      orthonormal_columns(v)
    end
  end
end

function TestLinalg:test_svd()
  for _, dtype in ipairs(TYPES) do
    for _, shape in ipairs(SHAPES) do
      local a = random(shape, dtype)
      local u, s, vt = la.svd(a)
      local k = math.min(shape[1], shape[2])
      lu.assert_equals({ u:shape(), s:shape(), vt:shape() },
        { { shape[1], k }, { k }, { k, shape[2] } })
      near(u:matmul(diag(s)):matmul(vt), a, s[1], 10 * k)
      orthonormal_columns(u)
      orthonormal_columns(vt:t():contiguous())
      ascending(s, -1)
      lu.assert_true(s[k] >= 0)
    end
  end
  local _, s = la.svd(sw.tensor({ { 3, 0 }, { 4, 5 } }, "float64"))
  near(s, sw.tensor({ 45 ^ 0.5, 5 ^ 0.5 }, "float64"), 7, 4)
end

-- ------------------------------------------------------------------ factors

function TestLinalg:test_qr()
  for _, dtype in ipairs(TYPES) do
    for _, shape in ipairs(SHAPES) do
      local a = random(shape, dtype)
      local q, r = la.qr(a)
      near(q:matmul(r), a, a:norm(), 4 * shape[2])
      orthonormal_columns(q)
      triangle(r, true)
    end
  end
end

function TestLinalg:test_cholesky()
  for _, dtype in ipairs(TYPES) do
    for _, n in ipairs { 1, 2, 50 } do
      local b = random({ n, n + 3 }, dtype)
      local a = b:matmul(b:t())
      local l = la.cholesky(a)
      near(l:matmul(l:t()), a, a:norm(), 4 * n)
      triangle(l, false)
      for i = 1, n do lu.assert_true(l:get(i, i) > 0) end
    end
  end
  near(la.cholesky(sw.tensor { { 4, 2 }, { 2, 5 } }), sw.tensor { { 2, 0 }, { 1, 2 } }, 1, 2)
end

function TestLinalg:test_cholesky_names_the_minor()
  lu.assert_error_msg_contains("linalg.cholesky: the matrix is not positive definite: its leading "
    .. "minor of order 2 is not positive; linalg.eigvalsh shows the eigenvalues", la.cholesky,
    sw.tensor { { 1, 2 }, { 2, 1 } })
end

--- By permutations.
local function determinant(a, n)
  local total = 0
  local function go(row, used, product)
    if row > n then total = total + product return end
    for j = 1, n do
      if not used[j] then
        local swaps = 0
        for c = j + 1, n do swaps = swaps + (used[c] and 1 or 0) end
        used[j] = true
        go(row + 1, used, product * a:get(row, j) * (-1) ^ swaps)
        used[j] = nil
      end
    end
  end
  go(1, {}, 1)
  return total
end

function TestLinalg:test_slogdet_is_the_sum_over_permutations()
  for n = 1, 6 do
    for trial = 1, 6 do
      local a = random({ n, n }, "float64", "det" .. n .. trial)
      local want, sign, log = determinant(a, n), la.slogdet(a)
      lu.assert_equals(sign, want > 0 and 1 or -1)
      lu.assert_almost_equals(log, math.log(math.abs(want)), 1e-11)
    end
  end
  lu.assert_equals({ la.slogdet(sw.tensor { { 1, 2 }, { 2, 4 } }) }, { 0, -math.huge })
  local sign, log = la.slogdet(sw.full({ 1, 1 }, -1e300, "float64"))
  lu.assert_equals({ sign, log }, { -1, math.log(1e300) })
end

-- ------------------------------------------------------------------ systems

function TestLinalg:test_solve()
  for _, dtype in ipairs(TYPES) do
    for _, n in ipairs { 1, 2, 33 } do
      local a = random({ n, n }, dtype) + eye(n, dtype) * (2 * n)
      for _, shape in ipairs { { n }, { n, 1 }, { n, 4 } } do
        local x = random(shape, dtype, "x")
        local b = shape[2] and a:matmul(x) or a:matmul(x:reshape { n, 1 }):reshape { n }
        near(la.solve(a, b), x, x:norm(), 10 * n)
      end
      near(la.solve(a:t(), eye(n, dtype)):t():matmul(a), eye(n, dtype), 1, 10 * n)
    end
  end
end

function TestLinalg:test_solve_triangular()
  for _, dtype in ipairs(TYPES) do
    local n = 12
    local b = random({ n, n + 3 }, dtype)
    local l = la.cholesky(b:matmul(b:t()))
    local x = random({ n, 2 }, dtype, "x")
    near(la.solve_triangular(l, l:matmul(x)), x, 100, 10 * n)
    near(la.solve_triangular(l:t(), l:t():matmul(x), { upper = true }), x, 100, 10 * n)
    local filled = l + l:t() -- the other triangle is not read
    for i = 1, n do filled:set(i, i, l:get(i, i)) end
    near(la.solve_triangular(filled, l:matmul(x)), x, 100, 10 * n)
  end
end

function TestLinalg:test_lstsq_leaves_a_residual_that_is_orthogonal()
  for _, dtype in ipairs(TYPES) do
    for _, shape in ipairs(SHAPES) do
      local a, b = random(shape, dtype), random({ shape[1], 2 }, dtype, "b")
      local x, rank, s = la.lstsq(a, b)
      lu.assert_equals(rank, math.min(shape[1], shape[2]))
      near(a:t():matmul(a:matmul(x) - b), sw.zeros({ shape[2], 2 }, dtype), s[1] ^ 2 * x:norm() + 1,
        10 * shape[1])
      local one = la.lstsq(a, b:select(2, 1))
      near(one, x:select(2, 1):contiguous(), x:norm() * s[1] / s[#s], 40)
    end
  end
end

--- x1 + x2 = 2: of all solutions (1, 1) is the shortest.
function TestLinalg:test_lstsq_of_less_than_full_rank()
  local x, rank, s = la.lstsq(sw.tensor({ { 1, 1 }, { 1, 1 }, { 2, 2 } }, "float64"),
    sw.tensor({ 2, 2, 4 }, "float64"))
  lu.assert_equals(rank, 1)
  near(x, sw.ones({ 2 }, "float64"), 1, 10)
  near(s, sw.tensor({ 12 ^ 0.5, 0 }, "float64"), 4, 4)
end

function TestLinalg:test_singular_to_rounding_is_refused()
  local function refused(a, number)
    lu.assert_error_msg_contains("solve: the matrix is singular (reciprocal condition number "
      .. number, la.solve, a, sw.ones({ 2 }, a:dtype()))
  end
  refused(sw.tensor { { 1, 2 }, { 2, 4 } }, "0)")
  refused(sw.tensor({ { 1, 1 }, { 1, 1 + 2.0 ^ -52 } }, "float64"), "5.6e-17)")
  lu.assert_error_msg_contains("solve_triangular: the matrix is singular", la.solve_triangular,
    sw.tensor { { 1, 0 }, { 1, 0 } }, sw.ones { 2 })
end

-- ------------------------------------------------------------------ misuse

function TestLinalg:test_numbers_that_are_not_finite_are_refused()
  for _, bad in ipairs { 0 / 0, math.huge, -math.huge } do
    for _, dtype in ipairs(TYPES) do
      local a = eye(3, dtype)
      a:set(2, 3, bad)
      for _, name in ipairs { "eigh", "eigvalsh", "svd", "qr", "cholesky", "slogdet" } do
        lu.assert_error_msg_contains("an element that is not finite", la[name], a)
      end
      for _, name in ipairs { "solve", "lstsq", "solve_triangular" } do
        lu.assert_error_msg_contains("an element that is not finite", la[name], a,
          sw.ones({ 3 }, dtype))
        lu.assert_error_msg_contains("an element that is not finite", la[name], eye(3, dtype),
          sw.full({ 3 }, bad, dtype))
      end
    end
  end
end

function TestLinalg:test_shapes_and_types_are_named()
  local function raises(text, f, ...) lu.assert_error_msg_contains(text, f, ...) end
  raises("eigh: the matrix must be square, its shape is (2, 3)", la.eigh, sw.zeros { 2, 3 })
  raises("qr: a matrix has two dimensions, none of them 0; got (3)", la.qr, sw.zeros { 3 })
  raises("svd: a matrix has two dimensions, none of them 0; got (0, 3)", la.svd, sw.zeros { 0, 3 })
  raises("qr: expected float32 or float64, got int32", la.qr, sw.zeros({ 2, 2 }, "int32"))
  raises("solve: b must have shape (2) or (2, k), as A has 2 rows; got (3)", la.solve, eye(2),
    sw.ones { 3 })
  raises("solve: A is float32, b is float64", la.solve, eye(2), sw.ones({ 2 }, "float64"))
  raises("takes vectors of n and n - 1 elements", la.eigh_tridiagonal, sw.ones { 3 }, sw.ones { 3 })
  raises("the shorter side may be at most 20000", la.eigh,
    sw.zeros { 1 }:broadcast { 20001, 20001 })
  raises("linalg.eigh: a must be a tensor, got nil", la.eigh)
end

--- Huge and tiny elements neither overflow nor vanish inside.
function TestLinalg:test_any_magnitude()
  for _, scale in ipairs { 1e-290, 1e290 } do
    local a = differences(5, "float64") * scale
    near(la.eigvalsh(a) / scale, waves(5, "float64"), 4, 40)
    local _, s = la.svd(a)
    lu.assert_almost_equals(s[1] / scale, waves(5, "float64")[5], 4 * 40 * EPSILON.float64)
  end
end

--- A result that no number holds is refused, never infinite or NaN.
function TestLinalg:test_results_that_overflow_are_named()
  for dtype, huge in pairs { float32 = 3e38, float64 = 1.5e308 } do
    local a = sw.tensor({ { huge, huge }, { huge, -huge } }, dtype)
    local b = sw.full({ 2 }, huge, dtype)
    for name, what in pairs { eigh = "an eigenvalue", svd = "a singular value", qr = "a factor",
      slogdet = "a factor", solve = "the sum of a column" } do
      lu.assert_error_msg_contains(("%s: %s overflows %s; scale a down"):format(name, what, dtype),
        la[name], a, b)
    end
    for _, name in ipairs { "solve", "lstsq", "solve_triangular" } do
      lu.assert_error_msg_contains(name .. ": the solution overflows", la[name],
        eye(2, dtype) * 1e-3, b)
    end
    lu.assert_error_msg_contains("eigh_tridiagonal: an eigenvalue overflows", la.eigh_tridiagonal,
      b, sw.full({ 1 }, huge, dtype))
  end
end
