/* op_normalise.c: values by the mean and variance of their group: of an example's channels, or of
 * groups of them. Layer and group norm are made of it.
 *
 *   y = (x - mean) r,   r = 1 / sqrt(var + eps),   over the axes that are named
 *
 * Two passes about a mean that may be off by its rounding, which the second pass finds: equal values
 * give 0. A group whose squares leave the range of numbers is done again, scaled, in double.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "graph/build.h"
#include "graph/reduce.h"

enum {
  PARALLEL_FROM = 1 << 17, /* elements */
  PIECE = 1 << 14,
  LONG = 64, /* elements of a run that are worth a call */
  GATHERED = 1024
};

/* x -> y (like x), r (the named axes have size 1) */
sw_status swi_normalise_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  char text[120];
  int batch = sw_type_batch_axis(x);
  uint32_t axes = a->attrs->axes;
  if (axes == 0) return sw_fail(a->ctx, SW_EARG, "%s: takes an axis at least", a->op);
  if (batch >= 0 && (axes >> batch & 1))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: the batch of %s is batch_norm's axis", a->op,
                   sw_type_text(x, text, sizeof text));
  if (!(a->attrs->value >= 0 && a->attrs->value < HUGE_VAL))
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: eps (value) must be 0 or a small positive number, got %g", a->op,
                   a->attrs->value);
  a->out[0] = a->out[1] = *x;
  for (int i = 0; i < x->ndim; i++)
    if (axes >> i & 1) a->out[1].dim[i] = (sw_dim){1, 0};
  return SW_OK;
}

/* ------------------------------------------------------------------ one group */

/* A group's elements: runs of `run` neighbours, at the positions of `runs` from its first one. */
typedef struct groups {
  const swi_eval_args *e;
  swi_odometer kept, runs;
  int64_t run, n, each; /* n: elements of a group; each: groups of a piece */
} groups;

static groups groups_of(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0];
  uint32_t axes = e->attrs->axes, all = (1u << x->ndim) - 1, inner = 0;
  groups g = {.e = e, .run = 1};
  for (int i = x->ndim - 1; i >= 0 && (axes >> i & 1); i--) {
    g.run *= x->dim[i];
    inner |= 1u << i;
  }
  g.kept = swi_odometer_over(x, all & ~axes);
  g.runs = swi_odometer_over(x, axes & ~inner);
  g.n = g.runs.count * g.run;
  return g;
}

static const void *at(const groups *g, const void *p, int64_t i) {
  return (const char *)p + i * g->e->k->element_bytes;
}

