/* average.h: running averages of a weight vector.
 *
 *   swa   every captured point weighs the same (Izmailov et al. 2018, algorithm 1)
 *   ema   the past is forgotten at a fixed rate, as in PyTorch's AveragedModel: the first point is
 *         copied
 *   last  the mean of the last k points (LAWA), which are kept: k times the memory
 * An average is as long as the weights that it follows. Beside the mean it keeps a carry, the part
 * below the mean's last digit, so that steps of less than half a unit of float32 add up. Update:
 * one pass, reads 3n and writes 2n floats (last: a copy; its mean takes k passes, when it is read).
 */
#ifndef SW_AVERAGE_H
#define SW_AVERAGE_H

#include "tensor/tensor.h"
#include "train/field.h"

typedef struct sw_average sw_average;

typedef enum sw_average_kind { SW_AVERAGE_SWA, SW_AVERAGE_EMA, SW_AVERAGE_LAST } sw_average_kind;
enum { SW_AVERAGE_COUNT = SW_AVERAGE_LAST + 1, SW_AVERAGE_FIELDS = 1 /* most of a kind */ };

typedef struct sw_average_options {
  sw_average_kind kind;
  double decay; /* ema: 0 … 1 */
  int64_t k;    /* last: >= 1 */
} sw_average_options;

SW_API const char *sw_average_name(sw_average_kind kind);
/* The options that the kind reads; ends with a NULL name. */
SW_API const sw_field *sw_average_fields(sw_average_kind kind);

/* An empty average of vectors of n elements of dtype (a float type). SW_ENOMEM, SW_ERANGE,
 * SW_EDTYPE; SW_EARG: there is no such kind. */
SW_API sw_status sw_average_new(sw_context *ctx, const sw_average_options *o, sw_dtype dtype,
                                int64_t n, sw_average **out);

/* Takes the point w in:  swa: mean += (w - mean) / (count + 1);  ema: mean += (1 - decay) (w -
 * mean), mean = w at first.  SW_ESHAPE, SW_EDTYPE: the average is as it was. */
SW_API sw_status sw_average_update(sw_average *avg, const sw_tensor *w);

/* What restore takes: the mean, or (points kept, n), oldest first; a copy that the caller owns.
 * SW_EEMPTY, SW_ENOMEM. */
SW_API sw_status sw_average_state(const sw_average *avg, sw_tensor **out);
/* The carry, which restore takes as well; zeros of last. */
SW_API sw_status sw_average_carry(const sw_average *avg, sw_tensor **out);
/* Continues from there (carry NULL: zeros), count points having been taken in, 1 or more.
 * SW_ERANGE, SW_ESHAPE, SW_EDTYPE: the average is as it was. */
SW_API sw_status sw_average_restore(sw_average *avg, const sw_tensor *state, const sw_tensor *carry,
                                    int64_t count);

SW_API int64_t sw_average_count(const sw_average *avg);
/* *mean is borrowed, valid while avg lives; it changes with updates. SW_EEMPTY before the first. */
SW_API sw_status sw_average_get(sw_average *avg, const sw_tensor **mean);

SW_API void sw_average_free(sw_average *avg); /* NULL is fine */

#endif
