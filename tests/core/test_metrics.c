/* test_metrics.c: metrics.jsonl as columns: what is read, exactly; what is refused; thinning. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_check.h"
#include "io/metrics.h"
#include "io/metrics_int.h"

static sw_status read_lines(const char *text, const char *kind, sw_metrics **m) {
  write_bytes("m.jsonl", text, strlen(text));
  return sw_metrics_read(ctx, path_of("m.jsonl"), kind, m);
}

/* ---- numbers */

static void check_number(const char *text) {
  double value;
  int whole;
  const char *end = text + strlen(text);
  const char *stop = swi_json_number(text, end, &value, &whole);
  if (stop == NULL) return; /* left to jansson */
  assert_ptr_equal(stop, end);
  double wanted = strtod(text, NULL);
  if (memcmp(&value, &wanted, sizeof value) != 0) {
    fail_msg("%s: %.17g, not %.17g", text, value, wanted);
  }
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* Doubles of any bits, and of the sizes that metrics have, as %.17g writes them. */
static void test_numbers_are_the_nearest_double(void **state) {
  (void)state;
  uint64_t seed = 0x9e3779b97f4a7c15;
  char text[64];
  int fast = 0, n = 200000;
  for (int i = 0; i < n; i++) {
    uint64_t bits = next_random(&seed);
    double x, ignored;
    int whole;
    if (i % 2) bits = (bits & 0x800fffffffffffff) | ((1003 + next_random(&seed) % 40) << 52);
    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x)) continue;
    snprintf(text, sizeof text, "%.*g", 15 + i % 3, x);
    check_number(text);
    fast += swi_json_number(text, text + strlen(text), &ignored, &whole) != NULL;
  }
  assert_true(fast > n / 3);
  for (int i = 0; i < n; i++) { /* digits that need not be near a double */
    uint64_t w = next_random(&seed) % 10000000000000000000u;
    snprintf(text, sizeof text, "0.%0*" PRIu64, 17 + i % 3, w);
    check_number(text);
    snprintf(text, sizeof text, "%" PRIu64 "e-%d", w, i % 28);
    check_number(text);
  }
  /* halfway between two doubles, and next to it */
  check_number("9007199254740993");
  check_number("0.50000000000000005551");
  check_number("1.00000000000000011102230246251565");
  check_number("900719925474099.25");
  check_number("4503599627370497.5");
  check_number("4503599627370498.5");
  check_number("18014398509481985.0");
  check_number("9223372036854775807");
  check_number("0.1e-25");
  check_number("-0.0");
  check_number("0.30000000000000004");
}

static void test_faulty_numbers_are_left_to_jansson(void **state) {
  (void)state;
  static const char *const texts[] = {"",   "-",  "01",  "1.",  ".5",  "1e",   "1e+",
                                      "+1", "1x", "nan", "0x1", "--1", "1e5x", "1.e2"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    double value;
    int whole;
    const char *end = texts[i] + strlen(texts[i]);
    const char *stop = swi_json_number(texts[i], end, &value, &whole);
    if (stop == end) fail_msg("%s was read as %g", texts[i], value);
  }
}

/* ---- lines */

static double value_at(const sw_metrics *m, int kind, const char *name, int64_t row) {
  for (int c = 0; c < sw_metrics_columns(m, kind); c++) {
    double value;
    if (strcmp(sw_metrics_name(m, kind, c), name) != 0) continue;
    if (sw_metrics_value(m, kind, c, row, &value)) return value;
    return -1;
  }
  return -2;
}

