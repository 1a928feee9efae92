/* ranges.c: work over the weights, range by range. */
#include "train/ranges_int.h"

#include <math.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/parallel_int.h"

/* A piece takes some 15 microseconds to update. Below WORTH_SHARING elements, some 60 microseconds,
 * a second thread costs more than it saves. */
enum { PIECE = 1 << 16, WORTH_SHARING = 1 << 18 };

typedef struct piece {
  int range;
  int64_t first, n;
  double sum, before;
} piece;

struct swi_ranges {
  sw_context *ctx;
  int n;
  sw_range *range;
  double *sum;    /* of each range */
  int64_t *start; /* its pieces are start[i] … start[i + 1] - 1 */
  piece *pieces;
};

static int64_t pieces_of(const sw_range *range) {
  return range->frozen ? 0 : (range->length + PIECE - 1) / PIECE;
}

static sw_status check_ranges(sw_context *ctx, int64_t n, const sw_range *list, int n_list) {
  int64_t at = 0;
  for (int i = 0; i < n_list; i++) {
    const sw_range *r = &list[i];
    if (r->first != at || r->length < 0 || r->length > n - at)
      return sw_fail(ctx, SW_EARG,
                     "loop: segments must cover the %lld weights in order; number %d has %lld from "
                     "%lld on",
                     (long long)n, i + 1, (long long)r->length, (long long)r->first + 1);
    if (!(r->lr_factor >= 0 && isfinite(r->lr_factor) && r->weight_decay_factor >= 0 &&
          isfinite(r->weight_decay_factor)))
      return sw_fail(ctx, SW_ERANGE,
                     "loop: factors must be finite and not negative, segment %d has %g for lr and "
                     "%g for weight decay",
                     i + 1, r->lr_factor, r->weight_decay_factor);
    at += r->length;
  }
  if (at == n) return SW_OK;
  return sw_fail(ctx, SW_EARG, "loop: segments of %lld elements, there are %lld weights",
                 (long long)at, (long long)n);
}

static void cut(swi_ranges *r) {
  piece *p = r->pieces;
  for (int i = 0; i < r->n; i++) {
    const sw_range *range = &r->range[i];
    r->start[i] = p - r->pieces;
    for (int64_t k = 0; k < pieces_of(range); k++, p++) {
      int64_t left = range->length - k * PIECE;
      *p = (piece){i, range->first + k * PIECE, left < PIECE ? left : PIECE, 0, 0};
    }
  }
  r->start[r->n] = p - r->pieces;
}

/* The lists have one element too many, so that none is empty. */
static size_t room(int64_t n, size_t bytes) { return ((size_t)n + 1) * bytes; }

static int64_t count_pieces(const sw_range *list, int n) {
  int64_t pieces = 0;
  for (int i = 0; i < n; i++) pieces += pieces_of(&list[i]);
  return pieces;
}

static sw_status fill_ranges(swi_ranges *r, const sw_range *list) {
  r->range = swi_alloc_zeroed(r->ctx, room(r->n, sizeof *r->range));
  r->sum = swi_alloc_zeroed(r->ctx, room(r->n, sizeof *r->sum));
  r->start = swi_alloc_zeroed(r->ctx, room(r->n, sizeof *r->start));
  if (!r->range || !r->sum || !r->start) return SW_ENOMEM;
  memcpy(r->range, list, (size_t)r->n * sizeof *list);
  r->pieces = swi_alloc_zeroed(r->ctx, room(count_pieces(list, r->n), sizeof *r->pieces));
  if (!r->pieces) return SW_ENOMEM;
  cut(r);
  return SW_OK;
}

sw_status swi_ranges_new(sw_context *ctx, int64_t n, const sw_range *list, int n_list,
                         swi_ranges **out) {
  const sw_range all = {.length = n, .lr_factor = 1, .weight_decay_factor = 1};
  if (n_list < 1) list = &all, n_list = 1;
  SW_TRY(check_ranges(ctx, n, list, n_list));
  swi_ranges *r = swi_alloc_zeroed(ctx, sizeof *r);
  if (!r) return SW_ENOMEM;
  r->ctx = ctx;
  r->n = n_list;
  sw_status status = fill_ranges(r, list);
  if (status == SW_OK)
    *out = r;
  else
    swi_ranges_free(r);
  return status;
}

void swi_ranges_free(swi_ranges *r) {
  if (!r) return;
  if (r->pieces) swi_free(r->ctx, r->pieces, room(count_pieces(r->range, r->n), sizeof *r->pieces));
  swi_free(r->ctx, r->start, room(r->n, sizeof *r->start));
  swi_free(r->ctx, r->sum, room(r->n, sizeof *r->sum));
  swi_free(r->ctx, r->range, room(r->n, sizeof *r->range));
  swi_free(r->ctx, r, sizeof *r);
}

int swi_ranges_count(const swi_ranges *r) { return r->n; }
const sw_range *swi_ranges_get(const swi_ranges *r, int i) { return &r->range[i]; }

/* -------------------------------------------------------------- running */

typedef struct run {
  const sw_range *range;
  piece *pieces;
  swi_piece_sum before, f; /* before: NULL: none */
  void *arg;
} run;

static void run_piece(void *arg, int64_t i) {
  run *r = arg;
  piece *p = &r->pieces[i];
  if (r->before) p->before = r->before(r->arg, &r->range[p->range], p->first, p->n);
  p->sum = r->f(r->arg, &r->range[p->range], p->first, p->n);
}

static int64_t elements(const swi_ranges *r, int begin, int end) {
  int64_t n = 0;
  for (int i = begin; i < end; i++) n += r->range[i].frozen ? 0 : r->range[i].length;
  return n;
}

void swi_ranges_run_after(swi_ranges *r, int begin, int end, swi_piece_sum before, swi_piece_sum f,
                          void *arg) {
  run job = {r->range, r->pieces + r->start[begin], before, f, arg};
  int64_t pieces = r->start[end] - r->start[begin];
  if (elements(r, begin, end) < WORTH_SHARING)
    for (int64_t i = 0; i < pieces; i++) run_piece(&job, i);
  else
    swi_parallel(r->ctx, pieces, run_piece, &job);
  for (int i = begin; i < end; i++) {
    r->sum[i] = 0;
    for (int64_t p = r->start[i]; p < r->start[i + 1]; p++) r->sum[i] += r->pieces[p].sum;
  }
}

void swi_ranges_run(swi_ranges *r, int begin, int end, swi_piece_sum f, void *arg) {
  swi_ranges_run_after(r, begin, end, NULL, f, arg);
}

double swi_ranges_total_before(const swi_ranges *r) {
  double total = 0;
  for (int64_t p = 0; p < r->start[r->n]; p++) total += r->pieces[p].before;
  return total;
}

double swi_ranges_sum(const swi_ranges *r, int i) { return r->sum[i]; }

double swi_ranges_total(const swi_ranges *r) {
  double total = 0;
  for (int i = 0; i < r->n; i++) total += r->sum[i];
  return total;
}
