/* test_safetensors.c: round trips, an independent check of the bytes, foreign types. */
#include "safetensors_check.h"

static void test_round_trip(void **state) {
  (void)state;
  sample s;
  make_sample(&s);
  OK(write_sample(&s, path_of("a")));
  for (int mapped = 0; mapped < 2; mapped++) {
    sw_safetensors *f;
    sw_tensor *t[5];
    OK(open_file("a", mapped, &f));
    assert_int_equal(sw_safetensors_count(f), 5);
    for (int i = 0; i < 5; i++) {
      assert_string_equal(sw_safetensors_name(f, i), s.named[i].name);
      OK(sw_safetensors_tensor(f, i, &t[i]));
      assert_int_equal(sw_tensor_dtype(t[i]), sw_tensor_dtype(s.named[i].tensor));
    }
    assert_int_equal(sw_safetensors_metadata_count(f), 2);
    for (int i = 0; i < 2; i++) {
      assert_string_equal(sw_safetensors_metadata(f, i).key, metadata[i].key);
      assert_string_equal(sw_safetensors_metadata(f, i).value, metadata[i].value);
    }
    assert_null(sw_safetensors_name(f, 5));
    assert_null(sw_safetensors_metadata(f, -1).key);
    sw_safetensors_close(f); /* the tensors stay valid */
    ELEMENTS(t[0], 0, 1, 2);
    ELEMENTS(t[1], 0, 1, 2, 3);
    ELEMENTS(t[2], 0, 3, 1, 4, 2, 5);
    ELEMENTS(t[3], 0, 1);
    assert_int_equal(sw_tensor_is_read_only(t[1]), mapped);
    for (int i = 0; i < 5; i++) sw_tensor_free(t[i]);
  }
  free_sample(&s);
  assert_only_file("a");
}

static void test_mapped_views_outlive_the_file_under_its_name(void **state) {
  (void)state;
  sample s;
  sw_safetensors *f;
  sw_tensor *t, *row;
  make_sample(&s);
  OK(write_sample(&s, path_of("a")));
  OK(open_file("a", 1, &f));
  OK(sw_safetensors_tensor(f, 1, &t));
  sw_safetensors_close(f);
  OK(sw_tensor_fill(s.weights, 100));
  OK(write_sample(&s, path_of("a"))); /* another file takes the name */
  OK(sw_tensor_select(t, 0, 1, &row));
  sw_tensor_free(t);
  ELEMENTS(row, 2, 3);
  sw_tensor_free(row);
  free_sample(&s);
}

/* A second reader that shares no code with the first: it searches the header for `"name":{…}`. */
typedef struct found {
  char dtype[8];
  long dim[2], begin, end;
} found;

/* The numbers in the brackets after key; missing ones are left unchanged. */
static void numbers(const char *at, const char *key, long *out, int n) {
  at = strstr(at, key);
  assert_non_null(at);
  at += strlen(key);
  for (int i = 0; i < n && *at >= '0' && *at <= '9'; i++) {
    char *end;
    out[i] = strtol(at, &end, 10);
    at = end + (*end == ',');
  }
}

static found look_up(const char *header, const char *name) {
  found r = {.dim = {-1, -1}};
  char key[64];
  long offsets[2] = {-1, -1};
  (void)snprintf(key, sizeof key, "\"%s\":{", name);
  const char *at = strstr(header, key);
  assert_non_null(at);
  assert_int_equal(sscanf(strstr(at, "\"dtype\":"), "\"dtype\":\"%7[A-Z0-9]\"", r.dtype), 1);
  numbers(at, "\"shape\":[", r.dim, 2);
  numbers(at, "\"data_offsets\":[", offsets, 2);
  r.begin = offsets[0];
  r.end = offsets[1];
  return r;
}

