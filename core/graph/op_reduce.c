/* op_reduce.c: maxima, sums of squares over axes, and argmax; sums and means are in op_sum.c.
 *
 * Reduced axes that stand together are one of three simple cases; any other pattern is gathered,
 * block by block, into a small buffer.
 */
#include <math.h>
#include <string.h>

#include "graph/build.h"
#include "graph/reduce.h"

/* ------------------------------------------------------------------ shapes */

static sw_dependence reduced_dependence(const sw_type *in, uint32_t axes) {
  int batch = sw_type_batch_axis(in);
  if (batch >= 0 && (axes >> batch & 1) && in->dependence != SW_CONSTANT) return SW_MIXED;
  return in->dependence;
}

sw_status swi_reduce_shape(swi_shape_args *a) {
  const sw_type *in = a->in[0];
  sw_type t = {.kind = SW_REAL, .dependence = reduced_dependence(in, a->attrs->axes)};
  if (a->attrs->axes >> in->ndim != 0)
    return sw_fail(a->ctx, SW_ERANGE, "%s: there are %d axes, axis %d was asked for", a->op,
                   in->ndim, 32 - __builtin_clz(a->attrs->axes));
  for (int i = 0; i < in->ndim; i++) {
    if (!(a->attrs->axes >> i & 1))
      t.dim[t.ndim++] = in->dim[i];
    else if (a->attrs->keepdim)
      t.dim[t.ndim++] = (sw_dim){1, 0};
  }
  a->out[0] = t;
  return SW_OK;
}

sw_status swi_reduce_some_shape(swi_shape_args *a) {
  char text[120];
  SW_TRY(swi_reduce_shape(a));
  for (int i = 0; i < a->in[0]->ndim; i++)
    if ((a->attrs->axes >> i & 1) && a->in[0]->dim[i].n == 0)
      return sw_fail(a->ctx, SW_ESHAPE, "%s: axis %d of %s is empty", a->op, i + 1,
                     sw_type_text(a->in[0], text, sizeof text));
  return SW_OK;
}

sw_status swi_argmax_shape(swi_shape_args *a) {
  uint32_t axes = a->attrs->axes;
  if (axes == 0 || (axes & (axes - 1)) != 0)
    return sw_fail(a->ctx, SW_EARG, "%s: takes exactly one axis", a->op);
  SW_TRY(swi_reduce_some_shape(a));
  a->out[0].kind = SW_INDEX;
  return SW_OK;
}

/* ------------------------------------------------------------------ evaluation */

enum { BLOCK = 512 };

typedef enum fold { FOLD_SUMSQ, FOLD_MAX } fold;

static double fold_block(const swi_kernels *k, fold f, int64_t n, const void *x, double so_far) {
  switch (f) {
  case FOLD_SUMSQ: return so_far + k->dot(n, x, x);
  default: {
    double m = k->max(n, x);
    return m > so_far || isnan(m) ? m : so_far;
  }
  }
}

/* One result: the elements at base + each position of the reduced axes. */
static double fold_gathered(const swi_eval_args *e, fold f, const char *base,
                            swi_odometer reduced) {
  double block[BLOCK];
  int bytes = e->k->element_bytes;
  double result = f == FOLD_MAX ? -HUGE_VAL : 0;
  for (int64_t first = 0; first < reduced.count; first += BLOCK) {
    int64_t n = reduced.count - first < BLOCK ? reduced.count - first : BLOCK;
    for (int64_t i = 0; i < n; i++) {
      memcpy((char *)block + i * bytes, base + reduced.position * bytes, (size_t)bytes);
      swi_odometer_step(&reduced);
    }
    result = fold_block(e->k, f, n, block, result);
  }
  return result;
}

