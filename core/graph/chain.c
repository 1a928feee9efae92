/* chain.c: chains of elementwise instructions, run tile by tile.
 *
 * A tile goes through the whole chain while it is in the L1 cache; what only the chain itself reads
 * is never written to memory. An input that is one row for many is repeated over a tile once a
 * piece; tiles are whole rows then. The kernels are those of whole tensors, and so are the bits.
 */
#include "graph/chain_int.h"

#include <string.h>

#include "base/parallel_int.h"
#include "graph/first_nan_int.h"

enum {
  TILE = 1024,
  SCRATCH = 8, /* tiles that a chain may keep at a time */
  ROWS = 6,    /* rows that it may read */
  TILES = 32,  /* of a piece */
  PARALLEL_FROM = 1 << 17
};
_Static_assert((SCRATCH + ROWS) * TILE * sizeof(double) <= SWI_SCRATCH, "TILE is too large");

/* ------------------------------------------------------------------ finding them */

static int is_single(const swi_buffer *b) { return b->numel.n == 1 && !b->numel.batch; }

/* Rows that a chain reads: different buffers of one size. */
typedef struct row_list {
  int n;
  int32_t buffer[ROWS];
  int64_t size; /* 0: no row yet */
} row_list;

static int find_row(const row_list *r, int32_t buffer) {
  int i = 0;
  while (i < r->n && r->buffer[i] != buffer) i++;
  return i;
}

static int add_row(row_list *r, int32_t buffer, int64_t size) {
  int i = find_row(r, buffer);
  if (i == ROWS || (r->size > 0 && r->size != size)) return 0;
  r->buffer[i] = buffer;
  if (i == r->n) r->n++;
  r->size = size;
  return 1;
}

/* The length of x, if it is one row and out is many of that length; else 0. */
static int64_t row_size(const sw_type *x, const sw_type *out) {
  if (x->ndim == 0 || x->ndim > out->ndim) return 0;
  sw_dim last = x->dim[x->ndim - 1];
  for (int i = 0; i < x->ndim - 1; i++)
    if (x->dim[i].n != 1 || x->dim[i].batch) return 0;
  if (last.batch || last.n < 2 || last.n > TILE) return 0;
  return swi_dim_equal(last, out->dim[out->ndim - 1]) ? last.n : 0;
}

/* Whether an instruction takes its inputs element by element, as one value each, or as a row. */
static int fits(const sw_program *p, swi_instruction *c, sw_dim numel, row_list *rows) {
  row_list more = *rows;
  if (!swi_op(c->op)->part) return 0;
  if (!swi_dim_equal(swi_type_numel(&c->out_type[0]), numel)) return 0;
  c->rows = 0;
  for (int k = 0; k < c->n_in; k++) {
    if (swi_dim_equal(swi_type_numel(&c->in_type[k]), numel)) continue;
    if (is_single(&p->buffers[c->in[k]])) continue;
    int64_t size = row_size(&c->in_type[k], &c->out_type[0]);
    if (size == 0 || !add_row(&more, c->in[k], size)) return 0;
    c->rows |= 1u << k;
  }
  *rows = more;
  return 1;
}

static int32_t end_of_chain(const sw_program *p, int32_t first, row_list *rows) {
  sw_dim numel = swi_type_numel(&p->code[first].out_type[0]);
  int32_t end = first, limit = first < p->varying_from ? p->varying_from : p->n_code;
  while (end < limit && fits(p, &p->code[end], numel, rows)) end++;
  return end;
}

/* A chain's instructions alternate, tile by tile, so its buffers are alive throughout it. */
static void keep_throughout(swi_buffer *b, int32_t first, int32_t end) {
  if (b->first > first) b->first = first;
  if (b->last < end - 1) b->last = end - 1;
}

static int is_inner(const swi_buffer *b, int32_t first, int32_t end) {
  return b->place == SWI_ARENA && b->first >= first && b->last < end;
}

/* Gives the chain's own buffers tiles; one whose tiles are all taken stays in memory. */
static void take_tile(sw_program *p, int32_t buffer, int32_t first, int32_t end, int32_t *taken) {
  swi_buffer *b = &p->buffers[buffer];
  if (!is_inner(b, first, end)) return;
  for (int slot = 0; slot < SCRATCH; slot++) {
    if (taken[slot] >= b->first) continue;
    taken[slot] = b->last;
    b->place = SWI_TILE;
    b->slot = slot;
    return;
  }
}

static void make_chain(sw_program *p, int32_t first, int32_t end) {
  int32_t taken[SCRATCH];
  for (int i = 0; i < SCRATCH; i++) taken[i] = -1;
  p->code[first].chain_end = end;
  for (int32_t i = first; i < end; i++) take_tile(p, p->code[i].out[0], first, end, taken);
  for (int32_t i = first; i < end; i++) {
    const swi_instruction *c = &p->code[i];
    for (int k = 0; k < c->n_in; k++)
      if (p->buffers[c->in[k]].place == SWI_ARENA)
        keep_throughout(&p->buffers[c->in[k]], first, end);
    if (p->buffers[c->out[0]].place == SWI_ARENA)
      keep_throughout(&p->buffers[c->out[0]], first, end);
  }
}

