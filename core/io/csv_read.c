/* csv_read.c: a table of numbers from a file.
 *
 * Two passes: the first counts rows and fields, so that no more is allocated than the file fills;
 * the second reads the fields.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc_int.h"
#include "io/csv.h"
#include "io/csv_int.h"
#include "io/file_int.h"

struct sw_csv {
  sw_context *ctx;
  sw_tensor *values, *labels;
  char *text; /* of the names */
  size_t text_size;
  const char **names; /* of all columns while reading, then of those of values */
  int n_names, room;
};

typedef struct reader {
  sw_context *ctx;
  const char *path;
  const sw_csv_options *o;
  sw_csv *csv;
  const char *start, *end; /* of the rows */
  int64_t line;            /* the number of the line being read, from 1; of start - 1, at first */
  int64_t first_line;
  int64_t columns, label, rows; /* label: from 0; -1: none */
  char separator;
} reader;

/* "path: line 7, column 3 (width): …"; column from 0, -1: the line as a whole. */
static SW_PRINTF(3, 4) sw_status bad(const reader *r, int64_t column, const char *format, ...) {
  char what[320], where[120] = "";
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (column >= 0 && column < r->csv->n_names) {
    (void)snprintf(where, sizeof where, ", column %" PRId64 " (%.60s)", column + 1,
                   r->csv->names[column]);
  } else if (column >= 0) {
    (void)snprintf(where, sizeof where, ", column %" PRId64, column + 1);
  }
  return sw_fail(r->ctx, SW_ECORRUPT, "%.150s: line %" PRId64 "%s: %s", r->path, r->line, where,
                 what);
}

/* Text of a field in a message. */
#define SHOWN(f) (int)((f)->n < 40 ? (f)->n : 40), (f)->text

static int is_empty(const reader *r, const char *line, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if ((line[i] != ' ' && line[i] != '\t') || line[i] == r->separator) return 0;
  }
  return 1;
}

/* The next line that is not empty. */
static int next_line(reader *r, const char **at, const char **line, int64_t *n) {
  while (swi_csv_line(at, r->end, line, n)) {
    r->line++;
    if (!is_empty(r, *line, *n)) return 1;
  }
  return 0;
}

static sw_status next_field(const reader *r, const char **at, const char *end, int64_t column,
                            swi_field *out) {
  if (swi_csv_field(at, end, r->separator, out) >= 0) return SW_OK;
  return bad(r, column, "a quotation mark that is not closed in its line, or text behind it");
}

static sw_status count_fields(const reader *r, const char *line, int64_t n, int64_t *count) {
  swi_field f;
  *count = 0;
  for (const char *at = line; at != NULL; ++*count) {
    SW_TRY(next_field(r, &at, line + n, *count, &f));
  }
  return SW_OK;
}

static char find_separator(const char *line, int64_t n) {
  static const char candidates[] = {',', ';', '\t'};
  int64_t most = 0;
  char best = ',';
  for (size_t i = 0; i < sizeof candidates; i++) {
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) count += line[k] == candidates[i];
    if (count > most) {
      most = count;
      best = candidates[i];
    }
  }
  return best;
}

/* ---- labels */

static int is_same(const swi_field *f, const char *word) {
  int64_t i = 0;
  for (; i < f->n && *word != '\0'; i++, word++) {
    if (f->text[i] != *word) return 0;
    i += f->quoted && *word == '"';
  }
  return i >= f->n && *word == '\0';
}

static int class_of(const reader *r, const swi_field *f) {
  for (int i = 0; i < r->o->n_classes; i++) {
    if (is_same(f, r->o->classes[i])) return i;
  }
  return -1;
}

enum { MOST_WORDS = 10 };

typedef struct words {
  swi_field word[MOST_WORDS];
  int n, more;
} words;

static void add_word(words *w, const swi_field *f) {
  for (int i = 0; i < w->n; i++) {
    if (w->word[i].n == f->n && memcmp(w->word[i].text, f->text, (size_t)f->n) == 0) return;
  }
  if (w->n < MOST_WORDS) {
    w->word[w->n++] = *f;
  } else {
    w->more = 1;
  }
}

/* The different labels of the file, in the order of their lines. */
static words find_words(const reader *r) {
  reader again = *r;
  const char *at = r->start, *line;
  int64_t n;
  words w = {.n = 0};
  while (!w.more && next_line(&again, &at, &line, &n)) {
    const char *field = line;
    for (int64_t i = 0; field != NULL; i++) {
      swi_field f;
      if (swi_csv_field(&field, line + n, r->separator, &f) < 0) return w;
      if (i == r->label) add_word(&w, &f);
    }
  }
  return w;
}

