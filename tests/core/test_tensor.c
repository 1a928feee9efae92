/* test_tensor.c: shapes, storage and views, and every allocation failing in turn. */
#include "tensor_check.h"

static void test_dtypes_by_name(void **state) {
  (void)state;
  sw_dtype t;
  for (int i = 0; i < SW_DTYPE_COUNT; i++) {
    OK(sw_dtype_parse(ctx, sw_dtype_name((sw_dtype)i), &t));
    assert_int_equal(t, i);
  }
  FAILS(SW_EDTYPE, "there is no \"float16\"; use float32, float64",
        sw_dtype_parse(ctx, "float16", &t));
}

static void test_shapes_are_counted_and_refused(void **state) {
  (void)state;
  int64_t n;
  sw_shape s = DIMS(2, 3, 4), empty = DIMS(0, 5), scalar = {0};
  OK(sw_shape_numel(ctx, &s, &n));
  assert_int_equal(n, 24);
  OK(sw_shape_numel(ctx, &empty, &n));
  assert_int_equal(n, 0);
  OK(sw_shape_numel(ctx, &scalar, &n));
  assert_int_equal(n, 1);
  sw_shape most = DIMS(INT64_C(1) << 46), more = DIMS((INT64_C(1) << 46) + 1);
  OK(sw_shape_numel(ctx, &most, &n));
  FAILS(SW_ERANGE, "at most 2^46", sw_shape_numel(ctx, &more, &n));
  sw_shape wraps = DIMS(INT64_C(1) << 32, INT64_C(1) << 32), hidden = DIMS(0, INT64_MAX, INT64_MAX);
  FAILS(SW_ERANGE, "too large", sw_shape_numel(ctx, &wraps, &n));
  FAILS(SW_ERANGE, "too large", sw_shape_numel(ctx, &hidden, &n));
  sw_shape negative = DIMS(2, -3), seven = DIMS(1, 1, 1, 1, 1, 1, 1);
  FAILS(SW_ERANGE, "size -3 of axis 2 in (2, -3) is negative", sw_shape_numel(ctx, &negative, &n));
  FAILS(SW_ERANGE, "7 dimensions, expected 0 to 6", sw_shape_numel(ctx, &seven, &n));
}

static void test_shapes_as_text(void **state) {
  (void)state;
  char text[32];
  sw_shape s = DIMS(2, 3), scalar = {0};
  assert_string_equal(sw_shape_text(&s, text, sizeof text), "(2, 3)");
  assert_string_equal(sw_shape_text(&s, text, 4), "(2,");
  assert_string_equal(sw_shape_text(&scalar, text, sizeof text), "()");
}

static void test_shapes_broadcast_as_in_numpy(void **state) {
  (void)state;
  sw_shape a = DIMS(5, 1, 4), b = DIMS(3, 1), expected = DIMS(5, 3, 4), scalar = {0}, out;
  OK(sw_shape_broadcast(ctx, &a, &b, &out));
  assert_true(sw_shape_equal(&out, &expected));
  OK(sw_shape_broadcast(ctx, &scalar, &a, &out));
  assert_true(sw_shape_equal(&out, &a));
  sw_shape one = DIMS(1), none = DIMS(0);
  OK(sw_shape_broadcast(ctx, &one, &none, &out));
  assert_true(sw_shape_equal(&out, &none));
  sw_shape three = DIMS(2, 3), two = DIMS(2);
  FAILS(SW_ESHAPE, "shapes (2, 3) and (2) do not fit", sw_shape_broadcast(ctx, &three, &two, &out));
}

