/* test_npy.c: npy files: round trips, every form of the header, malformed files.
 * tests/lua/test_files.lua compares with NumPy itself. */
#include <stdlib.h>
#include <unistd.h>

#include "file_check.h"
#include "io/npy.h"

static unsigned char image[140000];

/* A file with this dictionary, not padded, in front of the elements. */
static size_t make(int version, const char *dictionary, const void *elements, size_t bytes) {
  size_t n = strlen(dictionary), prefix = version == 1 ? 10 : 12;
  memcpy(image, "\x93NUMPY", 6);
  image[6] = (unsigned char)version;
  image[7] = 0;
  memset(image + 8, 0, 4);
  image[8] = (unsigned char)n;
  image[9] = (unsigned char)(n >> 8);
  memcpy(image + prefix, dictionary, n);
  if (bytes > 0) memcpy(image + prefix + n, elements, bytes);
  return prefix + n + bytes;
}

static sw_status read_npy(size_t n, sw_tensor **t) {
  write_bytes("x", image, n);
  return sw_npy_read(ctx, path_of("x"), t);
}

static const float three[3] = {1, 2.5f, -3};
#define VECTOR "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n"

static void test_round_trips(void **state) {
  (void)state;
  sw_shape shapes[] = {sw_shape_of(0, NULL), DIMS(3), DIMS(0, 5), DIMS(2, 3),
                       DIMS(1, 2, 1, 3, 1, 2)};
  for (int dtype = 0; dtype < SW_DTYPE_COUNT; dtype++) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      sw_tensor *t = counted((sw_dtype)dtype, shapes[i]), *back;
      OK(sw_npy_write(t, path_of("a.npy")));
      OK(sw_npy_read(ctx, path_of("a.npy"), &back));
      assert_int_equal(sw_tensor_dtype(back), dtype);
      assert_true(sw_shape_equal(sw_tensor_shape(back), &shapes[i]));
      size_t bytes = (size_t)(sw_tensor_numel(t) * sw_dtype_bytes((sw_dtype)dtype));
      assert_memory_equal(sw_tensor_data(back), sw_tensor_data(t), bytes);
      sw_tensor_free(back);
      sw_tensor_free(t);
    }
  }
}

/* The bytes that NumPy 1.24 writes for np.array([[0, 2], [1, 3]], '<i4'). */
static void test_writes_what_numpy_writes(void **state) {
  (void)state;
  unsigned char want[128 + 16];
  memset(want, ' ', 128);
  memcpy(want, "\x93NUMPY\x01\x00\x76\x00", 10);
  const char *text = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }";
  memcpy(want + 10, text, strlen(text));
  want[127] = '\n';
  memcpy(want + 128, (int32_t[]){0, 2, 1, 3}, 16);
  sw_tensor *t = counted(SW_I32, DIMS(2, 2)), *swapped = transposed(t);
  OK(sw_npy_write(swapped, path_of("a")));
  assert_holds("a", want, sizeof want);
  sw_tensor_free(swapped);
  sw_tensor_free(t);
}

static void test_every_form_of_the_header(void **state) {
  (void)state;
  const char *forms[] = {
      VECTOR,
      "{'shape': (3,), 'fortran_order': False, 'descr': '<f4'}",
      "{\"descr\" : \"<f4\" ,\t'fortran_order':True,'shape' : ( 3 , ) , }   \n",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,)}\n",
  };
  for (int version = 1; version <= 3; version++) {
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
      sw_tensor *t;
      OK(read_npy(make(version, forms[i], three, sizeof three), &t));
      ELEMENTS(t, 1, 2.5, -3);
      sw_tensor_free(t);
    }
  }
}

static void test_fortran_order(void **state) {
  (void)state;
  const double lying[] = {0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11}; /* 0 … 11 of shape (2, 2, 3) */
  sw_tensor *t;
  OK(read_npy(
      make(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2, 3)}", lying, sizeof lying),
      &t));
  assert_true(sw_tensor_is_contiguous(t));
  ELEMENTS(t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
  sw_tensor_free(t);
}

