/* noise.c: the simple gradient noise scale of a training, with an interval. */
#include "measure/noise.h"

#include <math.h>

#include "measure/distribution.h"

/* By Cauchy and Schwarz sum |g_i|^2 is at least b |g|^2. A sum below that by more than the rounding
 * errors of float32 has lost squares to underflow. */
static const double SLACK = 1e-3;

/* Steps of a larger momentum remember more than a block of 2,000 updates can hold. */
static const double MOST_MOMENTUM = 0.999;

static const double ROUNDING = 1e-9; /* 2 / (1 - 0.9) is 20 */

void sw_noise_init(sw_noise *e, const sw_noise_options *o) {
  *e = (sw_noise){.o = *o};
  sw_recent_init(&e->window, o->window, SW_NOISE_MEASUREMENTS);
}

/* -------------------------------------------------------------- one step */

/* q = sum b_k^2 / b^2 over the parts of a batch that begins after `examples` examples. */
static double concentration(const sw_noise_options *o, const sw_noise_step *m) {
  double b = (double)m->batch, n = (double)o->n;
  if (o->independent) return 1 / b;
  int64_t room = o->n - m->examples % o->n;
  if (m->batch <= room) return 1;
  double first = (double)room, rest = b - first, whole = floor(rest / n), last = rest - whole * n;
  return (first * first + whole * n * n + last * last) / (b * b);
}

int sw_noise_parts(const sw_noise_options *o, const sw_noise_step *m, double *s, double *g2) {
  if (m->batch < 2 || !isfinite(m->sum_sumsq) || !isfinite(m->grad_sumsq)) return 0;
  double b = (double)m->batch, n = (double)o->n, q = concentration(o, m);
  double least = b * m->grad_sumsq, freedom = b - 1 - (1 - q) * b / n;
  if (freedom <= 0 || m->sum_sumsq < least * (1 - SLACK)) return 0;
  *s = fmax(0, m->sum_sumsq - least) / freedom;
  double squares = o->regularised ? m->regularised_sumsq : m->grad_sumsq;
  *g2 = squares - *s * (o->target == SW_TARGET_TRAIN ? 1 / b - q / n : 1 / b + (1 - q) / n);
  return isfinite(*s) && isfinite(*g2);
}

/* -------------------------------------------------------------- the window */

static sw_pairs pairs_of(const sw_recent_cut *cut) {
  return (sw_pairs){cut->n, cut->weight, cut->a, cut->b};
}

static double freedom_of(const sw_recent_cut *cut) {
  const sw_pairs pairs = pairs_of(cut);
  return sw_pairs_freedom(&pairs);
}

/* Whether the estimate becomes that of the window as it is now. A few heavy blocks, as after a jump
 * of the batch size, have too little freedom: their lower end would be 0. */
static int is_enough(const sw_recent_cut *now, const sw_recent_cut *latest) {
  if (now->n < SW_RECENT_FEWEST || now->total.count < SW_NOISE_MEASUREMENTS) return 0;
  return latest->n == 0 || freedom_of(now) >= fmin(SW_NOISE_FREEDOM, freedom_of(latest));
}

/* Errors of all lower ends of a training: 0.025 = the sum over k of 3 * 0.025 / ((k + 2) (k + 3)).
 * The first ones have less than by 1 / (k (k + 1)): few short blocks are not normal. */
static double error_of_look(double k) { return 3 * 0.025 / ((k + 2) * (k + 3)); }

static void look(sw_noise *e) {
  const sw_recent_cell *window = &e->latest.total;
  sw_noise_look *l = &e->look;
  if (l->count > 0 && window->last - l->last < (window->last - window->first + 1) / 2) return;
  l->count++;
  l->last = window->last;
  const sw_pairs pairs = pairs_of(&e->latest);
  l->low = sw_fieller_low_of_pairs(
      &pairs, sw_student_quantile(1 - error_of_look(l->count), sw_pairs_freedom(&pairs)));
}

void sw_noise_add(sw_noise *e, const sw_noise_step *m) {
  double s, g2, b = (double)m->batch;
  if (!sw_noise_parts(&e->o, m, &s, &g2)) return;
  sw_recent_cell one = {.weight = b * (b - 1),
                        .a = s,
                        .b = g2,
                        .span = ceil(2 / (1 - fmin(m->momentum, MOST_MOMENTUM)) - ROUNDING),
                        .count = 1,
                        .first = (double)m->step,
                        .last = (double)m->step,
                        .begin = (double)m->examples,
                        .end = (double)m->examples + b};
  sw_recent_cut now;
  sw_recent_add(&e->window, &one);
  sw_recent_split(&e->window, &now);
  if (!is_enough(&now, &e->latest)) return;
  e->latest = now;
  sw_spread_of(&e->window, &e->spread);
  look(e);
}

sw_noise_reading sw_noise_read(const sw_noise *e) {
  sw_recent_cut cut = e->latest;
  if (cut.n == 0) sw_recent_split(&e->window, &cut);
  sw_noise_reading r = {.estimate = sw_estimate_pending(), .s = (double)NAN, .g2 = (double)NAN};
  if (cut.total.weight == 0) return r;
  r.s = cut.total.a;
  r.g2 = cut.total.b;
  r.first = (int64_t)cut.total.first;
  r.last = (int64_t)cut.total.last;
  r.measurements = (int64_t)cut.total.count;
  r.blocks = cut.n;
  r.span = cut.total.span;
  if (e->latest.n == 0) return r;
  r.estimate = sw_fieller_of_spread(&e->spread, sw_student_quantile(0.975, e->spread.freedom));
  r.sure = fmin(e->look.low, r.estimate.low);
  return r;
}