static void test_lines(void **state) {
  (void)state;
  sw_metrics *m;
  OK(read_lines("{\"kind\":\"step\",\"loss\":0.1,\"step\":10}\n"
                "{\"kind\":\"epoch\",\"valid_loss\":\"nan\",\"step\":10,\"name\":\"x\"}\n"
                "{\"kind\":\"step\",\"loss\":\"inf\",\"step\":20,\"lr\":2e-3,\"on\":true}\n"
                "{\"step\":1}\n"
                " { \"kind\" : \"step\" , \"l\\u006fss\" : 0.5, \"deep\": {\"a\": [1, {}]} }\n"
                "{}\n",
                NULL, &m));
  assert_int_equal(sw_metrics_kinds(m), 3);
  assert_string_equal(sw_metrics_kind(m, 0), "step");
  assert_string_equal(sw_metrics_kind(m, 2), "");
  assert_int_equal(sw_metrics_rows(m, 0), 3);
  assert_int_equal(sw_metrics_rows(m, 2), 2);
  assert_int_equal(sw_metrics_columns(m, 0), 3);
  assert_true(value_at(m, 0, "loss", 0) == 0.1);
  assert_true(isinf(value_at(m, 0, "loss", 1)));
  assert_true(value_at(m, 0, "loss", 2) == 0.5);
  assert_true(value_at(m, 0, "lr", 0) == -1);
  assert_true(value_at(m, 0, "lr", 1) == 2e-3);
  assert_true(isnan(value_at(m, 1, "valid_loss", 0)));
  assert_true(sw_metrics_whole(m, 0, 1));
  assert_false(sw_metrics_whole(m, 0, 0));
  sw_metrics_free(m);
  OK(read_lines("{\"kind\":\"a\",\"x\":1}\n{\"kind\":\"b\",\"x\":2}\n", "b", &m));
  assert_int_equal(sw_metrics_kinds(m), 1);
  assert_true(value_at(m, 0, "x", 0) == 2);
  sw_metrics_free(m);
}

/* A run that writes, or was killed, leaves a part of a line; a faulty line before others is a
 * damaged file. */
static void test_torn_lines(void **state) {
  (void)state;
  static const char whole[] = "{\"kind\":\"step\",\"loss\":0.125}\n";
  char text[128];
  for (size_t n = 0; n < sizeof whole; n++) {
    sw_metrics *m;
    snprintf(text, sizeof text, "%s%.*s", whole, (int)n, whole);
    OK(read_lines(text, NULL, &m));
    assert_int_equal(sw_metrics_rows(m, 0), n >= sizeof whole - 2 ? 2 : 1);
    sw_metrics_free(m);
  }
  sw_metrics *m;
  FAILS(SW_ECORRUPT,
        "m.jsonl:2: not a record: ", read_lines("{\"a\":1}\n{\"a\":\n{\"a\":3}\n", NULL, &m));
  FAILS(SW_ECORRUPT, "m.jsonl:1: not a record: expected an object",
        read_lines("5\n{}\n", NULL, &m));
  FAILS(SW_ECORRUPT, "m.jsonl:1: not a record", read_lines("{\"a\":1e999}\n{}\n", NULL, &m));
  FAILS(SW_EIO, "No such file", sw_metrics_read(ctx, path_of("none"), NULL, &m));
}

/* ---- summaries, thinning */

static sw_metrics *wave(int n) {
  char *text = malloc((size_t)n * 64), *at = text;
  for (int i = 0; i < n; i++) {
    double y = i == n / 3 ? 50 : i == n / 2 ? -50 : sin(i);
    at += sprintf(at, i % 2 ? "{\"y\":%.17g}\n" : "{\"y\":%.17g,\"x\":1}\n", y);
  }
  sw_metrics *m;
  OK(read_lines(text, NULL, &m));
  free(text);
  return m;
}

static void test_summary(void **state) {
  (void)state;
  sw_metrics *m = wave(300);
  sw_metrics_summary s = sw_metrics_summarise(m, 0, 0), x = sw_metrics_summarise(m, 0, 1);
  assert_int_equal(s.count, 300);
  assert_int_equal(s.last, 299);
  assert_int_equal(s.greatest, 100);
  assert_int_equal(s.least, 150);
  assert_int_equal(x.count, 150);
  assert_int_equal(x.last, 298);
  sw_metrics_free(m);
  OK(read_lines("{\"y\":\"nan\"}\n", NULL, &m));
  s = sw_metrics_summarise(m, 0, 0);
  assert_int_equal(s.count, 1);
  assert_int_equal(s.least, -1);
  sw_metrics_free(m);
}

