/* example_norms.c: per-example squared gradient norms, read off the gradient's own graph.
 *
 * The gradient of a parameter ends in the node that adds up the examples; behind it come ops that
 * change no norm, or by a factor. Example i's share of that node is
 *   D^T X over rows of the batch   d_i x_i^T (Goodfellow 2015); with T rows an example, sum_t d_t
 *                                  x_t^T, of which |.|^2 = sum_ts <d_t, d_s> <x_t, x_s>
 *   scattered rows (embeddings)    of which |.|^2 = sum_ts [index_t = index_s] <d_t, d_s>
 *   weights of a convolution       it gives the squares itself
 *   sums over the batch            the summand: such parameters are small, so shares are made
 *                                  whole, and may be added up and multiplied by constants.
 * A product added to anything is a parameter with two uses, whose cross terms are not had this way.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc_int.h"
#include "graph/batch_power.h"
#include "graph/build.h"

/* -------------------------------------------------------------- rows of an example */

static sw_edge transposed(sw_graph *g, sw_edge x, const int *perm, int ndim) {
  sw_attrs attrs = {0};
  int identity = 1;
  for (int i = 0; i < ndim; i++) {
    attrs.perm[i] = perm[i];
    identity &= perm[i] == i;
  }
  return identity ? x : swi_build(g, SW_OP_transpose, x, SW_NO_EDGE, SW_NO_EDGE, &attrs);
}

/* x as (batch, T, K): T what an example has of the axes in rows, one of which is the batch; K all
 * the others. None if examples are not apart. */
static sw_edge by_example(sw_graph *g, sw_edge x, uint32_t rows) {
  const sw_type t = *sw_graph_type(g, x);
  int perm[SW_MAX_DIMS], n = 0, batch = sw_type_batch_axis(&t);
  sw_dim dim[3] = {{1, 1}, {1, 0}, {1, 0}};
  if (batch < 0 || !(rows >> batch & 1) || t.dependence == SW_MIXED) return SW_NO_EDGE;
  perm[n++] = batch;
  for (int i = 0; i < t.ndim; i++)
    if (i != batch && (rows >> i & 1)) perm[n++] = i;
  for (int i = 0; i < t.ndim; i++)
    if (!(rows >> i & 1)) perm[n++] = i;
  for (int i = 0; i < t.ndim; i++) dim[rows >> i & 1 ? 1 : 2].n *= t.dim[i].n;
  return swi_reshape(g, transposed(g, x, perm, n), 3, dim);
}

static int64_t size_of(const sw_graph *g, sw_edge x, int axis) {
  return sw_graph_type(g, x)->dim[axis].n;
}

/* (batch, …) -> (batch): squares summed over everything but the batch; none unless it has one row
 * an example. */
static sw_edge row_squares(sw_graph *g, sw_edge x) {
  if (x.node < 0) return x;
  const sw_type *t = sw_graph_type(g, x);
  int batch = sw_type_batch_axis(t);
  if (batch < 0 || t->dim[batch].n != 1 || t->dependence == SW_MIXED) return SW_NO_EDGE;
  return swi_sumsq(g, x, ((1u << t->ndim) - 1) & ~(1u << batch), 0);
}

/* -------------------------------------------------------------- shares that are made whole */

/* x as the share of a node of type t: (batch, t). */
static sw_edge shaped(sw_graph *g, sw_edge x, const sw_type *t) {
  sw_dim dim[SW_MAX_DIMS] = {{1, 1}};
  if (x.node < 0 || t->ndim + 1 > SW_MAX_DIMS) return SW_NO_EDGE;
  for (int i = 0; i < t->ndim; i++) dim[i + 1] = t->dim[i];
  return swi_reshape(g, x, t->ndim + 1, dim);
}

static sw_edge shares(sw_graph *g, sw_edge e);

