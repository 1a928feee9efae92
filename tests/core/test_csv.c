/* test_csv.c: tables as text: what is read, what is refused and where; numbers are restored bit for
 * bit. */
#include <float.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_check.h"
#include "io/csv.h"

static const sw_csv_options usual = {.dtype = SW_F32};

static sw_status read_csv(const char *text, const sw_csv_options *o, sw_csv **csv) {
  write_bytes("x", text, strlen(text));
  return sw_csv_read(ctx, path_of("x"), o, csv);
}

#define VALUES(csv, ...) ELEMENTS(sw_csv_values(csv), __VA_ARGS__)

static void check_six(const char *text, int names) {
  sw_csv *csv;
  OK(read_csv(text, &usual, &csv));
  const sw_shape *s = sw_tensor_shape(sw_csv_values(csv));
  assert_int_equal(s->dim[0], 2);
  assert_int_equal(s->dim[1], 3);
  VALUES(csv, 1, -2.5, (double)3e-3f, 4, 5, 6);
  assert_int_equal(sw_csv_name_count(csv), names);
  assert_null(sw_csv_labels(csv));
  sw_csv_free(csv);
}

static void test_lines_and_separators(void **state) {
  (void)state;
  check_six("1,-2.5,3e-3\n4,5,6\n", 0);
  check_six("1,-2.5,3e-3\r\n4,5,6", 0);
  check_six("\n1;-2.5;3e-3\n\n\r\n4;5;6\n  \n", 0);
  check_six(" 1\t-2.5 \t 3e-3\n4\t+5\t6.", 0);
  check_six("\xef\xbb\xbf"
            "1 , -2.5 , .003\n4,5.00,60e-1",
            0);
  check_six("1,-2.5,3e-3\r4,5,6\r", 0);
  check_six("1,-2.5,3e-3\r4,5,6", 0);
  check_six("a,b,c\r\r\n1,-2.5,3e-3\r\n4,5,6\r\r", 3);
  check_six("a,b,c\n1,-2.5,3e-3\n4,5,6\n", 3);
  check_six("\xef\xbb\xbf\"a\",b,c\n1,-2.5,3e-3\n4,5,6\n", 3);
}

static void test_numbers_in_quotes(void **state) {
  (void)state;
  check_six("\"1\",\"-2.5\",\"3e-3\"\n\"4\",\"5\",\"6\"\n", 0);
  check_six("a,\"b\",c\n\" 1 \",-2.5,\"3e-3\"\n4,\"+5\"\t,\"6\"\n", 3);
  check_six("\"1\",2,3\n1,-2.5,3e-3\n4,5,6\n", 3); /* years, say, above numbers without quotes */
  sw_csv_options o = {.dtype = SW_F32, .label_column = -1};
  sw_csv *csv;
  OK(read_csv("\"1\",\"2\"\n", &o, &csv));
  VALUES(csv, 1);
  ELEMENTS(sw_csv_labels(csv), 2);
  sw_csv_free(csv);
  FAILS(SW_ECORRUPT, "an empty field", read_csv("1\n\" \"\n", &usual, &csv));
}

/* The line of names may have numbers besides the label's name; texts in the label's column are
 * labels, not names. */
static void test_names_are_told_from_labels(void **state) {
  (void)state;
  sw_csv_options o = {.dtype = SW_F32, .label_column = 1};
  sw_csv *csv;
  OK(read_csv("label,0,1\n3,5,6\n", &o, &csv));
  ELEMENTS(sw_csv_labels(csv), 3);
  assert_string_equal(sw_csv_name(csv, 1), "1");
  sw_csv_free(csv);
  FAILS(SW_ECORRUPT,
        "x: line 1, column 1: a label is a whole number from 0, found \"cat\"; words need the "
        "option classes: \"cat\", \"dog\"",
        read_csv("cat,1\ndog,2\ncat,3\n", &o, &csv));
  o.label_name = "kind";
  FAILS(SW_ECORRUPT,
        "classes: \"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\", …",
        read_csv("kind,v\na,1\nb,1\nc,1\nd,1\ne,1\nf,1\ng,1\nh,1\ni,1\nj,1\nk,1\n", &o, &csv));
  FAILS(SW_ECORRUPT, "line 1, column 2 (kind): a second column of this name",
        read_csv("kind,kind\n1,2\n", &o, &csv));
}

