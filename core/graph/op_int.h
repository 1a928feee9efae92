/* op_int.h: the row of an op, what the functions of a row are given, and the fields of a graph, for
 * core/graph's own files.
 *
 * A row is all that the graph knows of an op. It stands beside the functions of its family, in
 * op_*.c; a name in ops.def without a row is a link error. Other files ask the row, never the name.
 */
#ifndef SW_OP_INT_H
#define SW_OP_INT_H

#include "graph/graph.h"
#include "kernels/gemm_int.h"
#include "kernels/kernels_int.h"

enum { SWI_LABEL = 80 }; /* bytes of a label */

typedef struct swi_op_row swi_op_row;

typedef struct swi_node {
  sw_op op;
  sw_edge in[SW_MAX_INPUTS];
  sw_type type[SW_MAX_OUTPUTS];
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
  int n_random;            /* nodes with SWI_RANDOM: each one's number is its stream */
  sw_status build_status;  /* the builder's first error, see build_int.h */
};

/* ------------------------------------------------------------------ what a row's functions get */

/* A shape rule fills out[] from in[]; it may complete attrs (a reshape's -1). */
typedef struct swi_shape_args {
  sw_context *ctx;
  const char *op;
  const sw_type *in[SW_MAX_INPUTS];
  sw_attrs *attrs;
  sw_type out[SW_MAX_OUTPUTS];
} swi_shape_args;

/* Which random numbers a run draws, see sw_run. */
typedef struct swi_draws {
  uint64_t seed;
  int64_t step, first_example;
} swi_draws;

/* An evaluation reads contiguous in[] and writes contiguous out[]. */
typedef struct swi_eval_args {
  sw_context *ctx;
  const swi_op_row *row;
  const swi_kernels *k; /* of the program's float type */
  const sw_attrs *attrs;
  int64_t batch;
  const void *in[SW_MAX_INPUTS];
  void *out[SW_MAX_OUTPUTS];
  sw_shape in_shape[SW_MAX_INPUTS], out_shape[SW_MAX_OUTPUTS];
  int out_bytes;             /* of an element of out[0]: indices are int32 in any program */
  const void *bias;          /* the epilogue, fused by the compiler: see fuse.c */
  swi_activation activation; /* likewise */
  const swi_draws *draws;    /* NULL: on tensors */
  int out_by_example;        /* whether out[0] has the batch axis */
  void *scratch;             /* as much as the row's scratch says; NULL if that is 0 */
} swi_eval_args;

/* A rule for cotangents: cotangent[] of the outputs (each may be none) gives grad[] of the inputs,
 * which start as none. All of them edges of g. Errors stay in the graph's builder; the caller
 * checks them. */
typedef struct swi_vjp_args {
  const sw_attrs *attrs;
  sw_edge in[SW_MAX_INPUTS], out[SW_MAX_OUTPUTS], cotangent[SW_MAX_OUTPUTS];
  sw_edge grad[SW_MAX_INPUTS];
} swi_vjp_args;

/* in: the powers of the batch size that the inputs are proportional to, see batch_power_int.h. */
typedef struct swi_power_args {
  const sw_graph *g;
  const swi_node *node;
  int in[SW_MAX_INPUTS];
} swi_power_args;

/* ------------------------------------------------------------------ the row */

enum {
  SWI_LEAF = 1,     /* no inputs and no evaluation: made by graph.h's functions for leaves */
  SWI_ALIAS = 2,    /* in a program its output is its input's memory */
  SWI_INDEX = 4,    /* its shape rule checks the kinds of its inputs; else all must be real */
  SWI_RANDOM = 8,   /* draws: reads its input's shape alone, and two nodes are never one */
  SWI_EPILOGUE = 16 /* its evaluation can add a bias to the result's rows and apply a ReLU */
};

struct swi_op_row {
  int n_in, n_out, flags;
  uint32_t attrs; /* SW_ATTR_…: the fields of sw_attrs that it reads; the others must be 0 */
  const char *value_word; /* stands before attrs.value in dumps; NULL: "value " */
  int kernel;             /* of swi_unary_eval and swi_binary_eval: 1 + its number; else 0 */

  /* Types of the outputs. Leaves have none, nor an evaluation. */
  sw_status (*shape)(swi_shape_args *a);
  sw_status (*eval)(const swi_eval_args *e);
  /* Of elementwise ops, which may overwrite an input of their output's size, and may be evaluated
   * tile by tile: n elements from pointers to their first ones. Bit i of single: input i is one
   * value for all of them. The bits are those of eval. */
  void (*part)(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
               void *out);
  /* Real elements of scratch that eval works with: always as many, or so many for each example. Of
   * out[] it may ask only whether an output is wanted. NULL: none. */
  int64_t (*scratch)(const swi_eval_args *e);

