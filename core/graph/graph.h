/* graph.h: computation graphs and their derivatives.
 *
 * A graph is a growing list of nodes; an edge names one output of one node. A node comes after its
 * inputs and never changes; equal nodes are merged. Differentiation adds nodes to the same graph,
 * so a derivative can be differentiated again. Nothing is computed here: program.h compiles chosen
 * edges, eager.h evaluates one op on tensors.
 *
 * Types. A node's elements are real (the float type of the program that runs it) or index (int32).
 * One dimension may be n*B, B being the batch size that is known only when a program runs; sizes
 * that are not linear in B are refused here. The type of an edge says how its values depend on the
 * examples of the batch.
 *
 * Inputs, outputs, axes, slots and elements count from 0 in this interface, and from 1 in messages.
 */
#ifndef SW_GRAPH_H
#define SW_GRAPH_H

#include "base/context.h"
#include "tensor/tensor.h"

typedef struct sw_graph sw_graph;

typedef struct sw_edge {
  int32_t node; /* -1: none. A missing cotangent is this, not a tensor of zeros. */
  int32_t out;
} sw_edge;

enum {
  SW_MAX_SLOTS = 16,       /* of inputs, and of vectors of params */
  SW_MAX_INPUTS = 7,       /* of a node */
  SW_MAX_OUTPUTS = 3,      /* of a node */
  SW_MOST_WINDOW = 1 << 20 /* largest number in a window, see sw_window */
};

#define SW_NO_EDGE ((sw_edge){-1, 0})

typedef struct sw_dim {
  int64_t n;
  int batch; /* the size is n * B, else n */
} sw_dim;

typedef enum sw_kind { SW_REAL, SW_INDEX } sw_kind;
enum { SW_KIND_COUNT = SW_INDEX + 1 };

/* How the values depend on the batch. Only SW_BY_EXAMPLE keeps examples apart. */
typedef enum sw_dependence {
  SW_CONSTANT,   /* on no example */
  SW_BY_EXAMPLE, /* slice i along the batch axis on example i alone */
  SW_MIXED       /* on several examples */
} sw_dependence;
enum { SW_DEPENDENCE_COUNT = SW_MIXED + 1 };

typedef struct sw_type {
  sw_kind kind;
  int ndim;
  sw_dim dim[SW_MAX_DIMS];
  sw_dependence dependence;
} sw_type;

/* The axis that carries the batch, or -1. */
SW_API int sw_type_batch_axis(const sw_type *t);
/* "(batch, 784)", "(2*batch)", "()"; cut to size. Returns text. */
SW_API const char *sw_type_text(const sw_type *t, char *text, size_t size);

/* Of convolutions and pools over images (batch, height, width, channels): pairs are (of rows, of
 * columns); a stride, a dilation or groups of 0 mean 1. Output pixel i sees the inputs
 * i stride - padding + j dilation,  j = 0 … kernel - 1. */
typedef struct sw_window {
  int64_t kernel[2], stride[2], padding[2], dilation[2];
  int64_t size[2]; /* an image's height and width, where they do not follow from an input */
  int64_t groups;  /* of channels */
} sw_window;

/* Everything an op may need besides its inputs. An op reads some fields, see sw_op_attrs; the
 * others must be 0. attrs.c has a row for each field; there is no padding between them. */
typedef struct sw_attrs {
  sw_dim dim[SW_MAX_DIMS]; /* a wanted shape; reshape: one may have n = -1 */
  sw_window window;
  double value;          /* a constant, a factor, an eps, a probability */
  int64_t n;             /* a count: classes, rows, elements, examples of a ghost */
  int64_t offset;        /* the first element of a part, or elements before it */
  int64_t ignored;       /* one_hot: the label that is ignored, … */
  int ignores;           /* … if one is */
  int perm[SW_MAX_DIMS]; /* transpose: output axis i is input axis perm[i] */
  int ndim;              /* of dim */
  uint32_t axes;         /* bit i: axis i */
  int keepdim;           /* reduced axes stay, with size 1 */
  int transpose_a, transpose_b;
  int batch_power; /* scale: times B to this power */
  int slot;        /* of leaves: which input, which vector, which constant tensor */
  int stream;      /* of random numbers: set by the graph */
  uint32_t absent; /* batch_norm_grad2: bit i: cotangent i is not there */
} sw_attrs;

