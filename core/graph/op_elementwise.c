/* op_elementwise.c: derivatives of arithmetic, comparisons and simple functions, element by
 * element.
 *
 * Inputs were stretched as NumPy does; swi_sum_to undoes that for their cotangents.
 */
#include "graph/build.h"

void swi_neg_vjp(sw_graph *g, swi_vjp_args *v) { v->grad[0] = swi_neg(g, v->cotangent[0]); }

/* d exp(x) = y */
void swi_exp_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], v->out[0]);
}

/* d log(x) = 1 / x */
void swi_log_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_div(g, v->cotangent[0], v->in[0]);
}

/* d relu(x) = [x > 0], and x > 0 where y > 0 */
void swi_relu_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_gate(g, v->cotangent[0], v->out[0]);
}

static sw_edge unary(sw_graph *g, sw_op op, sw_edge x) {
  return swi_build(g, op, x, SW_NO_EDGE, SW_NO_EDGE, NULL);
}

/* d tanh(x) = 1 - y^2, in a form that does not vanish where y rounds to 1: 4 sigmoid'(2 x) */
void swi_tanh_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge slope = unary(g, SW_OP_sigmoid_slope, swi_scale(g, v->in[0], 2, 0));
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_scale(g, slope, 4, 0));
}

void swi_sigmoid_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], unary(g, SW_OP_sigmoid_slope, v->in[0]));
}

/* d sigmoid'(x) = -sigmoid'(x) tanh(x / 2) */
void swi_sigmoid_slope_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge half = unary(g, SW_OP_tanh, swi_scale(g, v->in[0], -0.5, 0));
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_mul(g, v->out[0], half));
}

void swi_scale_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_scale(g, v->cotangent[0], v->attrs->value, v->attrs->batch_power);
}

/* ------------------------------------------------------------------ of two inputs */

static void both(sw_graph *g, swi_vjp_args *v, sw_edge da, sw_edge db) {
  v->grad[0] = swi_sum_to(g, da, v->in[0]);
  v->grad[1] = swi_sum_to(g, db, v->in[1]);
}

void swi_add_vjp(sw_graph *g, swi_vjp_args *v) { both(g, v, v->cotangent[0], v->cotangent[0]); }

void swi_sub_vjp(sw_graph *g, swi_vjp_args *v) {
  both(g, v, v->cotangent[0], swi_neg(g, v->cotangent[0]));
}

void swi_mul_vjp(sw_graph *g, swi_vjp_args *v) {
  both(g, v, swi_mul(g, v->cotangent[0], v->in[1]), swi_mul(g, v->cotangent[0], v->in[0]));
}

/* y = a / b: da = c / b, db = -c y / b */
void swi_div_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge da = swi_div(g, v->cotangent[0], v->in[1]);
  both(g, v, da, swi_neg(g, swi_mul(g, da, v->out[0])));
}

/* linear in a; the gate itself has no derivative */
void swi_gate_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_sum_to(g, swi_gate(g, v->cotangent[0], v->in[1]), v->in[0]);
}

void swi_where_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge zero = swi_fill(g, 0), c = v->cotangent[0];
  v->grad[1] = swi_sum_to(g, swi_where(g, v->in[0], c, zero), v->in[1]);
  v->grad[2] = swi_sum_to(g, swi_where(g, v->in[0], zero, c), v->in[2]);
}

void swi_broadcast_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_sum_to(g, v->cotangent[0], v->in[0]);
}
