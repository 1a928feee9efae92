/* op_norm.c: batch normalisation in training mode, with ghosts, and its first two
 * derivatives; op_norm_third.c has the others.
 *
 * x is (B, …, C); a ghost is a contiguous run of examples that is normalised by itself. Per ghost
 * and channel, over its n values, with xh = (x - mean) r, r = 1 / sqrt(var + eps):
 *
 *   y = gamma xh + beta
 *   grad:   dbeta = S(c), dgamma = S(c xh), dx = gamma r (c - S(c) / n - xh S(c xh) / n)
 *   grad2:  u, p, q are cotangents of dx, dgamma, dbeta. U = S(u xh), K = S(c xh),
 *           A = S(u c) - S(u) S(c) / n, ut = u - S(u) / n - xh U / n, ct likewise of c
 *     of c:      gamma r ut + p xh + q
 *     of gamma:  r (A - U K / n)
 *     of x:      -gamma r^2 ((A - U K / n) xh + K ut + U ct) / n + p r ct
 *
 * Each is sums over rows and then a combination of x, c and u, by the kernels of body_norm.h. The
 * rows of a ghost are cut into strips, and ghosts come in waves; both by the shape alone. Sums over
 * strips and over ghosts are made in their order, in double.
 *
 * A ReLU behind the norm may be fused: then y = relu(…), and grad's c counts only where that is
 * positive (beta is its bias).
 */
#include <inttypes.h>
#include <math.h>

#include "base/context_int.h"
#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/norm_int.h"

enum {
  COLS = SWI_NORM_COLS,
  STRIPS = 16,
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

static sw_status check_channels(swi_shape_args *a, int i, const char *what) {
  const sw_type *x = a->in[0], *t = a->in[i];
  char text[120], tx[120];
  if (t->ndim == 1 && swi_dim_equal(t->dim[0], x->dim[x->ndim - 1])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: %s must be (%" PRId64 "), the channels of %s, got %s",
                 a->op, what, x->dim[x->ndim - 1].n, sw_type_text(x, tx, sizeof tx),
                 sw_type_text(t, text, sizeof text));
}

static sw_status check_like_x(swi_shape_args *a, int i) {
  char text[120], tx[120];
  if (swi_type_same_shape(a->in[0], a->in[i])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: input %d must have the shape %s, got %s", a->op, i + 1,
                 sw_type_text(a->in[0], tx, sizeof tx), sw_type_text(a->in[i], text, sizeof text));
}

static sw_type stats_type(const sw_type *x, int64_t ghost) {
  return (sw_type){.kind = SW_REAL,
                   .ndim = 3,
                   .dim = {ghost ? x->dim[0] : (sw_dim){1, 0}, {2, 0}, x->dim[x->ndim - 1]}};
}

sw_type swi_norm_like_x(const sw_type *x, sw_dependence all, int64_t ghost) {
  sw_type t = *x;
  t.dependence = all == SW_CONSTANT || ghost == 1 ? all : SW_MIXED;
  return t;
}

/* (C), summed over the examples */
static sw_type per_channel(const sw_type *x, sw_dependence all) {
  return (sw_type){.kind = SW_REAL,
                   .ndim = 1,
                   .dim = {x->dim[x->ndim - 1]},
                   .dependence = all == SW_CONSTANT ? all : SW_MIXED};
}

static sw_dependence dependence_of(const swi_shape_args *a, int n_in) {
  sw_dependence all = SW_CONSTANT;
  for (int i = 0; i < n_in; i++) all = swi_dependence_max(all, a->in[i]->dependence);
  return all;
}

/* x (B, …, C), gamma (C), beta (C) -> y, stats (1 or B, 2, C), moments (2, C) */
static sw_status batch_norm_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  SW_TRY(swi_norm_check_x(a));
  SW_TRY(check_channels(a, 1, "gamma"));
  SW_TRY(check_channels(a, 2, "beta"));
  if (!(a->attrs->value >= 0 && a->attrs->value < HUGE_VAL))
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: eps (value) must be 0 or a small positive number, got %g", a->op,
                   a->attrs->value);
  sw_dependence all = dependence_of(a, 3);
  a->out[0] = swi_norm_like_x(x, all, a->attrs->n);
  a->out[1] = stats_type(x, a->attrs->n);
  a->out[1].dependence = a->out[0].dependence;
  a->out[2] = per_channel(x, all);
  a->out[2].ndim = 2;
  a->out[2].dim[1] = a->out[2].dim[0];
  a->out[2].dim[0] = (sw_dim){2, 0};
  return SW_OK;
}

