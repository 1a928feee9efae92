/* op_norm_second.c: the derivative of batch_norm_grad, see op_norm_grad.c. u, p, q are cotangents
 * of dx, dgamma, dbeta. With U = S(u xh), K = S(c xh), A = S(u c) - S(u) S(c) / n,
 * ut = u - S(u) / n - xh U / n, ct likewise of c:
 *
 *     of c:      gamma r ut + p xh + q
 *     of gamma:  r (A - U K / n)
 *     of x:      -gamma r^2 ((A - U K / n) xh + K ut + U ct) / n + p r ct
 */
#include "graph/batch_power_int.h"
#include "graph/norm_int.h"

/* x, c, gamma, stats, u (like x), p (C), q (C) -> dx, dc, dgamma */
static sw_status batch_norm_grad2_shape(swi_shape_args *a) {
  SW_TRY(swi_norm_check_grad(a));
  SW_TRY(swi_norm_check_like_x(a, 4));
  SW_TRY(swi_norm_check_channels(a, 5, "the cotangent of dgamma"));
  SW_TRY(swi_norm_check_channels(a, 6, "the cotangent of dbeta"));
  sw_dependence all = swi_norm_dependence(a, 7);
  a->out[0] = a->out[1] = swi_norm_like_x(a->in[0], all, a->attrs->n);
  a->out[2] = swi_norm_per_channel(a->in[0], all);
  return SW_OK;
}

/* What a channel of grad2 is made of; p and q are 0 where they are not there. */
typedef struct second {
  double a, r, n, p, q;                    /* gamma r; values; cotangents of dgamma, dbeta */
  double sum_c, sum_u, big_k, big_u, rest; /* S(c), S(u), K, U, A - U K / n */
} second;

static second second_of(const swi_norm_block *b, const char *rs, int64_t j) {
  const swi_eval_args *e = b->e;
  const double(*s)[SWI_NORM_COLS] = (const double(*)[SWI_NORM_COLS])b->sums[0];
  int64_t at = b->channel + j;
  second t = {.r = swi_norm_get(b, rs, j), .n = (double)b->rows};
  t.a = swi_norm_get(b, e->in[2], at) * t.r;
  t.p = e->attrs->absent & SWI_NO_P ? 0 : swi_norm_get(b, e->in[5], at);
  t.q = e->attrs->absent & SWI_NO_Q ? 0 : swi_norm_get(b, e->in[6], at);
  t.sum_c = s[SWI_SUM_C][j];
  t.sum_u = s[SWI_SUM_U][j];
  t.big_k = t.r * s[SWI_SUM_CX][j];
  t.big_u = t.r * s[SWI_SUM_UX][j];
  t.rest = s[SWI_SUM_UC][j] - t.sum_u * t.sum_c / t.n - t.big_u * t.big_k / t.n;
  return t;
}

static void factors_of_dc(const swi_norm_block *b, swi_norm_combination *to, int64_t j,
                          const second *t) {
  swi_norm_set(b, to->of_u, j, t->a);
  swi_norm_set(b, to->of_x, j, t->r * (t->p - t->a * t->big_u / t->n));
  swi_norm_set(b, to->shift, j, t->q - t->a * t->sum_u / t->n);
}

static void factors_of_dx(const swi_norm_block *b, swi_norm_combination *to, int64_t j,
                          const second *t) {
  double of_ut = -t->a * t->r * t->big_k / t->n;
  double of_ct = -t->a * t->r * t->big_u / t->n + t->p * t->r;
  double of_xh = -t->a * t->r * t->rest / t->n - (of_ut * t->big_u + of_ct * t->big_k) / t->n;
  swi_norm_set(b, to->of_u, j, of_ut);
  swi_norm_set(b, to->of_c, j, of_ct);
  swi_norm_set(b, to->of_x, j, t->r * of_xh);
  swi_norm_set(b, to->shift, j, -(of_ut * t->sum_u + of_ct * t->sum_c) / t->n);
}

static void grad2_ghost(swi_norm_block *b, int64_t i, swi_norm_totals result) {
  const swi_eval_args *e = b->e;
  const char *rs = swi_norm_stats(b, i);
  b->c = e->in[1];
  b->u = e->attrs->absent & SWI_NO_U ? NULL : e->in[4];
  swi_norm_sum(b);
  for (int64_t j = 0; j < b->cols; j++) {
    second t = second_of(b, rs, j);
    factors_of_dx(b, &b->result[0], j, &t);
    factors_of_dc(b, &b->result[1], j, &t);
    result[0][j] = t.r * t.rest;
    result[1][j] = 0;
  }
  for (int k = 0; k < 2; k++) {
    b->result[k].out = e->out[k];
    b->result[k].with_c = k == 0;
  }
  b->n_results = e->out[1] ? 2 : 1;
  swi_norm_combine(b);
}

static sw_status batch_norm_grad2_eval(const swi_eval_args *e) {
  swi_norm_run(e, grad2_ghost, 0, (void *[2]){e->out[2], NULL});
  return SW_OK;
}

const swi_op_row swi_row_batch_norm_grad2 = {.n_in = 7,
                                             .n_out = 3,
                                             .attrs = SW_ATTR_VALUE | SW_ATTR_N | SW_ATTR_ABSENT,
                                             .shape = batch_norm_grad2_shape,
                                             .eval = batch_norm_grad2_eval,
                                             .vjp = swi_norm_third,
                                             .power = swi_power_zero};
