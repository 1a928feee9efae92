/* update: gradients that are not finite, squares beyond the float type, updates that overflow; of
 * every table. */
#include <float.h>
#include <stdlib.h>

#include "check.h"

#include "tables.h"

enum { BLOCK = 4096, N = 3 * BLOCK + 77 };

static const swi_kernels *k;
static double v[4][N]; /* room for either float type: weights, two moments, gradient */

static double get(int which, int64_t i) {
  return k->element_bytes == 4 ? (double)((const float *)(const void *)v[which])[i] : v[which][i];
}

static void set(int which, int64_t i, double x) {
  if (k->element_bytes == 4)
    ((float *)(void *)v[which])[i] = (float)x;
  else
    v[which][i] = x;
}

static void begin(double gradient) {
  for (int64_t i = 0; i < N; i++) {
    set(0, i, 1);
    set(1, i, 0);
    set(2, i, 0);
    set(3, i, gradient);
  }
}

static double update(int which, double lr) {
  void *const moment[] = {v[1], v[2]};
  const swi_update u = {
      .lr = lr, .momentum = 0.5, .beta2 = 0.5, .eps = 1e-8, .step = 3, .grad_scale = 1};
  return k->update[which](N, v[0], moment, v[3], &u);
}

/* By every optimizer, with kernels of every table. */
static void everywhere(void (*f)(int which)) {
  for (int t = 0; (k = table_at(t)); t++)
    for (int which = 0; which < SWI_OPTIMIZER_COUNT; which++) f(which);
}

/* Whether a second moment would overflow. */
static int squares_gradient(int which) {
  return which == SWI_OPTIMIZER_adam || which == SWI_OPTIMIZER_adamw;
}

static int updates(int which) { return which != SWI_OPTIMIZER_none; }

/* The first weight that was not updated; none behind it may be. */
static int64_t first_untouched(void) {
  int64_t first = 0;
  while (first < N && get(0, first) != 1) first++;
  for (int64_t i = 0; i < N; i++) {
    CHECK((get(0, i) != 1) == (i < first));
    CHECK((get(1, i) != 0) == (i < first));
    CHECK(get(2, i) == 0 || i < first);
  }
  return first;
}

/* An element here and there: the blocks before its own are updated, none from there on is. A block
 * is 512 vectors, at most 4096 elements. */
static void odd_element(int which) {
  static const double odd[] = {(double)NAN, HUGE_VAL, -HUGE_VAL};
  for (int64_t at = 5; at < N; at += BLOCK / 2 + 33) {
    begin(0.25);
    set(3, at, odd[at % 3]);
    CHECK(isnan(update(which, 0.1)));
    const int64_t first = first_untouched();
    CHECK(updates(which) || first == 0);
    if (updates(which)) CHECK(first <= at && first > at - BLOCK && first % 512 == 0);
  }
}

TEST(a_gradient_that_is_not_finite) { everywhere(odd_element); }

/* Equal elements g: |g|^2 is N g^2. Rounded are g itself and the scale, nothing else: every sum of
 * squares of a power of two is a small whole number of it. */
static void far_squares(int which) {
  const int f32 = k->element_bytes == 4;
  const double gradients[] = {f32 ? 0x1p+100 : 0x1p+505, f32 ? 0x1p-100 : 0x1p-530, 0x1p-3, 0};
  for (int i = 0; i < 4; i++) {
    begin(gradients[i]);
    const double exact = N * gradients[i] * gradients[i];
    CHECK_NEAR(k->squares(N, v[3]), exact, 0);
    if (!squares_gradient(which) || gradients[i] < 1) CHECK_NEAR(update(which, 0), exact, 0);
  }
  begin(f32 ? 0 : 0x1p+900);
  CHECK(f32 || k->squares(N, v[3]) == HUGE_VAL); /* finite elements: not NaN */
  CHECK(f32 || update(SWI_OPTIMIZER_sgd, 0) == HUGE_VAL);
}

TEST(squares_beyond_the_float_type) { everywhere(far_squares); }

/* A weight at the end of its range takes a step over it. */
static void overflow(int which) {
  if (!updates(which)) return;
  const double largest = k->element_bytes == 4 ? (double)FLT_MAX : DBL_MAX;
  begin(0.25);
  set(0, 2 * BLOCK + 9, -largest);
  CHECK(update(which, largest / 64) == -HUGE_VAL);
  CHECK(isinf(get(0, 2 * BLOCK + 9)));
  CHECK_NEAR(get(0, 3 * BLOCK), 1, 0); /* blocks behind it stay */
}

TEST(an_update_that_overflows) { everywhere(overflow); }

/* A second moment that overflows would freeze its weight. */
TEST(a_second_moment_that_overflows) {
  const swi_kernels *const *all = swi_kernels_available();
  for (int i = 0; all[i]; i++) {
    k = all[i];
    begin(0.25);
    set(3, BLOCK + 1, 1e25);
    CHECK(update(SWI_OPTIMIZER_adam, 0.1) == -HUGE_VAL);
  }
}

RUN_TESTS(T(a_gradient_that_is_not_finite), T(squares_beyond_the_float_type),
          T(an_update_that_overflows), T(a_second_moment_that_overflows))