static sw_edge sum_shares(sw_graph *g, const swi_node *sum) {
  const int batch = sw_type_batch_axis(sw_graph_type(g, sum->in[0]));
  if (batch >= 0)
    return shaped(g, swi_sum(g, by_example(g, sum->in[0], sum->attrs.axes), 1u << 1, 0),
                  &sum->type[0]);
  return shaped(g, swi_sum(g, shares(g, sum->in[0]), sum->attrs.axes << 1, 1), &sum->type[0]);
}

/* The shares of input k with as many axes as the result has: constants are then stretched along. */
static sw_edge lifted(sw_graph *g, const swi_node *n, int k) {
  sw_type t = {.ndim = n->type[0].ndim};
  const sw_type *in = sw_graph_type(g, n->in[k]);
  int lead = t.ndim - in->ndim;
  for (int i = 0; i < t.ndim; i++) t.dim[i] = i < lead ? (sw_dim){1, 0} : in->dim[i - lead];
  return shaped(g, shares(g, n->in[k]), &t);
}

static int is_constant(const sw_graph *g, sw_edge e) {
  const sw_type *t = sw_graph_type(g, e);
  return t->dependence == SW_CONSTANT && sw_type_batch_axis(t) < 0;
}

static sw_edge factor_shares(sw_graph *g, const swi_node *n) {
  if (is_constant(g, n->in[1]))
    return swi_build(g, n->op, lifted(g, n, 0), n->in[1], SW_NO_EDGE, NULL);
  if (n->op != SW_OP_mul || !is_constant(g, n->in[0])) return SW_NO_EDGE;
  return swi_mul(g, lifted(g, n, 1), n->in[0]);
}

/* What example i gives to e, a linear function of sums over the batch; none if it is something
 * else. */
static sw_edge shares(sw_graph *g, sw_edge e) {
  const swi_node n = *swi_node_of(g, e); /* a copy: the list moves when it grows */
  switch (n.op) {
  case SW_OP_sum: return sum_shares(g, &n);
  case SW_OP_neg: return swi_neg(g, shares(g, n.in[0]));
  case SW_OP_scale: return swi_scale(g, shares(g, n.in[0]), n.attrs.value, n.attrs.batch_power);
  case SW_OP_reshape: return shaped(g, shares(g, n.in[0]), &n.type[0]);
  case SW_OP_add:
  case SW_OP_sub: return swi_build(g, n.op, lifted(g, &n, 0), lifted(g, &n, 1), SW_NO_EDGE, NULL);
  case SW_OP_mul:
  case SW_OP_div:
  case SW_OP_gate: return factor_shares(g, &n);
  default: return SW_NO_EDGE;
  }
}

/* -------------------------------------------------------------- squares, as shares are added up */

static sw_edge bmm(sw_graph *g, sw_edge a, int transpose_a, sw_edge b, int transpose_b) {
  sw_attrs attrs = {.transpose_a = transpose_a, .transpose_b = transpose_b};
  return swi_build(g, SW_OP_bmm, a, b, SW_NO_EDGE, &attrs);
}

/* sum_ts a_ts b_ts of two (batch, T, T) */
static sw_edge dot_of_each(sw_graph *g, sw_edge a, sw_edge b) {
  return swi_sum(g, swi_mul(g, a, b), 1u << 1 | 1u << 2, 0);
}

/* |sum_t d_t x_t^T|^2 of d (batch, T, m) and x (batch, T, k): through the T x T products of rows,
 * or the m x k matrix itself, whichever takes fewer multiplications. */
static sw_edge outer_squares(sw_graph *g, sw_edge d, sw_edge x) {
  double rows = (double)size_of(g, d, 1), m = (double)size_of(g, d, 2),
         k = (double)size_of(g, x, 2);
  if (rows * rows * (m + k) < rows * m * k)
    return dot_of_each(g, bmm(g, d, 0, d, 1), bmm(g, x, 0, x, 1));
  return swi_sumsq(g, bmm(g, d, 1, x, 0), 1u << 1 | 1u << 2, 0);
}

