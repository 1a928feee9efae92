/* test_fieller.c: the interval of a ratio, against its definition and simulation. */
#include "check.h"

#include "base/random.h"
#include "measure/noise.h"
#include "near.h"

static const double t15 = 2.131449545559323;

enum { PAIRS = 16 };

static sw_estimate fieller(int n, const double *a, const double *b) {
  const sw_pairs p = {n, NULL, a, b};
  return sw_fieller_of_pairs(&p, t15);
}

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
  sw_estimate e = fieller(PAIRS, a, b);
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
      sw_estimate e = fieller(PAIRS, a, b);
      double truth = cases[c][0] / cases[c][1];
      held += e.low <= truth && truth <= e.high;
    }
    assert_near((double)held / TRIALS, 0.95, 0.02); /* four standard errors */
  }
}

/* Weighted pairs by the definition; equal weights of any total are no weights. */
TEST(test_weighted_pairs) {
  enum { N = 3 };
  const double w[N] = {1, 2, 5}, a[N] = {7, 9, 8}, b[N] = {2, 2.2, 1.9};
  double ma = 0, mb = 0, v[3] = {0}, squares = 0;
  for (int i = 0; i < N; i++) {
    ma += w[i] / 8 * a[i];
    mb += w[i] / 8 * b[i];
    squares += w[i] * w[i] / 64;
  }
  for (int i = 0; i < N; i++) {
    double da = w[i] / 8 * (a[i] - ma), db = w[i] / 8 * (b[i] - mb);
    v[0] += da * da / (1 - squares);
    v[1] += da * db / (1 - squares);
    v[2] += db * db / (1 - squares);
  }
  const sw_pairs p = {N, w, a, b};
  const sw_ratio r = {ma, mb, v[0], v[1], v[2]};
  sw_estimate got = sw_fieller_of_pairs(&p, 2), want = sw_fieller(&r, 2, SW_RATIO_POSITIVE);
  assert_near(got.low, want.low, 1e-12);
  assert_near(got.high, want.high, 1e-12);
  assert_near(sw_pairs_freedom(&p), 64.0 / 30 - 1, 1e-12);
  const double same[N] = {4, 4, 4};
  const sw_pairs equal = {N, same, a, b}, none = {N, NULL, a, b};
  assert_near(sw_fieller_of_pairs(&equal, 2).low, sw_fieller_of_pairs(&none, 2).low, 1e-12);
  assert_near(sw_pairs_freedom(&none), 2, 1e-12);
}

/* Nine equal a and skewed b: at the lower end Hall's transformation of Student's statistic is t, by
 * its definition for equal weights. */
TEST(test_lower_end_of_skewed_pairs) {
  const double a[9] = {5, 5, 5, 5, 5, 5, 5, 5, 5}, b[9] = {1, 1.1, 0.9, 1.2, 1, 3, 0.8, 2, 1};
  const sw_pairs p = {9, NULL, a, b};
  const double t = 2.5, low = sw_fieller_low_of_pairs(&p, t);
  double mean = 0, square = 0, cube = 0;
  for (int i = 0; i < 9; i++) mean += (a[i] - low * b[i]) / 9;
  for (int i = 0; i < 9; i++) {
    double d = a[i] - low * b[i] - mean;
    square += d * d / 8;
    cube += d * d * d * 9 / (8 * 7);
  }
  double x = 3 * mean / sqrt(square), q = cube / pow(square, 1.5) / 3, cubic = 1 + q * x / 3;
  assert_near((cubic * cubic * cubic - 1) / q + q / 6, t, 1e-9);
  assert_true(low < sw_fieller_of_pairs(&p, t).low);
  const double other[9] = {2, 2, 2, 2, 2, 0.1, 2, 2, 2}; /* skewed the other way */
  const sw_pairs mirrored = {9, NULL, a, other};
  assert_near(sw_fieller_low_of_pairs(&mirrored, t), sw_fieller_of_pairs(&mirrored, t).low, 1e-12);
  const sw_pairs two = {2, NULL, a, b};
  assert_near(sw_fieller_low_of_pairs(&two, t), 0, 0);
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
  sw_estimate e = fieller(PAIRS, a, b), scaled = fieller(PAIRS, big_a, small_b);
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
        sw_estimate e = fieller(PAIRS, a, b);
        assert_int_not_equal(e.status, SW_PENDING);
        if (isnan(e.value) || !(e.low >= 0 && e.low <= e.high && e.low < HUGE_VAL))
          fail_msg("a %g, b %g: value %g, low %g, high %g", values[i], values[j], e.value, e.low,
                   e.high);
      }
}

TEST(test_says_pending_of_what_is_no_sample) {
  double a[PAIRS] = {0}, b[PAIRS] = {0};
  assert_int_equal(fieller(1, a, b).status, SW_PENDING);
  b[3] = (double)NAN;
  assert_int_equal(fieller(PAIRS, a, b).status, SW_PENDING);
}

TEST(test_names) {
  assert_string_equal(sw_estimate_status_name(SW_PENDING), "pending");
  assert_string_equal(sw_estimate_status_name(SW_UNRESOLVED), "unresolved");
  assert_string_equal(sw_estimate_status_name(SW_RESOLVED), "resolved");
}

RUN_TESTS(T(test_is_the_set_of_the_definition), T(test_covers_the_ratio_as_often_as_it_says),
          T(test_weighted_pairs), T(test_lower_end_of_skewed_pairs), T(test_knows_the_unit),
          T(test_is_never_nan), T(test_says_pending_of_what_is_no_sample), T(test_names))
