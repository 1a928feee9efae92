/* distribution.c: the normal distribution and Student's t. */
#include "measure/distribution.h"

#include <float.h>
#include <math.h>

static const double PI = 3.14159265358979323846;

/* -------------------------------------------------------------- normal */

double sw_normal_cdf(double x) { return 0.5 * erfc(-x * sqrt(0.5)); }

static double normal_density(double x) { return exp(-0.5 * x * x) / sqrt(2 * PI); }

/* Abramowitz & Stegun 26.2.23, off by at most 4.5e-4: x > 0 with P(X > x) = tail, tail <= 1/2. */
static double rough_normal(double tail) {
  double t = sqrt(-2 * log(tail));
  double above = 2.515517 + t * (0.802853 + t * 0.010328);
  return t - above / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/* Newton's method for the logarithm of the tail, which is concave and nearly a parabola. */
static double normal_tail_quantile(double tail) {
  double x = rough_normal(fmax(tail, DBL_MIN));
  for (int i = 0; i < 4; i++) {
    double q = sw_normal_cdf(-x);
    x += q * log(q / fmax(tail, DBL_MIN)) / normal_density(x);
  }
  return x;
}

double sw_normal_quantile(double p) {
  if (!(p >= 0 && p <= 1)) return (double)NAN;
  if (p == 0) return -HUGE_VAL;
  if (p == 1) return HUGE_VAL;
  if (p == 0.5) return 0;
  return p < 0.5 ? -normal_tail_quantile(p) : normal_tail_quantile(1 - p);
}

/* -------------------------------------------------------------- Student's t */

/* From here on Wallace's normal deviate, whose relative error is of the order of 1 / df^2. */
static const double LARGE_DF = 2e6;

/* log(gamma(a + 1/2) / gamma(a)). For a >= 20 by its asymptotic series: the difference of two large
 * logarithms would lose digits. */
static double log_gamma_step(double a) {
  if (a < 20) return lgamma(a + 0.5) - lgamma(a);
  double u = 1 / (a * a);
  return 0.5 * log(a) - (1. / 8 - u * (1. / 192 - u * (1. / 640 - u * 17. / 14336))) / a;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double a, double b, double x) {
  const double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < tiny ? tiny : d);
  double f = d;
  for (int m = 1; m < 100000; m++) {
    double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    const double terms[2] = {even, odd};
    double factor = 1;
    for (int k = 0; k < 2; k++) {
      d = 1 + terms[k] * d;
      c = 1 + terms[k] / c;
      d = 1 / (fabs(d) < tiny ? tiny : d);
      c = fabs(c) < tiny ? tiny : c;
      factor = c * d;
      f *= factor;
    }
    if (fabs(factor - 1) < DBL_EPSILON) break;
  }
  return f;
}

/* log(1 + s^2) */
static double log_of_one_and_square(double s) { return s < 1e8 ? log1p(s * s) : 2 * log(s); }

static double student_density(double t, double df) {
  if (df >= LARGE_DF) return normal_density(t); /* near enough for Newton's method */
  double power = 0.5 * (df + 1) * log_of_one_and_square(t / sqrt(df));
  return exp(log_gamma_step(0.5 * df) - power) / sqrt(df * PI);
}

/* P(T > t) for t >= 0: half of I_x(df/2, 1/2), x = df / (df + t^2). */
static double student_tail(double t, double df) {
  if (isinf(t)) return 0;
  if (df >= LARGE_DF) {
    if (isinf(df)) return sw_normal_cdf(-t);
    double z = sqrt(df * log1p(t * t / df)) * (8 * df + 1) / (8 * df + 3);
    return sw_normal_cdf(-z);
  }
  double a = 0.5 * df, s = t / sqrt(df), y = s / hypot(1, s); /* y^2 = 1 - x */
  double log_x = -log_of_one_and_square(s);
  double front = exp(a * log_x + log_gamma_step(a)) / sqrt(PI) * y;
  if (y * y > 1.5 / (a + 2.5)) return 0.5 * front / a * beta_fraction(a, 0.5, exp(log_x));
  return 0.5 - front * beta_fraction(0.5, a, y * y);
}

double sw_student_cdf(double t, double df) {
  if (!(df > 0) || isnan(t)) return (double)NAN;
  double tail = student_tail(fabs(t), df);
  return t > 0 ? 1 - tail : tail;
}

/* Newton's method for log(tail), kept inside a bracket. */
static double student_tail_quantile(double tail, double df) {
  double low = 0, high = fmax(1, normal_tail_quantile(tail));
  while (student_tail(high, df) > tail) {
    low = high;
    high *= 2;
    if (isinf(high)) return high;
  }
  double t = 0.5 * (low + high);
  for (int i = 0; i < 200; i++) {
    double q = student_tail(t, df);
    if (q > tail)
      low = t;
    else
      high = t;
    double next = t + q * log(q / tail) / student_density(t, df);
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (fabs(next - t) <= 2 * DBL_EPSILON * t) return next;
    t = next;
  }
  return t;
}

double sw_student_quantile(double p, double df) {
  if (!(p >= 0 && p <= 1) || !(df > 0)) return (double)NAN;
  if (p == 0) return -HUGE_VAL;
  if (p == 1) return HUGE_VAL;
  if (p == 0.5) return 0;
  return p < 0.5 ? -student_tail_quantile(p, df) : student_tail_quantile(1 - p, df);
}
