/* vec_avx512.h: the vector primitives for sixteen floats, AVX-512 F, BW, DQ and VL. */
#ifndef SW_VEC_AVX512_H
#define SW_VEC_AVX512_H

#if defined(SWI_EMULATE_AVX512)
#include "kernels/vec_avx512_emulated.h"
#else
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>

#define real float
#define REAL_BYTES 4
#define PER_SET(scalar, neon, avx2, avx512) avx512
#include "kernels/vec_numbers.h"
#include "kernels/vec_transpose_x86.h"
#include "kernels/vec_x86.h"

typedef __m512 vec;
typedef __mmask16 mask; /* a bit an element */

static inline mask v_head(int64_t n) { return (mask)((1u << n) - 1); }

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline vec v_load_part(const float *p, int64_t n) {
  return _mm512_maskz_loadu_ps(v_head(n), p);
}
static inline vec v_load_f32(const float *p) { return v_load(p); }
static inline vec v_load_f32_part(const float *p, int64_t n) { return v_load_part(p, n); }
static inline vec v_load_u8(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(v_head(n), p)));
}
static inline void v_store(float *p, vec a) { _mm512_storeu_ps(p, a); }
static inline void v_store_part(float *p, vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, v_head(n), a);
}

static inline vec v_broadcast(const float *p) { return _mm512_set1_ps(*p); }
/* the first n = 2, 4 or 8 elements, over and over */
static inline vec v_repeat(const float *p, const int n) {
  double two;
  if (n == 8) return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
  if (n == 4) return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
  memcpy(&two, p, sizeof two);
  return _mm512_castpd_ps(_mm512_set1_pd(two));
}
static inline vec v_set1(double c) { return _mm512_set1_ps((float)c); }
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline vec v_sqrt(vec a) { return _mm512_sqrt_ps(a); }
static inline vec v_neg(vec a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
static inline vec v_abs(vec a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
static inline vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); } /* b if either is NaN */
static inline vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); } /* b if either is NaN */

static inline mask v_lt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline mask v_le(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline mask v_gt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline mask v_ge(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
static inline mask v_eq(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline mask v_ne(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
static inline mask v_or(mask a, mask b) { return (mask)(a | b); }
static inline int v_any(mask m) { return m != 0; }
static inline vec v_select(mask m, vec a, vec b) { return _mm512_mask_blend_ps(m, b, a); }

/* The halves are added, then as in vec_avx2.h. */
static inline float v_reduce_add(vec a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline float v_reduce_max(vec a) {
  const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* to[i] = the sum of s[i]: four sums as in vec_avx2.h, one a quarter, then the halves and theirs */
static inline void v_store_sums(float to[4], const vec s[4]) {
  const vec a = _mm512_add_ps(_mm512_unpacklo_ps(s[0], s[1]), _mm512_unpackhi_ps(s[0], s[1]));
  const vec b = _mm512_add_ps(_mm512_unpacklo_ps(s[2], s[3]), _mm512_unpackhi_ps(s[2], s[3]));
  const vec t = _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, a, b), _mm512_shuffle_ps(a, b, 0x4E));
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(t), _mm512_extractf32x8_ps(t, 1));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef __m512i lanes;
static inline lanes v_lanes(const int32_t *from) { return _mm512_loadu_si512(from); }
static inline vec v_permute(vec a, lanes from) { return _mm512_permutexvar_ps(from, a); }

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const float *from, int64_t ld, float *to, int64_t to_ld) {
  transpose_8x8(from, ld, to, to_ld);
}
/* the same of V_N x V_N */
static inline void v_transpose(const float *from, int64_t ld, float *to, int64_t to_ld) {
  for (int i = 0; i < 16; i += 8)
    for (int j = 0; j < 16; j += 8) transpose_8x8(from + i * ld + j, ld, to + j * to_ld + i, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const float *const row[16], int64_t p, vec column[4]) {
  __m512 r[4];
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_castps128_ps512(_mm_loadu_ps(row[i] + p));
    r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 4] + p), 1);
    r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 8] + p), 2);
    r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 12] + p), 3);
  }
  const __m512 a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpackhi_ps(r[0], r[1]);
  const __m512 c = _mm512_unpacklo_ps(r[2], r[3]), d = _mm512_unpackhi_ps(r[2], r[3]);
  column[0] = _mm512_shuffle_ps(a, c, 0x44);
  column[1] = _mm512_shuffle_ps(a, c, 0xEE);
  column[2] = _mm512_shuffle_ps(b, d, 0x44);
  column[3] = _mm512_shuffle_ps(b, d, 0xEE);
}

/* For body_math.h. x = mantissa 2^exponent with mantissa in [1, 2), for positive normal x. */
static inline vec v_round(vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec v_copysign(vec a, vec sign) {
  return _mm512_or_ps(v_abs(a), _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
/* 2^n for a whole number n, -126 <= n <= 127 */
static inline vec v_pow2i(vec n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}
static inline vec v_exponent(vec x) {
  const __m512i biased = _mm512_srli_epi32(_mm512_castps_si512(x), 23);
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(biased, _mm512_set1_epi32(127)));
}
static inline vec v_mantissa(vec x) {
  const __m512 fraction = _mm512_and_ps(x, _mm512_castsi512_ps(_mm512_set1_epi32(0x007FFFFF)));
  return _mm512_or_ps(fraction, _mm512_set1_ps(1.0f));
}

#endif