static double get(const groups *g, const void *p, int64_t i) {
  return g->e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void set(const groups *g, void *p, int64_t i, double value) {
  if (g->e->k->element_bytes == 4)
    ((float *)p)[i] = (float)value;
  else
    ((double *)p)[i] = value;
}

/* Going through a group: a long run is taken where it lies, short ones are gathered. */
typedef struct walk {
  swi_odometer o;
  int64_t left;            /* runs */
  double buffer[GATHERED]; /* of either float type */
} walk;

static void start(const groups *g, walk *w) {
  w->o = g->runs;
  w->left = g->runs.count;
}

/* The elements *x … of the group that begins at `first`; 0 at its end. */
static int64_t next(const groups *g, walk *w, int64_t first, const void **x) {
  const int bytes = g->e->k->element_bytes;
  int64_t n = 0;
  if (w->left == 0) return 0;
  *x = at(g, g->e->in[0], first + w->o.position);
  if (g->run >= LONG || g->runs.count == 1) {
    swi_odometer_step(&w->o);
    w->left--;
    return g->run;
  }
  for (; w->left > 0 && n + g->run <= GATHERED; n += g->run, w->left--, swi_odometer_step(&w->o))
    memcpy((char *)w->buffer + n * bytes, at(g, g->e->in[0], first + w->o.position),
           (size_t)(g->run * bytes));
  *x = w->buffer;
  return n;
}

static double mean_of(const groups *g, walk *w, int64_t first) {
  const void *x;
  double sum = 0;
  start(g, w);
  for (int64_t n; (n = next(g, w, first, &x)) > 0;) sum += g->e->k->sum(n, x);
  return sum / (double)g->n;
}

/* The means of x - about and of its square. */
static void deviations(const groups *g, walk *w, int64_t first, double about, double mean[2]) {
  const void *x;
  double sums[2] = {0, 0};
  start(g, w);
  for (int64_t n; (n = next(g, w, first, &x)) > 0;) g->e->k->deviations(n, about, x, sums);
  mean[0] = sums[0] / (double)g->n;
  mean[1] = sums[1] / (double)g->n;
}

static void write_group(const groups *g, walk *w, int64_t first, double about, double off,
                        double r) {
  const int bytes = g->e->k->element_bytes;
  const void *x;
  start(g, w);
  swi_odometer to = w->o;
  for (int64_t n; (n = next(g, w, first, &x)) > 0;) {
    int gathered = x == w->buffer;
    char *y = gathered ? (char *)w->buffer : (char *)g->e->out[0] + (first + to.position) * bytes;
    g->e->k->normalise(n, about, off, r, x, y);
    for (int64_t i = 0; i < n; i += g->run, swi_odometer_step(&to))
      if (gathered)
        memcpy((char *)g->e->out[0] + (first + to.position) * bytes, y + i * bytes,
               (size_t)(g->run * bytes));
  }
}

/* A power of two that takes the largest element to 1 … 2, but none that overflows when squared. */
static double scale_of(const groups *g, int64_t first) {
  swi_odometer o = swi_odometer_over(&g->e->in_shape[0], g->e->attrs->axes);
  double most = 0;
  int exponent = 0;
  for (int64_t i = 0; i < o.count; i++, swi_odometer_step(&o))
    most = fmax(most, fabs(get(g, g->e->in[0], first + o.position)));
  if (isfinite(most)) frexp(most, &exponent);
  return ldexp(1, exponent > 500 ? -500 : exponent < -500 ? 500 : -exponent);
}

/* The same in double, of x times a scale. Returns r. */
static double normalise_scaled(const groups *g, int64_t first) {
  const double s = scale_of(g, first), n = (double)g->n;
  const swi_odometer all = swi_odometer_over(&g->e->in_shape[0], g->e->attrs->axes);
  double mean = 0, var = 0;
  swi_odometer o = all;
  for (int64_t i = 0; i < o.count; i++, swi_odometer_step(&o))
    mean += get(g, g->e->in[0], first + o.position) * s / n;
  o = all;
  for (int64_t i = 0; i < o.count; i++, swi_odometer_step(&o)) {
    double d = get(g, g->e->in[0], first + o.position) * s - mean;
    var += d * d / n;
  }
  const double r = 1 / sqrt(var + g->e->attrs->value * s * s);
  o = all;
  for (int64_t i = 0; i < o.count; i++, swi_odometer_step(&o))
    set(g, g->e->out[0], first + o.position,
        (get(g, g->e->in[0], first + o.position) * s - mean) * r);
  return r * s;
}

/* Far enough from the smallest normal number that no square that counts was lost. */
static int is_in_range(const groups *g, double var) {
  const double least = g->e->k->element_bytes == 4 ? (double)FLT_MIN : DBL_MIN;
  return isfinite(var) && var + g->e->attrs->value >= least * 0x1p48;
}

static void normalise_group(const groups *g, int64_t first, int64_t i) {
  walk w;
  double about = mean_of(g, &w, first), mean[2], r;
  if (g->e->k->element_bytes == 4) about = (double)(float)about; /* as it is taken off */
  deviations(g, &w, first, about, mean);
  double var = mean[1] - mean[0] * mean[0];
  if (var < 0) var = 0;
  if (is_in_range(g, var)) {
    r = 1 / sqrt(var + g->e->attrs->value);
    write_group(g, &w, first, about, mean[0], r);
  } else {
    r = normalise_scaled(g, first);
  }
  if (g->e->out[1]) set(g, g->e->out[1], i, r);
}

/* ------------------------------------------------------------------ all groups */

static void normalise_piece(void *arg, int64_t piece) {
  const groups *g = arg;
  int64_t begin = piece * g->each, left = g->kept.count - begin;
  swi_odometer o = g->kept;
  for (int64_t i = 0; i < begin; i++) swi_odometer_step(&o);
  for (int64_t i = 0; i < g->each && i < left; i++, swi_odometer_step(&o))
    normalise_group(g, o.position, begin + i);
}

sw_status swi_normalise_eval(const swi_eval_args *e) {
  groups g = groups_of(e);
  if (g.n == 0 || g.kept.count == 0) return SW_OK;
  g.each = g.kept.count;
  if (g.kept.count * g.n >= PARALLEL_FROM) g.each = g.n >= PIECE ? 1 : PIECE / g.n;
  swi_parallel(e->ctx, (g.kept.count + g.each - 1) / g.each, normalise_piece, &g);
  return SW_OK;
}

/* ------------------------------------------------------------------ derivative */

static sw_edge mean(sw_graph *g, sw_edge x, uint32_t axes) {
  const sw_attrs attrs = {.axes = axes, .keepdim = 1};
  return swi_build(g, SW_OP_mean, x, SW_NO_EDGE, SW_NO_EDGE, &attrs);
}

/* Of y: r (c - mean(c) - y mean(c y)); of r: -c r (r y) / n */
void swi_normalise_vjp(sw_graph *g, swi_vjp_args *v) {
  uint32_t axes = v->attrs->axes;
  sw_edge y = v->out[0], r = v->out[1], c = v->cotangent[0], of_r = v->cotangent[1];
  const sw_type *t = sw_graph_type(g, v->in[0]);
  double n = 1;
  for (int i = 0; i < t->ndim; i++) n *= axes >> i & 1 ? (double)t->dim[i].n : 1;
  sw_edge dx = SW_NO_EDGE;
  if (c.node >= 0) {
    sw_edge along = swi_mul(g, y, mean(g, swi_mul(g, c, y), axes));
    dx = swi_mul(g, r, swi_sub(g, swi_sub(g, c, mean(g, c, axes)), along));
  }
  if (of_r.node >= 0) {
    sw_edge from_r = swi_scale(g, swi_mul(g, swi_mul(g, of_r, r), swi_mul(g, r, y)), -1 / n, 0);
    dx = dx.node >= 0 ? swi_add(g, dx, from_r) : from_r;
  }
  v->grad[0] = dx;
}
