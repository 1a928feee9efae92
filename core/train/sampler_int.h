/* sampler_int.h: which examples are known to come. */
#ifndef SW_SAMPLER_INT_H
#define SW_SAMPLER_INT_H

#include "train/sampler.h"

/* The coming indices, at most so many, as far as they are drawn already: *n of them, valid until
 * the next ones are taken. */
const int32_t *swi_sampler_drawn(const sw_sampler *s, int64_t most, int64_t *n);

#endif
