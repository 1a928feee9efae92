/* row kernels: reductions, softmax, losses and gathering of every table against plain double
 * arithmetic. */
#include "small_operands.h"

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

/* So many rows that sums are in double beyond some of them, and columns in several blocks; relative
 * to sums of magnitudes of up to 3000. */
TEST(columns_of_many_rows) {
  enum { ROWS = 3001, COLS = 2 * SWI_NORM_COLS + 5, SPARE = 16 };
  void *x = malloc(sizeof(double) * ROWS * COLS), *y = malloc(sizeof(double) * (COLS + SPARE));
  for (int t = 0; use_table(t); t++)
    for (int64_t n = 1; n <= COLS; n += n < 17 ? 3 : 253) {
      for (int64_t i = 0; i < ROWS * n; i++) set(x, i, uniform(-1, 1));
      for (int64_t i = 0; i < n + SPARE; i++) set(y, i, (double)NAN);
      k->sum_cols(ROWS, n, x, y);
      for (int64_t c = 0; c < n; c++) {
        double sum = 0;
        for (int64_t r = 0; r < ROWS; r++) sum += get(x, r * n + c);
        CHECK_NEAR(get(y, c), sum, 64 * half_ulp * 100);
      }
      for (int64_t i = n; i < n + SPARE; i++) CHECK(isnan(get(y, i)));
    }
  free(x);
  free(y);
}

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

RUN_TESTS(T(sum_and_dot), T(max_and_argmax), T(sums_of_rows_and_columns), T(columns_of_many_rows),
          T(softmax_and_cross_entropy), T(softmax_of_what_is_not_finite), T(soft_cross_entropy),
          T(gather))
