/* node.c: the graph's list of nodes: leaves, new nodes, and finding equal ones.
 *
 * Equal nodes are found by a hash table of node numbers. A node that fails its shape rule, or for
 * which there is no memory, leaves the graph as it was.
 */
#include <string.h>

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "graph/identity.h"
#include "graph/op_int.h"

#define LEAF SWI_LEAF
#define ALIAS SWI_ALIAS
#define ELEMENTWISE SWI_ELEMENTWISE
#define INDEX SWI_INDEX
#define RANDOM SWI_RANDOM
static const swi_op_row op_table[SW_OP_COUNT] = {
#define ROW(name, n_in, n_out, flags, shape, eval, vjp, scratch, ...) \
  {#name, n_in, n_out, flags, shape, eval, vjp, scratch},
#define OP(...) ROW(__VA_ARGS__, NULL, NULL)
#include "graph/ops.def"
#undef OP
};

const swi_op_row *swi_op(sw_op op) { return &op_table[op]; }

const char *sw_op_name(sw_op op) { return op >= 0 && op < SW_OP_COUNT ? op_table[op].name : "?"; }

sw_op sw_op_find(const char *name) {
  int op = 0;
  while (op < SW_OP_COUNT && strcmp(op_table[op].name, name) != 0) op++;
  return (sw_op)op;
}

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

sw_context *sw_graph_context(const sw_graph *g) { return g->ctx; }
int sw_graph_size(const sw_graph *g) { return g->n_nodes; }
const swi_node *swi_node_of(const sw_graph *g, sw_edge e) { return &g->nodes[e.node]; }
const sw_type *sw_graph_type(const sw_graph *g, sw_edge e) { return &g->nodes[e.node].type[e.out]; }

/* ------------------------------------------------------------------ equal nodes */

/* Values are compared by bits: 0.0 and -0.0 are different constants, and a NaN equals itself. */
static uint64_t value_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static int attrs_equal(const sw_attrs *a, const sw_attrs *b) {
  if (a->axes != b->axes || a->keepdim != b->keepdim || a->transpose_a != b->transpose_a ||
      a->transpose_b != b->transpose_b || a->ndim != b->ndim || a->batch_power != b->batch_power ||
      a->n != b->n || a->offset != b->offset || a->slot != b->slot)
    return 0;
  if (value_bits(a->value) != value_bits(b->value)) return 0;
  for (int i = 0; i < a->ndim; i++)
    if (!swi_dim_equal(a->dim[i], b->dim[i])) return 0;
  return memcmp(a->perm, b->perm, sizeof a->perm) == 0 &&
         memcmp(&a->window, &b->window, sizeof a->window) == 0;
}

static int nodes_equal(const swi_node *a, const swi_node *b) {
  if (a->op != b->op) return 0;
  for (int i = 0; i < op_table[a->op].n_in; i++)
    if (a->in[i].node != b->in[i].node || a->in[i].out != b->in[i].out) return 0;
  /* two leaves of one place but of two shapes are two nodes */
  return attrs_equal(&a->attrs, &b->attrs) && swi_type_same_shape(&a->type[0], &b->type[0]) &&
         a->type[0].kind == b->type[0].kind;
}

static uint32_t node_hash(const swi_node *n) {
  uint64_t h = 1469598103934665603u;
  const uint64_t parts[] = {(uint64_t)n->op,
                            n->attrs.axes,
                            (uint64_t)n->attrs.offset,
                            (uint64_t)n->attrs.slot,
                            value_bits(n->attrs.value),
                            (uint64_t)n->attrs.n};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) h = (h ^ parts[i]) * 1099511628211u;
  for (int i = 0; i < op_table[n->op].n_in; i++)
    h = (h ^ (uint64_t)(uint32_t)n->in[i].node * 2u ^ (uint64_t)(uint32_t)n->in[i].out) *
        1099511628211u;
  return (uint32_t)(h ^ h >> 32);
}

/* The table's place for n: holds its equal, or is empty. */
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

