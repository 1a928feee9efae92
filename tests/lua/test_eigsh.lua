--- A few eigenpairs by products: known spectra, LAPACK's own, what ARPACK's static memory allows.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local needs = require "needs"
local sw = require "swale"

TestEigsh = {}

function TestEigsh:setUp() needs.arpack() end

local eigsh = sw.linalg.eigsh
local EPSILON <const> = 2.0 ^ -52

--- x -> A x, A with 2 beside -1: eigenvalues 2 - 2 cos(pi k / (n + 1)).
local function differences(n)
  return function(x)
    local y = x * 2
    y:narrow(1, 1, n - 1):add(-1, x:narrow(1, 2, n - 1))
    y:narrow(1, 2, n - 1):add(-1, x:narrow(1, 1, n - 1))
    return y
  end
end

local function wave(n, k) return 2 - 2 * math.cos(math.pi * k / (n + 1)) end

local function near(a, b, tolerance) lu.assert_almost_equals(a, b, tolerance) end

local function orthonormal(v)
  local gram = v:t():matmul(v)
  for i = 1, #gram do
    for j = 1, #gram do near(gram:get(i, j), i == j and 1 or 0, 1e-12) end
  end
end

--- By ARPACK (n = 300) and by LAPACK (n = 15).
function TestEigsh:test_known_ends_of_a_spectrum()
  for _, n in ipairs { 15, 300 } do
    for which, at in pairs { largest = { n - 3, n - 2, n - 1, n }, smallest = { 1, 2, 3, 4 },
      both = { 1, 2, n - 1, n }, magnitude = { n - 3, n - 2, n - 1, n } } do
      local w, v, info = eigsh(differences(n), n, { k = 4, which = which, basis = 60,
        tolerance = 0 })
      lu.assert_true(info.converged)
      for i = 1, 4 do near(w[i], wave(n, at[i]), 4 * n * EPSILON) end
      orthonormal(v)
      lu.assert_true(info.residuals:max():item() < 4 * n * EPSILON)
    end
  end
end

