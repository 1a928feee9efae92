/* body_math.h: exp, log, tanh, erf, erfc of float vectors, for variants that have no libm.
 *
 * Each is within 2 ulp of the exact value over the whole range, and exact at 0, the infinities and
 * NaN. Series end where the remainder is below a tenth of an ulp; there are no tables. Only pow is
 * libm's, element by element.
 */
#ifndef SW_BODY_MATH_H
#define SW_BODY_MATH_H

/* ln 2 in two parts: n times the first is exact for |n| < 2^9. */
#define LN2_HIGH 0.693359375
#define LN2_LOW -2.12194440054690583e-4

/* x = n ln 2 + r, |r| <= ln 2 / 2; n is returned */
static inline vec reduce_by_ln2(vec x, vec *r) {
  const vec n = v_round(v_mul(x, v_set1(1.44269504088896341)));
  *r = v_fma(n, v_set1(-LN2_LOW), v_fma(n, v_set1(-LN2_HIGH), x));
  return n;
}

/* exp(r) - 1 = r + r^2 (1/2! + r/3! + ... + r^5/7!); the rest is below 6e-9 */
static inline vec exp_minus_1(vec r) {
  vec q = v_set1(1.0 / 5040);
  q = v_fma(q, r, v_set1(1.0 / 720));
  q = v_fma(q, r, v_set1(1.0 / 120));
  q = v_fma(q, r, v_set1(1.0 / 24));
  q = v_fma(q, r, v_set1(1.0 / 6));
  q = v_fma(q, r, v_set1(0.5));
  return v_fma(v_mul(r, r), q, r);
}

/* exp(x) = 2^n exp(r). Beyond the clamps lie 0 and infinity; n goes from -150 to 128, so the power
 * is applied in two halves, and denormal results are rounded once. */
static inline vec v_exp(vec x) {
  vec r;
  const vec clamped = v_max(v_set1(-104), v_min(v_set1(89), x)); /* keeps NaN */
  const vec n = reduce_by_ln2(clamped, &r);
  const vec half = v_round(v_mul(n, v_set1(0.5)));
  const vec y = v_add(exp_minus_1(r), v_set1(1));
  return v_mul(v_mul(y, v_pow2i(half)), v_pow2i(v_sub(n, half)));
}

/* The first n elements, as in body_libm.h. */
static inline vec v_exp_first(vec x, int64_t n) {
  (void)n;
  return v_exp(x);
}

/* log(1 + f) = f - (f^2/2 - s (f^2/2 + R)), s = f / (2 + f), where R = 2 s^2/3 + 2 s^4/5 + ...,
 * from log(1 + f) = 2 artanh(s); |s| < 0.172, and the remainder after s^10 is below 1e-9. */
static inline vec log_series(vec f, vec exponent) {
  const vec s = v_div(f, v_add(v_set1(2), f)), z = v_mul(s, s);
  const vec half_square = v_mul(v_mul(v_set1(0.5), f), f);
  vec rest = v_set1(2.0 / 11);
  rest = v_fma(rest, z, v_set1(2.0 / 9));
  rest = v_fma(rest, z, v_set1(2.0 / 7));
  rest = v_fma(rest, z, v_set1(2.0 / 5));
  rest = v_fma(rest, z, v_set1(2.0 / 3));
  rest = v_mul(rest, z);
  const vec low = v_fma(s, v_add(half_square, rest), v_mul(exponent, v_set1(LN2_LOW)));
  return v_fma(exponent, v_set1(LN2_HIGH), v_sub(f, v_sub(half_square, low)));
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)). Denormals are scaled up first. */
static inline vec v_log(vec x) {
  const vec smallest_normal = v_set1(0x1p-126), infinity = v_set1(__builtin_inf());
  const mask tiny = v_lt(x, smallest_normal);
  const vec scaled = v_select(tiny, v_mul(x, v_set1(0x1p23)), x);
  vec m = v_mantissa(scaled);
  vec e = v_sub(v_exponent(scaled), v_select(tiny, v_set1(23), v_set1(0)));
  const mask upper = v_gt(m, v_set1(1.41421356237309505));
  m = v_select(upper, v_mul(m, v_set1(0.5)), m);
  e = v_select(upper, v_add(e, v_set1(1)), e);
  vec y = log_series(v_sub(m, v_set1(1)), e);
  y = v_select(v_eq(x, infinity), infinity, y);
  y = v_select(v_eq(x, v_set1(0)), v_neg(infinity), y);
  y = v_select(v_lt(x, v_set1(0)), v_set1(__builtin_nan("")), y);
  return v_select(v_ne(x, x), x, y);
}

/* log(1 + x) for 0 <= x <= 1. The upper half is 2 (1 + (x - 1) / 2), whose f has no rounding. */
static inline vec v_log1p(vec x) {
  const mask upper = v_gt(x, v_set1(0.41421356237309505));
  const vec f = v_select(upper, v_mul(v_set1(0.5), v_sub(x, v_set1(1))), x);
  return log_series(f, v_select(upper, v_set1(1), v_set1(0)));
}

