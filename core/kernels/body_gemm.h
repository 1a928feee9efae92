/* body_gemm.h: two products without packing, for shapes where packing would dominate.
 *
 *   gemm_nt: C = A Bᵀ, both with k contiguous; a tile is up to DOT_SUMS dot products side by side
 *   gemm_n:  C = op(A) B, the rows of B contiguous; a tile of C is up to 6 rows of two vectors
 *            or 3 of four
 *
 * An element of C is summed over k in the same order in every tile, so cutting C changes no bit.
 * gemm_n sums parts of k, which follow from k alone, from 0 each, and adds them up.
 *
 * Tiles also prefetch rows ahead, together as much as half of A (nt) and B (n): a step reads its
 * batch in two products, forward and for the gradient of the weights. Without OUTER_AHEAD those of
 * gemm_nt prefetch as much as all of A.
 */
#ifndef SW_BODY_GEMM_H
#define SW_BODY_GEMM_H

#include "base/sanitizer_int.h"

enum {
  DOT_BLOCK =
      (128 << 10) / REAL_BYTES, /* elements of A that stay in the L2 cache while B is read */
  TILE_ROWS = 6,
  PACK_ROWS = 24 /* rows of A from which on copying B's tile pays */
};

/* On every loop over a tile: an accumulator stays in a register only if no variable indexes it. */
#if !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 32")
#elif SWI_UNDER_ASAN || SWI_UNDER_TSAN
#define UNROLL /* unrolled sanitizer checks would compile for minutes */
#else
#define UNROLL _Pragma("clang loop unroll(full)")
#endif

/* Addresses that a tile prefetches, one at each step over k. */
typedef struct lines_ahead {
  uintptr_t at;
  int64_t step; /* bytes */
} lines_ahead;

/* Sets f to the next elements / share of the rows ahead: of one row, a line a step at most. */
static void fetch_ahead(swi_ahead *a, int64_t elements, int64_t share, int64_t steps,
                        lines_ahead *f) {
  if (a->n == 0 || steps == 0) return;
  const int64_t bytes = elements * REAL_BYTES / share, left = a->row_bytes - a->done;
  const int64_t even = (bytes < left ? bytes : left) / steps + 1, step = even < LINE ? even : LINE;
  const uintptr_t row = (uintptr_t)a->rows + (uintptr_t)(*a->index * a->row_bytes);
  *f = (lines_ahead){row + (uintptr_t)a->done, step};
  a->done += steps * step;
  if (a->done >= a->row_bytes) a->index++, a->n--, a->done = 0;
}

typedef struct product {
  int64_t k;
  const real *a, *b;
  int64_t row_step, k_step; /* in A, from one row of C to the next, from one k to the next */
  int64_t ldb;
  real *c;
  int64_t ldc;
  int accumulate;
  lines_ahead ahead;
} product;

/* Parts of nearly equal lengths, each a multiple of 8 but the last. */
static int64_t part_length(int64_t k) {
  const int64_t parts = (k + PART_K - 1) / PART_K;
  return ((k + parts - 1) / parts + 7) / 8 * 8;
}

/* Dot products: rows x cols of them, side by side. Rows that the registers hold beside the vectors
 * of a step: cols + 1 or rows + 1 of them. */
#define DOT_ROWS(cols) ((cols) > 3 ? DOT_SUMS / (cols) : DOT_SUMS / 3)

/* s += the n products from p on. The side with fewer vectors is kept in registers. */
INLINE void dot_step(const int rows, const int cols, const product *t, int64_t p, int64_t n,
                     vec *s) {
  vec held[DOT_ROWS(1)];
  if (rows <= cols) {
    UNROLL
    for (int i = 0; i < rows; i++) held[i] = load_first(t->a + i * t->row_step + p, n);
    UNROLL
    for (int j = 0; j < cols; j++) {
      const vec b = load_first(t->b + j * t->ldb + p, n);
      UNROLL
      for (int i = 0; i < rows; i++) s[i * cols + j] = v_fma(held[i], b, s[i * cols + j]);
    }
  } else {
    UNROLL
    for (int j = 0; j < cols; j++) held[j] = load_first(t->b + j * t->ldb + p, n);
    UNROLL
    for (int i = 0; i < rows; i++) {
      const vec a = load_first(t->a + i * t->row_step + p, n);
      UNROLL
      for (int j = 0; j < cols; j++) s[i * cols + j] = v_fma(a, held[j], s[i * cols + j]);
    }
  }
}

/* Constant rows and cols unroll the loops, and s lives in registers. Four vectors at a time are
 * added up to one of four sums, each in the same order in every tile. */
