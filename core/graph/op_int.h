/* op_int.h: what the op table's functions are given, and the graph's fields, for core/graph's own
 * files. */
#ifndef SW_OP_INT_H
#define SW_OP_INT_H

#include "graph/graph.h"
#include "kernels/gemm_int.h"
#include "kernels/kernels_int.h"

enum { SWI_LABEL = 80 }; /* room for a label */

enum { SWI_MAX_IN = 7, SWI_MAX_OUT = 3 };

static const double SWI_MOST_ELEMENTS = 0x1p46; /* of one node: as of one tensor */

enum { SWI_LEAF = 1, SWI_ALIAS = 2, SWI_ELEMENTWISE = 4, SWI_INDEX = 8, SWI_RANDOM = 16 };

/* A shape rule fills out[] from in[]; it may complete attrs (a reshape's -1). */
typedef struct swi_shape_args {
  sw_context *ctx;
  const char *op;
  const sw_type *in[SWI_MAX_IN];
  sw_attrs *attrs;
  sw_type out[SWI_MAX_OUT];
} swi_shape_args;

/* Where a run's random numbers stand, see sw_run. */
typedef struct swi_draws {
  uint64_t seed;
  int64_t step, first_example;
} swi_draws;

/* An evaluation reads contiguous in[] and writes contiguous out[]. */
typedef struct swi_eval_args {
  sw_context *ctx;
  sw_op op;
  const swi_kernels *k; /* of the program's float type */
  const sw_attrs *attrs;
  int64_t batch;
  const void *in[SWI_MAX_IN];
  void *out[SWI_MAX_OUT];
  sw_shape in_shape[SWI_MAX_IN], out_shape[SWI_MAX_OUT];
  int out_bytes;    /* of an element of out[0]: indices are int32 whatever the float type is */
  const void *bias; /* the epilogue of a product or convolution, fused by the compiler */
  swi_activation activation;
  const swi_draws *draws; /* NULL: on tensors */
  int out_by_example;     /* whether out[0] has the batch axis */
  void *scratch;          /* as much as the row's scratch says; NULL if that is 0 */
} swi_eval_args;

/* A rule for cotangents: cotangent[] of the outputs (each may be none) gives grad[] of the inputs,
 * which start as none. All of them edges of g. Errors stay in the graph's builder and are looked at
 * by the caller. */
typedef struct swi_vjp_args {
  const sw_attrs *attrs;
  sw_edge in[SWI_MAX_IN], out[SWI_MAX_OUT], cotangent[SWI_MAX_OUT];
  sw_edge grad[SWI_MAX_IN];
} swi_vjp_args;

typedef struct swi_op_row {
  const char *name;
  int n_in, n_out, flags;
  sw_status (*shape)(swi_shape_args *a);
  sw_status (*eval)(const swi_eval_args *e);
  void (*vjp)(sw_graph *g, swi_vjp_args *v);
  int64_t (*scratch)(const swi_eval_args *e);
} swi_op_row;

const swi_op_row *swi_op(sw_op op);

typedef struct swi_node {
  sw_op op;
  sw_edge in[SWI_MAX_IN];
  sw_type type[SWI_MAX_OUT];
  sw_attrs attrs;
  int32_t label; /* number + 1 of its label; 0: none */
} swi_node;

struct sw_graph {
  sw_context *ctx;
  int64_t references;
  swi_node *nodes;
  int32_t n_nodes, cap_nodes;
  int32_t *table; /* hash table of node numbers + 1, for finding equal nodes */
  int32_t cap_table;
  sw_tensor **constants;
  int n_constants, cap_constants;
  char (*labels)[SWI_LABEL];
  int32_t n_labels, label; /* label: of nodes to come */
  int n_random;            /* nodes with SWI_RANDOM: each one's number is its slot */
  sw_status build_status;  /* the builder's first error, see build.h */
};

const swi_node *swi_node_of(const sw_graph *g, sw_edge e);

/* needed[i] = 1 for every node that the outputs depend on; needed starts as zeros, one a node. */
void swi_mark_needed(const sw_graph *g, const sw_edge *outputs, int n_outputs,
                     unsigned char *needed);

/* The same for nodes that are marked already. One sweep over the graph. */
void swi_mark_inputs(const sw_graph *g, unsigned char *needed);

