/* optimizer_int.h: the update of pieces of flat vectors. */
#ifndef SW_OPTIMIZER_INT_H
#define SW_OPTIMIZER_INT_H

#include "kernels/kernels_int.h"
#include "train/optimizer.h"

/* SW_ERANGE, SW_EARG: no update can be made with these. */
sw_status swi_optimizer_check(sw_context *ctx, const sw_optimizer_options *o);
sw_status swi_optimizer_check_hyper(sw_context *ctx, sw_optimizer_kind kind,
                                    const double hyper[SW_HYPER_COUNT]);

/* An update with these numbers; its step is 1, and the moments hold something. */
swi_update swi_update_of(const sw_optimizer_options *o, const double hyper[SW_HYPER_COUNT]);

/* Whole vectors. */
typedef struct swi_vectors {
  void *w, *moment[SW_MOMENTS]; /* NULL: none */
  const void *g;
} swi_vectors;

/* Elements first … first + n - 1. Returns |g|^2 as the kernels do. */
double swi_update_piece(const swi_kernels *k, sw_optimizer_kind kind, const swi_update *u,
                        const swi_vectors *v, int64_t first, int64_t n);

#endif