static void test_utf16_is_told(void **state) {
  (void)state;
  sw_csv *csv;
  write_bytes("x", "\xff\xfe\x31\x00", 4);
  FAILS(SW_EUNSUPPORTED, "text in UTF-16", sw_csv_read(ctx, path_of("x"), &usual, &csv));
}

static void test_the_separator_may_be_told(void **state) {
  (void)state;
  sw_csv_options o = usual;
  sw_csv *csv;
  o.separator = ' ';
  OK(read_csv("1 2\n3 4\n", &o, &csv));
  VALUES(csv, 1, 2, 3, 4);
  sw_csv_free(csv);
  o.separator = '.';
  FAILS(SW_EARG, "must not be part of a number", read_csv("1", &o, &csv));
}

static void test_names(void **state) {
  (void)state;
  sw_csv_options o = usual;
  sw_csv *csv;
  OK(read_csv("\"a, \"\"b\"\"\" , c\n1,2\n", &o, &csv));
  assert_string_equal(sw_csv_name(csv, 0), "a, \"b\"");
  assert_string_equal(sw_csv_name(csv, 1), "c");
  assert_null(sw_csv_name(csv, 2));
  sw_csv_free(csv);
  o.header = SW_CSV_NAMED;
  OK(read_csv("1,2\n3,4\n", &o, &csv));
  assert_string_equal(sw_csv_name(csv, 1), "2");
  VALUES(csv, 3, 4);
  sw_csv_free(csv);
  OK(read_csv("a,b\n", &o, &csv));
  assert_int_equal(sw_tensor_numel(sw_csv_values(csv)), 0);
  sw_csv_free(csv);
}

static void test_labels_by_words(void **state) {
  (void)state;
  const char *classes[] = {"setosa", "a \"b\""};
  sw_csv_options o = {.dtype = SW_F64, .label_column = -1, .classes = classes, .n_classes = 2};
  sw_csv *csv;
  OK(read_csv("1,setosa\n2,\"a \"\"b\"\"\"\n3, \"setosa\" \n", &o, &csv));
  VALUES(csv, 1, 2, 3);
  ELEMENTS(sw_csv_labels(csv), 0, 1, 0);
  sw_csv_free(csv);
  o.label_name = "kind";
  OK(read_csv("kind,width\nsetosa,7\n", &o, &csv));
  VALUES(csv, 7);
  ELEMENTS(sw_csv_labels(csv), 0);
  assert_int_equal(sw_csv_name_count(csv), 1);
  assert_string_equal(sw_csv_name(csv, 0), "width");
  sw_csv_free(csv);
  FAILS(SW_ECORRUPT, "x: line 3, column 1 (kind): label \"setos\" is none of the 2 classes",
        read_csv("kind,width\nsetosa,7\nsetos,8\n", &o, &csv));
  const char *twice[] = {"a", "b", "a"};
  sw_csv_options same = {.dtype = SW_F32, .label_column = 1, .classes = twice, .n_classes = 3};
  FAILS(SW_EARG, "csv: classes 1 and 3 are both \"a\"", read_csv("a,1\n", &same, &csv));
  FAILS(SW_EARG, "no column \"kind\"; the first of 2 is \"sort\"",
        read_csv("sort,width\nsetosa,7\n", &o, &csv));
}

static void test_labels_by_numbers(void **state) {
  (void)state;
  sw_csv_options o = {.dtype = SW_F32, .label_column = 1};
  sw_csv *csv;
  OK(read_csv("0,1\n9,2\n3.0,3\n", &o, &csv));
  ELEMENTS(sw_csv_labels(csv), 0, 9, 3);
  VALUES(csv, 1, 2, 3);
  sw_csv_free(csv);
  const char *bad[] = {"-1,1", "0.5,1", "nan,1", "3000000000,1", ",1"};
  for (int i = 0; i < 5; i++) {
    FAILS(SW_ECORRUPT, "line 1, column 1: a label is a whole number from 0",
          read_csv(bad[i], &o, &csv));
  }
  o.label_column = 3;
  FAILS(SW_EARG, "no column 3; there are 2", read_csv("1,2\n", &o, &csv));
  o.label_column = -1;
  FAILS(SW_ECORRUPT, "no column besides the labels", read_csv("1\n", &o, &csv));
}

