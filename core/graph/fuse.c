/* fuse.c: what may end a product or a convolution: a bias, a ReLU, or one after the other; and the
 * ReLU behind a batch norm, forwards and backwards. */
#include "graph/program_int.h"

typedef struct fusion {
  const sw_graph *g;
  const int32_t (*readers)[SWI_MAX_OUT];
  const unsigned char *late;
  int32_t *fused;
} fusion;

/* Of a node that has one output and one reader at hand. */
static int only_read_by_next(const fusion *f, int32_t node) { return f->readers[node][0] == 1; }

static int has_epilogue(const swi_node *n) { return (swi_op(n->op)->flags & SWI_EPILOGUE) != 0; }

/* A row that is added to every row of a result: (n), or with axes of size 1 in front. */
static int is_bias(const sw_type *bias, const sw_type *result) {
  int last = bias->ndim - 1;
  if (last < 0 || bias->ndim > result->ndim) return 0;
  for (int i = 0; i < last; i++)
    if (bias->dim[i].n != 1 || bias->dim[i].batch) return 0;
  return swi_dim_equal(bias->dim[last], result->dim[result->ndim - 1]);
}

static void fuse_bias(const fusion *f, int32_t i) {
  const swi_node *add = &f->g->nodes[i];
  for (int k = 0; k < 2; k++) {
    int32_t m = add->in[k].node;
    const swi_node *product = &f->g->nodes[m];
    if (has_epilogue(product) && only_read_by_next(f, m) && f->late[m] == f->late[i] &&
        swi_type_same_shape(&product->type[0], &add->type[0]) &&
        is_bias(sw_graph_type(f->g, add->in[1 - k]), &product->type[0])) {
      f->fused[m] = i;
      return;
    }
  }
}

/* A product, or its sum with a bias. */
static int is_product(const fusion *f, int32_t node) {
  const swi_node *n = &f->g->nodes[node];
  if (has_epilogue(n)) return 1;
  return n->op == SW_OP_add && (f->fused[n->in[0].node] == node || f->fused[n->in[1].node] == node);
}

static int same_edge(sw_edge a, sw_edge b) { return a.node == b.node && a.out == b.out; }

/* Node i is a ReLU: is it all that reads the values of a batch norm? */
static void fuse_norm(const fusion *f, int32_t i) {
  sw_edge y = f->g->nodes[i].in[0];
  if (f->g->nodes[y.node].op == SW_OP_batch_norm && y.out == 0 && f->readers[y.node][0] == 1)
    f->fused[y.node] = i;
}

/* Node i is the derivative of a batch norm: does its cotangent, gated by the norm's own ReLU, serve
 * nothing else? Then it need not be written down. */
static void fuse_gate(const fusion *f, int32_t i) {
  const swi_node *grad = &f->g->nodes[i], *gate = &f->g->nodes[grad->in[1].node];
  const swi_node *norm = &f->g->nodes[grad->in[3].node];
  if (gate->op != SW_OP_gate || norm->op != SW_OP_batch_norm) return;
  if (grad->in[3].out != 1 || norm->attrs.n != grad->attrs.n) return;
  const swi_node *relu = &f->g->nodes[gate->in[1].node];
  if (relu->op == SW_OP_relu && same_edge(relu->in[0], (sw_edge){grad->in[3].node, 0}) &&
      same_edge(norm->in[0], grad->in[0]) && same_edge(norm->in[1], grad->in[2]) &&
      swi_type_same_shape(sw_graph_type(f->g, gate->in[0]), &grad->type[0]) &&
      only_read_by_next(f, grad->in[1].node))
    f->fused[grad->in[1].node] = i;
}

void swi_fuse(const sw_graph *g, const unsigned char *needed, const unsigned char *late,
              const int32_t (*readers)[SWI_MAX_OUT], int32_t *fused) {
  const fusion f = {g, readers, late, fused};
  for (int32_t i = 0; i < g->n_nodes; i++) {
    const swi_node *n = &g->nodes[i];
    if (!needed[i]) continue;
    if (n->op == SW_OP_add) fuse_bias(&f, i);
    if (n->op == SW_OP_relu) fuse_norm(&f, i);
    if (n->op == SW_OP_batch_norm_grad) fuse_gate(&f, i);
    if (n->op == SW_OP_relu && is_product(&f, n->in[0].node) &&
        only_read_by_next(&f, n->in[0].node))
      fused[n->in[0].node] = i;
  }
}
