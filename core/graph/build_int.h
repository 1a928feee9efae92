/* build_int.h: ops as functions of edges, for rules that are written in ops.
 *
 * The builder remembers its first error in the graph, so that calls may nest and are checked once,
 * at the end. If an input is none, so is the result: a missing cotangent passes through.
 */
#ifndef SW_BUILD_INT_H
#define SW_BUILD_INT_H

#include "graph/op_int.h"

sw_edge swi_build(sw_graph *g, sw_op op, sw_edge a, sw_edge b, sw_edge c, const sw_attrs *attrs);
/* Of any number of inputs; the other outputs are (node of the result, 1), (…, 2). */
sw_edge swi_build_from(sw_graph *g, sw_op op, const sw_edge *in, const sw_attrs *attrs);
/* The first error since the last call, which also ends it. */
sw_status swi_build_status(sw_graph *g);

sw_edge swi_build_unary(sw_graph *g, sw_op op, sw_edge x);
sw_edge swi_build_binary(sw_graph *g, sw_op op, sw_edge a, sw_edge b);
sw_edge swi_fill(sw_graph *g, double value);
sw_edge swi_neg(sw_graph *g, sw_edge x);
sw_edge swi_scale(sw_graph *g, sw_edge x, double factor, int batch_power);
sw_edge swi_add(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_sub(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_mul(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_div(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_eq(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_gate(sw_graph *g, sw_edge a, sw_edge b);
sw_edge swi_where(sw_graph *g, sw_edge mask, sw_edge a, sw_edge b);
sw_edge swi_matmul(sw_graph *g, sw_edge a, int transpose_a, sw_edge b, int transpose_b);
sw_edge swi_bmm(sw_graph *g, sw_edge a, int transpose_a, sw_edge b, int transpose_b);
sw_edge swi_sum(sw_graph *g, sw_edge x, uint32_t axes, int keepdim);
sw_edge swi_mean(sw_graph *g, sw_edge x, uint32_t axes, int keepdim);
sw_edge swi_sumsq(sw_graph *g, sw_edge x, uint32_t axes, int keepdim);
sw_edge swi_slice(sw_graph *g, sw_edge x, uint32_t axes, int64_t first, int64_t n);
sw_edge swi_reshape(sw_graph *g, sw_edge x, int ndim, const sw_dim *dim);
sw_edge swi_reshape_like(sw_graph *g, sw_edge x, sw_edge like);
sw_edge swi_broadcast_like(sw_graph *g, sw_edge x, sw_edge like);
/* Axis i of the result is axis perm[i] of x. */
sw_edge swi_transpose(sw_graph *g, sw_edge x, const int *perm, int ndim);
sw_edge swi_one_hot(sw_graph *g, sw_edge labels, int64_t classes);

/* Undoes broadcasting: sums x over the axes in which `like` was broadcast, and gives it like's
 * shape. */
sw_edge swi_sum_to(sw_graph *g, sw_edge x, sw_edge like);
/* x as a reduction over axes left it (with or without keepdim), broadcast to like's shape again. */
sw_edge swi_unreduce(sw_graph *g, sw_edge x, sw_edge like, uint32_t axes);

/* An op on windows, with the fields of window that it reads; b: none for an op of one input. */
sw_edge swi_windowed(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const sw_window *window);

#endif