static void test_the_bytes_as_the_format_defines_them(void **state) {
  (void)state;
  sample s;
  make_sample(&s);
  OK(write_sample(&s, path_of("a")));
  size_t n;
  unsigned char *file = read_bytes("a", &n);
  uint64_t length = 0;
  for (int i = 0; i < 8; i++) length |= (uint64_t)file[i] << (8 * i);
  assert_int_equal((8 + length) % 64, 0);
  assert_int_equal(file[8], '{');
  char *header = test_calloc(length + 1, 1);
  memcpy(header, file + 8, length);
  const unsigned char *data = file + 8 + length;
  found w = look_up(header, "model.weights"), t = look_up(header, "swapped \\\"\xc3\xa9\\\"");
  found l = look_up(header, "labels"), b = look_up(header, "bytes");
  assert_string_equal(w.dtype, "F64");
  assert_string_equal(t.dtype, "F32");
  assert_string_equal(l.dtype, "I32");
  assert_string_equal(b.dtype, "U8");
  assert_int_equal(t.dim[0], 3);
  assert_int_equal(t.dim[1], 2);
  const double weights[] = {0, 1, 2, 3};
  const float swapped[] = {0, 3, 1, 4, 2, 5};
  assert_memory_equal(data + w.begin, weights, sizeof weights);
  assert_memory_equal(data + t.begin, swapped, sizeof swapped);
  assert_memory_equal(data + b.begin, "\0\1\2", 3);
  /* no gaps, wider types first, and to the last byte */
  assert_int_equal(w.begin, 0);
  assert_int_equal(t.begin, w.end);
  assert_int_equal(l.begin, t.end);
  assert_int_equal(b.begin, l.end);
  assert_int_equal(8 + length + (uint64_t)b.end, n);
  test_free(header);
  test_free(file);
  free_sample(&s);
}

static void test_writing_refuses(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_F32, DIMS(2));
  const sw_named_tensor twice[] = {{"w", t}, {"w", t}}, reserved[] = {{"__metadata__", t}};
  const sw_named_tensor bad[] = {{"\xff", t}};
  const sw_pair again[] = {{"a", "1"}, {"a", "2"}};
  const char *path = path_of("a");
  FAILS(SW_EARG, "tensor \"w\" is given twice", sw_safetensors_write(ctx, path, twice, 2, NULL, 0));
  FAILS(SW_EARG, "no tensor may be named", sw_safetensors_write(ctx, path, reserved, 1, NULL, 0));
  FAILS(SW_EARG, "not valid UTF-8", sw_safetensors_write(ctx, path, bad, 1, NULL, 0));
  FAILS(SW_EARG, "metadata \"a\" is given twice",
        sw_safetensors_write(ctx, path, twice, 1, again, 2));
  FAILS(SW_EIO, "no/a: cannot write: No such file",
        sw_safetensors_write(ctx, path_of("no/a"), twice, 1, NULL, 0));
  assert_only_file("nothing");
  sw_tensor_free(t);
}

