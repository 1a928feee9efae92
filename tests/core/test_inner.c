/* inner: dot products and norms of numbers whose squares do not fit their type. */
#include <float.h>
#include <stdlib.h>

#include "check.h"

#include "kernels/inner_int.h"

/* Odd: every loop of the kernels has a rest. */
enum { N = 5003 };

typedef struct vectors {
  float f32[N];
  double f64[N];
} vectors;

static vectors v;

static void fill(double value) {
  for (int i = 0; i < N; i++) {
    v.f32[i] = (float)value;
    v.f64[i] = value;
  }
}

/* n equal elements have the norm |x| sqrt(n). A sum of n terms rounds n times at most, its root
 * once more: (n / 2 + 1) halves of an epsilon. */
static double rounding(double epsilon) { return (N / 2 + 1) * epsilon / 2; }

static void check_norm_f32(double value) {
  const swi_kernels *const *all = swi_kernels_available();
  fill(value);
  const double exact = fabs((double)v.f32[0]) * sqrt(N);
  for (; *all; all++) {
    CHECK_NEAR(swi_vector_norm(*all, N, v.f32) / exact, 1, rounding((double)FLT_EPSILON));
    CHECK_NEAR(swi_vector_dot(*all, N, v.f32, v.f32) / (exact * exact), 1,
               2 * rounding((double)FLT_EPSILON));
  }
}

TEST(float32_has_a_norm_at_any_size) {
  static const double values[] = {1e38, -1e25, 1e20, 1e19, 3, -1e-19, 1e-22, 1e-25, 1e-37, 1e-44};
  for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) check_norm_f32(values[i]);
}

static void norms_of_doubles(const swi_kernels *k) {
  static const double values[] = {1e306, -1e300, 1e155, 3, 1e-160, -1e-200, 1e-300};
  for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
    fill(values[i]);
    const double norm = swi_vector_norm(k, N, v.f64);
    CHECK_NEAR(norm / (fabs(values[i]) * sqrt(N)), 1, rounding(DBL_EPSILON));
  }
  fill(0x1p-1074); /* the smallest there is: sqrt(5003) = 70.7 of them, to the nearest */
  CHECK(swi_vector_norm(k, N, v.f64) == 71 * 0x1p-1074);
}

/* Calls f with the float64 table of each variant. */
static void each_of_doubles(void (*f)(const swi_kernels *k)) {
  for (const swi_kernels *const *all = swi_kernels_available(); *all; all++)
    f(swi_kernels_doubles(*all));
}

TEST(float64_has_a_norm_at_any_size) { each_of_doubles(norms_of_doubles); }

/* 5002 squares of 1e-40 are lost beside one of 4e-38, unless the sum is computed again. */
TEST(what_is_lost_beside_something_larger_counts) {
  fill(1e-20);
  v.f32[N - 1] = 2e-19F;
  const double small = (double)v.f32[0], large = (double)v.f32[N - 1];
  const double exact = sqrt((N - 1) * small * small + large * large);
  for (const swi_kernels *const *all = swi_kernels_available(); *all; all++)
    CHECK_NEAR(swi_vector_norm(*all, N, v.f32) / exact, 1, rounding((double)FLT_EPSILON));
}

TEST(products_that_overflow_may_cancel) {
  static const float a[] = {1e25F, 1e25F, 3}, b[] = {1e25F, -1e25F, 2};
  static const double c[] = {1e200, 1e200, 3}, d[] = {1e200, -1e200, 2};
  for (const swi_kernels *const *all = swi_kernels_available(); *all; all++) {
    CHECK(swi_vector_dot(*all, 3, a, b) == 6);
    CHECK(swi_vector_dot(swi_kernels_doubles(*all), 2, c, d) == 0);
  }
}

/* A large element beside a 0 in the other vector must not hide a product that underflows. */
static void products_of_doubles(const swi_kernels *k) {
  static const double a[] = {1e200, 1e-200, 1e-300}, b[] = {0, 1e-100, 1e-10};
  const double dot = swi_vector_dot(k, 2, a, b);
  CHECK_NEAR(dot / 1e-300, 1, 4 * DBL_EPSILON); /* three decimal numbers, a product, a quotient */
  CHECK(swi_vector_dot(k, 0, a, b) == 0);
  static const double c[] = {0x1p-1000, 0x1p+1000, 0x1p-30}, d[] = {0x1p-40, 0, 0x1p-1000};
  CHECK(swi_vector_dot(k, 3, c, d) == 0x1p-1030 + 0x1p-1040);
}

TEST(factors_of_any_size_make_a_product) { each_of_doubles(products_of_doubles); }

static void odd_norms_of_doubles(const swi_kernels *k) {
  fill(0);
  CHECK(swi_vector_norm(k, N, v.f64) == 0);
  v.f64[7] = -HUGE_VAL;
  CHECK(swi_vector_norm(k, N, v.f64) == HUGE_VAL);
  fill(0x1p-1000);
  v.f64[7] = HUGE_VAL;
  CHECK(swi_vector_norm(k, N, v.f64) == HUGE_VAL);
  v.f64[9] = (double)NAN;
  CHECK(isnan(swi_vector_norm(k, N, v.f64)));
}

TEST(zero_infinity_and_nan_stay) {
  for (const swi_kernels *const *all = swi_kernels_available(); *all; all++) {
    fill(0);
    CHECK(swi_vector_norm(*all, N, v.f32) == 0);
    CHECK(swi_vector_norm(*all, 0, v.f32) == 0);
    v.f32[7] = -HUGE_VALF;
    CHECK(swi_vector_norm(*all, N, v.f32) == HUGE_VAL);
    v.f32[9] = NAN;
    CHECK(isnan(swi_vector_norm(*all, N, v.f32)));
  }
  each_of_doubles(odd_norms_of_doubles);
}

/* The price of other vectors is the kernel's, and so are the bits. */
TEST(ordinary_vectors_have_the_kernels_bits) {
  for (int i = 0; i < N; i++) v.f32[i] = (float)sin(i);
  for (const swi_kernels *const *all = swi_kernels_available(); *all; all++) {
    CHECK(swi_vector_norm(*all, N, v.f32) == sqrt((*all)->dot(N, v.f32, v.f32)));
    CHECK(swi_vector_dot(*all, N, v.f32, v.f32) == (*all)->dot(N, v.f32, v.f32));
  }
}

RUN_TESTS(T(float32_has_a_norm_at_any_size), T(float64_has_a_norm_at_any_size),
          T(what_is_lost_beside_something_larger_counts), T(products_that_overflow_may_cancel),
          T(factors_of_any_size_make_a_product), T(zero_infinity_and_nan_stay),
          T(ordinary_vectors_have_the_kernels_bits))
