/* op_sum.c: sums over axes.
 *
 * Axes that stand together are sums of rows or of columns. A sum over all rows of many is cut into
 * strips, sums that do not know of each other into pieces, all by the shape alone. Of axes that are
 * apart, the innermost group is summed where it lies, and the sums are added up in double over the
 * others.
 */
#include <string.h>

#include "base/parallel.h"
#include "graph/reduce.h"

enum {
  COLS = SWI_NORM_COLS,
  STRIPS = 16,
  STRIP_ROWS = 128,        /* a strip's rows are a multiple: the kernels' own chunks */
  LONG = 1 << 13,          /* rows that one float may take up, eight at a time */
  PARALLEL_FROM = 1 << 17, /* elements */
  PIECE = 1 << 14          /* elements of a piece, at least */
};

static void put_sums(const swi_eval_args *e, int64_t at, int64_t n, const double *sum) {
  if (e->k->element_bytes == 8)
    memcpy((double *)e->out[0] + at, sum, (size_t)n * sizeof *sum);
  else
    for (int64_t j = 0; j < n; j++) ((float *)e->out[0])[at + j] = (float)sum[j];
}

/* ------------------------------------------------------------------ sums side by side */

/* The rows of a column of more than LONG are added up in double, chunk by chunk. */
static void sum_columns(const swi_eval_args *e, int64_t rows, int64_t cols, const char *x,
                        int64_t at) {
  int bytes = e->k->element_bytes;
  if (rows <= LONG) {
    e->k->sum_cols(rows, cols, x, (char *)e->out[0] + at * bytes);
    return;
  }
  for (int64_t first = 0; first < cols; first += COLS) {
    int64_t n = cols - first < COLS ? cols - first : COLS;
    double sum[COLS] = {0};
    e->k->add_cols(rows, n, cols, x + first * bytes, sum);
    put_sums(e, at + first, n, sum);
  }
}

typedef struct sums_job {
  const swi_eval_args *e;
  swi_split s;
  int64_t each; /* outer positions of a piece */
} sums_job;

static void run_sums(void *arg, int64_t piece) {
  const sums_job *j = arg;
  const swi_kernels *k = j->e->k;
  int64_t first = piece * j->each, left = j->s.outer - first, n = left < j->each ? left : j->each;
  int64_t in = j->s.reduced * j->s.inner * k->element_bytes;
  const char *x = (const char *)j->e->in[0] + first * in;
  if (j->s.inner == 1)
    k->sum_rows(n, j->s.reduced, x, (char *)j->e->out[0] + first * k->element_bytes);
  else
    for (int64_t o = 0; o < n; o++)
      sum_columns(j->e, j->s.reduced, j->s.inner, x + o * in, (first + o) * j->s.inner);
}

static void sum_side_by_side(const swi_eval_args *e, swi_split s) {
  int64_t each = s.reduced * s.inner;
  sums_job j = {e, s, s.outer};
  if (s.outer * each >= PARALLEL_FROM && s.outer > 1) {
    j.each = each >= PIECE ? 1 : PIECE / each;
    swi_parallel(e->ctx, (s.outer + j.each - 1) / j.each, run_sums, &j);
  } else {
    run_sums(&j, 0);
  }
}

/* ------------------------------------------------------------------ columns of many rows */

typedef struct strips_job {
  const swi_eval_args *e;
  int64_t rows, ld, first, cols, strip_rows; /* first, cols: of the columns */
  double sum[STRIPS][COLS];
} strips_job;

static void run_strip(void *arg, int64_t strip) {
  strips_job *j = arg;
  int64_t row = strip * j->strip_rows, left = j->rows - row;
  const char *x = (const char *)j->e->in[0] + (row * j->ld + j->first) * j->e->k->element_bytes;
  memset(j->sum[strip], 0, (size_t)j->cols * sizeof j->sum[0][0]);
  j->e->k->add_cols(left < j->strip_rows ? left : j->strip_rows, j->cols, j->ld, x, j->sum[strip]);
}

static void sum_strips(const swi_eval_args *e, int64_t rows, int64_t cols) {
  strips_job j = {.e = e, .rows = rows, .ld = cols};
  int64_t share = (rows + STRIPS - 1) / STRIPS;
  j.strip_rows = (share + STRIP_ROWS - 1) / STRIP_ROWS * STRIP_ROWS;
  int64_t strips = (rows + j.strip_rows - 1) / j.strip_rows;
  for (; j.first < cols; j.first += COLS) {
    j.cols = cols - j.first < COLS ? cols - j.first : COLS;
    swi_parallel(e->ctx, strips, run_strip, &j);
    for (int64_t s = 1; s < strips; s++)
      for (int64_t c = 0; c < j.cols; c++) j.sum[0][c] += j.sum[s][c];
    put_sums(e, j.first, j.cols, j.sum[0]);
  }
}

/* ------------------------------------------------------------------ axes that are apart */

/* The last reduced axes that stand together, and what is behind them. */
typedef struct innermost {
  uint32_t before; /* axes in front of both */
  int64_t reduced, inner;
} innermost;

static innermost innermost_of(const sw_shape *in, uint32_t axes) {
  innermost m = {0, 1, 1};
  int i = in->ndim - 1;
  for (; i >= 0 && !(axes >> i & 1); i--) m.inner *= in->dim[i];
  for (; i >= 0 && (axes >> i & 1); i--) m.reduced *= in->dim[i];
  m.before = (1u << (i + 1)) - 1;
  return m;
}

static void sum_apart(const swi_eval_args *e) {
  const sw_shape *in = &e->in_shape[0];
  uint32_t axes = e->attrs->axes;
  innermost m = innermost_of(in, axes);
  swi_odometer kept = swi_odometer_over(in, m.before & ~axes);
  for (int64_t i = 0; i < kept.count; i++, swi_odometer_step(&kept))
    for (int64_t first = 0; first < m.inner; first += COLS) {
      int64_t n = m.inner - first < COLS ? m.inner - first : COLS;
      double sum[COLS] = {0};
      swi_odometer others = swi_odometer_over(in, m.before & axes);
      for (int64_t r = 0; r < others.count; r++, swi_odometer_step(&others)) {
        const char *x = (const char *)e->in[0] +
                        (kept.position + others.position + first) * e->k->element_bytes;
        if (m.inner == 1)
          sum[0] += e->k->sum(m.reduced, x);
        else
          e->k->add_cols(m.reduced, n, m.inner, x, sum);
      }
      put_sums(e, i * m.inner + first, n, sum);
    }
}

sw_status swi_sum_eval(const swi_eval_args *e) {
  swi_split s = swi_split_axes(&e->in_shape[0], e->attrs->axes);
  if (!s.simple)
    sum_apart(e);
  else if (s.outer == 1 && s.inner > 1 && s.reduced * s.inner >= PARALLEL_FROM)
    sum_strips(e, s.reduced, s.inner);
  else
    sum_side_by_side(e, s);
  return SW_OK;
}
