/* body_libm.h: exp, log, tanh, erf, erfc, pow of vectors of doubles: the C library's, one element
 * after another, so that float64 keeps its precision. For float vectors see body_math.h.
 */
#ifndef SW_BODY_LIBM_H
#define SW_BODY_LIBM_H

#define BY_ELEMENT(f)                             \
  static inline vec v_##f(vec a) {                \
    real x[V_N];                                  \
    v_store(x, a);                                \
    for (int i = 0; i < V_N; i++) x[i] = f(x[i]); \
    return v_load(x);                             \
  }

/* The first n elements; of the others nothing is known. */
static inline vec v_exp_first(vec a, int64_t n) {
  real x[V_N];
  v_store(x, a);
  for (int64_t i = 0; i < n; i++) x[i] = exp(x[i]);
  return v_load(x);
}

BY_ELEMENT(exp)
BY_ELEMENT(log)
BY_ELEMENT(tanh)
BY_ELEMENT(log1p)
BY_ELEMENT(erf)
BY_ELEMENT(erfc)
#undef BY_ELEMENT

static inline vec v_pow(vec a, vec b) {
  real x[V_N], y[V_N];
  v_store(x, a);
  v_store(y, b);
  for (int i = 0; i < V_N; i++) x[i] = pow(x[i], y[i]);
  return v_load(x);
}

#endif
