/* elementwise.c: how ops that work element by element are evaluated, stretching their inputs as
 * NumPy does.
 *
 * Large ones are cut into pieces of a fixed size for the pool; elements are independent,
 * so the cut shows in no bit.
 */
#include "graph/elementwise.h"

#include <string.h>

#include "base/parallel_int.h"

enum { PIECE = 1 << 15, PARALLEL_FROM = 1 << 17, MOST_IN = 3 };

/* ------------------------------------------------------------------ shapes */

sw_status swi_unary_shape(swi_shape_args *a) {
  a->out[0] = *a->in[0];
  return SW_OK;
}

static sw_status mismatch(swi_shape_args *a, const sw_type *x, const sw_type *y) {
  char tx[120], ty[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: cannot be broadcast together: %s and %s", a->op,
                 sw_type_text(x, tx, sizeof tx), sw_type_text(y, ty, sizeof ty));
}

static sw_status stretch(swi_shape_args *a, const sw_type *x, const sw_type *y, sw_type *out) {
  const sw_type *longer = x->ndim >= y->ndim ? x : y;
  const sw_type *shorter = x->ndim >= y->ndim ? y : x;
  int lead = longer->ndim - shorter->ndim;
  sw_type t = *longer;
  t.dependence = swi_dependence_max(x->dependence, y->dependence);
  for (int i = 0; i < shorter->ndim; i++) {
    sw_dim one = {1, 0}, d = shorter->dim[i], *to = &t.dim[lead + i];
    if (swi_dim_equal(*to, one))
      *to = d;
    else if (!swi_dim_equal(d, one) && !swi_dim_equal(d, *to))
      return mismatch(a, x, y);
  }
  *out = t;
  return SW_OK;
}

sw_status swi_binary_shape(swi_shape_args *a) { return stretch(a, a->in[0], a->in[1], &a->out[0]); }

sw_status swi_where_shape(swi_shape_args *a) {
  sw_type t;
  SW_TRY(stretch(a, a->in[1], a->in[2], &t));
  return stretch(a, a->in[0], &t, &a->out[0]);
}

sw_status swi_broadcast_shape(swi_shape_args *a) {
  sw_type wanted = {.kind = SW_REAL, .ndim = a->attrs->ndim, .dependence = a->in[0]->dependence};
  sw_type t;
  memcpy(wanted.dim, a->attrs->dim, sizeof wanted.dim);
  for (int i = 0; i < wanted.ndim; i++)
    if (wanted.dim[i].n < 0)
      return sw_fail(a->ctx, SW_ERANGE, "%s: axis %d has a negative size", a->op, i + 1);
  SW_TRY(stretch(a, a->in[0], &wanted, &t));
  if (!swi_type_same_shape(&t, &wanted)) return mismatch(a, a->in[0], &wanted);
  a->out[0] = wanted;
  return SW_OK;
}

/* ------------------------------------------------------------------ kernels */

static swi_unary unary_of(sw_op op) {
  switch (op) {
  case SW_OP_neg: return SWI_UNARY_neg;
  case SW_OP_exp: return SWI_UNARY_exp;
  case SW_OP_log: return SWI_UNARY_log;
  case SW_OP_relu: return SWI_UNARY_relu;
  case SW_OP_tanh: return SWI_UNARY_tanh;
  case SW_OP_sqrt: return SWI_UNARY_sqrt;
  case SW_OP_abs: return SWI_UNARY_abs;
  case SW_OP_sign: return SWI_UNARY_sign;
  case SW_OP_erf: return SWI_UNARY_erf;
  case SW_OP_erfc: return SWI_UNARY_erfc;
  case SW_OP_sigmoid_slope: return SWI_UNARY_sigmoid_slope;
  case SW_OP_softplus: return SWI_UNARY_softplus;
  default: return SWI_UNARY_sigmoid;
  }
}

static swi_binary binary_of(sw_op op) {
  switch (op) {
  case SW_OP_add: return SWI_BINARY_add;
  case SW_OP_sub: return SWI_BINARY_sub;
  case SW_OP_mul: return SWI_BINARY_mul;
  case SW_OP_div: return SWI_BINARY_div;
  case SW_OP_lt: return SWI_BINARY_lt;
  case SW_OP_le: return SWI_BINARY_le;
  case SW_OP_gt: return SWI_BINARY_gt;
  case SW_OP_ge: return SWI_BINARY_ge;
  case SW_OP_eq: return SWI_BINARY_eq;
  case SW_OP_ne: return SWI_BINARY_ne;
  case SW_OP_pow: return SWI_BINARY_pow;
  case SW_OP_maximum: return SWI_BINARY_maximum;
  case SW_OP_minimum: return SWI_BINARY_minimum;
  default: return SWI_BINARY_gate;
  }
}

/* ------------------------------------------------------------------ unary */

