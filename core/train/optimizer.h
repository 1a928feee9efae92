/* optimizer.h: the native optimizers: the vectors that each keeps, its options, and one update of a
 * vector. */
#ifndef SW_OPTIMIZER_H
#define SW_OPTIMIZER_H

#include "tensor/tensor.h"
#include "train/hyper.h"

typedef enum sw_optimizer_kind {
#define OPTIMIZER(name) SW_OPTIMIZER_##name,
#include "kernels/optimizers.def"
  SW_OPTIMIZER_COUNT
} sw_optimizer_kind;

/* Fixed when a loop is made; an optimizer reads the fields of its row alone. */
typedef struct sw_optimizer_options {
  sw_optimizer_kind kind;
  double dampening, beta2, eps;
  int nesterov;
} sw_optimizer_options;

enum { SW_MOMENTS = 2 }; /* most vectors that an optimizer keeps beside the weights */

typedef struct sw_optimizer_row {
  const char *name;
  const char *moment[SW_MOMENTS]; /* the vectors it keeps, as checkpoints name them; NULL: fewer */
  int only_with_momentum;         /* it keeps them only where the momentum is above 0 */
  int external;                   /* it updates nothing: the caller does, by sw_loop_gradient */
  int decay_in_gradient;          /* weight decay is added to the gradient, as to the loss's */
  double momentum;                /* until it is set */
  sw_interval momentum_range;
  const sw_field *fields; /* of sw_optimizer_options that it reads; NULL: none */
  /* Checks fields against each other; NULL: nothing to check. SW_ERANGE, SW_EARG. */
  sw_status (*check)(sw_context *ctx, const sw_optimizer_options *o);
} sw_optimizer_row;

/* NULL outside of the kinds. */
SW_API const sw_optimizer_row *sw_optimizer_row_of(int kind);
/* Of a kind, with the defaults of its fields. */
SW_API sw_optimizer_options sw_optimizer_defaults(sw_optimizer_kind kind);
/* How many vectors it keeps with this momentum. */
SW_API int sw_optimizer_moments(sw_optimizer_kind kind, double momentum);

/* One update of w by g, which has w's shape and float type. */
typedef struct sw_update {
  sw_tensor *w;
  const sw_tensor *g;
  sw_tensor *moment[SW_MOMENTS]; /* like w, as many as sw_optimizer_moments says; else NULL */
  int first;                     /* they hold nothing yet */
  int64_t step;                  /* the update's number, from 1 */
  double hyper[SW_HYPER_COUNT];  /* the batch size is not read */
} sw_update;

/* Gives the same bits as a step of a loop that clips nothing. All tensors are contiguous and share
 * no elements. SW_ENAN: g, a new weight or a new moment is not finite; w may be updated in part, as
 * by sw_loop_advance. SW_ERANGE, SW_EARG, SW_ESHAPE, SW_EDTYPE, SW_ENOMEM. */
SW_API sw_status sw_optimizer_update(const sw_optimizer_options *o, const sw_update *u);

#endif
