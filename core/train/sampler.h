/* sampler.h: which examples come next.
 *
 * The order of an epoch is f(seed, whole epoch) alone, and batches carry over its end: any batch
 * size sees the same examples in the same order. Memory: 4 bytes an example. A new epoch costs one
 * shuffle, when its first example is asked for.
 */
#ifndef SW_SAMPLER_H
#define SW_SAMPLER_H

#include "base/context.h"

typedef struct sw_sampler sw_sampler;

/* n >= 1 examples. Stream ("data", epoch) of seed. SW_ENOMEM, SW_ERANGE. */
SW_API sw_status sw_sampler_new(sw_context *ctx, int64_t n, uint64_t seed, sw_sampler **out);

/* The next count indices, 0 … n-1; count may be larger than n. Allocates nothing. */
SW_API void sw_sampler_next(sw_sampler *s, int64_t count, int32_t *index);

SW_API int64_t sw_sampler_position(const sw_sampler *s); /* examples handed out */
SW_API void sw_sampler_seek(sw_sampler *s, int64_t position);
SW_API void sw_sampler_free(sw_sampler *s);

#endif
