/* sgd.h: stochastic gradient descent as PyTorch defines it, on flat vectors, in one fused pass. */
#ifndef SW_SGD_H
#define SW_SGD_H

#include "tensor/tensor.h"

typedef struct sw_sgd_hyper {
  double lr, momentum, dampening, weight_decay;
  int nesterov;
} sw_sgd_hyper;

/* SW_ERANGE: negative or not finite; Nesterov without momentum, or with dampening. */
SW_API sw_status sw_sgd_check(sw_context *ctx, const sw_sgd_hyper *h);

/* w, m, g: contiguous floats of one type and length. While momentum is 0, m may be NULL and is left
 * alone, and there is no dampening. first: m holds nothing yet, then m = g without dampening.
 * *grad_sumsq (may be NULL) gets |g|^2 of the gradient as given, before weight decay. SW_ESHAPE,
 * SW_EDTYPE, and as sw_sgd_check. */
SW_API sw_status sw_sgd_update(sw_tensor *w, sw_tensor *m, const sw_tensor *g,
                               const sw_sgd_hyper *h, int first, double *grad_sumsq);

#endif
