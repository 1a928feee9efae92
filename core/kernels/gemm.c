/* gemm.c: matrix products: the way for each shape, in pieces. */
#include "base/context_int.h"
#include "base/parallel_int.h"
#include "kernels/blas_int.h"
#include "kernels/gemm_int.h"
#include "kernels/kernels_int.h"

/* The routine, chosen by shape. Packing pays if each element is used many times; with a short side
 * the other kernels read their operands in place. The choice is the fastest routine measured:
 * against OpenBLAS 0.3.21 by 1.1 to 2.5 times with a short side, by 1.0 to 1.1 without. */
typedef enum route {
  ROUTE_BLAS,       /* float64, all products of scalar kernels, and tall ones */
  ROUTE_PLAIN,      /* of scalar kernels without a trusted OpenBLAS */
  ROUTE_NT,         /* dot products of rows */
  ROUTE_N,          /* B's rows as they are */
  ROUTE_TRANSPOSED, /* B stored transposed and small: copied transposed, then as above */
  ROUTE_PACKED,     /* all others */
  ROUTE_ZERO        /* k = 0 */
} route;

enum {
  TALL_COLS = 128,      /* of a tall product at most */
  SIDE_IN_PLACE = 1024, /* shorter side, of short sums that are not packed, at most, */
  L2_HOLDS = 1 << 17,   /* and elements of the operand with this side */
  ALIASED = 2048,       /* bytes from row to row: 16 lines of a column fit into the L1 cache */
  DOT_SIDE = 112,       /* dot products are for one side up to this and sums from LONG_DOT on, */
  LONG_DOT = 384,       /* and to the set's longest, or, */
  DOT_FEW = 48,         /* for a side up to this, */
  LONGEST_DOT = 3500,   /* to this; */
  DOT_THIN = 16,        /* also for one as thin as this and sums from SHORT_DOT on: */
  SHORT_DOT = 64,       /* below, adding up a dot product's vector costs more than packing B */
  MANY_ROWS = 1024,     /* of A: more than outer products keep in cache */
  IN_CACHE = 1 << 16,   /* elements of A that they do */
  PIECE_WORK = 1 << 20, /* multiply-adds of a piece at least: some 20 microseconds */
  PIECES_MAX = 64,
  PACKED_LEAST = 256,   /* rows or columns of a packed product */
  PIECES_EACH = 4,      /* at most for each thread */
  TRANSPOSED_MAX = 4096 /* elements of B transposed on the stack */
};

/* A longer float32 sum is cut into blocks of LONG_K terms, by k alone, whose sums are added in
 * double, HELD elements of C at a time: else its error would grow with k. (The kernels sum shorter
 * parts, too, but add those in float.) */
enum {
  LONG_K = 8192,
  LONG_DOTS = 2048, /* of dot products: each lane of a vector is one sum, not cut into parts */
  HELD_ROWS = 128,
  HELD = HELD_ROWS * HELD_ROWS
};

/* What a piece keeps in its thread's scratch. */
typedef struct scratch {
  char work[SWI_PRODUCT_WORK]; /* of the kernel */
  double sum[HELD];            /* of a long sum */
  float block[HELD];
} scratch;
_Static_assert(sizeof(scratch) <= SWI_SCRATCH, "HELD is too large");

typedef struct job {
  sw_context *ctx;
  swi_gemm_args g;
  const swi_blas *blas;
  const swi_kernels *kernels;
  int64_t bytes; /* of an element */
  route route;
  int by_rows;   /* pieces are rows of C, else columns */
  int64_t chunk; /* of them, in one piece */
} job;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static const void *at(const void *p, int64_t element, int64_t bytes) {
  return (const char *)p + element * bytes;
}

/* A column of contiguous elements is also a row of the transposed matrix. */
static void see_vectors(swi_gemm_args *g) {
  if (g->n == 1 && !g->transpose_b && g->ldb == 1) {
    g->transpose_b = 1;
    g->ldb = g->k;
  }
  if (g->m == 1 && g->transpose_a && g->lda == 1) {
    g->transpose_a = 0;
    g->lda = g->k;
  }
}

static int has_blas(const job *j) { return j->blas && j->blas->sgemm; }

