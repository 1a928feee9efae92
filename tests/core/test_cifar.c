/* test_cifar.c: the binary files of CIFAR, and malformed ones. */
#include "file_check.h"
#include "io/cifar.h"

enum { IMAGE = 3072, PLANE = 1024, MANY = 150 };

/* Value c of pixel p of image i. */
static unsigned char pixel(int i, int c, int p) {
  return (unsigned char)(((unsigned)i * 7919u + (unsigned)c * 101u + (unsigned)p * 31u) >> 2);
}

static unsigned char *records(int n, int labels) {
  unsigned char *bytes = test_malloc((size_t)(n * (labels + IMAGE) + 1)), *to = bytes;
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < labels; k++) *to++ = (unsigned char)((i + k) % 10);
    for (int c = 0; c < 3; c++)
      for (int p = 0; p < PLANE; p++) *to++ = pixel(i, c, p);
  }
  return bytes;
}

static sw_status read_cifar(const void *bytes, size_t n, sw_cifar kind, sw_tensor **x,
                            sw_tensor **y) {
  write_bytes("x.bin", bytes, n);
  return sw_cifar_read(ctx, path_of("x.bin"), kind, x, y);
}

static void check_whole(int labels) {
  unsigned char *bytes = records(MANY, labels);
  size_t n = (size_t)(MANY * (labels + IMAGE));
  sw_tensor *x, *y;
  OK(read_cifar(bytes, n, labels == 1 ? SW_CIFAR10 : SW_CIFAR100, &x, &y));
  sw_shape want_x = DIMS(MANY, 32, 32, 3), want_y = DIMS(MANY, labels);
  assert_true(sw_shape_equal(sw_tensor_shape(x), &want_x));
  assert_true(sw_shape_equal(sw_tensor_shape(y), &want_y));
  const unsigned char *value = sw_tensor_data(x), *label = sw_tensor_data(y);
  for (int i = 0; i < MANY; i++) {
    for (int k = 0; k < labels; k++) assert_int_equal(*label++, (i + k) % 10);
    for (int p = 0; p < PLANE; p++)
      for (int c = 0; c < 3; c++) assert_int_equal(*value++, pixel(i, c, p));
  }
  sw_tensor_free(x);
  sw_tensor_free(y);
  test_free(bytes);
}

static void test_planes_become_pixels(void **state) {
  (void)state;
  check_whole(1);
  check_whole(2);
}

static void test_every_other_length_is_corrupt(void **state) {
  (void)state;
  unsigned char *bytes = records(2, 1);
  sw_tensor *x, *y;
  FAILS(SW_ECORRUPT, "x.bin: empty: expected records of 3073 bytes, as CIFAR-10",
        read_cifar(bytes, 0, SW_CIFAR10, &x, &y));
  FAILS(SW_ECORRUPT, "empty", read_cifar(bytes, 0, SW_CIFAR100, &x, &y));
  for (size_t n = 1; n < 2 * 3073; n += n == 3072 ? 2 : n % 97 + 1)
    if (n != 3073) FAILS(SW_ECORRUPT, "x.bin: cut short", read_cifar(bytes, n, SW_CIFAR10, &x, &y));
  FAILS(SW_ECORRUPT,
        "cut short or not CIFAR-10: expected records of 3073 bytes, found 1 of them and 3072 bytes "
        "more",
        read_cifar(bytes, 2 * 3073 - 1, SW_CIFAR10, &x, &y));
  FAILS(SW_ECORRUPT, "not CIFAR-100", read_cifar(bytes, 2 * 3073, SW_CIFAR100, &x, &y));
  test_free(bytes);
}

static void test_labels_outside_of_the_classes(void **state) {
  (void)state;
  unsigned char *ten = records(3, 1), *hundred = records(3, 2);
  sw_tensor *x, *y;
  ten[2 * 3073] = 10;
  FAILS(SW_ECORRUPT, "not CIFAR-10: record 3 has label 10, expected 0 to 9",
        read_cifar(ten, 3 * 3073, SW_CIFAR10, &x, &y));
  hundred[3074] = 20;
  FAILS(SW_ECORRUPT, "record 2 has coarse label 20, expected 0 to 19",
        read_cifar(hundred, 3 * 3074, SW_CIFAR100, &x, &y));
  hundred[3074] = 19;
  hundred[3075] = 100;
  FAILS(SW_ECORRUPT, "has label 100, expected 0 to 99",
        read_cifar(hundred, 3 * 3074, SW_CIFAR100, &x, &y));
  test_free(ten);
  test_free(hundred);
}

static void test_files_that_cannot_be_read(void **state) {
  (void)state;
  sw_tensor *x, *y;
  FAILS(SW_EIO, "/missing: cannot read: No such file",
        sw_cifar_read(ctx, path_of("missing"), SW_CIFAR10, &x, &y));
  FAILS(SW_EIO, "not a regular file", sw_cifar_read(ctx, path_of("."), SW_CIFAR10, &x, &y));
}

static void test_out_of_memory(void **state) {
  (void)state;
  unsigned char *bytes = records(1, 1);
  sw_tensor *x = NULL, *y = NULL;
  for (int n = 1; !x; n++) {
    sw_context_fail_allocation(ctx, n, 0);
    sw_status st = read_cifar(bytes, 3073, SW_CIFAR10, &x, &y);
    sw_context_fail_allocation(ctx, 0, 0);
    assert_int_equal(st, x ? SW_OK : SW_ENOMEM);
    if (!x) assert_int_equal(sw_context_alloc_stats(ctx).live_blocks, 0);
    assert_true(n < 50);
  }
  sw_tensor_free(x);
  sw_tensor_free(y);
  test_free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_planes_become_pixels),
      FILE_TEST(test_every_other_length_is_corrupt),
      FILE_TEST(test_labels_outside_of_the_classes),
      FILE_TEST(test_files_that_cannot_be_read),
      FILE_TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests_name("cifar", tests, NULL, NULL);
}
