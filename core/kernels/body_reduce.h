/* body_reduce.h: sums, dot products and maxima of a vector, of rows and of columns.
 *
 * Order of additions: blocks of BLOCK elements, each in four vectors of partial sums that are added
 * as a tree; the blocks' sums are added in double. It depends on n alone, and the error does not
 * grow with n beyond a block, in which an element of a vector adds up 128 numbers.
 */
#ifndef SW_BODY_REDUCE_H
#define SW_BODY_REDUCE_H

enum { BLOCK = V_N < 8 ? 512 * V_N : 4096 };

static inline double add_four(const vec s[4]) {
  return (double)v_reduce_add(v_add(v_add(s[0], s[1]), v_add(s[2], s[3])));
}

static inline double sum_block(int64_t n, const real *x) {
  vec s[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
  int64_t i = 0;
  for (; i + 4 * V_N <= n; i += 4 * V_N)
    for (int k = 0; k < 4; k++) s[k] = v_add(s[k], v_load(x + i + k * V_N));
  for (; i + V_N <= n; i += V_N) s[0] = v_add(s[0], v_load(x + i));
  if (i < n) s[1] = v_add(s[1], v_load_part(x + i, n - i));
  return add_four(s);
}

static inline double dot_block(int64_t n, const real *a, const real *b) {
  vec s[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
  int64_t i = 0;
  for (; i + 4 * V_N <= n; i += 4 * V_N)
    for (int k = 0; k < 4; k++)
      s[k] = v_fma(v_load(a + i + k * V_N), v_load(b + i + k * V_N), s[k]);
  for (; i + V_N <= n; i += V_N) s[0] = v_fma(v_load(a + i), v_load(b + i), s[0]);
  if (i < n) s[1] = v_fma(v_load_part(a + i, n - i), v_load_part(b + i, n - i), s[1]);
  return add_four(s);
}

static inline int64_t block_at(int64_t i, int64_t n) { return n - i < BLOCK ? n - i : BLOCK; }

static double sum(int64_t n, const void *px) {
  const real *x = px;
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) total += sum_block(block_at(i, n), x + i);
  return total;
}

static double dot(int64_t n, const void *pa, const void *pb) {
  const real *a = pa, *b = pb;
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) total += dot_block(block_at(i, n), a + i, b + i);
  return total;
}

/* Of the first m elements of a vector; the others count as 0. */
static inline vec deviation_part(const real *x, int64_t m, vec about) {
  return v_select(v_head(m), v_sub(v_load_part(x, m), about), v_set1(0));
}

static inline void deviations_block(int64_t n, const real *x, vec about, double sums[2]) {
  vec s[4], q[4];
  int64_t i = 0;
  for (int k = 0; k < 4; k++) s[k] = q[k] = v_set1(0);
  for (; i + 4 * V_N <= n; i += 4 * V_N)
    for (int k = 0; k < 4; k++) {
      const vec d = v_sub(v_load(x + i + k * V_N), about);
      s[k] = v_add(s[k], d);
      q[k] = v_fma(d, d, q[k]);
    }
  for (int k = 0; i < n; i += V_N, k = (k + 1) % 4) {
    const vec d = n - i < V_N ? deviation_part(x + i, n - i, about) : v_sub(v_load(x + i), about);
    s[k] = v_add(s[k], d);
    q[k] = v_fma(d, d, q[k]);
  }
  sums[0] += add_four(s);
  sums[1] += add_four(q);
}

static void deviations(int64_t n, double about, const void *px, double sums[2]) {
  const real *x = px;
  const vec from = v_set1(about);
  for (int64_t i = 0; i < n; i += BLOCK) deviations_block(block_at(i, n), x + i, from, sums);
}

static void normalise(int64_t n, double about, double off, double r, const void *px, void *py) {
  const vec from = v_set1(about), rest = v_set1(off), factor = v_set1(r);
  const real *x = px;
  real *y = py;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N)
    v_store(y + i, v_mul(v_sub(v_sub(v_load(x + i), from), rest), factor));
  if (i == n) return;
  const vec d = v_sub(v_sub(v_load_part(x + i, n - i), from), rest);
  v_store_part(y + i, v_mul(d, factor), n - i);
}

/* n >= 1. v_max drops a NaN in its first operand, so NaNs are recorded separately. */
static double largest(int64_t n, const void *px) {
  const real *x = px;
  const vec lowest = v_set1(-__builtin_inf());
  vec best = lowest;
  mask is_nan = v_ne(lowest, lowest);
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) {
    const vec v = v_load(x + i);
    is_nan = v_or(is_nan, v_ne(v, v));
    best = v_max(v, best);
  }
  if (i < n) {
    const vec v = v_select(v_head(n - i), v_load_part(x + i, n - i), lowest);
    is_nan = v_or(is_nan, v_ne(v, v));
    best = v_max(v, best);
  }
  return v_any(is_nan) ? __builtin_nan("") : (double)v_reduce_max(best);
}

static int64_t argmax(int64_t n, const void *px) {
  const real *x = px;
  const double value = largest(n, x);
  const real best = (real)value;
  int64_t i = 0;
  if (value != value)
    while (x[i] == x[i]) i++;
  else
    while (x[i] != best) i++;
  return i;
}

static void sum_rows(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  for (int64_t r = 0; r < rows; r++) y[r] = (real)sum(cols, x + r * cols);
}

static void sumsq_rows(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  for (int64_t r = 0; r < rows; r++) y[r] = (real)dot(cols, x + r * cols, x + r * cols);
}

/* y += the rows x[0 .. 7], as a tree: y is read and written once for eight rows */
static inline vec add_eight(const real *x, int64_t cols) {
  const vec a = v_add(v_load(x), v_load(x + cols));
  const vec b = v_add(v_load(x + 2 * cols), v_load(x + 3 * cols));
  const vec c = v_add(v_load(x + 4 * cols), v_load(x + 5 * cols));
  const vec d = v_add(v_load(x + 6 * cols), v_load(x + 7 * cols));
  return v_add(v_add(a, b), v_add(c, d));
}

static inline vec add_eight_part(const real *x, int64_t cols, int64_t n) {
  const vec a = v_add(v_load_part(x, n), v_load_part(x + cols, n));
  const vec b = v_add(v_load_part(x + 2 * cols, n), v_load_part(x + 3 * cols, n));
  const vec c = v_add(v_load_part(x + 4 * cols, n), v_load_part(x + 5 * cols, n));
  const vec d = v_add(v_load_part(x + 6 * cols, n), v_load_part(x + 7 * cols, n));
  return v_add(v_add(a, b), v_add(c, d));
}

/* At most MANY_ROWS: adding sums of eight rows to the total loses little. */
static void sum_some_rows(int64_t rows, int64_t cols, const real *x, real *y) {
  int64_t r = 0;
  fill(cols, 0, y);
  for (; r + 8 <= rows; r += 8, x += 8 * cols) {
    int64_t c = 0;
    for (; c + V_N <= cols; c += V_N) v_store(y + c, v_add(v_load(y + c), add_eight(x + c, cols)));
    if (c == cols) continue;
    const int64_t n = cols - c;
    v_store_part(y + c, v_add(v_load_part(y + c, n), add_eight_part(x + c, cols, n)), n);
  }
  for (; r < rows; r++, x += cols) map2(cols, y, x, y, v_add);
}

#endif