/* tanh x = x - x^3/3 + 2 x^5/15 - ...; for |x| < 0.35 the rest after x^13 is below 1e-9 */
static inline vec tanh_series(vec x) {
  const vec z = v_mul(x, x);
  vec p = v_set1(21844.0 / 6081075);
  p = v_fma(p, z, v_set1(-1382.0 / 155925));
  p = v_fma(p, z, v_set1(62.0 / 2835));
  p = v_fma(p, z, v_set1(-17.0 / 315));
  p = v_fma(p, z, v_set1(2.0 / 15));
  p = v_fma(p, z, v_set1(-1.0 / 3));
  return v_fma(v_mul(p, z), x, x);
}

/* Elsewhere tanh |x| = t / (t + 2), t = exp(2 |x|) - 1 = 2^n (exp(r) - 1) + (2^n - 1); 1 from 10
 * on */
static inline vec v_tanh(vec x) {
  vec r;
  const vec size = v_abs(x);
  const vec n = reduce_by_ln2(v_mul(v_set1(2), v_min(v_set1(10), size)), &r);
  const vec power = v_pow2i(n);
  const vec t = v_fma(power, exp_minus_1(r), v_sub(power, v_set1(1)));
  const vec far = v_copysign(v_div(t, v_add(t, v_set1(2))), x);
  return v_select(v_lt(size, v_set1(0.35)), tanh_series(x), far);
}

/* erf x = 2/sqrt(pi) (x - x^3/3 + x^5/(2! 5) - ...); for |x| < 1 the rest is below 1e-9 */
static inline vec erf_series(vec x) {
  const double c = 1.1283791670955126;
  const vec z = v_mul(x, x);
  vec p = v_set1(c / (3628800.0 * 21));
  p = v_fma(p, z, v_set1(-c / (362880.0 * 19)));
  p = v_fma(p, z, v_set1(c / (40320.0 * 17)));
  p = v_fma(p, z, v_set1(-c / (5040.0 * 15)));
  p = v_fma(p, z, v_set1(c / (720.0 * 13)));
  p = v_fma(p, z, v_set1(-c / (120.0 * 11)));
  p = v_fma(p, z, v_set1(c / (24.0 * 9)));
  p = v_fma(p, z, v_set1(-c / (6.0 * 7)));
  p = v_fma(p, z, v_set1(c / (2.0 * 5)));
  p = v_fma(p, z, v_set1(-c / 3));
  p = v_fma(p, z, v_set1(c - 1));
  return v_fma(p, x, x);
}

/* Elsewhere erf |x| = 1 - exp(-p): p is the polynomial of degree 6 whose error in erf is least for
 * 1 <= |x| <= 4, namely 1.1e-9. From 4 on erf rounds to 1. */
static inline vec v_erf(vec x) {
  const vec size = v_abs(x), t = v_min(v_set1(4), size);
  vec p = v_set1(-0.0001858965907);
  p = v_fma(p, t, v_set1(0.002942666926));
  p = v_fma(p, t, v_set1(-0.02181715722));
  p = v_fma(p, t, v_set1(0.1030613074));
  p = v_fma(p, t, v_set1(0.6381989764));
  p = v_fma(p, t, v_set1(1.127055626));
  p = v_fma(p, t, v_set1(0.0003499929109));
  const vec far = v_copysign(v_sub(v_set1(1), v_exp(v_neg(p))), x);
  return v_select(v_lt(size, v_set1(1)), erf_series(x), far);
}

/* exp(-x^2) for x >= 0; the rounding error of the square is applied as a factor. */
static inline vec bell(vec x) {
  const vec square = v_mul(x, x), lost = v_fma(x, x, v_neg(square)), e = v_exp(v_neg(square));
  return v_fma(v_neg(lost), e, e);
}

/* erfc x = 1 - erf x below 1/2; from there on exp(-x^2) t p(t) with t = 1 / (x + 3/2), where p
 * interpolates at ten Chebyshev points of 1/2 <= x <= 10.3, off by 7e-9; on the left 2 - erfc |x|.
 */
static inline vec v_erfc(vec x) {
  const vec size = v_min(v_set1(10.3), v_abs(x)), t = v_div(v_set1(1), v_add(size, v_set1(1.5)));
  vec p = v_set1(9.387131683);
  p = v_fma(p, t, v_set1(-22.76399269));
  p = v_fma(p, t, v_set1(18.77707104));
  p = v_fma(p, t, v_set1(-2.797700321));
  p = v_fma(p, t, v_set1(-3.29561555));
  p = v_fma(p, t, v_set1(-0.03726853191));
  p = v_fma(p, t, v_set1(0.5448452124));
  p = v_fma(p, t, v_set1(0.9963919267));
  p = v_fma(p, t, v_set1(0.8457996389));
  p = v_fma(p, t, v_set1(0.5642003146));
  const vec right = v_mul(bell(size), v_mul(t, p));
  const vec far = v_select(v_lt(x, v_set1(0)), v_sub(v_set1(2), right), right);
  return v_select(v_lt(size, v_set1(0.5)), v_sub(v_set1(1), erf_series(x)), far);
}

static inline vec v_pow(vec a, vec b) {
  float x[V_N], y[V_N];
  v_store(x, a);
  v_store(y, b);
  for (int i = 0; i < V_N; i++) x[i] = powf(x[i], y[i]);
  return v_load(x);
}

#endif
