/* metrics_read.c: lines of JSON to rows.
 *
 * A line as a run writes it (no blanks, plain names, numbers of up to 19 digits) is read here; any
 * other one by jansson, which also finds what is wrong with it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc_int.h"
#include "io/file_int.h"
#include "io/metrics_int.h"

typedef struct text {
  const char *at;
  int64_t n;
} text;

typedef struct line {
  swi_number *numbers;
  int64_t n, room;
  text kind;
} line;

typedef struct reader {
  sw_metrics *m;
  const char *path, *kind; /* kind: NULL for all */
  line line;
} reader;

static sw_status add_number(reader *r, text name, double value, int whole) {
  line *l = &r->line;
  if (l->n == l->room) {
    int64_t room = l->room > 0 ? 2 * l->room : 32;
    swi_number *grown = swi_realloc(r->m->ctx, l->numbers, (size_t)l->room * sizeof *l->numbers,
                                    (size_t)room * sizeof *l->numbers);
    if (grown == NULL) return SW_ENOMEM;
    l->numbers = grown;
    l->room = room;
  }
  l->numbers[l->n++] = (swi_number){name.at, name.n, value, whole};
  return SW_OK;
}

static int equals(text t, const char *word) {
  return t.n == (int64_t)strlen(word) && memcmp(t.at, word, (size_t)t.n) == 0;
}

/* A text as a value: of "kind", or a number that JSON cannot hold. */
static sw_status add_text(reader *r, text name, text value) {
  if (equals(name, "kind")) {
    r->line.kind = value;
    return SW_OK;
  }
  if (equals(value, "nan")) return add_number(r, name, (double)NAN, 0);
  if (equals(value, "inf")) return add_number(r, name, (double)INFINITY, 0);
  if (equals(value, "-inf")) return add_number(r, name, -(double)INFINITY, 0);
  return SW_OK;
}

/* ---- lines as runs write them. Parts return 0 for any other. */

static int read_text(const char **at, const char *end, text *out) {
  const char *p = *at;
  if (p == end || *p != '"') return 0;
  out->at = ++p;
  while (p < end && *p != '"') {
    if (*p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x80) return 0;
    p++;
  }
  if (p == end) return 0;
  out->n = p - out->at;
  *at = p + 1;
  return 1;
}

static int read_word(const char **at, const char *end) {
  static const char *const words[] = {"true", "false", "null"};
  for (size_t i = 0; i < 3; i++) {
    size_t n = strlen(words[i]);
    if ((size_t)(end - *at) < n || memcmp(*at, words[i], n) != 0) continue;
    *at += n;
    return 1;
  }
  return 0;
}

static int read_field(reader *r, const char **at, const char *end, sw_status *st) {
  text name, value;
  double number;
  int whole;
  if (!read_text(at, end, &name) || *at == end || *(*at)++ != ':' || *at == end) return 0;
  if (**at == '"') {
    if (!read_text(at, end, &value)) return 0;
    *st = add_text(r, name, value);
    return 1;
  }
  const char *stop = swi_json_number(*at, end, &number, &whole);
  if (stop == NULL) return read_word(at, end);
  *at = stop;
  *st = add_number(r, name, number, whole);
  return 1;
}

/* Whether the line was read. */
static int read_plain(reader *r, const char *at, const char *end, sw_status *st) {
  if (at == end || *at++ != '{') return 0;
  for (;;) {
    if (!read_field(r, &at, end, st) || at == end) return 0;
    if (*st != SW_OK) return 1;
    if (*at == '}') return at + 1 == end;
    if (*at++ != ',') return 0;
  }
}

/* ---- all other lines */

static sw_status take_values(reader *r, json_t *object) {
  for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
    text name = {json_object_iter_key(it), (int64_t)json_object_iter_key_len(it)};
    const json_t *v = json_object_iter_value(it);
    if (json_is_string(v)) {
      text value = {json_string_value(v), (int64_t)json_string_length(v)};
      SW_TRY(add_text(r, name, value));
    } else if (json_is_integer(v)) {
      json_int_t n = json_integer_value(v);
      int whole = n <= (json_int_t)1 << 53 && n >= -((json_int_t)1 << 53);
      SW_TRY(add_number(r, name, (double)n, whole));
    } else if (json_is_real(v)) {
      SW_TRY(add_number(r, name, json_real_value(v), 0));
    }
  }
  return SW_OK;
}

static sw_status add_row(reader *r) {
  text kind = r->line.kind;
  if (r->kind != NULL && !equals(kind, r->kind)) return SW_OK;
  return swi_metrics_add(r->m, kind.at, kind.n, r->line.numbers, r->line.n);
}

/* The names live as long as the object. */
static sw_status read_any(reader *r, const char *at, const char *end, int64_t number) {
  json_error_t error;
  json_t *object = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (object == NULL && json_error_code(&error) == json_error_out_of_memory) {
    return sw_fail(r->m->ctx, SW_ENOMEM, "%.300s: no memory for a line", r->path);
  }
  if (!json_is_object(object)) {
    const char *why = object == NULL ? error.text : "expected an object";
    json_decref(object);
    return sw_fail(r->m->ctx, SW_ECORRUPT, "%.300s:%" PRId64 ": not a record: %.160s", r->path,
                   number, why);
  }
  sw_status st = take_values(r, object);
  if (st == SW_OK) st = add_row(r);
  json_decref(object);
  return st;
}

static sw_status read_line(reader *r, const char *at, const char *end, int64_t number) {
  sw_status st = SW_OK;
  r->line.n = 0;
  r->line.kind = (text){"", 0};
  if (read_plain(r, at, end, &st)) return st == SW_OK ? add_row(r) : st;
  if (st != SW_OK) return st;
  r->line.n = 0;
  r->line.kind = (text){"", 0};
  return read_any(r, at, end, number);
}

/* A faulty line is one that is not complete yet if nothing follows it. */
static sw_status read_lines(reader *r, const char *at, const char *end) {
  for (int64_t number = 1; at < end; number++) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    const char *next = stop != NULL ? stop + 1 : end;
    sw_status st = read_line(r, at, stop != NULL ? stop : end, number);
    if (st == SW_ECORRUPT && next == end) return SW_OK;
    if (st != SW_OK) return st;
    at = next;
  }
  return SW_OK;
}

static sw_status read_file(reader *r) {
  int fd;
  int64_t size, got;
  sw_context *ctx = r->m->ctx;
  SW_TRY(swi_file_open(ctx, r->path, &fd, &size));
  char *bytes = swi_alloc(ctx, (size_t)size);
  sw_status st = bytes == NULL ? SW_ENOMEM : swi_file_read(ctx, r->path, fd, 0, bytes, size, &got);
  (void)close(fd);
  if (st == SW_OK) st = read_lines(r, bytes, bytes + got);
  swi_free(ctx, bytes, (size_t)size);
  return st;
}

sw_status sw_metrics_read(sw_context *ctx, const char *path, const char *kind, sw_metrics **out) {
  sw_metrics *m = swi_alloc_zeroed(ctx, sizeof *m);
  if (m == NULL) return SW_ENOMEM;
  m->ctx = sw_context_retain(ctx);
  reader r = {.m = m, .path = path, .kind = kind};
  sw_status st = read_file(&r);
  swi_free(ctx, r.line.numbers, (size_t)r.line.room * sizeof *r.line.numbers);
  if (st != SW_OK) {
    sw_metrics_free(m);
    return st;
  }
  *out = m;
  return SW_OK;
}
