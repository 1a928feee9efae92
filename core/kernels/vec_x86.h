/* vec_x86.h: eight counters of Philox 4x32-10 at a time, and masks made of their words; for
 * AVX2 and AVX-512.
 *
 * A word is the lower half of a 64-bit lane, which is what products read; upper halves are
 * arbitrary. The counters of even lanes are in one register, those of odd lanes in another.
 */
#ifndef SW_VEC_X86_H
#define SW_VEC_X86_H

#include <immintrin.h>
#include <stdint.h>

typedef struct philox4 {
  __m256i c[4];
} philox4;

static inline philox4 philox4_init(const uint32_t counter[4], uint32_t first) {
  const __m256i steps = _mm256_set_epi64x(6, 4, 2, 0);
  philox4 p = {{_mm256_add_epi32(_mm256_set1_epi64x(counter[0] + first), steps),
                _mm256_set1_epi64x(counter[1]), _mm256_set1_epi64x(counter[2]),
                _mm256_set1_epi64x(counter[3])}};
  return p;
}

static inline philox4 philox4_round(philox4 p, uint32_t k0, uint32_t k1) {
  const __m256i p0 = _mm256_mul_epu32(p.c[0], _mm256_set1_epi64x(0xD2511F53));
  const __m256i p1 = _mm256_mul_epu32(p.c[2], _mm256_set1_epi64x(0xCD9E8D57));
  const __m256i x0 = _mm256_xor_si256(p.c[1], _mm256_set1_epi64x(k0));
  const __m256i x2 = _mm256_xor_si256(p.c[3], _mm256_set1_epi64x(k1));
  philox4 q = {{_mm256_xor_si256(_mm256_srli_epi64(p1, 32), x0), p1,
                _mm256_xor_si256(_mm256_srli_epi64(p0, 32), x2), p0}};
  return q;
}

/* y[0 … 31]: the words of eight counters, word 0 of all of them first. */
static inline void mask_chunk(const uint32_t key[2], const uint32_t counter[4], uint32_t first,
                              uint32_t threshold, float value, float *y) {
  philox4 even = philox4_init(counter, first), odd = philox4_init(counter, first + 1);
  for (uint32_t round = 0; round < 10; round++) {
    const uint32_t k0 = key[0] + round * 0x9E3779B9u, k1 = key[1] + round * 0xBB67AE85u;
    even = philox4_round(even, k0, k1);
    odd = philox4_round(odd, k0, k1);
  }
  const __m256i limit = _mm256_set1_epi32((int)threshold);
  const __m256i kept = _mm256_castps_si256(_mm256_set1_ps(value));
  for (int w = 0; w < 4; w++) {
    const __m256i word = _mm256_blend_epi32(even.c[w], _mm256_slli_epi64(odd.c[w], 32), 0xaa);
    const __m256i keep = _mm256_cmpeq_epi32(_mm256_max_epu32(word, limit), word);
    _mm256_storeu_si256((__m256i *)(void *)(y + 8 * w), _mm256_and_si256(keep, kept));
  }
}

#endif
