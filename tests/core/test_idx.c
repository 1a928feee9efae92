/* test_idx.c: IDX files: round trips, and malformed files. */
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

#include "file_check.h"
#include "io/idx.h"

static const unsigned char small[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};

/* The bytes as one gzip member; *n is their number. */
static unsigned char *gzipped(const void *bytes, size_t size, size_t *n) {
  unsigned char *out = test_malloc(1000);
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = (unsigned char *)(uintptr_t)bytes;
  z.avail_in = (unsigned)size;
  z.next_out = out;
  z.avail_out = 1000;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  *n = 1000 - z.avail_out;
  assert_int_equal(deflateEnd(&z), Z_OK);
  return out;
}

static sw_status read_idx(const void *bytes, size_t n, sw_tensor **t) {
  write_bytes("x", bytes, n);
  return sw_idx_read(ctx, path_of("x"), t);
}

static void test_reads_plain_and_gzipped_whatever_the_name(void **state) {
  (void)state;
  size_t n;
  sw_tensor *t;
  OK(read_idx(small, sizeof small, &t));
  ELEMENTS(t, 1, 2, 3, 4, 5, 6);
  assert_int_equal(sw_tensor_shape(t)->dim[1], 3);
  sw_tensor_free(t);
  unsigned char *gz = gzipped(small, sizeof small, &n);
  OK(read_idx(gz, n, &t));
  ELEMENTS(t, 1, 2, 3, 4, 5, 6);
  sw_tensor_free(t);
  test_free(gz);
}

static void test_round_trips(void **state) {
  (void)state;
  const char *names[] = {"a.idx", "a.idx.gz"};
  for (int i = 0; i < 2; i++) {
    sw_tensor *t = new_tensor(SW_U8, DIMS(50, 40, 3)), *swapped = transposed(t), *back, *want;
    for (int64_t k = 0; k < 50; k++) OK(sw_tensor_set(t, AT(k, k % 40, k % 3), (double)(5 * k)));
    OK(sw_idx_write(swapped, path_of(names[i])));
    OK(sw_idx_read(ctx, path_of(names[i]), &back));
    OK(sw_tensor_contiguous(swapped, &want));
    assert_true(sw_shape_equal(sw_tensor_shape(back), sw_tensor_shape(want)));
    assert_memory_equal(sw_tensor_data(back), sw_tensor_data(want), 6000);
    sw_tensor *all[] = {t, swapped, back, want};
    for (int k = 0; k < 4; k++) sw_tensor_free(all[k]);
  }
}

static void test_gzip_in_several_members_and_steps(void **state) {
  (void)state;
  enum { N = 3 << 20 }; /* the buffer grows twice */
  sw_tensor *t = new_tensor(SW_U8, DIMS(N)), *back;
  OK(sw_tensor_set(t, AT(N - 1), 9));
  OK(sw_idx_write(t, path_of("big.gz")));
  OK(sw_idx_read(ctx, path_of("big.gz"), &back));
  assert_near(get(back, AT(N - 1)), 9, 0);
  sw_tensor_free(back);
  sw_tensor_free(t);
  size_t n, m;
  unsigned char *a = gzipped(small, 7, &n), *b = gzipped(small + 7, sizeof small - 7, &m);
  memcpy(a + n, b, m);
  OK(read_idx(a, n + m, &back));
  ELEMENTS(back, 1, 2, 3, 4, 5, 6);
  sw_tensor_free(back);
  test_free(a);
  test_free(b);
}

static void test_empty_dimension(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_U8, DIMS(0, 28)), *back;
  OK(sw_idx_write(t, path_of("none")));
  OK(sw_idx_read(ctx, path_of("none"), &back));
  assert_int_equal(sw_tensor_shape(back)->dim[1], 28);
  sw_tensor_free(back);
  sw_tensor_free(t);
}