static sw_edge product_squares(sw_graph *g, const swi_node *product) {
  uint32_t rows_a = product->attrs.transpose_a ? 1u << 0 : 1u << 1;
  uint32_t rows_b = product->attrs.transpose_b ? 1u << 1 : 1u << 0;
  sw_edge a = by_example(g, product->in[0], rows_a), b = by_example(g, product->in[1], rows_b);
  if (a.node < 0 || b.node < 0) return SW_NO_EDGE;
  if (size_of(g, a, 1) == 1)
    return swi_mul(g, row_squares(g, product->in[0]), row_squares(g, product->in[1]));
  return outer_squares(g, a, b);
}

/* 1 where two rows of an example have the same index: (batch, T, 1) -> (batch, T, T) */
static sw_edge same_index(sw_graph *g, sw_edge index) {
  const sw_dim across[3] = {{1, 1}, {1, 0}, {size_of(g, index, 1), 0}};
  index = swi_build(g, SW_OP_cast, index, SW_NO_EDGE, SW_NO_EDGE, NULL);
  return swi_eq(g, index, swi_reshape(g, index, 3, across));
}

static sw_edge scattered_squares(sw_graph *g, const swi_node *scatter) {
  uint32_t rows = (1u << sw_graph_type(g, scatter->in[1])->ndim) - 1;
  sw_edge x = by_example(g, scatter->in[0], rows), index = by_example(g, scatter->in[1], rows);
  if (x.node < 0 || index.node < 0) return SW_NO_EDGE;
  if (size_of(g, x, 1) == 1) return row_squares(g, scatter->in[0]);
  return dot_of_each(g, bmm(g, x, 0, x, 1), same_index(g, index));
}

static sw_edge convolution_squares(const sw_graph *g, sw_edge weights) {
  const sw_edge squares = {weights.node, 1};
  const sw_type *t = sw_graph_type(g, squares);
  return t->dim[0].batch && t->dim[0].n == 1 && t->dependence == SW_BY_EXAMPLE ? squares
                                                                               : SW_NO_EDGE;
}

static sw_edge squares_at(sw_graph *g, sw_edge end) {
  const swi_node n = *swi_node_of(g, end);
  switch (n.op) {
  case SW_OP_matmul: return product_squares(g, &n);
  case SW_OP_scatter_rows: return scattered_squares(g, &n);
  case SW_OP_conv2d_weight: return convolution_squares(g, end);
  default: return row_squares(g, shares(g, end));
  }
}

/* -------------------------------------------------------------- behind the sum */

/* The edge before ops that keep the norm, or scale it by factor B^power. */
static sw_edge before_scaling(const sw_graph *g, sw_edge e, double *factor, int *power) {
  for (;;) {
    const swi_node *n = swi_node_of(g, e);
    switch (n->op) {
    case SW_OP_scale:
      *factor *= n->attrs.value;
      *power += n->attrs.batch_power;
      break;
    case SW_OP_pad:
      if (n->attrs.value != 0) return e;
      break;
    case SW_OP_neg:
    case SW_OP_reshape:
    case SW_OP_transpose: break;
    default: return e;
    }
    e = n->in[0];
  }
}

static sw_edge param_squares(sw_graph *g, sw_edge grad) {
  double factor = 1;
  int power = 0;
  sw_edge squares = squares_at(g, before_scaling(g, grad, &factor, &power));
  return swi_scale(g, squares, factor * factor, 2 * power);
}

/* -------------------------------------------------------------- refusals */

