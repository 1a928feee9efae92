/* check.h: a thin layer over cmocka for the C tests.
 *
 * A test is a function TEST(name) { ... }; RUN_TESTS(…) at the end of the file makes main. A word
 * on the command line runs only the tests whose names hold it. Both operands of a failure are
 * printed.
 */
#ifndef SW_CHECK_H
#define SW_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(void **unused_state_ __attribute__((unused)))

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) fail_msg("%s is not true", #condition); \
  } while (0)

/* With a text that says where in a loop the check failed: CHECK_AT(i == 3, "row %d", i). */
#define CHECK_AT(condition, ...)                \
  do {                                          \
    if (!(condition)) {                         \
      print_error(__VA_ARGS__);                 \
      fail_msg(": %s is not true", #condition); \
    }                                           \
  } while (0)

#define CHECK_EQ_INT(a, b)                                             \
  do {                                                                 \
    const long long a_ = (long long)(a), b_ = (long long)(b);          \
    if (a_ != b_) fail_msg("%s == %s: %lld and %lld", #a, #b, a_, b_); \
  } while (0)

#define CHECK_BETWEEN(a, low, high)                                                          \
  do {                                                                                       \
    const long long a_ = (long long)(a), low_ = (long long)(low), high_ = (long long)(high); \
    if (a_ < low_ || a_ > high_)                                                             \
      fail_msg("%s is %lld, not between %lld and %lld", #a, a_, low_, high_);                \
  } while (0)

#define CHECK_EQ_STR(a, b) assert_string_equal(a, b)

/* |a - b| <= tolerance; equal infinities are near, and so are two NaNs. */
static inline int check_is_near(double a, double b, double tolerance) {
  return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance;
}

#define CHECK_NEAR(a, b, tolerance)                                                          \
  do {                                                                                       \
    const double a_ = (double)(a), b_ = (double)(b), t_ = (double)(tolerance);               \
    if (!check_is_near(a_, b_, t_))                                                          \
      fail_msg("%s near %s: %.17g and %.17g differ by %.3g, more than %.3g", #a, #b, a_, b_, \
               fabs(a_ - b_), t_);                                                           \
  } while (0)

#define CHECK_OK(ctx, expr)                                                      \
  do {                                                                           \
    const int status_ = (int)(expr);                                             \
    if (status_) fail_msg("%s: status %d, %s", #expr, status_, sw_message(ctx)); \
  } while (0)

#define RUN_TESTS(...)                                     \
  int main(int argc, char **argv) {                        \
    const struct CMUnitTest tests[] = {__VA_ARGS__};       \
    char pattern[128];                                     \
    if (argc > 1) {                                        \
      snprintf(pattern, sizeof pattern, "*%s*", argv[1]);  \
      cmocka_set_test_filter(pattern);                     \
    }                                                      \
    return cmocka_run_group_tests(tests, NULL, NULL) != 0; \
  }

#define T(name) cmocka_unit_test(name)

#endif
