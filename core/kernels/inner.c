#include "kernels/inner.h"

#include <float.h>
#include <math.h>

/* A product that underflows is off by less than the smallest normal number, which n times over must
 * be less than a rounding of the sum. */
static int is_sound(const swi_kernels *k, int64_t n, double sum) {
  const double lost =
      k->element_bytes == 4 ? (double)FLT_MIN / (double)FLT_EPSILON : DBL_MIN / DBL_EPSILON;
  return isfinite(sum) && fabs(sum) >= (double)n * lost;
}

/* Products of floats are exact in double. */
static double sum_in_double(int64_t n, const float *a, const float *b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* x = m 2^exponent with every |m| < 1; 0 where that says nothing. */
static int exponent_of(int64_t n, const double *x) {
  double top = 0;
  int exponent = 0;
  for (int64_t i = 0; i < n; i++) top = fmax(top, fabs(x[i]));
  if (isfinite(top)) frexp(top, &exponent);
  return exponent;
}

static double sum_scaled(int64_t n, const double *a, int of_a, const double *b, int of_b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += ldexp(a[i], -of_a) * ldexp(b[i], -of_b);
  return sum;
}

double swi_vector_dot(const swi_kernels *k, int64_t n, const void *a, const void *b) {
  const double sum = k->dot(n, a, b);
  if (is_sound(k, n, sum)) return sum;
  if (k->element_bytes == 4) return sum_in_double(n, a, b);
  const int of_a = exponent_of(n, a), of_b = exponent_of(n, b);
  return ldexp(sum_scaled(n, a, of_a, b, of_b), of_a + of_b);
}

double swi_vector_norm(const swi_kernels *k, int64_t n, const void *x) {
  const double sum = k->dot(n, x, x);
  if (is_sound(k, n, sum)) return sqrt(sum);
  if (k->element_bytes == 4) return sqrt(sum_in_double(n, x, x));
  const int exponent = exponent_of(n, x);
  return ldexp(sqrt(sum_scaled(n, x, exponent, x, exponent)), exponent);
}
