/* example_norms.c: per-example squared gradient norms, read off the gradient's own graph.
 *
 * The gradient of a parameter with one use ends in the node that adds up the examples. If that is a
 * product over the batch, sum_i delta_i x_i^T, example i's share has norm |delta_i| |x_i|
 * (Goodfellow 2015); if it is a sum over the batch, its share is the summand; the weights' gradient
 * of a convolution gives the squares itself. Nothing is computed
 * that the gradient does not compute, but the rows' squares. A sum of two such nodes is a parameter
 * with two uses, whose cross terms are not had this way.
 */
#include "base/alloc.h"
#include "graph/build.h"

/* -------------------------------------------------------------- powers of the batch size */

/* A share of the gradient is of a mean over the examples if it goes as B^-1. The power is followed
 * through the graph; what is made of different powers has none, and a zero has any. */
enum { ANY = 1000, NONE = 2000 };

static int has_power(int p) { return p != ANY && p != NONE; }

static int common(int a, int b) { return a == ANY || a == b ? b : b == ANY ? a : NONE; }

static int product(int a, int b) {
  if (a == NONE || b == NONE) return NONE;
  return has_power(a) && has_power(b) ? a + b : ANY;
}

/* Whether node n adds up over the batch. */
static int sums_batch(const sw_graph *g, const swi_node *n) {
  const sw_type *t = sw_graph_type(g, n->in[0]);
  int batch = sw_type_batch_axis(t);
  if (n->op == SW_OP_matmul) return t->dim[n->attrs.transpose_a ? 0 : 1].batch != 0;
  if (n->op == SW_OP_conv2d_weight) return batch == 0;
  return batch >= 0 && (n->op == SW_OP_dot || (n->attrs.axes >> batch & 1));
}

static int power_of_node(const sw_graph *g, const swi_node *n, const int *power) {
  int p[SWI_MAX_IN] = {0}, n_in = swi_op(n->op)->n_in;
  for (int k = 0; k < n_in; k++) p[k] = power[n->in[k].node];
  switch (n->op) {
  case SW_OP_fill: return n->attrs.value == 0 ? ANY : 0;
  case SW_OP_scale: return product(p[0], n->attrs.batch_power);
  case SW_OP_add:
  case SW_OP_sub: return common(p[0], p[1]);
  case SW_OP_where: return common(p[1], p[2]);
  case SW_OP_mul: return product(p[0], p[1]);
  case SW_OP_div: return has_power(p[1]) ? product(p[0], -p[1]) : NONE;
  case SW_OP_conv2d:
  case SW_OP_conv2d_input: return product(p[0], p[1]);
  case SW_OP_matmul:
  case SW_OP_conv2d_weight:
  case SW_OP_dot: return product(product(p[0], p[1]), sums_batch(g, n));
  case SW_OP_sum: return product(p[0], sums_batch(g, n));
  case SW_OP_sumsq: return product(product(p[0], p[0]), sums_batch(g, n));
  case SW_OP_neg:
  case SW_OP_relu:
  case SW_OP_gate:
  case SW_OP_mean:
  case SW_OP_max:
  case SW_OP_reshape:
  case SW_OP_broadcast:
  case SW_OP_transpose:
  case SW_OP_gather_rows: return p[0];
  default:
    for (int k = 0; k < n_in; k++)
      if (has_power(p[k]) ? p[k] != 0 : p[k] == NONE) return NONE;
    return 0;
  }
}

/* Whether each gradient is a sum over the batch of shares that go as B^-1. */
static int is_of_mean(const sw_edge *grads, int n_grads, const int *power) {
  for (int i = 0; i < n_grads; i++)
    if (grads[i].node >= 0 && power[grads[i].node] != ANY && power[grads[i].node] != 0) return 0;
  return 1;
}

