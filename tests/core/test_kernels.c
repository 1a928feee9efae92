/* kernels: the elementwise kernels of every table against plain double arithmetic. */
#include "small_operands.h"

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double relu(double x) { return x < 0 ? 0 : x; }
static double negative(double x) { return -x; }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

static double sigmoid_slope(double x) {
  const double e = exp(-fabs(x));
  return e / ((1 + e) * (1 + e));
}

static double (*const unary_of_libm[SWI_UNARY_COUNT])(double) = {
    [SWI_UNARY_neg] = negative,
    [SWI_UNARY_exp] = exp,
    [SWI_UNARY_log] = log,
    [SWI_UNARY_relu] = relu,
    [SWI_UNARY_tanh] = tanh,
    [SWI_UNARY_sigmoid] = sigmoid,
    [SWI_UNARY_sqrt] = sqrt,
    [SWI_UNARY_abs] = fabs,
    [SWI_UNARY_sign] = sign,
    [SWI_UNARY_softplus] = softplus,
    [SWI_UNARY_erf] = erf,
    [SWI_UNARY_erfc] = erfc,
    [SWI_UNARY_sigmoid_slope] = sigmoid_slope};

/* A function that is not listed is compared with its own float64 kernel. */
static double unary_exact(int f, double x) {
  if (unary_of_libm[f]) return unary_of_libm[f](x);
  double y;
  swi_kernels_scalar_f64.unary[f](1, &x, &y);
  return y;
}

/* exp, log, tanh, erf: 2 units, libm or ours; sigmoid and softplus add two roundings.
 * sigmoid_slope: exp 2, 1 + e squared 2 halves and what e is off there, a square and a quotient: 5.
 * erfc: exp 2, its correction, t, which has two roundings and stands in p, too: 2, p's end and two
 * products: 6. */
static double unary_ulps(int f) {
  switch (f) {
  case SWI_UNARY_neg:
  case SWI_UNARY_relu:
  case SWI_UNARY_abs:
  case SWI_UNARY_sign: return 0;
  case SWI_UNARY_sqrt: return 0.5;
  case SWI_UNARY_sigmoid:
  case SWI_UNARY_softplus: return 3;
  case SWI_UNARY_sigmoid_slope: return 5;
  case SWI_UNARY_erfc: return 6;
  default: return 2;
  }
}

/* The C library scales denormals up by a product, which gives 0 where they are flushed. */
static int is_beyond_libm(int is_log, double x) {
  return is_log && flushing && strcmp(k->name, "scalar") == 0 && x != seen(x);
}

/* In place as well. */
static void unary_body(int64_t n) {
  void *x = operand(0), *y = operand(1);
  randomise(x, n, 1);
  for (int f = 0; f < SWI_UNARY_COUNT; f++) {
    const double ulps = unary_ulps(f);
    set_canary(y, n);
    memcpy(operand(2), x, (size_t)(n * bytes));
    enter();
    k->unary[f](n, x, y);
    k->unary[f](n, operand(2), operand(2));
    leave();
    check_canary(y, n);
    for (int64_t i = 0; i < n; i++)
      if (!is_beyond_libm(f == SWI_UNARY_log, get(x, i)))
        check_value(get(y, i), unary_exact(f, seen(get(x, i))), ulps, "unary", i);
    CHECK(memcmp(operand(2), y, (size_t)(n * bytes)) == 0);
  }
}

TEST(unary_kernels) { everywhere(unary_body); }

/* Valgrind does not know this mode of the processor; its caller says so. */
static void skip_without_flush(void) {
  if (getenv("WITHOUT_FLUSH")) skip();
}

static void flushed(body f) {
  skip_without_flush();
  flushing = 1;
  everywhere(f);
  flushing = 0;
}

TEST(unary_kernels_that_flush) { flushed(unary_body); }

