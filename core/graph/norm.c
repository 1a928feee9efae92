/* norm.c: the ghosts of batch normalisation: what the inputs may be, sums over the rows of a ghost,
 * combinations of rows, all ghosts one after the other.
 *
 * The rows of a ghost are cut into strips, and ghosts come in waves; both by the shape alone. Sums
 * over strips and over ghosts are made in their order, in double.
 */
#include <inttypes.h>
#include <math.h>

#include "base/context_int.h"
#include "base/parallel_int.h"
#include "graph/norm_int.h"

enum {
  STRIP_ELEMENTS = 1 << 15, /* fewer are not worth another strip */
  STRIP_ROWS = 128,         /* a strip's rows are a multiple: the kernels' own chunks */
  AT_A_TIME = 1 << 13,      /* elements of each operand */
  WAVE = 16                 /* ghosts computed at a time */
};

/* ------------------------------------------------------------------ ghosts */

swi_ghosts swi_ghosts_of(const sw_shape *x, int64_t size) {
  swi_ghosts g = {.examples = x->dim[0], .size = size, .count = 1, .rows = 1};
  for (int i = 1; i < x->ndim - 1; i++) g.rows *= x->dim[i];
  if (size == 0 || size >= g.examples)
    g.size = g.examples;
  else
    g.count = g.examples / size + (g.examples % size >= 2);
  return g;
}

int64_t swi_examples_in(const swi_ghosts *g, int64_t i) {
  return i < g->count - 1 ? g->size : g->examples - i * g->size;
}

/* ------------------------------------------------------------------ shapes */

sw_status swi_norm_check_x(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  char text[120];
  if (x->ndim < 2 || x->dim[x->ndim - 1].batch)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: expected (batch, …, channels), channels last, got %s",
                   a->op, sw_type_text(x, text, sizeof text));
  if (a->attrs->n < 0)
    return sw_fail(a->ctx, SW_ERANGE, "%s: a ghost has at least one example", a->op);
  if (a->attrs->n > 0 && sw_type_batch_axis(x) > 0)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: with ghosts the batch must be the first axis, got %s",
                   a->op, sw_type_text(x, text, sizeof text));
  return SW_OK;
}

sw_status swi_norm_check_channels(swi_shape_args *a, int i, const char *what) {
  const sw_type *x = a->in[0], *t = a->in[i];
  char text[120], tx[120];
  if (t->ndim == 1 && swi_dim_equal(t->dim[0], x->dim[x->ndim - 1])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: %s must be (%" PRId64 "), the channels of %s, got %s",
                 a->op, what, x->dim[x->ndim - 1].n, sw_type_text(x, tx, sizeof tx),
                 sw_type_text(t, text, sizeof text));
}

sw_status swi_norm_check_like_x(swi_shape_args *a, int i) {
  char text[120], tx[120];
  if (swi_type_same_shape(a->in[0], a->in[i])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: input %d must have the shape %s, got %s", a->op, i + 1,
                 sw_type_text(a->in[0], tx, sizeof tx), sw_type_text(a->in[i], text, sizeof text));
}

sw_type swi_norm_stats_type(const sw_type *x, int64_t ghost) {
  return (sw_type){.kind = SW_REAL,
                   .ndim = 3,
                   .dim = {ghost ? x->dim[0] : (sw_dim){1, 0}, {2, 0}, x->dim[x->ndim - 1]}};
}

sw_type swi_norm_like_x(const sw_type *x, sw_dependence all, int64_t ghost) {
  sw_type t = *x;
  t.dependence = all == SW_CONSTANT || ghost == 1 ? all : SW_MIXED;
  return t;
}

sw_type swi_norm_per_channel(const sw_type *x, sw_dependence all) {
  return (sw_type){.kind = SW_REAL,
                   .ndim = 1,
                   .dim = {x->dim[x->ndim - 1]},
                   .dependence = all == SW_CONSTANT ? all : SW_MIXED};
}

sw_dependence swi_norm_dependence(const swi_shape_args *a, int n_in) {
  sw_dependence all = SW_CONSTANT;
  for (int i = 0; i < n_in; i++) all = swi_dependence_max(all, a->in[i]->dependence);
  return all;
}

sw_status swi_norm_check_grad(swi_shape_args *a) {
  char text[120], tx[120];
  SW_TRY(swi_norm_check_x(a));
  SW_TRY(swi_norm_check_like_x(a, 1));
  SW_TRY(swi_norm_check_channels(a, 2, "gamma"));
  sw_type stats = swi_norm_stats_type(a->in[0], a->attrs->n);
  if (swi_type_same_shape(&stats, a->in[3])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: stats must be %s, got %s", a->op,
                 sw_type_text(&stats, tx, sizeof tx), sw_type_text(a->in[3], text, sizeof text));
}

