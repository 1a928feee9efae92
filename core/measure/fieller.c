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

/* -------------------------------------------------------------- of skewed estimates */

typedef struct skewed {
  sw_ratio m;
  double aaa, aab, abb, bbb; /* third cumulants */
} skewed;

/* Hall's g(T) of a - R b. */
static double statistic(const skewed *s, double r) {
  const double mean = s->m.a - r * s->m.b;
  const double variance = s->m.vaa - 2 * r * s->m.vab + r * r * s->m.vbb;
  const double third = s->aaa - 3 * r * s->aab + 3 * r * r * s->abb - r * r * r * s->bbb;
  if (!(variance > 0)) return mean > 0 ? HUGE_VAL : 0;
  const double x = mean / sqrt(variance), q = third / (variance * sqrt(variance));
  return x + q * x * x / 3 + q * q * x * x * x / 27 + q / 6;
}

/* The ratio, at most `high`, at which g(T) is t. */
static double low_of_skewed(const skewed *s, double t, double high) {
  double low = 0;
  if (!(high > 0) || !(statistic(s, high) < t)) return high;
  for (int i = 0; i < 60; i++) {
    double middle = 0.5 * (low + high);
    if (statistic(s, middle) < t)
      high = middle;
    else
      low = middle;
  }
  return low;
}

static double ratio_of_units(double a, double b) { return fmin(DBL_MAX, fmax(DBL_MIN, a / b)); }

sw_estimate sw_fieller_of_spread(const sw_spread *s, double t) {
  const double sum = s->mean.a + s->mean.b + s->mean.vaa + s->mean.vab + s->mean.vbb + s->third;
  if (!isfinite(sum)) return sw_estimate_pending();
  const sw_ratio *m = &s->mean,
                 scaled = {m->a, m->b, t * t * m->vaa, t * t * m->vab, t * t * m->vbb};
  sw_estimate e = estimate_of(&scaled, s->a_unit, s->b_unit, SW_RATIO_POSITIVE);
  if (s->third > 0) {
    const double unit = ratio_of_units(s->a_unit, s->b_unit);
    const skewed of = {.m = *m, .bbb = s->third};
    e.low = fmin(e.low, low_of_skewed(&of, t, e.low / unit) * unit);
  }
  return e;
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

/* Mean, covariance and third cumulants of the weighted mean. */
static skewed skewed_of(const sw_pairs *p, double a_unit, double b_unit) {
  skewed s = {.m = moments_of(p, a_unit, b_unit, 1)};
  const double total = total_of(p), n = p->n, factor = n * n / ((n - 1) * (n - 2));
  for (int i = 0; i < p->n; i++) {
    const double w = share(p, total, i);
    const double a = w * (p->a[i] / a_unit - s.m.a), b = w * (p->b[i] / b_unit - s.m.b);
    s.aaa += factor * a * a * a;
    s.aab += factor * a * a * b;
    s.abb += factor * a * b * b;
    s.bbb += factor * b * b * b;
  }
  return s;
}

double sw_fieller_low_of_pairs(const sw_pairs *p, double t) {
  if (p->n < 3) return 0;
  const double a_unit = magnitude(p->n, p->a), b_unit = magnitude(p->n, p->b);
  const double unit = ratio_of_units(a_unit, b_unit);
  const skewed s = skewed_of(p, a_unit, b_unit);
  return low_of_skewed(&s, t, sw_fieller_of_pairs(p, t).low / unit) * unit;
}
