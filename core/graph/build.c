/* build.c: ops as functions of edges. */
#include "graph/build_int.h"

#include <string.h>

sw_edge swi_build_from(sw_graph *g, sw_op op, const sw_edge *in, const sw_attrs *attrs) {
  sw_edge out[SW_MAX_OUTPUTS];
  int n_in = swi_op(op)->n_in;
  if (g->build_status != SW_OK) return SW_NO_EDGE;
  for (int i = 0; i < n_in; i++)
    if (in[i].node < 0) return SW_NO_EDGE;
  g->build_status = sw_graph_apply(g, op, in, n_in, attrs, out);
  return g->build_status == SW_OK ? out[0] : SW_NO_EDGE;
}

sw_edge swi_build(sw_graph *g, sw_op op, sw_edge a, sw_edge b, sw_edge c, const sw_attrs *attrs) {
  sw_edge in[SW_MAX_INPUTS] = {a, b, c};
  for (int i = 3; i < SW_MAX_INPUTS; i++) in[i] = SW_NO_EDGE;
  return swi_build_from(g, op, in, attrs);
}

sw_status swi_build_status(sw_graph *g) {
  sw_status st = g->build_status;
  g->build_status = SW_OK;
  return st;
}

static sw_edge with_attrs(sw_graph *g, sw_op op, sw_edge x, const sw_attrs *attrs) {
  return swi_build(g, op, x, SW_NO_EDGE, SW_NO_EDGE, attrs);
}

sw_edge swi_build_unary(sw_graph *g, sw_op op, sw_edge x) { return with_attrs(g, op, x, NULL); }

sw_edge swi_build_binary(sw_graph *g, sw_op op, sw_edge a, sw_edge b) {
  return swi_build(g, op, a, b, SW_NO_EDGE, NULL);
}

sw_edge swi_fill(sw_graph *g, double value) {
  sw_edge out = SW_NO_EDGE;
  if (g->build_status == SW_OK) g->build_status = sw_graph_fill(g, value, &out);
  return out;
}

sw_edge swi_neg(sw_graph *g, sw_edge x) { return swi_build_unary(g, SW_OP_neg, x); }
sw_edge swi_add(sw_graph *g, sw_edge a, sw_edge b) { return swi_build_binary(g, SW_OP_add, a, b); }
sw_edge swi_sub(sw_graph *g, sw_edge a, sw_edge b) { return swi_build_binary(g, SW_OP_sub, a, b); }
sw_edge swi_mul(sw_graph *g, sw_edge a, sw_edge b) { return swi_build_binary(g, SW_OP_mul, a, b); }
sw_edge swi_div(sw_graph *g, sw_edge a, sw_edge b) { return swi_build_binary(g, SW_OP_div, a, b); }
sw_edge swi_eq(sw_graph *g, sw_edge a, sw_edge b) { return swi_build_binary(g, SW_OP_eq, a, b); }
sw_edge swi_gate(sw_graph *g, sw_edge a, sw_edge b) {
  return swi_build_binary(g, SW_OP_gate, a, b);
}

sw_edge swi_where(sw_graph *g, sw_edge mask, sw_edge a, sw_edge b) {
  return swi_build(g, SW_OP_where, mask, a, b, NULL);
}

sw_edge swi_scale(sw_graph *g, sw_edge x, double factor, int batch_power) {
  sw_attrs attrs = {.value = factor, .batch_power = batch_power};
  return with_attrs(g, SW_OP_scale, x, &attrs);
}

sw_edge swi_matmul(sw_graph *g, sw_edge a, int transpose_a, sw_edge b, int transpose_b) {
  sw_attrs attrs = {.transpose_a = transpose_a, .transpose_b = transpose_b};
  return swi_build(g, SW_OP_matmul, a, b, SW_NO_EDGE, &attrs);
}

sw_edge swi_bmm(sw_graph *g, sw_edge a, int transpose_a, sw_edge b, int transpose_b) {
  sw_attrs attrs = {.transpose_a = transpose_a, .transpose_b = transpose_b};
  return swi_build(g, SW_OP_bmm, a, b, SW_NO_EDGE, &attrs);
}

