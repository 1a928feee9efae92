/* op_attention.c: the ops of attention: many small products, and the softmax of each row over the
 * columns up to its own. */
#include <math.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/identity_int.h"

/* ------------------------------------------------------------------ products of slices */

enum { SLICES_FROM = 1 << 19, SLICE_MOST = 1 << 23, GROUP = 1 << 18 }; /* multiplications */

static sw_status misfit(swi_shape_args *a, const char *why) {
  char x[120], y[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: %s: %s%s x %s%s", a->op, why,
                 sw_type_text(a->in[0], x, sizeof x), a->attrs->transpose_a ? "^T" : "",
                 sw_type_text(a->in[1], y, sizeof y), a->attrs->transpose_b ? "^T" : "");
}

static sw_status bmm_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *y = a->in[1];
  int last = x->ndim - 1, ta = a->attrs->transpose_a != 0, tb = a->attrs->transpose_b != 0;
  if (x->ndim < 3 || y->ndim != x->ndim)
    return misfit(a, "both inputs must have the same number of axes, 3 or more");
  if (sw_type_batch_axis(x) >= last - 1 || sw_type_batch_axis(y) >= last - 1)
    return misfit(a, "the batch must be a leading axis");
  for (int i = 0; i < last - 1; i++)
    if (!swi_dim_equal(x->dim[i], y->dim[i])) return misfit(a, "the leading axes differ");
  if (x->dim[last - ta].n != y->dim[last - 1 + tb].n) return misfit(a, "inner sizes differ");
  a->out[0] = *x;
  a->out[0].dim[last - 1] = x->dim[last - 1 + ta];
  a->out[0].dim[last] = y->dim[last - tb];
  a->out[0].dependence = swi_dependence_max(x->dependence, y->dependence);
  return SW_OK;
}

typedef struct slices {
  const swi_eval_args *e;
  swi_gemm_args product; /* of the first slice */
  int64_t a, b, c;       /* bytes of a slice of each */
  int64_t n, group;
} slices;

static void multiply(const slices *s, int64_t i) {
  swi_gemm_args p = s->product;
  p.a = (const char *)p.a + i * s->a;
  p.b = (const char *)p.b + i * s->b;
  p.c = (char *)p.c + i * s->c;
  swi_gemm(s->e->ctx, s->e->k->element_bytes, &p);
}

static void multiply_group(void *arg, int64_t piece) {
  const slices *s = arg;
  int64_t first = piece * s->group, end = first + s->group < s->n ? first + s->group : s->n;
  for (int64_t i = first; i < end; i++) multiply(s, i);
}

static slices slices_of(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0], *y = &e->in_shape[1], *z = &e->out_shape[0];
  int last = x->ndim - 1, bytes = e->k->element_bytes;
  slices s = {.e = e,
              .product = {.transpose_a = e->attrs->transpose_a,
                          .transpose_b = e->attrs->transpose_b,
                          .m = z->dim[last - 1],
                          .n = z->dim[last],
                          .k = x->dim[e->attrs->transpose_a ? last - 1 : last],
                          .a = e->in[0],
                          .b = e->in[1],
                          .c = e->out[0],
                          .lda = x->dim[last],
                          .ldb = y->dim[last],
                          .ldc = z->dim[last]},
              .a = x->dim[last - 1] * x->dim[last] * bytes,
              .b = y->dim[last - 1] * y->dim[last] * bytes,
              .c = z->dim[last - 1] * z->dim[last] * bytes,
              .n = 1,
              .group = 1};
  for (int i = 0; i < last - 1; i++) s.n *= z->dim[i];
  return s;
}

/* Small products are given to the pool in groups; a large one is cut by itself. */
static sw_status bmm_eval(const swi_eval_args *e) {
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  slices s = slices_of(e);
  const swi_gemm_args *p = &s.product;
  if (p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX)
    return sw_fail(e->ctx, SW_ERANGE, "bmm: no size may be above %d", INT32_MAX);
  double each = (double)p->m * (double)p->n * (double)p->k;
  if (each < GROUP) s.group = (int64_t)(GROUP / (each + 1)) + 1;
  int64_t groups = (s.n + s.group - 1) / s.group;
  if (each * (double)s.n >= SLICES_FROM && each < SLICE_MOST)
    swi_parallel(e->ctx, groups, multiply_group, &s);
  else
    for (int64_t i = 0; i < s.n; i++) multiply(&s, i);
  return SW_OK;
}