/* ------------------------------------------------------------------ one ghost, some channels */

static void cut_into_strips(swi_norm_block *b) {
  int64_t wanted = b->rows * b->cols / STRIP_ELEMENTS;
  wanted = wanted < 1 ? 1 : wanted > SWI_NORM_STRIPS ? SWI_NORM_STRIPS : wanted;
  int64_t rows = (b->rows + wanted - 1) / wanted;
  b->strip_rows = (rows + STRIP_ROWS - 1) / STRIP_ROWS * STRIP_ROWS;
  b->strips = (b->rows + b->strip_rows - 1) / b->strip_rows;
}

static int64_t rows_of_strip(const swi_norm_block *b, int64_t strip) {
  int64_t left = b->rows - strip * b->strip_rows;
  return left < b->strip_rows ? left : b->strip_rows;
}

static void *at_row(const swi_norm_block *b, const void *p, int64_t row) {
  int64_t at = (b->first + row) * b->channels + b->channel;
  return p ? (char *)(uintptr_t)p + at * b->e->k->element_bytes : NULL;
}

/* Rows `from` … to - 1 of the ghost. */
static swi_norm rows_of(const swi_norm_block *b, int64_t from, int64_t to) {
  return (swi_norm){.rows = to - from,
                    .cols = b->cols,
                    .ld = b->channels,
                    .x = at_row(b, b->e->in[0], from),
                    .c = at_row(b, b->c, from),
                    .u = at_row(b, b->u, from),
                    .mean = b->mean,
                    .gate_factor = b->gated ? b->gate_factor : NULL,
                    .gate_shift = b->gated ? b->gate_shift : NULL};
}

static swi_norm strip_of(const swi_norm_block *b, int64_t strip) {
  int64_t from = strip * b->strip_rows;
  return rows_of(b, from, from + rows_of_strip(b, strip));
}

static void moments_of_strip(void *arg, int64_t strip) {
  swi_norm_block *b = arg;
  swi_norm m = strip_of(b, strip);
  b->e->k->norm_moments(m.rows, m.cols, m.ld, m.x, b->sums[strip][0], b->sums[strip][1]);
}

static void sums_of_strip(void *arg, int64_t strip) {
  swi_norm_block *b = arg;
  swi_norm m = strip_of(b, strip);
  b->e->k->norm_sums(&m, b->sums[strip]);
}

static void combine_rows(const swi_norm_block *b, const swi_norm_combination *r, int64_t from,
                         int64_t to) {
  swi_norm m = rows_of(b, from, to);
  swi_norm_factors f = {.of_u = b->u ? r->of_u : NULL,
                        .of_c = r->with_c ? r->of_c : NULL,
                        .of_x = r->of_x,
                        .shift = r->shift};
  b->e->k->norm_combine(&m, &f, b->relu, at_row(b, r->out, from));
}

/* The last strips first: of them there is still something in the cache. Few rows at a time, so that
 * all results are made of what is read once. */
static void combine_strip(void *arg, int64_t piece) {
  const swi_norm_block *b = arg;
  int64_t strip = b->strips - 1 - piece, from = strip * b->strip_rows;
  int64_t end = from + rows_of_strip(b, strip);
  int64_t few = b->n_results == 1 ? end - from : AT_A_TIME / b->cols + 4;
  for (; from < end; from += few)
    for (int k = 0; k < b->n_results; k++)
      combine_rows(b, &b->result[k], from, end - from < few ? end : from + few);
}

/* The strips' means and m2 become those of the ghost (Chan et al. 1979), in sums[0]. */
static void merge_moments(swi_norm_block *b) {
  for (int64_t s = 1; s < b->strips; s++) {
    double before = (double)(s * b->strip_rows), n = (double)rows_of_strip(b, s);
    double share = n / (before + n);
    for (int64_t j = 0; j < b->cols; j++) {
      double d = b->sums[s][0][j] - b->sums[0][0][j];
      b->sums[0][0][j] += d * share;
      b->sums[0][1][j] += b->sums[s][1][j] + d * d * share * before;
    }
  }
}

/* A channel's mean and m2 again, in double: its squares are beyond float32. */
static void moments_again(swi_norm_block *b, int64_t j) {
  const void *x = at_row(b, b->e->in[0], 0);
  double n = (double)b->rows, mean = 0, m2 = 0;
  for (int64_t i = 0; i < b->rows; i++) mean += swi_norm_get(b, x, i * b->channels + j) / n;
  for (int64_t i = 0; i < b->rows; i++) {
    double d = swi_norm_get(b, x, i * b->channels + j) - mean;
    m2 += d * d;
  }
  b->sums[0][0][j] = mean;
  b->sums[0][1][j] = m2;
}

