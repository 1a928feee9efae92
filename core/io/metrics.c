/* metrics.c: the tables of metrics.jsonl: filling, reading, summaries, thinning. */
#include <math.h>
#include <string.h>

#include "base/alloc_int.h"
#include "io/metrics_int.h"

enum { MOST_KINDS = 256, MOST_COLUMNS = 4096 };

static const uint64_t absent_bits = 0x7ff8000061627365; /* "abse" */

double swi_metrics_absent(void) {
  double value;
  memcpy(&value, &absent_bits, sizeof value);
  return value;
}

int swi_metrics_is_absent(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits == absent_bits;
}

/* ---- filling */

/* Makes room for one more of n; *room doubles. */
static void *grown(sw_context *ctx, void *p, int64_t n, int64_t *room, size_t size) {
  if (n < *room) return p;
  int64_t more = *room > 0 ? 2 * *room : 16;
  void *q = swi_realloc(ctx, p, (size_t)*room * size, (size_t)more * size);
  if (q != NULL) *room = more;
  return q;
}

static char *copy_of(sw_context *ctx, const char *text, int64_t n) {
  char *copy = swi_alloc(ctx, (size_t)n + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, text, (size_t)n);
  copy[n] = '\0';
  return copy;
}

static int is_name(const char *name, size_t size, const char *text, int64_t n) {
  return size == (size_t)n + 1 && memcmp(name, text, (size_t)n) == 0;
}

static sw_status find_table(sw_metrics *m, const char *kind, int64_t n, swi_table **out) {
  for (int i = 0; i < m->n_tables; i++) {
    *out = &m->tables[i];
    if (is_name((*out)->kind, (*out)->kind_size, kind, n)) return SW_OK;
  }
  if (m->n_tables == MOST_KINDS) {
    return sw_fail(m->ctx, SW_ECORRUPT, "metrics: more than %d kinds of lines", MOST_KINDS);
  }
  int64_t room = m->tables_room;
  swi_table *tables = grown(m->ctx, m->tables, m->n_tables, &room, sizeof *tables);
  if (tables == NULL) return SW_ENOMEM;
  m->tables = tables;
  m->tables_room = (int)room;
  char *copy = copy_of(m->ctx, kind, n);
  if (copy == NULL) return SW_ENOMEM;
  *out = &tables[m->n_tables++];
  **out = (swi_table){.kind = copy, .kind_size = (size_t)n + 1};
  return SW_OK;
}

static sw_status new_column(sw_metrics *m, swi_table *t, const swi_number *x, swi_column **out) {
  if (t->n_columns == MOST_COLUMNS) {
    return sw_fail(m->ctx, SW_ECORRUPT, "metrics: more than %d columns", MOST_COLUMNS);
  }
  int64_t room = t->columns_room;
  swi_column *columns = grown(m->ctx, t->columns, t->n_columns, &room, sizeof *columns);
  if (columns == NULL) return SW_ENOMEM;
  t->columns = columns;
  t->columns_room = (int)room;
  char *copy = copy_of(m->ctx, x->name, x->name_size);
  if (copy == NULL) return SW_ENOMEM;
  *out = &columns[t->n_columns++];
  **out = (swi_column){.name = copy, .name_size = (size_t)x->name_size + 1, .whole = 1};
  return SW_OK;
}

/* The column of a number; guess is where it was in the rows before. */
static sw_status find_column(sw_metrics *m, swi_table *t, const swi_number *x, int guess,
                             swi_column **out) {
  for (int i = 0; i < t->n_columns; i++) {
    int place = (guess + i) % t->n_columns;
    *out = &t->columns[place];
    if (is_name((*out)->name, (*out)->name_size, x->name, x->name_size)) return SW_OK;
  }
  return new_column(m, t, x, out);
}

static sw_status put(sw_metrics *m, swi_column *c, int64_t row, const swi_number *x) {
  while (c->n <= row) { /* rows that did not have it, and this one */
    double *values = grown(m->ctx, c->values, c->n, &c->room, sizeof *values);
    if (values == NULL) return SW_ENOMEM;
    c->values = values;
    c->values[c->n++] = swi_metrics_absent();
  }
  c->values[row] = x->value;
  c->whole = c->whole && x->whole;
  return SW_OK;
}

sw_status swi_metrics_add(sw_metrics *m, const char *kind, int64_t kind_size,
                          const swi_number *numbers, int64_t n) {
  swi_table *t;
  SW_TRY(find_table(m, kind, kind_size, &t));
  int guess = 0;
  for (int64_t i = 0; i < n; i++) {
    swi_column *c;
    SW_TRY(find_column(m, t, &numbers[i], guess, &c));
    SW_TRY(put(m, c, t->rows, &numbers[i]));
    guess = (int)(c - t->columns) + 1;
  }
  t->rows++;
  return SW_OK;
}