static void test_empty_fields(void **state) {
  (void)state;
  sw_csv_options o = usual;
  sw_csv *csv;
  FAILS(SW_ECORRUPT, "x: line 2, column 2: an empty field; ask for missing ones as nan",
        read_csv("1,2\n3,\n", &o, &csv));
  o.missing_is_nan = 1;
  OK(read_csv(",2\n3, \n", &o, &csv));
  const float *v = sw_tensor_data(sw_csv_values(csv));
  assert_true(isnan(v[0]) && isnan(v[3]) && v[1] == 2);
  sw_csv_free(csv);
  OK(read_csv("NA,\"\"\n\"n/a\",null\n", &o, &csv));
  v = sw_tensor_data(sw_csv_values(csv));
  assert_int_equal(sw_csv_name_count(csv), 0);
  for (int i = 0; i < 4; i++) assert_true(isnan(v[i]));
  sw_csv_free(csv);
  FAILS(SW_ECORRUPT, "line 2, column 1: a missing value, NA; ask for missing ones as nan",
        read_csv("1\nNA\n", &usual, &csv));
  OK(read_csv("-nan,+NaN\n+inf,+Infinity\n", &usual, &csv));
  v = sw_tensor_data(sw_csv_values(csv));
  assert_true(isnan(v[0]) && isnan(v[1]) && v[2] == INFINITY && v[3] == INFINITY);
  sw_csv_free(csv);
  OK(read_csv("nan,inf\n-INF,-Infinity\n", &usual, &csv));
  v = sw_tensor_data(sw_csv_values(csv));
  assert_true(isnan(v[0]) && v[1] == INFINITY && v[2] == -INFINITY && v[3] == -INFINITY);
  sw_csv_free(csv);
}

