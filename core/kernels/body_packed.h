/* body_packed.h: the general product, for shapes where each element of B is used many times.
 *
 * A panel of B, two vectors wide and up to PART_K long, is packed and stays in the L1 cache while
 * the rows of A are read; a block of A stays in the L2 cache while the panels of B are read: the
 * higher it is, the fewer times B is packed. Both copies are in the caller's work. What is copied
 * next is prefetched, a line at a time, between the steps of the tiles before. A tile of C, V_TILE
 * x two vectors, is kept in registers. An element of C is the sum of sums over parts of k, in
 * order, each from 0, added to C itself (accumulate, or a later part); bias and ReLU come after the
 * last term. So the error grows with PART_K and the number of parts, not with k, and neither
 * cutting C nor the blocks below change a bit.
 */
#ifndef SW_BODY_PACKED_H
#define SW_BODY_PACKED_H

#include <string.h>

enum {
  ROWS_MOST = 768,                    /* of a block: the TLB holds their pages of C */
  L1_ALIAS = 4096,                    /* bytes between lines of one set of the L1 cache, 8 ways */
  WIDE = 256,                         /* columns from which on a copy of A is worth it */
  FETCH_LEAST = 96, /* terms of a sum: in fewer, prefetching costs more than it gains */
  FETCHES = (2 * V_TILE * REAL_BYTES + LINE - 1) / LINE /* in two steps: the next tile's of A */
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
  row_fetch *next; /* to prefetch meanwhile; NULL: nothing */
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

INLINE void packed_sums(const int rows, const int copied, const int fetches, const tile *t,
                        vec s[V_TILE][2]) {
  const real *a = t->a, *b = t->b;
  const int64_t row_step = copied ? 1 : t->row_step, k_step = copied ? rows : 1;
  row_fetch next;
  if (fetches > 0) next = *t->next;
  int64_t p = t->k;
  for (; p >= 2; p -= 2, a += 2 * k_step, b += 2 * PANEL) {
    packed_step(rows, a, row_step, b, s);
    packed_step(rows, a + k_step, row_step, b + PANEL, s);
    UNROLL
    for (int i = 0; i < fetches; i++) fetch_row_line(&next);
  }
  if (p > 0) packed_step(rows, a, row_step, b, s);
  if (fetches == 0) return;
  next.lines -= t->k / 2 * fetches;
  *t->next = next;
}

/* The lines of C are fetched while its sums are computed. */
INLINE void fetch_tile(const int rows, const tile *t) {
  UNROLL
  for (int i = 0; i < rows; i++) UNROLL
  for (int e = 0; e < PANEL; e += LINE / REAL_BYTES) v_prefetch(t->c + i * t->ldc + e);
}

INLINE void packed_tile(const int rows, const int copied, const int fetches, const tile *t) {
  vec s[V_TILE][2];
  if (fetches > 0) fetch_tile(rows, t);
  begin_sums(rows, s);
  if (fetches > 0 && t->next->lines > 0)
    packed_sums(rows, copied, fetches, t, s);
  else
    packed_sums(rows, copied, 0, t, s);
  packed_end(rows, t, s);
}

#define PACKED_CASE(r) \
  case r: packed_tile(r, copied, fetches, t); break

INLINE void packed_rows(int64_t rows, const int copied, const int fetches, const tile *t) {
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

static void tile_read(int64_t rows, const tile *t) { packed_rows(rows, 0, 0, t); }
static void tile_copied(int64_t rows, const tile *t) { packed_rows(rows, 1, 0, t); }
static void tile_fetching(int64_t rows, const tile *t) { packed_rows(rows, 1, FETCHES, t); }

static void tile_whole(int64_t rows, int copied, const tile *t) {
  if (!copied)
    tile_read(rows, t);
  else if (t->next)
    tile_fetching(rows, t);
  else
    tile_copied(rows, t);
}

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
  tile_whole(rows, copied, &whole);
  for (int64_t i = 0; i < rows; i++) memcpy(t->c + i * t->ldc, c + i * PANEL, size);
}

static void tile_of(int64_t rows, int64_t cols, int copied, const tile *t) {
  if (cols < PANEL)
    tile_edge(rows, cols, copied, t);
  else
    tile_whole(rows, copied, t);
}

/* Tiles of nearly equal heights, as with outer_rows. */
static int64_t tile_rows(int64_t left) {
  const int64_t tiles = (left + V_TILE - 1) / V_TILE;
  return (left + tiles - 1) / tiles;
}

/* Rows of A from i on, as the columns of a tile one after another. Those behind are next. */
static void copy_tile(const swi_product *part, int64_t i, int64_t rows, real *to, row_fetch *next) {
  const int contiguous = part->k_step == 1;
  const int64_t step = contiguous ? part->row_step : part->k_step, left = part->m - i - rows;
  const real *a = (const real *)part->a + i * part->row_step;
  (contiguous ? copy_contiguous : copy_adjacent)(rows, part->k, a, step, to);
  if (next && left > 0)
    *next = row_fetch_of(a + rows * part->row_step, tile_rows(left), part->k, step, contiguous);
}

/* Columns of B from j on. Those behind are next. */
static void copy_panel(const swi_product *part, int64_t j, int64_t cols, real *panel,
                       row_fetch *next) {
  const int64_t step = part->transpose_b ? part->ldb : 1, left = part->n - j - cols;
  const real *b = (const real *)part->b + j * step;
  if (cols <= V_N) /* the copies fill up vectors only */
    memset(panel, 0, PART_K * PANEL * sizeof *panel);
  (part->transpose_b ? copy_transposed : copy_straight)(cols, part->k, b, part->ldb, panel);
  if (next && left > 0)
    *next =
        row_fetch_of(b + cols * step, smaller(PANEL, left), part->k, part->ldb, part->transpose_b);
}

/* The rows of A against a panel of B. They are copied first (copies), or were before. */
static void packed_panel(const swi_product *part, tile t, int64_t cols, int copied, int copies) {
  real *to = ((packed_work *)part->work)->rows;
  if (copied) t.a = to;
  for (int64_t i = 0, rows; i < part->m; i += rows) {
    rows = tile_rows(part->m - i);
    if (copies) copy_tile(part, i, rows, to + i * t.k, t.next);
    tile_of(rows, cols, copied, &t);
    t.a += copied ? rows * t.k : rows * t.row_step;
    t.c += rows * t.ldc;
  }
}

/* The rows of A in block against all panels of B, which are part's. */
static void packed_block(const swi_product *part, const tile *block, int copied) {
  real *panel = ((packed_work *)part->work)->panel;
  row_fetch lines = {.lines = 0}, *next = copied && part->k >= FETCH_LEAST ? &lines : NULL;
  for (int64_t j = 0; j < part->n; j += PANEL) {
    const int64_t cols = smaller(PANEL, part->n - j);
    copy_panel(part, j, cols, panel, next);
    tile t = *block;
    t.b = panel;
    t.next = next;
    t.c += j;
    if (t.bias) t.bias += j;
    packed_panel(part, t, cols, copied, copied && j == 0);
  }
}

/* Rows of A in each block but the last, which is nearly as high. */
static int64_t block_rows(int64_t m, int64_t k) {
  const int64_t fit = smaller(COPIED_A / k, ROWS_MOST), blocks = (m + fit - 1) / fit;
  return (m + blocks - 1) / blocks;
}

/* Whether the tiles read A from a copy: it is used for many columns, or its columns do not lie in
 * lines, or the lines of a column map to one set of the L1 cache, which holds fewer than a tile. */
static int is_copied(const swi_product *g) {
  const int aliased = V_TILE > 8 && g->row_step * REAL_BYTES % L1_ALIAS == 0;
  return g->k_step != 1 || g->n >= WIDE || aliased;
}

/* Rows i ... i + m - 1 of C, terms p ... p + k - 1 of the sums. */
static void packed_part(const swi_product *g, int64_t i, int64_t m, int64_t p, int64_t k) {
  const int copied = is_copied(g), last = p + k == g->k;
  swi_product part = *g;
  part.m = m;
  part.k = k;
  part.a = (const real *)g->a + i * g->row_step + p * g->k_step;
  part.b = (const real *)g->b + (g->transpose_b ? p : p * g->ldb);
  tile t = {.k = k,
            .a = part.a,
            .row_step = g->row_step,
            .c = (real *)g->c + i * g->ldc,
            .ldc = g->ldc,
            .accumulate = g->accumulate || p > 0,
            .bias = last ? g->bias : NULL,
            .relu = last && g->relu};
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
