/* test_elements.c: elements read, written, converted and drawn, over any strides. */
#include "tensor_check.h"

static void test_one_element(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_U8, DIMS(2, 3));
  OK(sw_tensor_set(t, AT(1, 2), 255.9)); /* cut towards zero */
  assert_near(get(t, AT(1, 2)), 255, 0);
  FAILS(SW_ERANGE, "set: 256 does not fit uint8 (0 … 255)", sw_tensor_set(t, AT(0, 0), 256));
  FAILS(SW_ERANGE, "nan does not fit", sw_tensor_set(t, AT(0, 0), (double)NAN));
  double v;
  FAILS(SW_ERANGE, "get: index 4 of axis 2 is outside 1 … 3", sw_tensor_get(t, AT(0, 3), &v));
  FAILS(SW_ERANGE, "get: index 0 of axis 1 is outside 1 … 2", sw_tensor_get(t, AT(-1, 0), &v));
  sw_tensor_free(t);
}

static void test_conversions_between_all_types(void **state) {
  (void)state;
  for (int a = 0; a < SW_DTYPE_COUNT; a++) {
    for (int b = 0; b < SW_DTYPE_COUNT; b++) {
      sw_tensor *t = counted((sw_dtype)a, DIMS(2, 3)), *swapped = transposed(t), *x, *y;
      OK(sw_tensor_to(t, (sw_dtype)b, &x));
      OK(sw_tensor_to(swapped, (sw_dtype)b, &y));
      assert_int_equal(sw_tensor_dtype(x), b);
      ELEMENTS(x, 0, 1, 2, 3, 4, 5);
      ELEMENTS(y, 0, 3, 1, 4, 2, 5);
      sw_tensor *all[] = {t, swapped, x, y};
      for (int i = 0; i < 4; i++) sw_tensor_free(all[i]);
    }
  }
}

static void test_conversions_at_the_limits(void **state) {
  (void)state;
  const struct {
    double value;
    sw_dtype to;
    int fits;
  } cases[] = {{2147483647.9, SW_I32, 1},     {2147483648.0, SW_I32, 0}, {-2147483648.9, SW_I32, 1},
               {-2147483649.0, SW_I32, 0},    {-0.9, SW_U8, 1},          {-1, SW_U8, 0},
               {(double)INFINITY, SW_I32, 0}, {(double)NAN, SW_U8, 0},   {1e300, SW_F32, 1}};
  sw_tensor *t = new_tensor(SW_F64, DIMS(300)), *out;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OK(sw_tensor_set(t, AT(299), cases[i].value)); /* in the last tile */
    sw_status st = sw_tensor_to(t, cases[i].to, &out);
    assert_int_equal(st, cases[i].fits ? SW_OK : SW_ERANGE);
    if (st == SW_OK) sw_tensor_free(out);
  }
  sw_tensor_free(t);
}

static void test_copy_broadcasts_converts_and_fails_whole(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_U8, DIMS(2, 3)), *row = counted(SW_F64, DIMS(3));
  OK(sw_tensor_copy(t, row));
  ELEMENTS(t, 0, 1, 2, 0, 1, 2);
  OK(sw_tensor_set(row, AT(0), 7));
  OK(sw_tensor_set(row, AT(2), 1000));
  FAILS(SW_ERANGE, "copy: 1000 does not fit uint8", sw_tensor_copy(t, row));
  ELEMENTS(t, 0, 1, 2, 0, 1, 2);
  FAILS(SW_ESHAPE, "copy: shape (2, 3) cannot be broadcast to (3)", sw_tensor_copy(row, t));
  sw_tensor_free(row);
  sw_tensor_free(t);
}

static void test_overlapping_views_are_read_before_written(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(5)), *head, *tail;
  OK(sw_tensor_narrow(t, 0, 0, 4, &head));
  OK(sw_tensor_narrow(t, 0, 1, 4, &tail));
  OK(sw_tensor_copy(tail, head));
  ELEMENTS(t, 0, 0, 1, 2, 3);
  OK(sw_tensor_axpy(tail, 10, head));
  ELEMENTS(t, 0, 0, 1, 12, 23);
  OK(sw_tensor_axpy(t, 1, t));
  ELEMENTS(t, 0, 0, 2, 24, 46);
  sw_tensor *square = counted(SW_I32, DIMS(2, 2)), *swapped = transposed(square);
  OK(sw_tensor_copy(square, swapped));
  ELEMENTS(square, 0, 2, 1, 3);
  sw_tensor *all[] = {t, head, tail, square, swapped};
  for (int i = 0; i < 5; i++) sw_tensor_free(all[i]);
}

