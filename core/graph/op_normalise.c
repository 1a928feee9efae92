/* op_normalise.c: normalisation by the mean and variance of a group: an example's channels, or
 * groups of them. Layer and group norm are made of it.
 *
 *   y = (x - mean) r,   r = 1 / sqrt(var + eps),   over the axes that are named
 *
 * x is seen as (outer, positions, groups, width), normalised over positions and width. Long runs
 * of width are summed where they lie, in two passes about a mean that may be off by its rounding,
 * which the second pass finds; of short ones the channels' moments are merged (Chan et al. 1979).
 * Either way equal values give 0. A group whose squares leave the range of numbers is done again,
 * scaled, in double.
 */
#include <float.h>
#include <math.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"

enum {
  PARALLEL_FROM = 1 << 17, /* elements */
  PIECE = 1 << 14,
  COLS = SWI_NORM_COLS,
  LONG = 64 /* elements of a run that are worth a call */
};

/* x -> y (like x), r (the named axes have size 1) */
static sw_status normalise_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  char text[120];
  int batch = sw_type_batch_axis(x), changes = 0, in = 0;
  uint32_t axes = a->attrs->axes;
  if (axes == 0) return sw_fail(a->ctx, SW_EARG, "%s: needs at least one axis", a->op);
  if (batch >= 0 && (axes >> batch & 1))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: cannot normalise over the batch of %s; batch_norm does",
                   a->op, sw_type_text(x, text, sizeof text));
  if (!(a->attrs->value >= 0 && a->attrs->value < HUGE_VAL))
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: eps (value) must be 0 or a small positive number, got %g", a->op,
                   a->attrs->value);
  a->out[0] = a->out[1] = *x;
  for (int i = 0; i < x->ndim; i++) {
    int named = axes >> i & 1;
    if (named) a->out[1].dim[i] = (sw_dim){1, 0};
    if (x->dim[i].n == 1 && !x->dim[i].batch) continue;
    changes += named != in;
    in = named;
  }
  if (changes > 3)
    return sw_fail(a->ctx, SW_EUNSUPPORTED,
                   "%s: the axes of %s form more than two groups of adjacent ones", a->op,
                   sw_type_text(x, text, sizeof text));
  return SW_OK;
}

typedef struct groups {
  const swi_eval_args *e;
  int64_t outer, positions, count, width; /* count: groups side by side */
  int64_t channels, n, each;              /* elements of a position, of a group; outer a piece */
} groups;

static groups groups_of(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0];
  groups g = {.e = e, .outer = 1, .positions = 1, .count = 1, .width = 1};
  int64_t *part[] = {&g.outer, &g.positions, &g.count, &g.width};
  int at = 0;
  for (int i = 0; i < x->ndim; i++) {
    if (x->dim[i] == 1) continue;
    at += at % 2 != (int)(e->attrs->axes >> i & 1);
    if (at < 4) *part[at] *= x->dim[i]; /* the shape rule lets no more through */
  }
  if (at == 1) { /* the last axes alone: one run */
    g.width = g.positions;
    g.positions = 1;
  }
  g.channels = g.count * g.width;
  g.n = g.positions * g.width;
  return g;
}

static void *at(const groups *g, const void *p, int64_t i) {
  return (char *)(uintptr_t)p + i * g->e->k->element_bytes;
}

