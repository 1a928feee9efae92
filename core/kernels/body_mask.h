/* body_mask.h: random masks: each element is 0 or one value, by a counter-based generator.
 *
 * Philox 4x32-10 (see base/random.h), eight counters at a time: element i is word i / 8 % 4 of the
 * block at counter[0] + i / 32 * 8 + i % 8. In this order no word needs to be moved.
 */
#ifndef SW_BODY_MASK_H
#define SW_BODY_MASK_H

#include <string.h>

#include "base/random.h"
#include "kernels/kernels_int.h"

enum { MASK_CHUNK = 32 };

#if !defined(SW_VEC_X86_H)
static inline void mask_chunk(const uint32_t key[2], const uint32_t counter[4], uint32_t first,
                              uint32_t threshold, real value, real *y) {
  for (uint32_t l = 0; l < 8; l++) {
    const uint32_t at[4] = {counter[0] + first + l, counter[1], counter[2], counter[3]};
    uint32_t word[4];
    sw_philox4x32(at, key, word);
    for (int w = 0; w < 4; w++) y[8 * w + (int)l] = word[w] < threshold ? (real)0 : value;
  }
}
#endif

static void keep_mask(int64_t n, const uint32_t key[2], const uint32_t counter[4],
                      uint32_t threshold, double kept, void *y) {
  const real value = (real)kept;
  real last[MASK_CHUNK];
  int64_t i = 0;
  for (; i + MASK_CHUNK <= n; i += MASK_CHUNK)
    mask_chunk(key, counter, (uint32_t)(i / 4), threshold, value, (real *)y + i);
  if (i == n) return;
  mask_chunk(key, counter, (uint32_t)(i / 4), threshold, value, last);
  memcpy((real *)y + i, last, (size_t)(n - i) * sizeof *last);
}

#endif
