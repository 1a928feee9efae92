/* tensor_check.h: for the tests of tensors and files: a context that must be empty at the end,
 * checks that print both sides, short ways to make tensors. */
#ifndef SW_TENSOR_CHECK_H
#define SW_TENSOR_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/context_int.h"
#include "kernels/kernels_int.h"
#include "tensor/tensor.h"

static sw_context *ctx;

static inline int setup(void **state) {
  (void)state;
  ctx = swi_backend_context(
      &(swi_backend){.f32 = &swi_kernels_scalar_f32, .f64 = &swi_kernels_scalar_f64});
  if (ctx == NULL) return -1;
  return 0;
}

/* Checks that a test left nothing behind. */
static inline int teardown(void **state) {
  (void)state;
  int64_t blocks = sw_context_alloc_stats(ctx).live_blocks, references = ctx->references;
  if (blocks != 0) print_error("%lld blocks are still live\n", (long long)blocks);
  if (references != 1) print_error("%lld references to the context\n", (long long)references);
  sw_context_release(ctx);
  return blocks != 0 || references != 1;
}

static inline void check_ok(sw_status st, const char *what, int line) {
  if (st == SW_OK) return;
  print_error("line %d: %s: %s: %s\n", line, what, sw_status_name(st), sw_message(ctx));
  fail();
}

static inline void check_fails(sw_status st, sw_status expected, const char *text, const char *what,
                               int line) {
  if (st == expected && strstr(sw_message(ctx), text) != NULL) return;
  print_error("line %d: %s\n  expected %s: …%s…\n  got      %s: %s\n", line, what,
              sw_status_name(expected), text, sw_status_name(st), sw_message(ctx));
  fail();
}

static inline void check_near(double a, double b, double tolerance, int line) {
  if (fabs(a - b) <= tolerance) return;
  print_error("line %d: %.17g and %.17g differ by more than %g\n", line, a, b, tolerance);
  fail();
}

#define assert_near(a, b, tolerance) check_near((a), (b), (tolerance), __LINE__)
#define OK(expr) check_ok((expr), #expr, __LINE__)
#define FAILS(status, text, expr) check_fails((expr), status, text, #expr, __LINE__)
#define DIMS(...) \
  sw_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define AT(...) ((const int64_t[]){__VA_ARGS__})

static inline sw_tensor *new_tensor(sw_dtype dtype, sw_shape shape) {
  sw_tensor *t = NULL;
  OK(sw_tensor_new(ctx, dtype, &shape, &t));
  return t;
}

static inline double get(const sw_tensor *t, const int64_t *index) {
  double v = (double)NAN;
  OK(sw_tensor_get(t, index, &v));
  return v;
}

/* 0, 1, 2, … in row-major order. */
static inline sw_tensor *counted(sw_dtype dtype, sw_shape shape) {
  sw_tensor *t = new_tensor(SW_I32, shape), *out = NULL;
  void *data;
  OK(sw_tensor_writable(t, &data));
  for (int32_t i = 0; i < sw_tensor_numel(t); i++) ((int32_t *)data)[i] = i;
  OK(sw_tensor_to(t, dtype, &out));
  sw_tensor_free(t);
  return out;
}

static inline sw_tensor *transposed(const sw_tensor *t) {
  sw_tensor *v = NULL;
  OK(sw_tensor_transpose(t, 0, 1, &v));
  return v;
}

/* The elements in order, whatever the strides. */
static inline void assert_elements(const sw_tensor *t, int64_t n, const double *expected) {
  sw_tensor *d = NULL;
  assert_int_equal(sw_tensor_numel(t), n);
  OK(sw_tensor_to(t, SW_F64, &d));
  const double *got = sw_tensor_data(d);
  for (int64_t i = 0; i < n; i++) assert_near(got[i], expected[i], 0);
  sw_tensor_free(d);
}

#define ELEMENTS(t, ...)                                               \
  assert_elements(t, sizeof((double[]){__VA_ARGS__}) / sizeof(double), \
                  (const double[]){__VA_ARGS__})

static inline void assert_prints(const sw_tensor *t, const char *expected) {
  char text[8192];
  size_t n = sw_tensor_print(t, text, sizeof text);
  assert_string_equal(text, expected);
  assert_int_equal(n, strlen(expected));
}

/* Scenario runs with the n-th allocation failing (and, persistent, all after it), for n from 1
 * until it succeeds; each time it must free what it made. At least `expected` allocations are seen.
 * */
static inline void check_every_allocation(sw_status (*scenario)(void), int64_t expected) {
  for (int persistent = 0; persistent < 2; persistent++) {
    int64_t blocks = sw_context_alloc_stats(ctx).live_blocks, references = ctx->references, n = 0;
    sw_status st = SW_ENOMEM;
    while (st != SW_OK) {
      sw_context_fail_allocation(ctx, ++n, persistent);
      st = scenario();
      sw_context_fail_allocation(ctx, 0, 0);
      if (st != SW_OK && st != SW_ENOMEM) fail_msg("allocation %d: %s", (int)n, sw_message(ctx));
      assert_int_equal(sw_context_alloc_stats(ctx).live_blocks, blocks);
      assert_int_equal(ctx->references, references);
    }
    assert_true(n > expected);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