static sw_status check_grad(swi_shape_args *a) {
  char text[120], tx[120];
  SW_TRY(swi_norm_check_x(a));
  SW_TRY(check_like_x(a, 1));
  SW_TRY(check_channels(a, 2, "gamma"));
  sw_type stats = stats_type(a->in[0], a->attrs->n);
  if (swi_type_same_shape(&stats, a->in[3])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: stats must be %s, got %s", a->op,
                 sw_type_text(&stats, tx, sizeof tx), sw_type_text(a->in[3], text, sizeof text));
}

/* x, c (like x), gamma (C), stats -> dx, dgamma, dbeta */
static sw_status batch_norm_grad_shape(swi_shape_args *a) {
  SW_TRY(check_grad(a));
  sw_dependence all = dependence_of(a, 4);
  a->out[0] = swi_norm_like_x(a->in[0], all, a->attrs->n);
  a->out[1] = a->out[2] = per_channel(a->in[0], all);
  return SW_OK;
}

/* x, c, gamma, stats, u (like x), p (C), q (C) -> dx, dc, dgamma */
static sw_status batch_norm_grad2_shape(swi_shape_args *a) {
  SW_TRY(check_grad(a));
  SW_TRY(check_like_x(a, 4));
  SW_TRY(check_channels(a, 5, "the cotangent of dgamma"));
  SW_TRY(check_channels(a, 6, "the cotangent of dbeta"));
  sw_dependence all = dependence_of(a, 7);
  a->out[0] = a->out[1] = swi_norm_like_x(a->in[0], all, a->attrs->n);
  a->out[2] = per_channel(a->in[0], all);
  return SW_OK;
}

/* ------------------------------------------------------------------ one ghost, some channels */

/* A combination of x, c and u, and where it goes. The factors hold reals. */
typedef struct combination {
  void *out;
  int with_c;
  double of_x[COLS], of_c[COLS], of_u[COLS], shift[COLS];
} combination;

/* Rows of C elements that the strips of a ghost share. */
typedef struct block {
  const swi_eval_args *e;
  int64_t first, rows, channels; /* of the ghost in x; elements a row */
  int64_t channel, cols;         /* the block's own */
  int64_t strips, strip_rows;
  double sums[STRIPS][SWI_NORM_SUMS][COLS]; /* moments: mean, m2 */
  double mean[COLS];                        /* reals, as the gate's */
  double gate_factor[COLS], gate_shift[COLS];
  const void *c, *u; /* whole, or NULL */
  int gated;         /* c counts where the norm's ReLU was open */
  int relu;
  int n_results;
  combination result[2];
} block;

