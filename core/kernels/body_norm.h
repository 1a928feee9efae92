/* body_norm.h: kernels of batch normalisation over rows of channels: moments, sums of products with
 * cotangents, and linear combinations. See swi_norm in kernels_int.h.
 *
 * Sums: CHUNK rows in float, in groups of eight rows, chunks in double. Deviations are taken from
 * the mean of a chunk's first rows, which are part of the chunk: the error of its variance is at
 * most CHUNK / 8 roundings, for any data.
 */
#ifndef SW_BODY_NORM_H
#define SW_BODY_NORM_H

enum { CHUNK = 128, GROUP = 8, COMBINED = 4, MANY_ROWS = 1024 };

INLINE void add_to(real *p, vec a, int64_t n) { store_first(p, v_add(load_first(p, n), a), n); }

/* ------------------------------------------------------------------ moments */

/* The mean of the first rows, at most GROUP: any number near the chunk's values works. */
static void first_means(int64_t rows, int64_t cols, int64_t ld, const real *x, real *mean) {
  const int64_t n = rows < GROUP ? rows : GROUP;
  const double share = 1 / (double)n;
  fill(cols, 0, mean);
  for (int64_t r = 0; r < n; r++) axpy(cols, share, x + r * ld, mean);
}

/* sum += d, squares += d^2, d = x - shift */
INLINE void add_deviations(int count, int64_t n, int64_t ld, const real *x, const real *shift,
                           real *sum, real *squares) {
  const vec from = load_first(shift, n);
  vec s = v_set1(0), q = v_set1(0);
  for (int r = 0; r < count; r++) {
    const vec d = v_sub(load_first(x + r * ld, n), from);
    s = v_add(s, d);
    q = v_fma(d, d, q);
  }
  add_to(sum, s, n);
  add_to(squares, q, n);
}

INLINE void add_deviations_of_rows(int count, int64_t cols, int64_t ld, const real *x,
                                   const real *shift, real *sum, real *squares) {
  int64_t j = 0;
  for (; j + V_N <= cols; j += V_N)
    add_deviations(count, V_N, ld, x + j, shift + j, sum + j, squares + j);
  if (j < cols) add_deviations(count, cols - j, ld, x + j, shift + j, sum + j, squares + j);
}

/* Takes n more values of the given sums into the mean and m2 = sum of (x - mean)^2 of `before`. */
static void merge_chunk(int64_t before, int64_t n, int64_t cols, const real *shift, const real *sum,
                        const real *squares, double *mean, double *m2) {
  const double count = (double)n, share = count / (double)(before + n);
  for (int64_t j = 0; j < cols; j++) {
    const double s = (double)sum[j], own = (double)squares[j] - s * s / count;
    const double d = (double)shift[j] + s / count - mean[j];
    mean[j] += d * share;
    m2[j] += (own < 0 ? 0 : own) + d * d * share * (double)before;
  }
}

static void norm_moments(int64_t rows, int64_t cols, int64_t ld, const void *px, double *mean,
                         double *m2) {
  real shift[SWI_NORM_COLS], sum[SWI_NORM_COLS], squares[SWI_NORM_COLS];
  for (int64_t j = 0; j < cols; j++) mean[j] = m2[j] = 0;
  for (int64_t first = 0; first < rows; first += CHUNK) {
    const real *x = (const real *)px + first * ld;
    const int64_t n = rows - first < CHUNK ? rows - first : CHUNK;
    int64_t r = 0;
    first_means(n, cols, ld, x, shift);
    fill(cols, 0, sum);
    fill(cols, 0, squares);
    for (; r + GROUP <= n; r += GROUP)
      add_deviations_of_rows(GROUP, cols, ld, x + r * ld, shift, sum, squares);
    for (; r < n; r++) add_deviations_of_rows(1, cols, ld, x + r * ld, shift, sum, squares);
    merge_chunk(first, n, cols, shift, sum, squares, mean, m2);
  }
}

/* ------------------------------------------------------------------ sums */

