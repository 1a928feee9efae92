/* noise.c: the simple gradient noise scale, with an interval. */
#include "measure/noise.h"

#include <float.h>
#include <math.h>

/* Student's t, two-sided 95 %, SW_NOISE_BLOCKS - 1 degrees of freedom. */
static const double student_15 = 2.131449545559323;

/* By Cauchy and Schwarz sum |g_i|^2 is at least B |g|^2. A sum below that by more than the rounding
 * errors of float32 has lost squares to underflow. */
static const double SLACK = 1e-3;

const char *sw_estimate_status_name(sw_estimate_status s) {
  switch (s) {
  case SW_PENDING: return "pending";
  case SW_UNRESOLVED: return "unresolved";
  case SW_RESOLVED: return "resolved";
  }
  return "unknown";
}

static sw_estimate pending(void) { return (sw_estimate){SW_PENDING, (double)NAN, 0, HUGE_VAL}; }

/* -------------------------------------------------------------- the measurements */

void sw_noise_init(sw_noise *e, sw_noise_target target, int64_t n) {
  *e = (sw_noise){.target = target, .n = n};
}

void sw_noise_add(sw_noise *e, int64_t batch, double sum_sumsq, double grad_sumsq) {
  if (batch < 2 || batch >= e->n) return;
  double b = (double)batch, least = b * grad_sumsq;
  if (sum_sumsq < least * (1 - SLACK)) return;
  double s = (sum_sumsq - least) / (b - 1);
  if (s < 0) s = 0;
  double g2 = grad_sumsq - s * (e->target == SW_TARGET_TRAIN ? 1 / b - 1 / (double)e->n : 1 / b);
  if (!isfinite(s) || !isfinite(g2)) return;
  if (batch != e->batch) {
    e->batch = batch;
    e->count = 0;
  }
  e->s[e->count % SW_NOISE_MEASUREMENTS] = s;
  e->g2[e->count % SW_NOISE_MEASUREMENTS] = g2;
  e->count++;
}

void sw_noise_parts(const sw_noise *e, double *s, double *g2) {
  int kept = e->count < SW_NOISE_MEASUREMENTS ? (int)e->count : SW_NOISE_MEASUREMENTS;
  double sum_s = 0, sum_g2 = 0;
  for (int i = 0; i < kept; i++) {
    sum_s += e->s[i];
    sum_g2 += e->g2[i];
  }
  *s = kept ? sum_s / kept : (double)NAN;
  *g2 = kept ? sum_g2 / kept : (double)NAN;
}

/* A block has neighbours in time, so that correlations of successive steps stay inside it. */
sw_estimate sw_noise_read(const sw_noise *e) {
  enum { SIZE = SW_NOISE_MEASUREMENTS / SW_NOISE_BLOCKS };
  if (e->count < SW_NOISE_MEASUREMENTS) return pending();
  double a[SW_NOISE_BLOCKS] = {0}, b[SW_NOISE_BLOCKS] = {0};
  for (int i = 0; i < SW_NOISE_MEASUREMENTS; i++) {
    int64_t at = (e->count + i) % SW_NOISE_MEASUREMENTS;
    a[i / SIZE] += e->s[at] / SIZE;
    b[i / SIZE] += e->g2[at] / SIZE;
  }
  return sw_fieller(SW_NOISE_BLOCKS, a, b, student_15);
}

/* -------------------------------------------------------------- Fieller's set */

typedef struct moments {
  double a, b;          /* means */
  double vaa, vab, vbb; /* t^2 times the means' variances and covariance */
} moments;

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

static moments moments_of(int n, const double *a, double a_unit, const double *b, double b_unit,
                          double t) {
  moments m = {0};
  for (int i = 0; i < n; i++) {
    m.a += a[i] / a_unit / n;
    m.b += b[i] / b_unit / n;
  }
  double factor = t * t / ((double)n * (n - 1));
  for (int i = 0; i < n; i++) {
    double da = a[i] / a_unit - m.a, db = b[i] / b_unit - m.b;
    m.vaa += factor * da * da;
    m.vab += factor * da * db;
    m.vbb += factor * db * db;
  }
  return m;
}

typedef struct ends {
  double low, high;
} ends;

/* The set is { R >= 0 : A R^2 - 2 B R + C <= 0 },  A = b^2 - vbb,  B = a b - vab,  C = a^2 - vaa.
 * B^2 - A C is written out, so that its cancelling terms cancel exactly. */
static ends ends_of(const moments *m) {
  const ends all = {0, HUGE_VAL};
  double qa = m->b * m->b - m->vbb, qb = m->a * m->b - m->vab, qc = m->a * m->a - m->vaa;
  double d = m->b * m->b * m->vaa + m->a * m->a * m->vbb - 2 * m->a * m->b * m->vab -
             (m->vaa * m->vbb - m->vab * m->vab);
  double root = sqrt(fmax(d, 0));
  if (qa > 0) {
    /* |G|^2 is significantly negative: unlikely draws, or target "population" of an interpolating
     * network. They say nothing about R. */
    if (m->b < 0) return all;
    double q = qb >= 0 ? qb + root : qb - root; /* the root in which nothing cancels */
    if (q == 0) return (ends){0, 0};
    double one = qc / q, other = q / qa;
    return (ends){fmax(0, fmin(one, other)), fmax(0, fmax(one, other))};
  }
  /* The set is unbounded. It holds 0 if C <= 0; else it begins at the one positive root. */
  if (qc <= 0) return all;
  double low = qb > 0 ? qc / (qb + root) : (qb - root) / qa;
  return isfinite(low) ? (ends){low, HUGE_VAL} : all;
}

sw_estimate sw_fieller(int n, const double *a, const double *b, double t) {
  if (n < 2) return pending();
  double a_unit = magnitude(n, a), b_unit = magnitude(n, b);
  if (isnan(a_unit) || isnan(b_unit)) return pending();
  double unit = fmin(DBL_MAX, fmax(DBL_MIN, a_unit / b_unit));
  moments m = moments_of(n, a, a_unit, b, b_unit, t);
  ends e = ends_of(&m);
  sw_estimate r = {.low = fmin(DBL_MAX, e.low * unit), .high = e.high * unit};
  r.value = m.b > 0 ? m.a / m.b * unit : HUGE_VAL;
  if (m.a >= 0 && m.b > 0) { /* rounding must not put the value outside its own interval */
    r.low = fmin(r.low, r.value);
    r.high = fmax(r.high, r.value);
  }
  r.status = isfinite(r.high) ? SW_RESOLVED : SW_UNRESOLVED;
  return r;
}
