/* op_math.c: derivatives of functions of real numbers, element by element: roots, powers, |x|, erf,
 * softplus, the larger and the smaller of two. */
#include <math.h>

#include "graph/build.h"

/* d sqrt(x) = 1 / (2 y) */
void swi_sqrt_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_div(g, swi_scale(g, v->cotangent[0], 0.5, 0), v->out[0]);
}

/* d |x| = sign(x), 0 at 0 */
void swi_abs_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge sign = swi_build(g, SW_OP_sign, v->in[0], SW_NO_EDGE, SW_NO_EDGE, NULL);
  v->grad[0] = swi_mul(g, v->cotangent[0], sign);
}

/* c times factor times 2 / sqrt(pi) exp(-x^2), the derivative of erf(x) */
static sw_edge times_bell(sw_graph *g, sw_edge c, sw_edge x, double factor) {
  sw_edge square = swi_neg(g, swi_mul(g, x, x));
  sw_edge bell = swi_build(g, SW_OP_exp, square, SW_NO_EDGE, SW_NO_EDGE, NULL);
  return swi_mul(g, c, swi_scale(g, bell, factor * 2 / sqrt(acos(-1)), 0));
}

void swi_erf_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = times_bell(g, v->cotangent[0], v->in[0], 1);
}

void swi_erfc_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = times_bell(g, v->cotangent[0], v->in[0], -1);
}

/* d softplus(x) = sigmoid(x) */
void swi_softplus_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge slope = swi_build(g, SW_OP_sigmoid, v->in[0], SW_NO_EDGE, SW_NO_EDGE, NULL);
  v->grad[0] = swi_mul(g, v->cotangent[0], slope);
}

/* y = a^b: da = b a^(b-1), and 0 where b is; db = y log(a), and 0 where y is, or a and b >= 0 */
void swi_pow_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0], one = swi_fill(g, 1);
  sw_edge lower = swi_build(g, SW_OP_pow, a, swi_sub(g, b, one), SW_NO_EDGE, NULL);
  sw_edge zero = swi_fill(g, 0);
  sw_edge slope_a = swi_where(g, b, swi_mul(g, b, lower), zero);
  /* log(1) = 0 stands for log(0), but where 0^b is infinite */
  sw_edge finite = swi_build(g, SW_OP_ge, b, zero, SW_NO_EDGE, NULL);
  sw_edge safe = swi_where(g, a, a, swi_where(g, finite, one, a));
  sw_edge log_a = swi_build(g, SW_OP_log, safe, SW_NO_EDGE, SW_NO_EDGE, NULL);
  sw_edge slope_b = swi_where(g, v->out[0], swi_mul(g, v->out[0], log_a), zero);
  v->grad[0] = swi_sum_to(g, swi_mul(g, c, slope_a), a);
  v->grad[1] = swi_sum_to(g, swi_mul(g, c, slope_b), b);
}

/* The one that is chosen gets it all, equals get half each. The other gets 0, even if c is
 * infinite, as it is for sqrt(max(x, 0)) at x < 0. */
static void chosen(sw_graph *g, swi_vjp_args *v, sw_op wins) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0];
  sw_edge shared = swi_where(g, swi_eq(g, a, b), swi_scale(g, c, 0.5, 0), swi_fill(g, 0));
  sw_edge a_wins = swi_build(g, wins, a, b, SW_NO_EDGE, NULL);
  sw_edge b_wins = swi_build(g, wins, b, a, SW_NO_EDGE, NULL);
  v->grad[0] = swi_sum_to(g, swi_where(g, a_wins, c, shared), a);
  v->grad[1] = swi_sum_to(g, swi_where(g, b_wins, c, shared), b);
}

void swi_maximum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_gt); }
void swi_minimum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_lt); }