static void add_sums(swi_norm_block *b) {
  for (int64_t s = 1; s < b->strips; s++)
    for (int k = 0; k < SWI_NORM_SUMS; k++)
      for (int64_t j = 0; j < b->cols; j++) b->sums[0][k][j] += b->sums[s][k][j];
}

void swi_norm_moments(swi_norm_block *b) {
  swi_parallel(b->e->ctx, b->strips, moments_of_strip, b);
  merge_moments(b);
  for (int64_t j = 0; j < b->cols; j++)
    if (!isfinite(b->sums[0][1][j])) moments_again(b, j);
}

void swi_norm_sum(swi_norm_block *b) {
  swi_parallel(b->e->ctx, b->strips, sums_of_strip, b);
  add_sums(b);
}

void swi_norm_combine(swi_norm_block *b) { swi_parallel(b->e->ctx, b->strips, combine_strip, b); }

const char *swi_norm_stats(swi_norm_block *b, int64_t i) {
  int64_t bytes = b->e->k->element_bytes;
  const char *stats = (const char *)b->e->in[3] + (2 * i * b->channels + b->channel) * bytes;
  for (int64_t j = 0; j < b->cols; j++) swi_norm_set(b, b->mean, j, swi_norm_get(b, stats, j));
  return stats + b->channels * bytes;
}

/* ------------------------------------------------------------------ all ghosts */

typedef struct wave {
  const swi_eval_args *e;
  swi_ghosts g;
  swi_norm_ghost f;
  int64_t channel, cols, first; /* of the channels; the first ghost */
  double result[WAVE][2][SWI_NORM_COLS];
} wave;

/* What a thread keeps in its scratch: the ghost at hand; the caller of all, what they share. */
typedef struct scratch {
  swi_norm_block block;
  wave wave;
} scratch;
_Static_assert(sizeof(scratch) <= SWI_SCRATCH,
               "WAVE, SWI_NORM_STRIPS or SWI_NORM_COLS is too large");

static void run_ghost(void *arg, int64_t i) {
  wave *w = arg;
  int64_t ghost = w->first + i;
  const sw_shape *x = &w->e->in_shape[0];
  swi_norm_block *b = &((scratch *)swi_scratch(w->e->ctx))->block;
  b->e = w->e;
  b->first = ghost * w->g.size * w->g.rows;
  b->rows = swi_examples_in(&w->g, ghost) * w->g.rows;
  b->channels = x->dim[x->ndim - 1];
  b->channel = w->channel;
  b->cols = w->cols;
  b->c = b->u = NULL;
  b->relu = b->gated = 0;
  b->n_results = 1;
  cut_into_strips(b);
  w->f(b, ghost, w->result[i]);
}

void swi_norm_run(const swi_eval_args *e, swi_norm_ghost f, int averaged, void *const out[2]) {
  const sw_shape *x = &e->in_shape[0];
  int64_t channels = x->dim[x->ndim - 1];
  wave *w = &((scratch *)swi_scratch(e->ctx))->wave;
  w->e = e;
  w->g = swi_ghosts_of(x, e->attrs->n);
  w->f = f;
  const swi_norm_block any = {.e = e};
  for (int k = 0; k < 2 && w->g.examples * w->g.rows == 0; k++) /* sums over nothing */
    if (out[k]) e->k->fill(channels, 0, out[k]);
  if (w->g.examples * w->g.rows == 0) return;
  for (w->channel = 0; w->channel < channels; w->channel += SWI_NORM_COLS) {
    double total[2][SWI_NORM_COLS] = {{0}};
    w->cols = channels - w->channel < SWI_NORM_COLS ? channels - w->channel : SWI_NORM_COLS;
    for (w->first = 0; w->first < w->g.count; w->first += WAVE) {
      int64_t n = w->g.count - w->first < WAVE ? w->g.count - w->first : WAVE;
      if (n == 1)
        run_ghost(w, 0); /* its strips may then run on several threads */
      else
        swi_parallel(e->ctx, n, run_ghost, w);
      for (int64_t i = 0; i < n; i++) {
        double weight =
            averaged ? (double)swi_examples_in(&w->g, w->first + i) / (double)w->g.examples : 1;
        for (int k = 0; k < 2; k++)
          for (int64_t j = 0; j < w->cols; j++) total[k][j] += weight * w->result[i][k][j];
      }
    }
    for (int k = 0; k < 2; k++)
      for (int64_t j = 0; out[k] && j < w->cols; j++)
        swi_norm_set(&any, out[k], w->channel + j, total[k][j]);
  }
}
