/* body_packed.h: the general product, for shapes where each element of B is used many times.
 *
 * A panel of B, two vectors wide and up to PART_K long, is packed and stays in the L1 cache while
 * the rows of A are read; a block of A stays in the L2 cache while the panels of B are read: the
 * higher it is, the fewer times B is packed. Both
 * copies are in the caller's work. A tile of C, V_TILE x two vectors, is kept in registers. An
 * element of C is the sum of sums over parts of k, in order, each from 0, added to C itself
 * (accumulate, or a later part); bias and ReLU come after the last term. So the error grows with
 * PART_K and the number of parts, not with k, and neither cutting C nor the blocks below change a
 * bit.
 */
#ifndef SW_BODY_PACKED_H
#define SW_BODY_PACKED_H

#include <string.h>

enum {
  PANEL = 2 * V_N,                    /* columns of B in a panel */
  BLOCK_A = (256 << 10) / REAL_BYTES, /* elements of a block of A */
  ROWS_MOST = 768,                    /* of a block: the TLB holds their pages of C */
  WIDE = 256                          /* columns from which on a copy of A is worth it */
};

typedef struct packed_work {
  real rows[COPIED_A + V_N]; /* of A, and the excess of a vector */
  real panel[PART_K * PANEL] __attribute__((aligned(64)));
} packed_work;
_Static_assert(sizeof(packed_work) <= SWI_PRODUCT_WORK, "grow SWI_PRODUCT_WORK");

typedef struct tile {
  int64_t k;
  const real *a; /* copied: element (i, p) at p rows + i, else at i row_step + p */
  int64_t row_step;
  const real *b; /* a panel */
  real *c;
  int64_t ldc;
  int accumulate;
  const real *bias; /* NULL (and relu 0) except for the last part of k */
  int relu;
} tile;

/* s += column of A x row of B */
INLINE void packed_step(const int rows, const real *a, int64_t row_step, const real *b,
                        vec s[V_TILE][2]) {
  const vec left = v_load(b), right = v_load(b + V_N);
  UNROLL
  for (int i = 0; i < rows; i++) {
    const vec x = v_broadcast(a + i * row_step);
    s[i][0] = v_fma(x, left, s[i][0]);
    s[i][1] = v_fma(x, right, s[i][1]);
  }
}

INLINE void begin_sums(const int rows, vec s[V_TILE][2]) {
  UNROLL
  for (int i = 0; i < rows; i++) s[i][0] = s[i][1] = v_set1(0);
}

/* s = what is at c + s */
INLINE void add_sums(const real *c, vec s[2]) {
  s[0] = v_add(v_load(c), s[0]);
  s[1] = v_add(v_load(c + V_N), s[1]);
}

/* s = act(s + bias), of a sum that is whole; bias NULL: none */
INLINE void finish_sums(const int rows, const real *bias, int relu, vec s[V_TILE][2]) {
  if (bias) {
    const vec left = v_load(bias), right = v_load(bias + V_N);
    UNROLL
    for (int i = 0; i < rows; i++) {
      s[i][0] = v_add(s[i][0], left);
      s[i][1] = v_add(s[i][1], right);
    }
  }
  if (relu) UNROLL
  for (int i = 0; i < rows; i++) {
    s[i][0] = v_relu(s[i][0]);
    s[i][1] = v_relu(s[i][1]);
  }
}

INLINE void packed_end(const int rows, const tile *t, vec s[V_TILE][2]) {
  if (t->accumulate) UNROLL
  for (int i = 0; i < rows; i++) add_sums(t->c + i * t->ldc, s[i]);
  finish_sums(rows, t->bias, t->relu, s);
  UNROLL
  for (int i = 0; i < rows; i++) {
    v_store(t->c + i * t->ldc, s[i][0]);
    v_store(t->c + i * t->ldc + V_N, s[i][1]);
  }
}

INLINE void packed_tile(const int rows, const int copied, const tile *t) {
  vec s[V_TILE][2];
  begin_sums(rows, s);
  const real *a = t->a, *b = t->b;
  const int64_t row_step = copied ? 1 : t->row_step, k_step = copied ? rows : 1;
  int64_t p = t->k;
  for (; p >= 2; p -= 2, a += 2 * k_step, b += 2 * PANEL) {
    packed_step(rows, a, row_step, b, s);
    packed_step(rows, a + k_step, row_step, b + PANEL, s);
  }
  if (p > 0) packed_step(rows, a, row_step, b, s);
  packed_end(rows, t, s);
}

