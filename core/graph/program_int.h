/* program_int.h: the compiled form, for the compiler, the planner and the executor. */
#ifndef SW_PROGRAM_INT_H
#define SW_PROGRAM_INT_H

#include "base/context_int.h"
#include "graph/op_int.h"
#include "graph/program.h"

typedef enum swi_place {
  SWI_ARENA,    /* in the workspace, planned by lifetime */
  SWI_INPUT,    /* in the workspace, filled before a run and kept through it */
  SWI_VECTOR,   /* in one of the vectors given to a run */
  SWI_CONSTANT, /* in the program */
  SWI_OUT,      /* in one of the vectors that a run's outputs go to */
  SWI_TILE      /* one tile at a time, see chain.c */
} swi_place;

typedef struct swi_buffer {
  swi_place place;
  int slot;       /* of an input, a vector or a tile; SW_TO_OUT or SW_TO_STATE */
  int64_t offset; /* elements, in a vector; bytes, among the constants */
  sw_kind kind;
  sw_dim numel;        /* elements: n, or n * B */
  int32_t first, last; /* instructions between which it is alive */
  int kept;            /* the first part makes it, the second reads it; see sw_workspace_rerun */
} swi_buffer;

/* One call of an evaluation. Buffers by number; -1: not wanted, or none. */
typedef struct swi_instruction {
  sw_op op;
  sw_attrs attrs;
  int n_in, n_out;
  int32_t in[SW_MAX_INPUTS], out[SW_MAX_OUTPUTS], bias, scratch;
  swi_activation activation;
  int32_t label;     /* number + 1 of its label; 0: none */
  uint32_t rows;     /* bit k: input k is a row that a chain repeats */
  int32_t chain_end; /* a chain begins here and ends before that instruction; 0: none does */
  sw_type in_type[SW_MAX_INPUTS], out_type[SW_MAX_OUTPUTS];
} swi_instruction;

typedef struct swi_program_output {
  sw_type type;
  int vector;
  int64_t offset;
  int32_t buffer;
  int32_t ready; /* of a gradient: the instruction behind which its update may be made; else -1 */
} swi_program_output;

struct sw_program {
  sw_context *ctx;
  int64_t references;
  sw_dtype dtype;
  int bytes; /* of a real */
  const swi_kernels *k;
  swi_instruction *code;
  int32_t n_code, cap_code;
  int varying;          /* the slot of the varying vector; 0: none */
  int32_t varying_from; /* the second part's first instruction; n_code without it */
  swi_buffer *buffers;
  int32_t n_buffers, cap_buffers;
  swi_program_output *outputs;
  int n_outputs;
  int32_t *by_ready;                  /* outputs, by rising `ready` */
  int32_t loss_ready;                 /* the instruction that completes output 0 */
  int n_inputs, n_vectors;            /* what a run is given */
  int needs[2];                       /* whether an output goes to `out`, to `state` */
  int32_t input_buffer[SW_MAX_SLOTS]; /* -1: nothing reads the slot */
  sw_type input_type[SW_MAX_SLOTS];
  char (*labels)[SWI_LABEL]; /* copied from the graph */
  int32_t n_labels;
  void *constants;
  size_t constant_bytes;
};

/* One instruction for several nodes: root, to whose rows bias is added and activation applied,
 * gives the value of result. */
typedef struct swi_fusion {
  int32_t root;
  sw_edge bias; /* may be none */
  swi_activation activation;
  int32_t result;
  int32_t at;   /* the node in whose place it is computed */
  int32_t gate; /* the node that made root's second input; its own first one is read instead. -1:
                   none */
} swi_fusion;

typedef struct swi_fusions {
  swi_fusion *list;
  int32_t n, cap;
  int32_t *of; /* by node: 1 + the number of the fusion that it is part of; 0: of none */
} swi_fusions;

/* Epilogue fusion. By node: needed, varying. readers, by node and output: how many inputs of needed
 * nodes and outputs of the program it is. found starts empty, with zeros in `of`. SW_ENOMEM. */
sw_status swi_fuse(const sw_graph *g, const unsigned char *needed, const unsigned char *varying,
                   const int32_t (*readers)[SW_MAX_OUTPUTS], swi_fusions *found);

/* Lifetimes, work in place, and when updates may be made; of a program whose instructions and
 * outputs are all there. SW_ENOMEM. */
sw_status swi_plan_lifetimes(sw_program *p);

size_t swi_buffer_bytes(const swi_buffer *b, int64_t batch, int real_bytes);

/* A buffer that the planner places. */
typedef struct swi_placing {
  size_t size, at; /* bytes */
  int32_t number;  /* of the buffer */
  int32_t first, last;
} swi_placing;

/* Gives every arena and input buffer an offset, such that those alive at the same time do not
 * overlap; returns the bytes needed. list is room for n of them. */
size_t swi_plan(const swi_buffer *buffers, int32_t n, int64_t batch, int real_bytes,
                int64_t *offset, swi_placing *list);

#endif