typedef struct unary_job {
  void (*f)(int64_t n, const void *x, void *y);
  const char *x;
  char *y;
  int64_t n;
  int bytes;
} unary_job;

static void unary_piece(void *arg, int64_t piece) {
  const unary_job *j = arg;
  int64_t at = piece * PIECE, n = j->n - at < PIECE ? j->n - at : PIECE;
  j->f(n, j->x + at * j->bytes, j->y + at * j->bytes);
}

sw_status swi_unary_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->out_shape[0]);
  unary_job j = {e->k->unary[unary_of(e->op)], e->in[0], e->out[0], n, e->k->element_bytes};
  if (n < PARALLEL_FROM)
    j.f(n, e->in[0], e->out[0]);
  else
    swi_parallel(e->ctx, (n + PIECE - 1) / PIECE, unary_piece, &j);
  return SW_OK;
}

/* value * B^batch_power */
static double factor_of(const swi_eval_args *e) {
  double c = e->attrs->value;
  for (int i = 0; i < e->attrs->batch_power; i++) c *= (double)e->batch;
  for (int i = 0; i > e->attrs->batch_power; i--) c /= (double)e->batch;
  return c;
}

sw_status swi_scale_eval(const swi_eval_args *e) {
  e->k->scale(swi_numel(&e->out_shape[0]), factor_of(e), e->in[0], e->out[0]);
  return SW_OK;
}

/* ------------------------------------------------------------------ stretched walks */

/* The output's axes from the last to the first, neighbours merged where every input allows it;
 * strides are 0 where an input is stretched. */
typedef struct walk {
  int n_axes;
  int64_t size[SW_MAX_DIMS];
  int64_t stride[MOST_IN][SW_MAX_DIMS];
} walk;

static int can_merge(const walk *w, int n_in, const int64_t *stride) {
  int last = w->n_axes - 1;
  for (int i = 0; i < n_in; i++)
    if (stride[i] != w->stride[i][last] * w->size[last]) return 0;
  return 1;
}

static void plan_walk(walk *w, int n_in, const sw_shape *in, const sw_shape *out) {
  int64_t running[MOST_IN] = {1, 1, 1};
  w->n_axes = 0;
  for (int axis = out->ndim - 1; axis >= 0; axis--) {
    int64_t stride[MOST_IN];
    for (int i = 0; i < n_in; i++) {
      int at = axis - (out->ndim - in[i].ndim);
      int64_t d = at >= 0 ? in[i].dim[at] : 1;
      stride[i] = d == 1 ? 0 : running[i];
      running[i] *= d;
    }
    if (out->dim[axis] == 1) continue;
    if (w->n_axes > 0 && can_merge(w, n_in, stride)) {
      w->size[w->n_axes - 1] *= out->dim[axis];
      continue;
    }
    w->size[w->n_axes] = out->dim[axis];
    for (int i = 0; i < n_in; i++) w->stride[i][w->n_axes] = stride[i];
    w->n_axes++;
  }
}

/* Moves the inputs' positions to the next run along the inner axis; 0 at the end. */
static int walk_next(const walk *w, int n_in, int64_t *counter, int64_t *at) {
  for (int axis = 1; axis < w->n_axes; axis++) {
    for (int i = 0; i < n_in; i++) at[i] += w->stride[i][axis];
    if (++counter[axis] < w->size[axis]) return 1;
    for (int i = 0; i < n_in; i++) at[i] -= w->stride[i][axis] * w->size[axis];
    counter[axis] = 0;
  }
  return 0;
}

/* ------------------------------------------------------------------ binary */

typedef void (*binary_kernel)(int64_t n, const void *a, const void *b, void *y);

typedef struct binary_job {
  binary_kernel f;
  const char *a, *b;
  char *y;
  int64_t n, step_a, step_b; /* bytes from one element to the next: 0 or the element's size */
  int bytes;
} binary_job;

static void binary_piece(void *arg, int64_t piece) {
  const binary_job *j = arg;
  int64_t at = piece * PIECE, n = j->n - at < PIECE ? j->n - at : PIECE;
  j->f(n, j->a + at * j->step_a, j->b + at * j->step_b, j->y + at * j->bytes);
}

static binary_kernel pick(const swi_kernels *k, swi_binary f, int64_t stride_a, int64_t stride_b) {
  if (stride_a != 0) return stride_b != 0 ? k->binary[f].vv : k->binary[f].vs;
  return k->binary[f].sv;
}

static void binary_run(const swi_eval_args *e, const walk *w) {
  swi_binary f = binary_of(e->op);
  int bytes = e->k->element_bytes;
  binary_job j = {pick(e->k, f, w->stride[0][0], w->stride[1][0]),
                  e->in[0],
                  e->in[1],
                  e->out[0],
                  w->size[0],
                  w->stride[0][0] * bytes,
                  w->stride[1][0] * bytes,
                  bytes};
  if (j.n < PARALLEL_FROM)
    j.f(j.n, j.a, j.b, j.y);
  else
    swi_parallel(e->ctx, (j.n + PIECE - 1) / PIECE, binary_piece, &j);
}

