/* vec_avx2_f64.h: the vector primitives for four doubles, AVX2 and FMA. */
#ifndef SW_VEC_AVX2_F64_H
#define SW_VEC_AVX2_F64_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define real double
#define REAL_BYTES 8
#define PER_SET(scalar, neon, avx2, avx512) avx2
#include "kernels/vec_numbers.h"
#include "kernels/vec_transpose_x86.h"

typedef __m256d vec;
typedef __m256d mask; /* all bits of an element, or none */

static inline __m256i v_head_bits(int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const double *p) { return _mm256_loadu_pd(p); }
static inline vec v_load_part(const double *p, int64_t n) {
  return _mm256_maskload_pd(p, v_head_bits(n));
}
static inline vec v_load_f32(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline vec v_load_f32_part(const float *p, int64_t n) {
  const __m128i head = _mm_cmpgt_epi32(_mm_set1_epi32((int)n), _mm_setr_epi32(0, 1, 2, 3));
  return _mm256_cvtps_pd(_mm_maskload_ps(p, head));
}
static inline vec v_load_u8(const uint8_t *p) {
  int four;
  memcpy(&four, p, 4);
  return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  uint8_t padded[4] = {0};
  memcpy(padded, p, (size_t)n);
  return v_load_u8(padded);
}
static inline void v_store(double *p, vec a) { _mm256_storeu_pd(p, a); }
static inline void v_store_part(double *p, vec a, int64_t n) {
  _mm256_maskstore_pd(p, v_head_bits(n), a);
}
static inline mask v_head(int64_t n) { return _mm256_castsi256_pd(v_head_bits(n)); }

static inline vec v_broadcast(const double *p) { return _mm256_broadcast_sd(p); }
/* the first n = 2 elements, over and over */
static inline vec v_repeat(const double *p, const int n) {
  (void)n;
  return _mm256_broadcast_pd((const __m128d *)(const void *)p);
}
static inline vec v_set1(double c) { return _mm256_set1_pd(c); }
static inline vec v_add(vec a, vec b) { return _mm256_add_pd(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm256_sub_pd(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_pd(a, b); }
static inline vec v_div(vec a, vec b) { return _mm256_div_pd(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
static inline vec v_sqrt(vec a) { return _mm256_sqrt_pd(a); }
static inline vec v_neg(vec a) { return _mm256_xor_pd(a, _mm256_set1_pd(-0.0)); }
static inline vec v_abs(vec a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
static inline vec v_max(vec a, vec b) { return _mm256_max_pd(a, b); } /* b if either is NaN */
static inline vec v_min(vec a, vec b) { return _mm256_min_pd(a, b); } /* b if either is NaN */

static inline mask v_lt(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
static inline mask v_le(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_LE_OQ); }
static inline mask v_gt(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
static inline mask v_ge(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
static inline mask v_eq(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
static inline mask v_ne(vec a, vec b) { return _mm256_cmp_pd(a, b, _CMP_NEQ_UQ); }
static inline mask v_or(mask a, mask b) { return _mm256_or_pd(a, b); }
static inline int v_any(mask m) { return _mm256_movemask_pd(m) != 0; }
static inline vec v_select(mask m, vec a, vec b) { return _mm256_blendv_pd(b, a, m); }

/* (0 + 2) + (1 + 3) */
static inline double v_reduce_add(vec a) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline double v_reduce_max(vec a) {
  const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}

/* to[i] = the sum of s[i], (0 + 1) + (2 + 3) */
static inline void v_store_sums(double to[4], const vec s[4]) {
  const vec a = _mm256_add_pd(_mm256_unpacklo_pd(s[0], s[1]), _mm256_unpackhi_pd(s[0], s[1]));
  const vec b = _mm256_add_pd(_mm256_unpacklo_pd(s[2], s[3]), _mm256_unpackhi_pd(s[2], s[3]));
  v_store(to,
          _mm256_add_pd(_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31)));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef __m256i lanes; /* of halves of elements */
static inline lanes v_lanes(const int32_t *from) {
  const __m128i first = _mm_slli_epi32(_mm_loadu_si128((const __m128i *)(const void *)from), 1);
  const __m256i low = _mm256_cvtepu32_epi64(first);
  const __m256i high = _mm256_slli_epi64(_mm256_add_epi64(low, _mm256_set1_epi64x(1)), 32);
  return _mm256_or_si256(low, high);
}
static inline vec v_permute(vec a, lanes from) {
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(a), from));
}

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const double *from, int64_t ld, double *to, int64_t to_ld) {
  transpose_4x4(from, ld, to, to_ld);
}
/* the same of V_N x V_N */
static inline void v_transpose(const double *from, int64_t ld, double *to, int64_t to_ld) {
  transpose_4x4(from, ld, to, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const double *const row[4], int64_t p, vec column[4]) {
  for (int q = 0; q < 4; q += 2, p += 2) {
    vec r[2];
    for (int i = 0; i < 2; i++)
      r[i] = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(row[i] + p)),
                                  _mm_loadu_pd(row[i + 2] + p), 1);
    column[q] = _mm256_unpacklo_pd(r[0], r[1]);
    column[q + 1] = _mm256_unpackhi_pd(r[0], r[1]);
  }
}

#endif
