/* batch_power.h: how the values of nodes go with the batch size. */
#ifndef SW_BATCH_POWER_H
#define SW_BATCH_POWER_H

#include "graph/op_int.h"

/* Whether each gradient is of a mean over the examples: a sum over the batch of shares that go as
 * B^-1. SW_ENOMEM. */
sw_status swi_is_of_mean(const sw_graph *g, const sw_edge *grads, int n_grads, int *answer);

#endif
