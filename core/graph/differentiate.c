/* differentiate.c: reverse mode, as a transformation of the graph.
 *
 * Nodes are visited backwards from the result. A node on a path to a requested input passes its
 * cotangents to its inputs by the rule of its op. Nodes come after their inputs, so one sweep is
 * enough. Nodes that the rules build beyond what is requested are dropped when a program is
 * compiled.
 */
#include <string.h>

#include "base/alloc_int.h"
#include "graph/build_int.h"

typedef struct sweep {
  sw_graph *g;
  int32_t n;           /* nodes 0 … n-1 existed before */
  unsigned char *path; /* whether a node depends on a requested input */
  sw_edge (*cotangent)[SW_MAX_OUTPUTS];
} sweep;

static sw_status sweep_new(sw_graph *g, int32_t n, sweep *s) {
  *s = (sweep){.g = g, .n = n};
  s->path = swi_alloc_zeroed(g->ctx, (size_t)n);
  s->cotangent = swi_alloc(g->ctx, (size_t)n * sizeof *s->cotangent);
  if (!s->path || !s->cotangent) return SW_ENOMEM;
  for (int32_t i = 0; i < n; i++)
    for (int o = 0; o < SW_MAX_OUTPUTS; o++) s->cotangent[i][o] = SW_NO_EDGE;
  return SW_OK;
}

static void sweep_free(sweep *s) {
  swi_free(s->g->ctx, s->path, (size_t)s->n);
  swi_free(s->g->ctx, s->cotangent, (size_t)s->n * sizeof *s->cotangent);
}

static void mark_paths(sweep *s, const sw_edge *wrt, int n_wrt) {
  for (int i = 0; i < n_wrt; i++)
    if (wrt[i].node < s->n) s->path[wrt[i].node] = 1;
  for (int32_t i = 0; i < s->n; i++) {
    const swi_node *node = &s->g->nodes[i];
    if (!swi_op(node->op)->vjp) continue; /* no cotangent passes */
    for (int k = 0; k < swi_op(node->op)->n_in; k++) s->path[i] |= s->path[node->in[k].node];
  }
}

static void receive(sweep *s, sw_edge to, sw_edge cotangent) {
  if (cotangent.node < 0 || !s->path[to.node]) return;
  sw_edge *slot = &s->cotangent[to.node][to.out];
  *slot = slot->node < 0 ? cotangent : swi_add(s->g, *slot, cotangent);
}

static void visit(sweep *s, int32_t i) {
  swi_node node = s->g->nodes[i]; /* a copy: the list moves when it grows */
  const swi_op_row *row = swi_op(node.op);
  swi_vjp_args v = {.attrs = &node.attrs};
  int any = 0;
  for (int k = 0; k < SW_MAX_INPUTS; k++) v.grad[k] = SW_NO_EDGE;
  for (int o = 0; o < SW_MAX_OUTPUTS; o++) {
    v.out[o] = (sw_edge){i, o};
    v.cotangent[o] = s->cotangent[i][o];
    any |= v.cotangent[o].node >= 0;
  }
  if (!any || !s->path[i] || !row->vjp) return;
  memcpy(v.in, node.in, sizeof v.in);
  s->g->label = node.label;
  row->vjp(s->g, &v);
  for (int k = 0; k < row->n_in; k++) receive(s, node.in[k], v.grad[k]);
}

static sw_status check_result(sw_graph *g, sw_edge of, sw_edge seed) {
  char text[120], seed_text[120];
  const sw_type *t = sw_graph_type(g, of);
  if (seed.node >= 0 && !swi_type_same_shape(t, sw_graph_type(g, seed)))
    return sw_fail(g->ctx, SW_ESHAPE, "gradient: the seed has shape %s, expected %s",
                   sw_type_text(sw_graph_type(g, seed), seed_text, sizeof seed_text),
                   sw_type_text(t, text, sizeof text));
  if (seed.node < 0 && (t->ndim != 0 || t->kind != SW_REAL))
    return sw_fail(g->ctx, SW_ESHAPE, "gradient: needs a scalar, got %s (take its mean or its sum)",
                   sw_type_text(t, text, sizeof text));
  return SW_OK;
}

sw_status sw_graph_gradient(sw_graph *g, sw_edge of, sw_edge seed, const sw_edge *wrt, int n_wrt,
                            sw_edge *grads) {
  sweep s;
  SW_TRY(check_result(g, of, seed));
  int32_t label = g->label;
  sw_status st = sweep_new(g, of.node + 1, &s);
  if (st == SW_OK) {
    mark_paths(&s, wrt, n_wrt);
    s.cotangent[of.node][of.out] = seed.node >= 0 ? seed : swi_fill(g, 1);
    for (int32_t i = of.node; i >= 0 && g->build_status == SW_OK; i--) visit(&s, i);
    st = swi_build_status(g);
  }
  for (int i = 0; i < n_wrt && st == SW_OK; i++)
    grads[i] = wrt[i].node < s.n ? s.cotangent[wrt[i].node][wrt[i].out] : SW_NO_EDGE;
  g->label = label;
  sweep_free(&s);
  return st;
}
