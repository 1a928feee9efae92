/* body_plain.h: any product in plain C, for scalar code without a usable OpenBLAS. A sum runs over
 * parts of k, each from 0, as those of body_packed.h.
 */
#ifndef SW_BODY_PLAIN_H
#define SW_BODY_PLAIN_H

enum { PLAIN_COLS = 64, PLAIN_K = 256 }; /* of a row of C at a time; of a part */

/* sum[c] = terms p ... end - 1 of row i, columns j + c */
static void plain_part(const swi_product *g, int64_t i, int64_t j, int64_t cols, int64_t p,
                       int64_t end, real *sum) {
  for (int64_t c = 0; c < cols; c++) sum[c] = 0;
  for (; p < end; p++) {
    const real x = ((const real *)g->a)[i * g->row_step + p * g->k_step];
    const real *b = (const real *)g->b + (g->transpose_b ? j * g->ldb + p : p * g->ldb + j);
    const int64_t step = g->transpose_b ? g->ldb : 1;
    if (step == 1)
      for (int64_t c = 0; c < cols; c++) sum[c] += x * b[c];
    else
      for (int64_t c = 0; c < cols; c++) sum[c] += x * b[c * step];
  }
}

static void plain_columns(const swi_product *g, int64_t i, int64_t j, int64_t cols) {
  real *c = (real *)g->c + i * g->ldc + j, sum[PLAIN_COLS];
  const real *bias = g->bias;
  for (int64_t p = 0; p < g->k; p += PLAIN_K) {
    plain_part(g, i, j, cols, p, g->k - p < PLAIN_K ? g->k : p + PLAIN_K, sum);
    const int first = p == 0 && !g->accumulate;
    for (int64_t q = 0; q < cols; q++) c[q] = first ? sum[q] : c[q] + sum[q];
  }
  for (int64_t q = 0; bias && q < cols; q++) c[q] += bias[j + q];
  for (int64_t q = 0; g->relu && q < cols; q++) c[q] = v_relu(c[q]);
}

static void gemm_plain(const swi_product *g) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j += PLAIN_COLS)
      plain_columns(g, i, j, g->n - j < PLAIN_COLS ? g->n - j : PLAIN_COLS);
}

#endif