static void free_table(sw_context *ctx, swi_table *t) {
  for (int i = 0; i < t->n_columns; i++) {
    swi_column *c = &t->columns[i];
    swi_free(ctx, c->name, c->name_size);
    swi_free(ctx, c->values, (size_t)c->room * sizeof *c->values);
  }
  swi_free(ctx, t->columns, (size_t)t->columns_room * sizeof *t->columns);
  swi_free(ctx, t->kind, t->kind_size);
}

void sw_metrics_free(sw_metrics *m) {
  if (m == NULL) return;
  sw_context *ctx = m->ctx;
  for (int i = 0; i < m->n_tables; i++) free_table(ctx, &m->tables[i]);
  swi_free(ctx, m->tables, (size_t)m->tables_room * sizeof *m->tables);
  swi_free(ctx, m, sizeof *m);
  sw_context_release(ctx);
}

/* ---- reading */

int sw_metrics_kinds(const sw_metrics *m) { return m->n_tables; }
const char *sw_metrics_kind(const sw_metrics *m, int kind) { return m->tables[kind].kind; }
int64_t sw_metrics_rows(const sw_metrics *m, int kind) { return m->tables[kind].rows; }
int sw_metrics_columns(const sw_metrics *m, int kind) { return m->tables[kind].n_columns; }

static const swi_column *column_of(const sw_metrics *m, int kind, int column) {
  return &m->tables[kind].columns[column];
}

const char *sw_metrics_name(const sw_metrics *m, int kind, int column) {
  return column_of(m, kind, column)->name;
}

int sw_metrics_whole(const sw_metrics *m, int kind, int column) {
  return column_of(m, kind, column)->whole;
}

int sw_metrics_value(const sw_metrics *m, int kind, int column, int64_t row, double *value) {
  const swi_column *c = column_of(m, kind, column);
  if (row >= c->n || swi_metrics_is_absent(c->values[row])) return 0;
  *value = c->values[row];
  return 1;
}

/* ---- summaries */

static void take_extremes(const swi_column *c, int64_t row, int64_t *least, int64_t *greatest) {
  double v = c->values[row];
  if (isnan(v)) return;
  if (*least < 0 || v < c->values[*least]) *least = row;
  if (*greatest < 0 || v > c->values[*greatest]) *greatest = row;
}

sw_metrics_summary sw_metrics_summarise(const sw_metrics *m, int kind, int column) {
  const swi_column *c = column_of(m, kind, column);
  sw_metrics_summary s = {0, -1, -1, -1};
  for (int64_t row = 0; row < c->n; row++) {
    if (swi_metrics_is_absent(c->values[row])) continue;
    s.count++;
    s.last = row;
    take_extremes(c, row, &s.least, &s.greatest);
  }
  return s;
}

/* ---- thinning */

/* The next row from *row on that has a value, or -1. */
static int64_t next_row(const swi_column *c, int64_t *row) {
  while (*row < c->n && swi_metrics_is_absent(c->values[*row])) ++*row;
  return *row < c->n ? (*row)++ : -1;
}

/* Writes the rows of the least and the greatest of the next n values; the first row if all are
 * NaN. */
static int64_t thin_bucket(const swi_column *c, int64_t *row, int64_t n, int64_t *rows) {
  int64_t least = -1, greatest = -1, first = -1;
  for (int64_t i = 0; i < n; i++) {
    int64_t at = next_row(c, row);
    if (i == 0) first = at;
    take_extremes(c, at, &least, &greatest);
  }
  if (least < 0) least = greatest = first;
  rows[0] = least < greatest ? least : greatest;
  rows[1] = least < greatest ? greatest : least;
  return least == greatest ? 1 : 2;
}

int64_t sw_metrics_thin(const sw_metrics *m, int kind, int column, int64_t points, int64_t *rows) {
  const swi_column *c = column_of(m, kind, column);
  int64_t count = sw_metrics_summarise(m, kind, column).count, row = 0, n = 0;
  if (count <= points) {
    while (n < count) rows[n++] = next_row(c, &row);
    return n;
  }
  int64_t buckets = (points - 2) / 2, inner = count - 2;
  rows[n++] = next_row(c, &row);
  for (int64_t i = 0; i < buckets; i++) {
    int64_t size = inner * (i + 1) / buckets - inner * i / buckets;
    n += thin_bucket(c, &row, size, rows + n);
  }
  rows[n++] = next_row(c, &row);
  return n;
}
