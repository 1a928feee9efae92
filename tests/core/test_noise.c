/* test_noise.c: the noise scale and its interval, against exact answers and simulation. */
#include "check.h"

#include "base/random.h"
#include "measure/noise.h"

static const double t15 = 2.131449545559323;

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
    fail_msg("got %.17g, want %.17g", got, want);
}

/* -------------------------------------------------------------- one measurement */

/* Per-example gradients of a regression 1/2 (x'w - y)^2 in two dimensions, at one w. */
enum { EXAMPLES = 8, BATCH = 3 };

static void regression_gradients(double g[EXAMPLES][2]) {
  sw_random r;
  sw_random_init(&r, 7, sw_stream("test", 0));
  for (int i = 0; i < EXAMPLES; i++) {
    double x0 = sw_random_normal(&r), x1 = sw_random_normal(&r);
    double residual = 0.3 * x0 - 0.8 * x1 - (x0 + sw_random_normal(&r));
    g[i][0] = residual * x0;
    g[i][1] = residual * x1;
  }
}

/* sums over the examples in the set of bits: the number, |g|^2 of the mean, sum of |g_i|^2 */
static int batch_sums(double g[EXAMPLES][2], unsigned set, double *mean_sumsq, double *sumsq) {
  double sum[2] = {0};
  int count = 0;
  *sumsq = 0;
  for (int i = 0; i < EXAMPLES; i++) {
    if (!(set >> i & 1)) continue;
    for (int d = 0; d < 2; d++) {
      sum[d] += g[i][d];
      *sumsq += g[i][d] * g[i][d];
    }
    count++;
  }
  *mean_sumsq = (sum[0] * sum[0] + sum[1] * sum[1]) / (count * count);
  return count;
}

/* Averaged over all batches that can be drawn, the estimators are the quantities, to rounding. */
static void estimators_are_unbiased(sw_noise_target target) {
  double g[EXAMPLES][2], mean_sumsq, sumsq, s = 0, g2 = 0;
  int batches = 0;
  regression_gradients(g);
  for (unsigned set = 0; set < 1u << EXAMPLES; set++) {
    if (batch_sums(g, set, &mean_sumsq, &sumsq) != BATCH) continue;
    sw_noise e;
    sw_noise_init(&e, target, EXAMPLES);
    sw_noise_add(&e, BATCH, sumsq, mean_sumsq);
    assert_int_equal(e.count, 1);
    s += e.s[0];
    g2 += e.g2[0];
    batches++;
  }
  assert_int_equal(batches, 56);
  batch_sums(g, (1u << EXAMPLES) - 1, &mean_sumsq, &sumsq);
  double true_s = (sumsq - EXAMPLES * mean_sumsq) / (EXAMPLES - 1);
  double true_g2 = target == SW_TARGET_TRAIN ? mean_sumsq : mean_sumsq - true_s / EXAMPLES;
  assert_near(s / batches, true_s, 1e-13);
  assert_near(g2 / batches, true_g2, 1e-13);
}

TEST(test_is_unbiased_for_the_training_set) { estimators_are_unbiased(SW_TARGET_TRAIN); }

TEST(test_is_unbiased_for_the_population) { estimators_are_unbiased(SW_TARGET_POPULATION); }

TEST(test_ignores_what_tells_nothing) {
  sw_noise e;
  sw_noise_init(&e, SW_TARGET_TRAIN, 100);
  sw_noise_add(&e, 1, 5, 5);
  sw_noise_add(&e, 100, 5, 0.01);
  sw_noise_add(&e, 101, 5, 0.01);
  sw_noise_add(&e, 10, (double)NAN, 1);
  sw_noise_add(&e, 10, 1, HUGE_VAL);
  sw_noise_add(&e, 10, 0, 1e-40); /* squares that underflowed */
  sw_noise_add(&e, 10, 1e308, -1e308);
  assert_int_equal(e.count, 0);
  double s, g2;
  sw_noise_parts(&e, &s, &g2);
  assert_true(isnan(s) && isnan(g2));
}