  /* Cotangents of the inputs, in terms of other ops; NULL: not differentiable. */
  void (*vjp)(sw_graph *g, swi_vjp_args *v);
  /* The power of the batch size that the first output is proportional to. Every row has one. */
  int (*power)(const swi_power_args *a);
  /* Looks at a node that is about to be added and whose types are known. If it equals something
   * simpler, *same (none before) becomes that; else n itself may be rewritten. NULL: no rule. */
  sw_status (*identity)(sw_graph *g, swi_node *n, sw_edge *same);

  /* Per-example norms, see example_norms.c: where a gradient may end. */
  /* One example's part of a linear function of sums over the batch; none if it is not one. */
  sw_edge (*share)(sw_graph *g, const swi_node *n);
  /* The squared norms (batch) of the examples' parts of n, whose edge end is; none if they are not
   * known. NULL: from share. */
  sw_edge (*squares)(sw_graph *g, const swi_node *n, sw_edge end);
  /* Whether n's norm is its input's times *factor B^*power, which it then multiplies. */
  int (*pass)(const swi_node *n, double *factor, int *power);
};

#define OP(name) extern const swi_op_row swi_row_##name;
#include "graph/ops.def"

extern const swi_op_row *const swi_op_rows[]; /* by number */

static inline const swi_op_row *swi_op(sw_op op) { return swi_op_rows[op]; }

/* ------------------------------------------------------------------ nodes */

const swi_node *swi_node_of(const sw_graph *g, sw_edge e);

/* Adds n, whose types are known, or finds its equal. */
sw_status swi_add_node(sw_graph *g, const swi_node *n, int32_t *number);

/* Whether all fields are equal; a hash of them; the name of a field that is not 0 though its
 * SW_ATTR_… is not in read, NULL if there is none. */
int swi_attrs_equal(const sw_attrs *a, const sw_attrs *b);
uint64_t swi_attrs_hash(const sw_attrs *a);
const char *swi_attrs_unread(const sw_attrs *a, uint32_t read);

/* Leaves: whether n is a scalar constant, and its value; whether n is elements of the weights. */
int swi_is_fill(const swi_node *n, double *value);
int swi_is_weights(const swi_node *n);

/* needed[i] = 1 for every node that the outputs depend on; needed starts as zeros, one a node. */
void swi_mark_needed(const sw_graph *g, const sw_edge *outputs, int n_outputs,
                     unsigned char *needed);

/* The same for nodes that are marked already. One sweep over the graph. */
void swi_mark_inputs(const sw_graph *g, unsigned char *needed);

/* ------------------------------------------------------------------ types */

int swi_dim_equal(sw_dim a, sw_dim b);
int swi_type_same_shape(const sw_type *a, const sw_type *b);
int64_t swi_dim_size(sw_dim d, int64_t batch);

int64_t swi_numel(const sw_shape *s);    /* of a shape whose elements are known to be countable */
sw_dim swi_type_numel(const sw_type *t); /* INT64_MAX where it overflows */
void swi_type_shape(const sw_type *t, int64_t batch, sw_shape *out);
sw_dependence swi_dependence_max(sw_dependence a, sw_dependence b);
/* Checks that at most one dimension has the batch; SW_ESHAPE with the op's name. */
sw_status swi_type_check(sw_context *ctx, const char *op, const sw_type *t);

/* SW_EARG, SW_ERANGE: attributes that op does not read, or too many axes. */
sw_status swi_check_attrs(sw_context *ctx, sw_op op, const sw_attrs *attrs);

/* Runs the shape rule of op; used by graphs and eagerly. */
sw_status swi_infer(sw_context *ctx, sw_op op, const sw_type *const *in, int n_in, sw_attrs *attrs,
                    sw_type *out);

/* ------------------------------------------------------------------ shared by families of ops */

/* The output is like the first input. */
sw_status swi_same_shape(swi_shape_args *a);
/* Copies the first input: of aliases, where they are evaluated at all. */
sw_status swi_copy_eval(const swi_eval_args *e);
extern const sw_op swi_copy_op; /* the alias that stands for a copy in a program */

/* Checks the indices of an input: SW_ERANGE "what 5 at [2] is outside 0 … 3". */
sw_status swi_check_indices(const swi_eval_args *e, const char *what, int input, int64_t limit);

/* Windows over images. complete: a stride, dilation or groups of 0 become 1, and all is checked but
 * the size (SW_ERANGE). out: how many places the window has, in both directions; SW_ESHAPE if there
 * are none. read: the fields of w that op reads, the others 0. */
sw_status swi_window_complete(sw_context *ctx, const char *op, sw_window *w);
sw_status swi_window_out(sw_context *ctx, const char *op, const sw_window *w, int64_t out[2]);
sw_window swi_window_read(sw_op op, const sw_window *w);

#endif
