/* test_source.c: rows of a data set into inputs. */
#include "train_check.h"

#include "base/parallel.h"
#include "train/source.h"

/* A small data set: 5 examples of 3 features, x = 10 i + f, label i % 3, target (i / 2, -i). */
enum { N = 5, FEATURES = 3, CLASSES = 3 };

typedef struct data {
  sw_tensor *bytes, *floats, *labels, *byte_labels, *targets, *scale, *shift;
} data;

static data make_data(void) {
  data d = {tensor(SW_U8, 2, N, FEATURES), tensor(SW_F32, 2, N, FEATURES),
            tensor(SW_I32, 1, N, 0),       tensor(SW_U8, 1, N, 0),
            tensor(SW_F32, 2, N, 2),       tensor(SW_F32, 1, FEATURES, 0),
            tensor(SW_F32, 1, FEATURES, 0)};
  for (int i = 0; i < N; i++) {
    for (int f = 0; f < FEATURES; f++) {
      ((uint8_t *)data_of(d.bytes))[i * FEATURES + f] = (uint8_t)(10 * i + f);
      ((float *)data_of(d.floats))[i * FEATURES + f] = (float)(10 * i + f);
    }
    ((int32_t *)data_of(d.labels))[i] = i % CLASSES;
    ((uint8_t *)data_of(d.byte_labels))[i] = (uint8_t)(i % CLASSES);
    ((float *)data_of(d.targets))[2 * i] = (float)i / 2;
    ((float *)data_of(d.targets))[2 * i + 1] = (float)-i;
  }
  for (int f = 0; f < FEATURES; f++) {
    ((float *)data_of(d.scale))[f] = 0.5f * (float)(f + 1);
    ((float *)data_of(d.shift))[f] = (float)-f;
  }
  return d;
}

static void free_data(data *d) {
  sw_tensor_free(d->bytes);
  sw_tensor_free(d->floats);
  sw_tensor_free(d->labels);
  sw_tensor_free(d->byte_labels);
  sw_tensor_free(d->targets);
  sw_tensor_free(d->scale);
  sw_tensor_free(d->shift);
}

static sw_source *source_of(const sw_source_options *o) {
  sw_source *s = NULL;
  CHECK_OK(ctx, sw_source_new(ctx, o, &s));
  return s;
}

static const int32_t rows[] = {4, 0, 0, 2};

static void check_features(const sw_source *s, int normalised) {
  float narrow[4 * FEATURES];
  double wide[4 * FEATURES];
  sw_source_gather(s, rows, 4, 4, NULL, narrow, NULL);
  sw_source_gather(s, rows, 4, 8, NULL, wide, NULL);
  for (int i = 0; i < 4 * FEATURES; i++) {
    int f = i % FEATURES;
    double x = 10 * rows[i / FEATURES] + f;
    double want = normalised ? x * 0.5 * (f + 1) - f : x;
    assert_near((double)narrow[i], want, 1e-7);
    assert_near(wide[i], want, 1e-15);
  }
}

TEST(test_gathers_and_normalises) {
  data d = make_data();
  for (int normalised = 0; normalised < 2; normalised++)
    for (int bytes = 0; bytes < 2; bytes++) {
      sw_source *s = source_of(&(sw_source_options){.x = bytes ? d.bytes : d.floats,
                                                    .scale = normalised ? d.scale : NULL,
                                                    .shift = normalised ? d.shift : NULL});
      assert_int_equal(sw_source_examples(s), N);
      assert_int_equal(sw_source_features(s), FEATURES);
      assert_int_equal(sw_source_target_features(s), 0);
      check_features(s, normalised);
      sw_source_free(s);
    }
  free_data(&d);
}

TEST(test_labels_become_int32) {
  data d = make_data();
  for (int bytes = 0; bytes < 2; bytes++) {
    sw_source *s = source_of(&(sw_source_options){
        .x = d.bytes, .y = bytes ? d.byte_labels : d.labels, .classes = CLASSES});
    int32_t label[4];
    sw_source_gather(s, rows, 4, 4, NULL, NULL, label);
    for (int i = 0; i < 4; i++) assert_int_equal(label[i], rows[i] % CLASSES);
    assert_int_equal(sw_source_target_features(s), 1);
    assert_true(sw_source_has_classes(s));
    sw_source_free(s);
  }
  free_data(&d);
}

