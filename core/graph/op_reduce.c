/* op_reduce.c: maxima, sums of squares over axes, and argmax; sums and means are in op_sum.c.
 *
 * Reduced axes that stand together are one of three simple cases; any other pattern is gathered,
 * block by block, into a small buffer.
 */
#include <math.h>
#include <string.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/reduce_int.h"

/* ------------------------------------------------------------------ shapes */

static sw_status argmax_shape(swi_shape_args *a) {
  uint32_t axes = a->attrs->axes;
  if (axes == 0 || (axes & (axes - 1)) != 0)
    return sw_fail(a->ctx, SW_EARG, "%s: takes exactly one axis", a->op);
  SW_TRY(swi_reduce_some_shape(a));
  a->out[0].kind = SW_INDEX;
  return SW_OK;
}

/* ------------------------------------------------------------------ evaluation */

enum {
  BLOCK = 512,
  PIECE = 1 << 14 /* elements of a piece of rows, about */
};

typedef enum fold { FOLD_SUMSQ, FOLD_MAX } fold;

static double fold_block(const swi_kernels *k, fold f, int64_t n, const void *x, double so_far) {
  switch (f) {
  case FOLD_SUMSQ: return so_far + k->dot(n, x, x);
  case FOLD_MAX: break;
  }
  double m = k->max(n, x);
  return m > so_far || isnan(m) ? m : so_far;
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

typedef struct rows_job {
  const swi_eval_args *e;
  int64_t rows, length, each; /* each: rows of a piece */
} rows_job;

static void run_sumsq(void *arg, int64_t piece) {
  const rows_job *j = arg;
  const int64_t first = piece * j->each, left = j->rows - first;
  const int bytes = j->e->k->element_bytes;
  j->e->k->sumsq_rows(left < j->each ? left : j->each, j->length,
                      (const char *)j->e->in[0] + first * j->length * bytes,
                      (char *)j->e->out[0] + first * bytes);
}

/* A row is summed by one thread. */
static void sumsq_rows(const swi_eval_args *e, int64_t rows, int64_t length) {
  rows_job j = {e, rows, length, length < PIECE ? PIECE / (length + 1) + 1 : 1};
  swi_parallel(e->ctx, (rows + j.each - 1) / j.each, run_sumsq, &j);
}

static sw_status sumsq_eval(const swi_eval_args *e) {
  swi_split s = swi_split_axes(&e->in_shape[0], e->attrs->axes);
  if (s.simple && s.inner == 1)
    sumsq_rows(e, s.outer, s.reduced);
  else
    fold_any(e, FOLD_SUMSQ);
  return SW_OK;
}

static sw_status max_eval(const swi_eval_args *e) {
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

static sw_status argmax_eval(const swi_eval_args *e) {
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

/* Each of the largest gets an equal share. */
static void max_vjp(sw_graph *g, swi_vjp_args *v) {
  uint32_t axes = v->attrs->axes;
  sw_edge largest = swi_eq(g, v->in[0], swi_unreduce(g, v->out[0], v->in[0], axes));
  sw_edge share =
      swi_div(g, largest, swi_unreduce(g, swi_sum(g, largest, axes, 1), v->in[0], axes));
  v->grad[0] = swi_mul(g, share, swi_unreduce(g, v->cotangent[0], v->in[0], axes));
}

static void sumsq_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = swi_unreduce(g, swi_scale(g, v->cotangent[0], 2, 0), v->in[0], v->attrs->axes);
  v->grad[0] = swi_mul(g, v->in[0], c);
}

/* ------------------------------------------------------------------ rows */

static int sumsq_power(const swi_power_args *a) {
  const int square = swi_power_product(a->in[0], a->in[0]);
  return swi_power_product(square, swi_sums_batch(a->g, a->node));
}

const swi_op_row swi_row_max = {.n_in = 1,
                                .n_out = 1,
                                .attrs = SW_ATTR_AXES | SW_ATTR_KEEPDIM,
                                .shape = swi_reduce_some_shape,
                                .eval = max_eval,
                                .vjp = max_vjp,
                                .power = swi_power_of_first};

const swi_op_row swi_row_sumsq = {.n_in = 1,
                                  .n_out = 1,
                                  .attrs = SW_ATTR_AXES | SW_ATTR_KEEPDIM,
                                  .shape = swi_reduce_shape,
                                  .eval = sumsq_eval,
                                  .vjp = sumsq_vjp,
                                  .power = sumsq_power};

/* Takes the first of equal ones. */
const swi_op_row swi_row_argmax = {.n_in = 1,
                                   .n_out = 1,
                                   .attrs = SW_ATTR_AXES | SW_ATTR_KEEPDIM,
                                   .shape = argmax_shape,
                                   .eval = argmax_eval,
                                   .power = swi_power_zero};