INLINE void dot_tile(const int rows, const int cols, const product *t) {
  const int sums = rows * cols;
  vec s[DOT_SUMS + 3];
  UNROLL
  for (int e = 0; e < sums; e++) s[e] = v_set1(0);
  int64_t p = 0;
  uintptr_t ahead = t->ahead.at;
  for (; p + V_N <= t->k; p += V_N, ahead += (uintptr_t)t->ahead.step) {
    v_prefetch_far((const void *)ahead);
    dot_step(rows, cols, t, p, V_N, s);
  }
  if (p < t->k) dot_step(rows, cols, t, p, t->k - p, s);
  UNROLL
  for (int e = sums; e < sums + 3; e++) s[e] = s[0];
  real total[DOT_SUMS + 3];
  UNROLL
  for (int e = 0; e < sums; e += 4) v_store_sums(total + e, s + e);
  UNROLL
  for (int i = 0; i < rows; i++) {
    real *c = t->c + i * t->ldc;
    UNROLL
    for (int j = 0; j < cols; j++)
      c[j] = t->accumulate ? c[j] + total[i * cols + j] : total[i * cols + j];
  }
}

/* A tile is only compiled if the registers hold it. */
#define DOT_CASE(r, c)                         \
  case 8 * (r) + (c):                          \
    if ((r) <= DOT_ROWS(c)) dot_tile(r, c, t); \
    break

#define DOT_CASES(c) \
  DOT_CASE(1, c);    \
  DOT_CASE(2, c);    \
  DOT_CASE(3, c);    \
  DOT_CASE(4, c);    \
  DOT_CASE(5, c);    \
  DOT_CASE(6, c);    \
  DOT_CASE(7, c);    \
  DOT_CASE(8, c)

/* One call a tile. NOLINTNEXTLINE(readability-function-size) */
static void dot_tile_of(int64_t rows, int64_t cols, const product *t) {
  switch (8 * rows + cols) {
    DOT_CASES(1);
    DOT_CASES(2);
    DOT_CASES(3);
    DOT_CASES(4);
    DOT_CASES(5);
  }
}

/* Widths 4, with 5 or 3 where that leaves no narrow rest: 10 is 5 + 5. */
static int64_t dot_cols(int64_t left) {
  if (left <= 5) return left;
  if (left == 6) return 3;
  return left % 4 == 1 || left % 4 == 2 ? 5 : 4;
}

static inline void prefetch_row(const void *row, int64_t bytes) {
  const char *p = row;
  for (int64_t i = 0; i < bytes && i < AHEAD; i += LINE) v_prefetch(p + i);
}

/* m rows of A, which are in the L2 cache after the first columns of C; if it cannot hold all of
 * them (stream), the next tile is prefetched. */
static void dot_rows_block(int64_t m, int64_t n, const product *block, int stream,
                           swi_ahead *ahead) {
  for (int64_t j = 0, cols; j < n; j += cols) {
    cols = dot_cols(n - j);
    const int64_t step = DOT_ROWS(cols);
    for (int64_t i = 0; i < m; i += step) {
      product t = *block;
      t.a += i * t.row_step;
      t.b += j * t.ldb;
      t.c += i * t.ldc + j;
      for (int64_t r = i + step; stream && j == 0 && r < smaller(i + 2 * step, m); r++)
        prefetch_row(block->a + r * t.row_step, t.k * (int64_t)sizeof(real));
      t.ahead = (lines_ahead){(uintptr_t)&t, 0}; /* in the cache */
      if (ahead) fetch_ahead(ahead, step * cols * t.k, n * (1 + OUTER_AHEAD), t.k / V_N, &t.ahead);
      dot_tile_of(smaller(step, m - i), cols, &t);
    }
  }
}

static void gemm_nt(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                    int64_t ldb, void *c, int64_t ldc, int accumulate, swi_ahead *ahead) {
  product t = {k, a, b, lda, 1, ldb, c, ldc, accumulate, {0, 0}};
  const int64_t block = DOT_BLOCK / (k + 1) / DOT_SUMS * DOT_SUMS + DOT_SUMS;
  for (int64_t i = 0; i < m; i += block, t.a += block * lda, t.c += block * ldc)
    dot_rows_block(smaller(block, m - i), n, &t, m > 8 * block, ahead);
}

/* Outer products: rows x vecs vectors of C over t->k steps; the last vector holds `last`
 * columns. */
