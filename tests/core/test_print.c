/* test_print.c: tensors as text, against expected texts in NumPy's format. */
#include "tensor_check.h"

static void test_prints_integers_and_scalars(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_I32, DIMS(2, 3)), *v, *scalar;
  OK(sw_tensor_set(t, AT(1, 2), -100));
  assert_prints(t, "[[   0    1    2]\n [   3    4 -100]]\n[int32 2x3]");
  OK(sw_tensor_select(t, 0, 1, &v));
  OK(sw_tensor_select(v, 0, 2, &scalar));
  assert_prints(scalar, "-100\n[int32]");
  sw_tensor_free(scalar);
  sw_tensor_free(v);
  sw_tensor_free(t);
}

static void set_all(sw_tensor *t, const double *values) {
  for (int64_t i = 0; i < sw_tensor_numel(t); i++) OK(sw_tensor_set(t, &i, values[i]));
}

static void test_prints_floats(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(4));
  set_all(t, (const double[]){1, 2.5, -3.25, 0});
  assert_prints(t, "[ 1.    2.5  -3.25  0.  ]\n[float32 4]");
  set_all(t, (const double[]){0.1, 0.2, 1.0 / 3, 10});
  assert_prints(t, "[ 0.1         0.2         0.33333334 10.        ]\n[float32 4]");
  set_all(t, (const double[]){1, (double)NAN, -(double)INFINITY, 2});
  assert_prints(t, "[  1.  nan -inf   2.]\n[float32 4]");
  set_all(t, (const double[]){1e-5, 1, 0, -2.5e20});
  assert_prints(t, "[ 1.0e-05  1.0e+00  0.0e+00 -2.5e+20]\n[float32 4]");
  sw_tensor_free(t);
}

static void test_prints_nested_and_wrapped(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(2, 2, 2)), *row = counted(SW_I32, DIMS(30));
  assert_prints(t, "[[[0. 1.]\n  [2. 3.]]\n\n [[4. 5.]\n  [6. 7.]]]\n[float32 2x2x2]");
  assert_prints(row, "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
                     " 24 25 26 27 28 29]\n[int32 30]");
  sw_tensor_free(row);
  sw_tensor_free(t);
}

static void test_prints_large_ones_with_dots(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_I32, DIMS(2000)), *m = counted(SW_I32, DIMS(100, 20));
  assert_prints(t, "[   0    1    2 ... 1997 1998 1999]\n[int32 2000]");
  assert_prints(m, "[[   0    1    2 ...   17   18   19]\n"
                   " [  20   21   22 ...   37   38   39]\n"
                   " [  40   41   42 ...   57   58   59]\n ...\n"
                   " [1940 1941 1942 ... 1957 1958 1959]\n"
                   " [1960 1961 1962 ... 1977 1978 1979]\n"
                   " [1980 1981 1982 ... 1997 1998 1999]]\n[int32 100x20]");
  sw_tensor_free(m);
  sw_tensor_free(t);
}

static void test_prints_into_too_small_a_text(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_I32, DIMS(3));
  char text[6] = "xxxxx";
  assert_int_equal(sw_tensor_print(t, text, sizeof text), 17);
  assert_string_equal(text, "[0 1 ");
  assert_int_equal(sw_tensor_print(t, NULL, 0), 17);
  sw_tensor_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_prints_integers_and_scalars),  TEST(test_prints_floats),
      TEST(test_prints_nested_and_wrapped),    TEST(test_prints_large_ones_with_dots),
      TEST(test_prints_into_too_small_a_text),
  };
  return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