static sw_status add_node(sw_graph *g, const swi_node *n, int32_t *number) {
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

/* ------------------------------------------------------------------ leaves */

static sw_status add_leaf(sw_graph *g, swi_node *leaf, sw_edge *out) {
  int32_t number;
  SW_TRY(swi_type_check(g->ctx, op_table[leaf->op].name, &leaf->type[0]));
  SW_TRY(add_node(g, leaf, &number));
  *out = (sw_edge){number, 0};
  return SW_OK;
}

sw_status sw_graph_input(sw_graph *g, int slot, sw_kind kind, int ndim, const sw_dim *dim,
                         sw_edge *out) {
  swi_node leaf = {.op = SW_OP_input};
  if (slot < 0 || slot > 15)
    return sw_fail(g->ctx, SW_ERANGE, "input: slot must be from 1 to 16, got %d", slot + 1);
  if (ndim < 0 || ndim > SW_MAX_DIMS)
    return sw_fail(g->ctx, SW_ERANGE, "input: at most %d axes, got %d", SW_MAX_DIMS, ndim);
  leaf.attrs.slot = slot;
  leaf.type[0] = (sw_type){.kind = kind, .ndim = ndim, .dependence = SW_CONSTANT};
  for (int i = 0; i < ndim; i++) {
    if (dim[i].n < 0)
      return sw_fail(g->ctx, SW_ERANGE, "input: axis %d has a negative size", i + 1);
    leaf.type[0].dim[i] = dim[i];
  }
  if (sw_type_batch_axis(&leaf.type[0]) >= 0) leaf.type[0].dependence = SW_BY_EXAMPLE;
  return add_leaf(g, &leaf, out);
}

static sw_status leaf_shape(sw_graph *g, const sw_shape *shape, sw_type *type) {
  int64_t numel;
  SW_TRY(sw_shape_numel(g->ctx, shape, &numel));
  *type = (sw_type){.kind = SW_REAL, .ndim = shape->ndim, .dependence = SW_CONSTANT};
  for (int i = 0; i < shape->ndim; i++) type->dim[i].n = shape->dim[i];
  return SW_OK;
}

sw_status sw_graph_param(sw_graph *g, int slot, int64_t offset, const sw_shape *shape,
                         sw_edge *out) {
  swi_node leaf = {.op = SW_OP_param};
  if (slot < 0 || slot > 15)
    return sw_fail(g->ctx, SW_ERANGE, "param: vector must be from 1 to 16, got %d", slot + 1);
  if (offset < 0)
    return sw_fail(g->ctx, SW_ERANGE, "param: its first element must be at 1 or later");
  SW_TRY(leaf_shape(g, shape, &leaf.type[0]));
  leaf.attrs.slot = slot;
  leaf.attrs.offset = offset;
  return add_leaf(g, &leaf, out);
}

sw_status sw_graph_fill(sw_graph *g, double value, sw_edge *out) {
  swi_node leaf = {.op = SW_OP_fill};
  leaf.attrs.value = value;
  leaf.type[0] = (sw_type){.kind = SW_REAL, .ndim = 0, .dependence = SW_CONSTANT};
  return add_leaf(g, &leaf, out);
}

static sw_status keep_constant(sw_graph *g, const sw_tensor *t) {
  if (g->n_constants == g->cap_constants) {
    int cap = g->cap_constants ? 2 * g->cap_constants : 8;
    void *p = swi_realloc(g->ctx, g->constants, (size_t)g->cap_constants * sizeof *g->constants,
                          (size_t)cap * sizeof *g->constants);
    if (!p) return SW_ENOMEM;
    g->constants = p;
    g->cap_constants = cap;
  }
  SW_TRY(sw_tensor_clone(t, &g->constants[g->n_constants]));
  g->n_constants++;
  return SW_OK;
}

sw_status sw_graph_constant(sw_graph *g, const sw_tensor *t, sw_edge *out) {
  swi_node leaf = {.op = SW_OP_constant};
  SW_TRY(leaf_shape(g, sw_tensor_shape(t), &leaf.type[0]));
  sw_dtype dtype = sw_tensor_dtype(t);
  leaf.type[0].kind = dtype == SW_I32 || dtype == SW_U8 ? SW_INDEX : SW_REAL;
  SW_TRY(keep_constant(g, t));
  leaf.attrs.slot = g->n_constants - 1;
  return add_leaf(g, &leaf, out);
}

/* ------------------------------------------------------------------ ops */

static sw_status check_kinds(sw_context *ctx, const swi_op_row *row, const sw_type *const *in) {
  if (row->flags & SWI_INDEX) return SW_OK; /* its shape rule looks at them */
  for (int i = 0; i < row->n_in; i++)
    if (in[i]->kind != SW_REAL)
      return sw_fail(ctx, SW_EDTYPE,
                     "%s: expected real numbers, got indices (convert them with :cast())",
                     row->name);
  return SW_OK;
}

sw_status swi_infer(sw_context *ctx, sw_op op, const sw_type *const *in, int n_in, sw_attrs *attrs,
                    sw_type *out) {
  const swi_op_row *row = swi_op(op);
  swi_shape_args a = {.ctx = ctx, .op = row->name, .attrs = attrs};
  if (row->flags & SWI_LEAF)
    return sw_fail(ctx, SW_EARG, "%s: leaves have functions of their own", row->name);
  if (n_in != row->n_in)
    return sw_fail(ctx, SW_EARG, "%s: expected %d inputs, got %d", row->name, row->n_in, n_in);
  if (attrs->ndim < 0 || attrs->ndim > SW_MAX_DIMS)
    return sw_fail(ctx, SW_ERANGE, "%s: at most %d axes, got %d", row->name, SW_MAX_DIMS,
                   attrs->ndim);
  for (int i = 0; i < n_in; i++) a.in[i] = in[i];
  SW_TRY(check_kinds(ctx, row, in));
  SW_TRY(row->shape(&a));
  for (int i = 0; i < row->n_out; i++) {
    SW_TRY(swi_type_check(ctx, row->name, &a.out[i]));
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
  const sw_type *types[SWI_MAX_IN] = {0};
  int32_t number;
  int found;
  SW_TRY(check_edges(g, op, in, n_in));
  if (attrs) n.attrs = *attrs;
  for (int i = 0; i < n_in && i < SWI_MAX_IN; i++) {
    n.in[i] = in[i];
    types[i] = sw_graph_type(g, in[i]);
  }
  SW_TRY(swi_infer(g->ctx, op, types, n_in, &n.attrs, n.type));
  if (swi_op(op)->flags & SWI_RANDOM) n.attrs.slot = g->n_random++; /* equal to no other */
  SW_TRY(swi_identity(g, &n, out, &found));
  if (found) return SW_OK;
  SW_TRY(add_node(g, &n, &number));
  for (int i = 0; i < swi_op(op)->n_out; i++) out[i] = (sw_edge){number, i};
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