/* C tall, A read across its rows, and both too large for the caches: OpenBLAS gains 5 to 15 %. */
static int is_tall(const job *j) {
  const swi_gemm_args *g = &j->g;
  return has_blas(j) && g->transpose_a && g->m >= 512 && g->n >= 64 && g->n <= TALL_COLS &&
         g->k >= 256;
}

/* Not with a short side, nor in short sums while the operand of the shorter side stays in the L2
 * cache; but in the shortest ones if the columns of A map to a few sets of the L1 cache. */
static int packing_pays(const job *j, int64_t side) {
  const swi_gemm_args *g = &j->g;
  const int aliased = g->transpose_a && g->k < SHORT_DOT && g->lda * j->bytes % ALIASED == 0;
  const int held = side <= SIDE_IN_PLACE && side * g->k <= L2_HOLDS && !aliased;
  return side > j->kernels->short_side && !(held && g->k <= j->kernels->short_sum);
}

/* Of longer ones too little of B stays in the L2 cache while A is read. */
static int are_long_dots(const job *j, int64_t side) {
  const int64_t longest = side <= DOT_FEW ? LONGEST_DOT : j->kernels->longest_dot;
  return side <= DOT_SIDE && j->g.k >= LONG_DOT && j->g.k <= longest;
}

static route choose_route(const job *j) {
  const swi_gemm_args *g = &j->g;
  if (g->k == 0) return ROUTE_ZERO;
  if (has_blas(j) && (j->bytes == 8 || !j->kernels->gemm_packed)) return ROUTE_BLAS;
  if (!j->kernels->gemm_packed) return ROUTE_PLAIN;
  const int64_t side = smaller(g->m, g->n);
  if (!g->transpose_b && packing_pays(j, side)) return ROUTE_PACKED;
  if (!g->transpose_b) return is_tall(j) ? ROUTE_BLAS : ROUTE_N;
  if (j->bytes == 4 && g->k < SHORT_DOT && side > 1 && g->n * g->k <= TRANSPOSED_MAX)
    return ROUTE_TRANSPOSED;
  if (g->transpose_a) return ROUTE_PACKED;
  if (are_long_dots(j, side)) return ROUTE_NT;
  return side == 1 || (side <= DOT_THIN && g->k >= SHORT_DOT) ? ROUTE_NT : ROUTE_PACKED;
}

/* The part of the product that has rows i0 ... i0 + m - 1 and columns j0 ... j0 + n - 1. */
static swi_gemm_args part(const job *j, int64_t i0, int64_t m, int64_t j0, int64_t n) {
  swi_gemm_args p = j->g;
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
  const int beta = p->accumulate ? 1 : 0;
  if (j->bytes == 4)
    j->blas->sgemm(SWI_ROW_MAJOR, ta, tb, m, n, k, 1, p->a, lda, p->b, ldb, (float)beta, p->c, ldc);
  else
    j->blas->dgemm(SWI_ROW_MAJOR, ta, tb, m, n, k, 1, p->a, lda, p->b, ldb, beta, p->c, ldc);
}

static void call_n(const job *j, const swi_gemm_args *p, const void *b, int64_t ldb) {
  j->kernels->gemm_n(p->m, p->n, p->k, p->a, p->transpose_a ? 1 : p->lda,
                     p->transpose_a ? p->lda : 1, b, ldb, p->c, p->ldc, p->accumulate,
                     swi_ahead_of(j->ctx));
}

/* Of float32. */
static void call_transposed(const job *j, const swi_gemm_args *p) {
  float transposed[TRANSPOSED_MAX];
  const float *b = p->b;
  for (int64_t q = 0; q < p->k; q++)
    for (int64_t c = 0; c < p->n; c++) transposed[q * p->n + c] = b[c * p->ldb + q];
  call_n(j, p, transposed, p->n);
}

