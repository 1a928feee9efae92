/* vec_neon_f64.h: the vector primitives for two doubles, the Advanced SIMD of every aarch64. */
#ifndef SW_VEC_NEON_F64_H
#define SW_VEC_NEON_F64_H

#include <arm_neon.h>
#include <stdint.h>

#define real double
#define REAL_BYTES 8
#define PER_SET(scalar, neon, avx2, avx512) neon
#include "kernels/vec_numbers.h"

typedef float64x2_t vec;
typedef uint64x2_t mask; /* all bits of an element, or none */

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const double *p) { return vld1q_f64(p); }
static inline vec v_load_part(const double *p, int64_t n) {
  return vsetq_lane_f64(n > 0 ? *p : 0, vdupq_n_f64(0), 0);
}
static inline vec v_load_f32(const float *p) { return vcvt_f64_f32(vld1_f32(p)); }
static inline vec v_load_f32_part(const float *p, int64_t n) {
  return vsetq_lane_f64(n > 0 ? (double)*p : 0, vdupq_n_f64(0), 0);
}
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  const double padded[2] = {p[0], n > 1 ? p[1] : 0};
  return vld1q_f64(padded);
}
static inline vec v_load_u8(const uint8_t *p) { return v_load_u8_part(p, 2); }
static inline void v_store(double *p, vec a) { vst1q_f64(p, a); }
static inline void v_store_part(double *p, vec a, int64_t n) {
  if (n > 0) *p = vgetq_lane_f64(a, 0);
}
static inline mask v_head(int64_t n) {
  static const uint64_t lane[2] = {0, 1};
  return vcltq_u64(vld1q_u64(lane), vdupq_n_u64((uint64_t)n));
}

static inline vec v_broadcast(const double *p) { return vld1q_dup_f64(p); }
/* the first n elements, over and over: none, there are two in all */
static inline vec v_repeat(const double *p, const int n) {
  (void)n;
  return vld1q_f64(p);
}
static inline vec v_set1(double c) { return vdupq_n_f64(c); }
static inline vec v_add(vec a, vec b) { return vaddq_f64(a, b); }
static inline vec v_sub(vec a, vec b) { return vsubq_f64(a, b); }
static inline vec v_mul(vec a, vec b) { return vmulq_f64(a, b); }
static inline vec v_div(vec a, vec b) { return vdivq_f64(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return vfmaq_f64(c, a, b); }
static inline vec v_sqrt(vec a) { return vsqrtq_f64(a); }
static inline vec v_neg(vec a) { return vnegq_f64(a); }
static inline vec v_abs(vec a) { return vabsq_f64(a); }

static inline mask v_lt(vec a, vec b) { return vcltq_f64(a, b); }
static inline mask v_le(vec a, vec b) { return vcleq_f64(a, b); }
static inline mask v_gt(vec a, vec b) { return vcgtq_f64(a, b); }
static inline mask v_ge(vec a, vec b) { return vcgeq_f64(a, b); }
static inline mask v_eq(vec a, vec b) { return vceqq_f64(a, b); }
static inline mask v_ne(vec a, vec b) { return veorq_u64(v_eq(a, b), vdupq_n_u64(UINT64_MAX)); }
static inline mask v_or(mask a, mask b) { return vorrq_u64(a, b); }
static inline int v_any(mask m) { return vmaxvq_u32(vreinterpretq_u32_u64(m)) != 0; }
static inline vec v_select(mask m, vec a, vec b) { return vbslq_f64(m, a, b); }

/* The processor's own maximum gives NaN where x86's gives b. */
static inline vec v_max(vec a, vec b) { return v_select(v_gt(a, b), a, b); } /* b if a NaN */
static inline vec v_min(vec a, vec b) { return v_select(v_lt(a, b), a, b); } /* b if a NaN */

static inline double v_reduce_add(vec a) { return vaddvq_f64(a); }
static inline double v_reduce_max(vec a) { return vmaxvq_f64(a); }

/* to[i] = the sum of s[i] */
static inline void v_store_sums(double to[4], const vec s[4]) {
  v_store(to, vpaddq_f64(s[0], s[1]));
  v_store(to + 2, vpaddq_f64(s[2], s[3]));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef uint8x16_t lanes; /* of bytes */
static inline lanes v_lanes(const int32_t *from) {
  const uint64_t bytes = 0x0706050403020100u, eight = 0x0808080808080808u;
  const uint64_t at[2] = {bytes + eight * (uint64_t)from[0], bytes + eight * (uint64_t)from[1]};
  return vreinterpretq_u8_u64(vld1q_u64(at));
}
static inline vec v_permute(vec a, lanes from) {
  return vreinterpretq_f64_u8(vqtbl1q_u8(vreinterpretq_u8_f64(a), from));
}

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const double *from, int64_t ld, double *to, int64_t to_ld) {
  const vec top = v_load(from), low = v_load(from + ld);
  v_store(to, vzip1q_f64(top, low));
  v_store(to + to_ld, vzip2q_f64(top, low));
}
/* the same of V_N x V_N */
static inline void v_transpose(const double *from, int64_t ld, double *to, int64_t to_ld) {
  v_transpose_block(from, ld, to, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const double *const row[2], int64_t p, vec column[4]) {
  for (int q = 0; q < 4; q += 2, p += 2) {
    const vec top = v_load(row[0] + p), low = v_load(row[1] + p);
    column[q] = vzip1q_f64(top, low);
    column[q + 1] = vzip2q_f64(top, low);
  }
}

#endif
