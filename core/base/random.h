/* random.h: counter-based random numbers in named streams (Philox 4x32-10, Salmon et al. 2011).
 *
 * A stream is (seed, name): the key is the seed, the upper half of the counter a hash of the name,
 * the lower half the position. So any position can be reached directly, streams never overlap, and
 * a measurement that draws from "measure" does not change what the training draws from "data".
 */
#ifndef SW_RANDOM_H
#define SW_RANDOM_H

#include <stdint.h>

#include "base/status.h"

typedef struct sw_random {
  uint64_t seed;
  uint64_t stream;   /* hash of the name */
  uint64_t position; /* blocks of four words drawn so far */
  uint32_t word[4];  /* the current block */
  int left;          /* words of it not used yet */
} sw_random;

/* The function itself: ten rounds, as published. */
SW_API void sw_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* FNV-1a of the name, mixed with n: the stream "data" of epoch 3 is ("data", 3). */
SW_API uint64_t sw_stream(const char *name, uint64_t n);

/* At position 0 of the stream. */
SW_API void sw_random_init(sw_random *r, uint64_t seed, uint64_t stream);

SW_API uint32_t sw_random_u32(sw_random *r);
SW_API uint32_t sw_random_below(sw_random *r, uint32_t n); /* 0 … n-1, unbiased (Lemire); n >= 1 */
SW_API double sw_random_uniform(sw_random *r);             /* [0, 1), 53 bits */
SW_API double sw_random_normal(sw_random *r);              /* N(0, 1), by Box and Muller */

/* order = a permutation of 0 … n-1 (Fisher-Yates). */
SW_API void sw_random_permutation(sw_random *r, int32_t n, int32_t *order);

#endif
