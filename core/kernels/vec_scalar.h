/* vec_scalar.h: the vector primitives for one element at a time; the includer defines `real` and
 * REAL_BYTES.
 *
 * The reference variant: libm's functions, no fused multiply-add (v_fma rounds twice). The other
 * vec_*.h define these, and those that products, convolutions and body_math.h need besides.
 */
#ifndef SW_VEC_SCALAR_H
#define SW_VEC_SCALAR_H

#include <math.h>
#include <stdint.h>

#define PER_SET(scalar, neon, avx2, avx512) scalar
#include "kernels/vec_numbers.h"

typedef real vec;
typedef int mask;

/* parts: the first n of V_N elements, 0 < n < V_N; the others are read as 0 and not written */
static inline vec v_load(const real *p) { return *p; }
static inline vec v_load_part(const real *p, int64_t n) { return n > 0 ? *p : 0; }
static inline vec v_load_f32(const float *p) { return (real)*p; }
static inline vec v_load_f32_part(const float *p, int64_t n) { return n > 0 ? (real)*p : 0; }
static inline vec v_load_u8(const uint8_t *p) { return (real)*p; }
static inline vec v_load_u8_part(const uint8_t *p, int64_t n) { return n > 0 ? (real)*p : 0; }
static inline void v_store(real *p, vec a) { *p = a; }
static inline void v_store_part(real *p, vec a, int64_t n) {
  if (n > 0) *p = a;
}
static inline mask v_head(int64_t n) { return n > 0; } /* the first n elements */

static inline vec v_set1(double c) { return (real)c; }
static inline vec v_add(vec a, vec b) { return a + b; }
static inline vec v_sub(vec a, vec b) { return a - b; }
static inline vec v_mul(vec a, vec b) { return a * b; }
static inline vec v_div(vec a, vec b) { return a / b; }
static inline vec v_fma(vec a, vec b, vec c) { return a * b + c; } /* fused where there is one */
static inline vec v_sqrt(vec a) {
  return sizeof(real) == 4 ? (real)sqrtf((float)a) : (real)sqrt((double)a);
}
static inline vec v_neg(vec a) { return -a; }
static inline vec v_abs(vec a) { return (real)fabs((double)a); }
static inline vec v_max(vec a, vec b) { return a > b ? a : b; } /* b if either is NaN */

static inline mask v_lt(vec a, vec b) { return a < b; }
static inline mask v_le(vec a, vec b) { return a <= b; }
static inline mask v_gt(vec a, vec b) { return a > b; }
static inline mask v_ge(vec a, vec b) { return a >= b; }
static inline mask v_eq(vec a, vec b) { return a == b; }
static inline mask v_ne(vec a, vec b) { return a != b; } /* true if either is NaN */
static inline mask v_or(mask a, mask b) { return a | b; }
static inline int v_any(mask m) { return m; }
static inline vec v_select(mask m, vec a, vec b) { return m ? a : b; }

static inline real v_reduce_add(vec a) { return a; }
static inline real v_reduce_max(vec a) { return a; }

static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }

/* sizeof is constant: one of the two is left */
static inline vec v_exp(vec x) {
  return sizeof(real) == 4 ? (real)expf((float)x) : (real)exp((double)x);
}
static inline vec v_exp_first(vec x, int64_t n) { return n < 1 ? x : v_exp(x); }
static inline vec v_log(vec x) {
  return sizeof(real) == 4 ? (real)logf((float)x) : (real)log((double)x);
}
static inline vec v_tanh(vec x) {
  return sizeof(real) == 4 ? (real)tanhf((float)x) : (real)tanh((double)x);
}
static inline vec v_log1p(vec x) {
  return sizeof(real) == 4 ? (real)log1pf((float)x) : (real)log1p((double)x);
}
static inline vec v_erf(vec x) {
  return sizeof(real) == 4 ? (real)erff((float)x) : (real)erf((double)x);
}
static inline vec v_erfc(vec x) {
  return sizeof(real) == 4 ? (real)erfcf((float)x) : (real)erfc((double)x);
}
static inline vec v_pow(vec a, vec b) {
  return sizeof(real) == 4 ? (real)powf((float)a, (float)b) : (real)pow((double)a, (double)b);
}

#endif
