/* batch_power_int.h: the power of the batch size that a node's values are proportional to.
 *
 * What is made of different powers has none, and a zero has any.
 */
#ifndef SW_BATCH_POWER_INT_H
#define SW_BATCH_POWER_INT_H

#include "graph/op_int.h"

enum { SWI_POWER_ANY = 1000, SWI_POWER_NONE = 2000 };

int swi_power_common(int a, int b);  /* of a sum */
int swi_power_product(int a, int b); /* of a product */

/* For the rows of ops: */
int swi_power_of_first(const swi_power_args *a);   /* as the first input */
int swi_power_of_sum(const swi_power_args *a);     /* as the sum of two */
int swi_power_of_product(const swi_power_args *a); /* as the product of two */
int swi_power_zero(const swi_power_args *a);       /* 0 if all inputs have 0; else none */

/* Whether each gradient is of a mean over the examples: a sum over the batch of shares that go as
 * B^-1. SW_ENOMEM. */
sw_status swi_is_of_mean(const sw_graph *g, const sw_edge *grads, int n_grads, int *answer);

#endif