static sw_status check_loss(sw_graph *g, const sw_edge *grads, int n_grads) {
  size_t size = (size_t)g->n_nodes * sizeof(int);
  int *power = swi_alloc(g->ctx, size);
  if (!power) return SW_ENOMEM;
  for (int32_t i = 0; i < g->n_nodes; i++) power[i] = power_of_node(g, &g->nodes[i], power);
  int good = is_of_mean(grads, n_grads, power);
  swi_free(g->ctx, power, size);
  if (good) return SW_OK;
  return sw_fail(g->ctx, SW_EUNSUPPORTED,
                 "per-example gradient norms: the loss must be the mean over the examples, such as "
                 "losses:mean(), not their sum");
}

/* -------------------------------------------------------------- shares of the gradient */

static sw_edge behind_reshapes(const sw_graph *g, sw_edge e) {
  while (swi_node_of(g, e)->op == SW_OP_reshape) e = swi_node_of(g, e)->in[0];
  return e;
}

/* Squares summed over everything but the batch: (batch). Only where examples are apart, one row
 * each. */
static sw_edge row_squares(sw_graph *g, sw_edge x) {
  const sw_type *t = sw_graph_type(g, x);
  int batch = sw_type_batch_axis(t);
  if (batch < 0 || t->dim[batch].n != 1 || t->dependence == SW_MIXED) return SW_NO_EDGE;
  uint32_t others = ((1u << t->ndim) - 1) & ~(1u << batch);
  return swi_sumsq(g, x, others, 0);
}

static int contracts_batch(const sw_graph *g, const swi_node *product) {
  const sw_type *a = sw_graph_type(g, product->in[0]);
  return a->dim[product->attrs.transpose_a ? 0 : 1].batch;
}

static sw_edge summand_squares(sw_graph *g, const swi_node *sum) {
  const sw_type *t = sw_graph_type(g, sum->in[0]);
  int batch = sw_type_batch_axis(t);
  if (batch < 0 || !(sum->attrs.axes >> batch & 1) || t->dependence == SW_MIXED) return SW_NO_EDGE;
  /* other axes are summed first: they belong to the same example */
  return row_squares(g, swi_sum(g, sum->in[0], sum->attrs.axes & ~(1u << batch), 1));
}

static sw_edge convolution_squares(const sw_graph *g, sw_edge weights) {
  const sw_edge squares = {weights.node, 1};
  const sw_type *t = sw_graph_type(g, squares);
  return t->dim[0].batch && t->dim[0].n == 1 && t->dependence == SW_BY_EXAMPLE ? squares
                                                                               : SW_NO_EDGE;
}

static sw_edge param_squares(sw_graph *g, sw_edge grad) {
  const sw_edge end = behind_reshapes(g, grad);
  swi_node n = *swi_node_of(g, end);
  if (n.op == SW_OP_conv2d_weight) return convolution_squares(g, end);
  if (n.op == SW_OP_matmul && contracts_batch(g, &n))
    return swi_mul(g, row_squares(g, n.in[0]), row_squares(g, n.in[1]));
  if (n.op == SW_OP_sum) return summand_squares(g, &n);
  return SW_NO_EDGE;
}

sw_status sw_graph_example_norms(sw_graph *g, const sw_edge *grads, int n_grads, sw_edge *out,
                                 int *culprit) {
  sw_edge total = SW_NO_EDGE;
  for (int i = 0; i < n_grads; i++) {
    if (grads[i].node < 0) continue; /* the loss does not depend on it */
    sw_edge squares = param_squares(g, grads[i]);
    SW_TRY(swi_build_status(g));
    if (squares.node < 0) {
      if (culprit) *culprit = i;
      return sw_fail(g->ctx, SW_EUNSUPPORTED,
                     "per-example gradient norms: the gradient of parameter %d is not one sum over "
                     "examples that are apart "
                     "(a parameter used several times, a penalty in the loss, or a layer that "
                     "couples examples)",
                     i + 1);
    }
    total = total.node < 0 ? squares : swi_add(g, total, squares);
  }
  SW_TRY(check_loss(g, grads, n_grads));
  if (total.node < 0)
    return sw_fail(g->ctx, SW_EEMPTY,
                   "per-example gradient norms: the loss depends on no parameter");
  *out = swi_scale(g, total, 1,
                   2); /* the gradients are of a mean: each example's own is B times its share */
  return swi_build_status(g);
}