static sw_status refuse_label(const reader *r, const swi_field *f) {
  words w = find_words(r);
  char text[120] = "";
  size_t used = 0;
  for (int i = 0; i < w.n && used < sizeof text - 24; i++) {
    int length = (int)(w.word[i].n < 16 ? w.word[i].n : 16);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%.*s\"", i > 0 ? ", " : "",
                             length, w.word[i].text);
    if (i + 1 < w.n && used >= sizeof text - 24) w.more = 1;
  }
  return bad(
      r, r->label,
      "a label is a whole number from 0, found \"%.*s\"; words need the option classes: %s%s",
      SHOWN(f), text, w.more ? ", …" : "");
}

static sw_status read_label(const reader *r, const swi_field *f, int32_t *out) {
  double v;
  if (r->o->n_classes > 0) {
    *out = class_of(r, f);
    if (*out >= 0) return SW_OK;
    return bad(r, r->label, "label \"%.*s\" is none of the %d classes", SHOWN(f), r->o->n_classes);
  }
  swi_field t = swi_csv_trimmed(f);
  if (swi_csv_number(t.text, t.n, &v) != 1 || !(v >= 0) || v > INT32_MAX || v != floor(v)) {
    return refuse_label(r, f);
  }
  *out = (int32_t)v;
  return SW_OK;
}

/* ---- the line of names */

static int is_number(const swi_field *f) {
  double v;
  swi_field t = swi_csv_trimmed(f);
  return swi_csv_number(t.text, t.n, &v) != 0;
}

static int is_missing(const swi_field *f) {
  swi_field t = swi_csv_trimmed(f);
  return swi_csv_is_missing(t.text, t.n);
}

/* Whether a field of the first line shows that the line holds names. below: the field of the second
 * line, or NULL. */
static int is_name(const reader *r, const swi_field *f, const swi_field *below, int64_t column) {
  int place = r->o->label_column;
  int is_label = place > 0 ? column == place - 1 : place < 0 && column == r->columns + place;
  int on_number = below != NULL && is_number(below);
  if (is_label && class_of(r, f) >= 0) return 0;
  if (is_number(f) || is_missing(f)) return f->quoted && on_number && !below->quoted;
  return !is_label || r->o->n_classes > 0 || below == NULL || on_number;
}

/* rest: behind the first line. */
static sw_status find_header(const reader *r, const char *line, int64_t n, const char *rest,
                             int *has_names) {
  *has_names = r->o->header == SW_CSV_NAMED || r->o->label_name != NULL;
  if (*has_names || r->o->header == SW_CSV_BARE) return SW_OK;
  reader ahead = *r;
  const char *at = line, *second = NULL;
  int64_t second_n = 0;
  if (!next_line(&ahead, &rest, &second, &second_n)) second = NULL;
  const char *end = second != NULL ? second + second_n : NULL;
  for (int64_t i = 0; at != NULL && !*has_names; i++) {
    swi_field f, below;
    SW_TRY(next_field(r, &at, line + n, i, &f));
    int found = second != NULL && swi_csv_field(&second, end, r->separator, &below) > 0;
    *has_names = is_name(r, &f, found ? &below : NULL, i);
  }
  return SW_OK;
}

static char *copy_name(const swi_field *f, char *to) {
  for (int64_t i = 0; i < f->n; i++) {
    *to++ = f->text[i];
    i += f->quoted && f->text[i] == '"';
  }
  *to++ = '\0';
  return to;
}

static sw_status read_names(reader *r, const char *line, int64_t n) {
  sw_csv *csv = r->csv;
  csv->text_size = (size_t)(n + r->columns);
  csv->text = swi_alloc(r->ctx, csv->text_size);
  csv->names = swi_alloc_zeroed(r->ctx, (size_t)r->columns * sizeof *csv->names);
  csv->room = (int)r->columns;
  if (csv->text == NULL || csv->names == NULL) return SW_ENOMEM;
  char *to = csv->text;
  const char *at = line;
  for (int i = 0; at != NULL; i++) {
    swi_field f;
    SW_TRY(next_field(r, &at, line + n, i, &f));
    if (memchr(f.text, '\0', (size_t)f.n) != NULL) return bad(r, i, "a zero byte in a name");
    csv->names[i] = to;
    to = copy_name(&f, to);
    csv->n_names = i + 1;
  }
  return SW_OK;
}

