/* test_safetensors_faults.c: hostile files, full disks, lack of memory. */
#include "safetensors_check.h"

#define ONE(dtype, shape, offsets) \
  "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define AND(a, b)                                                   \
  "{\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" a "}," \
  "\"v\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" b "}}"

static void test_hostile_headers(void **state) {
  (void)state;
  const struct {
    const char *header, *message;
    size_t data;
  } cases[] = {
      {"", "expected a JSON header", 0},
      {"{\"w\":", "expected a JSON header", 0},
      {"[]", "expected a JSON object as header", 0},
      {"{} x", "expected a JSON header", 0},
      {"{\"w\":{},\"w\":{}}", "duplicate object key", 0},
      {"{\"w\":3}", "tensor \"w\": expected a JSON object", 0},
      {"{\"__metadata__\":3}", "__metadata__: expected a JSON object", 0},
      {"{\"__metadata__\":{\"a\":3}}", "metadata \"a\": expected a string", 0},
      {ONE("\"X9\"", "[1]", "[0,1]"), "expected a dtype of the format", 1},
      {ONE("4", "[1]", "[0,1]"), "expected a dtype of the format", 1},
      {ONE("\"U8\"", "1", "[0,1]"), "expected a shape", 1},
      {ONE("\"U8\"", "[-1]", "[0,1]"), "expected a shape", 1},
      {ONE("\"U8\"", "[1.0]", "[0,1]"), "expected a shape", 1},
      {ONE("\"U8\"", "[4294967296,4294967296]", "[0,1]"), "expected a shape", 1},
      {ONE("\"F64\"", "[2305843009213693952]", "[0,0]"), "expected a shape", 0},
      {ONE("\"U8\"", "[0,9223372036854775807]", "[0,0]"), "expected a shape", 0},
      {ONE("\"U8\"", "[99999999999999999999]", "[0,1]"), "expected a JSON header", 1},
      {ONE("\"U8\"", "[1]", "[0]"), "two rising numbers", 1},
      {ONE("\"U8\"", "[1]", "[1,0]"), "two rising numbers", 1},
      {ONE("\"U8\"", "[1]", "[-1,0]"), "two rising numbers", 1},
      {ONE("\"U8\"", "[2]", "[0,2]"), "ends at byte 2 of the data, found only 1", 1},
      {ONE("\"U8\"", "[2]", "[0,3]"), "its shape needs 2 bytes, data_offsets give 3", 3},
      {ONE("\"U8\"", "[2]", "[1,3]"), "starts at byte 1 of the data, expected 0", 3},
      {ONE("\"U8\"", "[2]", "[0,2]"), "expected 2 bytes of data, found 3", 3},
      {AND("[0,2]", "[1,3]"), "must neither overlap nor leave gaps", 3},
      {AND("[0,2]", "[0,2]"), "must neither overlap nor leave gaps", 2},
      {AND("[0,2]", "[3,5]"), "must neither overlap nor leave gaps", 5},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    FAILS(SW_ECORRUPT, cases[i].message, read_of(cases[i].header, cases[i].data));
  }
}

static void test_hostile_lengths(void **state) {
  (void)state;
  const uint64_t lengths[] = {3, 100, 100000001, UINT64_MAX, (uint64_t)INT64_MAX, UINT64_MAX - 7};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    unsigned char bytes[10] = {[8] = '{', [9] = '}'};
    memcpy(bytes, &lengths[i], 8);
    write_bytes("x", bytes, sizeof bytes);
    FAILS(SW_ECORRUPT, "not a safetensors file, or cut short", read_all("x", 1));
  }
  assert_true(sw_context_alloc_stats(ctx).peak_bytes < 10000);
  FAILS(SW_EIO, "missing: cannot read: No such file", read_all("missing", 0));
  FAILS(SW_EIO, "not a regular file", read_all(".", 0));
}

static void test_every_truncation_is_corrupt(void **state) {
  (void)state;
  sample s;
  size_t n;
  make_sample(&s);
  OK(write_sample(&s, path_of("a")));
  unsigned char *file = read_bytes("a", &n);
  for (size_t k = 0; k < n; k++) {
    write_bytes("x", file, k);
    assert_int_equal(read_all("x", (int)k % 2), SW_ECORRUPT);
  }
  test_free(file);
  free_sample(&s);
}

static unsigned char flip(unsigned char byte, int bit) {
  return (unsigned char)(byte ^ (1 << bit));
}

static void test_no_single_byte_of_the_header_can_crash(void **state) {
  (void)state;
  static const unsigned char put[] = {0,   ' ', '"', '{', '}', '[',  ']',
                                      ',', ':', '-', '9', '0', 0x80, 0xff};
  sample s;
  size_t n;
  make_sample(&s);
  OK(write_sample(&s, path_of("a")));
  unsigned char *file = read_bytes("a", &n);
  for (size_t k = 0; k < n; k++) {
    unsigned char before = file[k];
    for (size_t i = 0; i < sizeof put + 8; i++) {
      file[k] = i < sizeof put ? put[i] : flip(before, (int)(i - sizeof put));
      write_bytes("x", file, n);
      sw_status st = read_all("x", (int)i % 2);
      if (st != SW_OK && st != SW_EUNSUPPORTED) assert_int_equal(st, SW_ECORRUPT);
    }
    file[k] = before;
  }
  test_free(file);
  free_sample(&s);
}

static void test_a_file_that_shrinks_after_it_was_opened(void **state) {
  (void)state;
  sw_safetensors *f;
  sw_tensor *t;
  write_file("x", ONE("\"U8\"", "[4]", "[0,4]"), 4);
  OK(open_file("x", 0, &f));
  assert_int_equal(truncate(path_of("x"), 20), 0);
  FAILS(SW_ECORRUPT, "the file has shrunk", sw_safetensors_tensor(f, 0, &t));
  sw_safetensors_close(f);
}

static void test_full_disk_leaves_the_old_file(void **state) {
  (void)state;
  sample s;
  size_t whole;
  make_sample(&s);
  OK(write_sample(&s, path_of("old")));
  test_free(read_bytes("old", &whole));
  write_bytes("old", "as it was", 9);
  FAILS(SW_ENOSPC, "/dev/full: cannot write: disk full", write_sample(&s, "/dev/full"));
  for (rlim_t limit = 1; limit < whole; limit += limit + 10 < whole ? 10 : 1) {
    limit_file_size(limit);
    sw_status st = write_sample(&s, path_of("old"));
    limit_file_size(0);
    FAILS(SW_ENOSPC, "old: cannot write: disk full (File too large)", st);
    assert_holds("old", "as it was", 9);
    assert_only_file("old");
  }
  OK(write_sample(&s, path_of("old")));
  OK(read_all("old", 1));
  free_sample(&s);
}

static sample shared;

static sw_status write_and_read(void) {
  SW_TRY(write_sample(&shared, path_of("a")));
  SW_TRY(read_all("a", 0));
  return read_all("a", 1);
}

static void test_any_allocation_may_fail(void **state) {
  (void)state;
  make_sample(&shared);
  check_every_allocation(write_and_read, 30);
  assert_only_file("a");
  free_sample(&shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_hostile_headers),
      FILE_TEST(test_hostile_lengths),
      FILE_TEST(test_every_truncation_is_corrupt),
      FILE_TEST(test_no_single_byte_of_the_header_can_crash),
      FILE_TEST(test_a_file_that_shrinks_after_it_was_opened),
      FILE_TEST(test_full_disk_leaves_the_old_file),
      FILE_TEST(test_any_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("safetensors faults", tests, NULL, NULL);
}
