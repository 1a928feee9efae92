/* fieller.c: intervals of a ratio. */
#include "measure/fieller.h"

#include <float.h>
#include <math.h>

const char *sw_estimate_status_name(sw_estimate_status s) {
  switch (s) {
  case SW_PENDING: return "pending";
  case SW_UNRESOLVED: return "unresolved";
  case SW_RESOLVED: return "resolved";
  }
  return "unknown";
}

sw_estimate sw_estimate_pending(void) {
  return (sw_estimate){SW_PENDING, (double)NAN, 0, HUGE_VAL};
}

/* -------------------------------------------------------------- the set */

typedef struct ends {
  double low, high;
} ends;

/* An unbounded set: of A R^2 - 2 B R + C <= 0 with A <= 0, the part for denominators above 0. It
 * holds 0 if C <= 0; else it begins (or, for a numerator below 0, ends) at one root. */
static ends half_open(double a, double qa, double qb, double qc, double root, ends all) {
  if (qc <= 0) return all;
  if (a < 0) { /* mirrored: of -a */
    ends e = half_open(-a, qa, -qb, qc, root, (ends){0, HUGE_VAL});
    return all.low < 0 ? (ends){all.low, -e.low} : all;
  }
  double low = qb > 0 ? qc / (qb + root) : (qb - root) / qa;
  return isfinite(low) ? (ends){low, HUGE_VAL} : all;
}

/* The set is { R : A R^2 - 2 B R + C <= 0 },  A = b^2 - vbb,  B = a b - vab,  C = a^2 - vaa,  with
 * t^2 in the variances. B^2 - A C is written out, so that its cancelling terms cancel exactly. */
static ends ends_of(const sw_ratio *m, ends all) {
  double qa = m->b * m->b - m->vbb, qb = m->a * m->b - m->vab, qc = m->a * m->a - m->vaa;
  double d = m->b * m->b * m->vaa + m->a * m->a * m->vbb - 2 * m->a * m->b * m->vab -
             (m->vaa * m->vbb - m->vab * m->vab);
  double root = sqrt(fmax(d, 0));
  if (qa <= 0) return half_open(m->a, qa, qb, qc, root, all);
  /* b is significantly negative. If it is |G|^2: unlikely draws, or target "population" of an
   * interpolating network. They say nothing about R. */
  if (m->b < 0) return all;
  double q = qb >= 0 ? qb + root : qb - root; /* the root in which nothing cancels */
  if (q == 0) return (ends){0, 0};
  double one = qc / q, other = q / qa;
  return (ends){fmax(all.low, fmin(one, other)), fmax(all.low, fmax(one, other))};
}

/* The estimate of the ratio of a and b, in units of a_unit and b_unit; variances have t^2. */
static sw_estimate estimate_of(const sw_ratio *m, double a_unit, double b_unit,
                               sw_ratio_range range) {
  const int any = range == SW_RATIO_ANY;
  double unit = fmin(DBL_MAX, fmax(DBL_MIN, a_unit / b_unit));
  ends e = ends_of(m, (ends){any ? -HUGE_VAL : 0, HUGE_VAL});
  sw_estimate r = {.low = fmin(DBL_MAX, e.low * unit), .high = e.high * unit};
  r.value = m->b > 0 ? m->a / m->b * unit : HUGE_VAL;
  if ((any || m->a >= 0) && m->b > 0) { /* rounding must not put the value outside its interval */
    r.low = fmin(r.low, r.value);
    r.high = fmax(r.high, r.value);
  }
  r.status = isfinite(r.high) && isfinite(r.low) ? SW_RESOLVED : SW_UNRESOLVED;
  return r;
}

static double unit_of(double mean, double variance) {
  double unit = fmax(fabs(mean), sqrt(variance));
  return unit > 0 ? unit : 1;
}

sw_estimate sw_fieller(const sw_ratio *r, double t, sw_ratio_range range) {
  const double sum = r->a + r->b + r->vaa + r->vab + r->vbb;
  if (!isfinite(sum)) return sw_estimate_pending();
  const double a = unit_of(r->a, r->vaa), b = unit_of(r->b, r->vbb), t2 = t * t;
  const sw_ratio m = {.a = r->a / a,
                      .b = r->b / b,
                      .vaa = t2 * (r->vaa / a / a),
                      .vab = t2 * (r->vab / a / b),
                      .vbb = t2 * (r->vbb / b / b)};
  return estimate_of(&m, a, b, range);
}