static sw_status find_label(reader *r) {
  const sw_csv_options *o = r->o;
  r->label = -1;
  for (int i = 0; o->label_name != NULL && i < r->csv->n_names; i++) {
    if (strcmp(r->csv->names[i], o->label_name) != 0) continue;
    if (r->label >= 0) return bad(r, i, "a second column of this name, that of the labels");
    r->label = i;
  }
  if (o->label_name != NULL && r->label < 0) {
    return sw_fail(r->ctx, SW_EARG, "%.200s: no column \"%.60s\"; the first of %d is \"%.60s\"",
                   r->path, o->label_name, r->csv->n_names, r->csv->names[0]);
  }
  if (o->label_name == NULL && o->label_column != 0) {
    int64_t place = o->label_column;
    if (place > r->columns || -place > r->columns) {
      return sw_fail(r->ctx, SW_EARG, "%.200s: no column %" PRId64 "; there are %" PRId64, r->path,
                     place, r->columns);
    }
    r->label = place > 0 ? place - 1 : r->columns + place;
  }
  return r->label >= 0 && r->columns == 1 ? bad(r, 0, "no column besides the labels") : SW_OK;
}

static sw_status read_first_line(reader *r) {
  const char *at = r->start, *line;
  int64_t n;
  int has_names;
  if (!next_line(r, &at, &line, &n)) {
    return sw_fail(r->ctx, SW_ECORRUPT, "%.300s: an empty file", r->path);
  }
  if (r->separator == '\0') r->separator = find_separator(line, n);
  SW_TRY(count_fields(r, line, n, &r->columns));
  if (r->columns > INT32_MAX / 2) return bad(r, -1, "more than 2^30 columns");
  SW_TRY(find_header(r, line, n, at, &has_names));
  if (has_names) SW_TRY(read_names(r, line, n));
  SW_TRY(find_label(r));
  if (has_names) {
    r->start = at;
  } else {
    r->line = 0;
  }
  r->first_line = r->line;
  return SW_OK;
}

/* ---- the rows */

static sw_status count_rows(reader *r) {
  const char *at = r->start, *line;
  int64_t n, fields;
  while (next_line(r, &at, &line, &n)) {
    SW_TRY(count_fields(r, line, n, &fields));
    if (fields != r->columns) {
      return bad(r, -1, "expected %" PRId64 " fields, as in the first line, found %" PRId64,
                 r->columns, fields);
    }
    r->rows++;
  }
  r->line = r->first_line;
  return SW_OK;
}

static sw_status read_value(const reader *r, const swi_field *f, int64_t column, double *out) {
  swi_field t = swi_csv_trimmed(f);
  if (swi_csv_is_missing(t.text, t.n)) {
    *out = (double)NAN;
    if (r->o->missing_is_nan) return SW_OK;
    return t.n == 0
               ? bad(r, column, "an empty field; ask for missing ones as nan")
               : bad(r, column, "a missing value, %.*s; ask for missing ones as nan", SHOWN(&t));
  }
  int found = swi_csv_number(t.text, t.n, out);
  if (found == 0) {
    const char *hint = swi_csv_number_hint(t.text, t.n);
    if (*hint == '\0' && r->label < 0) hint = "; is this the column of the labels?";
    return bad(r, column, "expected a number, found text \"%.*s\"%s", SHOWN(f), hint);
  }
  if (found < 0 || (r->o->dtype == SW_F32 && isfinite(*out) && isinf((float)*out))) {
    return bad(r, column, "%.*s is beyond %s", SHOWN(&t), sw_dtype_name(r->o->dtype));
  }
  return SW_OK;
}

/* *to: where the next value goes. */
static sw_status read_row(const reader *r, const char *line, int64_t n, char **to, int32_t *label) {
  const char *at = line;
  for (int64_t i = 0; at != NULL; i++) {
    swi_field f;
    double v;
    SW_TRY(next_field(r, &at, line + n, i, &f));
    if (i == r->label) {
      SW_TRY(read_label(r, &f, label));
      continue;
    }
    SW_TRY(read_value(r, &f, i, &v));
    float rounded = (float)v;
    int size = sw_dtype_bytes(r->o->dtype);
    memcpy(*to, r->o->dtype == SW_F32 ? (const void *)&rounded : &v, (size_t)size);
    *to += size;
  }
  return SW_OK;
}

