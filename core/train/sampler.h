/* sampler.h: which examples come next.
 *
 * Any position can be sought at once, and any batch size sees the same examples in the same order:
 *   shuffled     the order of an epoch is f(seed, whole epoch) alone; batches carry over its end.
 *                Memory: 4 bytes an example. A new epoch costs one shuffle, when its first example
 *                is asked for
 *   independent  draws with replacement; draw number p is f(seed, p) alone
 *   sequential   0, 1, … n-1, 0, …
 */
#ifndef SW_SAMPLER_H
#define SW_SAMPLER_H

#include "base/context.h"

typedef struct sw_sampler sw_sampler;

typedef enum sw_order { SW_SHUFFLED, SW_INDEPENDENT, SW_SEQUENTIAL } sw_order;
enum { SW_ORDER_COUNT = SW_SEQUENTIAL + 1 };

typedef struct sw_sampler_options {
  sw_order order;
  uint64_t seed;         /* streams ("data", epoch); ("data/draws", 0) of independent ones */
  int64_t examples;      /* of the data set, >= 1 */
  const int32_t *subset; /* n_subset indices into it, copied: only these; NULL: all. An example */
  int64_t n_subset;      /* that is there twice comes twice as often */
} sw_sampler_options;

/* SW_ENOMEM; SW_ERANGE: no examples, or an index outside of them (says which). */
SW_API sw_status sw_sampler_new(sw_context *ctx, const sw_sampler_options *o, sw_sampler **out);

/* The next count indices; count may be larger than an epoch. Allocates nothing. */
SW_API void sw_sampler_next(sw_sampler *s, int64_t count, int32_t *index);

SW_API int64_t sw_sampler_size(const sw_sampler *s);               /* examples that make an epoch */
SW_API int64_t sw_sampler_position(const sw_sampler *s);           /* examples handed out */
SW_API sw_status sw_sampler_seek(sw_sampler *s, int64_t position); /* SW_ERANGE: not 0 to 2^53 */
SW_API void sw_sampler_free(sw_sampler *s);

#endif