/* Fields of sw_attrs that an op may read. */
enum {
  SW_ATTR_AXES = 1 << 0,
  SW_ATTR_KEEPDIM = 1 << 1,
  SW_ATTR_TRANSPOSE = 1 << 2, /* transpose_a, transpose_b */
  SW_ATTR_SHAPE = 1 << 3,     /* ndim, dim */
  SW_ATTR_PERM = 1 << 4,
  SW_ATTR_VALUE = 1 << 5,
  SW_ATTR_BATCH_POWER = 1 << 6,
  SW_ATTR_N = 1 << 7,
  SW_ATTR_FIRST = 1 << 8,  /* offset: the first element of a part */
  SW_ATTR_BEFORE = 1 << 9, /* offset: elements put before */
  SW_ATTR_SLOT = 1 << 10,  /* of an input or a constant */
  SW_ATTR_ABSENT = 1 << 11,
  SW_ATTR_IGNORED = 1 << 12, /* ignores, ignored */
  SW_ATTR_KERNEL = 1 << 13,  /* this and the following: of window */
  SW_ATTR_STRIDE = 1 << 14,
  SW_ATTR_PADDING = 1 << 15,
  SW_ATTR_DILATION = 1 << 16,
  SW_ATTR_SIZE = 1 << 17,
  SW_ATTR_GROUPS = 1 << 18,
  SW_ATTR_VECTOR = 1 << 19 /* slot: of a vector of params */
};

typedef enum sw_op {
#define OP(name) SW_OP_##name,
#include "graph/ops.def"
  SW_OP_COUNT
} sw_op;

SW_API const char *sw_op_name(sw_op op);
SW_API sw_op sw_op_find(const char *name); /* SW_OP_COUNT if there is none */
SW_API uint32_t sw_op_attrs(sw_op op);     /* SW_ATTR_…: what it reads */
SW_API int sw_op_is_leaf(sw_op op);        /* not for sw_graph_apply */

/* The caller owns a reference to *out. */
SW_API sw_status sw_graph_new(sw_context *ctx, sw_graph **out);
SW_API sw_graph *sw_graph_retain(sw_graph *g);
SW_API void sw_graph_release(sw_graph *g);

/* Leaves. An input is given at every run, in slot 0, 1, …; a param is elements offset … of vector
 * slot (0: the weights) in row-major order; a constant tensor is copied in. SW_ESHAPE,
 * SW_ERANGE. */
SW_API sw_status sw_graph_input(sw_graph *g, int slot, sw_kind kind, int ndim, const sw_dim *dim,
                                sw_edge *out);
SW_API sw_status sw_graph_param(sw_graph *g, int slot, int64_t offset, const sw_shape *shape,
                                sw_edge *out);
SW_API sw_status sw_graph_constant(sw_graph *g, const sw_tensor *t, sw_edge *out);
SW_API sw_status sw_graph_fill(sw_graph *g, double value, sw_edge *out); /* a scalar */

/* Adds a node (or finds its equal), after simple identities: x*1, x+0, a reshape to the same shape,
 * a transpose of a transpose, … out receives the op's outputs, at most SW_MAX_OUTPUTS. SW_ESHAPE
 * with both shapes. */
SW_API sw_status sw_graph_apply(sw_graph *g, sw_op op, const sw_edge *in, int n_in,
                                const sw_attrs *attrs, sw_edge *out);

/* The name in messages of the nodes that are added from now on ("": none). Derivatives get the name
 * of what they are derivatives of. At most 79 bytes are kept. SW_ENOMEM. */
SW_API sw_status sw_graph_label(sw_graph *g, const char *label);
SW_API const char *sw_graph_get_label(const sw_graph *g); /* borrowed until the next one */

SW_API const sw_type *sw_graph_type(const sw_graph *g,
                                    sw_edge e); /* borrowed until the next node */
SW_API int sw_graph_size(const sw_graph *g);    /* nodes so far */

/* grads[i] = d of / d wrt[i], an edge of the same shape, or SW_NO_EDGE where there is no path. of
 * must be a real scalar, or seed a cotangent of its shape. Reverse mode; every rule is written in
 * ops. SW_EUNSUPPORTED: an op on the path has no derivative there. */
SW_API sw_status sw_graph_gradient(sw_graph *g, sw_edge of, sw_edge seed, const sw_edge *wrt,
                                   int n_wrt, sw_edge *grads);

/* Per-example squared gradient norms. grads are the gradients of a loss that is the mean over
 * examples, as sw_graph_gradient gave them for params. *out: (batch), sum over the params of
 * |g_i|^2, g_i being the gradient of example i's own loss. example_norms.c describes the method.
 * SW_EUNSUPPORTED, with the param's position in *culprit (may be NULL) and a message about "its
 * gradient": a param of products or embeddings with several uses, a penalty, or examples that are
 * coupled. SW_EUNSUPPORTED too, and no culprit: two params of vector 0 share elements, or the loss
 * is not a mean over the examples but, say, their sum. */
SW_API sw_status sw_graph_example_norms(sw_graph *g, const sw_edge *grads, int n_grads,
                                        sw_edge *out, int *culprit);

/* One line for each node that the outputs need: "%3 = matmul(%0, %1^T) : (batch, 100)". Returns the
 * length of the whole text, as snprintf does. */
SW_API size_t sw_graph_dump(const sw_graph *g, const sw_edge *outputs, int n_outputs, char *text,
                            size_t size);

/* The same as a digraph for Graphviz, with a box for each node. */
SW_API size_t sw_graph_dot(const sw_graph *g, const sw_edge *outputs, int n_outputs, char *text,
                           size_t size);

#endif
