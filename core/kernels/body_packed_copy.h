/* body_packed_copy.h: copies of A's rows and B's columns in the order in which the packed product
 * reads them, and prefetching what is copied next.
 */
#ifndef SW_BODY_PACKED_COPY_H
#define SW_BODY_PACKED_COPY_H

enum { PANEL = 2 * V_N }; /* columns of B in a panel */

/* Cache lines to prefetch: count of them step bytes apart, then as many from jump bytes on, lines
 * altogether. */
typedef struct row_fetch {
  uintptr_t at;
  int64_t step, jump, count, lines;
  int64_t left; /* of count */
} row_fetch;

INLINE void fetch_row_line(row_fetch *f) {
  v_prefetch((const void *)f->at);
  f->at += (uintptr_t)f->step;
  if (--f->left > 0) return;
  f->at += (uintptr_t)f->jump;
  f->left = f->count;
}

/* The lines of n rows of A or columns of B, k elements each: contiguous, element (i, p) is at
 * i step + p, else at p step + i. */
static row_fetch row_fetch_of(const real *from, int64_t n, int64_t k, int64_t step,
                              int contiguous) {
  const int64_t bytes = step * REAL_BYTES;
  const int64_t count = contiguous ? n : (n * REAL_BYTES + LINE - 1) / LINE;
  row_fetch f = {.count = count, .left = count};
  if (contiguous) {
    f.at = (uintptr_t)from;
    f.step = bytes;
    f.jump = LINE - count * bytes;
    f.lines = count * ((k * REAL_BYTES + LINE - 1) / LINE);
  } else { /* backwards: the line of the first may have been fetched for those before */
    f.at = (uintptr_t)(from + n - 1);
    f.step = -LINE;
    f.jump = bytes + count * LINE;
    f.lines = count * k;
  }
  return f;
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
  for (int64_t p = 0; p < k; p++, b += ldb, to += PANEL)
    for (int64_t c = 0; c < cols; c += V_N) v_store(to + c, load_first(b + c, cols - c));
}

#endif