TEST(test_targets_take_the_programs_type) {
  data d = make_data();
  sw_source *s = source_of(
      &(sw_source_options){.x = d.floats, .y = d.targets, .scale = d.scale, .shift = d.shift});
  double wide[8];
  float narrow[8];
  sw_source_gather(s, rows, 4, 8, NULL, NULL, wide);
  sw_source_gather(s, rows, 4, 4, NULL, NULL, narrow);
  for (int i = 0; i < 8; i++) {
    double want = i % 2 ? -rows[i / 2] : rows[i / 2] / 2.0;
    assert_true(wide[i] == want && (double)narrow[i] == want);
  }
  assert_int_equal(sw_source_target_features(s), 2);
  assert_false(sw_source_has_classes(s));
  sw_source_free(s);
  free_data(&d);
}

/* The source keeps views: the tensors may be freed. */
TEST(test_outlives_its_tensors) {
  data d = make_data();
  sw_source *s = source_of(&(sw_source_options){.x = d.bytes, .scale = d.scale, .shift = d.shift});
  free_data(&d);
  check_features(s, 1);
  sw_source_free(s);
}

/* Labels may be a column of a table, not contiguous. */
TEST(test_takes_a_column_as_labels) {
  data d = make_data();
  sw_tensor *table = tensor(SW_I32, 2, N, 2), *column = NULL;
  for (int i = 0; i < N; i++) ((int32_t *)data_of(table))[2 * i + 1] = N - 1 - i;
  CHECK_OK(ctx, sw_tensor_select(table, 1, 1, &column));
  sw_source *s = source_of(&(sw_source_options){.x = d.bytes, .y = column, .classes = N});
  int32_t label[4];
  sw_source_gather(s, rows, 4, 4, NULL, NULL, label);
  for (int i = 0; i < 4; i++) assert_int_equal(label[i], N - 1 - rows[i]);
  sw_source_free(s);
  sw_tensor_free(table);
  sw_tensor_free(column);
  free_data(&d);
}

/* Large enough for several pieces, the last one short. */
TEST(test_threads_change_no_bit) {
  enum { MANY = 2100, WIDE = 257 };
  sw_tensor *x = tensor(SW_U8, 2, MANY, WIDE), *scale = tensor(SW_F32, 1, WIDE, 0);
  sw_tensor *one = tensor(SW_F32, 2, MANY, WIDE), *four = tensor(SW_F32, 2, MANY, WIDE);
  int32_t index[MANY];
  for (int i = 0; i < MANY * WIDE; i++)
    ((uint8_t *)data_of(x))[i] = (uint8_t)((unsigned)i * 7919 >> 3);
  for (int i = 0; i < MANY; i++) index[i] = i * 3 % MANY;
  CHECK_OK(ctx, sw_tensor_fill(scale, 1.0 / 3));
  sw_source *s = source_of(&(sw_source_options){.x = x, .scale = scale, .shift = scale});
  sw_source_gather(s, index, MANY, 4, NULL, data_of(one), NULL);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 4));
  sw_source_gather(s, index, MANY, 4, NULL, data_of(four), NULL);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
  assert_memory_equal(data_of(one), data_of(four), MANY * WIDE * sizeof(float));
  for (int i = 0; i < MANY; i++) {
    double want = (((uint8_t *)data_of(x))[index[i] * WIDE + 256] + 1.0) / 3;
    assert_near((double)((float *)data_of(four))[i * WIDE + 256], want, 1e-6);
  }
  sw_source_free(s);
  sw_tensor_free(x);
  sw_tensor_free(scale);
  sw_tensor_free(one);
  sw_tensor_free(four);
}

static void refused(sw_source_options o, sw_status status, const char *part) {
  sw_source *s = NULL;
  assert_int_equal(sw_source_new(ctx, &o, &s), status);
  assert_null(s);
  assert_message(part);
}

