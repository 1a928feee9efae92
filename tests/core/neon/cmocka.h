/* cmocka.h: the part of cmocka that check.h uses, for programs with only a C library. */
#ifndef SW_NEON_CMOCKA_H
#define SW_NEON_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define print_message(...) printf(__VA_ARGS__)
#define print_error(...) fprintf(stderr, __VA_ARGS__)
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

#define skip() return

struct CMUnitTest {
  const char *name;
  void (*f)(void **);
};

#define cmocka_unit_test(f) \
  { #f, f }

static char chosen[128]; /* the word between the stars of a filter */
#define cmocka_set_test_filter(pattern) \
  snprintf(chosen, sizeof chosen, "%.*s", (int)strlen(pattern) - 2, (pattern) + 1)
#define cmocka_run_group_tests(tests, setup, teardown) \
  run_all(tests, (int)(sizeof tests / sizeof *tests))

static int run_all(const struct CMUnitTest *tests, int n) {
  int ran = 0;
  for (int i = 0; i < n; i++) {
    if (!strstr(tests[i].name, chosen)) continue;
    tests[i].f(NULL);
    printf("ok %s\n", tests[i].name);
    ran++;
  }
  return ran == 0;
}

#endif
