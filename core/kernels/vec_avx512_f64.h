/* vec_avx512_f64.h: the vector primitives for eight doubles, AVX-512 F, BW, DQ and VL. */
#ifndef SW_VEC_AVX512_F64_H
#define SW_VEC_AVX512_F64_H

#if defined(SWI_EMULATE_AVX512)
#include "kernels/vec_avx512_emulated.h"
#else
#include <immintrin.h>
#endif
#include <stdint.h>

#define real double
#define REAL_BYTES 8
#define PER_SET(scalar, neon, avx2, avx512) avx512
#include "kernels/vec_numbers.h"
#include "kernels/vec_transpose_x86.h"

typedef __m512d vec;
typedef __mmask8 mask; /* a bit an element */

static inline mask v_head(int64_t n) { return (mask)((1u << n) - 1); }

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const double *p) { return _mm512_loadu_pd(p); }
static inline vec v_load_part(const double *p, int64_t n) {
  return _mm512_maskz_loadu_pd(v_head(n), p);
}
static inline vec v_load_f32(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline vec v_load_f32_part(const float *p, int64_t n) {
  return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(v_head(n), p));
}
static inline vec v_of_bytes(__m128i x) { return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(x)); }
static inline vec v_load_u8(const uint8_t *p) {
  return v_of_bytes(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  return v_of_bytes(_mm_maskz_loadu_epi8(v_head(n), p));
}
static inline void v_store(double *p, vec a) { _mm512_storeu_pd(p, a); }
static inline void v_store_part(double *p, vec a, int64_t n) {
  _mm512_mask_storeu_pd(p, v_head(n), a);
}

static inline vec v_broadcast(const double *p) { return _mm512_set1_pd(*p); }
/* the first n = 2 or 4 elements, over and over */
static inline vec v_repeat(const double *p, const int n) {
  if (n == 4) return _mm512_broadcast_f64x4(_mm256_loadu_pd(p));
  return _mm512_broadcast_f64x2(_mm_loadu_pd(p));
}
static inline vec v_set1(double c) { return _mm512_set1_pd(c); }
static inline vec v_add(vec a, vec b) { return _mm512_add_pd(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_pd(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_pd(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_pd(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
static inline vec v_sqrt(vec a) { return _mm512_sqrt_pd(a); }
static inline vec v_neg(vec a) { return _mm512_xor_pd(a, _mm512_set1_pd(-0.0)); }
static inline vec v_abs(vec a) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a); }
static inline vec v_max(vec a, vec b) { return _mm512_max_pd(a, b); } /* b if either is NaN */
static inline vec v_min(vec a, vec b) { return _mm512_min_pd(a, b); } /* b if either is NaN */

static inline mask v_lt(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
static inline mask v_le(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
static inline mask v_gt(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
static inline mask v_ge(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
static inline mask v_eq(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
static inline mask v_ne(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ); }
static inline mask v_or(mask a, mask b) { return (mask)(a | b); }
static inline int v_any(mask m) { return m != 0; }
static inline vec v_select(mask m, vec a, vec b) { return _mm512_mask_blend_pd(m, b, a); }

/* The halves are added, then as in vec_avx2_f64.h. */
static inline double v_reduce_add(vec a) {
  const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline double v_reduce_max(vec a) {
  const __m256d h = _mm256_max_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
  const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}

/* to[i] = the sum of s[i], ((0 + 1) + (4 + 5)) + ((2 + 3) + (6 + 7)) */
static inline void v_store_sums(double to[4], const vec s[4]) {
  __m256d h[2];
  for (int i = 0; i < 2; i++) {
    const vec even = _mm512_unpacklo_pd(s[2 * i], s[2 * i + 1]);
    const vec pairs = _mm512_add_pd(even, _mm512_unpackhi_pd(s[2 * i], s[2 * i + 1]));
    h[i] = _mm256_add_pd(_mm512_castpd512_pd256(pairs), _mm512_extractf64x4_pd(pairs, 1));
  }
  _mm256_storeu_pd(to, _mm256_add_pd(_mm256_permute2f128_pd(h[0], h[1], 0x20),
                                     _mm256_permute2f128_pd(h[0], h[1], 0x31)));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef __m512i lanes;
static inline lanes v_lanes(const int32_t *from) {
  int64_t at[8];
  for (int i = 0; i < 8; i++) at[i] = from[i];
  return _mm512_loadu_si512(at);
}
static inline vec v_permute(vec a, lanes from) { return _mm512_permutexvar_pd(from, a); }

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const double *from, int64_t ld, double *to, int64_t to_ld) {
  transpose_4x4(from, ld, to, to_ld);
}
/* the same of V_N x V_N */
static inline void v_transpose(const double *from, int64_t ld, double *to, int64_t to_ld) {
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 8; j += 4) transpose_4x4(from + i * ld + j, ld, to + j * to_ld + i, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const double *const row[8], int64_t p, vec column[4]) {
  for (int q = 0; q < 4; q += 2, p += 2) {
    vec r[2];
    for (int i = 0; i < 2; i++) {
      r[i] = _mm512_castpd128_pd512(_mm_loadu_pd(row[i] + p));
      r[i] = _mm512_insertf64x2(r[i], _mm_loadu_pd(row[i + 2] + p), 1);
      r[i] = _mm512_insertf64x2(r[i], _mm_loadu_pd(row[i + 4] + p), 2);
      r[i] = _mm512_insertf64x2(r[i], _mm_loadu_pd(row[i + 6] + p), 3);
    }
    column[q] = _mm512_unpacklo_pd(r[0], r[1]);
    column[q + 1] = _mm512_unpackhi_pd(r[0], r[1]);
  }
}

#endif
