/* inner.c: dot products and norms that neither overflow nor underflow. */
#include "kernels/inner_int.h"

#include <float.h>
#include <limits.h>
#include <math.h>

/* A product that underflows is off by less than the smallest normal number; n times that must be
 * less than a rounding of the sum. */
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

/* A product as a fraction and a power of two: its exponent may exceed the range of the type. */
typedef struct scaled {
  double fraction; /* 1/4 to 1; 0, infinite or NaN as the product is */
  int exponent;
} scaled;

static scaled product_of(double a, double b) {
  int of_a = 0, of_b = 0; /* frexp leaves them where a number is not finite */
  const double fraction = frexp(a, &of_a) * frexp(b, &of_b);
  return (scaled){fraction, of_a + of_b};
}

/* The largest exponent of a product that is neither 0 nor infinite; even, 0 if there is none. */
static int top_exponent(int64_t n, const double *a, const double *b) {
  int top = INT_MIN;
  for (int64_t i = 0; i < n; i++) {
    const scaled p = product_of(a[i], b[i]);
    if (p.fraction != 0 && isfinite(p.fraction) && p.exponent > top) top = p.exponent;
  }
  return top == INT_MIN ? 0 : top + (top & 1);
}

/* The sum of products times 2^-top: none of them is above 1. */
static double sum_scaled(int64_t n, const double *a, const double *b, int top) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const scaled p = product_of(a[i], b[i]);
    sum += ldexp(p.fraction, p.exponent - top);
  }
  return sum;
}

double swi_vector_dot(const swi_kernels *k, int64_t n, const void *a, const void *b) {
  const double sum = k->dot(n, a, b);
  if (is_sound(k, n, sum)) return sum;
  if (k->element_bytes == 4) return sum_in_double(n, a, b);
  const int top = top_exponent(n, a, b);
  return ldexp(sum_scaled(n, a, b, top), top);
}

double swi_vector_norm(const swi_kernels *k, int64_t n, const void *x) {
  const double sum = k->dot(n, x, x);
  if (is_sound(k, n, sum)) return sqrt(sum);
  if (k->element_bytes == 4) return sqrt(sum_in_double(n, x, x));
  const int top = top_exponent(n, x, x);
  return ldexp(sqrt(sum_scaled(n, x, x, top)), top / 2);
}