static const char *const binary_names[SWI_BINARY_COUNT] = {
#define UNARY(name, f)
#define BINARY(name, f) [SWI_BINARY_##name] = #name,
#include "kernels/elementwise.def"
};

static double binary_exact(int f, double a, double b) {
  switch (f) {
  case SWI_BINARY_add: return a + b;
  case SWI_BINARY_sub: return a - b;
  case SWI_BINARY_mul: return a * b;
  case SWI_BINARY_div: return a / b;
  case SWI_BINARY_lt: return a < b;
  case SWI_BINARY_le: return a <= b;
  case SWI_BINARY_gt: return a > b;
  case SWI_BINARY_ge: return a >= b;
  case SWI_BINARY_eq: return a == b;
  case SWI_BINARY_ne: return a != b;
  case SWI_BINARY_maximum: return isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
  case SWI_BINARY_minimum: return isnan(a) || isnan(b) ? (double)NAN : fmin(a, b);
  case SWI_BINARY_pow: return pow(a, b);
  case SWI_BINARY_gate: return b > 0 ? a : 0;
  default: fail_msg("binary_exact has no row for %s", binary_names[f]); return (double)NAN;
  }
}

/* One rounding each: half a unit; the C library's pow is within one. */
static void check_binary(int f, int64_t n, const void *a, int a_step, const void *b, int b_step) {
  void *y = operand(2);
  check_canary(y, n);
  for (int64_t i = 0; i < n; i++) {
    const double left = get(a, a_step * i), right = get(b, b_step * i);
    const double exact = binary_exact(f, seen(left), seen(right));
    if (f == SWI_BINARY_pow && (left != seen(left) || right != seen(right)))
      continue; /* as with log */
    check_value(get(y, i), exact, f == SWI_BINARY_pow ? 1 : 0.5, "binary", i);
  }
}

static void run_binary(void (*f)(int64_t, const void *, const void *, void *), int64_t n) {
  enter();
  f(n, operand(0), operand(1), operand(2));
  leave();
}

static void binary_body(int64_t n) {
  void *a = operand(0), *b = operand(1), *y = operand(2);
  randomise(a, n + 1, 1);
  randomise(b, n + 1, 1);
  for (int64_t i = 0; i < n; i += 5) set(b, i, get(a, i));
  set_canary(y, n);
  for (int f = 0; f < SWI_BINARY_COUNT; f++) {
    run_binary(k->binary[f].vv, n);
    check_binary(f, n, a, 1, b, 1);
    run_binary(k->binary[f].vs, n);
    check_binary(f, n, a, 1, b, 0);
    run_binary(k->binary[f].sv, n);
    check_binary(f, n, a, 0, b, 1);
  }
}

TEST(binary_kernels) { everywhere(binary_body); }
TEST(binary_kernels_that_flush) { flushed(binary_body); }

static void combine_body(int64_t n) {
  void *a = operand(0), *b = operand(1), *y = operand(2), *mask = operand(3);
  randomise(a, n, 0);
  randomise(b, n, 0);
  randomise(mask, n, 1);
  set_canary(y, n);
  k->where(n, mask, a, b, y);
  for (int64_t i = 0; i < n; i++)
    check_value(get(y, i), get(mask, i) != 0 ? get(a, i) : get(b, i), 0, "where", i);
  k->fill(n, 1.5, y);
  for (int64_t i = 0; i < n; i++) CHECK_NEAR(get(y, i), 1.5, 0);
  k->scale(n, 0.25, a, y);
  for (int64_t i = 0; i < n; i++) check_value(get(y, i), 0.25 * get(a, i), 0, "scale", i);
  /* two roundings, of numbers up to |y| + |x|, which are at most 4 */
  memcpy(y, b, (size_t)(n * bytes));
  k->axpy(n, 0.75, a, y);
  for (int64_t i = 0; i < n; i++)
    CHECK_NEAR(get(y, i), get(b, i) + 0.75 * get(a, i), 16 * half_ulp);
  memcpy(y, b, (size_t)(n * bytes));
  k->lerp(n, 0.75, a, y);
  for (int64_t i = 0; i < n; i++)
    CHECK_NEAR(get(y, i), get(b, i) + 0.75 * (get(a, i) - get(b, i)), 32 * half_ulp);
  check_canary(y, n);
}