static void test_views_share_storage(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(3, 4)), *row, *column, *part;
  OK(sw_tensor_select(t, 0, 1, &row));
  OK(sw_tensor_select(t, 1, 2, &column));
  OK(sw_tensor_narrow(t, 1, 1, 2, &part));
  ELEMENTS(row, 4, 5, 6, 7);
  ELEMENTS(column, 2, 6, 10);
  ELEMENTS(part, 1, 2, 5, 6, 9, 10);
  OK(sw_tensor_fill(column, 100));
  ELEMENTS(row, 4, 5, 100, 7);
  ELEMENTS(part, 1, 100, 5, 100, 9, 100);
  sw_tensor_free(t); /* the views keep the storage */
  ELEMENTS(row, 4, 5, 100, 7);
  assert_int_equal(sw_tensor_storage_bytes(row), 48);
  sw_tensor_free(part);
  sw_tensor_free(column);
  sw_tensor_free(row);
}

static void test_views_name_what_is_outside(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(3, 5)), *scalar = new_tensor(SW_F32, DIMS(1)), *v;
  FAILS(SW_ERANGE, "index 7 of axis 2 is outside 1 … 5", sw_tensor_select(t, 1, 6, &v));
  FAILS(SW_ERANGE, "index 0 of axis 1 is outside 1 … 3", sw_tensor_select(t, 0, -1, &v));
  FAILS(SW_ERANGE, "axis 3 is outside 1 … 2", sw_tensor_select(t, 2, 0, &v));
  FAILS(SW_ERANGE, "axis 0 is outside 1 … 2", sw_tensor_transpose(t, 0, -1, &v));
  FAILS(SW_ERANGE, "2 elements from index 5 of axis 2 are outside 1 … 5",
        sw_tensor_narrow(t, 1, 4, 2, &v));
  FAILS(SW_ERANGE, "outside", sw_tensor_narrow(t, 1, INT64_MAX, INT64_MAX, &v));
  FAILS(SW_ERANGE, "outside", sw_tensor_narrow(t, 1, 0, -1, &v));
  OK(sw_tensor_select(scalar, 0, 0, &v));
  sw_tensor *w;
  FAILS(SW_ERANGE, "a scalar has no axes", sw_tensor_select(v, 0, 0, &w));
  sw_tensor_free(v);
  sw_tensor_free(scalar);
  sw_tensor_free(t);
}

static void test_narrow_to_nothing_at_the_end(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(3, 5)), *v;
  OK(sw_tensor_narrow(t, 0, 3, 0, &v));
  assert_int_equal(sw_tensor_numel(v), 0);
  OK(sw_tensor_fill(v, 1));
  assert_prints(v, "[]\n[float32 0x5]");
  sw_tensor_free(v);
  sw_tensor_free(t);
}

static void test_reshape_is_a_view_where_strides_allow(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(4, 6)), *v, *part, *flat, *pairs;
  sw_shape s = DIMS(2, -1, 3), whole = DIMS(24), split = DIMS(4, 2, 1, 2);
  OK(sw_tensor_reshape(t, &s, &v));
  assert_ptr_equal(sw_tensor_data(v), sw_tensor_data(t));
  assert_int_equal(sw_tensor_shape(v)->dim[1], 4);
  OK(sw_tensor_narrow(t, 1, 1, 4, &part)); /* rows of 4 at a distance of 6 */
  OK(sw_tensor_reshape(part, &split, &pairs));
  assert_ptr_equal(sw_tensor_data(pairs), sw_tensor_data(part));
  ELEMENTS(pairs, 1, 2, 3, 4, 7, 8, 9, 10, 13, 14, 15, 16, 19, 20, 21, 22);
  sw_tensor *swapped = transposed(t);
  OK(sw_tensor_reshape(swapped, &whole, &flat));
  assert_ptr_not_equal(sw_tensor_data(flat), sw_tensor_data(t)); /* no strides give this shape */
  assert_near(get(flat, AT(1)), 6, 0);
  assert_true(sw_tensor_is_contiguous(flat));
  sw_tensor *all[] = {t, v, part, pairs, swapped, flat};
  for (int i = 0; i < 6; i++) sw_tensor_free(all[i]);
}