static void add_cols(int64_t rows, int64_t cols, int64_t ld, const void *px, double *y) {
  real sum[SWI_NORM_COLS];
  for (int64_t first = 0; first < rows; first += CHUNK) {
    const real *x = (const real *)px + first * ld;
    const int64_t n = rows - first < CHUNK ? rows - first : CHUNK;
    int64_t r = 0;
    fill(cols, 0, sum);
    for (; r + 8 <= n; r += 8) {
      int64_t j = 0;
      for (; j + V_N <= cols; j += V_N) add_to(sum + j, add_eight(x + r * ld + j, ld), V_N);
      if (j < cols) add_to(sum + j, add_eight_part(x + r * ld + j, ld, cols - j), cols - j);
    }
    for (; r < n; r++) map2(cols, sum, x + r * ld, sum, v_add);
    for (int64_t j = 0; j < cols; j++) y[j] += (double)sum[j];
  }
}

/* y[c] = sum over rows, in double beyond a chunk where there are many. */
static void sum_cols(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  if (rows <= MANY_ROWS) {
    sum_some_rows(rows, cols, x, y);
    return;
  }
  for (int64_t first = 0; first < cols; first += SWI_NORM_COLS) {
    const int64_t n = cols - first < SWI_NORM_COLS ? cols - first : SWI_NORM_COLS;
    double sum[SWI_NORM_COLS] = {0};
    add_cols(rows, n, cols, x + first, sum);
    for (int64_t j = 0; j < n; j++) y[first + j] = (real)sum[j];
  }
}

/* ------------------------------------------------------------------ sums with cotangents */

/* c where the normalised x is positive */
INLINE vec gated_c(const swi_norm *m, int64_t j, int64_t n, vec c, vec deviation) {
  const real *factor = m->gate_factor, *shift = m->gate_shift;
  return gate(c, v_fma(deviation, load_first(factor + j, n), load_first(shift + j, n)));
}

INLINE void add_products(const swi_norm *m, int count, int gated, int both, int64_t r, int64_t j,
                         int64_t n, real sum[][SWI_NORM_COLS]) {
  const int64_t at = r * m->ld + j;
  const real *x = (const real *)m->x + at, *c = (const real *)m->c + at;
  const real *u = both ? (const real *)m->u + at : NULL;
  const vec mean = load_first((const real *)m->mean + j, n), zero = v_set1(0);
  vec of_c = zero, of_cx = zero, of_u = zero, of_ux = zero, of_uc = zero;
  for (int64_t i = 0; i < count; i++) {
    const vec d = v_sub(load_first(x + i * m->ld, n), mean);
    vec vc = load_first(c + i * m->ld, n);
    if (gated) vc = gated_c(m, j, n, vc, d);
    of_c = v_add(of_c, vc);
    of_cx = v_fma(vc, d, of_cx);
    if (!both) continue;
    const vec vu = load_first(u + i * m->ld, n);
    of_u = v_add(of_u, vu);
    of_ux = v_fma(vu, d, of_ux);
    of_uc = v_fma(vu, vc, of_uc);
  }
  add_to(sum[SWI_SUM_C] + j, of_c, n);
  add_to(sum[SWI_SUM_CX] + j, of_cx, n);
  if (!both) return;
  add_to(sum[SWI_SUM_U] + j, of_u, n);
  add_to(sum[SWI_SUM_UX] + j, of_ux, n);
  add_to(sum[SWI_SUM_UC] + j, of_uc, n);
}

INLINE void add_products_of_rows(const swi_norm *m, int count, int gated, int both, int64_t r,
                                 real sum[][SWI_NORM_COLS]) {
  int64_t j = 0;
  for (; j + V_N <= m->cols; j += V_N) add_products(m, count, gated, both, r, j, V_N, sum);
  if (j < m->cols) add_products(m, count, gated, both, r, j, m->cols - j, sum);
}