/* gemm_packed or gemm_plain, which apply bias and activation themselves. */
static void call_general(const job *j, void (*f)(const swi_product *), const swi_gemm_args *p) {
  scratch *s = swi_scratch(j->ctx);
  const swi_product product = {.m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .a = p->a,
                               .row_step = p->transpose_a ? 1 : p->lda,
                               .k_step = p->transpose_a ? p->lda : 1,
                               .b = p->b,
                               .ldb = p->ldb,
                               .transpose_b = p->transpose_b,
                               .c = p->c,
                               .ldc = p->ldc,
                               .accumulate = p->accumulate,
                               .bias = p->accumulate ? NULL : p->bias,
                               .relu = !p->accumulate && p->activation == SWI_ACT_RELU,
                               .work = s->work};
  f(&product);
}

static void zero(const job *j, const swi_gemm_args *p) {
  if (p->accumulate) return;
  for (int64_t i = 0; i < p->m; i++)
    j->kernels->fill(p->n, 0, (char *)p->c + i * p->ldc * j->bytes);
}

static void multiply(const job *j, const swi_gemm_args *p) {
  switch (j->route) {
  case ROUTE_BLAS: call_blas(j, p); break;
  case ROUTE_PLAIN: call_general(j, j->kernels->gemm_plain, p); break;
  case ROUTE_NT:
    j->kernels->gemm_nt(p->m, p->n, p->k, p->a, p->lda, p->b, p->ldb, p->c, p->ldc, p->accumulate,
                        swi_ahead_of(j->ctx));
    break;
  case ROUTE_N: call_n(j, p, p->b, p->ldb); break;
  case ROUTE_TRANSPOSED: call_transposed(j, p); break;
  case ROUTE_PACKED: call_general(j, j->kernels->gemm_packed, p); break;
  case ROUTE_ZERO: zero(j, p); break;
  }
}

/* The rows have just been written and are still in cache. */
static void epilogue(const job *j, const swi_gemm_args *p) {
  if (p->accumulate || (!p->bias && p->activation == SWI_ACT_NONE)) return;
  for (int64_t i = 0; i < p->m; i++) {
    void *row = (char *)p->c + i * p->ldc * j->bytes;
    if (p->bias) j->kernels->binary[SWI_BINARY_add].vv(p->n, row, p->bias, row);
    if (p->activation == SWI_ACT_RELU) j->kernels->unary[SWI_UNARY_relu](p->n, row, row);
  }
}

/* ------------------------------------------------------------------ long sums */

static int64_t block_length(const job *j) { return j->route == ROUTE_NT ? LONG_DOTS : LONG_K; }

static int is_long(const job *j) { return j->bytes == 4 && j->g.k > block_length(j); }

/* Terms first ... first + n - 1 of the product, into the block. */
static void multiply_block(const job *j, const swi_gemm_args *p, int64_t first, int64_t n,
                           scratch *s) {
  swi_gemm_args part = *p;
  part.k = n;
  part.a = at(p->a, p->transpose_a ? first * p->lda : first, j->bytes);
  part.b = at(p->b, p->transpose_b ? first : first * p->ldb, j->bytes);
  part.c = s->block;
  part.ldc = p->n;
  part.accumulate = 0;
  part.bias = NULL;
  part.activation = SWI_ACT_NONE;
  multiply(j, &part);
}

/* At most HELD elements of C. */
static void sum_blocks(const job *j, const swi_gemm_args *p) {
  scratch *s = swi_scratch(j->ctx);
  const int64_t length = block_length(j);
  float *c = p->c;
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t q = 0; q < p->n; q++)
      s->sum[i * p->n + q] = p->accumulate ? (double)c[i * p->ldc + q] : 0;
  for (int64_t first = 0; first < p->k; first += length) {
    multiply_block(j, p, first, smaller(length, p->k - first), s);
    for (int64_t e = 0; e < p->m * p->n; e++) s->sum[e] += (double)s->block[e];
  }
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t q = 0; q < p->n; q++) c[i * p->ldc + q] = (float)s->sum[i * p->n + q];
}

static void multiply_long(const job *j, const swi_gemm_args *p) {
  job piece = *j;
  piece.g = *p;
  const int64_t rows = smaller(p->m, HELD_ROWS), cols = smaller(p->n, HELD / rows);
  for (int64_t i = 0; i < p->m; i += rows)
    for (int64_t q = 0; q < p->n; q += cols) {
      const swi_gemm_args some =
          part(&piece, i, smaller(rows, p->m - i), q, smaller(cols, p->n - q));
      sum_blocks(j, &some);
    }
}