/* Every reshape of a strided view must read as the reshape of its contiguous clone. */
static void test_reshape_of_strided_tensors_keeps_the_order(void **state) {
  (void)state;
  const sw_shape shapes[] = {DIMS(24),    DIMS(4, 6),       DIMS(6, 4),
                             DIMS(2, 12), DIMS(1, 3, 8, 1), DIMS(2, 2, 2, 3),
                             DIMS(12, 2), DIMS(3, 1, 2, 4), DIMS(24, 1)};
  sw_tensor *base = counted(SW_I32, DIMS(3, 5, 4));
  for (int a = 0; a < 3; a++) {
    for (int b = 0; b < 3; b++) {
      sw_tensor *part, *view, *clone;
      OK(sw_tensor_narrow(base, 1, 2, 2, &part));
      OK(sw_tensor_transpose(part, a, b, &view));
      OK(sw_tensor_clone(view, &clone));
      for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        sw_tensor *x, *y;
        OK(sw_tensor_reshape(view, &shapes[i], &x));
        OK(sw_tensor_reshape(clone, &shapes[i], &y));
        sw_tensor *d;
        OK(sw_tensor_to(y, SW_F64, &d));
        assert_elements(x, 24, sw_tensor_data(d));
        sw_tensor_free(d);
        sw_tensor_free(x);
        sw_tensor_free(y);
      }
      sw_tensor_free(part);
      sw_tensor_free(view);
      sw_tensor_free(clone);
    }
  }
  sw_tensor_free(base);
}

static void test_reshape_refuses(void **state) {
  (void)state;
  sw_tensor *t = new_tensor(SW_F32, DIMS(4, 6)), *v;
  sw_shape wrong = DIMS(5, 5), two = DIMS(-1, -1), odd = DIMS(-1, 5), zero = DIMS(0, -1),
           neg = DIMS(-2);
  FAILS(SW_ESHAPE, "(4, 6) with its 24 elements does not fit (5, 5)",
        sw_tensor_reshape(t, &wrong, &v));
  FAILS(SW_ESHAPE, "axes 1 and 2 are both -1", sw_tensor_reshape(t, &two, &v));
  FAILS(SW_ESHAPE, "does not fit (-1, 5)", sw_tensor_reshape(t, &odd, &v));
  FAILS(SW_ESHAPE, "does not fit (0, -1)", sw_tensor_reshape(t, &zero, &v));
  FAILS(SW_ERANGE, "is negative", sw_tensor_reshape(t, &neg, &v));
  sw_tensor_free(t);
}

static void test_broadcast_views_are_read_only(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(3, 1)), *v, *inner;
  sw_shape s = DIMS(2, 3, 2), bad = DIMS(2, 2);
  OK(sw_tensor_broadcast(t, &s, &v));
  ELEMENTS(v, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2);
  FAILS(SW_EARG, "fill: this tensor is read only", sw_tensor_fill(v, 1));
  OK(sw_tensor_select(v, 0, 1, &inner));
  FAILS(SW_EARG, "clone it first", sw_tensor_set(inner, AT(0, 0), 1));
  FAILS(SW_ESHAPE, "shape (3, 1) cannot be broadcast to (2, 2)",
        sw_tensor_broadcast(t, &bad, &inner));
  sw_tensor_free(inner);
  OK(sw_tensor_clone(v, &inner));
  OK(sw_tensor_fill(inner, 1));
  sw_tensor_free(inner);
  sw_tensor_free(v);
  sw_tensor_free(t);
}

static void count_release(void *arg) { ++*(int *)arg; }

static void test_wrapped_data_is_released_with_the_last_view(void **state) {
  (void)state;
  int32_t data[4] = {1, 2, 3, 4};
  int released = 0;
  sw_shape s = DIMS(4);
  sw_tensor *t, *v;
  OK(sw_tensor_wrap(ctx, SW_I32, &s, data, 1, count_release, &released, &t));
  FAILS(SW_EARG, "read only", sw_tensor_set(t, AT(0), 1));
  OK(sw_tensor_narrow(t, 0, 1, 2, &v));
  sw_tensor_free(t);
  assert_int_equal(released, 0);
  ELEMENTS(v, 2, 3);
  sw_tensor_free(v);
  assert_int_equal(released, 1);
  FAILS(SW_EARG, "aligned to 4 bytes",
        sw_tensor_wrap(ctx, SW_I32, &s, (char *)data + 1, 1, count_release, &released, &t));
  assert_int_equal(released, 1);
}

