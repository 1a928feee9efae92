/* body_weight_tile.h: a tile of a convolution's weight gradient: up to so many rows of one or two
 * vectors each, summed over the pixels of some runs.
 *
 * One operand is broadcast, element by element, and gives the rows; the other is read in vectors.
 * Along a run both lie at constant steps, so neither needs to be copied. The sums of all runs stay
 * in registers: a run may end anywhere without a change of bits. The share of an image is complete
 * in registers before it is added to the others, so its square costs one multiplication.
 */
#ifndef SW_BODY_WEIGHT_TILE_H
#define SW_BODY_WEIGHT_TILE_H

enum { MOST_ROWS = 16 }; /* of any tile, at most */

/* Some pixels. */
typedef struct run {
  int64_t at; /* of the first one, from the tile's a: in pixels; in elements if rows lie apart */
  const real *b;
  int64_t pixels;
} run;

typedef struct weight_tile {
  const run *runs;
  int64_t n_runs;
  const real *a;          /* broadcast: row i of a pixel is at i, or, */
  const int64_t *row;     /* if rows lie apart, at row[i] */
  int64_t a_step, b_step; /* from pixel to pixel */
  real *so_far;           /* of this unit: rows of PANEL */
  int begin;              /* the unit's first part */
  int end;                /* its last part: to be added to */
  real *w;                /* or NULL */
  int64_t ldw, cols;
  int add;             /* to what is there, else it is the first */
  fetch *ahead;        /* memory of the work to come, or NULL */
  int squared;         /* whether squares are wanted */
  real squares[PANEL]; /* so far; in memory, because the sums use all registers */
} weight_tile;

/* n rows as tiles of nearly equal heights: the first ones are one row higher. */
typedef struct heights {
  int64_t tiles, low, higher;
} heights;

static heights heights_of(int64_t n, int64_t most) {
  const int64_t tiles = (n + most - 1) / most;
  return (heights){tiles, n / tiles, n % tiles};
}

/* Of tile i. */
static int64_t height_of(heights h, int64_t i) { return h.low + (i < h.higher); }
static int64_t first_row(heights h, int64_t i) { return i * h.low + smaller(i, h.higher); }

/* ------------------------------------------------------------------ sums */

INLINE void weight_begin(const int rows, const int vecs, vec s[MOST_ROWS][2]) {
  UNROLL
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vecs; v++) s[i][v] = v_set1(0);
}

INLINE void weight_step(const int rows, const int vecs, const real *const a[MOST_ROWS], int64_t at,
                        const real *b, vec s[MOST_ROWS][2]) {
  const vec left = v_load(b), right = vecs > 1 ? v_load(b + V_N) : left;
  UNROLL
  for (int i = 0; i < rows; i++) {
    const vec x = v_broadcast(a[i] + at);
    s[i][0] = v_fma(x, left, s[i][0]);
    if (vecs > 1) s[i][1] = v_fma(x, right, s[i][1]);
  }
}

/* Rows that follow one another. */
INLINE void weight_run(const int rows, const int vecs, const weight_tile *t, const run *r,
                       vec s[MOST_ROWS][2]) {
  const real *from = t->a + r->at * t->a_step, *b = r->b;
  for (int64_t p = r->pixels; p > 0; p--, from += t->a_step, b += t->b_step) {
    const real *a[MOST_ROWS];
    UNROLL
    for (int i = 0; i < rows; i++) a[i] = from + i;
    weight_step(rows, vecs, a, 0, b, s);
  }
}

/* Rows anywhere. */
INLINE void weight_run_apart(const int rows, const int vecs, const weight_tile *t, const run *r,
                             vec s[MOST_ROWS][2]) {
  const real *a[MOST_ROWS], *b = r->b;
  UNROLL
  for (int i = 0; i < rows; i++) a[i] = t->a + r->at + t->row[i];
  const int64_t end = r->pixels * t->a_step;
  for (int64_t at = 0; at < end; at += t->a_step, b += t->b_step)
    weight_step(rows, vecs, a, at, b, s);
}

/* ------------------------------------------------------------------ ends */

static __attribute__((noinline)) void add_part(const weight_tile *t, const real *share, real *w) {
  for (int64_t j = 0; j < t->cols; j++) w[j] = t->add ? w[j] + share[j] : share[j];
}