sw_status swi_binary_eval(const swi_eval_args *e) {
  swi_binary f = binary_of(e->op);
  walk w;
  int64_t counter[SW_MAX_DIMS] = {0}, at[2] = {0, 0};
  int bytes = e->k->element_bytes;
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  plan_walk(&w, 2, e->in_shape, &e->out_shape[0]);
  if (w.n_axes == 0) {
    e->k->binary[f].vv(1, e->in[0], e->in[1], e->out[0]);
  } else if (w.n_axes == 1) {
    binary_run(e, &w);
  } else {
    binary_kernel kernel = pick(e->k, f, w.stride[0][0], w.stride[1][0]);
    const char *a = e->in[0], *b = e->in[1];
    char *y = e->out[0];
    do {
      kernel(w.size[0], a + at[0] * bytes, b + at[1] * bytes, y);
      y += w.size[0] * bytes;
    } while (walk_next(&w, 2, counter, at));
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ where */

/* Inner runs in which every input either moves or is one value; the kernel wants arrays, so single
 * values are spread over a small block first. */
enum { BLOCK = 256 };

static const void *spread(const swi_eval_args *e, const char *x, int64_t stride, int64_t n,
                          int64_t first, double *block) {
  int bytes = e->k->element_bytes;
  if (stride != 0) return x + first * bytes;
  for (int64_t i = 0; i < n; i++) memcpy((char *)block + i * bytes, x, (size_t)bytes);
  return block;
}

static void where_run(const swi_eval_args *e, const walk *w, const int64_t *at, char *y) {
  double block[MOST_IN][BLOCK];
  int bytes = e->k->element_bytes;
  int64_t size = w->n_axes ? w->size[0] : 1;
  for (int64_t first = 0; first < size; first += BLOCK) {
    int64_t n = size - first < BLOCK ? size - first : BLOCK;
    const void *p[MOST_IN];
    for (int i = 0; i < 3; i++)
      p[i] = spread(e, (const char *)e->in[i] + at[i] * bytes, w->n_axes ? w->stride[i][0] : 0, n,
                    first, block[i]);
    e->k->where(n, p[0], p[1], p[2], y + first * bytes);
  }
}

sw_status swi_where_eval(const swi_eval_args *e) {
  walk w;
  int64_t counter[SW_MAX_DIMS] = {0}, at[MOST_IN] = {0};
  char *y = e->out[0];
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  plan_walk(&w, 3, e->in_shape, &e->out_shape[0]);
  do {
    where_run(e, &w, at, y);
    y += (w.n_axes ? w.size[0] : 1) * e->k->element_bytes;
  } while (walk_next(&w, 3, counter, at));
  return SW_OK;
}

/* ------------------------------------------------------------------ broadcast */

static void repeat(char *y, const char *x, int bytes, int64_t n) {
  for (int64_t i = 0; i < n; i++) memcpy(y + i * bytes, x, (size_t)bytes);
}

sw_status swi_broadcast_eval(const swi_eval_args *e) {
  walk w;
  int64_t counter[SW_MAX_DIMS] = {0}, at[1] = {0};
  int bytes = e->k->element_bytes;
  const char *x = e->in[0];
  char *y = e->out[0];
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  plan_walk(&w, 1, e->in_shape, &e->out_shape[0]);
  int64_t run = w.n_axes ? w.size[0] : 1;
  do {
    if (w.n_axes && w.stride[0][0] != 0)
      memcpy(y, x + at[0] * bytes, (size_t)(run * bytes));
    else
      repeat(y, x + at[0] * bytes, bytes, run);
    y += run * bytes;
  } while (walk_next(&w, 1, counter, at));
  return SW_OK;
}

/* ------------------------------------------------------------------ parts of chains */

static void where_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                       void *out) {
  double block[MOST_IN][BLOCK];
  int bytes = e->k->element_bytes;
  for (int64_t first = 0; first < n; first += BLOCK) {
    int64_t count = n - first < BLOCK ? n - first : BLOCK;
    const void *p[MOST_IN];
    for (int i = 0; i < 3; i++)
      p[i] = spread(e, in[i], single >> i & 1 ? 0 : 1, count, first, block[i]);
    e->k->where(count, p[0], p[1], p[2], (char *)out + first * bytes);
  }
}

void swi_elementwise_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                          void *out) {
  switch (swi_op(e->op)->n_in) {
  case 1:
    if (e->op == SW_OP_scale)
      e->k->scale(n, factor_of(e), in[0], out);
    else
      e->k->unary[unary_of(e->op)](n, in[0], out);
    return;
  case 2: pick(e->k, binary_of(e->op), !(single & 1), !(single & 2))(n, in[0], in[1], out); return;
  default: where_part(e, n, in, single, out);
  }
}
