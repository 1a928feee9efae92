/* fuse.c: epilogue fusion: bias and activation.
 *
 * A product or a convolution adds a bias to its rows and applies a ReLU itself; a batch norm
 * applies the ReLU behind it, and its derivative the gate of that ReLU. Each is one entry of a
 * list, { root, bias, activation, result }; what lies between root and result is not computed.
 */
#include "base/alloc_int.h"
#include "graph/program_int.h"

typedef struct search {
  const sw_graph *g;
  const int32_t (*readers)[SW_MAX_OUTPUTS];
  const unsigned char *varying;
  swi_fusions *found;
} search;

static const swi_node *node(const search *s, int32_t i) { return &s->g->nodes[i]; }

/* Whether the node at hand is all that reads output 0 of another. */
static int read_once(const search *s, int32_t i) { return s->readers[i][0] == 1; }

static swi_fusion *fusion_of(const search *s, int32_t i) {
  const int32_t number = s->found->of[i];
  return number > 0 ? &s->found->list[number - 1] : NULL;
}

static sw_status add(const search *s, const swi_fusion *f) {
  swi_fusions *all = s->found;
  if (all->n == all->cap) {
    int32_t cap = all->cap ? 2 * all->cap : 32;
    void *p = swi_realloc(s->g->ctx, all->list, (size_t)all->cap * sizeof *all->list,
                          (size_t)cap * sizeof *all->list);
    if (!p) return SW_ENOMEM;
    all->list = p;
    all->cap = cap;
  }
  all->list[all->n++] = *f;
  all->of[f->root] = all->of[f->result] = all->n;
  if (f->gate >= 0) all->of[f->gate] = all->n;
  return SW_OK;
}

/* ------------------------------------------------------------------ products and convolutions */

static int has_epilogue(const search *s, int32_t i) {
  return (swi_op(node(s, i)->op)->flags & SWI_EPILOGUE) != 0;
}

/* A row that is added to every row of a result: (n), or with axes of size 1 in front. */
static int is_bias(const sw_type *bias, const sw_type *result) {
  int last = bias->ndim - 1;
  if (last < 0 || bias->ndim > result->ndim) return 0;
  for (int i = 0; i < last; i++)
    if (bias->dim[i].n != 1 || bias->dim[i].batch) return 0;
  return swi_dim_equal(bias->dim[last], result->dim[result->ndim - 1]);
}

/* Node i is a sum: of a product and a bias? Computed in the place of the sum, as the bias may come
 * behind the product. */
static sw_status fuse_bias(const search *s, int32_t i) {
  const swi_node *sum = node(s, i);
  for (int k = 0; k < 2; k++) {
    const int32_t root = sum->in[k].node;
    const sw_edge bias = sum->in[1 - k];
    if (has_epilogue(s, root) && read_once(s, root) && s->varying[root] == s->varying[i] &&
        swi_type_same_shape(&node(s, root)->type[0], &sum->type[0]) &&
        is_bias(sw_graph_type(s->g, bias), &sum->type[0]))
      return add(s, &(swi_fusion){root, bias, SWI_ACT_NONE, i, .at = i, .gate = -1});
  }
  return SW_OK;
}

/* Node i is a ReLU: of a product or convolution, or of its sum with a bias? */
static sw_status fuse_relu(const search *s, int32_t i) {
  const int32_t x = node(s, i)->in[0].node;
  swi_fusion *biased = node(s, x)->op == SW_OP_add ? fusion_of(s, x) : NULL;
  if (!read_once(s, x)) return SW_OK;
  if (has_epilogue(s, x))
    return add(s, &(swi_fusion){x, SW_NO_EDGE, SWI_ACT_RELU, i, .at = i, .gate = -1});
  if (!biased) return SW_OK;
  biased->activation = SWI_ACT_RELU;
  biased->result = biased->at = i;
  s->found->of[i] = s->found->of[x];
  return SW_OK;
}

/* ------------------------------------------------------------------ batch norms */

/* Node i is a ReLU: is it all that reads the values of a batch norm? Computed in the place of the
 * norm, as others read its statistics. */
static sw_status fuse_norm(const search *s, int32_t i) {
  const sw_edge y = node(s, i)->in[0];
  if (node(s, y.node)->op != SW_OP_batch_norm || y.out != 0 || !read_once(s, y.node)) return SW_OK;
  return add(s, &(swi_fusion){y.node, SW_NO_EDGE, SWI_ACT_RELU, i, .at = y.node, .gate = -1});
}

static int same_edge(sw_edge a, sw_edge b) { return a.node == b.node && a.out == b.out; }

/* Node i is the derivative of a batch norm: is its cotangent gated by the norm's own ReLU, for
 * nothing else? Then it computes anew where the ReLU was open, for which it reads beta. */
static sw_status fuse_gate(const search *s, int32_t i) {
  const swi_node *grad = node(s, i), *gate = node(s, grad->in[1].node);
  const swi_node *norm = node(s, grad->in[3].node);
  if (gate->op != SW_OP_gate || norm->op != SW_OP_batch_norm) return SW_OK;
  if (grad->in[3].out != 1 || norm->attrs.n != grad->attrs.n) return SW_OK;
  const swi_node *relu = node(s, gate->in[1].node);
  if (relu->op != SW_OP_relu || !same_edge(relu->in[0], (sw_edge){grad->in[3].node, 0}) ||
      !same_edge(norm->in[0], grad->in[0]) || !same_edge(norm->in[1], grad->in[2]) ||
      !swi_type_same_shape(sw_graph_type(s->g, gate->in[0]), &grad->type[0]) ||
      !read_once(s, grad->in[1].node))
    return SW_OK;
  return add(s, &(swi_fusion){i, norm->in[2], SWI_ACT_RELU, i, .at = i, .gate = grad->in[1].node});
}

sw_status swi_fuse(const sw_graph *g, const unsigned char *needed, const unsigned char *varying,
                   const int32_t (*readers)[SW_MAX_OUTPUTS], swi_fusions *found) {
  const search s = {g, readers, varying, found};
  for (int32_t i = 0; i < g->n_nodes; i++) {
    if (!needed[i]) continue;
    switch (g->nodes[i].op) {
    case SW_OP_add: SW_TRY(fuse_bias(&s, i)); break;
    case SW_OP_relu:
      SW_TRY(fuse_norm(&s, i));
      SW_TRY(fuse_relu(&s, i));
      break;
    case SW_OP_batch_norm_grad: SW_TRY(fuse_gate(&s, i)); break;
    default: break;
    }
  }
  return SW_OK;
}
