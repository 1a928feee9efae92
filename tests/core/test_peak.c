/* peak: the multiply-adds that measure the processor, of every table. */
#include "kernel_check.h"

/* s -> s / 2 + 1 from s = 0, 1, …: after r rounds each is 2 + (s - 2) / 2^r, exact for few. */
TEST(multiply_adds_are_made_and_counted) {
  for (int t = 0; use_table(t); t++) {
    double none, two;
    CHECK_EQ_INT(k->multiply_adds(0, &none), 0);
    const int64_t each = k->multiply_adds(1, &two);
    CHECK(each >= 8); /* a chain of one vector would wait for itself */
    CHECK_EQ_INT(k->multiply_adds(2, &two), 2 * each);
    CHECK_NEAR(two, 2 * (double)each + (none - 2 * (double)each) / 4, 0);
  }
}

RUN_TESTS(T(multiply_adds_are_made_and_counted))