/* Types. */
int swi_dim_equal(sw_dim a, sw_dim b);
int swi_type_same_shape(const sw_type *a, const sw_type *b);
int64_t swi_dim_size(sw_dim d, int64_t batch);
/* Looks at the indices of an input: SW_ERANGE "what 5 at [2] is outside 0 … 3". */
sw_status swi_check_indices(const swi_eval_args *e, const char *what, int input, int64_t limit);

int64_t swi_numel(const sw_shape *s);    /* of a shape whose elements are known to be countable */
sw_dim swi_type_numel(const sw_type *t); /* INT64_MAX where it overflows */
void swi_type_shape(const sw_type *t, int64_t batch, sw_shape *out);
sw_dependence swi_dependence_max(sw_dependence a, sw_dependence b);
/* Checks that at most one dimension has the batch; SW_ESHAPE with the op's name. */
sw_status swi_type_check(sw_context *ctx, const char *op, const sw_type *t);

/* Runs the shape rule of op; used by graphs and eagerly. */
sw_status swi_infer(sw_context *ctx, sw_op op, const sw_type *const *in, int n_in, sw_attrs *attrs,
                    sw_type *out);

/* Windows over images. complete: a stride, dilation or groups of 0 become 1, and all is checked but
 * the size (SW_ERANGE). out: how many places the window has, in both directions; SW_ESHAPE if there
 * are none. */
sw_status swi_window_complete(sw_context *ctx, const char *op, sw_window *w);
sw_status swi_window_out(sw_context *ctx, const char *op, const sw_window *w, int64_t out[2]);

/* The functions of the rows, in op_*.c. */
sw_status swi_unary_shape(swi_shape_args *a);
sw_status swi_keep_mask_shape(swi_shape_args *a);
sw_status swi_binary_shape(swi_shape_args *a);
sw_status swi_where_shape(swi_shape_args *a);
sw_status swi_bmm_shape(swi_shape_args *a);
sw_status swi_causal_softmax_shape(swi_shape_args *a);
sw_status swi_matmul_shape(swi_shape_args *a);
sw_status swi_dot_shape(swi_shape_args *a);
sw_status swi_reduce_shape(swi_shape_args *a);
sw_status swi_reduce_some_shape(swi_shape_args *a); /* SW_ESHAPE if a reduced axis is empty */
sw_status swi_argmax_shape(swi_shape_args *a);
sw_status swi_reshape_shape(swi_shape_args *a);
sw_status swi_broadcast_shape(swi_shape_args *a);
sw_status swi_transpose_shape(swi_shape_args *a);
sw_status swi_slice_shape(swi_shape_args *a);
sw_status swi_pad_shape(swi_shape_args *a);
sw_status swi_concat_shape(swi_shape_args *a);
sw_status swi_gather_shape(swi_shape_args *a);
sw_status swi_scatter_shape(swi_shape_args *a);
sw_status swi_one_hot_shape(swi_shape_args *a);
sw_status swi_cast_shape(swi_shape_args *a);
sw_status swi_softmax_shape(swi_shape_args *a);
sw_status swi_cross_entropy_shape(swi_shape_args *a);
sw_status swi_soft_cross_entropy_shape(swi_shape_args *a);
sw_status swi_conv2d_shape(swi_shape_args *a);
sw_status swi_conv2d_input_shape(swi_shape_args *a);
sw_status swi_conv2d_weight_shape(swi_shape_args *a);
sw_status swi_batch_norm_shape(swi_shape_args *a);
sw_status swi_batch_norm_grad_shape(swi_shape_args *a);
sw_status swi_batch_norm_grad2_shape(swi_shape_args *a);
sw_status swi_normalise_shape(swi_shape_args *a);
sw_status swi_max_pool_shape(swi_shape_args *a);
sw_status swi_max_unpool_shape(swi_shape_args *a);
sw_status swi_max_repool_shape(swi_shape_args *a);
sw_status swi_avg_pool_shape(swi_shape_args *a);
sw_status swi_avg_unpool_shape(swi_shape_args *a);
sw_status swi_reflect_pad_shape(swi_shape_args *a);
sw_status swi_reflect_fold_shape(swi_shape_args *a);

