/* kernels: every kernel of every table against plain double arithmetic, at all small sizes, at any
 * alignment, with a canary behind the result and the special values among the inputs. */
#include <float.h>
#include <stdlib.h>

#include "check.h"

#include "kernels/cpu_int.h"
#include "kernels/kernels_int.h"

enum { MAX = 4100, CANARY = 0x5A };

static const swi_kernels *k; /* the table under test, and its element */
static int64_t bytes;
static double half_ulp; /* relative error of one rounding */

/* Operands: MAX elements each, at an odd number of elements from an aligned address. */
static unsigned char memory[4][(MAX + 16) * 8];
static int shift;

/* Denormals are flushed while a kernel runs: it sees 0 for them, and may leave 0. */
static int flushing;
static uint32_t mode_before;

static void enter(void) {
  if (flushing) mode_before = swi_fpmode_flush();
}

static void leave(void) {
  if (flushing) swi_fpmode_set(mode_before);
}

static double smallest_normal(void) { return bytes == 4 ? (double)FLT_MIN : DBL_MIN; }
static double seen(double x) { return flushing && fabs(x) < smallest_normal() ? 0 * x : x; }

static void *operand(int i) { return memory[i] + 8 * 4 + shift * bytes; }

static double get(const void *p, int64_t i) {
  return bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void set(void *p, int64_t i, double v) {
  if (bytes == 4)
    ((float *)p)[i] = (float)v;
  else
    ((double *)p)[i] = v;
}

static uint64_t seed;

static double uniform(double low, double high) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return low + (high - low) * (double)(seed >> 11) * 0x1p-53;
}

/* Mostly ordinary, every seventh special. */
static void randomise(void *p, int64_t n, int special) {
  static const double odd[] = {0.0, -0.0,  HUGE_VAL, -HUGE_VAL, (double)NAN, 1,
                               -1,  1e-40, -1e-40,   3e38,      1e-30};
  for (int64_t i = 0; i < n; i++)
    set(p, i, special && uniform(0, 7) < 1 ? odd[(int)uniform(0, 10.999)] : uniform(-4, 4));
}

static void set_canary(void *p, int64_t n) { memset((char *)p + n * bytes, CANARY, 64); }

static void check_canary(const void *p, int64_t n) {
  for (int i = 0; i < 64; i++) CHECK_EQ_INT(((const unsigned char *)p)[n * bytes + i], CANARY);
}

/* ulps roundings of the exact value, and as much again of a number that is lost in denormals */
static void check_value(double got, double exact, double ulps, const char *what, int64_t i) {
  const double tiny = flushing ? smallest_normal() : bytes == 4 ? 0x1p-148 : 0x1p-1073;
  const double largest = bytes == 4 ? (double)FLT_MAX : DBL_MAX;
  if (fabs(exact) > largest * (1 + half_ulp)) exact = exact > 0 ? HUGE_VAL : -HUGE_VAL;
  CHECK_AT(check_is_near(got, exact, 2 * ulps * half_ulp * fabs(exact) + tiny),
           "%s %s: element %lld is %.17g, not %.17g", k->name, what, (long long)i, got, exact);
}

#if !defined(SHIFT_STEP) /* an emulator is slow */
#define SHIFT_STEP 1
#define FLOATS_APART 997
#endif

typedef void (*body)(int64_t n);

/* Runs f with each table, shift and size. */
static void everywhere(body f) {
  const swi_kernels *tables[8] = {&swi_kernels_scalar_f64};
  const swi_kernels *const *all = swi_kernels_available();
  for (int i = 0; all[i] && i < 6; i++) tables[i + 1] = all[i];
  for (int i = 0; tables[i]; i++) {
    k = tables[i];
    bytes = k->element_bytes;
    half_ulp = bytes == 4 ? 0x1p-24 : 0x1p-53;
    for (shift = 0; shift < 4; shift += SHIFT_STEP) {
      for (int64_t n = 0; n <= 100; n++) f(n);
      f(1000);
      f(4097);
    }
  }
}

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

