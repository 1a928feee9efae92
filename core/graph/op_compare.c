/* op_compare.c: comparisons, which give 1 or 0, and choices by them, element by element.
 *
 * A comparison with NaN is false, but for ne. Ties of maximum and minimum share the cotangent.
 */
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/elementwise_int.h"
#include "graph/example_norms_int.h"

/* ------------------------------------------------------------------ comparisons */

const swi_op_row swi_row_lt = {BINARY_ROW(lt), .power = swi_power_zero};
const swi_op_row swi_row_le = {BINARY_ROW(le), .power = swi_power_zero};
const swi_op_row swi_row_gt = {BINARY_ROW(gt), .power = swi_power_zero};
const swi_op_row swi_row_ge = {BINARY_ROW(ge), .power = swi_power_zero};
const swi_op_row swi_row_eq = {BINARY_ROW(eq), .power = swi_power_zero};
const swi_op_row swi_row_ne = {BINARY_ROW(ne), .power = swi_power_zero};

/* ------------------------------------------------------------------ gate, where */

/* linear in a; the gate itself has no derivative */
static void gate_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_sum_to(g, swi_gate(g, v->cotangent[0], v->in[1]), v->in[0]);
}

static sw_edge gate_share(sw_graph *g, const swi_node *n) {
  const sw_type *gate = sw_graph_type(g, n->in[1]);
  if (gate->dependence != SW_CONSTANT || sw_type_batch_axis(gate) >= 0) return SW_NO_EDGE;
  return swi_gate(g, swi_share_of_input(g, n, 0), n->in[1]);
}

static void where_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge zero = swi_fill(g, 0), c = v->cotangent[0];
  v->grad[1] = swi_sum_to(g, swi_where(g, v->in[0], c, zero), v->in[1]);
  v->grad[2] = swi_sum_to(g, swi_where(g, v->in[0], zero, c), v->in[2]);
}

static int where_power(const swi_power_args *a) { return swi_power_common(a->in[1], a->in[2]); }

const swi_op_row swi_row_gate = {BINARY_ROW(gate), .vjp = gate_vjp, .power = swi_power_of_first,
                                 .share = gate_share};

const swi_op_row swi_row_where = {.n_in = 3,
                                  .n_out = 1,
                                  .shape = swi_where_shape,
                                  .eval = swi_where_eval,
                                  .part = swi_where_part,
                                  .vjp = where_vjp,
                                  .power = where_power};

/* ------------------------------------------------------------------ maximum, minimum */

/* The one that is chosen gets it all, equals get half each. The other gets 0, even if c is
 * infinite, as it is for sqrt(max(x, 0)) at x < 0. */
static void chosen(sw_graph *g, swi_vjp_args *v, sw_op wins) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0];
  sw_edge shared = swi_where(g, swi_eq(g, a, b), swi_scale(g, c, 0.5, 0), swi_fill(g, 0));
  sw_edge a_wins = swi_build_binary(g, wins, a, b), b_wins = swi_build_binary(g, wins, b, a);
  v->grad[0] = swi_sum_to(g, swi_where(g, a_wins, c, shared), a);
  v->grad[1] = swi_sum_to(g, swi_where(g, b_wins, c, shared), b);
}

static void maximum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_gt); }
static void minimum_vjp(sw_graph *g, swi_vjp_args *v) { chosen(g, v, SW_OP_lt); }

const swi_op_row swi_row_maximum = {BINARY_ROW(maximum), .vjp = maximum_vjp,
                                    .power = swi_power_of_sum};
const swi_op_row swi_row_minimum = {BINARY_ROW(minimum), .vjp = minimum_vjp,
                                    .power = swi_power_of_sum};
