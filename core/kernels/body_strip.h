/* body_strip.h: a tile of a convolution's results in registers: places at equal distances, two
 * vectors of outputs each, or one vector and more places. An element is a sum in order, from 0,
 * added to the earlier parts; bias and ReLU come after the last term.
 */
#ifndef SW_BODY_STRIP_H
#define SW_BODY_STRIP_H

/* Terms of a sum that lie one behind the other, for a place and in a panel of weights. */
typedef struct segment {
  int64_t from, b, length;
} segment;

typedef struct strip {
  const segment *segments;
  int64_t count;
  const real *from; /* of the first place */
  int64_t from_step;
  const real *b; /* a panel */
  real *to;
  int64_t to_step;
  int64_t cols; /* of the panel: 1 … PANEL */
  int accumulate;
  const real *bias; /* PANEL elements; NULL (and relu 0) except for the last part of a sum */
  int relu;
} strip;

enum { STRIP_ROWS = V_TILE > V_TALL ? V_TILE : V_TALL };

/* Three rows are reached from one register, by no, one and two steps. */
INLINE void strip_segment(const int rows, const int vecs, const real *a, int64_t step,
                          const real *b, int64_t length, vec s[STRIP_ROWS][2]) {
  const real *third[(STRIP_ROWS + 2) / 3];
  UNROLL
  for (int i = 0; i < rows; i += 3) third[i / 3] = a + i * step;
  for (int64_t p = 0; p < length; p++) {
    const vec left = v_load(b + p * PANEL), right = vecs > 1 ? v_load(b + p * PANEL + V_N) : left;
    UNROLL
    for (int i = 0; i < rows; i++) {
      const vec x = v_broadcast(third[i / 3] + i % 3 * step + p);
      s[i][0] = v_fma(x, left, s[i][0]);
      if (vecs > 1) s[i][1] = v_fma(x, right, s[i][1]);
    }
  }
}

/* One vector of the places' results. */
INLINE void strip_end(const int rows, const int v, const strip *t, vec s[STRIP_ROWS][2]) {
  const int64_t n = t->cols - v * V_N;
  real *to = t->to + v * V_N;
  if (t->accumulate) UNROLL
  for (int i = 0; i < rows; i++) s[i][v] = v_add(load_first(to + i * t->to_step, n), s[i][v]);
  if (t->bias) {
    const vec bias = v_load(t->bias + v * V_N);
    UNROLL
    for (int i = 0; i < rows; i++) s[i][v] = v_add(s[i][v], bias);
  }
  if (t->relu) UNROLL
  for (int i = 0; i < rows; i++) s[i][v] = v_relu(s[i][v]);
  UNROLL
  for (int i = 0; i < rows; i++) store_first(to + i * t->to_step, s[i][v], n);
}

/* Fetches the whole lines of results that a place fills, while its sum is computed. */
INLINE void strip_fetch(const int rows, const int vecs, const strip *t) {
  const int lines = (int)sizeof(vec) * vecs / LINE;
  UNROLL
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < lines; j++) v_prefetch((const char *)(t->to + i * t->to_step) + j * LINE);
}

INLINE void strip_tile(const int rows, const int vecs, const strip *t) {
  vec s[STRIP_ROWS][2];
  strip_fetch(rows, vecs, t);
  UNROLL
  for (int i = 0; i < rows; i++) s[i][0] = s[i][1] = v_set1(0);
  for (const segment *g = t->segments, *end = g + t->count; g < end; g++)
    strip_segment(rows, vecs, t->from + g->from, t->from_step, t->b + g->b, g->length, s);
  strip_end(rows, 0, t, s);
  if (vecs > 1) strip_end(rows, 1, t, s);
}

#define STRIP_CASE(r)                                                \
  case r:                                                            \
    if ((r) <= (vecs > 1 ? V_TILE : V_TALL)) strip_tile(r, vecs, t); \
    break

INLINE void strip_of(int64_t rows, const int vecs, const strip *t) {
  switch (rows) {
    STRIP_CASE(1);
    STRIP_CASE(2);
    STRIP_CASE(3);
    STRIP_CASE(4);
    STRIP_CASE(5);
    STRIP_CASE(6);
    STRIP_CASE(7);
    STRIP_CASE(8);
    STRIP_CASE(9);
    STRIP_CASE(10);
    STRIP_CASE(11);
    STRIP_CASE(12);
    STRIP_CASE(13);
    STRIP_CASE(14);
    STRIP_CASE(15);
    STRIP_CASE(16);
  }
}

static void strip_wide(int64_t rows, const strip *t) { strip_of(rows, 2, t); }
static void strip_tall(int64_t rows, const strip *t) { strip_of(rows, 1, t); }

#endif
