/* op_matmul.c: the matrix product, with transposes as flags, and the dot product. */
#include <stdio.h>

#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/example_norms_int.h"
#include "graph/identity_int.h"
#include "kernels/inner_int.h"

/* ------------------------------------------------------------------ matmul */

static const char *product_text(const swi_shape_args *a, char *text, size_t size) {
  char one[120];
  size_t used = 0;
  for (int i = 0; i < 2; i++) {
    int transposed = i ? a->attrs->transpose_b : a->attrs->transpose_a;
    sw_type t = *a->in[i];
    if (transposed && t.ndim == 2) {
      t.dim[0] = a->in[i]->dim[1];
      t.dim[1] = a->in[i]->dim[0];
    }
    int n = snprintf(text + used, size - used, "%s%s", i ? " x " : "",
                     sw_type_text(&t, one, sizeof one));
    used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
  }
  return text;
}

static sw_status matmul_shape(swi_shape_args *a) {
  char text[260];
  const sw_type *x = a->in[0], *y = a->in[1];
  if (x->ndim != 2 || y->ndim != 2)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: both inputs must have 2 axes: %s", a->op,
                   product_text(a, text, sizeof text));
  sw_dim m = x->dim[a->attrs->transpose_a ? 1 : 0], ka = x->dim[a->attrs->transpose_a ? 0 : 1];
  sw_dim n = y->dim[a->attrs->transpose_b ? 0 : 1], kb = y->dim[a->attrs->transpose_b ? 1 : 0];
  if (!swi_dim_equal(ka, kb))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: inner sizes differ: %s", a->op,
                   product_text(a, text, sizeof text));
  sw_dependence d = swi_dependence_max(x->dependence, y->dependence);
  if (ka.batch && d != SW_CONSTANT) d = SW_MIXED; /* the examples are added up */
  a->out[0] = (sw_type){.kind = SW_REAL, .ndim = 2, .dim = {m, n}, .dependence = d};
  return SW_OK;
}

static sw_status matmul_eval(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0], *y = &e->in_shape[1];
  swi_gemm_args p = {.transpose_a = e->attrs->transpose_a,
                     .transpose_b = e->attrs->transpose_b,
                     .m = e->out_shape[0].dim[0],
                     .n = e->out_shape[0].dim[1],
                     .k = x->dim[e->attrs->transpose_a ? 0 : 1],
                     .a = e->in[0],
                     .b = e->in[1],
                     .c = e->out[0],
                     .lda = x->dim[1],
                     .ldb = y->dim[1],
                     .ldc = e->out_shape[0].dim[1],
                     .bias = e->bias,
                     .activation = e->activation};
  if (p.m > INT32_MAX || p.n > INT32_MAX || p.k > INT32_MAX) /* BLAS counts in int */
    return sw_fail(e->ctx, SW_ERANGE, "matmul: no size may be above %d", INT32_MAX);
  swi_gemm(e->ctx, e->k->element_bytes, &p);
  return SW_OK;
}

/* C = op(A) op(B): the cotangent of op(A) is c op(B)^T, of op(B) op(A)^T c; a transposed input gets
 * it transposed. */
static void matmul_vjp(sw_graph *g, swi_vjp_args *v) {
  int ta = v->attrs->transpose_a, tb = v->attrs->transpose_b;
  sw_edge c = v->cotangent[0], a = v->in[0], b = v->in[1];
  v->grad[0] = ta ? swi_matmul(g, b, tb, c, 1) : swi_matmul(g, c, 0, b, !tb);
  v->grad[1] = tb ? swi_matmul(g, c, 1, a, ta) : swi_matmul(g, a, !ta, c, 0);
}

static int matmul_power(const swi_power_args *a) {
  const sw_type *t = sw_graph_type(a->g, a->node->in[0]);
  const int sums_batch = t->dim[a->node->attrs.transpose_a ? 0 : 1].batch != 0;
  return swi_power_product(swi_power_of_product(a), sums_batch);
}

/* |sum_t d_t x_t^T|^2 of d (batch, T, m) and x (batch, T, k): through the T x T products of rows,
 * or the m x k matrix itself, whichever takes fewer multiplications. */
static sw_edge outer_squares(sw_graph *g, sw_edge d, sw_edge x) {
  const sw_dim *of_d = sw_graph_type(g, d)->dim, *of_x = sw_graph_type(g, x)->dim;
  double rows = (double)of_d[1].n, m = (double)of_d[2].n, k = (double)of_x[2].n;
  if (rows * rows * (m + k) < rows * m * k)
    return swi_dot_of_each(g, swi_bmm(g, d, 0, d, 1), swi_bmm(g, x, 0, x, 1));
  return swi_sumsq(g, swi_bmm(g, d, 1, x, 0), 1u << 1 | 1u << 2, 0);
}

/* A product over the batch: an example's part is D^T X of its own rows. */
static sw_edge matmul_squares(sw_graph *g, const swi_node *n, sw_edge end) {
  (void)end;
  uint32_t rows_a = n->attrs.transpose_a ? 1u << 0 : 1u << 1;
  uint32_t rows_b = n->attrs.transpose_b ? 1u << 1 : 1u << 0;
  sw_edge a = swi_by_example(g, n->in[0], rows_a), b = swi_by_example(g, n->in[1], rows_b);
  if (a.node < 0 || b.node < 0) return SW_NO_EDGE;
  if (sw_graph_type(g, a)->dim[1].n == 1)
    return swi_mul(g, swi_row_squares(g, n->in[0]), swi_row_squares(g, n->in[1]));
  return outer_squares(g, a, b);
}

const swi_op_row swi_row_matmul = {.n_in = 2,
                                   .n_out = 1,
                                   .flags = SWI_EPILOGUE,
                                   .attrs = SW_ATTR_TRANSPOSE,
                                   .shape = matmul_shape,
                                   .eval = matmul_eval,
                                   .vjp = matmul_vjp,
                                   .power = matmul_power,
                                   .identity = swi_fold_transposes,
                                   .squares = matmul_squares};

/* ------------------------------------------------------------------ dot */

static sw_status dot_shape(swi_shape_args *a) {
  char x[120], y[120];
  if (!swi_type_same_shape(a->in[0], a->in[1]))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: the shapes %s and %s differ", a->op,
                   sw_type_text(a->in[0], x, sizeof x), sw_type_text(a->in[1], y, sizeof y));
  sw_dependence d = swi_dependence_max(a->in[0]->dependence, a->in[1]->dependence);
  a->out[0] = (sw_type){
      .kind = SW_REAL, .ndim = 0, .dependence = d == SW_CONSTANT ? SW_CONSTANT : SW_MIXED};
  return SW_OK;
}

static sw_status dot_eval(const swi_eval_args *e) {
  e->k->fill(1, swi_vector_dot(e->k, swi_numel(&e->in_shape[0]), e->in[0], e->in[1]), e->out[0]);
  return SW_OK;
}

static void dot_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->in[1], v->cotangent[0]);
  v->grad[1] = swi_mul(g, v->in[0], v->cotangent[0]);
}

static int dot_power(const swi_power_args *a) {
  const int sums_batch = sw_type_batch_axis(sw_graph_type(a->g, a->node->in[0])) >= 0;
  return swi_power_product(swi_power_of_product(a), sums_batch);
}

const swi_op_row swi_row_dot = {.n_in = 2,
                                .n_out = 1,
                                .shape = dot_shape,
                                .eval = dot_eval,
                                .vjp = dot_vjp,
                                .power = dot_power};