static sw_status read_rows(reader *r) {
  const char *at = r->start, *line;
  int64_t n;
  void *values, *labels = NULL;
  sw_shape shape = sw_shape_of(2, (int64_t[]){r->rows, r->columns - (r->label >= 0)});
  sw_shape rows = sw_shape_of(1, &r->rows);
  SW_TRY(sw_tensor_new(r->ctx, r->o->dtype, &shape, &r->csv->values));
  SW_TRY(sw_tensor_writable(r->csv->values, &values));
  if (r->label >= 0) {
    SW_TRY(sw_tensor_new(r->ctx, SW_I32, &rows, &r->csv->labels));
    SW_TRY(sw_tensor_writable(r->csv->labels, &labels));
  }
  char *to = values;
  for (int64_t i = 0; next_line(r, &at, &line, &n); i++) {
    SW_TRY(read_row(r, line, n, &to, labels != NULL ? (int32_t *)labels + i : NULL));
  }
  return SW_OK;
}

/* Only names of values are shown from now on. */
static void drop_label_name(reader *r) {
  sw_csv *csv = r->csv;
  if (r->label < 0 || csv->n_names == 0) return;
  csv->n_names--;
  for (int64_t i = r->label; i < csv->n_names; i++) csv->names[i] = csv->names[i + 1];
}

static sw_status parse(reader *r, const char *text, int64_t size) {
  if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
    return sw_fail(r->ctx, SW_EUNSUPPORTED, "%.300s: text in UTF-16; save it as UTF-8", r->path);
  }
  int mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
  r->start = text + 3 * mark;
  r->end = text + size;
  SW_TRY(read_first_line(r));
  SW_TRY(count_rows(r));
  SW_TRY(read_rows(r));
  drop_label_name(r);
  return SW_OK;
}

static sw_status read_file(reader *r) {
  int fd;
  int64_t size, got;
  SW_TRY(swi_file_open(r->ctx, r->path, &fd, &size));
  char *text = swi_alloc(r->ctx, (size_t)size);
  sw_status st = text == NULL ? SW_ENOMEM : swi_file_read(r->ctx, r->path, fd, 0, text, size, &got);
  (void)close(fd);
  if (st == SW_OK) st = parse(r, text, got);
  swi_free(r->ctx, text, (size_t)size);
  return st;
}

static sw_status check_classes(sw_context *ctx, const sw_csv_options *o) {
  for (int i = 0; i < o->n_classes && o->n_classes <= 10000; i++) {
    for (int k = 0; k < i; k++) {
      if (strcmp(o->classes[i], o->classes[k]) == 0) {
        return sw_fail(ctx, SW_EARG, "csv: classes %d and %d are both \"%.60s\"", k + 1, i + 1,
                       o->classes[i]);
      }
    }
  }
  return SW_OK;
}

static sw_status check_options(sw_context *ctx, const sw_csv_options *o) {
  if (o->dtype != SW_F32 && o->dtype != SW_F64) {
    return sw_fail(ctx, SW_EARG, "csv: values are float32 or float64");
  }
  if (o->separator != '\0' && strchr("\"\r\n.+-0123456789", o->separator) != NULL) {
    return sw_fail(ctx, SW_EARG, "csv: the separator must not be part of a number or a line's end");
  }
  if (o->label_name != NULL && o->header == SW_CSV_BARE) {
    return sw_fail(ctx, SW_EARG, "csv: a label by name needs a first line of names");
  }
  return check_classes(ctx, o);
}

sw_status sw_csv_read(sw_context *ctx, const char *path, const sw_csv_options *o, sw_csv **out) {
  SW_TRY(check_options(ctx, o));
  sw_csv *csv = swi_alloc_zeroed(ctx, sizeof *csv);
  if (csv == NULL) return SW_ENOMEM;
  csv->ctx = sw_context_retain(ctx);
  reader r = {.ctx = ctx, .path = path, .o = o, .csv = csv, .separator = o->separator};
  sw_status st = read_file(&r);
  if (st != SW_OK) {
    sw_csv_free(csv);
    return st;
  }
  *out = csv;
  return SW_OK;
}

const sw_tensor *sw_csv_values(const sw_csv *csv) { return csv->values; }
const sw_tensor *sw_csv_labels(const sw_csv *csv) { return csv->labels; }
int sw_csv_name_count(const sw_csv *csv) { return csv->n_names; }

const char *sw_csv_name(const sw_csv *csv, int i) {
  return i >= 0 && i < csv->n_names ? csv->names[i] : NULL;
}

void sw_csv_free(sw_csv *csv) {
  if (csv == NULL) return;
  sw_context *ctx = csv->ctx;
  sw_tensor_free(csv->values);
  sw_tensor_free(csv->labels);
  swi_free(ctx, csv->text, csv->text_size);
  swi_free(ctx, csv->names, (size_t)csv->room * sizeof *csv->names);
  swi_free(ctx, csv, sizeof *csv);
  sw_context_release(ctx);
}
