/* batch_power.c: powers of the batch size, followed through the graph by the rows of its ops. */
#include "graph/batch_power_int.h"

#include "base/alloc_int.h"

static int is_known(int p) { return p != SWI_POWER_ANY && p != SWI_POWER_NONE; }

int swi_power_common(int a, int b) {
  if (a == SWI_POWER_ANY || a == b) return b;
  return b == SWI_POWER_ANY ? a : SWI_POWER_NONE;
}

int swi_power_product(int a, int b) {
  if (a == SWI_POWER_NONE || b == SWI_POWER_NONE) return SWI_POWER_NONE;
  return is_known(a) && is_known(b) ? a + b : SWI_POWER_ANY;
}

int swi_power_of_first(const swi_power_args *a) { return a->in[0]; }
int swi_power_of_sum(const swi_power_args *a) { return swi_power_common(a->in[0], a->in[1]); }
int swi_power_of_product(const swi_power_args *a) { return swi_power_product(a->in[0], a->in[1]); }

int swi_power_zero(const swi_power_args *a) {
  int all = 0;
  for (int k = 0; k < swi_op(a->node->op)->n_in; k++) all = swi_power_common(all, a->in[k]);
  return all;
}

sw_status swi_is_of_mean(const sw_graph *g, const sw_edge *grads, int n_grads, int *answer) {
  size_t size = (size_t)g->n_nodes * sizeof(int);
  int *power = swi_alloc(g->ctx, size);
  if (!power) return SW_ENOMEM;
  for (int32_t i = 0; i < g->n_nodes; i++) {
    const swi_node *n = &g->nodes[i];
    swi_power_args a = {.g = g, .node = n};
    for (int k = 0; k < swi_op(n->op)->n_in; k++) a.in[k] = power[n->in[k].node];
    power[i] = swi_op(n->op)->power(&a);
  }
  *answer = 1;
  for (int i = 0; i < n_grads; i++)
    if (grads[i].node >= 0 && power[grads[i].node] != SWI_POWER_ANY && power[grads[i].node] != 0)
      *answer = 0;
  swi_free(g->ctx, power, size);
  return SW_OK;
}