static void test_thinning_keeps_ends_and_extremes(void **state) {
  (void)state;
  for (int n = 1; n < 400; n += 7) {
    sw_metrics *m = wave(n);
    for (int points = 4; points < 60; points += 5) {
      int64_t rows[64];
      int64_t got = sw_metrics_thin(m, 0, 0, points, rows);
      assert_true(got <= points && got > 0);
      assert_true(n > points || got == n);
      assert_int_equal(rows[0], 0);
      assert_int_equal(rows[got - 1], n - 1);
      int least = 0, greatest = 0;
      sw_metrics_summary s = sw_metrics_summarise(m, 0, 0);
      for (int64_t i = 0; i < got; i++) {
        if (i > 0) assert_true(rows[i] > rows[i - 1]);
        least += rows[i] == s.least;
        greatest += rows[i] == s.greatest;
      }
      assert_int_equal(least, 1);
      assert_int_equal(greatest, 1);
    }
    sw_metrics_free(m);
  }
}

static void test_thinning_of_nan(void **state) {
  (void)state;
  char text[4096] = "", *at = text;
  for (int i = 0; i < 100; i++) at += sprintf(at, "{\"y\":\"nan\"}\n");
  sw_metrics *m;
  int64_t rows[10];
  OK(read_lines(text, NULL, &m));
  assert_int_equal(sw_metrics_thin(m, 0, 0, 10, rows), 6);
  sw_metrics_free(m);
}

/* ---- faults */

static void test_every_allocation_fails(void **state) {
  (void)state;
  char text[4096] = "", *at = text;
  for (int i = 0; i < 20; i++) {
    at += sprintf(at, "{\"kind\":\"k%d\",\"a\":1,\"b%d\":0.5}\n", i % 18, i);
  }
  for (int i = 0; i < 40; i++) at += sprintf(at, i % 40 ? ",\"c%d\":1" : "{\"c%d\":1", i);
  sprintf(at, "}\n");
  int64_t n = 1;
  for (int done = 0; !done; n++) {
    sw_metrics *m = NULL;
    sw_context_fail_allocation(ctx, n, 0);
    sw_status st = read_lines(text, NULL, &m);
    sw_context_fail_allocation(ctx, 0, 0);
    assert_true(st == SW_OK || st == SW_ENOMEM);
    done = st == SW_OK;
    sw_metrics_free(m);
  }
  assert_true(n > 60);
}

static void test_limits(void **state) {
  (void)state;
  enum { N = 4100 };
  char *text = malloc(N * 24), *at = text;
  for (int i = 0; i < N; i++) at += sprintf(at, "{\"kind\":\"k%d\"}\n", i);
  sw_metrics *m;
  FAILS(SW_ECORRUPT, "more than 256 kinds", read_lines(text, NULL, &m));
  at = text + sprintf(text, "{\"c\":1");
  for (int i = 0; i < N; i++) at += sprintf(at, ",\"c%d\":1", i);
  sprintf(at, "}\n{}\n");
  FAILS(SW_ECORRUPT, "more than 4096 columns", read_lines(text, NULL, &m));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_numbers_are_the_nearest_double),
      FILE_TEST(test_faulty_numbers_are_left_to_jansson),
      FILE_TEST(test_lines),
      FILE_TEST(test_torn_lines),
      FILE_TEST(test_summary),
      FILE_TEST(test_thinning_keeps_ends_and_extremes),
      FILE_TEST(test_thinning_of_nan),
      FILE_TEST(test_every_allocation_fails),
      FILE_TEST(test_limits),
  };
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