TEST(where_fill_scale_axpy_lerp) { everywhere(combine_body); }

/* An element's result must not depend on its position in the vector. */
static void position_body(int64_t n) {
  void *x = operand(0), *y = operand(1), *one = operand(2);
  if (n > 100) return;
  randomise(x, n, 1);
  for (int f = 0; f < SWI_UNARY_COUNT; f++) {
    k->unary[f](n, x, y);
    for (int64_t i = 0; i < n; i++) {
      k->unary[f](1, (char *)x + i * bytes, one);
      CHECK(memcmp(one, (char *)y + i * bytes, (size_t)bytes) == 0);
    }
  }
}

TEST(values_do_not_depend_on_position) { everywhere(position_body); }

static double units_off(float got, double exact) {
  if (isnan(exact)) return isnan(got) ? 0 : HUGE_VAL;
  if ((double)got == exact || (float)exact == got) return 0;
  int exponent;
  frexp(exact, &exponent);
  return fabs((double)got - exact) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* Every 997th float. Ours are within 1.5 units, sigmoid and softplus, made of exp, within 2.2; the
 * C library's tanhf is 2.1 off at worst. sigmoid_slope and erfc have more steps. */
TEST(functions_are_accurate_over_all_floats) {
  const int functions[] = {SWI_UNARY_exp,     SWI_UNARY_log,          SWI_UNARY_tanh,
                           SWI_UNARY_sigmoid, SWI_UNARY_softplus,     SWI_UNARY_erf,
                           SWI_UNARY_erfc,    SWI_UNARY_sigmoid_slope};
  const swi_kernels *const *all = swi_kernels_available();
  enum { CHUNK = 1024 };
  for (; *all; all++)
    for (int f = 0; f < 8; f++) {
      double worst = 0;
      float x[CHUNK], y[CHUNK], worst_at = 0;
      for (uint64_t bits = 0; bits < 0x100000000u;) {
        for (int i = 0; i < CHUNK; i++, bits += FLOATS_APART) {
          const uint32_t low = (uint32_t)bits;
          memcpy(&x[i], &low, 4);
        }
        (*all)->unary[functions[f]](CHUNK, x, y);
        for (int i = 0; i < CHUNK; i++) {
          const double off = units_off(y[i], unary_exact(functions[f], (double)x[i]));
          if (!(off <= worst)) worst = off, worst_at = x[i];
        }
      }
      print_message("%s function %d: %.2f units at %g\n", (*all)->name, functions[f], worst,
                    (double)worst_at);
      CHECK(worst <= fmax(2.5, unary_ulps(functions[f])));
    }
}

TEST(flush_mode_is_set_and_restored) {
  skip_without_flush();
  const uint32_t before = swi_fpmode_flush();
  volatile float tiny = 1e-38f;
  tiny *= 0.01f;
  swi_fpmode_set(before);
#if defined(__x86_64__) || defined(__aarch64__)
  CHECK(tiny == 0.0f);
#endif
  tiny = 1e-38f;
  tiny *= 0.01f;
  CHECK(tiny != 0.0f);
  CHECK_EQ_INT(swi_fpmode_get() | 0x3F, before | 0x3F); /* but for the flags of what happened */
}

RUN_TESTS(T(unary_kernels), T(unary_kernels_that_flush), T(binary_kernels),
          T(binary_kernels_that_flush), T(where_fill_scale_axpy_lerp),
          T(values_do_not_depend_on_position), T(functions_are_accurate_over_all_floats),
          T(flush_mode_is_set_and_restored))
