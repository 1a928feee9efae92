/* body_softmax.h: softmax and cross-entropy of rows, both by exp(x - max).
 *
 * A row with a NaN or +inf gives NaN. The loss has the same bits with and without prob.
 */
#ifndef SW_BODY_SOFTMAX_H
#define SW_BODY_SOFTMAX_H

enum { EXP_BLOCK = 512 }; /* elements in one vector of partial sums; blocks are added in double */

/* Sum of exp(x - max); the terms go to y unless it is NULL. */
INLINE double exp_sum_block(int64_t n, const real *x, vec max, real *y) {
  vec s = v_set1(0);
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) {
    const vec e = v_exp(v_sub(v_load(x + i), max));
    if (y) v_store(y + i, e);
    s = v_add(s, e);
  }
  if (i < n) {
    const vec e = v_exp(v_sub(v_load_part(x + i, n - i), max));
    if (y) v_store_part(y + i, e, n - i);
    s = v_add(s, v_select(v_head(n - i), e, v_set1(0)));
  }
  return (double)v_reduce_add(s);
}

static double exp_sum(int64_t n, const real *x, double max, real *y) {
  const vec m = v_set1(max);
  double total = 0;
  for (int64_t i = 0; i < n; i += EXP_BLOCK) {
    const int64_t size = n - i < EXP_BLOCK ? n - i : EXP_BLOCK;
    total += exp_sum_block(size, x + i, m, y ? y + i : NULL);
  }
  return total;
}

static void softmax(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  if (cols == 0) return;
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    const double total = exp_sum(cols, x, largest(cols, x), y);
    map_vs(cols, y, v_set1(total), y, v_div);
  }
}

static void cross_entropy(int64_t rows, int64_t cols, const void *px, const int32_t *label,
                          void *ploss, void *pprob) {
  const real *x = px;
  real *loss = ploss, *prob = pprob;
  for (int64_t r = 0; r < rows; r++, x += cols) {
    const double max = largest(cols, x), own = (double)x[label[r]];
    const double total = exp_sum(cols, x, max, prob);
    loss[r] = (real)(log(total) + (max - own));
    if (!prob) continue;
    map_vs(cols, prob, v_set1(total), prob, v_div);
    prob += cols;
  }
}

#endif