#define PACKED_CASE(r) \
  case r: packed_tile(r, copied, t); break

INLINE void packed_rows(int64_t rows, const int copied, const tile *t) {
  switch (rows) {
    PACKED_CASE(1);
    PACKED_CASE(2);
    PACKED_CASE(3);
    PACKED_CASE(4);
    PACKED_CASE(5);
    PACKED_CASE(6);
#if V_TILE >= 8
    PACKED_CASE(7);
    PACKED_CASE(8);
#endif
#if V_TILE >= 14
    PACKED_CASE(9);
    PACKED_CASE(10);
    PACKED_CASE(11);
    PACKED_CASE(12);
    PACKED_CASE(13);
    PACKED_CASE(14);
#endif
  }
}

static void tile_read(int64_t rows, const tile *t) { packed_rows(rows, 0, t); }
static void tile_copied(int64_t rows, const tile *t) { packed_rows(rows, 1, t); }

/* The last columns are computed in a whole tile of their own. */
static void tile_edge(int64_t rows, int64_t cols, int copied, const tile *t) {
  real c[V_TILE * PANEL] = {0}, bias[PANEL] = {0};
  const size_t size = (size_t)cols * sizeof *c;
  tile whole = *t;
  whole.c = c;
  whole.ldc = PANEL;
  if (t->bias) whole.bias = memcpy(bias, t->bias, size);
  for (int64_t i = 0; t->accumulate && i < rows; i++)
    memcpy(c + i * PANEL, t->c + i * t->ldc, size);
  (copied ? tile_copied : tile_read)(rows, &whole);
  for (int64_t i = 0; i < rows; i++) memcpy(t->c + i * t->ldc, c + i * PANEL, size);
}

static void tile_of(int64_t rows, int64_t cols, int copied, const tile *t) {
  if (cols < PANEL)
    tile_edge(rows, cols, copied, t);
  else
    (copied ? tile_copied : tile_read)(rows, t);
}

/* Tiles of nearly equal heights, as with outer_rows. */
static int64_t tile_rows(int64_t left) {
  const int64_t tiles = (left + V_TILE - 1) / V_TILE;
  return (left + tiles - 1) / tiles;
}

/* Rows of contiguous elements: four columns of V_N rows become four vectors. Lanes beyond the tile
 * repeat its last row and are overwritten by the next column: hence the last rows come first. */
static void copy_contiguous(int64_t rows, int64_t k, const real *a, int64_t row_step, real *to) {
  const real *row[V_TILE + V_N];
  for (int64_t r = 0; r < V_TILE + V_N; r++) row[r] = a + smaller(r, rows - 1) * row_step;
  int64_t p = 0;
  for (; p + 4 <= k; p += 4)
    for (int64_t r = (rows - 1) / V_N * V_N; r >= 0; r -= V_N) {
      vec column[4];
      v_columns(row + r, p, column);
      UNROLL
      for (int q = 0; q < 4; q++) v_store(to + (p + q) * rows + r, column[q]);
    }
  for (; p < k; p++)
    for (int64_t r = 0; r < rows; r++) to[p * rows + r] = row[r][p];
}

/* Of rows side by side: vectors, whose excess is overwritten by the next column. */
static void copy_adjacent(int64_t rows, int64_t k, const real *a, int64_t k_step, real *to) {
  for (int64_t p = 0; p < k; p++, a += k_step, to += rows)
    for (int64_t r = 0; r < rows; r += V_N) v_store(to + r, load_first(a + r, rows - r));
}

/* Rows of A, tile by tile, each as its columns one after another. */
static void copy_rows(int64_t m, int64_t k, const real *a, int64_t row_step, int64_t k_step,
                      real *to) {
  for (int64_t i = 0, rows; i < m; i += rows, to += rows * k, a += rows * row_step) {
    rows = tile_rows(m - i);
    if (k_step == 1)
      copy_contiguous(rows, k, a, row_step, to);
    else
      copy_adjacent(rows, k, a, k_step, to);
  }
}

/* cols <= V_N columns of a transposed B at its row of k, into one half of a panel. */
static void copy_transposed_part(int64_t cols, int64_t k, const real *b, int64_t ldb, real *to) {
  real block[V_N * V_N] = {0};
  for (int64_t c = 0; c < cols; c++) v_store(block + c * V_N, load_first(b + c * ldb, k));
  real transposed[V_N * V_N];
  v_transpose(block, V_N, transposed, V_N);
  for (int64_t p = 0; p < k; p++) v_store(to + p * PANEL, v_load(transposed + p * V_N));
}

