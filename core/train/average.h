/* average.h: the running average of a weight vector.
 *
 * SWA gives every captured point the same weight (Izmailov et al. 2018, algorithm 1). An average is
 * as long as the weights it follows and knows nothing of models. Update: one pass, reads 2n and
 * writes n floats.
 */
#ifndef SW_AVERAGE_H
#define SW_AVERAGE_H

#include "tensor/tensor.h"

typedef struct sw_average sw_average;

/* An empty average of vectors of n elements of dtype (a float type). SW_ENOMEM, SW_ERANGE,
 * SW_EDTYPE. */
SW_API sw_status sw_average_new(sw_context *ctx, sw_dtype dtype, int64_t n, sw_average **out);

/* Takes the point w in:  mean += (w - mean) / (count + 1).  SW_ESHAPE, SW_EDTYPE: the average is as
 * it was. */
SW_API sw_status sw_average_update(sw_average *avg, const sw_tensor *w);

/* Continues from a mean of count points, 1 or more. SW_ERANGE, SW_ESHAPE, SW_EDTYPE. */
SW_API sw_status sw_average_restore(sw_average *avg, const sw_tensor *mean, int64_t count);

SW_API int64_t sw_average_count(const sw_average *avg);
/* *mean is borrowed, valid while avg lives; it changes with updates. SW_EEMPTY before the first. */
SW_API sw_status sw_average_get(const sw_average *avg, const sw_tensor **mean);

SW_API void sw_average_free(sw_average *avg); /* NULL is fine */

#endif
