/* train_check.h: for the tests of core/train: one context for all tests of a program. */
#ifndef SW_TRAIN_CHECK_H
#define SW_TRAIN_CHECK_H

#include "check.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"
#include "tensor/tensor.h"

static sw_context *ctx;

static inline int open_context(void **state) {
  (void)state;
  char reason[200];
  return sw_open(NULL, 1, &ctx, reason, sizeof reason) == SW_OK ? 0 : -1;
}

static inline int close_context(void **state) {
  (void)state;
  sw_context_release(ctx);
  return 0;
}

/* Checks after a test that no block of it is left. */
static inline int nothing_lives(void **state) {
  (void)state;
  sw_context_fail_allocation(ctx, 0, 0);
  return sw_context_alloc_stats(ctx).live_blocks == 0 ? 0 : -1;
}

#define CLEAN(f) cmocka_unit_test_teardown(f, nothing_lives)
#define RUN_CLEAN_TESTS(...)                                                \
  int main(void) {                                                          \
    const struct CMUnitTest tests[] = {__VA_ARGS__};                        \
    return cmocka_run_group_tests(tests, open_context, close_context) != 0; \
  }

/* Relative to want where that is above 1. */
static inline void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
    fail_msg("got %.17g, want %.17g", got, want);
}

static inline void assert_message(const char *part) {
  if (!strstr(sw_message(ctx), part)) fail_msg("'%s' lacks '%s'", sw_message(ctx), part);
}

static inline void *data_of(sw_tensor *t) {
  void *data = NULL;
  CHECK_OK(ctx, sw_tensor_writable(t, &data));
  return data;
}

static inline sw_tensor *tensor(sw_dtype dtype, int ndim, int64_t d0, int64_t d1) {
  sw_shape shape = sw_shape_of(ndim, (int64_t[]){d0, d1});
  sw_tensor *t = NULL;
  CHECK_OK(ctx, sw_tensor_new(ctx, dtype, &shape, &t));
  return t;
}

#endif
