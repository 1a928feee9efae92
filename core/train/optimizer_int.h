/* optimizer_int.h: the update rules, on pieces of flat vectors */
#ifndef SW_OPTIMIZER_INT_H
#define SW_OPTIMIZER_INT_H

#include "base/context.h"
#include "train/optimizer.h"

struct swi_kernels;

/* What one update needs to know; the numbers may change from step to step. */
typedef struct swi_rule {
  const sw_optimizer_options *optimizer;
  double lr, momentum, weight_decay;
  double grad_scale; /* the gradient counts this many times: clipping */
  int64_t step;      /* 1, 2, …: which update this is */
  int first;         /* SGD: the buffer holds nothing yet */
} swi_rule;

/* Elements of the weights, of what the optimizer keeps, and of the gradient. */
typedef struct swi_slices {
  void *w, *moment[2]; /* NULL: none */
  const void *g;
} swi_slices;

/* SW_ERANGE: what no update can be made with. */
sw_status swi_optimizer_check(sw_context *ctx, const sw_optimizer_options *o);
sw_status swi_rule_check(sw_context *ctx, const swi_rule *r);

/* Vectors that it keeps beside the weights, with these numbers. */
int swi_rule_moments(const swi_rule *r);
const char *swi_moment_name(const sw_optimizer_options *o, int i);

/* One pass over n elements. Returns |g|^2 of the gradient as it came in. */
double swi_rule_update(const struct swi_kernels *k, const swi_rule *r, int64_t n,
                       const swi_slices *s);

#endif