static void test_updates_over_any_strides(void **state) {
  (void)state;
  for (int dtype = SW_F32; dtype <= SW_F64; dtype++) {
    sw_tensor *t = counted((sw_dtype)dtype, DIMS(2, 3)), *x = counted((sw_dtype)dtype, DIMS(3, 2));
    sw_tensor *swapped = transposed(t);
    OK(sw_tensor_axpy(swapped, 2, x));
    ELEMENTS(swapped, 0, 5, 5, 10, 10, 15);
    OK(sw_tensor_scale(swapped, 2));
    ELEMENTS(t, 0, 10, 20, 10, 20, 30);
    OK(sw_tensor_lerp(swapped, 0.5, x));
    ELEMENTS(swapped, 0, 5.5, 6, 11.5, 12, 17.5);
    sw_tensor_free(swapped);
    sw_tensor_free(x);
    sw_tensor_free(t);
  }
}

static void test_updates_of_long_strided_rows(void **state) {
  (void)state;
  enum { N = 1000 }; /* several tiles and a rest */
  sw_tensor *t = new_tensor(SW_F32, DIMS(N, 2)), *x = counted(SW_F32, DIMS(N)), *column, *other;
  OK(sw_tensor_select(t, 1, 1, &column));
  OK(sw_tensor_select(t, 1, 0, &other));
  OK(sw_tensor_axpy(column, 3, x));
  for (int64_t i = 0; i < N; i++) assert_near(get(column, &i), 3.0 * (double)i, 0);
  double left, a, b;
  OK(sw_tensor_norm(other, &left));
  assert_near(left, 0, 0);
  sw_tensor *clone;
  OK(sw_tensor_clone(column, &clone));
  OK(sw_tensor_dot(column, x, &a));
  OK(sw_tensor_dot(clone, x, &b));
  assert_memory_equal(&a, &b, sizeof a); /* a view has the bits of its clone */
  sw_tensor *all[] = {t, x, column, other, clone};
  for (int i = 0; i < 5; i++) sw_tensor_free(all[i]);
}

static void test_updates_refuse(void **state) {
  (void)state;
  sw_tensor *f = new_tensor(SW_F32, DIMS(2, 3)), *d = new_tensor(SW_F64, DIMS(2, 3));
  sw_tensor *i = new_tensor(SW_I32, DIMS(2, 3)), *s = new_tensor(SW_F32, DIMS(3));
  double v;
  FAILS(SW_EDTYPE, "axpy: element types differ: float32 and float64", sw_tensor_axpy(f, 1, d));
  FAILS(SW_EDTYPE, "scale: expected float32 or float64, got int32", sw_tensor_scale(i, 1));
  FAILS(SW_ESHAPE, "lerp: expected shape (2, 3), got (3)", sw_tensor_lerp(f, 1, s));
  FAILS(SW_ESHAPE, "dot: expected as many elements, got 6 and 3", sw_tensor_dot(f, s, &v));
  FAILS(SW_EDTYPE, "norm: expected float32", sw_tensor_norm(i, &v));
  FAILS(SW_ERANGE, "fill: 1e+10 does not fit int32", sw_tensor_fill(i, 1e10));
  sw_tensor *all[] = {f, d, i, s};
  for (int k = 0; k < 4; k++) sw_tensor_free(all[k]);
}

static void test_norm_of_three_and_four(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(2)), *empty = new_tensor(SW_F32, DIMS(0));
  double v;
  OK(sw_tensor_set(t, AT(0), 3));
  OK(sw_tensor_set(t, AT(1), -4));
  OK(sw_tensor_norm(t, &v));
  assert_near(v, 5, 0);
  OK(sw_tensor_norm(empty, &v));
  assert_near(v, 0, 0);
  sw_tensor_free(empty);
  sw_tensor_free(t);
}