static double binary_exact(int f, double a, double b) {
  double y;
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
  default: swi_kernels_scalar_f64.binary[f].vv(1, &a, &b, &y); return y;
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

/* n roundings at worst in a block of 4096 over 4 or 32 partial sums: 1100 roundings of the sum of
 * magnitudes; in practice they average out, hence a tenth of it. */
static void reduce_body(int64_t n) {
  void *a = operand(0), *b = operand(1);
  double sum = 0, sum_abs = 0, dot = 0, dot_abs = 0;
  randomise(a, n, 0);
  randomise(b, n, 0);
  for (int64_t i = 0; i < n; i++) {
    sum += get(a, i);
    sum_abs += fabs(get(a, i));
    dot += get(a, i) * get(b, i);
    dot_abs += fabs(get(a, i) * get(b, i));
  }
  CHECK_NEAR(k->sum(n, a), sum, 110 * half_ulp * sum_abs);
  CHECK_NEAR(k->dot(n, a, b), dot, 110 * half_ulp * dot_abs);
}

TEST(sum_and_dot) { everywhere(reduce_body); }

static void largest_body(int64_t n) {
  void *x = operand(0);
  if (n == 0) return;
  for (int round = 0; round < 3; round++) {
    int64_t best = 0;
    randomise(x, n, round == 1);
    if (round == 2)
      for (int64_t i = 0; i < n; i++) set(x, i, (double)(i % 3 - 7));
    for (int64_t i = 1; i < n; i++) {
      const double v = get(x, i), now = get(x, best);
      if (!isnan(now) && (isnan(v) || v > now)) best = i;
    }
    CHECK_EQ_INT(k->argmax(n, x), best);
    CHECK_NEAR(k->max(n, x), get(x, best), 0);
  }
  for (int64_t i = 0; i < n; i++) set(x, i, -HUGE_VAL);
  CHECK_EQ_INT(k->argmax(n, x), 0);
  CHECK_NEAR(k->max(n, x), -HUGE_VAL, 0);
}

TEST(max_and_argmax) { everywhere(largest_body); }

/* up to 41 rows of n: sums of at most 100 numbers of size 4, 50 roundings of 400 at the very
 * worst */
static void rows_body(int64_t n) {
  void *x = operand(0), *y = operand(1);
  if (n > 100) return;
  for (int64_t rows = 0; rows <= 41 && rows * n <= MAX; rows += rows < 18 ? 1 : 23) {
    randomise(x, rows * n, 0);
    set_canary(y, rows);
    k->sum_rows(rows, n, x, y);
    for (int64_t r = 0; r < rows; r++) {
      double sum = 0;
      for (int64_t c = 0; c < n; c++) sum += get(x, r * n + c);
      CHECK_NEAR(get(y, r), sum, 2000 * half_ulp);
    }
    k->sumsq_rows(rows, n, x, y);
    for (int64_t r = 0; r < rows; r++) {
      double sum = 0;
      for (int64_t c = 0; c < n; c++) sum += get(x, r * n + c) * get(x, r * n + c);
      check_value(get(y, r), sum, 30, "sumsq_rows", r);
    }
    check_canary(y, rows);
    set_canary(y, n);
    k->sum_cols(rows, n, x, y);
    check_canary(y, n);
    for (int64_t c = 0; c < n; c++) {
      double sum = 0;
      for (int64_t r = 0; r < rows; r++) sum += get(x, r * n + c);
      CHECK_NEAR(get(y, c), sum, 2000 * half_ulp);
    }
  }
}

TEST(sums_of_rows_and_columns) { everywhere(rows_body); }

/* log softmax(x)[c] of a row, its largest element apart: the sum of the others keeps its digits. */
static double exact_log_softmax(int64_t n, const void *x, int64_t r, int64_t c) {
  int64_t top = r * n;
  double rest = 0;
  for (int64_t i = r * n; i < (r + 1) * n; i++)
    if (get(x, i) > get(x, top)) top = i;
  for (int64_t i = r * n; i < (r + 1) * n; i++)
    if (i != top) rest += exp(get(x, i) - get(x, top));
  return get(x, r * n + c) - get(x, top) - log1p(rest);
}

/* exp's argument is rounded at up to 600, and exp is off by as many units; its own 2, a sum of 512
 * in lanes, the logarithm, two differences. Relative to the result: all terms have one sign. */
static void check_log_softmax(int64_t n, const void *x, int64_t r, const void *y) {
  for (int64_t c = 0; c < n; c++) {
    const double exact = exact_log_softmax(n, x, r, c);
    CHECK_NEAR(get(y, r * n + c), exact, (600 + 64 + 8) * half_ulp * fabs(exact) + 0x1p-126);
  }
}

/* exp 2 units at an argument that was rounded at up to 100, a sum, a division */
static void softmax_body(int64_t n) {
  void *x = operand(0), *y = operand(1), *loss = operand(2), *again = operand(3);
  if (n == 0) return;
  const int64_t rows = n > 1000 ? 1 : 3;
  int32_t label[3];
  randomise(x, rows * n, 0);
  for (int64_t i = 0; i < rows * n; i += 3) set(x, i, 20 * get(x, i) + 500);
  for (int r = 0; r < 3; r++) label[r] = (int32_t)uniform(0, (double)n - 1e-9);
  set_canary(y, rows * n);
  set_canary(loss, rows);
  k->cross_entropy(rows, n, x, label, loss, y);
  check_canary(y, rows * n);
  check_canary(loss, rows);
  for (int64_t r = 0; r < rows; r++) {
    double max = -HUGE_VAL, sum = 0;
    for (int64_t c = 0; c < n; c++) max = fmax(max, get(x, r * n + c));
    for (int64_t c = 0; c < n; c++) sum += exp(get(x, r * n + c) - max);
    for (int64_t c = 0; c < n; c++)
      check_value(get(y, r * n + c), exp(get(x, r * n + c) - max) / sum, 100, "prob", c);
    const double exact = log(sum) + (max - get(x, r * n + label[r]));
    CHECK_NEAR(get(loss, r), exact, 4 * half_ulp * fabs(exact) + 40 * half_ulp);
  }
  k->cross_entropy(rows, n, x, label, again, NULL);
  CHECK(memcmp(again, loss, (size_t)(rows * bytes)) == 0);
  k->softmax(rows, n, x, again);
  CHECK(memcmp(again, y, (size_t)(rows * n * bytes)) == 0);
  set_canary(again, rows * n);
  k->log_softmax(rows, n, x, again);
  check_canary(again, rows * n);
  for (int64_t r = 0; r < rows; r++) check_log_softmax(n, x, r, again);
}

TEST(softmax_and_cross_entropy) { everywhere(softmax_body); }

TEST(softmax_of_what_is_not_finite) {
  const swi_kernels *const *all = swi_kernels_available();
  for (; *all; all++) {
    const float x[3][3] = {{1, NAN, 2}, {INFINITY, 0, 0}, {-INFINITY, 0, 0}};
    const int32_t label[3] = {0, 0, 0};
    float loss[3], prob[3][3];
    (*all)->cross_entropy(3, 3, x, label, loss, prob);
    CHECK(isnan(loss[0]) && isnan(loss[1]) && isinf(loss[2]));
    CHECK(isnan(prob[0][0]) && isnan(prob[1][1]));
    CHECK_NEAR(prob[2][0], 0, 0);
    CHECK_NEAR(prob[2][1], 0.5, 0);
  }
}

/* Probabilities of which every third is 0, where x is -inf; a row with one class at probability 1.
 * */
static void soft_body(int64_t n) {
  void *x = operand(0), *q = operand(1), *prob = operand(2), *loss = operand(3);
  if (n == 0 || n > 1000) return;
  randomise(x, n, 0);
  randomise(q, n, 0);
  double exact = 0;
  for (int64_t i = 0; i < n; i++) set(q, i, i % 3 == 1 ? 0 : fabs(get(q, i)));
  for (int64_t i = 0; i < n; i++) set(x, i, i % 3 == 1 ? -HUGE_VAL : get(x, i) - (i > 0) * 30);
  for (int64_t i = 0; i < n; i++)
    if (i % 3 != 1) exact -= get(q, i) * exact_log_softmax(n, x, 0, i);
  set_canary(prob, n);
  set_canary(loss, 1);
  k->soft_cross_entropy(1, n, x, q, loss, prob);
  check_canary(prob, n);
  check_canary(loss, 1);
  /* as log_softmax, and a product and a sum of 512 in lanes: all terms have one sign */
  CHECK_NEAR(get(loss, 0), exact, (40 + 2 * 64 + 10) * half_ulp * exact);
  const double before = get(loss, 0);
  k->soft_cross_entropy(1, n, x, q, loss, NULL);
  CHECK_NEAR(get(loss, 0), before, 0);
  k->softmax(1, n, x, q);
  CHECK(memcmp(q, prob, (size_t)(n * bytes)) == 0);
}

TEST(soft_cross_entropy) { everywhere(soft_body); }

static void gather_body(int64_t n) {
  static uint8_t x8[5 * 1000];
  static float x32[5 * 1000];
  static const int32_t index[3] = {4, 0, 4};
  void *factor = operand(0), *offset = operand(1), *y = operand(2);
  if (n > 1000) return;
  randomise(factor, n, 0);
  randomise(offset, n, 0);
  for (int64_t i = 0; i < 5 * n; i++) {
    x8[i] = (uint8_t)uniform(0, 256);
    x32[i] = (float)uniform(-9, 9);
  }
  set_canary(y, 3 * n);
  for (int scaled = 0; scaled < 2; scaled++)
    for (int kind = 0; kind < 2; kind++) {
      const void *f = scaled ? factor : NULL, *o = scaled ? offset : NULL;
      if (kind)
        k->gather_f32(3, n, x32, index, f, o, y);
      else
        k->gather_u8(3, n, x8, index, f, o, y);
      for (int64_t i = 0; i < 3 * n; i++) {
        const int64_t at = index[i / n] * n + i % n;
        double exact = kind ? (double)x32[at] : x8[at];
        if (scaled) exact = exact * get(factor, i % n) + get(offset, i % n);
        CHECK_NEAR(get(y, i), exact, scaled ? 2 * half_ulp * 1100 : 0); /* of numbers below 1100 */
      }
    }
  check_canary(y, 3 * n);
}

TEST(gather) { everywhere(gather_body); }

/* What an update makes of a weight and of what is kept of it, in double. */
typedef double exact_update(const swi_update *u, double w, double m[2], double g);

static double sgd_exact(const swi_update *u, double w, double m[2], double g) {
  const double d = u->grad_scale * g + u->weight_decay * w;
  if (u->momentum == 0) return w - u->lr * d;
  m[0] = u->first ? d : u->momentum * m[0] + (1 - u->dampening) * d;
  return w - u->lr * (u->nesterov ? d + u->momentum * m[0] : m[0]);
}

static double adam_step(const swi_update *u, double w, double m[2], double g) {
  const double beta1 = u->momentum, step = (double)u->step;
  for (int i = 0; i < 2 && u->step == 1; i++) m[i] = 0;
  m[0] = beta1 * m[0] + (1 - beta1) * g;
  m[1] = u->beta2 * m[1] + (1 - u->beta2) * g * g;
  const double root = sqrt(m[1] / (1 - pow(u->beta2, step)));
  return w - u->lr / (1 - pow(beta1, step)) * m[0] / (root + u->eps);
}

static double adam_exact(const swi_update *u, double w, double m[2], double g) {
  return adam_step(u, w, m, u->grad_scale * g + u->weight_decay * w);
}

static double adamw_exact(const swi_update *u, double w, double m[2], double g) {
  return adam_step(u, w - u->lr * u->weight_decay * w, m, u->grad_scale * g);
}

static double none_exact(const swi_update *u, double w, double m[2], double g) {
  (void)u, (void)m, (void)g;
  return w;
}

static const struct {
  exact_update *exact;
  int moments;
} updates[SWI_OPTIMIZER_COUNT] = {
    [SWI_OPTIMIZER_sgd] = {sgd_exact, 1},
    [SWI_OPTIMIZER_adam] = {adam_exact, 2},
    [SWI_OPTIMIZER_adamw] = {adamw_exact, 2},
    [SWI_OPTIMIZER_none] = {none_exact, 0},
};

/* Operands: the weights, two moments, the gradient. */
static void update_case(int which, int64_t n, const swi_update *u) {
  static double exact[3][MAX];
  void *const moment[] = {operand(1), operand(2)};
  double squares = 0;
  for (int i = 0; i < 4; i++) randomise(operand(i), n, 0);
  for (int64_t i = 0; i < n; i++) {
    const double g = get(operand(3), i);
    set(operand(2), i, fabs(get(operand(2), i))); /* as Adam's second moment is */
    double m[2] = {get(operand(1), i), get(operand(2), i)};
    exact[0][i] = updates[which].exact(u, get(operand(0), i), m, g);
    for (int at = 0; at < 2; at++) exact[1 + at][i] = m[at];
    /* nothing there yet: must not be read */
    for (int at = 0; at < updates[which].moments && u->first; at++)
      if (u->momentum != 0) set(operand(1 + at), i, (double)NAN);
    squares += g * g;
  }
  for (int i = 0; i < 3; i++) set_canary(operand(i), n);
  const double got = k->update[which](n, operand(0), moment, operand(3), u);
  CHECK_NEAR(got, squares, 110 * half_ulp * squares);
  for (int i = 0; i < 3; i++) check_canary(operand(i), n);
  /* some ten roundings of numbers below 16, of a quotient that is at most 30 */
  for (int i = 0; i < 3; i++)
    for (int64_t j = 0; j < n; j++) CHECK_NEAR(get(operand(i), j), exact[i][j], 300 * half_ulp);
}

static void updates_body(int64_t n) {
  for (int which = 0; which < SWI_OPTIMIZER_COUNT; which++)
    for (int bits = 0; bits < 16; bits++) {
      const swi_update u = {.lr = 0.01,
                            .momentum = bits & 1 ? 0.9 : 0,
                            .weight_decay = bits & 4 ? 0.1 : 0,
                            .dampening = bits & 2 ? 0.3 : 0,
                            .beta2 = bits & 2 ? 0.999 : 0.9,
                            .eps = 1e-8,
                            .nesterov = (bits & 8) != 0,
                            .step = n % 3 == 1 ? 1 : 7,
                            .first = n % 3 == 1,
                            .grad_scale = n % 2 ? 1 : 0.3};
      update_case(which, n, &u);
    }
}

TEST(an_optimizer_has_an_exact_update) {
  for (int which = 0; which < SWI_OPTIMIZER_COUNT; which++) {
    if (!updates[which].exact) printf("optimizer %d of optimizers.def has no row here\n", which);
    CHECK(updates[which].exact != NULL);
  }
}

TEST(exact_updates) { everywhere(updates_body); }

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
          T(sum_and_dot), T(max_and_argmax), T(sums_of_rows_and_columns),
          T(softmax_and_cross_entropy), T(softmax_of_what_is_not_finite), T(soft_cross_entropy),
          T(gather), T(an_optimizer_has_an_exact_update), T(exact_updates),
          T(flush_mode_is_set_and_restored))
