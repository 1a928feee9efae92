/* norm_int.h: what the files of batch normalisation share. x is normalised; c is the cotangent of
 * the result, u that of dx. */
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
/* in[i], `what` in messages, must be (C). SW_ESHAPE. */
sw_status swi_norm_check_channels(swi_shape_args *a, int i, const char *what);
/* in[i] must have x's shape. SW_ESHAPE. */
sw_status swi_norm_check_like_x(swi_shape_args *a, int i);
/* The first inputs of both derivatives: x, c, gamma, stats. SW_ESHAPE, SW_ERANGE. */
sw_status swi_norm_check_grad(swi_shape_args *a);
/* x's type, for what depends on all the examples of a ghost; all: on what the inputs depend. */
sw_type swi_norm_like_x(const sw_type *x, sw_dependence all, int64_t ghost);
/* (1 or B, 2, C) */
sw_type swi_norm_stats_type(const sw_type *x, int64_t ghost);
/* (C), summed over the examples */
sw_type swi_norm_per_channel(const sw_type *x, sw_dependence all);
/* On what the first n_in inputs depend. */
sw_dependence swi_norm_dependence(const swi_shape_args *a, int n_in);

/* ------------------------------------------------------------------ one ghost, some channels */

enum { SWI_NORM_STRIPS = 16 };

/* A combination of x, c and u, and where it goes. The factors hold reals. */
typedef struct swi_norm_combination {
  void *out;
  int with_c;
  double of_x[SWI_NORM_COLS], of_c[SWI_NORM_COLS], of_u[SWI_NORM_COLS], shift[SWI_NORM_COLS];
} swi_norm_combination;

/* One ghost, and some channels of it: rows of C elements that the strips of the ghost share. */
typedef struct swi_norm_block {
  const swi_eval_args *e;
  int64_t first, rows, channels; /* of the ghost in x; elements a row */
  int64_t channel, cols;         /* the block's own */
  int64_t strips, strip_rows;
  double sums[SWI_NORM_STRIPS][SWI_NORM_SUMS][SWI_NORM_COLS]; /* moments: mean, m2 */
  double mean[SWI_NORM_COLS];                                 /* reals, as the gate's */
  double gate_factor[SWI_NORM_COLS], gate_shift[SWI_NORM_COLS];
  const void *c, *u; /* whole, or NULL */
  int gated;         /* c counts where the norm's ReLU was open */
  int relu;
  int n_results;
  swi_norm_combination result[2];
} swi_norm_block;

static inline double swi_norm_get(const swi_norm_block *b, const void *p, int64_t i) {
  return b->e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* The value as it was rounded. */
static inline double swi_norm_set(const swi_norm_block *b, void *p, int64_t i, double value) {
  if (b->e->k->element_bytes == 8) return ((double *)p)[i] = value;
  return (double)(((float *)p)[i] = (float)value);
}

/* Mean and m2 of each channel, in sums[0]. */
void swi_norm_moments(swi_norm_block *b);
/* The sums of norm_sums over c, and u if there is one, in sums[0]. */
void swi_norm_sum(swi_norm_block *b);
/* Writes the results. */
void swi_norm_combine(swi_norm_block *b);
/* Takes the means of ghost i from the stats, in[3]; returns where its 1 / sqrt(var + eps) stand. */
const char *swi_norm_stats(swi_norm_block *b, int64_t i);

/* ------------------------------------------------------------------ all ghosts */

/* Two rows: what a ghost adds to the outputs of a channel. */
typedef double (*swi_norm_totals)[SWI_NORM_COLS];

/* Evaluates one ghost on the block's channels; i: its number. */
typedef void (*swi_norm_ghost)(swi_norm_block *b, int64_t i, swi_norm_totals result);

/* Runs f for each ghost and block of channels; adds its results times weight(examples) up, and
 * writes them to vectors out[0], out[1] of C elements where they are wanted. */
void swi_norm_run(const swi_eval_args *e, swi_norm_ghost f, int averaged, void *const out[2]);

/* ------------------------------------------------------------------ derivatives */

/* Bits of batch_norm_grad2's attrs.absent: this cotangent is zero, and its input is not read. */
enum { SWI_NO_U = 1, SWI_NO_P = 2, SWI_NO_Q = 4 };

/* Cotangents of batch_norm_grad2's inputs, in elementwise ops and means: may be differentiated
 * again. See op_norm_third.c. */
void swi_norm_third(sw_graph *g, swi_vjp_args *v);

#endif
