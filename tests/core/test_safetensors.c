/* test_safetensors.c: round trips, an independent look at the bytes, hostile files, full disks. */
#include "file_check.h"
#include "io/safetensors.h"

static sw_status open_file(const char *name, int mapped, sw_safetensors **f) {
  return sw_safetensors_open(ctx, path_of(name), mapped, f);
}

/* Opens the file and reads every tensor of it, each element. */
static sw_status read_all(const char *name, int mapped) {
  sw_safetensors *f;
  SW_TRY(open_file(name, mapped, &f));
  sw_status st = SW_OK;
  for (int i = 0; i < sw_safetensors_count(f) && st == SW_OK; i++) {
    sw_tensor *t, *d;
    st = sw_safetensors_tensor(f, i, &t);
    if (st != SW_OK) break;
    st = sw_tensor_to(t, SW_F64, &d);
    if (st == SW_OK) sw_tensor_free(d);
    sw_tensor_free(t);
  }
  sw_safetensors_close(f);
  return st;
}

/* A file of this header, unpadded, and so many bytes 0, 1, 2, … */
static void write_file(const char *name, const char *header, size_t data) {
  unsigned char bytes[2000];
  uint64_t length = strlen(header);
  assert_true(8 + length + data <= sizeof bytes);
  memcpy(bytes, &length, 8);
  for (size_t i = 0; i < length; i++) bytes[8 + i] = (unsigned char)header[i];
  for (size_t i = 0; i < data; i++) bytes[8 + length + i] = (unsigned char)i;
  write_bytes(name, bytes, 8 + length + data);
}

static sw_status read_of(const char *header, size_t data) {
  write_file("x", header, data);
  sw_status st = read_all("x", 0);
  assert_int_equal(read_all("x", 1), st);
  return st;
}

/* bytes (U8, 3), weights (F64, 2x2), a turned view (F32, 3x2), labels (I32, 2), none (F32, 0) */
typedef struct sample {
  sw_tensor *bytes, *weights, *square, *turned, *labels, *none;
  sw_named_tensor named[5];
} sample;

static const sw_pair metadata[] = {{"step", "12"}, {"note", "\"quoted\" \xc3\xa9"}};

static void make_sample(sample *s) {
  s->bytes = counted(SW_U8, DIMS(3));
  s->weights = counted(SW_F64, DIMS(2, 2));
  s->square = counted(SW_F32, DIMS(2, 3));
  s->turned = transposed(s->square);
  s->labels = counted(SW_I32, DIMS(2));
  s->none = new_tensor(SW_F32, DIMS(0));
  const sw_named_tensor named[] = {{"bytes", s->bytes},
                                   {"model.weights", s->weights},
                                   {"turned \"\xc3\xa9\"", s->turned},
                                   {"labels", s->labels},
                                   {"none", s->none}};
  memcpy(s->named, named, sizeof named);
}

static void free_sample(sample *s) {
  sw_tensor *all[] = {s->bytes, s->weights, s->square, s->turned, s->labels, s->none};
  for (int i = 0; i < 6; i++) sw_tensor_free(all[i]);
}

static sw_status write_sample(const sample *s, const char *path) {
  return sw_safetensors_write(ctx, path, s->named, 5, metadata, 2);
}

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
  found w = look_up(header, "model.weights"), t = look_up(header, "turned \\\"\xc3\xa9\\\"");
  found l = look_up(header, "labels"), b = look_up(header, "bytes");
  assert_string_equal(w.dtype, "F64");
  assert_string_equal(t.dtype, "F32");
  assert_string_equal(l.dtype, "I32");
  assert_string_equal(b.dtype, "U8");
  assert_int_equal(t.dim[0], 3);
  assert_int_equal(t.dim[1], 2);
  const double weights[] = {0, 1, 2, 3};
  const float turned[] = {0, 3, 1, 4, 2, 5};
  assert_memory_equal(data + w.begin, weights, sizeof weights);
  assert_memory_equal(data + t.begin, turned, sizeof turned);
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
      FILE_TEST(test_hostile_headers),
      FILE_TEST(test_hostile_lengths),
      FILE_TEST(test_every_truncation_is_corrupt),
      FILE_TEST(test_no_single_byte_of_the_header_can_crash),
      FILE_TEST(test_a_file_that_shrinks_after_it_was_opened),
      FILE_TEST(test_full_disk_leaves_the_old_file),
      FILE_TEST(test_any_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