INLINE void sum_products(const swi_norm *m, int gated, int both, double (*total)[SWI_NORM_COLS]) {
  const int n_sums = both ? SWI_NORM_SUMS : SWI_SUM_CX + 1;
  real sum[SWI_NORM_SUMS][SWI_NORM_COLS];
  for (int s = 0; s < SWI_NORM_SUMS; s++)
    for (int64_t j = 0; j < m->cols; j++) total[s][j] = 0;
  for (int64_t first = 0; first < m->rows; first += CHUNK) {
    const int64_t end = m->rows - first < CHUNK ? m->rows : first + CHUNK;
    int64_t r = first;
    for (int s = 0; s < n_sums; s++) fill(m->cols, 0, sum[s]);
    for (; r + GROUP <= end; r += GROUP) add_products_of_rows(m, GROUP, gated, both, r, sum);
    for (; r < end; r++) add_products_of_rows(m, 1, gated, both, r, sum);
    for (int s = 0; s < n_sums; s++)
      for (int64_t j = 0; j < m->cols; j++) total[s][j] += (double)sum[s][j];
  }
}

static void norm_sums(const swi_norm *m, double (*total)[SWI_NORM_COLS]) {
  if (m->u)
    sum_products(m, 0, 1, total);
  else if (m->gate_factor)
    sum_products(m, 1, 0, total);
  else
    sum_products(m, 0, 0, total);
}

/* ------------------------------------------------------------------ combinations */

enum { WITH_U = 1, WITH_C = 2, GATED = 4, WITH_RELU = 8 };

INLINE void combine(const swi_norm *m, const swi_norm_factors *f, int count, int how, int64_t r,
                    int64_t j, int64_t n, real *y) {
  const real *x = (const real *)m->x + j, *c = (const real *)m->c, *u = (const real *)m->u;
  const vec mean = load_first((const real *)m->mean + j, n), zero = v_set1(0);
  const vec of_x = load_first((const real *)f->of_x + j, n),
            shift = load_first((const real *)f->shift + j, n);
  const vec of_c = how & WITH_C ? load_first((const real *)f->of_c + j, n) : zero;
  const vec of_u = how & WITH_U ? load_first((const real *)f->of_u + j, n) : zero;
  for (int64_t i = r; i < r + count; i++) {
    const vec d = v_sub(load_first(x + i * m->ld, n), mean);
    vec sum = v_fma(d, of_x, shift);
    if (how & WITH_C) {
      vec vc = load_first(c + i * m->ld + j, n);
      if (how & GATED) vc = gated_c(m, j, n, vc, d);
      sum = v_fma(vc, of_c, sum);
    }
    if (how & WITH_U) sum = v_fma(load_first(u + i * m->ld + j, n), of_u, sum);
    store_first(y + i * m->ld + j, how & WITH_RELU ? v_relu(sum) : sum, n);
  }
}

INLINE void combine_rows(const swi_norm *m, const swi_norm_factors *f, int count, int how,
                         int64_t r, real *y) {
  int64_t j = 0;
  for (; j + V_N <= m->cols; j += V_N) combine(m, f, count, how, r, j, V_N, y);
  if (j < m->cols) combine(m, f, count, how, r, j, m->cols - j, y);
}

INLINE void combine_all(const swi_norm *m, const swi_norm_factors *f, int how, real *y) {
  int64_t r = 0;
  for (; r + COMBINED <= m->rows; r += COMBINED) combine_rows(m, f, COMBINED, how, r, y);
  for (; r < m->rows; r++) combine_rows(m, f, 1, how, r, y);
}

static void norm_combine(const swi_norm *m, const swi_norm_factors *f, int relu, void *y) {
  if (f->of_c && f->of_u)
    combine_all(m, f, WITH_C | WITH_U, y);
  else if (f->of_u)
    combine_all(m, f, WITH_U, y);
  else if (f->of_c && m->gate_factor)
    combine_all(m, f, WITH_C | GATED, y);
  else if (f->of_c)
    combine_all(m, f, WITH_C, y);
  else if (relu)
    combine_all(m, f, WITH_RELU, y);
  else
    combine_all(m, f, 0, y);
}

#endif
