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

/* d tanh(x) = 1 - y^2 */
void swi_tanh_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge y2 = swi_mul(g, v->out[0], v->out[0]);
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_sub(g, swi_fill(g, 1), y2));
}

/* d sigmoid(x) = y (1 - y) */
void swi_sigmoid_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge rest = swi_sub(g, swi_fill(g, 1), v->out[0]);
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_mul(g, v->out[0], rest));
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
