/* noise.c: the simple gradient noise scale, with an interval. */
#include "measure/noise.h"

#include <math.h>

/* Student's t, two-sided 95 %, SW_NOISE_BLOCKS - 1 degrees of freedom. */
static const double student_15 = 2.131449545559323;

/* By Cauchy and Schwarz sum |g_i|^2 is at least B |g|^2. A sum below that by more than the rounding
 * errors of float32 has lost squares to underflow. */
static const double SLACK = 1e-3;

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
  if (e->count < SW_NOISE_MEASUREMENTS) return sw_estimate_pending();
  double a[SW_NOISE_BLOCKS] = {0}, b[SW_NOISE_BLOCKS] = {0};
  for (int i = 0; i < SW_NOISE_MEASUREMENTS; i++) {
    int64_t at = (e->count + i) % SW_NOISE_MEASUREMENTS;
    a[i / SIZE] += e->s[at] / SIZE;
    b[i / SIZE] += e->g2[at] / SIZE;
  }
  return sw_fieller_of_pairs(SW_NOISE_BLOCKS, a, b, student_15);
}
