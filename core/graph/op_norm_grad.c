/* op_norm_grad.c: the derivative of batch normalisation, see op_norm.c. c is the cotangent of y; S
 * sums over a ghost:
 *
 *   dbeta = S(c), dgamma = S(c xh), dx = gamma r (c - S(c) / n - xh S(c xh) / n)
 *
 * Of a norm with a fused ReLU, c counts only where y is positive (beta is its bias).
 */
#include "graph/batch_power_int.h"
#include "graph/norm_int.h"

/* x, c (like x), gamma (C), stats -> dx, dgamma, dbeta */
static sw_status batch_norm_grad_shape(swi_shape_args *a) {
  SW_TRY(swi_norm_check_grad(a));
  sw_dependence all = swi_norm_dependence(a, 4);
  a->out[0] = swi_norm_like_x(a->in[0], all, a->attrs->n);
  a->out[1] = a->out[2] = swi_norm_per_channel(a->in[0], all);
  return SW_OK;
}

/* The factors of the forward pass, to the bit. */
static void take_gate(swi_norm_block *b, const char *rs) {
  const swi_eval_args *e = b->e;
  b->gated = e->activation == SWI_ACT_RELU;
  for (int64_t j = 0; b->gated && j < b->cols; j++) {
    swi_norm_set(b, b->gate_factor, j,
                 swi_norm_get(b, e->in[2], b->channel + j) * swi_norm_get(b, rs, j));
    swi_norm_set(b, b->gate_shift, j, swi_norm_get(b, e->bias, b->channel + j));
  }
}

static void grad_ghost(swi_norm_block *b, int64_t i, swi_norm_totals result) {
  const swi_eval_args *e = b->e;
  const char *rs = swi_norm_stats(b, i);
  double n = (double)b->rows;
  swi_norm_combination *to = &b->result[0];
  take_gate(b, rs);
  b->c = e->in[1];
  swi_norm_sum(b);
  for (int64_t j = 0; j < b->cols; j++) {
    double r = swi_norm_get(b, rs, j), a = swi_norm_get(b, e->in[2], b->channel + j) * r;
    double sum = b->sums[0][SWI_SUM_C][j], k = r * b->sums[0][SWI_SUM_CX][j];
    result[0][j] = k;
    result[1][j] = sum;
    swi_norm_set(b, to->of_c, j, a);
    swi_norm_set(b, to->of_x, j, -a * r * k / n);
    swi_norm_set(b, to->shift, j, -a * sum / n);
  }
  to->out = e->out[0];
  to->with_c = 1;
  swi_norm_combine(b);
}

static sw_status batch_norm_grad_eval(const swi_eval_args *e) {
  swi_norm_run(e, grad_ghost, 0, (void *[2]){e->out[1], e->out[2]});
  return SW_OK;
}

static void batch_norm_grad_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge x = v->in[0], gamma = v->in[2];
  sw_edge u = v->cotangent[0], p = v->cotangent[1], q = v->cotangent[2];
  sw_attrs attrs = {.value = v->attrs->value, .n = v->attrs->n};
  if (u.node < 0 && p.node < 0) {
    v->grad[1] = swi_broadcast_like(g, q, x); /* dbeta = S(c) */
    return;
  }
  attrs.absent =
      (u.node < 0 ? SWI_NO_U : 0u) | (p.node < 0 ? SWI_NO_P : 0u) | (q.node < 0 ? SWI_NO_Q : 0u);
  sw_edge in[] = {x,
                  v->in[1],
                  gamma,
                  v->in[3],
                  u.node < 0 ? x : u,
                  p.node < 0 ? gamma : p,
                  q.node < 0 ? gamma : q};
  v->grad[0] = swi_build_from(g, SW_OP_batch_norm_grad2, in, &attrs);
  v->grad[1] = (sw_edge){v->grad[0].node, 1};
  if (u.node >= 0) v->grad[2] = (sw_edge){v->grad[0].node, 2};
}

/* Of dx, which is linear in c; the others are sums. */
static int grad_power(const swi_power_args *a) {
  return a->in[0] == 0 && a->in[2] == 0 && a->in[3] == 0 ? a->in[1] : SWI_POWER_NONE;
}

const swi_op_row swi_row_batch_norm_grad = {.n_in = 4,
                                            .n_out = 3,
                                            .attrs = SW_ATTR_VALUE | SW_ATTR_N,
                                            .shape = batch_norm_grad_shape,
                                            .eval = batch_norm_grad_eval,
                                            .vjp = batch_norm_grad_vjp,
                                            .power = grad_power};