static void test_random_fills_do_not_depend_on_strides(void **state) {
  (void)state;
  for (int normal = 0; normal < 2; normal++) {
    sw_tensor *a = new_tensor(SW_F32, DIMS(4, 7)), *b = new_tensor(SW_F32, DIMS(7, 4));
    sw_tensor *swapped = transposed(b), *d;
    sw_random r, q;
    sw_random_init(&r, 7, sw_stream("init", 0));
    q = r;
    OK(normal ? sw_tensor_normal(a, &r, 1, 2) : sw_tensor_uniform(a, &r, -1, 1));
    OK(normal ? sw_tensor_normal(swapped, &q, 1, 2) : sw_tensor_uniform(swapped, &q, -1, 1));
    OK(sw_tensor_to(a, SW_F64, &d));
    assert_elements(swapped, 28, sw_tensor_data(d));
    sw_tensor *all[] = {a, b, swapped, d};
    for (int i = 0; i < 4; i++) sw_tensor_free(all[i]);
  }
}

/* Mean and variance within five standard errors of N = 20000 draws. */
static void test_random_moments(void **state) {
  (void)state;
  enum { N = 20000 };
  sw_tensor *t = new_tensor(SW_F64, DIMS(N));
  const double *v = sw_tensor_data(t);
  sw_random r;
  for (int normal = 0; normal < 2; normal++) {
    sw_random_init(&r, 1, sw_stream("script", 0));
    OK(normal ? sw_tensor_normal(t, &r, 0, 1) : sw_tensor_uniform(t, &r, -sqrt(3), sqrt(3)));
    double mean = 0, square = 0;
    for (int i = 0; i < N; i++) mean += v[i] / N, square += v[i] * v[i] / N;
    assert_near(mean, 0, 5 / sqrt(N));
    assert_near(square, 1, 5 * sqrt(2.0 / N));
  }
  sw_tensor_free(t);
}

static void test_uniform_stays_below_high_in_float(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(1000));
  sw_random r;
  sw_random_init(&r, 3, 0);
  OK(sw_tensor_uniform(t, &r, 1, 1 + 2.4e-7)); /* two or three floats wide: rounding reaches high */
  const float *v = sw_tensor_data(t);
  for (int i = 0; i < 1000; i++) assert_true(v[i] >= 1 && v[i] < (float)(1 + 2.4e-7));
  FAILS(SW_ERANGE, "uniform: expected finite low <= high, got 2 and 1",
        sw_tensor_uniform(t, &r, 2, 1));
  FAILS(SW_ERANGE, "std >= 0, got 0 and -1", sw_tensor_normal(t, &r, 0, -1));
  sw_tensor_free(t);
}

static void test_permutation_of_a_strided_column(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_I32, DIMS(50, 2)), *column;
  int seen[50] = {0};
  sw_random r;
  sw_random_init(&r, 5, sw_stream("data", 1));
  OK(sw_tensor_select(t, 1, 1, &column));
  OK(sw_tensor_permutation(column, &r));
  for (int64_t i = 0; i < 50; i++) seen[(int)get(column, &i)]++;
  for (int i = 0; i < 50; i++) assert_int_equal(seen[i], 1);
  FAILS(SW_ESHAPE, "expected one dimension, got 2", sw_tensor_permutation(t, &r));
  sw_tensor_free(column);
  sw_tensor_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_one_element),
      TEST(test_conversions_between_all_types),
      TEST(test_conversions_at_the_limits),
      TEST(test_copy_broadcasts_converts_and_fails_whole),
      TEST(test_overlapping_views_are_read_before_written),
      TEST(test_updates_over_any_strides),
      TEST(test_updates_of_long_strided_rows),
      TEST(test_updates_refuse),
      TEST(test_norm_of_three_and_four),
      TEST(test_random_fills_do_not_depend_on_strides),
      TEST(test_random_moments),
      TEST(test_uniform_stays_below_high_in_float),
      TEST(test_permutation_of_a_strided_column),
  };
  return cmocka_run_group_tests_name("elements", tests, NULL, NULL);
}