/* Whether something that e is made of has a row an example, which depends on other examples. */
static sw_status couples_examples(const sw_graph *g, sw_edge e, int *answer) {
  size_t size = (size_t)g->n_nodes;
  unsigned char *needed = swi_alloc_zeroed(g->ctx, size);
  *answer = 0;
  if (!needed) return SW_ENOMEM;
  swi_mark_needed(g, &e, 1, needed);
  for (int32_t i = 0; i < g->n_nodes; i++) {
    const sw_type *t = &g->nodes[i].type[0];
    *answer |= needed[i] && t->dependence == SW_MIXED && sw_type_batch_axis(t) >= 0;
  }
  swi_free(g->ctx, needed, size);
  return SW_OK;
}

static sw_status refuse(const sw_graph *g, sw_edge grad) {
  const char *why = "its gradient is not one sum over the examples: it is used several times, or "
                    "the loss has a penalty of its own";
  int coupled;
  SW_TRY(couples_examples(g, grad, &coupled));
  if (coupled) why = "its gradient is made of coupled examples";
  return sw_fail(g->ctx, SW_EUNSUPPORTED, "%s", why);
}

/* The elements first … end - 1 of the weights. */
typedef struct leaf {
  int64_t first, end;
} leaf;

static int by_first(const void *a, const void *b) {
  const leaf *p = a, *q = b;
  return p->first < q->first ? -1 : p->first > q->first;
}

static int32_t list_leaves(const sw_graph *g, leaf *leaves) {
  int32_t n = 0;
  for (int32_t i = 0; i < g->n_nodes; i++) {
    const swi_node *p = &g->nodes[i];
    const int64_t size = swi_type_numel(&p->type[0]).n;
    if (p->op == SW_OP_param && p->attrs.slot == 0 && size > 0)
      leaves[n++] = (leaf){p->attrs.offset, p->attrs.offset + size};
  }
  qsort(leaves, (size_t)n, sizeof *leaves, by_first);
  return n;
}

/* Two leaves over the same weights are one parameter with two uses. */
static sw_status check_tied(const sw_graph *g) {
  const size_t size = (size_t)g->n_nodes * sizeof(leaf);
  leaf *leaves = swi_alloc(g->ctx, size);
  if (!leaves) return SW_ENOMEM;
  const int32_t n = list_leaves(g, leaves);
  sw_status status = SW_OK;
  for (int32_t i = 1; i < n && status == SW_OK; i++)
    if (leaves[i].first < leaves[i - 1].end)
      status = sw_fail(g->ctx, SW_EUNSUPPORTED,
                       "the parameters at elements %" PRId64 " and %" PRId64
                       " share weights, which are then used several times",
                       leaves[i - 1].first + 1, leaves[i].first + 1);
  swi_free(g->ctx, leaves, size);
  return status;
}

static sw_status check_loss(const sw_graph *g, const sw_edge *grads, int n_grads) {
  int good = 0;
  SW_TRY(swi_is_of_mean(g, grads, n_grads, &good));
  if (good) return SW_OK;
  return sw_fail(
      g->ctx, SW_EUNSUPPORTED,
      "the loss must be the mean over the examples, such as losses:mean(), not their sum");
}

sw_status sw_graph_example_norms(sw_graph *g, const sw_edge *grads, int n_grads, sw_edge *out,
                                 int *culprit) {
  sw_edge total = SW_NO_EDGE;
  SW_TRY(check_tied(g));
  for (int i = 0; i < n_grads; i++) {
    if (grads[i].node < 0) continue; /* the loss does not depend on it */
    sw_edge squares = param_squares(g, grads[i]);
    SW_TRY(swi_build_status(g));
    if (squares.node < 0) {
      if (culprit) *culprit = i;
      return refuse(g, grads[i]);
    }
    total = total.node < 0 ? squares : swi_add(g, total, squares);
  }
  SW_TRY(check_loss(g, grads, n_grads));
  if (total.node < 0) return sw_fail(g->ctx, SW_EEMPTY, "the loss depends on no parameter");
  /* the gradients are of a mean: each example's own is B times its share */
  *out = swi_scale(g, total, 1, 2);
  return swi_build_status(g);
}
