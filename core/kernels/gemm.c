#include "kernels/gemm.h"
#include "base/context_int.h"
#include "base/parallel.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"

enum { CHUNK = 32 };

static const int64_t piece_work = 1 << 20; /* multiply-adds that a piece holds at least */

typedef struct job {
  const swi_gemm_args *g;
  const swi_blas *blas;
  const swi_kernels *kernels;
  int64_t bytes; /* of an element */
  int by_rows;   /* pieces are rows of C, else columns */
  int64_t chunk; /* of them, in one piece */
} job;

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

static const void *at(const void *p, int64_t element, int64_t bytes) {
  return (const char *)p + element * bytes;
}

/* The part of the product that has rows i0 ... i0 + m - 1 and columns j0 ... j0 + n - 1. */
static swi_gemm_args part(const job *j, int64_t i0, int64_t m, int64_t j0, int64_t n) {
  swi_gemm_args p = *j->g;
  p.m = m;
  p.n = n;
  p.a = at(p.a, p.transpose_a ? i0 : i0 * p.lda, j->bytes);
  p.b = at(p.b, p.transpose_b ? j0 * p.ldb : j0, j->bytes);
  p.c = (char *)p.c + (i0 * p.ldc + j0) * j->bytes;
  if (p.bias) p.bias = at(p.bias, j0, j->bytes);
  return p;
}

static void call_blas(const job *j, const swi_gemm_args *p) {
  const int ta = p->transpose_a ? SWI_TRANS : SWI_NO_TRANS;
  const int tb = p->transpose_b ? SWI_TRANS : SWI_NO_TRANS;
  const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  const int lda = (int)p->lda, ldb = (int)p->ldb, ldc = (int)p->ldc;
  if (j->bytes == 4)
    j->blas->sgemm(SWI_ROW_MAJOR, ta, tb, m, n, k, 1.0f, p->a, lda, p->b, ldb,
                   p->accumulate ? 1.0f : 0.0f, p->c, ldc);
  else
    j->blas->dgemm(SWI_ROW_MAJOR, ta, tb, m, n, k, 1.0, p->a, lda, p->b, ldb,
                   p->accumulate ? 1.0 : 0.0, p->c, ldc);
}

/* The rows have just been written and are still in cache. */
static void epilogue(const job *j, const swi_gemm_args *p) {
  if (p->accumulate || (!p->bias && p->activation == SWI_ACT_NONE)) return;
  for (int64_t i = 0; i < p->m; i++) {
    void *row = (char *)p->c + i * p->ldc * j->bytes;
    if (p->bias) j->kernels->binary[SWI_ADD](p->n, row, p->bias, row);
    if (p->activation == SWI_ACT_RELU) j->kernels->unary[SWI_RELU](p->n, row, row);
  }
}

static void zero(const job *j, const swi_gemm_args *p) {
  if (p->accumulate) return;
  for (int64_t i = 0; i < p->m; i++)
    j->kernels->fill(p->n, 0, (char *)p->c + i * p->ldc * j->bytes);
}

static void run_piece(void *arg, int64_t piece) {
  const job *j = arg;
  const int64_t first = piece * j->chunk;
  const swi_gemm_args p = j->by_rows
                              ? part(j, first, at_most(j->chunk, j->g->m - first), 0, j->g->n)
                              : part(j, 0, j->g->m, first, at_most(j->chunk, j->g->n - first));
  if (p.k == 0)
    zero(j, &p);
  else
    call_blas(j, &p);
  epilogue(j, &p);
}

/* Along the longer side, in multiples of CHUNK that hold enough work; by shape alone. */
static int64_t cut(job *j) {
  const swi_gemm_args *g = j->g;
  const int64_t total = g->m * g->n * g->k;
  j->by_rows = g->m >= g->n;
  const int64_t length = j->by_rows ? g->m : g->n;
  j->chunk = length;
  if (total <= 2 * piece_work) return 1;
  const int64_t least = (piece_work * length + total - 1) / total;
  j->chunk = (least + CHUNK - 1) / CHUNK * CHUNK;
  return (length + j->chunk - 1) / j->chunk;
}

void swi_gemm(sw_context *ctx, int element_bytes, const swi_gemm_args *g) {
  if (g->m == 0 || g->n == 0) return;
  job j = {.g = g,
           .blas = ctx->blas,
           .kernels = element_bytes == 4 ? ctx->f32 : ctx->f64,
           .bytes = element_bytes};
  swi_parallel(ctx, cut(&j), run_piece, &j);
}
