/* body_convert.h: rows of a data set into a program's input, converted and standardised in one
 * pass.
 *
 * The rows are in random order: with each cache line of a row, the same line of a later row, AHEAD
 * bytes or one row ahead, is prefetched. Prefetching a whole row at once would exceed the
 * outstanding loads of the caches. */
#ifndef SW_BODY_CONVERT_H
#define SW_BODY_CONVERT_H

enum { LINE = 64, AHEAD = 4096 }; /* bytes: of a cache line, and see above */

/* Elements that are loaded before the first of them is stored: two lines of float32. More loads are
 * then under way. Random rows of 784 on AVX2: 32 in 7.7 us, one vector at a time 9.2. */
enum { PIECE = 32, PIECE_VECS = PIECE / V_N };

/* The index of the row to prefetch while row r is converted. */
INLINE int64_t row_ahead(int64_t r, int64_t rows, int64_t row_bytes) {
  const int64_t later = r + 1 + AHEAD / (row_bytes + 1);
  return later < rows ? later : rows - 1;
}

/* x scale + shift at column c; both may be NULL */
INLINE vec standardised(vec x, const real *factor, const real *shift, int64_t c) {
  return factor ? v_fma(x, v_load(factor + c), v_load(shift + c)) : x;
}

INLINE vec standardised_part(vec x, const real *factor, const real *shift, int64_t c, int64_t n) {
  return factor ? v_fma(x, v_load_part(factor + c, n), v_load_part(shift + c, n)) : x;
}

/* Elements c … c + PIECE - 1 of a row. */
INLINE void store_piece(const vec *x, const real *factor, const real *shift, int64_t c, real *y) {
  for (int i = 0; i < PIECE_VECS; i++)
    v_store(y + c + i * V_N, standardised(x[i], factor, shift, c + i * V_N));
}

static void gather_u8(int64_t rows, int64_t cols, const uint8_t *x, const int32_t *index,
                      const void *pscale, const void *pshift, void *py) {
  const real *factor = pscale, *shift = pshift;
  real *y = py;
  for (int64_t r = 0; r < rows; r++, y += cols) {
    const uint8_t *row = x + index[r] * cols;
    const uint8_t *next = x + index[row_ahead(r, rows, cols)] * cols;
    int64_t c = 0;
    for (; c + PIECE <= cols; c += PIECE) {
      vec x8[PIECE_VECS];
      if (c % LINE == 0) v_prefetch(next + c);
      for (int i = 0; i < PIECE_VECS; i++) x8[i] = v_load_u8(row + c + i * V_N);
      store_piece(x8, factor, shift, c, y);
    }
    v_prefetch(next + c);
    for (; c + V_N <= cols; c += V_N)
      v_store(y + c, standardised(v_load_u8(row + c), factor, shift, c));
    if (c < cols) {
      const int64_t n = cols - c;
      const vec part = v_load_u8_part(row + c, n);
      v_store_part(y + c, standardised_part(part, factor, shift, c, n), n);
    }
  }
}

static void gather_f32(int64_t rows, int64_t cols, const float *x, const int32_t *index,
                       const void *pscale, const void *pshift, void *py) {
  const real *factor = pscale, *shift = pshift;
  real *y = py;
  for (int64_t r = 0; r < rows; r++, y += cols) {
    const float *row = x + index[r] * cols;
    const float *next = x + index[row_ahead(r, rows, cols * (int64_t)sizeof *x)] * cols;
    int64_t c = 0;
    for (; c + PIECE <= cols; c += PIECE) {
      vec x32[PIECE_VECS];
      v_prefetch(next + c);
      v_prefetch(next + c + LINE / (int)sizeof *x);
      for (int i = 0; i < PIECE_VECS; i++) x32[i] = v_load_f32(row + c + i * V_N);
      store_piece(x32, factor, shift, c, y);
    }
    v_prefetch(next + c);
    for (; c + V_N <= cols; c += V_N)
      v_store(y + c, standardised(v_load_f32(row + c), factor, shift, c));
    if (c < cols) {
      const int64_t n = cols - c;
      const vec part = v_load_f32_part(row + c, n);
      v_store_part(y + c, standardised_part(part, factor, shift, c, n), n);
    }
  }
}

#endif
