/* batch_power.c: powers of the batch size, followed through the graph.
 *
 * What is made of different powers has none, and a zero has any. Ops that are not named here keep a
 * power of 0, and give none to any other.
 */
#include "graph/batch_power.h"

#include "base/alloc_int.h"

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
  switch (n->op) {
  case SW_OP_matmul:
  case SW_OP_bmm: return t->dim[t->ndim - (n->attrs.transpose_a ? 2 : 1)].batch != 0;
  case SW_OP_conv2d_weight: return batch == 0;
  case SW_OP_scatter_rows: return batch >= 0 && batch < sw_graph_type(g, n->in[1])->ndim;
  case SW_OP_dot: return batch >= 0;
  default: return batch >= 0 && (n->attrs.axes >> batch & 1);
  }
}

static int power_of_node(const sw_graph *g, const swi_node *n, const int *power) {
  int p[SWI_MAX_IN] = {0}, n_in = swi_op(n->op)->n_in;
  for (int k = 0; k < n_in; k++) p[k] = power[n->in[k].node];
  switch (n->op) {
  case SW_OP_fill: return n->attrs.value == 0 ? ANY : 0;
  case SW_OP_scale: return product(p[0], n->attrs.batch_power);
  case SW_OP_add:
  case SW_OP_sub:
  case SW_OP_maximum:
  case SW_OP_minimum:
  case SW_OP_concat: return common(p[0], p[1]);
  case SW_OP_where: return common(p[1], p[2]);
  case SW_OP_mul: return product(p[0], p[1]);
  case SW_OP_div: return has_power(p[1]) ? product(p[0], -p[1]) : NONE;
  case SW_OP_conv2d:
  case SW_OP_conv2d_input: return product(p[0], p[1]);
  case SW_OP_matmul:
  case SW_OP_bmm:
  case SW_OP_conv2d_weight:
  case SW_OP_dot: return product(product(p[0], p[1]), sums_batch(g, n));
  case SW_OP_sum:
  case SW_OP_scatter_rows: return product(p[0], sums_batch(g, n));
  case SW_OP_pad: return n->attrs.value == 0 ? p[0] : common(p[0], 0);
  case SW_OP_sumsq: return product(product(p[0], p[0]), sums_batch(g, n));
  case SW_OP_keep_mask: return 0;
  case SW_OP_batch_norm_grad: /* its first output; the others are sums */
    return p[0] == 0 && p[2] == 0 && p[3] == 0 ? p[1] : NONE;
  case SW_OP_neg:
  case SW_OP_detach:
  case SW_OP_abs:
  case SW_OP_relu:
  case SW_OP_gate:
  case SW_OP_mean:
  case SW_OP_max:
  case SW_OP_reshape:
  case SW_OP_broadcast:
  case SW_OP_transpose:
  case SW_OP_slice:
  case SW_OP_gather_rows:
  case SW_OP_max_pool2d:
  case SW_OP_max_unpool2d:
  case SW_OP_max_repool2d:
  case SW_OP_avg_pool2d:
  case SW_OP_avg_unpool2d:
  case SW_OP_reflect_pad2d:
  case SW_OP_reflect_fold2d: return p[0];
  default:
    for (int k = 0; k < n_in; k++)
      if (has_power(p[k]) ? p[k] != 0 : p[k] == NONE) return NONE;
    return 0;
  }
}

sw_status swi_is_of_mean(const sw_graph *g, const sw_edge *grads, int n_grads, int *answer) {
  size_t size = (size_t)g->n_nodes * sizeof(int);
  int *power = swi_alloc(g->ctx, size);
  if (!power) return SW_ENOMEM;
  for (int32_t i = 0; i < g->n_nodes; i++) power[i] = power_of_node(g, &g->nodes[i], power);
  *answer = 1;
  for (int i = 0; i < n_grads; i++)
    if (grads[i].node >= 0 && power[grads[i].node] != ANY && power[grads[i].node] != 0) *answer = 0;
  swi_free(g->ctx, power, size);
  return SW_OK;
}