static void test_wide_integers_and_truth(void **state) {
  (void)state;
  const char *wide = "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}";
  int64_t values[] = {INT32_MIN, 0, INT32_MAX};
  sw_tensor *t;
  OK(read_npy(make(1, wide, values, sizeof values), &t));
  assert_int_equal(sw_tensor_dtype(t), SW_I32);
  ELEMENTS(t, INT32_MIN, 0, INT32_MAX);
  sw_tensor_free(t);
  values[1] = (int64_t)INT32_MAX + 1;
  FAILS(SW_EUNSUPPORTED, "x: int64 is read as int32, but element 2 is 2147483648",
        read_npy(make(1, wide, values, sizeof values), &t));
  OK(read_npy(make(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", "\0\1\7", 3), &t));
  assert_int_equal(sw_tensor_dtype(t), SW_U8);
  ELEMENTS(t, 0, 1, 1);
  sw_tensor_free(t);
}

#define OF(descr, order, shape) \
  "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
#define THREE(descr) OF("'" descr "'", "False", "(3,)")

static void check_three(const char *dictionary, const void *bytes, size_t size, sw_dtype dtype,
                        const double *want) {
  sw_tensor *t;
  OK(read_npy(make(1, dictionary, bytes, size), &t));
  assert_int_equal(sw_tensor_dtype(t), dtype);
  ELEMENTS(t, want[0], want[1], want[2]);
  sw_tensor_free(t);
}

static void test_either_byte_order_and_every_width(void **state) {
  (void)state;
  const double floats[] = {1, 2.5, -3}, whole[] = {1, 258, -2}, small[] = {1, 128, 255};
  check_three(THREE(">f4"), "\x3f\x80\0\0\x40\x20\0\0\xc0\x40\0\0", 12, SW_F32, floats);
  check_three(THREE(">f8"), "\x3f\xf0\0\0\0\0\0\0\x40\x04\0\0\0\0\0\0\xc0\x08\0\0\0\0\0\0", 24,
              SW_F64, floats);
  check_three(THREE("<f2"), "\0\x3c\0\x41\0\xc2", 6, SW_F32, floats);
  check_three(THREE(">f2"), "\x3c\0\x41\0\xc2\0", 6, SW_F32, floats);
  check_three(THREE("<i2"), "\1\0\2\1\xfe\xff", 6, SW_I32, whole);
  check_three(THREE(">i2"), "\0\1\1\2\xff\xfe", 6, SW_I32, whole);
  check_three(THREE(">i4"), "\0\0\0\1\0\0\1\2\xff\xff\xff\xfe", 12, SW_I32, whole);
  check_three(THREE(">i8"), "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1\2\xff\xff\xff\xff\xff\xff\xff\xfe", 24,
              SW_I32, whole);
  check_three(THREE("|u1"), "\1\x80\xff", 3, SW_U8, small);
  check_three(THREE("<u2"), "\1\0\x80\0\xff\0", 6, SW_I32, small);
  check_three(THREE(">u4"), "\0\0\0\1\0\0\0\x80\0\0\0\xff", 12, SW_I32, small);
  check_three(THREE("<u8"), "\1\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0", 24, SW_I32,
              small);
  check_three(THREE("|i1"), "\1\x80\xff", 3, SW_I32, (const double[]){1, -128, -1});
  sw_tensor *t;
  FAILS(SW_EUNSUPPORTED, "uint32 is read as int32, but element 3 is 4294967295",
        read_npy(make(1, THREE("<u4"), "\1\0\0\0\2\0\0\0\xff\xff\xff\xff", 12), &t));
  const uint64_t wide[] = {0, UINT64_MAX, 0};
  FAILS(SW_EUNSUPPORTED, "uint64 is read as int32, but element 2 is 18446744073709551615",
        read_npy(make(1, THREE("<u8"), wide, sizeof wide), &t));
}

static void test_fortran_order_of_the_other_byte_order(void **state) {
  (void)state;
  const unsigned char lying[] = {0, 0, 0, 2, 0, 1, 0, 3};
  sw_tensor *t;
  OK(read_npy(make(1, OF("'>i2'", "True", "(2, 2)"), lying, sizeof lying), &t));
  ELEMENTS(t, 0, 1, 2, 3);
  sw_tensor_free(t);
}

/* A half is (-1)^s 2^(e - 15) (1 + m/1024), or 2^-14 m/1024 for e = 0: exact in double, and in
 * float32. NaNs keep their payload. More halves than are converted at a time. */
static void test_all_halves(void **state) {
  (void)state;
  static uint16_t halves[65536];
  for (int i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
  sw_tensor *t;
  OK(read_npy(make(1, OF("'<f2'", "False", "(65536,)"), halves, sizeof halves), &t));
  const float *v = sw_tensor_data(t);
  for (int i = 0; i < 65536; i++) {
    int e = i >> 10 & 31, m = i & 1023;
    double want = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
    uint32_t bits;
    memcpy(&bits, &v[i], sizeof bits);
    assert_int_equal(bits >> 31, i >> 15);
    if (e < 31) {
      assert_true(fabs((double)v[i]) == want);
    } else if (m == 0) {
      assert_true(isinf(v[i]));
    } else {
      assert_true(isnan(v[i]));
      assert_int_equal(bits >> 13 & 1023, m);
    }
  }
  sw_tensor_free(t);
}

static void test_every_truncation_is_corrupt(void **state) {
  (void)state;
  size_t n = make(1, VECTOR, three, sizeof three);
  sw_tensor *t;
  for (size_t k = 0; k < n; k++) FAILS(SW_ECORRUPT, path_of("x"), read_npy(k, &t));
  image[n] = 0;
  FAILS(SW_ECORRUPT, "too long: for shape (3) expected 12 bytes of elements, found 13",
        read_npy(n + 1, &t));
}

static void test_every_flipped_bit_of_a_header_is_refused_or_read(void **state) {
  (void)state;
  size_t n = make(1, VECTOR, three, sizeof three);
  for (size_t bit = 0; bit < 8 * (n - sizeof three); bit++) {
    sw_tensor *t = NULL;
    image[bit / 8] ^= (unsigned char)(1 << bit % 8);
    sw_status st = read_npy(n, &t);
    image[bit / 8] ^= (unsigned char)(1 << bit % 8);
    assert_true(st == SW_OK || st == SW_ECORRUPT || st == SW_EUNSUPPORTED);
    sw_tensor_free(t);
  }
}

#define REFUSED(status, text, dictionary) \
  FAILS(status, text, read_npy(make(1, dictionary, three, sizeof three), &t))

static void test_messages(void **state) {
  (void)state;
  sw_tensor *t;
  REFUSED(SW_EUNSUPPORTED, "elements of type '<c8'", OF("'<c8'", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "save a.real and a.imag", OF("'<c8'", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "numbers the words of labels", OF("'<U5'", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "'|O'; f2, f4, f8", OF("'|O'", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "type 'f4'", OF("'f4'", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "type ''; f2", OF("''", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "a structured array", OF("[('a', '<f4')]", "False", "(3,)"));
  REFUSED(SW_EUNSUPPORTED, "more than 6 dimensions", OF("'<f4'", "False", "(1,1,1,1,1,1,1)"));
  REFUSED(SW_ECORRUPT, "expected True or False, found \"Maybe", OF("'<f4'", "Maybe", "(3,)"));
  REFUSED(SW_ECORRUPT, "a comma in 'shape'", OF("'<f4'", "False", "(3)"));
  REFUSED(SW_ECORRUPT, "expected a size, found \"-3", OF("'<f4'", "False", "(-3,)"));
  REFUSED(SW_ECORRUPT, "a size below 2^63", OF("'<f4'", "False", "(9223372036854775808,)"));
  REFUSED(SW_ECORRUPT, "at most 2^46 elements", OF("'<f4'", "False", "(8388608, 8388609)"));
  REFUSED(SW_ECORRUPT, "each once, found \"descr", "{'descr': '<f4', 'descr': '<f4'}");
  REFUSED(SW_ECORRUPT, "each once, found \"other", "{'other': '<f4'}");
  REFUSED(SW_ECORRUPT, "expected 'descr', 'fortran_order' and", "{'descr': '<f4'}");
  REFUSED(SW_ECORRUPT, "nothing behind the dictionary", OF("'<f4'", "False", "(3,)") "x");
  REFUSED(SW_ECORRUPT, "expected a dictionary", "");
  size_t n = make(1, VECTOR, three, sizeof three);
  image[6] = 4;
  FAILS(SW_EUNSUPPORTED, "npy version 4.0", read_npy(n, &t));
  image[0] = 'P';
  FAILS(SW_ECORRUPT, "not an npy file", read_npy(n, &t));
  FAILS(SW_EIO, "/missing: cannot read: No such file", sw_npy_read(ctx, path_of("missing"), &t));
  FAILS(SW_EIO, "not a regular file", sw_npy_read(ctx, "/dev/null", &t));
}

static void test_absurd_promises_cost_nothing(void **state) {
  (void)state;
  sw_tensor *t;
  REFUSED(SW_ECORRUPT, "cut short", OF("'<f8'", "True", "(8388608, 8388608)"));
  assert_true(sw_context_alloc_stats(ctx).peak_bytes < 1 << 20);
}

static void test_full_disk(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(1 << 14));
  FAILS(SW_ENOSPC, "/dev/full: cannot write: disk full", sw_npy_write(t, "/dev/full"));
  FAILS(SW_EIO, "no/y: cannot write: No such file", sw_npy_write(t, path_of("no/y")));
  write_bytes("old", "as it was", 9);
  limit_file_size(1000);
  FAILS(SW_ENOSPC, "old: cannot write: disk full (File too large)",
        sw_npy_write(t, path_of("old")));
  limit_file_size(0);
  assert_holds("old", "as it was", 9);
  assert_only_file("old");
  sw_tensor_free(t);
}

static sw_status write_and_read(void) {
  const char *wide = "{'descr': '<i8', 'fortran_order': True, 'shape': (1, 2)}";
  const int64_t values[] = {1, 2};
  sw_tensor *t = NULL, *swapped = NULL, *back = NULL;
  sw_shape s = DIMS(3, 4);
  sw_status st = sw_tensor_new(ctx, SW_F32, &s, &t);
  if (st == SW_OK) st = sw_tensor_transpose(t, 0, 1, &swapped);
  if (st == SW_OK) st = sw_npy_write(swapped, path_of("a"));
  if (st == SW_OK) st = sw_npy_read(ctx, path_of("a"), &back);
  sw_tensor_free(t);
  sw_tensor_free(swapped);
  sw_tensor_free(back);
  t = NULL;
  if (st == SW_OK) st = read_npy(make(1, wide, values, sizeof values), &t);
  sw_tensor_free(t);
  return st;
}

static void test_any_allocation_may_fail(void **state) {
  (void)state;
  check_every_allocation(write_and_read, 8);
  check_no_temporary_files();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_round_trips),
      FILE_TEST(test_writes_what_numpy_writes),
      FILE_TEST(test_every_form_of_the_header),
      FILE_TEST(test_fortran_order),
      FILE_TEST(test_wide_integers_and_truth),
      FILE_TEST(test_either_byte_order_and_every_width),
      FILE_TEST(test_fortran_order_of_the_other_byte_order),
      FILE_TEST(test_all_halves),
      FILE_TEST(test_every_truncation_is_corrupt),
      FILE_TEST(test_every_flipped_bit_of_a_header_is_refused_or_read),
      FILE_TEST(test_messages),
      FILE_TEST(test_absurd_promises_cost_nothing),
      FILE_TEST(test_full_disk),
      FILE_TEST(test_any_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
