/* identity.c: what the rules for identities ask of a graph. */
#include "graph/identity_int.h"

const swi_node *swi_made_by(const sw_graph *g, sw_edge e, sw_op op) {
  const swi_node *n = swi_node_of(g, e);
  return n->op == op ? n : NULL;
}

int swi_has_shape(const sw_graph *g, sw_edge e, const sw_type *t) {
  return swi_type_same_shape(sw_graph_type(g, e), t);
}

sw_status swi_same_if_shaped(sw_graph *g, swi_node *n, sw_edge *same) {
  if (swi_has_shape(g, n->in[0], &n->type[0])) *same = n->in[0];
  return SW_OK;
}
