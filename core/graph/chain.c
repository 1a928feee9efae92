/* chain.c: chains of elementwise instructions, run tile by tile.
 *
 * A tile goes through the whole chain while it is in the L1 cache; what only the chain itself reads
 * is never written to memory. Kernels are those of whole tensors, so the bits are, too.
 */
#include "graph/chain.h"

#include "base/parallel.h"
#include "graph/blame.h"
#include "graph/elementwise.h"

enum {
  TILE = 1024,
  SCRATCH = 8, /* tiles that a chain may keep at a time */
  PIECE = 32 * TILE,
  PARALLEL_FROM = 1 << 17
};

/* ------------------------------------------------------------------ finding them */

static int is_single(const swi_buffer *b) { return b->numel.n == 1 && !b->numel.batch; }

/* Whether an instruction takes its inputs element by element, or as one value each. */
static int fits(const sw_program *p, const swi_instruction *c, sw_dim numel) {
  if (!(swi_op(c->op)->flags & SWI_ELEMENTWISE)) return 0;
  if (!swi_dim_equal(swi_type_numel(&c->out_type[0]), numel)) return 0;
  for (int k = 0; k < c->n_in; k++) {
    const swi_buffer *b = &p->buffers[c->in[k]];
    if (!swi_dim_equal(swi_type_numel(&c->in_type[k]), numel) && !is_single(b)) return 0;
  }
  return 1;
}

static int32_t end_of_chain(const sw_program *p, int32_t first) {
  sw_dim numel = swi_type_numel(&p->code[first].out_type[0]);
  int32_t end = first, limit = first < p->late_from ? p->late_from : p->n_code;
  while (end < limit && fits(p, &p->code[end], numel)) end++;
  return end;
}

/* Tiles of a chain pass at different times, so what it touches is alive throughout. */
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

void swi_find_chains(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++) {
    int32_t end = end_of_chain(p, i);
    if (end - i < 2) continue;
    make_chain(p, i, end);
    i = end - 1;
  }
}

/* ------------------------------------------------------------------ running them */

typedef struct chain_job {
  const sw_program *p;
  const swi_eval_args *calls;
  int32_t first, end;
  int64_t n;
  int32_t *nan;
} chain_job;

static char *tile_at(const sw_program *p, double *scratch, int32_t buffer) {
  return (char *)scratch + (int64_t)p->buffers[buffer].slot * TILE * p->bytes;
}

static void run_instruction(const chain_job *j, int32_t i, int64_t at, int64_t n, double *scratch) {
  const swi_instruction *c = &j->p->code[i];
  const swi_eval_args *call = &j->calls[i];
  const void *in[SWI_MAX_IN];
  uint32_t single = 0;
  for (int k = 0; k < c->n_in; k++) {
    const swi_buffer *b = &j->p->buffers[c->in[k]];
    if (b->place == SWI_TILE) {
      in[k] = tile_at(j->p, scratch, c->in[k]);
    } else if (is_single(b)) {
      in[k] = call->in[k];
      single |= 1u << k;
    } else {
      in[k] = (const char *)call->in[k] + at * j->p->bytes;
    }
  }
  int in_tile = j->p->buffers[c->out[0]].place == SWI_TILE;
  void *out = in_tile ? tile_at(j->p, scratch, c->out[0]) : (char *)call->out[0] + at * j->p->bytes;
  swi_elementwise_part(call, n, in, single, out);
  if (j->nan && i < *j->nan && swi_has_nan(out, n, j->p->bytes)) *j->nan = i;
}

static void run_piece(void *arg, int64_t piece) {
  const chain_job *j = arg;
  double scratch[SCRATCH * TILE];
  int64_t last = (piece + 1) * PIECE < j->n ? (piece + 1) * PIECE : j->n;
  for (int64_t at = piece * PIECE; at < last; at += TILE) {
    int64_t n = last - at < TILE ? last - at : TILE;
    for (int32_t i = j->first; i < j->end; i++) run_instruction(j, i, at, n, scratch);
  }
}

void swi_run_chain(const sw_program *p, const swi_eval_args *calls, int32_t first, int32_t *nan) {
  int64_t n = swi_numel(&calls[first].out_shape[0]);
  chain_job j = {p, calls, first, p->code[first].chain_end, n, nan};
  int64_t pieces = (j.n + PIECE - 1) / PIECE;
  if (j.n >= PARALLEL_FROM && !nan)
    swi_parallel(p->ctx, pieces, run_piece, &j);
  else
    for (int64_t i = 0; i < pieces; i++) run_piece(&j, i);
}