/* -------------------------------------------------------------- many */

static void add_many(sw_noise *e, int64_t batch, int count, double s, double g2) {
  for (int i = 0; i < count; i++) {
    double grad = g2 + s / (double)batch; /* population: G2 = |g|^2 - S / B */
    sw_noise_add(e, batch, s * (double)(batch - 1) + (double)batch * grad, grad);
  }
}

TEST(test_is_pending_until_32) {
  sw_noise e;
  sw_noise_init(&e, SW_TARGET_POPULATION, 1000);
  add_many(&e, 10, SW_NOISE_MEASUREMENTS - 1, 6, 2);
  sw_estimate r = sw_noise_read(&e);
  assert_int_equal(r.status, SW_PENDING);
  assert_true(isnan(r.value) && r.low == 0 && r.high == HUGE_VAL);
  add_many(&e, 10, 1, 6, 2);
  r = sw_noise_read(&e);
  assert_int_equal(r.status, SW_RESOLVED);
  assert_near(r.value, 3, 1e-12);
  assert_near(r.low, 3, 1e-6); /* equal measurements: no spread but rounding's */
  assert_near(r.high, 3, 1e-6);
}

TEST(test_another_batch_size_begins_anew) {
  sw_noise e;
  sw_noise_init(&e, SW_TARGET_POPULATION, 1000);
  add_many(&e, 10, 40, 6, 2);
  add_many(&e, 20, 1, 8, 2);
  assert_int_equal(e.batch, 20);
  assert_int_equal(e.count, 1);
  assert_int_equal(sw_noise_read(&e).status, SW_PENDING);
  double s, g2;
  sw_noise_parts(&e, &s, &g2);
  assert_near(s, 8, 1e-12);
  assert_near(g2, 2, 1e-12);
}

TEST(test_keeps_the_last_32) {
  sw_noise e;
  sw_noise_init(&e, SW_TARGET_POPULATION, 1000);
  add_many(&e, 10, 45, 1000, 1);
  add_many(&e, 10, SW_NOISE_MEASUREMENTS, 6, 2);
  assert_near(sw_noise_read(&e).value, 3, 1e-12);
  double s, g2;
  sw_noise_parts(&e, &s, &g2);
  assert_near(s, 6, 1e-12);
}

/* Pairs of neighbours, wherever the ring begins: an alternating sequence has no spread. */
TEST(test_blocks_are_neighbours) {
  sw_noise e;
  sw_noise_init(&e, SW_TARGET_POPULATION, 1000);
  for (int i = 0; i < 43; i++) {
    add_many(&e, 10, 1, i % 2 ? 4 : 8, 2);
    if (e.count < SW_NOISE_MEASUREMENTS) continue;
    assert_near(sw_noise_read(&e).low, 3, 1e-6);
    assert_near(sw_noise_read(&e).high, 3, 1e-6);
  }
}

/* Batches of 16 out of a population of gradients G + noise with known tr(Sigma) and |G|^2. */
TEST(test_finds_a_known_scale) {
  enum { DIM = 6, B = 16, TRIALS = 200 };
  const double mean = 0.5, truth = DIM / (DIM * mean * mean);
  int held = 0, resolved = 0;
  sw_random r;
  sw_random_init(&r, 1, sw_stream("test", 1));
  for (int trial = 0; trial < TRIALS; trial++) {
    sw_noise e;
    sw_noise_init(&e, SW_TARGET_POPULATION, 1000000);
    for (int k = 0; k < SW_NOISE_MEASUREMENTS; k++) {
      double g[DIM] = {0}, sumsq = 0, grad = 0;
      for (int i = 0; i < B * DIM; i++) {
        double x = mean + sw_random_normal(&r);
        g[i % DIM] += x / B;
        sumsq += x * x;
      }
      for (int d = 0; d < DIM; d++) grad += g[d] * g[d];
      sw_noise_add(&e, B, sumsq, grad);
    }
    sw_estimate estimate = sw_noise_read(&e);
    held += estimate.low <= truth && truth <= estimate.high;
    resolved += estimate.status == SW_RESOLVED;
  }
  assert_int_equal(resolved, TRIALS);
  CHECK_BETWEEN(held, 0.90 * TRIALS, TRIALS); /* 95 % less three standard errors */
}