--- An odd k takes one more from above; magnitudes are of both signs.
function TestEigsh:test_which()
  for _, n in ipairs { 10, 100 } do
    local d = sw.zeros({ n }, "float64")
    for i = 1, n do d:set(i, i - n / 2 - 0.25) end
    local function w_of(which, k)
      local w = eigsh(function(x) return d * x end, n, { k = k, which = which, tolerance = 0 })
      return (w * 4):table()
    end
    local low, high = 4 * d[1], 4 * d[n]
    local function same(got, want)
      lu.assert_equals(#got, #want)
      for i = 1, #got do near(got[i], want[i], n * 100 * EPSILON) end
    end
    same(w_of("both", 3), { low, high - 4, high })
    same(w_of("magnitude", 3), { low, high - 4, high })
    same(w_of("largest", 1), { high })
    same(w_of("smallest", 2), { low, low + 4 })
  end
end

--- Within its residual of each value there is an eigenvalue of A: the interval claimed. At a
--- strict tolerance they are the largest ones.
function TestEigsh:test_residuals_bound_the_error()
  local n = 120
  local a = sw.randn({ n, n }, "float64", sw.random(3, "a"))
  a = a + a:t()
  local exact = sw.linalg.eigvalsh(a)
  for tolerance = 1, 6 do
    local w, _, info = eigsh(function(x) return a:matmul(x:reshape { n, 1 }):reshape { n } end, n,
      { k = 5, tolerance = 10 ^ -tolerance })
    for i = 1, 5 do
      local off = (exact - w[i]):abs():min():item()
      lu.assert_true(off <= info.residuals[i] + n * EPSILON * exact[n], off)
      if tolerance == 6 then near(w[i], exact[n - 5 + i], 1e-5 * exact[n]) end
    end
  end
end

--- Small matrices are as exact as large ones, and take as many products.
function TestEigsh:test_any_magnitude()
  local n = 200
  local a, products = differences(n), nil
  for _, scale in ipairs { 1, 2.0 ^ -60, 2.0 ^ -900, 2.0 ^ 900 } do
    local w, _, info = eigsh(function(x) return a(x) * scale end, n, { k = 2, tolerance = 1e-6 })
    near(w[2] / scale, wave(n, n), 1e-5)
    lu.assert_true(info.residuals[2] <= 1e-4 * w[2], info.residuals[2] / w[2])
    products = products or info.products
    lu.assert_equals(info.products, products)
  end
end

function TestEigsh:test_float32_products()
  local n = 40
  local a = sw.randn({ n, n }, "float32", sw.random(4, "a"))
  a = a + a:t()
  local exact = sw.linalg.eigvalsh(a:to "float64")
  local function product(x) return a:matmul(x:to("float32"):reshape { n, 1 }):reshape { n } end
  for _, basis in ipairs { 20, 40 } do
    local w = eigsh(product, n, { basis = basis, tolerance = 1e-5 })
    near(w[1], exact[n], 1e-4)
  end
end

-- ------------------------------------------------------------------ degenerate matrices

--- In an invariant subspace ARPACK draws random vectors of its own; they begin anew in each solve.
function TestEigsh:test_equal_solves_have_equal_bits()
  local function identity(x) return x end
  local w, v, info = eigsh(identity, 100, { k = 3 })
  local again, vectors = eigsh(identity, 100, { k = 3 })
  lu.assert_equals(w:table(), { 1, 1, 1 })
  lu.assert_equals(again:table(), w:table())
  lu.assert_equals(vectors:table(), v:table())
  lu.assert_equals(info.residuals:max():item(), 0)
  orthonormal(v)
end

function TestEigsh:test_zero_and_rank_one()
  for _, n in ipairs { 9, 100 } do
    local w, v, info = eigsh(function(x) return x * 0 end, n, { k = 3 })
    lu.assert_equals(w:table(), { 0, 0, 0 })
    lu.assert_equals(info.residuals:table(), { 0, 0, 0 })
    orthonormal(v)
    local u = sw.randn({ n }, "float64", sw.random(5, "u"))
    u:scale(1 / u:norm())
    w, v = eigsh(function(x) return u * (3 * u:dot(x)) end, n, { k = 2 })
    near(w[1], 0, 10 * EPSILON)
    near(w[2], 3, 30 * EPSILON)
    near(math.abs(v:select(2, 2):dot(u)), 1, 10 * EPSILON)
  end
end

--- Pairs that did not converge are left out, and it is said.
function TestEigsh:test_too_few_restarts()
  local w, v, info = eigsh(differences(2000), 2000, { k = 3, which = "smallest", restarts = 1,
    tolerance = 1e-12 })
  lu.assert_equals({ #w, v:shape(), #info.residuals }, { 0, { 2000, 0 }, 0 })
  lu.assert_false(info.converged)
end

-- ------------------------------------------------------------------ one at a time

function TestEigsh:test_a_second_solve_is_refused()
  lu.assert_error_msg_contains("another solve is not finished", eigsh, function(x)
    eigsh(differences(100), 100)
    return x
  end, 100)
  near(eigsh(differences(100), 100, { tolerance = 0 })[1], wave(100, 100), 1e-12) -- it is over
end

function TestEigsh:test_a_dropped_solver_makes_room()
  core.arpack(50, sw.ones({ 50 }, "float64")):step()
  near(eigsh(differences(100), 100, { tolerance = 0 })[1], wave(100, 100), 1e-12)
end

function TestEigsh:test_an_error_of_the_product_ends_the_solve()
  lu.assert_error_msg_contains("my own", eigsh, function() error "my own" end, 100)
  lu.assert_error_msg_contains("element 1 of the product is not finite", eigsh,
    function(x) return x * (0 / 0) end, 100)
  local ok, why, code = sw.try(eigsh, function(x) return x * math.huge end, 100)
  lu.assert_equals({ ok, code }, { nil, "ENAN" })
  lu.assert_str_contains(why, "linalg.eigsh: arpack: element 1 of the product is not finite")
  near(eigsh(differences(100), 100, { tolerance = 0 })[1], wave(100, 100), 1e-12)
end

function TestEigsh:test_misuse()
  local function raises(text, ...) lu.assert_error_msg_contains(text, eigsh, ...) end
  raises("k must be from 1 to n = 5, not 6", differences(5), 5, { k = 6 })
  raises("k must be from 2 to n = 5, not 1", differences(5), 5, { which = "both" })
  raises("basis must be above k = 30, not 30", differences(50), 50, { k = 30, basis = 30 })
  raises("must return a vector of 30 elements, got", function() return 1 end, 30)
  raises("must return a vector of 5 elements, got", function() return sw.ones { 4 } end, 5)
  raises("the start must have shape (30), got (3)", differences(30), 30, { start = sw.ones { 3 } })
  raises("the start must be finite and not 0", differences(30), 30, { start = sw.zeros { 30 } })
  raises("not those of a symmetric matrix", function(x)
    return sw.tensor({ x[2], 0 }, "float64")
  end, 2)
  local solver <close> = core.arpack(5, sw.ones({ 5 }, "float64"))
  lu.assert_error_msg_contains("not finished", solver.result, solver)
end

--- A file that is no library stands for a missing one.
function TestEigsh:test_without_arpack_there_is_a_reason()
  harness.with_folder(function(folder)
    assert(core.write_file(folder .. "/libarpack.so.2", ""))
    local out = harness.run_child([[
      local solver, why, code = core.arpack(5, core.zeros({ 5 }, "float64"):fill(1))
      print(solver, code, why)
    ]], { shell = "LD_LIBRARY_PATH=" .. folder .. " exec lua5.4 %s 2>&1" })
    lu.assert_str_contains(out, "nil\tEUNSUPPORTED\tarpack: libarpack.so.2 cannot be loaded: ")
    lu.assert_str_contains(out, "(Debian 12: apt install libarpack2; later, and Ubuntu: ")
  end)
end
