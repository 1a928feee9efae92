/* example_norms.c: per-example squared gradient norms, read off the gradient's own graph.
 *
 * The gradient of a parameter with one use ends in the node that adds up the examples. If that is a
 * product over the batch, sum_i delta_i x_i^T, example i's share has norm |delta_i| |x_i|
 * (Goodfellow 2015); if it is a sum over the batch, its share is the summand. Nothing is computed
 * that the gradient does not compute, but the rows' squares. A sum of two such nodes is a parameter
 * with two uses, whose cross terms are not had this way.
 */
#include "graph/build.h"

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

static sw_edge param_squares(sw_graph *g, sw_edge grad) {
  swi_node n = *swi_node_of(g, behind_reshapes(g, grad));
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
  if (total.node < 0)
    return sw_fail(g->ctx, SW_EEMPTY,
                   "per-example gradient norms: the loss depends on no parameter");
  *out = swi_scale(g, total, 1,
                   2); /* the gradients are of a mean: each example's own is B times its share */
  return swi_build_status(g);
}