/* -------------------------------------------------------------- Fieller's set */

enum { PAIRS = SW_NOISE_BLOCKS };

/* Gaussian pairs with unit variances and correlation rho. */
static void draw_pairs(sw_random *r, double a, double b, double rho, double *as, double *bs) {
  for (int i = 0; i < PAIRS; i++) {
    double u = sw_random_normal(r), v = sw_random_normal(r);
    as[i] = a + u;
    bs[i] = b + rho * u + sqrt(1 - rho * rho) * v;
  }
}

static double covariance_of_means(const double *a, const double *b, double *mean_a,
                                  double *mean_b) {
  double ma = 0, mb = 0, c = 0;
  for (int i = 0; i < PAIRS; i++) ma += a[i] / PAIRS, mb += b[i] / PAIRS;
  for (int i = 0; i < PAIRS; i++) c += (a[i] - ma) * (b[i] - mb);
  *mean_a = ma;
  *mean_b = mb;
  return c / (PAIRS * (PAIRS - 1));
}

/* Every R of a grid is inside or outside as the definition says. */
static void check_against_definition(const double *a, const double *b) {
  double ma, mb, x, y;
  double vaa = covariance_of_means(a, a, &x, &y), vbb = covariance_of_means(b, b, &x, &y);
  double vab = covariance_of_means(a, b, &ma, &mb);
  sw_estimate e = sw_fieller_of_pairs(PAIRS, a, b, t15);
  int b_seen = mb * mb > t15 * t15 * vbb, outside_below = 1;
  assert_true(e.low >= 0 && e.low <= e.high && !isnan(e.value));
  assert_int_equal(e.status, isfinite(e.high) ? SW_RESOLVED : SW_UNRESOLVED);
  for (double big = 0; big < 200; big = big * 1.01 + 0.003) {
    double d = ma - big * mb, left = d * d,
           right = t15 * t15 * (vaa - 2 * big * vab + big * big * vbb);
    if (fabs(left - right) < 1e-9 * right) continue; /* on the border */
    int in = left < right;
    if (in && b_seen && mb < 0) continue; /* [0, inf) is said instead */
    if (in) assert_true(e.low <= big && big <= e.high);
    if (!in && b_seen && mb > 0 && e.high > 0) assert_true(big < e.low || big > e.high);
    if (in && outside_below && e.low > 0)
      assert_near(e.low, big, 0.014); /* the first member, to a step of the grid */
    if (in) outside_below = 0;
  }
  if (b_seen && mb < 0) assert_true(e.low == 0 && e.high == HUGE_VAL);
  if (!b_seen) assert_true(e.high == HUGE_VAL);
  if (mb > 0) assert_near(e.value, ma / mb, 1e-12);
  if (mb <= 0) assert_true(e.value == HUGE_VAL);
}

TEST(test_is_the_set_of_the_definition) {
  const double means[] = {-3, -0.6, -0.1, 0, 0.1, 0.6, 3}, rhos[] = {-0.9, 0, 0.9};
  double a[PAIRS], b[PAIRS];
  sw_random r;
  sw_random_init(&r, 2, sw_stream("test", 2));
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < 7; j++)
      for (int k = 0; k < 3; k++)
        for (int repeat = 0; repeat < 5; repeat++) {
          draw_pairs(&r, means[i], means[j], rhos[k], a, b);
          check_against_definition(a, b);
        }
}

