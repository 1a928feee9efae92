/* norm_int.h: what the files of batch normalisation share. */
#ifndef SW_NORM_INT_H
#define SW_NORM_INT_H

#include "graph/build_int.h"

/* A ghost is a contiguous run of examples that is normalised by itself. */
typedef struct swi_ghosts {
  int64_t examples, size, count; /* the last one may be shorter, or longer by one example */
  int64_t rows;                  /* of an example */
} swi_ghosts;

/* size: attrs.n, 0 if all examples are one ghost. */
swi_ghosts swi_ghosts_of(const sw_shape *x, int64_t size);
int64_t swi_examples_in(const swi_ghosts *g, int64_t i);

/* in[0] must be (batch, …, channels), batch first if there are ghosts. SW_ESHAPE, SW_ERANGE. */
sw_status swi_norm_check_x(swi_shape_args *a);
/* x's type, for what depends on all the examples of a ghost; all: on what the inputs depend. */
sw_type swi_norm_like_x(const sw_type *x, sw_dependence all, int64_t ghost);

/* Bits of batch_norm_grad2's attrs.absent: this cotangent is zero, and its input is not read. */
enum { SWI_NO_U = 1, SWI_NO_P = 2, SWI_NO_Q = 4 };

/* Cotangents of batch_norm_grad2's inputs, in elementwise ops and means: may be differentiated
 * again. See op_norm_third.c. */
void swi_norm_third(sw_graph *g, swi_vjp_args *v);

#endif