static double get(const groups *g, const void *p, int64_t i) {
  return g->e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* The value as it was rounded. */
static double set(const groups *g, void *p, int64_t i, double value) {
  if (g->e->k->element_bytes == 8) return ((double *)p)[i] = value;
  return (double)(((float *)p)[i] = (float)value);
}

/* ------------------------------------------------------------------ out of range */

/* A power of two that takes the largest element to 1/2 … 1, or as near as leaves its square a
 * number. */
static double scale_of(const groups *g, const void *x) {
  double most = 0;
  int exponent = 0;
  for (int64_t p = 0; p < g->positions; p++)
    for (int64_t i = 0; i < g->width; i++) most = fmax(most, fabs(get(g, x, p * g->channels + i)));
  if (isfinite(most)) frexp(most, &exponent);
  return ldexp(1, exponent > 500 ? -500 : exponent < -500 ? 500 : -exponent);
}

/* y of a group, in double, of x times a scale. Returns r. */
static double normalise_scaled(const groups *g, const void *x, void *y) {
  const double s = scale_of(g, x), n = (double)g->n;
  double mean = 0, var = 0;
  for (int64_t p = 0; p < g->positions; p++)
    for (int64_t i = 0; i < g->width; i++) mean += get(g, x, p * g->channels + i) * s / n;
  for (int64_t p = 0; p < g->positions; p++)
    for (int64_t i = 0; i < g->width; i++) {
      double d = get(g, x, p * g->channels + i) * s - mean;
      var += d * d / n;
    }
  const double r = 1 / sqrt(var + g->e->attrs->value * s * s);
  for (int64_t p = 0; p < g->positions; p++)
    for (int64_t i = p * g->channels; i < p * g->channels + g->width; i++)
      set(g, y, i, (get(g, x, i) * s - mean) * r);
  return r * s;
}

/* Far enough from the smallest normal number that no square that counts was lost. */
static int is_in_range(const groups *g, double var) {
  const double least = g->e->k->element_bytes == 4 ? (double)FLT_MIN : DBL_MIN;
  return isfinite(var) && var + g->e->attrs->value >= least * 0x1p48;
}

/* ------------------------------------------------------------------ long runs */

static double normalise_runs(const groups *g, const void *x, void *y) {
  const swi_kernels *k = g->e->k;
  double about = 0, sums[2] = {0, 0};
  for (int64_t p = 0; p < g->positions; p++) about += k->sum(g->width, at(g, x, p * g->channels));
  about /= (double)g->n;
  if (k->element_bytes == 4) about = (double)(float)about; /* as it is taken off */
  for (int64_t p = 0; p < g->positions; p++)
    k->deviations(g->width, about, at(g, x, p * g->channels), sums);
  const double off = sums[0] / (double)g->n;
  double var = sums[1] / (double)g->n - off * off;
  if (var < 0) var = 0;
  if (!is_in_range(g, var)) return normalise_scaled(g, x, y);
  const double r = 1 / sqrt(var + g->e->attrs->value);
  for (int64_t p = 0; p < g->positions; p++)
    k->normalise(g->width, about, off, r, at(g, x, p * g->channels), at(g, y, p * g->channels));
  return r;
}

/* ------------------------------------------------------------------ short runs */

/* Channels of whole groups; the factors hold reals. */
typedef struct columns {
  double mean[COLS], m2[COLS];
  double about[COLS], factor[COLS], shift[COLS];
  double r[COLS]; /* of a group; 0: out of range */
} columns;

static void factors_of_group(const groups *g, columns *c, int64_t group) {
  const int64_t first = group * g->width, end = first + g->width;
  double off = 0, m2 = 0;
  for (int64_t j = first; j < end; j++) off += c->mean[j] - c->mean[first];
  const double mean = c->mean[first] + off / (double)g->width;
  for (int64_t j = first; j < end; j++) {
    const double d = c->mean[j] - mean;
    m2 += c->m2[j] + (double)g->positions * d * d;
  }
  const double var = m2 / (double)g->n, r = 1 / sqrt(var + g->e->attrs->value);
  c->r[group] = is_in_range(g, var) ? r : 0;
  for (int64_t j = first; j < end; j++) {
    const double about = set(g, c->about, j, mean), factor = set(g, c->factor, j, r);
    set(g, c->shift, j, (about - mean) * factor);
  }
}

static void normalise_columns(const groups *g, const void *x, void *y, void *r) {
  columns c;
  const int64_t most = COLS / g->width;
  for (int64_t from = 0; from < g->count; from += most) {
    const int64_t n = g->count - from < most ? g->count - from : most, first = from * g->width;
    const swi_norm m = {.rows = g->positions,
                        .cols = n * g->width,
                        .ld = g->channels,
                        .x = at(g, x, first),
                        .mean = c.about};
    const swi_norm_factors f = {.of_x = c.factor, .shift = c.shift};
    g->e->k->norm_moments(m.rows, m.cols, m.ld, m.x, c.mean, c.m2);
    for (int64_t i = 0; i < n; i++) factors_of_group(g, &c, i);
    g->e->k->norm_combine(&m, &f, 0, at(g, y, first));
    for (int64_t i = 0; i < n; i++) {
      const int64_t begin = first + i * g->width;
      if (c.r[i] == 0) c.r[i] = normalise_scaled(g, at(g, x, begin), at(g, y, begin));
      if (r) set(g, r, from + i, c.r[i]);
    }
  }
}

/* ------------------------------------------------------------------ all groups */

static void normalise_piece(void *arg, int64_t piece) {
  const groups *g = arg;
  const int64_t first = piece * g->each, left = g->outer - first;
  for (int64_t o = first; o < first + (left < g->each ? left : g->each); o++) {
    const int64_t begin = o * g->positions * g->channels;
    const void *x = at(g, g->e->in[0], begin);
    void *y = at(g, g->e->out[0], begin);
    void *r = g->e->out[1] ? at(g, g->e->out[1], o * g->count) : NULL;
    if (g->width < LONG && g->positions > 1) {
      normalise_columns(g, x, y, r);
      continue;
    }
    for (int64_t i = 0; i < g->count; i++) {
      const double found = normalise_runs(g, at(g, x, i * g->width), at(g, y, i * g->width));
      if (r) set(g, r, i, found);
    }
  }
}

static sw_status normalise_eval(const swi_eval_args *e) {
  groups g = groups_of(e);
  const int64_t one = g.positions * g.channels;
  if (g.outer * one == 0) return SW_OK;
  g.each = g.outer;
  if (g.outer * one >= PARALLEL_FROM) g.each = one >= PIECE ? 1 : PIECE / one;
  swi_parallel(e->ctx, (g.outer + g.each - 1) / g.each, normalise_piece, &g);
  return SW_OK;
}

/* ------------------------------------------------------------------ derivative */

/* Of y: r (c - mean(c) - y mean(c y)); of r: -c r (r y) / n */
static void normalise_vjp(sw_graph *g, swi_vjp_args *v) {
  uint32_t axes = v->attrs->axes;
  sw_edge y = v->out[0], r = v->out[1], c = v->cotangent[0], of_r = v->cotangent[1];
  const sw_type *t = sw_graph_type(g, v->in[0]);
  double n = 1;
  for (int i = 0; i < t->ndim; i++) n *= axes >> i & 1 ? (double)t->dim[i].n : 1;
  sw_edge dx = SW_NO_EDGE;
  if (c.node >= 0) {
    sw_edge along = swi_mul(g, y, swi_mean(g, swi_mul(g, c, y), axes, 1));
    dx = swi_mul(g, r, swi_sub(g, swi_sub(g, c, swi_mean(g, c, axes, 1)), along));
  }
  if (of_r.node >= 0) {
    sw_edge from_r = swi_scale(g, swi_mul(g, swi_mul(g, of_r, r), swi_mul(g, r, y)), -1 / n, 0);
    dx = dx.node >= 0 ? swi_add(g, dx, from_r) : from_r;
  }
  v->grad[0] = dx;
}

/* r: 1 / sqrt(variance + eps) of each group; value: eps */
const swi_op_row swi_row_normalise = {.n_in = 1,
                                      .n_out = 2,
                                      .attrs = SW_ATTR_AXES | SW_ATTR_VALUE,
                                      .shape = normalise_shape,
                                      .eval = normalise_eval,
                                      .vjp = normalise_vjp,
                                      .power = swi_power_zero};