static void test_reads_a_file_by_another_hand(void **state) {
  (void)state;
  OK(read_of("{\"w\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[0,4]}}   ", 4));
  OK(read_of("{}", 0));
  OK(read_of("{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4));
  OK(read_of("{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
             "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
             "\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}",
             2));
}

static void test_misaligned_data_is_copied(void **state) {
  (void)state;
  sw_safetensors *f;
  sw_tensor *t;
  write_file("x",
             "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
             "\"w\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[1,5]},"
             "\"v\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[5,9]}}",
             9);
  for (int mapped = 0; mapped < 2; mapped++) {
    OK(open_file("x", mapped, &f));
    OK(sw_safetensors_tensor(f, 1, &t));
    assert_int_equal((uintptr_t)sw_tensor_data(t) % 4, 0);
    ELEMENTS(t, 0x04030201);
    sw_tensor_free(t);
    sw_safetensors_close(f);
  }
}

static void test_foreign_types_spoil_only_themselves(void **state) {
  (void)state;
  sw_safetensors *f;
  sw_tensor *t;
  write_file("x",
             "{\"h\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]},"
             "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]},"
             "\"d\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[5,6]}}",
             6);
  OK(open_file("x", 1, &f));
  FAILS(SW_EUNSUPPORTED, "\"h\" has dtype F8_E4M3, which cannot be read (in PyTorch",
        sw_safetensors_tensor(f, 0, &t));
  FAILS(SW_EUNSUPPORTED, "\"d\" has 7 dimensions", sw_safetensors_tensor(f, 2, &t));
  FAILS(SW_ERANGE, "tensor 4 is outside 1 … 3", sw_safetensors_tensor(f, 3, &t));
  OK(sw_safetensors_tensor(f, 1, &t));
  ELEMENTS(t, 4);
  sw_tensor_free(t);
  sw_safetensors_close(f);
}

/* A file of one tensor, of n elements. */
static void write_one(const char *dtype, size_t n, const void *elements, size_t bytes) {
  static unsigned char file[140000];
  char *header = (char *)file + 8;
  uint64_t length = (uint64_t)sprintf(
      header, "{\"w\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, n,
      bytes);
  memcpy(file, &length, 8);
  memcpy(header + length, elements, bytes);
  write_bytes("x", file, 8 + length + bytes);
}

static sw_tensor *read_one(int mapped, sw_dtype dtype) {
  sw_safetensors *f;
  sw_tensor *t;
  OK(open_file("x", mapped, &f));
  OK(sw_safetensors_tensor(f, 0, &t));
  sw_safetensors_close(f);
  assert_int_equal(sw_tensor_dtype(t), dtype);
  return t;
}

/* A bfloat16 is the upper half of a float32. */
static void test_all_bfloats(void **state) {
  (void)state;
  static uint16_t halves[65536];
  for (int i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
  write_one("BF16", 65536, halves, sizeof halves);
  for (int mapped = 0; mapped < 2; mapped++) {
    sw_tensor *t = read_one(mapped, SW_F32);
    const uint32_t *bits = sw_tensor_data(t);
    for (uint32_t i = 0; i < 65536; i++) assert_int_equal(bits[i], i << 16);
    sw_tensor_free(t);
  }
}

static void test_other_types_are_converted(void **state) {
  (void)state;
  for (int mapped = 0; mapped < 2; mapped++) {
    write_one("F16", 4, "\0\x3c\0\xc2\1\0\xff\x7b", 8);
    sw_tensor *t = read_one(mapped, SW_F32);
    ELEMENTS(t, 1, -3, 0x1p-24, 65504);
    sw_tensor_free(t);
    write_one("BOOL", 3, "\0\1\7", 3);
    t = read_one(mapped, SW_U8);
    ELEMENTS(t, 0, 1, 1);
    sw_tensor_free(t);
    write_one("I8", 3, "\x80\1\xff", 3);
    t = read_one(mapped, SW_I32);
    ELEMENTS(t, -128, 1, -1);
    sw_tensor_free(t);
    write_one("U16", 2, "\xff\xff\2\1", 4);
    t = read_one(mapped, SW_I32);
    ELEMENTS(t, 65535, 258);
    sw_tensor_free(t);
  }
}

/* int64, as PyTorch counts, is int32 here; what does not fit is refused. */
static void test_wide_integers_are_narrowed(void **state) {
  (void)state;
  static const char header[] = "{\"n\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                               "\"h\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[16,24]}}";
  const int64_t values[] = {7, -2, (int64_t)1 << 31};
  unsigned char bytes[200];
  uint64_t length = sizeof header - 1;
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, length);
  memcpy(bytes + 8 + length, values, sizeof values);
  write_bytes("x", bytes, 8 + length + sizeof values);
  for (int mapped = 0; mapped < 2; mapped++) {
    sw_safetensors *f;
    sw_tensor *t;
    OK(open_file("x", mapped, &f));
    OK(sw_safetensors_tensor(f, 0, &t));
    assert_int_equal(sw_tensor_dtype(t), SW_I32);
    ELEMENTS(t, 7, -2);
    sw_tensor_free(t);
    FAILS(SW_EUNSUPPORTED, "int64 is read as int32, but element 1 is 2147483648",
          sw_safetensors_tensor(f, 1, &t));
    sw_safetensors_close(f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_round_trip),
      FILE_TEST(test_mapped_views_outlive_the_file_under_its_name),
      FILE_TEST(test_the_bytes_as_the_format_defines_them),
      FILE_TEST(test_writing_refuses),
      FILE_TEST(test_reads_a_file_by_another_hand),
      FILE_TEST(test_misaligned_data_is_copied),
      FILE_TEST(test_foreign_types_spoil_only_themselves),
      FILE_TEST(test_all_bfloats),
      FILE_TEST(test_other_types_are_converted),
      FILE_TEST(test_wide_integers_are_narrowed),
  };
  return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