/* -------------------------------------------------------------- of pairs */

/* The largest magnitude, so that no square over- or underflows; 1 if all are zero, NaN if any is
 * not finite. */
static double magnitude(int n, const double *x) {
  double top = 0;
  for (int i = 0; i < n; i++) {
    if (!isfinite(x[i])) return (double)NAN;
    top = fmax(top, fabs(x[i]));
  }
  return top > 0 ? top : 1;
}

/* The weight of pair i; all add up to 1. */
static double share(const sw_pairs *p, double total, int i) {
  return p->weight ? p->weight[i] / total : 1.0 / p->n;
}

static double total_of(const sw_pairs *p) {
  double total = 0;
  for (int i = 0; p->weight && i < p->n; i++) total += p->weight[i];
  return total;
}

static double sum_of_squares(const sw_pairs *p) {
  double total = total_of(p), squares = 0;
  for (int i = 0; i < p->n; i++) squares += share(p, total, i) * share(p, total, i);
  return squares;
}

static sw_ratio moments_of(const sw_pairs *p, double a_unit, double b_unit, double t) {
  sw_ratio m = {0};
  double total = total_of(p), factor = t * t / (1 - sum_of_squares(p));
  for (int i = 0; i < p->n; i++) {
    m.a += share(p, total, i) * (p->a[i] / a_unit);
    m.b += share(p, total, i) * (p->b[i] / b_unit);
  }
  for (int i = 0; i < p->n; i++) {
    double w = share(p, total, i);
    double da = w * (p->a[i] / a_unit - m.a), db = w * (p->b[i] / b_unit - m.b);
    m.vaa += factor * da * da;
    m.vab += factor * da * db;
    m.vbb += factor * db * db;
  }
  return m;
}

double sw_pairs_freedom(const sw_pairs *p) { return 1 / sum_of_squares(p) - 1; }

sw_estimate sw_fieller_of_pairs(const sw_pairs *p, double t) {
  if (p->n < 2) return sw_estimate_pending();
  double a_unit = magnitude(p->n, p->a), b_unit = magnitude(p->n, p->b);
  if (isnan(a_unit) || isnan(b_unit)) return sw_estimate_pending();
  const sw_ratio m = moments_of(p, a_unit, b_unit, t);
  return estimate_of(&m, a_unit, b_unit, SW_RATIO_POSITIVE);
}

/* g(T) of the weighted mean of a - R b, R in units of a_unit / b_unit. */
static double statistic(const sw_pairs *p, double a_unit, double b_unit, double ratio) {
  const double total = total_of(p), squares = sum_of_squares(p), n = p->n;
  double mean = 0, variance = 0, third = 0;
  for (int i = 0; i < p->n; i++)
    mean += share(p, total, i) * (p->a[i] / a_unit - ratio * (p->b[i] / b_unit));
  for (int i = 0; i < p->n; i++) {
    double d = p->a[i] / a_unit - ratio * (p->b[i] / b_unit) - mean;
    double term = share(p, total, i) * d;
    variance += term * term;
    third += term * term * term;
  }
  variance /= 1 - squares;
  third *= n * n / ((n - 1) * (n - 2));
  if (!(variance > 0)) return mean > 0 ? HUGE_VAL : 0;
  double x = mean / sqrt(variance), q = third / (variance * sqrt(variance));
  return x + q * x * x / 3 + q * q * x * x * x / 27 + q / 6;
}

double sw_fieller_low_of_pairs(const sw_pairs *p, double t) {
  if (p->n < 3) return 0;
  const double a_unit = magnitude(p->n, p->a), b_unit = magnitude(p->n, p->b);
  const double unit = fmin(DBL_MAX, fmax(DBL_MIN, a_unit / b_unit));
  double low = 0, high = sw_fieller_of_pairs(p, t).low / unit;
  if (!(high > 0) || !(statistic(p, a_unit, b_unit, high) < t)) return high * unit;
  for (int i = 0; i < 60; i++) {
    double middle = 0.5 * (low + high);
    if (statistic(p, a_unit, b_unit, middle) < t)
      high = middle;
    else
      low = middle;
  }
  return low * unit;
}