static void test_every_truncation_is_corrupt(void **state) {
  (void)state;
  size_t n;
  unsigned char *gz = gzipped(small, sizeof small, &n);
  sw_tensor *t;
  for (size_t k = 0; k < sizeof small; k++) {
    FAILS(SW_ECORRUPT, path_of("x"), read_idx(small, k, &t));
    FAILS(SW_ECORRUPT, "name", sw_idx_parse(ctx, small, k, "name", &t));
  }
  for (size_t k = 0; k < n; k++) FAILS(SW_ECORRUPT, path_of("x"), read_idx(gz, k, &t));
  test_free(gz);
}

static void test_every_flipped_bit_of_a_gzip_file_is_seen_or_harmless(void **state) {
  (void)state;
  size_t n;
  unsigned char *gz = gzipped(small, sizeof small, &n);
  for (size_t bit = 0; bit < 8 * n; bit++) {
    sw_tensor *t = NULL;
    gz[bit / 8] ^= (unsigned char)(1 << bit % 8);
    sw_status st = read_idx(gz, n, &t);
    gz[bit / 8] ^= (unsigned char)(1 << bit % 8);
    if (st == SW_OK) {
      ELEMENTS(t, 1, 2, 3, 4, 5, 6); /* a bit that means nothing: time, system */
    } else {
      assert_int_equal(st, SW_ECORRUPT);
    }
    sw_tensor_free(t);
  }
  test_free(gz);
}

static void test_every_flipped_bit_of_a_header_never_crashes(void **state) {
  (void)state;
  for (size_t bit = 0; bit < 8 * 12; bit++) {
    unsigned char bad[sizeof small];
    sw_tensor *t;
    memcpy(bad, small, sizeof bad);
    bad[bit / 8] ^= (unsigned char)(1 << bit % 8);
    assert_int_equal(read_idx(bad, sizeof bad, &t), SW_ECORRUPT);
  }
}

static void test_messages_say_what_was_expected_and_found(void **state) {
  (void)state;
  sw_tensor *t;
  unsigned char bad[sizeof small + 1] = {0};
  memcpy(bad, small, sizeof small);
  FAILS(SW_ECORRUPT, "too long: for IDX sizes (2, 3) expected 18 bytes, found more",
        read_idx(bad, sizeof bad, &t));
  FAILS(SW_ECORRUPT, "cut short: for IDX sizes (2, 3) expected 18 bytes, found 15",
        read_idx(bad, 15, &t));
  bad[0] = 'P';
  FAILS(SW_ECORRUPT, "expected two zero bytes at its start, found 0x50 0x00",
        read_idx(bad, 18, &t));
  bad[0] = 0;
  bad[2] = 0x0d;
  FAILS(SW_ECORRUPT, "expected IDX elements of type 0x08 (unsigned byte), found 0x0d",
        read_idx(bad, 18, &t));
  bad[2] = 8;
  bad[3] = 7;
  FAILS(SW_ECORRUPT, "expected 1 to 6 IDX dimensions, found 7", read_idx(bad, 18, &t));
  FAILS(SW_EIO, "/missing: cannot read: No such file", sw_idx_read(ctx, path_of("missing"), &t));
  FAILS(SW_EIO, "not a regular file", sw_idx_read(ctx, "/dev/null", &t));
  FAILS(SW_EIO, "not a regular file", sw_idx_read(ctx, path_of("."), &t));
  size_t n;
  unsigned char *gz = gzipped(small, sizeof small, &n);
  gz[n] = 0;
  FAILS(SW_ECORRUPT, "to end with its gzip stream, found more bytes", read_idx(gz, n + 1, &t));
  test_free(gz);
  gz = gzipped(bad, sizeof bad, &n);
  FAILS(SW_ECORRUPT, "found 7", read_idx(gz, n, &t));
  test_free(gz);
}

