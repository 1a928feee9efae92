/* test_distribution.c: quantiles and probabilities against tables, closed forms and integration. */
#include "check.h"

#include "measure/distribution.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fabs(want))) fail_msg("got %.17g, want %.17g", got, want);
}

/* Published quantiles: 1.959963984540054 and so on, as every table has them. */
TEST(test_normal_quantiles_of_tables) {
  assert_near(sw_normal_quantile(0.975), 1.959963984540054, 1e-14);
  assert_near(sw_normal_quantile(0.95), 1.644853626951473, 1e-14);
  assert_near(sw_normal_quantile(0.005), -2.575829303548901, 1e-14);
  assert_near(sw_normal_quantile(1e-9), -5.997807015007687, 1e-13);
  assert_true(sw_normal_quantile(0.5) == 0);
}

TEST(test_normal_quantile_inverts) {
  for (double x = -37; x < 5; x += 0.37)
    assert_near(1 + sw_normal_quantile(sw_normal_cdf(x)), 1 + x, x < 3 ? 1e-12 : 1e-10);
}

TEST(test_student_quantiles_of_tables) {
  static const struct {
    double p, df, t;
  } rows[] = {
      {0.975, 1, 12.706204736}, {0.975, 2, 4.302652730},  {0.975, 5, 2.570581836},
      {0.975, 9, 2.262157163},  {0.975, 15, 2.131449546}, {0.975, 30, 2.042272456},
      {0.95, 10, 1.812461123},  {0.995, 4, 4.604094871},  {0.975, 120, 1.979930405},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_near(sw_student_quantile(rows[i].p, rows[i].df), rows[i].t, 1e-9);
    assert_near(sw_student_quantile(1 - rows[i].p, rows[i].df), -rows[i].t, 1e-9);
  }
}

/* df = 1 is Cauchy's distribution, df = 2 and 4 are algebraic. */
TEST(test_student_closed_forms) {
  const double pi = acos(-1);
  for (double t = 1e-3; t < 1e6; t *= 3.7) {
    assert_near(sw_student_cdf(-t, 1), atan(1 / t) / pi, 1e-12);
    double two = 1 / (2 + t * t + t * sqrt(2 + t * t)); /* P(T < -t) without cancellation */
    assert_near(sw_student_cdf(-t, 2), two, 1e-12);
    double u = t / sqrt(4 + t * t), four = 0.5 - 0.25 * u * (3 - u * u);
    if (t < 10) assert_near(sw_student_cdf(-t, 4), four, 1e-11);
    assert_near(sw_student_cdf(t, 2), 1 - two, 1e-14);
  }
}

/* The density with Simpson's rule, for degrees of freedom that are not whole. */
static double integrated(double to, double df) {
  enum { PARTS = 20000 };
  double sum = 0, h = to / PARTS;
  double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * acos(-1));
  for (int i = 0; i <= PARTS; i++) {
    double f = scale * pow(1 + i * h * i * h / df, -(df + 1) / 2);
    sum += f * (i == 0 || i == PARTS ? 1 : i % 2 ? 4 : 2);
  }
  return 0.5 + sum * h / 3;
}

TEST(test_student_against_the_integral) {
  static const double df[] = {0.3, 0.7, 1.5, 3.3, 7.9, 14.6, 39.5, 41, 250};
  for (size_t i = 0; i < sizeof df / sizeof df[0]; i++)
    for (double t = 0.25; t < 6; t *= 1.6)
      assert_near(sw_student_cdf(t, df[i]), integrated(t, df[i]), 1e-11);
}

/* At 2e6 degrees another formula takes over; the limit is the normal distribution. */
TEST(test_student_of_many_degrees) {
  for (double t = 0.2; t < 9; t *= 1.7) {
    double below = sw_student_cdf(-t, 1999999.999), above = sw_student_cdf(-t, 2000000);
    assert_near(below, above, 1e-10);
    assert_near(sw_student_cdf(-t, 1e18), sw_normal_cdf(-t), 1e-12);
  }
  assert_near(sw_student_quantile(0.975, HUGE_VAL), 1.959963984540054, 1e-13);
}

TEST(test_student_quantile_inverts) {
  for (double df = 0.2; df < 1e9; df *= 2.9)
    for (double p = 1e-12; p < 0.5; p *= 5) {
      double t = sw_student_quantile(p, df);
      if (isfinite(t)) assert_near(sw_student_cdf(t, df), p, 1e-10);
      if (p > 1e-3) assert_near(sw_student_quantile(1 - p, df), -t, 1e-10);
    }
}

TEST(test_limits) {
  assert_true(isnan(sw_normal_quantile(1.5)) && isnan(sw_normal_quantile(-0.1)));
  assert_true(isinf(sw_normal_quantile(0)) && isinf(sw_normal_quantile(1)));
  assert_true(isnan(sw_student_quantile(0.5, 0)) && isnan(sw_student_quantile((double)NAN, 3)));
  assert_true(isnan(sw_student_cdf(1, -2)) && isnan(sw_student_cdf((double)NAN, 2)));
  assert_true(sw_student_cdf(HUGE_VAL, 3) == 1 && sw_student_cdf(-HUGE_VAL, 3) == 0);
  assert_true(sw_student_quantile(0, 3) == -HUGE_VAL && sw_student_quantile(1, 3) == HUGE_VAL);
}

RUN_TESTS(T(test_normal_quantiles_of_tables), T(test_normal_quantile_inverts),
          T(test_student_quantiles_of_tables), T(test_student_closed_forms),
          T(test_student_against_the_integral), T(test_student_of_many_degrees),
          T(test_student_quantile_inverts), T(test_limits))