static void fold_any(const swi_eval_args *e, fold f) {
  const sw_shape *in = &e->in_shape[0];
  uint32_t all = (1u << in->ndim) - 1;
  swi_odometer kept = swi_odometer_over(in, all & ~e->attrs->axes),
               reduced = swi_odometer_over(in, e->attrs->axes);
  int bytes = e->k->element_bytes;
  for (int64_t i = 0; i < kept.count; i++) {
    double r = fold_gathered(e, f, (const char *)e->in[0] + kept.position * bytes, reduced);
    e->k->fill(1, r, (char *)e->out[0] + i * bytes);
    swi_odometer_step(&kept);
  }
}

sw_status swi_sumsq_eval(const swi_eval_args *e) {
  swi_split s = swi_split_axes(&e->in_shape[0], e->attrs->axes);
  if (s.simple && s.inner == 1)
    e->k->sumsq_rows(s.outer, s.reduced, e->in[0], e->out[0]);
  else
    fold_any(e, FOLD_SUMSQ);
  return SW_OK;
}

sw_status swi_max_eval(const swi_eval_args *e) {
  fold_any(e, FOLD_MAX);
  return SW_OK;
}

static int32_t argmax_gathered(const swi_eval_args *e, const char *base, swi_odometer reduced) {
  double block[BLOCK], best = -HUGE_VAL;
  int bytes = e->k->element_bytes;
  int32_t at = 0;
  for (int64_t first = 0; first < reduced.count; first += BLOCK) {
    int64_t n = reduced.count - first < BLOCK ? reduced.count - first : BLOCK;
    for (int64_t i = 0; i < n; i++) {
      memcpy((char *)block + i * bytes, base + reduced.position * bytes, (size_t)bytes);
      swi_odometer_step(&reduced);
    }
    double m = e->k->max(n, block);
    if (m > best || (isnan(m) && !isnan(best))) {
      best = m;
      at = (int32_t)(first + e->k->argmax(n, block));
    }
  }
  return at;
}

sw_status swi_argmax_eval(const swi_eval_args *e) {
  const sw_shape *in = &e->in_shape[0];
  uint32_t all = (1u << in->ndim) - 1;
  swi_odometer kept = swi_odometer_over(in, all & ~e->attrs->axes),
               reduced = swi_odometer_over(in, e->attrs->axes);
  swi_split s = swi_split_axes(in, e->attrs->axes);
  int bytes = e->k->element_bytes;
  int32_t *out = e->out[0];
  for (int64_t i = 0; i < kept.count; i++) {
    const char *base = (const char *)e->in[0] + kept.position * bytes;
    out[i] = s.simple && s.inner == 1 ? (int32_t)e->k->argmax(s.reduced, base)
                                      : argmax_gathered(e, base, reduced);
    swi_odometer_step(&kept);
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ derivatives */

void swi_sum_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_unreduce(g, v->cotangent[0], v->in[0], v->attrs->axes);
}

/* 1 / count, count = n B^k */
void swi_mean_vjp(sw_graph *g, swi_vjp_args *v) {
  const sw_type *in = sw_graph_type(g, v->in[0]);
  double n = 1;
  int power = 0;
  for (int i = 0; i < in->ndim; i++) {
    if (!(v->attrs->axes >> i & 1)) continue;
    n *= (double)in->dim[i].n;
    power += in->dim[i].batch;
  }
  v->grad[0] =
      swi_unreduce(g, swi_scale(g, v->cotangent[0], 1 / n, -power), v->in[0], v->attrs->axes);
}

/* Each of the largest gets an equal share. */
void swi_max_vjp(sw_graph *g, swi_vjp_args *v) {
  uint32_t axes = v->attrs->axes;
  sw_edge largest = swi_eq(g, v->in[0], swi_unreduce(g, v->out[0], v->in[0], axes));
  sw_edge share =
      swi_div(g, largest, swi_unreduce(g, swi_sum(g, largest, axes, 1), v->in[0], axes));
  v->grad[0] = swi_mul(g, share, swi_unreduce(g, v->cotangent[0], v->in[0], axes));
}

void swi_sumsq_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = swi_unreduce(g, swi_scale(g, v->cotangent[0], 2, 0), v->in[0], v->attrs->axes);
  v->grad[0] = swi_mul(g, v->in[0], c);
}