TEST(test_refuses) {
  data d = make_data();
  sw_tensor *wide = tensor(SW_F64, 1, N, 0), *none = tensor(SW_U8, 2, 0, FEATURES), *across = NULL;
  CHECK_OK(ctx, sw_tensor_transpose(d.bytes, 0, 1, &across));
  refused((sw_source_options){.x = NULL}, SW_EARG, "x is missing");
  refused((sw_source_options){.x = d.labels}, SW_EDTYPE, "vocabulary");
  refused((sw_source_options){.x = none}, SW_ESHAPE, "one example or more");
  refused((sw_source_options){.x = across}, SW_ESHAPE, "contiguous");
  refused((sw_source_options){.x = d.bytes, .y = wide}, SW_EDTYPE, "float64");
  refused((sw_source_options){.x = d.bytes, .y = d.scale}, SW_ESHAPE, "x has 5 examples, y has 3");
  refused((sw_source_options){.x = d.bytes, .y = d.bytes, .classes = 9}, SW_ERANGE,
          "label 10 of example 2 is outside 0 … 8, the 9 classes");
  refused((sw_source_options){.x = d.bytes, .vocabulary = 32}, SW_ERANGE,
          "index 32 of example 4 is outside 0 … 31, the 32 of the vocabulary");
  refused((sw_source_options){.x = d.floats, .vocabulary = 99}, SW_EDTYPE, "indices x");
  refused((sw_source_options){.x = d.bytes, .vocabulary = 99, .scale = d.scale, .shift = d.shift},
          SW_EARG, "no scale and shift");
  refused((sw_source_options){.x = d.bytes, .flip = 1}, SW_ESHAPE, "images");
  refused((sw_source_options){.x = d.bytes, .y = d.labels}, SW_ERANGE, "number of classes");
  refused((sw_source_options){.x = d.bytes, .scale = d.scale}, SW_EARG, "together");
  refused((sw_source_options){.x = d.bytes, .scale = d.labels, .shift = d.shift}, SW_EDTYPE,
          "scale");
  refused((sw_source_options){.x = d.bytes, .scale = d.scale, .shift = d.targets}, SW_ESHAPE,
          "shift has 10 elements, a row has 3");
  ((int32_t *)data_of(d.labels))[3] = -1;
  refused((sw_source_options){.x = d.bytes, .y = d.labels, .classes = 3}, SW_ERANGE,
          "label -1 of example 4 is outside 0 … 2, the 3 classes");
  refused((sw_source_options){.x = d.bytes, .y = d.byte_labels, .classes = 2}, SW_ERANGE,
          "of example 3 ");
  sw_tensor_free(wide);
  sw_tensor_free(none);
  sw_tensor_free(across);
  free_data(&d);
}

TEST(test_out_of_memory) {
  data d = make_data();
  sw_source_options o = {
      .x = d.bytes, .y = d.labels, .scale = d.scale, .shift = d.shift, .classes = CLASSES};
  int64_t before = sw_context_alloc_stats(ctx).live_blocks;
  sw_source *s = NULL;
  for (int n = 1; !s; n++) {
    sw_context_fail_allocation(ctx, n, 0);
    sw_status status = sw_source_new(ctx, &o, &s);
    sw_context_fail_allocation(ctx, 0, 0);
    assert_int_equal(status, s ? SW_OK : SW_ENOMEM);
    if (!s) assert_int_equal(sw_context_alloc_stats(ctx).live_blocks, before);
    assert_true(n < 100);
  }
  sw_source_free(s);
  free_data(&d);
}

/* -------------------------------------------------------------- indices, several labels */

TEST(test_indices_and_labels_of_several_elements) {
  data d = make_data();
  sw_tensor *integers = NULL;
  CHECK_OK(ctx, sw_tensor_to(d.bytes, SW_I32, &integers));
  for (int bytes = 0; bytes < 2; bytes++) {
    const sw_tensor *x = bytes ? d.bytes : integers, *y = bytes ? integers : d.bytes;
    sw_source *s = source_of(&(sw_source_options){.x = x, .y = y, .classes = 99, .vocabulary = 43});
    sw_shape row = sw_source_shape(s, 4), target = sw_source_target_shape(s, 4);
    int32_t got[4 * FEATURES], label[4 * FEATURES];
    sw_source_gather(s, rows, 4, bytes ? 4 : 8, NULL, got, label);
    for (int i = 0; i < 4 * FEATURES; i++) {
      assert_int_equal(got[i], 10 * rows[i / FEATURES] + i % FEATURES);
      assert_int_equal(label[i], got[i]);
    }
    assert_true(sw_source_has_indices(s));
    assert_int_equal(sw_source_target_features(s), FEATURES);
    assert_true(row.ndim == 2 && row.dim[0] == 4 && row.dim[1] == FEATURES);
    assert_true(sw_shape_equal(&row, &target));
    sw_source_free(s);
  }
  sw_tensor_free(integers);
  free_data(&d);
}

RUN_CLEAN_TESTS(CLEAN(test_gathers_and_normalises), CLEAN(test_labels_become_int32),
                CLEAN(test_targets_take_the_programs_type), CLEAN(test_outlives_its_tensors),
                CLEAN(test_takes_a_column_as_labels), CLEAN(test_threads_change_no_bit),
                CLEAN(test_refuses), CLEAN(test_out_of_memory),
                CLEAN(test_indices_and_labels_of_several_elements))
