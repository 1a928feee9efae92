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

/* d erf(x) = 2 / sqrt(pi) exp(-x^2) */
void swi_erf_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge square = swi_neg(g, swi_mul(g, v->in[0], v->in[0]));
  sw_edge bell = swi_build(g, SW_OP_exp, square, SW_NO_EDGE, SW_NO_EDGE, NULL);
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_scale(g, bell, 2 / sqrt(acos(-1)), 0));
}

/* d softplus(x) = sigmoid(x) */
void swi_softplus_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge slope = swi_build(g, SW_OP_sigmoid, v->in[0], SW_NO_EDGE, SW_NO_EDGE, NULL);
  v->grad[0] = swi_mul(g, v->cotangent[0], slope);
}

/* y = a^b: da = b a^(b-1), db = y log(a); the latter is 0 where a = 0 */
void swi_pow_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0], one = swi_fill(g, 1);
  sw_edge lower = swi_build(g, SW_OP_pow, a, swi_sub(g, b, one), SW_NO_EDGE, NULL);
  sw_edge safe = swi_where(g, a, a, one); /* log(1) = 0 stands for log(0) */
  sw_edge log_a = swi_build(g, SW_OP_log, safe, SW_NO_EDGE, SW_NO_EDGE, NULL);
  v->grad[0] = swi_sum_to(g, swi_mul(g, c, swi_mul(g, b, lower)), a);
  v->grad[1] = swi_sum_to(g, swi_mul(g, c, swi_mul(g, v->out[0], log_a)), b);
}

/* The one that is chosen gets it all, equals get half each: c ([a > b] + [a = b] / 2). */
static void chosen(sw_graph *g, swi_vjp_args *v, sw_op wins) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0];
  sw_edge tie = swi_scale(g, swi_eq(g, a, b), 0.5, 0);
  sw_edge to_a = swi_add(g, swi_build(g, wins, a, b, SW_NO_EDGE, NULL), tie);
  sw_edge to_b = swi_add(g, swi_build(g, wins, b, a, SW_NO_EDGE, NULL), tie);
  v->grad[0] = swi_sum_to(g, swi_mul(g, c, to_a), a);
  v->grad[1] = swi_sum_to(g, swi_mul(g, c, to_b), b);
}

void swi_maximum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_gt); }
void swi_minimum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_lt); }
