/* small_operands.h: for the tests of kernels: operands of small sizes at any alignment, with a
 * canary behind them and special values among them; every table, shift and size. */
#ifndef SW_SMALL_OPERANDS_H
#define SW_SMALL_OPERANDS_H

#include <float.h>
#include <stdlib.h>

#include "kernel_check.h"
#include "kernels/cpu_int.h"

enum { MAX = 4100, CANARY = 0x5A };

/* Operands: MAX elements each, at an odd number of elements from an aligned address. */
static unsigned char memory[4][(MAX + 16) * 8];
static int shift;

/* Denormals are flushed while a kernel runs: it sees 0 for them, and may leave 0. */
static int flushing;
static uint32_t mode_before;

static inline void enter(void) {
  if (flushing) mode_before = swi_fpmode_flush();
}

static inline void leave(void) {
  if (flushing) swi_fpmode_set(mode_before);
}

static inline double smallest_normal(void) { return bytes == 4 ? (double)FLT_MIN : DBL_MIN; }
static inline double seen(double x) { return flushing && fabs(x) < smallest_normal() ? 0 * x : x; }

static inline void *operand(int i) { return memory[i] + 8 * 4 + shift * bytes; }

/* Mostly ordinary, every seventh special. */
static inline void randomise(void *p, int64_t n, int special) {
  static const double odd[] = {0.0, -0.0,  HUGE_VAL, -HUGE_VAL, (double)NAN, 1,
                               -1,  1e-40, -1e-40,   3e38,      1e-30};
  for (int64_t i = 0; i < n; i++)
    set(p, i, special && uniform(0, 7) < 1 ? odd[(int)uniform(0, 10.999)] : uniform(-4, 4));
}

static inline void set_canary(void *p, int64_t n) { memset((char *)p + n * bytes, CANARY, 64); }

static inline void check_canary(const void *p, int64_t n) {
  for (int i = 0; i < 64; i++) CHECK_EQ_INT(((const unsigned char *)p)[n * bytes + i], CANARY);
}

/* ulps roundings of the exact value, and as much again of a number that is lost in denormals */
static inline void check_value(double got, double exact, double ulps, const char *what, int64_t i) {
  const double tiny = flushing ? smallest_normal() : bytes == 4 ? 0x1p-148 : 0x1p-1073;
  const double largest = bytes == 4 ? (double)FLT_MAX : DBL_MAX;
  if (fabs(exact) > largest * (1 + half_ulp)) exact = exact > 0 ? HUGE_VAL : -HUGE_VAL;
  CHECK_AT(check_is_near(got, exact, 2 * ulps * half_ulp * fabs(exact) + tiny),
           "%s %s: element %lld is %.17g, not %.17g", k->name, what, (long long)i, got, exact);
}

#if !defined(SHIFT_STEP) /* an emulator is slow */
#define SHIFT_STEP 1
#define FLOATS_APART 997
#endif

typedef void (*body)(int64_t n);

/* Runs f with each table, shift and size. */
static inline void everywhere(body f) {
  for (int t = 0; use_table(t); t++) {
    for (shift = 0; shift < 4; shift += SHIFT_STEP) {
      for (int64_t n = 0; n <= 100; n++) f(n);
      f(1000);
      f(4097);
    }
  }
}

#endif