INLINE void weight_row(const int vecs, const weight_tile *t, const int whole, const int add,
                       vec s[2], real *w) {
  if (!whole) {
    real share[PANEL];
    for (int v = 0; v < vecs; v++) v_store(share + v * V_N, s[v]);
    add_part(t, share, w);
    return;
  }
  for (int v = 0; v < vecs; v++)
    v_store(w + v * V_N, add ? v_add(v_load(w + v * V_N), s[v]) : s[v]);
}

INLINE void weight_add(const int rows, const int vecs, const int whole, const int add,
                       const weight_tile *t, vec s[MOST_ROWS][2]) {
  UNROLL
  for (int i = 0; i < rows; i++) weight_row(vecs, t, whole, add, s[i], t->w + i * t->ldw);
}

INLINE void weight_square(const int rows, const int vecs, weight_tile *t, vec s[MOST_ROWS][2]) {
  for (int v = 0; v < vecs; v++) {
    vec sum = v_load(t->squares + v * V_N);
    UNROLL
    for (int i = 0; i < rows; i++) sum = v_fma(s[i][v], s[i][v], sum);
    v_store(t->squares + v * V_N, sum);
  }
}

INLINE void weight_end(const int rows, const int vecs, weight_tile *t, vec s[MOST_ROWS][2]) {
  if (!t->begin) UNROLL
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vecs; v++)
      s[i][v] = v_add(v_load(t->so_far + i * PANEL + v * V_N), s[i][v]);
  if (!t->end) {
    UNROLL
    for (int i = 0; i < rows; i++)
      for (int v = 0; v < vecs; v++) v_store(t->so_far + i * PANEL + v * V_N, s[i][v]);
    return;
  }
  if (t->squared) weight_square(rows, vecs, t, s);
  if (!t->w) return;
  if (t->cols < vecs * V_N)
    weight_add(rows, vecs, 0, 0, t, s);
  else if (t->add)
    weight_add(rows, vecs, 1, 1, t, s);
  else
    weight_add(rows, vecs, 1, 0, t, s);
}

/* ------------------------------------------------------------------ tiles */

INLINE void weight_tile_of(const int rows, const int vecs, const int apart, weight_tile *t) {
  vec s[MOST_ROWS][2];
  weight_begin(rows, vecs, s);
  for (const run *r = t->runs, *end = r + t->n_runs; r < end; r++) {
    if (t->ahead) fetch_for(t->ahead, r->pixels);
    if (apart)
      weight_run_apart(rows, vecs, t, r, s);
    else
      weight_run(rows, vecs, t, r, s);
  }
  weight_end(rows, vecs, t, s);
}

#define WEIGHT_CASE(r)                                \
  case r:                                             \
    if (r <= most) weight_tile_of(r, vecs, apart, t); \
    break

INLINE void weight_rows_of(int64_t rows, const int most, const int vecs, const int apart,
                           weight_tile *t) {
  switch (rows) {
    WEIGHT_CASE(1);
    WEIGHT_CASE(2);
    WEIGHT_CASE(3);
    WEIGHT_CASE(4);
    WEIGHT_CASE(5);
    WEIGHT_CASE(6);
    WEIGHT_CASE(7);
    WEIGHT_CASE(8);
    WEIGHT_CASE(9);
    WEIGHT_CASE(10);
    WEIGHT_CASE(11);
    WEIGHT_CASE(12);
    WEIGHT_CASE(13);
    WEIGHT_CASE(14);
    WEIGHT_CASE(15);
    WEIGHT_CASE(16);
  }
}

static __attribute__((noinline)) void weight_rows(int64_t rows, weight_tile *t) {
  weight_rows_of(rows, V_TILE, 2, 0, t);
}
static __attribute__((noinline)) void weight_rows_narrow(int64_t rows, weight_tile *t) {
  weight_rows_of(rows, V_TALL, 1, 0, t);
}
static __attribute__((noinline)) void weight_rows_apart(int64_t rows, weight_tile *t) {
  weight_rows_of(rows, V_APART, 2, 1, t);
}
static __attribute__((noinline)) void weight_rows_apart_narrow(int64_t rows, weight_tile *t) {
  weight_rows_of(rows, V_APART_NARROW, 1, 1, t);
}

#endif