static sw_edge reduce(sw_graph *g, sw_op op, sw_edge x, uint32_t axes, int keepdim) {
  sw_attrs attrs = {.axes = axes, .keepdim = keepdim};
  return axes == 0 && op == SW_OP_sum ? x : with_attrs(g, op, x, &attrs);
}

sw_edge swi_sum(sw_graph *g, sw_edge x, uint32_t axes, int keepdim) {
  return reduce(g, SW_OP_sum, x, axes, keepdim);
}

sw_edge swi_mean(sw_graph *g, sw_edge x, uint32_t axes, int keepdim) {
  return reduce(g, SW_OP_mean, x, axes, keepdim);
}

sw_edge swi_sumsq(sw_graph *g, sw_edge x, uint32_t axes, int keepdim) {
  return reduce(g, SW_OP_sumsq, x, axes, keepdim);
}

sw_edge swi_slice(sw_graph *g, sw_edge x, uint32_t axes, int64_t first, int64_t n) {
  sw_attrs attrs = {.axes = axes, .offset = first, .n = n};
  return with_attrs(g, SW_OP_slice, x, &attrs);
}

sw_edge swi_reshape(sw_graph *g, sw_edge x, int ndim, const sw_dim *dim) {
  sw_attrs attrs = {.ndim = ndim};
  memcpy(attrs.dim, dim, (size_t)ndim * sizeof *dim);
  return with_attrs(g, SW_OP_reshape, x, &attrs);
}

sw_edge swi_reshape_like(sw_graph *g, sw_edge x, sw_edge like) {
  if (x.node < 0) return x;
  sw_type t = *sw_graph_type(g, like);
  return swi_reshape(g, x, t.ndim, t.dim);
}

sw_edge swi_broadcast_like(sw_graph *g, sw_edge x, sw_edge like) {
  const sw_type *t = sw_graph_type(g, like);
  sw_attrs attrs = {.ndim = t->ndim};
  memcpy(attrs.dim, t->dim, sizeof attrs.dim);
  return with_attrs(g, SW_OP_broadcast, x, &attrs);
}

sw_edge swi_transpose(sw_graph *g, sw_edge x, const int *perm, int ndim) {
  sw_attrs attrs = {0};
  int identity = 1; /* then x may be indices, which transpose refuses */
  for (int i = 0; i < ndim; i++) {
    attrs.perm[i] = perm[i];
    identity &= perm[i] == i;
  }
  return identity ? x : with_attrs(g, SW_OP_transpose, x, &attrs);
}

sw_edge swi_one_hot(sw_graph *g, sw_edge labels, int64_t classes) {
  sw_attrs attrs = {.n = classes};
  return with_attrs(g, SW_OP_one_hot, labels, &attrs);
}

sw_edge swi_sum_to(sw_graph *g, sw_edge x, sw_edge like) {
  if (x.node < 0) return x;
  sw_type from = *sw_graph_type(g, x), to = *sw_graph_type(g, like);
  uint32_t axes = 0;
  int lead = from.ndim - to.ndim;
  for (int i = 0; i < from.ndim; i++)
    if (i < lead || !swi_dim_equal(from.dim[i], to.dim[i - lead])) axes |= 1u << i;
  return swi_reshape_like(g, swi_sum(g, x, axes, 0), like);
}

sw_edge swi_unreduce(sw_graph *g, sw_edge x, sw_edge like, uint32_t axes) {
  if (x.node < 0) return x;
  if (sw_graph_type(g, x)->ndim == 0) return swi_broadcast_like(g, x, like);
  sw_type t = *sw_graph_type(g, like);
  for (int i = 0; i < t.ndim; i++)
    if (axes >> i & 1) t.dim[i] = (sw_dim){1, 0};
  return swi_broadcast_like(g, swi_reshape(g, x, t.ndim, t.dim), like);
}

sw_edge swi_windowed(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const sw_window *window) {
  sw_attrs attrs = {.window = swi_window_read(op, window)};
  return swi_build(g, op, a, b, SW_NO_EDGE, &attrs);
}
