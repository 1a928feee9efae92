/* node.c: the graph's list of nodes: adding new ones, finding equal ones.
 *
 * Equal nodes are found by a hash table of node numbers. A node that fails its shape rule, or for
 * which there is no memory, leaves the graph as it was.
 */
#include <string.h>

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "graph/op_int.h"

/* ------------------------------------------------------------------ life */

sw_status sw_graph_new(sw_context *ctx, sw_graph **out) {
  sw_graph *g = swi_alloc_zeroed(ctx, sizeof *g);
  if (!g) return SW_ENOMEM;
  g->ctx = sw_context_retain(ctx);
  g->references = 1;
  *out = g;
  return SW_OK;
}

sw_graph *sw_graph_retain(sw_graph *g) {
  g->references++;
  return g;
}

void sw_graph_release(sw_graph *g) {
  if (!g || --g->references > 0) return;
  sw_context *ctx = g->ctx;
  for (int i = 0; i < g->n_constants; i++) sw_tensor_free(g->constants[i]);
  swi_free(ctx, g->constants, (size_t)g->cap_constants * sizeof *g->constants);
  swi_free(ctx, g->labels, (size_t)g->n_labels * sizeof *g->labels);
  swi_free(ctx, g->nodes, (size_t)g->cap_nodes * sizeof *g->nodes);
  swi_free(ctx, g->table, (size_t)g->cap_table * sizeof *g->table);
  swi_free(ctx, g, sizeof *g);
  sw_context_release(ctx);
}

int sw_graph_size(const sw_graph *g) { return g->n_nodes; }
const swi_node *swi_node_of(const sw_graph *g, sw_edge e) { return &g->nodes[e.node]; }
const sw_type *sw_graph_type(const sw_graph *g, sw_edge e) { return &g->nodes[e.node].type[e.out]; }

/* ------------------------------------------------------------------ equal nodes */

static int nodes_equal(const swi_node *a, const swi_node *b) {
  if (a->op != b->op) return 0;
  for (int i = 0; i < swi_op(a->op)->n_in; i++)
    if (a->in[i].node != b->in[i].node || a->in[i].out != b->in[i].out) return 0;
  /* leaves of one place but of two shapes are different nodes */
  return swi_attrs_equal(&a->attrs, &b->attrs) && swi_type_same_shape(&a->type[0], &b->type[0]) &&
         a->type[0].kind == b->type[0].kind;
}

static uint32_t node_hash(const swi_node *n) {
  uint64_t h = (swi_attrs_hash(&n->attrs) ^ (uint64_t)n->op) * 1099511628211u;
  for (int i = 0; i < swi_op(n->op)->n_in; i++)
    h = (h ^ (uint64_t)(uint32_t)n->in[i].node * 2u ^ (uint64_t)(uint32_t)n->in[i].out) *
        1099511628211u;
  return (uint32_t)(h ^ h >> 32);
}

/* The table's slot for n: it holds an equal node, or is empty. */
static int32_t *find_place(const sw_graph *g, const swi_node *n) {
  uint32_t mask = (uint32_t)g->cap_table - 1;
  uint32_t i = node_hash(n) & mask;
  while (g->table[i] != 0 && !nodes_equal(&g->nodes[g->table[i] - 1], n)) i = (i + 1) & mask;
  return &g->table[i];
}

static sw_status grow_table(sw_graph *g) {
  int32_t old_cap = g->cap_table;
  int32_t *old = g->table;
  int32_t cap = old_cap ? 2 * old_cap : 64;
  int32_t *table = swi_alloc_zeroed(g->ctx, (size_t)cap * sizeof *table);
  if (!table) return SW_ENOMEM;
  g->table = table;
  g->cap_table = cap;
  for (int32_t i = 0; i < g->n_nodes; i++) *find_place(g, &g->nodes[i]) = i + 1;
  swi_free(g->ctx, old, (size_t)old_cap * sizeof *old);
  return SW_OK;
}

static sw_status make_room(sw_graph *g) {
  if (g->n_nodes == g->cap_nodes) {
    int32_t cap = g->cap_nodes ? 2 * g->cap_nodes : 32;
    void *p = swi_realloc(g->ctx, g->nodes, (size_t)g->cap_nodes * sizeof *g->nodes,
                          (size_t)cap * sizeof *g->nodes);
    if (!p) return SW_ENOMEM;
    g->nodes = p;
    g->cap_nodes = cap;
  }
  if (2 * (g->n_nodes + 1) > g->cap_table) return grow_table(g);
  return SW_OK;
}

sw_status swi_add_node(sw_graph *g, const swi_node *n, int32_t *number) {
  SW_TRY(make_room(g));
  int32_t *place = find_place(g, n);
  if (*place == 0) {
    g->nodes[g->n_nodes] = *n;
    g->nodes[g->n_nodes].label = g->label;
    *place = ++g->n_nodes;
  }
  *number = *place - 1;
  return SW_OK;
}

