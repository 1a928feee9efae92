/* op_sum.c: sums and means over axes.
 *
 * Axes that stand together are sums of rows or of columns. A sum over all rows of many is cut into
 * strips, independent sums into pieces, all by the shape alone. Of axes that are
 * apart, the innermost group is summed where it lies, and the sums are added up in double over the
 * others. A sum whose partial sums overflow is made again in double, of smaller terms.
 */
#include <math.h>
#include <string.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/example_norms_int.h"
#include "graph/reduce_int.h"

enum {
  COLS = SWI_NORM_COLS,
  STRIPS = 16,
  STRIP_ROWS = 128,        /* a strip's rows are a multiple: the kernels' own chunks */
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

typedef struct sums_job {
  const swi_eval_args *e;
  swi_split s;
  int64_t each; /* outer positions of a piece */
} sums_job;

static void run_sums(void *arg, int64_t piece) {
  const sums_job *j = arg;
  const swi_kernels *k = j->e->k;
  int64_t first = piece * j->each, left = j->s.outer - first, n = left < j->each ? left : j->each;
  int64_t in = j->s.reduced * j->s.inner * k->element_bytes, out = j->s.inner * k->element_bytes;
  const char *x = (const char *)j->e->in[0] + first * in;
  char *y = (char *)j->e->out[0] + first * out;
  if (j->s.inner == 1)
    k->sum_rows(n, j->s.reduced, x, y);
  else
    for (int64_t o = 0; o < n; o++) k->sum_cols(j->s.reduced, j->s.inner, x + o * in, y + o * out);
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

/* ------------------------------------------------------------------ sums that overflow */

static double element(const swi_eval_args *e, const void *p, int64_t i) {
  return e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* No n terms of double overflow once they are 2^-64 of their size. */
static double sum_again(const swi_eval_args *e, int64_t from, double divisor) {
  const double down = e->k->element_bytes == 8 ? 0x1p-64 : 1;
  swi_odometer o = swi_odometer_over(&e->in_shape[0], e->attrs->axes);
  double sum = 0;
  for (int64_t i = 0; i < o.count; i++, swi_odometer_step(&o))
    sum += element(e, e->in[0], from + o.position) * down / divisor;
  return sum / down;
}

static void mend_sums(const swi_eval_args *e, double divisor) {
  const sw_shape *in = &e->in_shape[0];
  swi_odometer kept = swi_odometer_over(in, ((1u << in->ndim) - 1) & ~e->attrs->axes);
  for (int64_t i = 0; i < kept.count; i++, swi_odometer_step(&kept)) {
    if (isfinite(element(e, e->out[0], i))) continue;
    double sum = sum_again(e, kept.position, divisor);
    put_sums(e, i, 1, &sum);
  }
}

static int all_finite(const swi_eval_args *e) {
  return isfinite(e->k->dot(swi_numel(&e->out_shape[0]), e->out[0], e->out[0]));
}

static void sum_plainly(const swi_eval_args *e) {
  swi_split s = swi_split_axes(&e->in_shape[0], e->attrs->axes);
  if (!s.simple)
    sum_apart(e);
  else if (s.outer == 1 && s.inner > 1 && s.reduced * s.inner >= PARALLEL_FROM)
    sum_strips(e, s.reduced, s.inner);
  else
    sum_side_by_side(e, s);
}

static sw_status sum_eval(const swi_eval_args *e) {
  sum_plainly(e);
  if (!all_finite(e)) mend_sums(e, 1);
  return SW_OK;
}

/* A quotient, not a product with 1 / n: the mean of equal numbers is that number if their sum is
 * exact. */
static sw_status mean_eval(const swi_eval_args *e) {
  int64_t out = swi_numel(&e->out_shape[0]), in = swi_numel(&e->in_shape[0]);
  if (out == 0) return SW_OK;
  const int64_t terms = in / out;
  double n = (double)terms, real[1]; /* n in either float type */
  sum_plainly(e);
  e->k->fill(1, n, real);
  int finite = all_finite(e);
  e->k->binary[SWI_BINARY_div].vs(out, e->out[0], real, e->out[0]);
  if (!finite) mend_sums(e, n);
  return SW_OK;
}

/* ------------------------------------------------------------------ derivatives */

static void sum_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_unreduce(g, v->cotangent[0], v->in[0], v->attrs->axes);
}

/* 1 / count, count = n B^k */
static void mean_vjp(sw_graph *g, swi_vjp_args *v) {
  const sw_type *in = sw_graph_type(g, v->in[0]);
  double n = 1;
  int power = 0;
  for (int i = 0; i < in->ndim; i++) {
    if (!(v->attrs->axes >> i & 1)) continue;
    n *= (double)in->dim[i].n;
    power += in->dim[i].batch;
  }
  v->grad[0] =
      swi_unreduce(g, swi_scale(g, v->cotangent[0], 1 / n, -power), v->in[0], v->attrs->axes);
}

/* ------------------------------------------------------------------ rows */

/* Over axes of size 1 there is nothing to add up. */
static sw_status sum_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  const sw_type *in = sw_graph_type(g, n->in[0]);
  sw_attrs attrs = {.ndim = n->type[0].ndim};
  for (int i = 0; i < in->ndim; i++)
    if ((n->attrs.axes >> i & 1) && (in->dim[i].n != 1 || in->dim[i].batch)) return SW_OK;
  memcpy(attrs.dim, n->type[0].dim, sizeof attrs.dim);
  return sw_graph_apply(g, SW_OP_reshape, n->in, 1, &attrs, same);
}

static int sum_power(const swi_power_args *a) {
  return swi_power_product(a->in[0], swi_sums_batch(a->g, a->node));
}

/* The summand, if the sum is over the batch; else the sum of the shares. */
static sw_edge sum_share(sw_graph *g, const swi_node *n) {
  sw_edge share;
  if (sw_type_batch_axis(sw_graph_type(g, n->in[0])) >= 0)
    share = swi_sum(g, swi_by_example(g, n->in[0], n->attrs.axes), 1u << 1, 0);
  else
    share = swi_sum(g, swi_share(g, n->in[0]), n->attrs.axes << 1, 1);
  return swi_share_of_type(g, share, &n->type[0]);
}

const swi_op_row swi_row_sum = {.n_in = 1,
                                .n_out = 1,
                                .attrs = SW_ATTR_AXES | SW_ATTR_KEEPDIM,
                                .shape = swi_reduce_shape,
                                .eval = sum_eval,
                                .vjp = sum_vjp,
                                .power = sum_power,
                                .identity = sum_identity,
                                .share = sum_share};

const swi_op_row swi_row_mean = {.n_in = 1,
                                 .n_out = 1,
                                 .attrs = SW_ATTR_AXES | SW_ATTR_KEEPDIM,
                                 .shape = swi_reduce_some_shape,
                                 .eval = mean_eval,
                                 .vjp = mean_vjp,
                                 .power = swi_power_of_first,
                                 .identity = sum_identity};
