/* vec_avx2.h: the vector primitives for eight floats, AVX2 and FMA. */
#ifndef SW_VEC_AVX2_H
#define SW_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define real float
#define REAL_BYTES 4
#define PER_SET(scalar, neon, avx2, avx512) avx2
#include "kernels/vec_numbers.h"
#include "kernels/vec_transpose_x86.h"
#include "kernels/vec_x86.h"

typedef __m256 vec;
typedef __m256 mask; /* all bits of an element, or none */

static inline __m256i v_head_bits(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline vec v_load_part(const float *p, int64_t n) {
  return _mm256_maskload_ps(p, v_head_bits(n));
}
static inline vec v_load_f32(const float *p) { return v_load(p); }
static inline vec v_load_f32_part(const float *p, int64_t n) { return v_load_part(p, n); }
static inline vec v_load_u8(const uint8_t *p) {
  int64_t eight;
  memcpy(&eight, p, 8);
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight)));
}
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  uint8_t padded[8] = {0};
  memcpy(padded, p, (size_t)n);
  return v_load_u8(padded);
}
static inline void v_store(float *p, vec a) { _mm256_storeu_ps(p, a); }
static inline void v_store_part(float *p, vec a, int64_t n) {
  _mm256_maskstore_ps(p, v_head_bits(n), a);
}
static inline mask v_head(int64_t n) { return _mm256_castsi256_ps(v_head_bits(n)); }

static inline vec v_broadcast(const float *p) { return _mm256_broadcast_ss(p); }
/* the first n = 2 or 4 elements, over and over */
static inline vec v_repeat(const float *p, const int n) {
  double two;
  if (n == 4) return _mm256_broadcast_ps((const __m128 *)(const void *)p);
  memcpy(&two, p, sizeof two);
  return _mm256_castpd_ps(_mm256_set1_pd(two));
}
static inline vec v_set1(double c) { return _mm256_set1_ps((float)c); }
static inline vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline vec v_sqrt(vec a) { return _mm256_sqrt_ps(a); }
static inline vec v_neg(vec a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
static inline vec v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); } /* b if either is NaN */
static inline vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); } /* b if either is NaN */

static inline mask v_lt(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline mask v_le(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline mask v_gt(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
static inline mask v_ge(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
static inline mask v_eq(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline mask v_ne(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
static inline mask v_or(mask a, mask b) { return _mm256_or_ps(a, b); }
static inline int v_any(mask m) { return _mm256_movemask_ps(m) != 0; }
static inline vec v_select(mask m, vec a, vec b) { return _mm256_blendv_ps(b, a, m); }

/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) */
static inline float v_reduce_add(vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline float v_reduce_max(vec a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* to[i] = the sum of s[i], ((0 + 2) + (1 + 3)) + ((4 + 6) + (5 + 7)) */
static inline void v_store_sums(float to[4], const vec s[4]) {
  const vec a = _mm256_add_ps(_mm256_unpacklo_ps(s[0], s[1]), _mm256_unpackhi_ps(s[0], s[1]));
  const vec b = _mm256_add_ps(_mm256_unpacklo_ps(s[2], s[3]), _mm256_unpackhi_ps(s[2], s[3]));
  const vec t = _mm256_add_ps(_mm256_blend_ps(a, b, 0xCC), _mm256_shuffle_ps(a, b, 0x4E));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1)));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef __m256i lanes;
static inline lanes v_lanes(const int32_t *from) {
  return _mm256_loadu_si256((const __m256i *)(const void *)from);
}
static inline vec v_permute(vec a, lanes from) { return _mm256_permutevar8x32_ps(a, from); }

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const float *from, int64_t ld, float *to, int64_t to_ld) {
  transpose_8x8(from, ld, to, to_ld);
}
/* the same of V_N x V_N */
static inline void v_transpose(const float *from, int64_t ld, float *to, int64_t to_ld) {
  transpose_8x8(from, ld, to, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const float *const row[8], int64_t p, vec column[4]) {
  __m256 r[4];
  for (int i = 0; i < 4; i++)
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row[i] + p)),
                                _mm_loadu_ps(row[i + 4] + p), 1);
  const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
  column[0] = _mm256_shuffle_ps(a, c, 0x44);
  column[1] = _mm256_shuffle_ps(a, c, 0xEE);
  column[2] = _mm256_shuffle_ps(b, d, 0x44);
  column[3] = _mm256_shuffle_ps(b, d, 0xEE);
}

/* For body_math.h. x = mantissa 2^exponent with mantissa in [1, 2), for positive normal x. */
static inline vec v_round(vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | 8); }
static inline vec v_copysign(vec a, vec sign) {
  return _mm256_or_ps(v_abs(a), _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
/* 2^n for a whole number n, -126 <= n <= 127 */
static inline vec v_pow2i(vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
static inline vec v_exponent(vec x) {
  const __m256i biased = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127)));
}
static inline vec v_mantissa(vec x) {
  const __m256 fraction = _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x007FFFFF)));
  return _mm256_or_ps(fraction, _mm256_set1_ps(1.0f));
}

#endif