/* As of a matmul, slice by slice. */
static void bmm_vjp(sw_graph *g, swi_vjp_args *v) {
  int ta = v->attrs->transpose_a, tb = v->attrs->transpose_b;
  sw_edge c = v->cotangent[0], a = v->in[0], b = v->in[1];
  v->grad[0] = ta ? swi_bmm(g, b, tb, c, 1) : swi_bmm(g, c, 0, b, !tb);
  v->grad[1] = tb ? swi_bmm(g, c, 1, a, ta) : swi_bmm(g, a, !ta, c, 0);
}

/* The batch is a leading axis: nothing is summed over it. */
const swi_op_row swi_row_bmm = {.n_in = 2,
                                .n_out = 1,
                                .attrs = SW_ATTR_TRANSPOSE,
                                .shape = bmm_shape,
                                .eval = bmm_eval,
                                .vjp = bmm_vjp,
                                .power = swi_power_of_product,
                                .identity = swi_fold_transposes};

/* ------------------------------------------------------------------ causal softmax */

/* (…, T, T) -> the same: y[t] = softmax(value x[t, 0 … t]), then zeros */
static sw_status causal_softmax_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  char text[120];
  int last = x->ndim - 1;
  if (last < 1 || !swi_dim_equal(x->dim[last - 1], x->dim[last]) || x->dim[last].batch)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: expected (…, T, T), got %s", a->op,
                   sw_type_text(x, text, sizeof text));
  if (!isfinite(a->attrs->value) || a->attrs->value == 0)
    return sw_fail(a->ctx, SW_ERANGE, "%s: its scale (value) must be finite and not 0, got %g",
                   a->op, a->attrs->value);
  a->out[0] = *x;
  return SW_OK;
}

typedef struct causal_job {
  const swi_eval_args *e;
  int64_t n, slices, group; /* n: T */
} causal_job;

static void causal_slice(const causal_job *j, int64_t slice) {
  const swi_eval_args *e = j->e;
  int64_t bytes = e->k->element_bytes, at = slice * j->n * j->n * bytes;
  for (int64_t t = 0; t < j->n; t++, at += j->n * bytes) {
    const char *x = (const char *)e->in[0] + at;
    char *y = (char *)e->out[0] + at;
    e->k->scale(t + 1, e->attrs->value, x, y);
    e->k->softmax(1, t + 1, y, y);
    e->k->fill(j->n - t - 1, 0, y + (t + 1) * bytes);
  }
}

static void causal_group(void *arg, int64_t piece) {
  const causal_job *j = arg;
  int64_t first = piece * j->group, left = j->slices - first;
  for (int64_t i = 0; i < j->group && i < left; i++) causal_slice(j, first + i);
}

static sw_status causal_softmax_eval(const swi_eval_args *e) {
  enum { ELEMENTS = 1 << 14, PARALLEL_FROM = 1 << 16 };
  const sw_shape *s = &e->out_shape[0];
  int64_t numel = swi_numel(s), n = s->dim[s->ndim - 1];
  if (numel == 0) return SW_OK;
  causal_job j = {e, n, numel / (n * n), n * n < ELEMENTS ? ELEMENTS / (n * n) : 1};
  int64_t groups = (j.slices + j.group - 1) / j.group;
  if (numel >= PARALLEL_FROM)
    swi_parallel(e->ctx, groups, causal_group, &j);
  else
    for (int64_t i = 0; i < groups; i++) causal_group(&j, i);
  return SW_OK;
}

/* dx = value p (c - sum(c p)): 0 where p is */
static void causal_softmax_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge p = v->out[0], c = v->cotangent[0];
  uint32_t last = 1u << (sw_graph_type(g, p)->ndim - 1);
  sw_edge inner = swi_sum(g, swi_mul(g, p, c), last, 1);
  v->grad[0] = swi_scale(g, swi_mul(g, p, swi_sub(g, c, inner)), v->attrs->value, 0);
}

const swi_op_row swi_row_causal_softmax = {.n_in = 1,
                                           .n_out = 1,
                                           .attrs = SW_ATTR_VALUE,
                                           .value_word = "",
                                           .shape = causal_softmax_shape,
                                           .eval = causal_softmax_eval,
                                           .vjp = causal_softmax_vjp,
                                           .power = swi_power_zero};
