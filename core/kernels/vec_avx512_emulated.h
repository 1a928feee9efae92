/* vec_avx512_emulated.h: the intrinsics of vec_avx512*.h on a processor without AVX-512, for tests:
 * those of SIMDe, and the few that it lacks. */
#ifndef SW_VEC_AVX512_EMULATED_H
#define SW_VEC_AVX512_EMULATED_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

static inline __m512 emulated_maskz_loadu_ps(__mmask16 k, const float *p) {
  float e[16];
  for (int i = 0; i < 16; i++) e[i] = k >> i & 1 ? p[i] : 0;
  return simde_mm512_loadu_ps(e);
}
static inline void emulated_mask_storeu_ps(float *p, __mmask16 k, __m512 a) {
  float e[16];
  simde_mm512_storeu_ps(e, a);
  for (int i = 0; i < 16; i++)
    if (k >> i & 1) p[i] = e[i];
}
static inline __m128i emulated_maskz_loadu_epi8(__mmask16 k, const uint8_t *p) {
  uint8_t e[16];
  for (int i = 0; i < 16; i++) e[i] = k >> i & 1 ? p[i] : 0;
  __m128i all;
  memcpy(&all, e, sizeof all);
  return all;
}
static inline __m256 emulated_extractf32x8_ps(__m512 a, int half) {
  float e[16];
  simde_mm512_storeu_ps(e, a);
  return _mm256_loadu_ps(e + 8 * half);
}
static inline __m512 emulated_pair_ps(__m256 low, __m256 high) {
  float e[16];
  _mm256_storeu_ps(e, low);
  _mm256_storeu_ps(e + 8, high);
  return simde_mm512_loadu_ps(e);
}
static inline __m512i emulated_pair_epi32(__m256i low, __m256i high) {
  __m256i both[2] = {low, high};
  __m512i all;
  memcpy(&all, both, sizeof all);
  return all;
}
static inline __m512 emulated_cvtepi32_ps(__m512i a) {
  __m256i half[2];
  memcpy(half, &a, sizeof a);
  return emulated_pair_ps(_mm256_cvtepi32_ps(half[0]), _mm256_cvtepi32_ps(half[1]));
}
static inline __m512i emulated_cvtps_epi32(__m512 a) {
  return emulated_pair_epi32(_mm256_cvtps_epi32(emulated_extractf32x8_ps(a, 0)),
                             _mm256_cvtps_epi32(emulated_extractf32x8_ps(a, 1)));
}
static inline __m512i emulated_cvtepu8_epi32(__m128i a) {
  return emulated_pair_epi32(_mm256_cvtepu8_epi32(a), _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8)));
}

/* ------------------------------------------------------------------ doubles */

static inline __m512d emulated_maskz_loadu_pd(__mmask8 k, const double *p) {
  double e[8];
  for (int i = 0; i < 8; i++) e[i] = k >> i & 1 ? p[i] : 0;
  return simde_mm512_loadu_pd(e);
}
static inline void emulated_mask_storeu_pd(double *p, __mmask8 k, __m512d a) {
  double e[8];
  simde_mm512_storeu_pd(e, a);
  for (int i = 0; i < 8; i++)
    if (k >> i & 1) p[i] = e[i];
}
static inline __m256 emulated_256_maskz_loadu_ps(__mmask8 k, const float *p) {
  float e[8];
  for (int i = 0; i < 8; i++) e[i] = k >> i & 1 ? p[i] : 0;
  return _mm256_loadu_ps(e);
}
static inline __m512d emulated_pair_pd(__m256d low, __m256d high) {
  double e[8];
  _mm256_storeu_pd(e, low);
  _mm256_storeu_pd(e + 4, high);
  return simde_mm512_loadu_pd(e);
}
static inline __m512d emulated_cvtps_pd(__m256 a) {
  return emulated_pair_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(a)),
                          _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
}
static inline __m512d emulated_cvtepi32_pd(__m256i a) {
  return emulated_pair_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(a)),
                          _mm256_cvtepi32_pd(_mm256_extracti128_si256(a, 1)));
}

#define _mm512_maskz_loadu_pd emulated_maskz_loadu_pd
#define _mm512_mask_storeu_pd emulated_mask_storeu_pd
#define _mm256_maskz_loadu_ps emulated_256_maskz_loadu_ps
#define _mm512_cvtps_pd emulated_cvtps_pd
#define _mm512_cvtepi32_pd emulated_cvtepi32_pd

#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm_maskz_loadu_epi8(k, p) emulated_maskz_loadu_epi8(k, (const uint8_t *)(p))
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32

#endif
