/* body_strip.h: the tile of body_packed.h with rows reached by pointers, segment by segment, and
 * results written through pointers. An element is a sum in order, from 0, added to the earlier
 * parts; bias and ReLU come after the last term.
 */
#ifndef SW_BODY_STRIP_H
#define SW_BODY_STRIP_H

static const real nothing[PART_K]; /* a segment of zeros */

/* Some segments of some rows. */
typedef struct strip {
  int64_t segments, length;
  const real *const *from; /* segment s of row i: from[s from_step + i] */
  int64_t from_step;
  const real *b; /* a panel */
  int skip; /* segments that are zero for all rows */
  real *const *to;
  int64_t column; /* in to[i] */
  int accumulate;
  const real *bias; /* NULL (and relu 0) except for the last part of a sum */
  int relu;
} strip;

/* vecs: 2, or 1 where the right half of the panel is empty. */
INLINE void strip_step(const int rows, const int vecs, const real *const a[V_TILE], int64_t p,
                       const real *b, vec s[V_TILE][2]) {
  const vec left = v_load(b), right = vecs > 1 ? v_load(b + V_N) : left;
  UNROLL
  for (int i = 0; i < rows; i++) {
    const vec x = v_broadcast(a[i] + p);
    s[i][0] = v_fma(x, left, s[i][0]);
    if (vecs > 1) s[i][1] = v_fma(x, right, s[i][1]);
  }
}

INLINE void strip_end(const int rows, const strip *t, vec s[V_TILE][2]) {
  if (t->accumulate) UNROLL
  for (int i = 0; i < rows; i++) add_sums(t->to[i] + t->column, s[i]);
  finish_sums(rows, t->bias, t->relu, s);
  UNROLL
  for (int i = 0; i < rows; i++) {
    v_store(t->to[i] + t->column, s[i][0]);
    v_store(t->to[i] + t->column + V_N, s[i][1]);
  }
}

INLINE int is_nothing(const int rows, const real *const a[V_TILE]) {
  for (int i = 0; i < rows; i++)
    if (a[i] != nothing) return 0;
  return 1;
}

INLINE void strip_tile(const int rows, const int vecs, const strip *t) {
  vec s[V_TILE][2];
  begin_sums(rows, s);
  const real *b = t->b;
  const int64_t length = t->length;
  const real *const *from = t->from;
  for (int64_t k = 0; k < t->segments; k++, from += t->from_step) {
    const real *a[V_TILE];
    UNROLL
    for (int i = 0; i < rows; i++) a[i] = from[i];
    if (t->skip && is_nothing(rows, a)) {
      b += length * PANEL;
      continue;
    }
    for (int64_t p = 0; p < length; p++, b += PANEL) strip_step(rows, vecs, a, p, b, s);
  }
  strip_end(rows, t, s);
}

#define STRIP_CASE(r) \
  case r: strip_tile(r, vecs, t); break

INLINE void strip_of(int64_t rows, const int vecs, const strip *t) {
  switch (rows) {
    STRIP_CASE(1);
    STRIP_CASE(2);
    STRIP_CASE(3);
    STRIP_CASE(4);
    STRIP_CASE(5);
    STRIP_CASE(6);
#if V_TILE >= 8
    STRIP_CASE(7);
    STRIP_CASE(8);
#endif
#if V_TILE >= 14
    STRIP_CASE(9);
    STRIP_CASE(10);
    STRIP_CASE(11);
    STRIP_CASE(12);
    STRIP_CASE(13);
    STRIP_CASE(14);
#endif
  }
}

static void strip_rows(int64_t rows, const strip *t) { strip_of(rows, 2, t); }
static void strip_half(int64_t rows, const strip *t) { strip_of(rows, 1, t); }

/* n < PANEL elements: too few to call memcpy for. */
INLINE void copy_few(int64_t n, const real *from, real *to) {
  int64_t j = 0;
  for (; j + V_N <= n; j += V_N) v_store(to + j, v_load(from + j));
  UNROLL
  for (int r = 0; r < V_N - 1; r++)
    if (j + r < n) to[j + r] = from[j + r];
}

/* The last columns are computed in a whole tile of their own. */
static void strip_edge(int64_t rows, int64_t cols, const strip *t) {
  real c[V_TILE * PANEL] = {0}, bias[PANEL] = {0}, *to[V_TILE];
  const size_t size = (size_t)cols * sizeof *c;
  strip whole = *t;
  whole.to = to;
  whole.column = 0;
  if (t->bias) whole.bias = memcpy(bias, t->bias, size);
  for (int64_t i = 0; i < rows; i++) {
    to[i] = c + i * PANEL;
    if (t->accumulate) memcpy(to[i], t->to[i] + t->column, size);
  }
  (cols > V_N ? strip_rows : strip_half)(rows, &whole);
  for (int64_t i = 0; i < rows; i++) copy_few(cols, to[i], t->to[i] + t->column);
}

#endif
