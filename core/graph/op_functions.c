/* op_functions.c: functions of one real number, element by element: their derivatives. */
#include <math.h>

#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/elementwise_int.h"

/* ------------------------------------------------------------------ exp, log, sqrt */

/* d exp(x) = y */
static void exp_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], v->out[0]);
}

/* d log(x) = 1 / x */
static void log_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_div(g, v->cotangent[0], v->in[0]);
}

/* d sqrt(x) = 1 / (2 y) */
static void sqrt_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_div(g, swi_scale(g, v->cotangent[0], 0.5, 0), v->out[0]);
}

const swi_op_row swi_row_exp = {UNARY_ROW(exp), .vjp = exp_vjp, .power = swi_power_zero};
const swi_op_row swi_row_log = {UNARY_ROW(log), .vjp = log_vjp, .power = swi_power_zero};
const swi_op_row swi_row_sqrt = {UNARY_ROW(sqrt), .vjp = sqrt_vjp, .power = swi_power_zero};

/* ------------------------------------------------------------------ abs, sign */

/* d |x| = sign(x), 0 at 0 */
static void abs_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_build_unary(g, SW_OP_sign, v->in[0]));
}

const swi_op_row swi_row_abs = {UNARY_ROW(abs), .vjp = abs_vjp, .power = swi_power_of_first};
const swi_op_row swi_row_sign = {UNARY_ROW(sign), .power = swi_power_zero};

/* ------------------------------------------------------------------ activations */

/* d relu(x) = [x > 0], and x > 0 where y > 0 */
static void relu_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_gate(g, v->cotangent[0], v->out[0]);
}

/* d tanh(x) = 1 - y^2, in a form that does not vanish where y rounds to 1: 4 sigmoid'(2 x) */
static void tanh_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge slope = swi_build_unary(g, SW_OP_sigmoid_slope, swi_scale(g, v->in[0], 2, 0));
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_scale(g, slope, 4, 0));
}

static void sigmoid_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_build_unary(g, SW_OP_sigmoid_slope, v->in[0]));
}

/* d sigmoid'(x) = -sigmoid'(x) tanh(x / 2) */
static void sigmoid_slope_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge half = swi_build_unary(g, SW_OP_tanh, swi_scale(g, v->in[0], -0.5, 0));
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_mul(g, v->out[0], half));
}

/* d softplus(x) = sigmoid(x) */
static void softplus_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_build_unary(g, SW_OP_sigmoid, v->in[0]));
}

const swi_op_row swi_row_relu = {UNARY_ROW(relu), .vjp = relu_vjp, .power = swi_power_of_first};
const swi_op_row swi_row_tanh = {UNARY_ROW(tanh), .vjp = tanh_vjp, .power = swi_power_zero};
const swi_op_row swi_row_sigmoid = {UNARY_ROW(sigmoid), .vjp = sigmoid_vjp,
                                    .power = swi_power_zero};
const swi_op_row swi_row_sigmoid_slope = {UNARY_ROW(sigmoid_slope), .vjp = sigmoid_slope_vjp,
                                          .power = swi_power_zero};
const swi_op_row swi_row_softplus = {UNARY_ROW(softplus), .vjp = softplus_vjp,
                                     .power = swi_power_zero};

/* ------------------------------------------------------------------ erf, erfc */

/* c times factor times 2 / sqrt(pi) exp(-x^2), the derivative of erf(x) */
static sw_edge times_bell(sw_graph *g, sw_edge c, sw_edge x, double factor) {
  sw_edge bell = swi_build_unary(g, SW_OP_exp, swi_neg(g, swi_mul(g, x, x)));
  return swi_mul(g, c, swi_scale(g, bell, factor * 2 / sqrt(acos(-1)), 0));
}

static void erf_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = times_bell(g, v->cotangent[0], v->in[0], 1);
}

static void erfc_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = times_bell(g, v->cotangent[0], v->in[0], -1);
}

const swi_op_row swi_row_erf = {UNARY_ROW(erf), .vjp = erf_vjp, .power = swi_power_zero};
const swi_op_row swi_row_erfc = {UNARY_ROW(erfc), .vjp = erfc_vjp, .power = swi_power_zero};