static double get(const block *b, const void *p, int64_t i) {
  return b->e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* The value as it was rounded. */
static double set(const block *b, void *p, int64_t i, double value) {
  if (b->e->k->element_bytes == 8) return ((double *)p)[i] = value;
  return (double)(((float *)p)[i] = (float)value);
}

static void cut_into_strips(block *b) {
  int64_t wanted = b->rows * b->cols / STRIP_ELEMENTS;
  wanted = wanted < 1 ? 1 : wanted > STRIPS ? STRIPS : wanted;
  int64_t rows = (b->rows + wanted - 1) / wanted;
  b->strip_rows = (rows + STRIP_ROWS - 1) / STRIP_ROWS * STRIP_ROWS;
  b->strips = (b->rows + b->strip_rows - 1) / b->strip_rows;
}

static int64_t rows_of_strip(const block *b, int64_t strip) {
  int64_t left = b->rows - strip * b->strip_rows;
  return left < b->strip_rows ? left : b->strip_rows;
}

static void *at_row(const block *b, const void *p, int64_t row) {
  int64_t at = (b->first + row) * b->channels + b->channel;
  return p ? (char *)(uintptr_t)p + at * b->e->k->element_bytes : NULL;
}

/* Rows `from` … to - 1 of the ghost. */
static swi_norm rows_of(const block *b, int64_t from, int64_t to) {
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

static swi_norm strip_of(const block *b, int64_t strip) {
  int64_t from = strip * b->strip_rows;
  return rows_of(b, from, from + rows_of_strip(b, strip));
}

static void moments_of_strip(void *arg, int64_t strip) {
  block *b = arg;
  swi_norm m = strip_of(b, strip);
  b->e->k->norm_moments(m.rows, m.cols, m.ld, m.x, b->sums[strip][0], b->sums[strip][1]);
}

static void sums_of_strip(void *arg, int64_t strip) {
  block *b = arg;
  swi_norm m = strip_of(b, strip);
  b->e->k->norm_sums(&m, b->sums[strip]);
}

static void combine_rows(const block *b, const combination *r, int64_t from, int64_t to) {
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
  const block *b = arg;
  int64_t strip = b->strips - 1 - piece, from = strip * b->strip_rows;
  int64_t end = from + rows_of_strip(b, strip);
  int64_t few = b->n_results == 1 ? end - from : AT_A_TIME / b->cols + 4;
  for (; from < end; from += few)
    for (int k = 0; k < b->n_results; k++)
      combine_rows(b, &b->result[k], from, end - from < few ? end : from + few);
}

/* The strips' means and m2 become those of the ghost (Chan et al. 1979), in sums[0]. */
static void merge_moments(block *b) {
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

static void add_sums(block *b) {
  for (int64_t s = 1; s < b->strips; s++)
    for (int k = 0; k < SWI_NORM_SUMS; k++)
      for (int64_t j = 0; j < b->cols; j++) b->sums[0][k][j] += b->sums[s][k][j];
}

/* ------------------------------------------------------------------ all ghosts */

typedef double (*totals)[COLS]; /* two rows: what a ghost adds to the outputs of a channel */

/* Evaluates one ghost on the block's channels; i: its number. */
typedef void (*ghost_function)(block *b, int64_t i, totals result);

typedef struct wave {
  const swi_eval_args *e;
  swi_ghosts g;
  ghost_function f;
  int64_t channel, cols, first; /* of the channels; the first ghost */
  double result[WAVE][2][COLS];
} wave;

/* What a thread keeps in its scratch: the ghost at hand; the caller of all, what they share. */
typedef struct scratch {
  block block;
  wave wave;
} scratch;
_Static_assert(sizeof(scratch) <= SWI_SCRATCH, "WAVE, STRIPS or COLS is too large");

static void run_ghost(void *arg, int64_t i) {
  wave *w = arg;
  int64_t ghost = w->first + i;
  const sw_shape *x = &w->e->in_shape[0];
  block *b = &((scratch *)swi_scratch(w->e->ctx))->block;
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

/* Runs f for each ghost and block of channels; adds its results times weight(examples) up, and
 * writes them to vectors out[0], out[1] of C elements where they are wanted. */
static void run_ghosts(const swi_eval_args *e, ghost_function f, int averaged, void *const out[2]) {
  const sw_shape *x = &e->in_shape[0];
  int64_t channels = x->dim[x->ndim - 1];
  wave *w = &((scratch *)swi_scratch(e->ctx))->wave;
  w->e = e;
  w->g = swi_ghosts_of(x, e->attrs->n);
  w->f = f;
  const block any = {.e = e};
  for (int k = 0; k < 2 && w->g.examples * w->g.rows == 0; k++) /* sums over nothing */
    if (out[k]) e->k->fill(channels, 0, out[k]);
  if (w->g.examples * w->g.rows == 0) return;
  for (w->channel = 0; w->channel < channels; w->channel += COLS) {
    double total[2][COLS] = {{0}};
    w->cols = channels - w->channel < COLS ? channels - w->channel : COLS;
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
        set(&any, out[k], w->channel + j, total[k][j]);
  }
}

/* ------------------------------------------------------------------ forward */

/* A channel's mean and m2 again, in double: its squares are beyond float32. */
static void moments_again(block *b, int64_t j) {
  const void *x = at_row(b, b->e->in[0], 0);
  double n = (double)b->rows, mean = 0, m2 = 0;
  for (int64_t i = 0; i < b->rows; i++) mean += get(b, x, i * b->channels + j) / n;
  for (int64_t i = 0; i < b->rows; i++) {
    double d = get(b, x, i * b->channels + j) - mean;
    m2 += d * d;
  }
  b->sums[0][0][j] = mean;
  b->sums[0][1][j] = m2;
}

static void forward_ghost(block *b, int64_t i, totals result) {
  const swi_eval_args *e = b->e;
  combination *to = &b->result[0];
  int64_t at = b->channel;
  swi_parallel(e->ctx, b->strips, moments_of_strip, b);
  merge_moments(b);
  for (int64_t j = 0; j < b->cols; j++) {
    if (!isfinite(b->sums[0][1][j])) moments_again(b, j);
    double var = b->sums[0][1][j] / (double)b->rows;
    double mean = set(b, b->mean, j, b->sums[0][0][j]);
    double r = set(b, to->shift, j, 1 / sqrt(var + e->attrs->value));
    result[0][j] = b->sums[0][0][j];
    result[1][j] = var;
    if (e->out[1]) {
      set(b, e->out[1], 2 * i * b->channels + at + j, mean);
      set(b, e->out[1], (2 * i + 1) * b->channels + at + j, r);
    }
    set(b, to->of_x, j, get(b, e->in[1], at + j) * r);
    set(b, to->shift, j, get(b, e->in[2], at + j));
  }
  b->relu = e->activation == SWI_ACT_RELU;
  to->out = e->out[0];
  to->with_c = 0;
  swi_parallel(e->ctx, b->strips, combine_strip, b);
}

static sw_status check_ghosts(const swi_eval_args *e, const swi_ghosts *g) {
  int64_t least = g->size < g->examples ? g->size : g->examples;
  if (least * g->rows >= 2) return SW_OK;
  return sw_fail(e->ctx, SW_ERANGE,
                 "batch_norm: %" PRId64 " value%s a channel ha%s no variance (%s of %" PRId64
                 " example%s); give it at least two examples, or use it in evaluation mode",
                 least * g->rows, least * g->rows == 1 ? "" : "s",
                 least * g->rows == 1 ? "s" : "ve", g->count > 1 ? "ghosts" : "a batch", least,
                 least == 1 ? "" : "s");
}

static sw_status batch_norm_eval(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0];
  swi_ghosts g = swi_ghosts_of(x, e->attrs->n);
  int64_t channels = x->dim[x->ndim - 1];
  char *moments = e->out[2], *stats = e->out[1];
  int64_t bytes = e->k->element_bytes;
  SW_TRY(check_ghosts(e, &g));
  if (stats && e->attrs->n > 0)
    e->k->fill((g.examples - g.count) * 2 * channels, 0, stats + g.count * 2 * channels * bytes);
  run_ghosts(e, forward_ghost, 1,
             (void *[2]){moments, moments ? moments + channels * bytes : NULL});
  return SW_OK;
}

/* ------------------------------------------------------------------ first derivative */

/* Takes the means of ghost i from the stats; *r gets where its 1 / sqrt(var + eps) stand. */
static const char *take_stats(block *b, int64_t i) {
  int64_t bytes = b->e->k->element_bytes;
  const char *stats = (const char *)b->e->in[3] + (2 * i * b->channels + b->channel) * bytes;
  for (int64_t j = 0; j < b->cols; j++) set(b, b->mean, j, get(b, stats, j));
  return stats + b->channels * bytes;
}

/* The factors of the forward pass, to the bit. */
static void take_gate(block *b, const char *rs) {
  const swi_eval_args *e = b->e;
  b->gated = e->activation == SWI_ACT_RELU;
  for (int64_t j = 0; b->gated && j < b->cols; j++) {
    set(b, b->gate_factor, j, get(b, e->in[2], b->channel + j) * get(b, rs, j));
    set(b, b->gate_shift, j, get(b, e->bias, b->channel + j));
  }
}

static void grad_ghost(block *b, int64_t i, totals result) {
  const swi_eval_args *e = b->e;
  const char *rs = take_stats(b, i);
  double n = (double)b->rows;
  combination *to = &b->result[0];
  take_gate(b, rs);
  b->c = e->in[1];
  swi_parallel(e->ctx, b->strips, sums_of_strip, b);
  add_sums(b);
  for (int64_t j = 0; j < b->cols; j++) {
    double r = get(b, rs, j), a = get(b, e->in[2], b->channel + j) * r;
    double sum = b->sums[0][SWI_SUM_C][j], k = r * b->sums[0][SWI_SUM_CX][j];
    result[0][j] = k;
    result[1][j] = sum;
    set(b, to->of_c, j, a);
    set(b, to->of_x, j, -a * r * k / n);
    set(b, to->shift, j, -a * sum / n);
  }
  to->out = e->out[0];
  to->with_c = 1;
  swi_parallel(e->ctx, b->strips, combine_strip, b);
}

static sw_status batch_norm_grad_eval(const swi_eval_args *e) {
  run_ghosts(e, grad_ghost, 0, (void *[2]){e->out[1], e->out[2]});
  return SW_OK;
}

/* ------------------------------------------------------------------ second derivative */

/* What a channel of grad2 is made of; p and q are 0 where they are not there. */
typedef struct second {
  double a, r, n, p, q;                    /* gamma r; values; cotangents of dgamma, dbeta */
  double sum_c, sum_u, big_k, big_u, rest; /* S(c), S(u), K, U, A - U K / n */
} second;

static second second_of(const block *b, const char *rs, int64_t j) {
  const swi_eval_args *e = b->e;
  const double(*s)[COLS] = (const double(*)[COLS])b->sums[0];
  int64_t at = b->channel + j;
  second t = {.r = get(b, rs, j), .n = (double)b->rows};
  t.a = get(b, e->in[2], at) * t.r;
  t.p = e->attrs->absent & SWI_NO_P ? 0 : get(b, e->in[5], at);
  t.q = e->attrs->absent & SWI_NO_Q ? 0 : get(b, e->in[6], at);
  t.sum_c = s[SWI_SUM_C][j];
  t.sum_u = s[SWI_SUM_U][j];
  t.big_k = t.r * s[SWI_SUM_CX][j];
  t.big_u = t.r * s[SWI_SUM_UX][j];
  t.rest = s[SWI_SUM_UC][j] - t.sum_u * t.sum_c / t.n - t.big_u * t.big_k / t.n;
  return t;
}

static void factors_of_dc(const block *b, combination *to, int64_t j, const second *t) {
  set(b, to->of_u, j, t->a);
  set(b, to->of_x, j, t->r * (t->p - t->a * t->big_u / t->n));
  set(b, to->shift, j, t->q - t->a * t->sum_u / t->n);
}

static void factors_of_dx(const block *b, combination *to, int64_t j, const second *t) {
  double of_ut = -t->a * t->r * t->big_k / t->n;
  double of_ct = -t->a * t->r * t->big_u / t->n + t->p * t->r;
  double of_xh = -t->a * t->r * t->rest / t->n - (of_ut * t->big_u + of_ct * t->big_k) / t->n;
  set(b, to->of_u, j, of_ut);
  set(b, to->of_c, j, of_ct);
  set(b, to->of_x, j, t->r * of_xh);
  set(b, to->shift, j, -(of_ut * t->sum_u + of_ct * t->sum_c) / t->n);
}

static void grad2_ghost(block *b, int64_t i, totals result) {
  const swi_eval_args *e = b->e;
  const char *rs = take_stats(b, i);
  b->c = e->in[1];
  b->u = e->attrs->absent & SWI_NO_U ? NULL : e->in[4];
  swi_parallel(e->ctx, b->strips, sums_of_strip, b);
  add_sums(b);
  for (int64_t j = 0; j < b->cols; j++) {
    second t = second_of(b, rs, j);
    factors_of_dx(b, &b->result[0], j, &t);
    factors_of_dc(b, &b->result[1], j, &t);
    result[0][j] = t.r * t.rest;
    result[1][j] = 0;
  }
  for (int k = 0; k < 2; k++) {
    b->result[k].out = e->out[k];
    b->result[k].with_c = k == 0;
  }
  b->n_results = e->out[1] ? 2 : 1;
  swi_parallel(e->ctx, b->strips, combine_strip, b);
}

static sw_status batch_norm_grad2_eval(const swi_eval_args *e) {
  run_ghosts(e, grad2_ghost, 0, (void *[2]){e->out[2], NULL});
  return SW_OK;
}

/* ------------------------------------------------------------------ derivatives */

static void refuse(sw_graph *g, const char *what) {
  if (g->build_status == SW_OK) g->build_status = sw_fail(g->ctx, SW_EUNSUPPORTED, "%s", what);
}

/* d mean = 1 / n, d var = 2 (x - mean) / n; n = values a channel */
static sw_edge moments_cotangent(sw_graph *g, sw_edge x, sw_edge c) {
  sw_type t = *sw_graph_type(g, x);
  uint32_t axes = (1u << (t.ndim - 1)) - 1;
  double n = 1;
  int power = 0;
  for (int i = 0; i < t.ndim - 1; i++) {
    n *= (double)t.dim[i].n;
    power += t.dim[i].batch;
  }
  sw_edge mean = swi_mean(g, x, axes, 1);
  sw_edge of_mean = swi_broadcast_like(g, swi_slice(g, c, 1, 0, 1), x);
  sw_edge of_var = swi_mul(g, swi_sub(g, x, mean), swi_scale(g, swi_slice(g, c, 1, 1, 1), 2, 0));
  return swi_scale(g, swi_add(g, of_mean, of_var), 1 / n, -power);
}

static void batch_norm_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = v->cotangent[0];
  if (v->cotangent[1].node >= 0) refuse(g, "batch_norm: its output stats has no derivative");
  if (c.node >= 0) {
    sw_attrs attrs = {.value = v->attrs->value, .n = v->attrs->n};
    sw_edge in[] = {v->in[0], c, v->in[1], v->out[1]};
    v->grad[0] = swi_build_from(g, SW_OP_batch_norm_grad, in, &attrs);
    v->grad[1] = (sw_edge){v->grad[0].node, 1};
    v->grad[2] = (sw_edge){v->grad[0].node, 2};
  }
  if (v->cotangent[2].node < 0) return;
  if (v->attrs->n > 0) refuse(g, "batch_norm: the moments of ghosts have no derivative");
  sw_edge from_moments = moments_cotangent(g, v->in[0], v->cotangent[2]);
  v->grad[0] = c.node >= 0 ? swi_add(g, v->grad[0], from_moments) : from_moments;
}

static void batch_norm_grad_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge x = v->in[0], gamma = v->in[2];
  sw_edge u = v->cotangent[0], p = v->cotangent[1], q = v->cotangent[2];
  sw_attrs attrs = {.value = v->attrs->value, .n = v->attrs->n};
  if (u.node < 0 && p.node < 0) {
    v->grad[1] = swi_broadcast_like(g, q, x); /* dbeta = S(c) */
    return;
  }
  attrs.absent =
      (u.node < 0 ? SWI_NO_U : 0u) | (p.node < 0 ? SWI_NO_P : 0u) | (q.node < 0 ? SWI_NO_Q : 0u);
  sw_edge in[] = {x,
                  v->in[1],
                  gamma,
                  v->in[3],
                  u.node < 0 ? x : u,
                  p.node < 0 ? gamma : p,
                  q.node < 0 ? gamma : q};
  v->grad[0] = swi_build_from(g, SW_OP_batch_norm_grad2, in, &attrs);
  v->grad[1] = (sw_edge){v->grad[0].node, 1};
  if (u.node >= 0) v->grad[2] = (sw_edge){v->grad[0].node, 2};
}

/* ------------------------------------------------------------------ rows */

/* Of dx, which is linear in c; the others are sums. */
static int grad_power(const swi_power_args *a) {
  return a->in[0] == 0 && a->in[2] == 0 && a->in[3] == 0 ? a->in[1] : SWI_POWER_NONE;
}

/* stats: mean and 1 / sqrt(variance + eps) of each ghost, without a derivative; moments: mean and
 * variance, averaged over examples. value: eps; n: examples of a ghost, 0: all are one. */
const swi_op_row swi_row_batch_norm = {.n_in = 3,
                                       .n_out = 3,
                                       .attrs = SW_ATTR_VALUE | SW_ATTR_N,
                                       .shape = batch_norm_shape,
                                       .eval = batch_norm_eval,
                                       .vjp = batch_norm_vjp,
                                       .power = swi_power_zero};

const swi_op_row swi_row_batch_norm_grad = {.n_in = 4,
                                            .n_out = 3,
                                            .attrs = SW_ATTR_VALUE | SW_ATTR_N,
                                            .shape = batch_norm_grad_shape,
                                            .eval = batch_norm_grad_eval,
                                            .vjp = batch_norm_grad_vjp,
                                            .power = grad_power};

const swi_op_row swi_row_batch_norm_grad2 = {.n_in = 7,
                                             .n_out = 3,
                                             .attrs = SW_ATTR_VALUE | SW_ATTR_N | SW_ATTR_ABSENT,
                                             .shape = batch_norm_grad2_shape,
                                             .eval = batch_norm_grad2_eval,
                                             .vjp = swi_norm_third,
                                             .power = swi_power_zero};