static void test_messages_say_where(void **state) {
  (void)state;
  sw_csv *csv;
  FAILS(SW_ECORRUPT, "x: line 4: expected 2 fields, as in the first line, found 3",
        read_csv("a,b\n\n1,2\n1,2,3\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "x: line 2: expected 2 fields, as in the first line, found 1",
        read_csv("1,2\n1\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "line 2, column 2 (b): expected a number, found text \"wide\"; is this the",
        read_csv("a,b\n1,wide\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "line 3, column 1: expected a number, found text \"five\"",
        read_csv("1\r\n2\r\"five\"\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "line 1, column 2: a quotation mark that is not closed",
        read_csv("a,\"b\n1,2\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "a quotation mark", read_csv("\"a\"b\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "1e39 is beyond float32", read_csv("1e39\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "-1e999 is beyond float32", read_csv("-1e999\n", &usual, &csv));
  FAILS(SW_ECORRUPT, "an empty file", read_csv("\n\r\n", &usual, &csv));
  FAILS(SW_EIO, "/missing: cannot read: No such file",
        sw_csv_read(ctx, path_of("missing"), &usual, &csv));
}

static void test_what_is_no_number(void **state) {
  (void)state;
  const char *words[] = {"1.2.3", "0x10",   "1e", "e5", "--1", "1_0", "1f",
                         "infin", "nan(1)", ".",  "+",  "1 2", "1e+"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    char text[32];
    sw_csv *csv;
    (void)snprintf(text, sizeof text, "5\n%s\n", words[i]);
    FAILS(SW_ECORRUPT, "expected a number, found text", read_csv(text, &usual, &csv));
  }
}

static void test_numbers_of_other_kinds_are_told(void **state) {
  (void)state;
  const char *separated[] = {"1\n\"1,234\"\n", "1\n1 234\n", "1\n1'234.5\n", "1;2\n1,5;2\n",
                             "1\n-1_000\n"};
  sw_csv *csv;
  for (size_t i = 0; i < sizeof separated / sizeof separated[0]; i++) {
    FAILS(SW_ECORRUPT, "; numbers have a decimal point, and no thousands separators",
          read_csv(separated[i], &usual, &csv));
  }
  FAILS(SW_ECORRUPT, "text \"-0x1F\"; numbers are decimal", read_csv("1\n-0x1F\n", &usual, &csv));
}

/* Against the C library, which is exact: random digits, long ones, far exponents. */
static void test_numbers_are_the_nearest_doubles(void **state) {
  (void)state;
  sw_csv_options o = {.dtype = SW_F64};
  unsigned seed = 1;
  for (int i = 0; i < 300; i++) {
    char text[64];
    int digits = 1 + rand_r(&seed) % 25, n = 0;
    for (int k = 0; k < digits; k++) {
      if (k == digits / 2) text[n++] = '.';
      text[n++] = (char)('0' + rand_r(&seed) % 10);
    }
    (void)snprintf(text + n, sizeof text - (size_t)n, "e%d\n", rand_r(&seed) % 700 - 350);
    sw_csv *csv = NULL;
    double want = strtod(text, NULL);
    sw_status st = read_csv(text, &o, &csv);
    assert_int_equal(st, isinf(want) ? SW_ECORRUPT : SW_OK);
    if (st == SW_OK) assert_memory_equal(sw_tensor_data(sw_csv_values(csv)), &want, sizeof want);
    sw_csv_free(csv);
  }
}

static void check_round_trip(sw_dtype dtype, const void *bytes, int64_t n) {
  sw_tensor *t = new_tensor(dtype, DIMS(n / 2, 2));
  sw_csv_options o = {.dtype = dtype};
  void *to;
  sw_csv *csv;
  size_t size = (size_t)(n * sw_dtype_bytes(dtype));
  OK(sw_tensor_writable(t, &to));
  memcpy(to, bytes, size);
  OK(sw_csv_write(t, (const char *[]){"1", "a,b"}, 2, path_of("a.csv")));
  OK(sw_csv_read(ctx, path_of("a.csv"), &o, &csv));
  assert_memory_equal(sw_tensor_data(sw_csv_values(csv)), bytes, size);
  assert_string_equal(sw_csv_name(csv, 0), "1");
  assert_string_equal(sw_csv_name(csv, 1), "a,b");
  sw_csv_free(csv);
  sw_tensor_free(t);
}

static void test_numbers_come_back_bit_for_bit(void **state) {
  (void)state;
  enum { N = 5000 };
  static float f[N];
  static double d[N];
  unsigned seed = 2;
  for (int i = 0; i < N; i++) {
    uint32_t bits = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
    uint64_t wide = (uint64_t)bits << 32 ^ (uint32_t)rand_r(&seed);
    memcpy(&f[i], &bits, sizeof bits);
    memcpy(&d[i], &wide, sizeof wide);
    if (isnan(f[i])) f[i] = FLT_MIN / 8;
    if (isnan(d[i])) d[i] = DBL_MIN / 8;
  }
  f[0] = -0.0f;
  f[1] = INFINITY;
  f[2] = FLT_MAX;
  check_round_trip(SW_F32, f, N);
  check_round_trip(SW_F64, d, N);
}

static void test_writes_plain_text(void **state) {
  (void)state;
  sw_tensor *t = counted(SW_U8, DIMS(2, 2)), *swapped = transposed(t), *row;
  OK(sw_csv_write(swapped, NULL, 0, path_of("a")));
  assert_holds("a", "0,2\n1,3\n", 8);
  OK(sw_tensor_select(t, 0, 1, &row));
  OK(sw_csv_write(row, (const char *[]){"a \"b\","}, 1, path_of("a")));
  assert_holds("a", "\"a \"\"b\"\",\"\n2\n3\n", 15);
  FAILS(SW_ESHAPE, "csv: 1 names for (2, 2)",
        sw_csv_write(t, (const char *[]){"a"}, 1, path_of("a")));
  sw_tensor *none = new_tensor(SW_F32, DIMS(2));
  const float numbers[] = {-NAN, -INFINITY};
  void *to;
  OK(sw_tensor_writable(none, &to));
  memcpy(to, numbers, sizeof numbers);
  OK(sw_csv_write(none, NULL, 0, path_of("a")));
  assert_holds("a", "nan\n-inf\n", 9);
  sw_tensor_free(none);
  const char *marked = "\xef\xbb\xbfwide";
  sw_csv *csv;
  OK(sw_csv_write(row, &marked, 1, path_of("a")));
  OK(sw_csv_read(ctx, path_of("a"), &usual, &csv));
  assert_string_equal(sw_csv_name(csv, 0), marked);
  sw_csv_free(csv);
  OK(sw_csv_write(row, (const char *[]){"NA"}, 1, path_of("a")));
  OK(sw_csv_read(ctx, path_of("a"), &usual, &csv));
  assert_string_equal(sw_csv_name(csv, 0), "NA");
  sw_csv_free(csv);
  FAILS(SW_EARG, "name 2 has a line's end",
        sw_csv_write(t, (const char *[]){"a", "b\n"}, 2, path_of("a")));
  FAILS(SW_ENOSPC, "disk full", sw_csv_write(t, NULL, 0, "/dev/full"));
  sw_tensor_free(row);
  sw_tensor_free(swapped);
  sw_tensor_free(t);
  t = new_tensor(SW_F32, DIMS(1, 2, 3));
  FAILS(SW_ESHAPE, "one or two dimensions, got (1, 2, 3)", sw_csv_write(t, NULL, 0, path_of("a")));
  sw_tensor_free(t);
}

static void test_the_locale_does_not_matter(void **state) {
  (void)state;
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) skip();
  const float f[] = {0.1f, 1e30f};
  check_round_trip(SW_F32, f, 2);
  (void)setlocale(LC_NUMERIC, "C");
}

static sw_status write_and_read(void) {
  const char *classes[] = {"u", "v"};
  sw_csv_options o = {.dtype = SW_F32, .label_name = "k", .classes = classes, .n_classes = 2};
  sw_csv *csv = NULL;
  sw_status st = read_csv("a,k\n1,u\n2,v\n", &o, &csv);
  if (st == SW_OK) st = sw_csv_write(sw_csv_values(csv), NULL, 0, path_of("y"));
  sw_csv_free(csv);
  return st;
}

static void test_any_allocation_may_fail(void **state) {
  (void)state;
  check_every_allocation(write_and_read, 8);
  check_no_temporary_files();
}

/* The text is 40 kB; a table of its first line times its lines would be 400 MB. */
static void test_absurd_promises_cost_nothing(void **state) {
  (void)state;
  enum { N = 10000 };
  static char text[4 * N];
  sw_csv *csv;
  memset(text, ',', 2 * N);
  for (int i = 2 * N; i + 2 < 4 * N; i += 2) memcpy(text + i, "\n1", 2);
  FAILS(SW_ECORRUPT, "line 2: expected", read_csv(text, &usual, &csv));
  assert_true(sw_context_alloc_stats(ctx).peak_bytes < 1 << 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FILE_TEST(test_lines_and_separators),
      FILE_TEST(test_numbers_in_quotes),
      FILE_TEST(test_names_are_told_from_labels),
      FILE_TEST(test_utf16_is_told),
      FILE_TEST(test_numbers_of_other_kinds_are_told),
      FILE_TEST(test_the_separator_may_be_told),
      FILE_TEST(test_names),
      FILE_TEST(test_labels_by_words),
      FILE_TEST(test_labels_by_numbers),
      FILE_TEST(test_empty_fields),
      FILE_TEST(test_messages_say_where),
      FILE_TEST(test_what_is_no_number),
      FILE_TEST(test_numbers_are_the_nearest_doubles),
      FILE_TEST(test_numbers_come_back_bit_for_bit),
      FILE_TEST(test_writes_plain_text),
      FILE_TEST(test_the_locale_does_not_matter),
      FILE_TEST(test_any_allocation_may_fail),
      FILE_TEST(test_absurd_promises_cost_nothing),
  };
  return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
