/* example_norms.c: per-example squared gradient norms, read off the gradient's own graph.
 *
 * The gradient of a parameter ends in the node that adds up the examples; behind it come ops that
 * keep the norm or scale it. Example i's share of that node is
 *   D^T X over rows of the batch   d_i x_i^T (Goodfellow 2015); with T rows an example, sum_t d_t
 *                                  x_t^T, of which |.|^2 = sum_ts <d_t, d_s> <x_t, x_s>
 *   scattered rows (embeddings)    of which |.|^2 = sum_ts [index_t = index_s] <d_t, d_s>
 *   weights of a convolution       it gives the squares itself
 *   sums over the batch            the summand: such parameters are small, so shares are made
 *                                  whole, and may be added up and multiplied by constants.
 * The rows of the ops hold these rules: share, squares and pass. A product that is added to
 * something is a parameter with two uses; its cross terms are not in these operands.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/example_norms_int.h"

/* -------------------------------------------------------------- rows of an example */

sw_edge swi_by_example(sw_graph *g, sw_edge x, uint32_t rows) {
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
  return swi_reshape(g, swi_transpose(g, x, perm, n), 3, dim);
}

sw_edge swi_row_squares(sw_graph *g, sw_edge x) {
  if (x.node < 0) return x;
  const sw_type *t = sw_graph_type(g, x);
  int batch = sw_type_batch_axis(t);
  if (batch < 0 || t->dim[batch].n != 1 || t->dependence == SW_MIXED) return SW_NO_EDGE;
  return swi_sumsq(g, x, ((1u << t->ndim) - 1) & ~(1u << batch), 0);
}

/* -------------------------------------------------------------- shares that are made whole */

sw_edge swi_share_of_type(sw_graph *g, sw_edge x, const sw_type *t) {
  sw_dim dim[SW_MAX_DIMS] = {{1, 1}};
  if (x.node < 0 || t->ndim + 1 > SW_MAX_DIMS) return SW_NO_EDGE;
  for (int i = 0; i < t->ndim; i++) dim[i + 1] = t->dim[i];
  return swi_reshape(g, x, t->ndim + 1, dim);
}

sw_edge swi_share_of_input(sw_graph *g, const swi_node *n, int k) {
  sw_type t = {.ndim = n->type[0].ndim};
  const sw_type *in = sw_graph_type(g, n->in[k]);
  int lead = t.ndim - in->ndim;
  for (int i = 0; i < t.ndim; i++) t.dim[i] = i < lead ? (sw_dim){1, 0} : in->dim[i - lead];
  return swi_share_of_type(g, swi_share(g, n->in[k]), &t);
}

sw_edge swi_share(sw_graph *g, sw_edge e) {
  const swi_node n = *swi_node_of(g, e); /* a copy: the list moves when it grows */
  const swi_op_row *row = swi_op(n.op);
  return row->share ? row->share(g, &n) : SW_NO_EDGE;
}

sw_edge swi_dot_of_each(sw_graph *g, sw_edge a, sw_edge b) {
  return swi_sum(g, swi_mul(g, a, b), 1u << 1 | 1u << 2, 0);
}

static sw_edge squares_at(sw_graph *g, sw_edge end) {
  const swi_node n = *swi_node_of(g, end);
  const swi_op_row *row = swi_op(n.op);
  return row->squares ? row->squares(g, &n, end) : swi_row_squares(g, swi_share(g, end));
}

/* -------------------------------------------------------------- behind the sum */

/* The edge before ops that keep the norm, or scale it by factor B^power. */
static sw_edge before_scaling(const sw_graph *g, sw_edge e, double *factor, int *power) {
  for (;;) {
    const swi_node *n = swi_node_of(g, e);
    const swi_op_row *row = swi_op(n->op);
    if (!row->pass || !row->pass(n, factor, power)) return e;
    e = n->in[0];
  }
}

int swi_pass_norm(const swi_node *n, double *factor, int *power) {
  (void)n, (void)factor, (void)power;
  return 1;
}

static sw_edge param_squares(sw_graph *g, sw_edge grad) {
  double factor = 1;
  int power = 0;
  sw_edge squares = squares_at(g, before_scaling(g, grad, &factor, &power));
  return swi_scale(g, squares, factor * factor, 2 * power);
}

/* -------------------------------------------------------------- refusals */

/* Whether a node that e depends on has rows for examples that depend on other examples. */
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
    if (swi_is_weights(p) && size > 0)
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
  return sw_fail(g->ctx, SW_EUNSUPPORTED,
                 "the loss must be the mean over the examples, not their sum");
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