static void copy_transposed(int64_t cols, int64_t k, const real *b, int64_t ldb, real *to) {
  for (int64_t c = 0; c < cols; c += V_N, to += V_N)
    for (int64_t p = 0; p < k; p += V_N) {
      const int64_t width = smaller(V_N, cols - c), length = smaller(V_N, k - p);
      const real *from = b + c * ldb + p;
      if (width == V_N && length == V_N)
        v_transpose(from, ldb, to + p * PANEL, PANEL);
      else
        copy_transposed_part(width, length, from, ldb, to + p * PANEL);
    }
}

static void copy_straight(int64_t cols, int64_t k, const real *b, int64_t ldb, real *to) {
  for (int64_t p = 0; p < k; p++, b += ldb, to += PANEL) {
    v_prefetch((const void *)((uintptr_t)b + PANEL * sizeof(real))); /* the next panel */
    for (int64_t c = 0; c < cols; c += V_N) v_store(to + c, load_first(b + c, cols - c));
  }
}

static void copy_panel(const swi_product *part, int64_t j, int64_t cols, real *panel) {
  const real *b = part->b;
  if (cols <= V_N) /* the copies fill up vectors only */
    memset(panel, 0, PART_K * PANEL * sizeof *panel);
  if (part->transpose_b)
    copy_transposed(cols, part->k, b + j * part->ldb, part->ldb, panel);
  else
    copy_straight(cols, part->k, b + j, part->ldb, panel);
}

/* The rows of A in block against all panels of B, which are part's. */
static void packed_block(const swi_product *part, const tile *block, int copied) {
  real *panel = ((packed_work *)part->work)->panel;
  for (int64_t j = 0; j < part->n; j += PANEL) {
    const int64_t cols = smaller(PANEL, part->n - j);
    copy_panel(part, j, cols, panel);
    tile t = *block;
    t.b = panel;
    t.c += j;
    if (t.bias) t.bias += j;
    for (int64_t i = 0, rows; i < part->m; i += rows) {
      rows = tile_rows(part->m - i);
      tile_of(rows, cols, copied, &t);
      t.a += copied ? rows * t.k : rows * t.row_step;
      t.c += rows * t.ldc;
    }
  }
}

/* Rows of A in each block but the last, which is nearly as high. */
static int64_t block_rows(int64_t m, int64_t k) {
  const int64_t fit = smaller(COPIED_A / k, ROWS_MOST), blocks = (m + fit - 1) / fit;
  return (m + blocks - 1) / blocks;
}

/* Rows i ... i + m - 1 of C, terms p ... p + k - 1 of the sums. */
static void packed_part(const swi_product *g, int64_t i, int64_t m, int64_t p, int64_t k) {
  real *rows = ((packed_work *)g->work)->rows;
  const int copied = g->k_step != 1 || g->n >= WIDE, last = p + k == g->k;
  swi_product part = *g;
  part.m = m;
  part.k = k;
  part.b = (const real *)g->b + (g->transpose_b ? p : p * g->ldb);
  tile t = {.k = k,
            .a = (const real *)g->a + i * g->row_step + p * g->k_step,
            .row_step = g->row_step,
            .c = (real *)g->c + i * g->ldc,
            .ldc = g->ldc,
            .accumulate = g->accumulate || p > 0,
            .bias = last ? g->bias : NULL,
            .relu = last && g->relu};
  if (copied) {
    copy_rows(m, k, t.a, g->row_step, g->k_step, rows);
    t.a = rows;
  }
  packed_block(&part, &t, copied);
}

/* Of C and B the larger one is read from memory only once, if both exceed the caches: C by blocks
 * of rows, each with all its terms, or B by parts of k. */
static void gemm_packed(const swi_product *g) {
  const int64_t step = part_length(g->k), rows = block_rows(g->m, step);
  if (g->m > g->k)
    for (int64_t i = 0; i < g->m; i += rows)
      for (int64_t p = 0; p < g->k; p += step)
        packed_part(g, i, smaller(rows, g->m - i), p, smaller(step, g->k - p));
  else
    for (int64_t p = 0; p < g->k; p += step)
      for (int64_t i = 0; i < g->m; i += rows)
        packed_part(g, i, smaller(rows, g->m - i), p, smaller(step, g->k - p));
}

#endif
