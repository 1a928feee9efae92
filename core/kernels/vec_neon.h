/* vec_neon.h: the vector primitives for four floats, the Advanced SIMD of every aarch64. */
#ifndef SW_VEC_NEON_H
#define SW_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define real float
#define REAL_BYTES 4
#define PER_SET(scalar, neon, avx2, avx512) neon
#include "kernels/vec_numbers.h"

typedef float32x4_t vec;
typedef uint32x4_t mask; /* all bits of an element, or none */

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const float *p) { return vld1q_f32(p); }
static inline vec v_load_part(const float *p, int64_t n) {
  const float padded[4] = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
  return vld1q_f32(padded);
}
static inline vec v_load_f32(const float *p) { return v_load(p); }
static inline vec v_load_f32_part(const float *p, int64_t n) { return v_load_part(p, n); }
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) {
  const uint8_t padded[8] = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(padded)))));
}
static inline vec v_load_u8(const uint8_t *p) { return v_load_u8_part(p, 4); }
static inline void v_store(float *p, vec a) { vst1q_f32(p, a); }
static inline void v_store_part(float *p, vec a, int64_t n) {
  p[0] = vgetq_lane_f32(a, 0);
  if (n > 1) p[1] = vgetq_lane_f32(a, 1);
  if (n > 2) p[2] = vgetq_lane_f32(a, 2);
}
static inline mask v_head(int64_t n) {
  static const uint32_t lane[4] = {0, 1, 2, 3};
  return vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)n));
}

static inline vec v_broadcast(const float *p) { return vld1q_dup_f32(p); }
/* the first n = 2 elements, over and over */
static inline vec v_repeat(const float *p, const int n) {
  (void)n;
  return vcombine_f32(vld1_f32(p), vld1_f32(p));
}
static inline vec v_set1(double c) { return vdupq_n_f32((float)c); }
static inline vec v_add(vec a, vec b) { return vaddq_f32(a, b); }
static inline vec v_sub(vec a, vec b) { return vsubq_f32(a, b); }
static inline vec v_mul(vec a, vec b) { return vmulq_f32(a, b); }
static inline vec v_div(vec a, vec b) { return vdivq_f32(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
static inline vec v_sqrt(vec a) { return vsqrtq_f32(a); }
static inline vec v_neg(vec a) { return vnegq_f32(a); }
static inline vec v_abs(vec a) { return vabsq_f32(a); }

static inline mask v_lt(vec a, vec b) { return vcltq_f32(a, b); }
static inline mask v_le(vec a, vec b) { return vcleq_f32(a, b); }
static inline mask v_gt(vec a, vec b) { return vcgtq_f32(a, b); }
static inline mask v_ge(vec a, vec b) { return vcgeq_f32(a, b); }
static inline mask v_eq(vec a, vec b) { return vceqq_f32(a, b); }
static inline mask v_ne(vec a, vec b) { return vmvnq_u32(vceqq_f32(a, b)); }
static inline mask v_or(mask a, mask b) { return vorrq_u32(a, b); }
static inline int v_any(mask m) { return vmaxvq_u32(m) != 0; }
static inline vec v_select(mask m, vec a, vec b) { return vbslq_f32(m, a, b); }

/* The processor's own maximum gives NaN where x86's gives b. */
static inline vec v_max(vec a, vec b) { return v_select(v_gt(a, b), a, b); } /* b if a NaN */
static inline vec v_min(vec a, vec b) { return v_select(v_lt(a, b), a, b); } /* b if a NaN */

/* (0 + 2) + (1 + 3) */
static inline float v_reduce_add(vec a) {
  const float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
static inline float v_reduce_max(vec a) { return vmaxvq_f32(a); }

/* to[i] = the sum of s[i], (0 + 1) + (2 + 3) */
static inline void v_store_sums(float to[4], const vec s[4]) {
  v_store(to, vpaddq_f32(vpaddq_f32(s[0], s[1]), vpaddq_f32(s[2], s[3])));
}

/* element i of the result is element from[i] of a, for a v_lanes(from) */
typedef uint8x16_t lanes; /* of bytes */
static inline lanes v_lanes(const int32_t *from) {
  const uint32x4_t first = vmulq_n_u32(vreinterpretq_u32_s32(vld1q_s32(from)), 0x04040404u);
  return vreinterpretq_u8_u32(vaddq_u32(first, vdupq_n_u32(0x03020100u)));
}
static inline vec v_permute(vec a, lanes from) {
  return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(a), from));
}

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void v_prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); } /* into L2 */

/* V_BLOCK x V_BLOCK elements: rows become columns, each stored after the one before */
static inline void v_transpose_block(const float *from, int64_t ld, float *to, int64_t to_ld) {
  const float32x4x2_t top = vtrnq_f32(v_load(from), v_load(from + ld));
  const float32x4x2_t low = vtrnq_f32(v_load(from + 2 * ld), v_load(from + 3 * ld));
  for (int i = 0; i < 2; i++)
    v_store(to + i * to_ld, vcombine_f32(vget_low_f32(top.val[i]), vget_low_f32(low.val[i])));
  for (int i = 0; i < 2; i++)
    v_store(to + (i + 2) * to_ld,
            vcombine_f32(vget_high_f32(top.val[i]), vget_high_f32(low.val[i])));
}
/* the same of V_N x V_N */
static inline void v_transpose(const float *from, int64_t ld, float *to, int64_t to_ld) {
  v_transpose_block(from, ld, to, to_ld);
}

/* lane i of column[q] = element p + q of row[i], for q = 0 ... 3 */
static inline void v_columns(const float *const row[4], int64_t p, vec column[4]) {
  const float32x4x2_t top = vtrnq_f32(v_load(row[0] + p), v_load(row[1] + p));
  const float32x4x2_t low = vtrnq_f32(v_load(row[2] + p), v_load(row[3] + p));
  for (int q = 0; q < 2; q++) {
    column[q] = vcombine_f32(vget_low_f32(top.val[q]), vget_low_f32(low.val[q]));
    column[q + 2] = vcombine_f32(vget_high_f32(top.val[q]), vget_high_f32(low.val[q]));
  }
}

/* For body_math.h. x = mantissa 2^exponent with mantissa in [1, 2), for positive normal x. */
static inline vec v_round(vec a) { return vrndnq_f32(a); }
static inline vec v_copysign(vec a, vec sign) {
  return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a);
}
/* 2^n for a whole number n, -126 <= n <= 127 */
static inline vec v_pow2i(vec n) {
  const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
}
static inline vec v_exponent(vec x) {
  const int32x4_t biased = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(x), 23));
  return vcvtq_f32_s32(vsubq_s32(biased, vdupq_n_s32(127)));
}
static inline vec v_mantissa(vec x) {
  const uint32x4_t fraction = vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x007FFFFF));
  return vreinterpretq_f32_u32(vorrq_u32(fraction, vdupq_n_u32(0x3F800000)));
}

#endif
