/* optimizer.h: optimizers, and what is fixed when a loop is made. */
#ifndef SW_OPTIMIZER_H
#define SW_OPTIMIZER_H

typedef enum sw_optimizer_kind {
  SW_OPTIMIZER_SGD,
  SW_OPTIMIZER_ADAM, /* weight decay goes into the gradient */
  SW_OPTIMIZER_ADAMW /* weight decay is apart from it */
} sw_optimizer_kind;

typedef struct sw_optimizer_options {
  sw_optimizer_kind kind;
  double dampening; /* sgd */
  int nesterov;     /* sgd */
  double beta2;     /* adam, adamw: 0 … below 1 */
  double eps;       /* likewise: added to the root of the corrected second moment */
} sw_optimizer_options;

#endif