/* ------------------------------------------------------------------ pieces */

/* Whether the kernel applies bias and activation itself. */
static int is_fused(const job *j) { return j->route == ROUTE_PACKED || j->route == ROUTE_PLAIN; }

static void run_piece(void *arg, int64_t piece) {
  const job *j = arg;
  const int64_t first = piece * j->chunk;
  const swi_gemm_args p = j->by_rows ? part(j, first, smaller(j->chunk, j->g.m - first), 0, j->g.n)
                                     : part(j, 0, j->g.m, first, smaller(j->chunk, j->g.n - first));
  if (is_long(j))
    multiply_long(j, &p);
  else
    multiply(j, &p);
  if (is_long(j) || !is_fused(j)) epilogue(j, &p);
}

/* Rows or columns of a piece: as many at least, so that it repeats little of the packing and
 * reading of others, or as many if else there are too few pieces for the threads; a divisor of all
 * pieces but the last; as many at most, so that they stay in the cache. */
typedef struct grain {
  int64_t least, least_of_few, multiple, most;
} grain;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static grain grain_of(const job *j) {
  const int64_t all = INT64_MAX, columns = j->g.k > 512 ? 256 : 32;
  /* elements in use of a row of A or C */
  const int64_t row = larger(larger(smaller(j->g.k, 512), j->g.n), 1);
  switch (j->route) {
  case ROUTE_BLAS:
  case ROUTE_PLAIN: return (grain){256, 256, 32, all};
  case ROUTE_PACKED: return (grain){PACKED_LEAST, 48, j->by_rows ? 6 : 32, all};
  case ROUTE_NT: return (grain){48, 48, 12, all};
  default:
    if (!j->by_rows) return (grain){columns, 32, 32, all};
    return (grain){48, 12, 6, j->g.m > MANY_ROWS ? larger(IN_CACHE / row, 6) : all};
  }
}

/* Our kernels compute an element alike in every piece, so that pieces may depend on threads: some
 * for each, all in one for a single thread. OpenBLAS's bits are not known to be so. */
static int64_t count_pieces(const job *j, const grain *size, int64_t length, int threads) {
  const double total = (double)j->g.m * (double)j->g.n * (double)j->g.k;
  const int64_t worth =
      total < PIECES_MAX * PIECE_WORK ? (int64_t)(total / PIECE_WORK) : PIECES_MAX;
  int64_t pieces = smaller(worth, length / size->least);
  if (j->route == ROUTE_BLAS) return larger(pieces / 2 * 2, 1);
  if (pieces < threads) pieces = smaller(worth, smaller(threads, length / size->least_of_few));
  pieces = threads == 1 ? 1 : smaller(pieces, (int64_t)PIECES_EACH * threads);
  if (pieces > threads) pieces = pieces / threads * threads;
  return larger(larger(pieces, 1), length / size->most);
}

/* Cuts into about equal pieces, along the longer side. But the packed kernel packs A for each piece
 * of columns, B for each block of rows anyway: it takes rows if there are enough for its blocks. */
static int64_t cut(job *j, int threads) {
  const int enough = j->route == ROUTE_PACKED && j->g.m >= (int64_t)PACKED_LEAST * threads;
  j->by_rows = j->g.m >= j->g.n || enough;
  const int64_t length = j->by_rows ? j->g.m : j->g.n;
  const grain size = grain_of(j);
  const int64_t pieces = count_pieces(j, &size, length, threads);
  const int64_t chunk = (length + pieces - 1) / pieces;
  j->chunk = pieces == 1 ? length : (chunk + size.multiple - 1) / size.multiple * size.multiple;
  return (length + j->chunk - 1) / j->chunk;
}

void swi_gemm(sw_context *ctx, int element_bytes, const swi_gemm_args *g) {
  if (g->m == 0 || g->n == 0) return;
  job j = {.ctx = ctx,
           .g = *g,
           .blas = swi_backend_of(ctx)->blas,
           .kernels = swi_kernels_of(ctx, element_bytes),
           .bytes = element_bytes};
  see_vectors(&j.g);
  j.route = choose_route(&j);
  swi_parallel(ctx, cut(&j, sw_context_threads(ctx)), run_piece, &j);
}