/* Everything that allocates; on each failure, what was made is freed. */
static sw_status allocate_everything(void) {
  sw_shape s = DIMS(4, 6), flat = DIMS(24), wide = DIMS(2, 4, 6), whole = DIMS(24);
  sw_tensor *v[16] = {NULL};
  sw_random r;
  sw_random_init(&r, 1, 1);
  double d;
  sw_status st = sw_tensor_new(ctx, SW_F32, &s, &v[0]);
  if (st == SW_OK) st = sw_tensor_clone(v[0], &v[1]);
  if (st == SW_OK) st = sw_tensor_to(v[0], SW_I32, &v[2]);
  if (st == SW_OK) st = sw_tensor_view(v[0], &v[3]);
  if (st == SW_OK) st = sw_tensor_transpose(v[0], 0, 1, &v[4]);
  if (st == SW_OK) st = sw_tensor_reshape(v[0], &flat, &v[5]);
  if (st == SW_OK) st = sw_tensor_reshape(v[4], &whole, &v[6]);
  if (st == SW_OK) st = sw_tensor_select(v[0], 0, 1, &v[7]);
  if (st == SW_OK) st = sw_tensor_narrow(v[5], 0, 0, 23, &v[8]);
  if (st == SW_OK) st = sw_tensor_narrow(v[5], 0, 1, 23, &v[9]);
  if (st == SW_OK) st = sw_tensor_broadcast(v[0], &wide, &v[10]);
  if (st == SW_OK) st = sw_tensor_contiguous(v[4], &v[11]);
  if (st == SW_OK) st = sw_tensor_copy(v[8], v[9]);
  if (st == SW_OK) st = sw_tensor_axpy(v[8], 1, v[9]);
  if (st == SW_OK) st = sw_tensor_dot(v[4], v[4], &d);
  if (st == SW_OK) st = sw_tensor_norm(v[4], &d);
  if (st == SW_OK) st = sw_tensor_select(v[2], 1, 1, &v[12]);
  if (st == SW_OK) st = sw_tensor_permutation(v[12], &r);
  if (st == SW_OK) {
    static char data[96];
    static int released;
    st = sw_tensor_wrap(ctx, SW_U8, &s, data, 0, count_release, &released, &v[13]);
  }
  for (int i = 0; i < 16; i++) sw_tensor_free(v[i]);
  return st;
}

static void test_any_allocation_may_fail(void **state) {
  (void)state;
  check_every_allocation(allocate_everything, 20);
}

static void test_absurd_sizes_fail_softly(void **state) {
  (void)state;
  sw_tensor *t;
  sw_shape s = DIMS(INT64_C(1) << 46), more = DIMS(INT64_C(1) << 46, 2);
  assert_int_equal(sw_tensor_new(ctx, SW_F64, &s, &t), SW_ENOMEM);
  FAILS(SW_ERANGE, "too large", sw_tensor_new(ctx, SW_U8, &more, &t));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_dtypes_by_name),
      TEST(test_shapes_are_counted_and_refused),
      TEST(test_shapes_as_text),
      TEST(test_shapes_broadcast_as_in_numpy),
      TEST(test_views_share_storage),
      TEST(test_views_name_what_is_outside),
      TEST(test_narrow_to_nothing_at_the_end),
      TEST(test_reshape_is_a_view_where_strides_allow),
      TEST(test_reshape_of_strided_tensors_keeps_the_order),
      TEST(test_reshape_refuses),
      TEST(test_broadcast_views_are_read_only),
      TEST(test_wrapped_data_is_released_with_the_last_view),
      TEST(test_any_allocation_may_fail),
      TEST(test_absurd_sizes_fail_softly),
  };
  return cmocka_run_group_tests_name("tensor", tests, NULL, NULL);
}