/* A header may announce any size: that much is not allocated. */
static void test_absurd_promises_cost_nothing(void **state) {
  (void)state;
  unsigned char huge[] = {0, 0, 8, 2, 0, 0x7f, 0xff, 0xff, 0, 0x7f, 0xff, 0xff, 1};
  unsigned char wraps[] = {0,    0,    8,    3,    0xff, 0xff, 0xff, 0xff, 0xff,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
  sw_tensor *t;
  size_t n;
  FAILS(SW_ECORRUPT, "cut short", read_idx(huge, sizeof huge, &t));
  FAILS(SW_ECORRUPT, "at most 2^46 elements", read_idx(wraps, sizeof wraps, &t));
  unsigned char *gz = gzipped(huge, sizeof huge, &n);
  FAILS(SW_ECORRUPT, "cut short", read_idx(gz, n, &t));
  test_free(gz);
  assert_true(sw_context_alloc_stats(ctx).peak_bytes < 4 << 20);
}

static void test_what_cannot_be_written(void **state) {
  (void)state;
  sw_tensor *f = new_tensor(SW_F32, DIMS(2)), *t = counted(SW_U8, DIMS(3)), *scalar;
  FAILS(SW_EDTYPE, "IDX is written from uint8, got float32", sw_idx_write(f, path_of("y")));
  OK(sw_tensor_select(t, 0, 0, &scalar));
  FAILS(SW_ESHAPE, "IDX has no scalars", sw_idx_write(scalar, path_of("y")));
  FAILS(SW_EIO, "no/y: cannot write: No such file", sw_idx_write(t, path_of("no/y")));
  FAILS(SW_EIO, "cannot write: Is a directory", sw_idx_write(t, path_of(".")));
  assert_int_equal(access(path_of("y"), F_OK), -1);
  sw_tensor_free(scalar);
  sw_tensor_free(t);
  sw_tensor_free(f);
}

static void test_full_disk(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_U8, DIMS(1 << 16));
  FAILS(SW_ENOSPC, "/dev/full: cannot write: disk full", sw_idx_write(t, "/dev/full"));
  write_bytes("old", "as it was", 9);
  limit_file_size(1000);
  FAILS(SW_ENOSPC, "old: cannot write: disk full (File too large)",
        sw_idx_write(t, path_of("old")));
  limit_file_size(0);
  assert_holds("old", "as it was", 9);
  assert_only_file("old");
  sw_tensor_free(t);
}

static sw_status write_and_read(void) {
  const char *names[] = {"a", "a.gz"};
  sw_status st = SW_OK;
  for (int i = 0; i < 2 && st == SW_OK; i++) {
    sw_tensor *t = NULL, *swapped = NULL, *back = NULL;
    sw_shape s = DIMS(3, 4);
    st = sw_tensor_new(ctx, SW_U8, &s, &t);
    if (st == SW_OK) st = sw_tensor_transpose(t, 0, 1, &swapped);
    if (st == SW_OK) st = sw_idx_write(swapped, path_of(names[i]));
    if (st == SW_OK) st = sw_idx_read(ctx, path_of(names[i]), &back);
    sw_tensor_free(t);
    sw_tensor_free(swapped);
    sw_tensor_free(back);
  }
  return st;
}

static void test_any_allocation_may_fail(void **state) {
  (void)state;
  check_every_allocation(write_and_read, 20);
  check_no_temporary_files();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_reads_plain_and_gzipped_whatever_the_name),
      FILE_TEST(test_round_trips),
      FILE_TEST(test_gzip_in_several_members_and_steps),
      FILE_TEST(test_empty_dimension),
      FILE_TEST(test_every_truncation_is_corrupt),
      FILE_TEST(test_every_flipped_bit_of_a_gzip_file_is_seen_or_harmless),
      FILE_TEST(test_every_flipped_bit_of_a_header_never_crashes),
      FILE_TEST(test_messages_say_what_was_expected_and_found),
      FILE_TEST(test_absurd_promises_cost_nothing),
      FILE_TEST(test_what_cannot_be_written),
      FILE_TEST(test_full_disk),
      FILE_TEST(test_any_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("idx", tests, NULL, NULL);
}
