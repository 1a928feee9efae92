/* op_leaf.c: what has no inputs: a run's inputs, params, and constants. */
#include <string.h>

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "graph/batch_power_int.h"
#include "graph/op_int.h"

static sw_status add_leaf(sw_graph *g, swi_node *leaf, sw_edge *out) {
  int32_t number;
  SW_TRY(swi_type_check(g->ctx, sw_op_name(leaf->op), &leaf->type[0]));
  SW_TRY(swi_add_node(g, leaf, &number));
  *out = (sw_edge){number, 0};
  return SW_OK;
}

static sw_status check_slot(const sw_graph *g, const char *what, int slot) {
  if (slot >= 0 && slot < SW_MAX_SLOTS) return SW_OK;
  return sw_fail(g->ctx, SW_ERANGE, "%s must be from 1 to %d, got %d", what, SW_MAX_SLOTS,
                 slot + 1);
}

sw_status sw_graph_input(sw_graph *g, int slot, sw_kind kind, int ndim, const sw_dim *dim,
                         sw_edge *out) {
  swi_node leaf = {.op = SW_OP_input};
  SW_TRY(check_slot(g, "input: slot", slot));
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
  SW_TRY(check_slot(g, "param: vector", slot));
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

int swi_is_fill(const swi_node *n, double *value) {
  *value = n->attrs.value;
  return n->op == SW_OP_fill;
}

int swi_is_weights(const swi_node *n) { return n->op == SW_OP_param && n->attrs.slot == 0; }

/* ------------------------------------------------------------------ rows */

/* A zero is proportional to any power. */
static int fill_power(const swi_power_args *a) {
  return a->node->attrs.value == 0 ? SWI_POWER_ANY : 0;
}

const swi_op_row swi_row_input = {
    .n_out = 1, .flags = SWI_LEAF, .attrs = SW_ATTR_SLOT, .power = swi_power_zero};

const swi_op_row swi_row_param = {.n_out = 1,
                                  .flags = SWI_LEAF,
                                  .attrs = SW_ATTR_VECTOR | SW_ATTR_FIRST,
                                  .power = swi_power_zero};

const swi_op_row swi_row_constant = {
    .n_out = 1, .flags = SWI_LEAF, .attrs = SW_ATTR_SLOT, .power = swi_power_zero};

const swi_op_row swi_row_fill = {
    .n_out = 1, .flags = SWI_LEAF, .attrs = SW_ATTR_VALUE, .value_word = "", .power = fill_power};
