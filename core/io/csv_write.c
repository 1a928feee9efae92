/* csv_write.c: a table of numbers as text, through a buffer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/c_locale_int.h"
#include "io/csv.h"
#include "io/csv_int.h"
#include "io/file_int.h"

enum { BUFFER = 1 << 16, LONGEST_NUMBER = 32 };

typedef struct output {
  swi_writer w;
  char *bytes; /* BUFFER */
  int64_t n;
} output;

static sw_status flush(output *o) {
  int64_t n = o->n;
  o->n = 0;
  return swi_writer_put(&o->w, o->bytes, n);
}

static sw_status put(output *o, char c) {
  o->bytes[o->n++] = c;
  return o->n < BUFFER - LONGEST_NUMBER ? SW_OK : flush(o);
}

/* A byte order mark at the start of the file would be passed over. */
static int needs_quotes(const char *name) {
  double v;
  int64_t n = (int64_t)strlen(name);
  return strpbrk(name, ",;\t\"") != NULL || swi_csv_is_missing(name, n) || name[0] == ' ' ||
         name[n - 1] == ' ' || strncmp(name, "\xef\xbb\xbf", 3) == 0 ||
         strncmp(name, "\xff\xfe", 2) == 0 || strncmp(name, "\xfe\xff", 2) == 0 ||
         swi_csv_number(name, n, &v) != 0;
}

static sw_status put_name(output *o, const char *name) {
  int quotes = needs_quotes(name);
  if (quotes) SW_TRY(put(o, '"'));
  for (; *name != '\0'; name++) {
    if (*name == '"') SW_TRY(put(o, '"'));
    SW_TRY(put(o, *name));
  }
  return quotes ? put(o, '"') : SW_OK;
}

/* nan, without the sign that printf shows. */
static int put_real(char *to, int digits, double v) {
  return snprintf(to, LONGEST_NUMBER, "%.*g", digits, isnan(v) ? (double)NAN : v);
}

static sw_status put_number(output *o, const sw_tensor *t, int64_t i) {
  const void *data = sw_tensor_data(t);
  char *to = o->bytes + o->n;
  int n = 0;
  switch (sw_tensor_dtype(t)) {
  case SW_F32: n = put_real(to, 9, (double)((const float *)data)[i]); break;
  case SW_F64: n = put_real(to, 17, ((const double *)data)[i]); break;
  case SW_I32: n = snprintf(to, LONGEST_NUMBER, "%" PRId32, ((const int32_t *)data)[i]); break;
  case SW_U8: n = snprintf(to, LONGEST_NUMBER, "%d", ((const uint8_t *)data)[i]); break;
  case SW_DTYPE_COUNT: break;
  }
  o->n += n;
  return SW_OK;
}

static sw_status put_all(output *o, const sw_tensor *t, const char *const *names, int n_names) {
  const sw_shape *s = sw_tensor_shape(t);
  int64_t columns = s->ndim == 2 ? s->dim[1] : 1;
  for (int i = 0; i < n_names; i++) {
    SW_TRY(put_name(o, names[i]));
    SW_TRY(put(o, i + 1 < n_names ? ',' : '\n'));
  }
  for (int64_t row = 0; row < s->dim[0]; row++) {
    for (int64_t i = 0; i < columns; i++) {
      SW_TRY(put_number(o, t, row * columns + i));
      SW_TRY(put(o, i + 1 < columns ? ',' : '\n'));
    }
  }
  return flush(o);
}

static sw_status put_in_c_locale(output *o, const sw_tensor *t, const char *const *names,
                                 int n_names) {
  locale_t before = swi_use_c_locale();
  sw_status st = put_all(o, t, names, n_names);
  swi_restore_locale(before);
  return st;
}

static sw_status check(const sw_tensor *t, const char *const *names, int n_names) {
  const sw_shape *s = sw_tensor_shape(t);
  sw_context *ctx = sw_tensor_context(t);
  char text[160];
  if (s->ndim < 1 || s->ndim > 2 || (s->ndim == 2 && s->dim[1] == 0)) {
    return sw_fail(ctx, SW_ESHAPE, "csv: a table has one or two dimensions, got %s; reshape it",
                   sw_shape_text(s, text, sizeof text));
  }
  if (n_names != 0 && n_names != (s->ndim == 2 ? s->dim[1] : 1)) {
    return sw_fail(ctx, SW_ESHAPE, "csv: %d names for %s", n_names,
                   sw_shape_text(s, text, sizeof text));
  }
  for (int i = 0; i < n_names; i++) {
    if (strpbrk(names[i], "\r\n") != NULL) {
      return sw_fail(ctx, SW_EARG, "csv: name %d has a line's end in it", i + 1);
    }
  }
  return SW_OK;
}

static sw_status write_file(const sw_tensor *t, const char *const *names, int n_names,
                            const char *path) {
  sw_context *ctx = sw_tensor_context(t);
  output o = {.bytes = swi_alloc(ctx, BUFFER)};
  if (o.bytes == NULL) return SW_ENOMEM;
  sw_status st = swi_writer_open(&o.w, ctx, path);
  if (st == SW_OK) st = swi_writer_end(&o.w, put_in_c_locale(&o, t, names, n_names));
  swi_free(ctx, o.bytes, BUFFER);
  return st;
}

sw_status sw_csv_write(const sw_tensor *t, const char *const *names, int n_names,
                       const char *path) {
  sw_tensor *dense;
  SW_TRY(check(t, names, n_names));
  SW_TRY(sw_tensor_contiguous(t, &dense));
  sw_status st = write_file(dense, names, n_names, path);
  sw_tensor_free(dense);
  return st;
}