/* A single instruction is a chain if it has rows: calls on short rows are slow. */
void swi_find_chains(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++) {
    row_list rows = {0};
    int32_t end = end_of_chain(p, i, &rows);
    if (end == i || (end - i < 2 && rows.n == 0)) continue;
    make_chain(p, i, end);
    i = end - 1;
  }
}

/* ------------------------------------------------------------------ running them */

typedef struct chain_job {
  const sw_program *p;
  const swi_eval_args *calls;
  int32_t first, end;
  int64_t n, tile; /* tile: whole rows */
  row_list rows;
  const char *row[ROWS]; /* their elements */
  int32_t *nan;
} chain_job;

static char *tile_number(const chain_job *j, double *scratch, int i) {
  return (char *)scratch + (int64_t)i * TILE * j->p->bytes;
}

static char *tile_at(const chain_job *j, double *scratch, int32_t buffer) {
  return tile_number(j, scratch, j->p->buffers[buffer].slot);
}

static char *row_at(const chain_job *j, double *scratch, int32_t buffer) {
  return tile_number(j, scratch, SCRATCH + find_row(&j->rows, buffer));
}

/* Repeats each row over a tile, or over the piece if that is shorter. */
static void repeat_rows(const chain_job *j, int64_t n, double *scratch) {
  int64_t size = j->rows.size * j->p->bytes, all = n * j->p->bytes;
  for (int i = 0; i < j->rows.n; i++) {
    char *to = tile_number(j, scratch, SCRATCH + i);
    memcpy(to, j->row[i], (size_t)size);
    for (int64_t done = size; done < all;) {
      int64_t more = done < all - done ? done : all - done;
      memcpy(to + done, to, (size_t)more);
      done += more;
    }
  }
}

static void run_instruction(const chain_job *j, int32_t i, int64_t at, int64_t n, double *scratch) {
  const swi_instruction *c = &j->p->code[i];
  const swi_eval_args *call = &j->calls[i];
  const void *in[SW_MAX_INPUTS];
  uint32_t single = 0;
  for (int k = 0; k < c->n_in; k++) {
    const swi_buffer *b = &j->p->buffers[c->in[k]];
    if (b->place == SWI_TILE) {
      in[k] = tile_at(j, scratch, c->in[k]);
    } else if (c->rows >> k & 1) {
      in[k] = row_at(j, scratch, c->in[k]);
    } else if (is_single(b)) {
      in[k] = call->in[k];
      single |= 1u << k;
    } else {
      in[k] = (const char *)call->in[k] + at * j->p->bytes;
    }
  }
  int in_tile = j->p->buffers[c->out[0]].place == SWI_TILE;
  void *out = in_tile ? tile_at(j, scratch, c->out[0]) : (char *)call->out[0] + at * j->p->bytes;
  call->row->part(call, n, in, single, out);
  if (j->nan && i < *j->nan && swi_has_nan(out, n, j->p->bytes)) *j->nan = i;
}

static void run_piece(void *arg, int64_t number) {
  const chain_job *j = arg;
  double *scratch = swi_scratch(j->p->ctx); /* SCRATCH + ROWS tiles */
  int64_t piece = TILES * j->tile, first = number * piece;
  int64_t last = first + piece < j->n ? first + piece : j->n;
  repeat_rows(j, last - first < j->tile ? last - first : j->tile, scratch);
  for (int64_t at = first; at < last; at += j->tile) {
    int64_t n = last - at < j->tile ? last - at : j->tile;
    for (int32_t i = j->first; i < j->end; i++) run_instruction(j, i, at, n, scratch);
  }
}

static void take_rows(chain_job *j) {
  for (int32_t i = j->first; i < j->end; i++) {
    const swi_instruction *c = &j->p->code[i];
    for (int k = 0; k < c->n_in; k++) {
      if (!(c->rows >> k & 1)) continue;
      (void)add_row(&j->rows, c->in[k], swi_numel(&j->calls[i].in_shape[k]));
      j->row[find_row(&j->rows, c->in[k])] = j->calls[i].in[k];
    }
  }
}

void swi_run_chain(const sw_program *p, const swi_eval_args *calls, int32_t first, int32_t *nan) {
  int64_t n = swi_numel(&calls[first].out_shape[0]);
  chain_job j = {.p = p,
                 .calls = calls,
                 .first = first,
                 .end = p->code[first].chain_end,
                 .n = n,
                 .tile = TILE,
                 .nan = nan};
  if (n == 0) return;
  take_rows(&j);
  if (j.rows.n > 0) j.tile = TILE / j.rows.size * j.rows.size;
  int64_t pieces = (n + TILES * j.tile - 1) / (TILES * j.tile);
  if (j.n >= PARALLEL_FROM && !nan)
    swi_parallel(p->ctx, pieces, run_piece, &j);
  else
    for (int64_t i = 0; i < pieces; i++) run_piece(&j, i);
}
