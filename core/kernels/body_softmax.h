/* body_softmax.h: rows of softmax, its logarithm, and cross-entropies, all by exp(x - max).
 *
 * A row with a NaN or +inf, or of -inf alone, gives NaN; otherwise an element of -inf has
 * probability 0. The losses have the same bits with and without prob.
 */
#ifndef SW_BODY_SOFTMAX_H
#define SW_BODY_SOFTMAX_H

enum { EXP_BLOCK = 512 }; /* elements in one vector of partial sums; blocks are added in double */

/* Sums of e = exp(x - max): all of them, and those below 1, whose x is not the largest. */
typedef struct exp_sums {
  double total, rest;
} exp_sums;

INLINE vec below_max(vec e, vec x, vec max) { return v_select(v_lt(x, max), e, v_set1(0)); }

/* Adds a block's sums; the terms go to y unless it is NULL. */
INLINE void add_exp_block(int64_t n, const real *x, vec max, real *y, exp_sums *sums) {
  vec s = v_set1(0), rest = s;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) {
    const vec v = v_load(x + i), e = v_exp(v_sub(v, max));
    if (y) v_store(y + i, e);
    s = v_add(s, e);
    rest = v_add(rest, below_max(e, v, max));
  }
  if (i < n) {
    const vec v = v_load_part(x + i, n - i), all = v_exp_first(v_sub(v, max), n - i);
    const vec e = v_select(v_head(n - i), all, v_set1(0));
    if (y) v_store_part(y + i, all, n - i);
    s = v_add(s, e);
    rest = v_add(rest, below_max(e, v, max));
  }
  sums->total += (double)v_reduce_add(s);
  sums->rest += (double)v_reduce_add(rest);
}

static exp_sums exp_sum(int64_t n, const real *x, double max, real *y) {
  const vec m = v_set1(max);
  exp_sums sums = {0, 0};
  for (int64_t i = 0; i < n; i += EXP_BLOCK) {
    const int64_t size = n - i < EXP_BLOCK ? n - i : EXP_BLOCK;
    add_exp_block(size, x + i, m, y ? y + i : NULL, &sums);
  }
  return sums;
}

/* Near 1 the total is the largest element's 1 plus the rest, whose digits it has lost. */
static double log_of_total(const exp_sums *s) {
  return s->total < 2 ? log1p(s->rest) : log(s->total);
}

static void softmax(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  if (cols == 0) return;
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    const exp_sums sums = exp_sum(cols, x, largest(cols, x), y);
    map_vs(cols, y, v_set1(sums.total), y, v_div);
  }
}

/* (x - max) - log total: no term is positive, so that nothing cancels */
static void log_softmax(int64_t rows, int64_t cols, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  if (cols == 0) return;
  for (int64_t r = 0; r < rows; r++, x += cols, y += cols) {
    const double max = largest(cols, x);
    const exp_sums sums = exp_sum(cols, x, max, NULL);
    map_vs(cols, x, v_set1(max), y, v_sub);
    map_vs(cols, y, v_set1(log_of_total(&sums)), y, v_sub);
  }
}

static void cross_entropy(int64_t rows, int64_t cols, const void *px, const int32_t *label,
                          void *ploss, void *pprob) {
  const real *x = px;
  real *loss = ploss, *prob = pprob;
  for (int64_t r = 0; r < rows; r++, x += cols) {
    const double max = largest(cols, x), own = (double)x[label[r]];
    const exp_sums sums = exp_sum(cols, x, max, prob);
    loss[r] = (real)(log_of_total(&sums) + (max - own));
    if (!prob) continue;
    map_vs(cols, prob, v_set1(sums.total), prob, v_div);
    prob += cols;
  }
}

/* q ((max - x) + log total), and 0 where q is 0, whatever x is */
INLINE vec surprise(vec q, vec x, vec max, vec log_total) {
  const vec zero = v_set1(0);
  return v_select(v_ne(q, zero), v_mul(q, v_add(v_sub(max, x), log_total)), zero);
}

static double soft_loss(int64_t n, const real *x, const real *q, vec max, vec log_total) {
  double loss = 0;
  for (int64_t first = 0; first < n; first += EXP_BLOCK) {
    const int64_t end = n - first < EXP_BLOCK ? n : first + EXP_BLOCK;
    vec s = v_set1(0);
    int64_t i = first;
    for (; i + V_N <= end; i += V_N)
      s = v_add(s, surprise(v_load(q + i), v_load(x + i), max, log_total));
    if (i < end) {
      const vec vq = v_load_part(q + i, end - i), vx = v_load_part(x + i, end - i);
      s = v_add(s, surprise(vq, vx, max, log_total));
    }
    loss += (double)v_reduce_add(s);
  }
  return loss;
}

static void soft_cross_entropy(int64_t rows, int64_t cols, const void *px, const void *pq,
                               void *ploss, void *pprob) {
  const real *x = px, *q = pq;
  real *loss = ploss, *prob = pprob;
  for (int64_t r = 0; r < rows; r++, x += cols, q += cols) {
    const double max = largest(cols, x);
    const exp_sums sums = exp_sum(cols, x, max, prob);
    loss[r] = (real)soft_loss(cols, x, q, v_set1(max), v_set1(log_of_total(&sums)));
    if (!prob) continue;
    map_vs(cols, prob, v_set1(sums.total), prob, v_div);
    prob += cols;
  }
}

#endif