/* ------------------------------------------------------------------ ops */

static sw_status check_kinds(sw_context *ctx, sw_op op, const sw_type *const *in, int n_in) {
  if (swi_op(op)->flags & SWI_INDEX) return SW_OK; /* its shape rule checks them */
  for (int i = 0; i < n_in; i++)
    if (in[i]->kind != SW_REAL)
      return sw_fail(ctx, SW_EDTYPE, "%s: expected real numbers, got indices (cast them first)",
                     sw_op_name(op));
  return SW_OK;
}

sw_status swi_check_attrs(sw_context *ctx, sw_op op, const sw_attrs *attrs) {
  const char *unread = swi_attrs_unread(attrs, swi_op(op)->attrs);
  if (unread)
    return sw_fail(ctx, SW_EARG, "%s: does not read the attribute %s", sw_op_name(op), unread);
  if (attrs->ndim < 0 || attrs->ndim > SW_MAX_DIMS)
    return sw_fail(ctx, SW_ERANGE, "%s: at most %d axes, got %d", sw_op_name(op), SW_MAX_DIMS,
                   attrs->ndim);
  return SW_OK;
}

sw_status swi_infer(sw_context *ctx, sw_op op, const sw_type *const *in, int n_in, sw_attrs *attrs,
                    sw_type *out) {
  const swi_op_row *row = swi_op(op);
  swi_shape_args a = {.ctx = ctx, .op = sw_op_name(op), .attrs = attrs};
  if (row->flags & SWI_LEAF)
    return sw_fail(ctx, SW_EARG, "apply cannot make the leaf %s; use sw_graph_%s", a.op, a.op);
  if (n_in != row->n_in)
    return sw_fail(ctx, SW_EARG, "%s: expected %d inputs, got %d", a.op, row->n_in, n_in);
  for (int i = 0; i < n_in; i++) a.in[i] = in[i];
  SW_TRY(check_kinds(ctx, op, in, n_in));
  SW_TRY(row->shape(&a));
  for (int i = 0; i < row->n_out; i++) {
    SW_TRY(swi_type_check(ctx, a.op, &a.out[i]));
    out[i] = a.out[i];
  }
  return SW_OK;
}

static sw_status check_edges(const sw_graph *g, sw_op op, const sw_edge *in, int n_in) {
  if (op < 0 || op >= SW_OP_COUNT) return sw_fail(g->ctx, SW_EARG, "apply: there is no such op");
  for (int i = 0; i < n_in; i++)
    if (in[i].node < 0 || in[i].node >= g->n_nodes || in[i].out < 0 ||
        in[i].out >= swi_op(g->nodes[in[i].node].op)->n_out)
      return sw_fail(g->ctx, SW_EARG, "%s: input %d is not an edge of this graph", sw_op_name(op),
                     i + 1);
  return SW_OK;
}

sw_status sw_graph_apply(sw_graph *g, sw_op op, const sw_edge *in, int n_in, const sw_attrs *attrs,
                         sw_edge *out) {
  swi_node n = {.op = op};
  const sw_type *types[SW_MAX_INPUTS] = {0};
  sw_edge same = SW_NO_EDGE;
  int32_t number;
  SW_TRY(check_edges(g, op, in, n_in));
  const swi_op_row *row = swi_op(op);
  if (attrs) {
    SW_TRY(swi_check_attrs(g->ctx, op, attrs));
    n.attrs = *attrs;
  }
  for (int i = 0; i < n_in && i < SW_MAX_INPUTS; i++) {
    n.in[i] = in[i];
    types[i] = sw_graph_type(g, in[i]);
  }
  SW_TRY(swi_infer(g->ctx, op, types, n_in, &n.attrs, n.type));
  if (row->flags & SWI_RANDOM) n.attrs.stream = g->n_random++; /* equal to no other */
  if (row->identity) SW_TRY(row->identity(g, &n, &same));
  if (same.node >= 0) {
    out[0] = same;
    return SW_OK;
  }
  SW_TRY(swi_add_node(g, &n, &number));
  for (int i = 0; i < row->n_out; i++) out[i] = (sw_edge){number, i};
  return SW_OK;
}

void swi_mark_needed(const sw_graph *g, const sw_edge *outputs, int n_outputs,
                     unsigned char *needed) {
  for (int i = 0; i < n_outputs; i++)
    if (outputs[i].node >= 0) needed[outputs[i].node] = 1;
  swi_mark_inputs(g, needed);
}

void swi_mark_inputs(const sw_graph *g, unsigned char *needed) {
  for (int32_t i = g->n_nodes - 1; i >= 0; i--)
    for (int k = 0; needed[i] && k < swi_op(g->nodes[i].op)->n_in; k++)
      needed[g->nodes[i].in[k].node] = 1;
}