/* Real elements of scratch that an evaluation of such shapes works with: always as many, or so many
 * for each example. out[] says no more than which outputs are wanted. */
int64_t swi_conv2d_scratch_of(const swi_eval_args *e);
int64_t swi_conv2d_input_scratch_of(const swi_eval_args *e);
int64_t swi_conv2d_weight_scratch_of(const swi_eval_args *e);
int64_t swi_scatter_scratch_of(const swi_eval_args *e);

#define SWI_EVAL(name) sw_status swi_##name##_eval(const swi_eval_args *e)
SWI_EVAL(unary);
SWI_EVAL(keep_mask);
SWI_EVAL(binary);
SWI_EVAL(scale);
SWI_EVAL(where);
SWI_EVAL(matmul);
SWI_EVAL(bmm);
SWI_EVAL(causal_softmax);
SWI_EVAL(dot);
SWI_EVAL(sum);
SWI_EVAL(mean);
SWI_EVAL(max);
SWI_EVAL(sumsq);
SWI_EVAL(argmax);
SWI_EVAL(copy);
SWI_EVAL(broadcast);
SWI_EVAL(transpose);
SWI_EVAL(slice);
SWI_EVAL(pad);
SWI_EVAL(concat);
SWI_EVAL(log_softmax);
SWI_EVAL(gather);
SWI_EVAL(scatter);
SWI_EVAL(one_hot);
SWI_EVAL(cast);
SWI_EVAL(softmax);
SWI_EVAL(cross_entropy);
SWI_EVAL(soft_cross_entropy);
SWI_EVAL(conv2d);
SWI_EVAL(conv2d_input);
SWI_EVAL(conv2d_weight);
SWI_EVAL(batch_norm);
SWI_EVAL(batch_norm_grad);
SWI_EVAL(batch_norm_grad2);
SWI_EVAL(normalise);
SWI_EVAL(max_pool);
SWI_EVAL(max_unpool);
SWI_EVAL(max_repool);
SWI_EVAL(avg_pool);
SWI_EVAL(avg_unpool);
SWI_EVAL(reflect_pad);
SWI_EVAL(reflect_fold);
#undef SWI_EVAL

#define SWI_VJP(name) void swi_##name##_vjp(sw_graph *g, swi_vjp_args *v)
SWI_VJP(neg);
SWI_VJP(exp);
SWI_VJP(log);
SWI_VJP(relu);
SWI_VJP(tanh);
SWI_VJP(sigmoid);
SWI_VJP(scale);
SWI_VJP(add);
SWI_VJP(sub);
SWI_VJP(mul);
SWI_VJP(div);
SWI_VJP(gate);
SWI_VJP(where);
SWI_VJP(matmul);
SWI_VJP(bmm);
SWI_VJP(causal_softmax);
SWI_VJP(dot);
SWI_VJP(sum);
SWI_VJP(mean);
SWI_VJP(max);
SWI_VJP(sumsq);
SWI_VJP(reshape);
SWI_VJP(broadcast);
SWI_VJP(transpose);
SWI_VJP(sqrt);
SWI_VJP(abs);
SWI_VJP(erf);
SWI_VJP(erfc);
SWI_VJP(sigmoid_slope);
SWI_VJP(softplus);
SWI_VJP(pow);
SWI_VJP(maximum);
SWI_VJP(minimum);
SWI_VJP(slice);
SWI_VJP(pad);
SWI_VJP(concat);
SWI_VJP(log_softmax);
SWI_VJP(gather);
SWI_VJP(scatter);
SWI_VJP(softmax);
SWI_VJP(cross_entropy);
SWI_VJP(soft_cross_entropy);
SWI_VJP(conv2d);
SWI_VJP(conv2d_input);
SWI_VJP(conv2d_weight);
SWI_VJP(batch_norm);
SWI_VJP(batch_norm_grad);
SWI_VJP(batch_norm_grad2);
SWI_VJP(normalise);
SWI_VJP(max_pool);
SWI_VJP(max_unpool);
SWI_VJP(max_repool);
SWI_VJP(avg_pool);
SWI_VJP(avg_unpool);
SWI_VJP(reflect_pad);
SWI_VJP(reflect_fold);
#undef SWI_VJP

#endif