INLINE void outer_tile(const int rows, const int vecs, const int64_t last, const product *t) {
  vec s[TILE_ROWS][4];
  UNROLL
  for (int i = 0; i < rows; i++) UNROLL
  for (int v = 0; v < vecs; v++) s[i][v] = v_set1(0);
  const real *a = t->a, *b = t->b;
  uintptr_t ahead = t->ahead.at;
  for (int64_t p = 0; p < t->k;
       p++, a += t->k_step, b += t->ldb, ahead += (uintptr_t)t->ahead.step) {
    vec row[4];
    UNROLL
    for (int v = 0; v < vecs - 1; v++) row[v] = v_load(b + v * V_N);
    row[vecs - 1] = load_first(b + (vecs - 1) * V_N, last);
    v_prefetch((const void *)((uintptr_t)b + 2 * (uintptr_t)vecs * sizeof(vec))); /* two tiles on */
    if (OUTER_AHEAD) v_prefetch_far((const void *)ahead);
    UNROLL
    for (int i = 0; i < rows; i++) {
      const vec x = v_broadcast(a + i * t->row_step);
      UNROLL
      for (int v = 0; v < vecs; v++) s[i][v] = v_fma(x, row[v], s[i][v]);
    }
  }
  if (t->accumulate) UNROLL
  for (int i = 0; i < rows; i++) {
    const real *c = t->c + i * t->ldc;
    UNROLL
    for (int v = 0; v < vecs - 1; v++) s[i][v] = v_add(v_load(c + v * V_N), s[i][v]);
    s[i][vecs - 1] = v_add(load_first(c + (vecs - 1) * V_N, last), s[i][vecs - 1]);
  }
  UNROLL
  for (int i = 0; i < rows; i++) {
    real *c = t->c + i * t->ldc;
    UNROLL
    for (int v = 0; v < vecs - 1; v++) v_store(c + v * V_N, s[i][v]);
    store_first(c + (vecs - 1) * V_N, s[i][vecs - 1], last);
  }
}

#define OUTER_CASE(r, v, last) \
  case r:                      \
    outer_tile(r, v, last, t); \
    break

#define OUTER_TILES(name, v, last)                                 \
  static void name(int64_t rows, int64_t part, const product *t) { \
    (void)part;                                                    \
    switch (rows) {                                                \
      OUTER_CASE(1, v, last);                                      \
      OUTER_CASE(2, v, last);                                      \
      OUTER_CASE(3, v, last);                                      \
      OUTER_CASE(4, v, last);                                      \
      OUTER_CASE(5, v, last);                                      \
      OUTER_CASE(6, v, last);                                      \
    }                                                              \
  }

OUTER_TILES(outer_2, 2, V_N)
OUTER_TILES(outer_2_part, 2, part)
OUTER_TILES(outer_1_part, 1, part)

/* With few rows there are registers for more columns. */
static void outer_4(int64_t rows, const product *t) {
  switch (rows) {
    OUTER_CASE(1, 4, V_N);
    OUTER_CASE(2, 4, V_N);
    OUTER_CASE(3, 4, V_N);
  }
}

static void outer_cols(int64_t rows, int64_t cols, const product *t) {
  if (cols == 4 * V_N)
    outer_4(rows, t);
  else if (cols == 2 * V_N)
    outer_2(rows, V_N, t);
  else if (cols > V_N)
    outer_2_part(rows, cols - V_N, t);
  else
    outer_1_part(rows, cols, t);
}

/* Tiles of nearly equal heights: 10 rows are 5 + 5. */
static int64_t outer_rows(int64_t left) {
  const int64_t tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
  return (left + tiles - 1) / tiles;
}

/* Copies the tile's columns of B side by side: B's own rows may map to a few sets of the cache. */
static void pack_columns(int64_t cols, product *t, real *packed) {
  for (int64_t p = 0; p < t->k; p++)
    for (int64_t c = 0; c < cols; c += V_N)
      v_store(packed + p * 2 * V_N + c, load_first(t->b + p * t->ldb + c, cols - c));
  t->b = packed;
  t->ldb = 2 * V_N;
}

static void outer_block(int64_t m, int64_t n, const product *block, swi_ahead *ahead) {
  const int64_t wide = m <= 3 ? 4 * V_N : 2 * V_N;
  real packed[PART_K * 2 * V_N];
  for (int64_t j = 0, cols; j < n; j += cols) {
    cols = n - j >= wide ? wide : smaller(2 * V_N, n - j);
    product column = *block;
    column.b += j;
    column.c += j;
    if (m >= PACK_ROWS) pack_columns(cols, &column, packed);
    for (int64_t i = 0, rows; i < m; i += rows) {
      rows = outer_rows(m - i);
      product t = column;
      t.a += i * t.row_step;
      t.c += i * t.ldc;
      t.ahead = (lines_ahead){(uintptr_t)&t, 0}; /* in the cache */
      if (OUTER_AHEAD && ahead) fetch_ahead(ahead, rows * cols * t.k, 2 * m, t.k, &t.ahead);
      outer_cols(rows, cols, &t);
    }
  }
}

static void gemm_n(int64_t m, int64_t n, int64_t k, const void *a, int64_t row_step, int64_t k_step,
                   const void *b, int64_t ldb, void *c, int64_t ldc, int accumulate,
                   swi_ahead *ahead) {
  product t = {0, a, b, row_step, k_step, ldb, c, ldc, accumulate, {0, 0}};
  const int64_t step = part_length(k);
  for (int64_t p = 0; p < k; p += step) {
    t.k = smaller(step, k - p);
    outer_block(m, n, &t, ahead);
    t.a += t.k * k_step;
    t.b += t.k * ldb;
    t.accumulate = 1;
  }
}

#endif