TEST(test_covers_the_ratio_as_often_as_it_says) {
  enum { TRIALS = 2000 };
  const double cases[][3] = {{3, 3, 0},      {3, 3, 0.8},   {4, 0.7, 0},
                             {4, 0.5, -0.7}, {2, 0.2, 0.5}, {1, 0.05, 0}};
  double a[PAIRS], b[PAIRS];
  sw_random r;
  sw_random_init(&r, 3, sw_stream("test", 3));
  for (int c = 0; c < 6; c++) {
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
      draw_pairs(&r, cases[c][0], cases[c][1], cases[c][2], a, b);
      sw_estimate e = sw_fieller_of_pairs(PAIRS, a, b, t15);
      double truth = cases[c][0] / cases[c][1];
      held += e.low <= truth && truth <= e.high;
    }
    assert_near((double)held / TRIALS, 0.95, 0.02); /* four standard errors */
  }
}

TEST(test_knows_the_unit) {
  double a[PAIRS], b[PAIRS], big_a[PAIRS], small_b[PAIRS];
  sw_random r;
  sw_random_init(&r, 4, sw_stream("test", 4));
  draw_pairs(&r, 3, 2, 0.3, a, b);
  for (int i = 0; i < PAIRS; i++) {
    big_a[i] = a[i] * 1e180;
    small_b[i] = b[i] * 1e-100;
  }
  sw_estimate e = sw_fieller_of_pairs(PAIRS, a, b, t15),
              scaled = sw_fieller_of_pairs(PAIRS, big_a, small_b, t15);
  assert_int_equal(scaled.status, SW_RESOLVED);
  assert_near(scaled.value / 1e280, e.value, 1e-12);
  assert_near(scaled.low / 1e280, e.low, 1e-12);
  assert_near(scaled.high / 1e280, e.high, 1e-12);
}

TEST(test_is_never_nan) {
  const double values[] = {0, 5e-324, 1e-300, 1e-30, 1, 1e30, 1e300, 1.7e308, -1, -1e300, -1e-300};
  enum { VALUES = sizeof values / sizeof *values };
  for (int i = 0; i < VALUES; i++)
    for (int j = 0; j < VALUES; j++)
      for (int spread = 0; spread < 2; spread++) {
        double a[PAIRS], b[PAIRS];
        for (int k = 0; k < PAIRS; k++) {
          a[k] = spread && k % 2 ? -values[i] : values[i];
          b[k] = spread && k % 3 ? values[j] : values[j] / 2;
        }
        sw_estimate e = sw_fieller_of_pairs(PAIRS, a, b, t15);
        assert_int_not_equal(e.status, SW_PENDING);
        if (isnan(e.value) || !(e.low >= 0 && e.low <= e.high && e.low < HUGE_VAL))
          fail_msg("a %g, b %g: value %g, low %g, high %g", values[i], values[j], e.value, e.low,
                   e.high);
      }
}

TEST(test_says_pending_of_what_is_no_sample) {
  double a[PAIRS] = {0}, b[PAIRS] = {0};
  assert_int_equal(sw_fieller_of_pairs(1, a, b, t15).status, SW_PENDING);
  b[3] = (double)NAN;
  assert_int_equal(sw_fieller_of_pairs(PAIRS, a, b, t15).status, SW_PENDING);
}

TEST(test_names) {
  assert_string_equal(sw_estimate_status_name(SW_PENDING), "pending");
  assert_string_equal(sw_estimate_status_name(SW_UNRESOLVED), "unresolved");
  assert_string_equal(sw_estimate_status_name(SW_RESOLVED), "resolved");
}

RUN_TESTS(T(test_is_unbiased_for_the_training_set), T(test_is_unbiased_for_the_population),
          T(test_ignores_what_tells_nothing), T(test_is_pending_until_32),
          T(test_another_batch_size_begins_anew), T(test_keeps_the_last_32),
          T(test_blocks_are_neighbours), T(test_finds_a_known_scale),
          T(test_is_the_set_of_the_definition), T(test_covers_the_ratio_as_often_as_it_says),
          T(test_knows_the_unit), T(test_is_never_nan), T(test_says_pending_of_what_is_no_sample),
          T(test_names))
