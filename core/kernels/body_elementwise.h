/* body_elementwise.h: y[i] = f(...) for the unary and binary functions, fill, scale, axpy, lerp. */
#ifndef SW_BODY_ELEMENTWISE_H
#define SW_BODY_ELEMENTWISE_H

#include "kernels/body_basics.h"

static inline vec v_relu(vec x) { return v_max(v_set1(0), x); }

/* With e = exp(-|x|), which cannot overflow: 1 / (1 + e), or e / (1 + e) on the left. */
static inline vec v_sigmoid(vec x) {
  const vec e = v_exp(v_neg(v_abs(x))), one = v_set1(1);
  return v_div(v_select(v_lt(x, v_set1(0)), e, one), v_add(one, e));
}

/* sigmoid'(x) = e / (1 + e)^2: where sigmoid rounds to 1, y (1 - y) would be 0 */
static inline vec v_sigmoid_slope(vec x) {
  const vec e = v_exp(v_neg(v_abs(x))), all = v_add(v_set1(1), e);
  return v_div(e, v_mul(all, all));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + e), with the same e */
static inline vec v_softplus(vec x) { return v_add(v_relu(x), v_log1p(v_exp(v_neg(v_abs(x))))); }

static inline vec v_sign(vec x) {
  const vec zero = v_set1(0), no_number = v_select(v_ne(x, x), x, zero);
  return v_select(v_gt(x, zero), v_set1(1), v_select(v_lt(x, zero), v_set1(-1), no_number));
}

/* a if it is NaN, and b if that is */
static inline vec max2(vec a, vec b) { return v_select(v_or(v_gt(a, b), v_ne(a, a)), a, b); }
static inline vec min2(vec a, vec b) { return v_select(v_or(v_lt(a, b), v_ne(a, a)), a, b); }

static inline vec one_where(mask m) { return v_select(m, v_set1(1), v_set1(0)); }
static inline vec lt(vec a, vec b) { return one_where(v_lt(a, b)); }
static inline vec le(vec a, vec b) { return one_where(v_le(a, b)); }
static inline vec gt(vec a, vec b) { return one_where(v_gt(a, b)); }
static inline vec ge(vec a, vec b) { return one_where(v_ge(a, b)); }
static inline vec eq(vec a, vec b) { return one_where(v_eq(a, b)); }
static inline vec ne(vec a, vec b) { return one_where(v_ne(a, b)); }
static inline vec gate(vec a, vec b) { return v_select(v_gt(b, v_set1(0)), a, v_set1(0)); }

/* The loops. The last few elements are computed in the same vectors as the others, so that a value
 * does not depend on its position. f is a constant and inlined. */
INLINE void map1(int64_t n, const real *x, real *y, vec (*f)(vec)) {
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, f(v_load(x + i)));
  if (i < n) v_store_part(y + i, f(v_load_part(x + i, n - i)), n - i);
}

INLINE void map2(int64_t n, const real *a, const real *b, real *y, vec (*f)(vec, vec)) {
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, f(v_load(a + i), v_load(b + i)));
  if (i < n) v_store_part(y + i, f(v_load_part(a + i, n - i), v_load_part(b + i, n - i)), n - i);
}

INLINE void map_vs(int64_t n, const real *a, vec b, real *y, vec (*f)(vec, vec)) {
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, f(v_load(a + i), b));
  if (i < n) v_store_part(y + i, f(v_load_part(a + i, n - i), b), n - i);
}

INLINE void map_sv(int64_t n, vec a, const real *b, real *y, vec (*f)(vec, vec)) {
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, f(a, v_load(b + i)));
  if (i < n) v_store_part(y + i, f(a, v_load_part(b + i, n - i)), n - i);
}

#define UNARY(name, f) \
  static void unary_##name(int64_t n, const void *x, void *y) { map1(n, x, y, f); }

/* The scalar operand is read before the first store: y may be that element. n may be 0. */
#define BINARY(name, f)                                                            \
  static void binary_##name(int64_t n, const void *a, const void *b, void *y) {    \
    map2(n, a, b, y, f);                                                           \
  }                                                                                \
  static void binary_vs_##name(int64_t n, const void *a, const void *b, void *y) { \
    map_vs(n, a, v_set1((double)*(const real *)b), y, f);                          \
  }                                                                                \
  static void binary_sv_##name(int64_t n, const void *a, const void *b, void *y) { \
    map_sv(n, v_set1((double)*(const real *)a), b, y, f);                          \
  }

#include "kernels/elementwise.def"

static void where(int64_t n, const void *pm, const void *pa, const void *pb, void *py) {
  const real *m = pm, *a = pa, *b = pb;
  const vec zero = v_set1(0);
  real *y = py;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N)
    v_store(y + i, v_select(v_ne(v_load(m + i), zero), v_load(a + i), v_load(b + i)));
  if (i == n) return;
  const mask chosen = v_ne(v_load_part(m + i, n - i), zero);
  v_store_part(y + i, v_select(chosen, v_load_part(a + i, n - i), v_load_part(b + i, n - i)),
               n - i);
}

static void fill(int64_t n, double value, void *py) {
  const vec c = v_set1(value);
  real *y = py;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, c);
  if (i < n) v_store_part(y + i, c, n - i);
}

static void scale(int64_t n, double c, const void *x, void *y) {
  map_vs(n, x, v_set1(c), y, v_mul);
}

static void axpy(int64_t n, double a, const void *px, void *py) {
  const vec c = v_set1(a);
  const real *x = px;
  real *y = py;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(y + i, v_fma(c, v_load(x + i), v_load(y + i)));
  if (i < n)
    v_store_part(y + i, v_fma(c, v_load_part(x + i, n - i), v_load_part(y + i, n - i)), n - i);
}

static void lerp(int64_t n, double t, const void *px, void *py) {
  const vec c = v_set1(t);
  const real *x = px;
  real *y = py;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) {
    const vec old = v_load(y + i);
    v_store(y + i, v_fma(c, v_sub(v_load(x + i), old), old));
  }
  if (i == n) return;
  const vec old = v_load_part(y + i, n - i);
  v_store_part(y + i, v_fma(c, v_sub(v_load_part(x + i, n - i), old), old), n - i);
}

typedef struct carried {
  vec y, carry;
} carried;

/* y + d as a sum and its exact error, whichever is larger (Knuth). */
INLINE carried two_sum(vec y, vec d) {
  const vec sum = v_add(y, d), of_d = v_sub(sum, y);
  return (carried){sum, v_add(v_sub(y, v_sub(sum, of_d)), v_sub(d, of_d))};
}

INLINE carried lerp_carried(vec t, vec x, carried m) {
  const vec away = v_sub(v_sub(x, m.y), m.carry);
  return two_sum(m.y, v_fma(t, away, m.carry));
}

static void lerp_carry(int64_t n, double t, const void *px, void *py, void *pcarry) {
  const vec c = v_set1(t);
  const real *x = px;
  real *y = py, *carry = pcarry;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) {
    const carried m = lerp_carried(c, v_load(x + i), (carried){v_load(y + i), v_load(carry + i)});
    v_store(y + i, m.y);
    v_store(carry + i, m.carry);
  }
  if (i == n) return;
  const carried old = {v_load_part(y + i, n - i), v_load_part(carry + i, n - i)};
  const carried m = lerp_carried(c, v_load_part(x + i, n - i), old);
  v_store_part(y + i, m.y, n - i);
  v_store_part(carry + i, m.carry, n - i);
}

#endif
