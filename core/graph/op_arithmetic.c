/* op_arithmetic.c: sums, products, quotients and powers, element by element.
 *
 * Inputs were broadcast together as in NumPy; swi_sum_to undoes that for their cotangents.
 */
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/elementwise_int.h"
#include "graph/example_norms_int.h"
#include "graph/identity_int.h"

/* ------------------------------------------------------------------ neg */

static void neg_vjp(sw_graph *g, swi_vjp_args *v) { v->grad[0] = swi_neg(g, v->cotangent[0]); }

/* -(-x) = x */
static sw_status neg_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  const swi_node *inner = swi_made_by(g, n->in[0], SW_OP_neg);
  if (inner) *same = inner->in[0];
  return SW_OK;
}

static sw_edge neg_share(sw_graph *g, const swi_node *n) {
  return swi_neg(g, swi_share(g, n->in[0]));
}

const swi_op_row swi_row_neg = {
    UNARY_ROW(neg),           .vjp = neg_vjp,     .power = swi_power_of_first,
    .identity = neg_identity, .share = neg_share, .pass = swi_pass_norm};

/* ------------------------------------------------------------------ scale */

/* value * B^batch_power */
static double factor_of(const swi_eval_args *e) {
  double c = e->attrs->value;
  for (int i = 0; i < e->attrs->batch_power; i++) c *= (double)e->batch;
  for (int i = 0; i > e->attrs->batch_power; i--) c /= (double)e->batch;
  return c;
}

static sw_status scale_eval(const swi_eval_args *e) {
  e->k->scale(swi_numel(&e->out_shape[0]), factor_of(e), e->in[0], e->out[0]);
  return SW_OK;
}

static void scale_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                       void *out) {
  (void)single;
  e->k->scale(n, factor_of(e), in[0], out);
}

static void scale_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_scale(g, v->cotangent[0], v->attrs->value, v->attrs->batch_power);
}

static int scale_power(const swi_power_args *a) {
  return swi_power_product(a->in[0], a->node->attrs.batch_power);
}

/* 1 x = x; a factor of a constant is a constant */
static sw_status scale_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  double value;
  if (n->attrs.batch_power != 0) return SW_OK;
  if (n->attrs.value == 1)
    *same = n->in[0];
  else if (swi_is_fill(swi_node_of(g, n->in[0]), &value))
    return sw_graph_fill(g, value * n->attrs.value, same);
  return SW_OK;
}

static sw_edge scale_share(sw_graph *g, const swi_node *n) {
  return swi_scale(g, swi_share(g, n->in[0]), n->attrs.value, n->attrs.batch_power);
}

static int scale_pass(const swi_node *n, double *factor, int *power) {
  *factor *= n->attrs.value;
  *power += n->attrs.batch_power;
  return 1;
}

const swi_op_row swi_row_scale = {.n_in = 1,
                                  .n_out = 1,
                                  .attrs = SW_ATTR_VALUE | SW_ATTR_BATCH_POWER,
                                  .value_word = "by ",
                                  .shape = swi_same_shape,
                                  .eval = scale_eval,
                                  .part = scale_part,
                                  .vjp = scale_vjp,
                                  .power = scale_power,
                                  .identity = scale_identity,
                                  .share = scale_share,
                                  .pass = scale_pass};

/* ------------------------------------------------------------------ identities of two inputs */

static int is_fill(const sw_graph *g, sw_edge e, double wanted) {
  double value;
  return swi_is_fill(swi_node_of(g, e), &value) && value == wanted;
}

/* A row that is repeated for all axes but the last: (C) or (1, …, 1, C). */
static int is_row(const sw_graph *g, sw_edge e, const sw_type *whole) {
  const sw_type *t = sw_graph_type(g, e);
  if (t->ndim == 0 || !swi_dim_equal(t->dim[t->ndim - 1], whole->dim[whole->ndim - 1])) return 0;
  for (int i = 0; i < t->ndim - 1; i++)
    if (t->dim[i].n != 1 || t->dim[i].batch) return 0;
  return 1;
}

/* Replaces an input that broadcasts a scalar or a row by that scalar or row: elementwise ops
 * broadcast by themselves, and a product adds a row as its bias. */
static void use_unbroadcast(const sw_graph *g, swi_node *n) {
  for (int i = 0; i < 2; i++) {
    const swi_node *b = swi_made_by(g, n->in[i], SW_OP_broadcast);
    if (b && (sw_graph_type(g, b->in[0])->ndim == 0 || is_row(g, b->in[0], &n->type[0])) &&
        swi_has_shape(g, n->in[1 - i], &n->type[0])) {
      n->in[i] = b->in[0];
      return;
    }
  }
}

/* An input x of n's shape is the result if the other one is the neutral constant. */
static void drop_neutral(const sw_graph *g, const swi_node *n, int x, double neutral,
                         sw_edge *same) {
  if (same->node < 0 && swi_has_shape(g, n->in[x], &n->type[0]) &&
      is_fill(g, n->in[1 - x], neutral))
    *same = n->in[x];
}

static sw_status add_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  use_unbroadcast(g, n);
  for (int x = 0; x < 2; x++) drop_neutral(g, n, x, 0, same);
  return SW_OK;
}

static sw_status sub_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  use_unbroadcast(g, n);
  drop_neutral(g, n, 0, 0, same);
  return SW_OK;
}

static sw_status div_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  use_unbroadcast(g, n);
  drop_neutral(g, n, 0, 1, same);
  return SW_OK;
}

/* A product with a constant is a scale. */
static sw_status mul_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  double value;
  use_unbroadcast(g, n);
  for (int x = 0; x < 2; x++) {
    drop_neutral(g, n, x, 1, same);
    if (same->node >= 0) return SW_OK;
    if (!swi_has_shape(g, n->in[x], &n->type[0])) continue;
    if (!swi_is_fill(swi_node_of(g, n->in[1 - x]), &value)) continue;
    sw_attrs attrs = {.value = value};
    return sw_graph_apply(g, SW_OP_scale, &n->in[x], 1, &attrs, same);
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ shares of examples */

static int is_constant(const sw_graph *g, sw_edge e) {
  const sw_type *t = sw_graph_type(g, e);
  return t->dependence == SW_CONSTANT && sw_type_batch_axis(t) < 0;
}

static sw_edge sum_share(sw_graph *g, const swi_node *n) {
  return swi_build_binary(g, n->op, swi_share_of_input(g, n, 0), swi_share_of_input(g, n, 1));
}

static sw_edge quotient_share(sw_graph *g, const swi_node *n) {
  if (!is_constant(g, n->in[1])) return SW_NO_EDGE;
  return swi_build_binary(g, n->op, swi_share_of_input(g, n, 0), n->in[1]);
}

static sw_edge product_share(sw_graph *g, const swi_node *n) {
  if (is_constant(g, n->in[1])) return quotient_share(g, n);
  if (!is_constant(g, n->in[0])) return SW_NO_EDGE;
  return swi_mul(g, swi_share_of_input(g, n, 1), n->in[0]);
}

/* ------------------------------------------------------------------ add, sub */

static void both(sw_graph *g, swi_vjp_args *v, sw_edge da, sw_edge db) {
  v->grad[0] = swi_sum_to(g, da, v->in[0]);
  v->grad[1] = swi_sum_to(g, db, v->in[1]);
}

static void add_vjp(sw_graph *g, swi_vjp_args *v) { both(g, v, v->cotangent[0], v->cotangent[0]); }

static void sub_vjp(sw_graph *g, swi_vjp_args *v) {
  both(g, v, v->cotangent[0], swi_neg(g, v->cotangent[0]));
}

const swi_op_row swi_row_add = {BINARY_ROW(add), .vjp = add_vjp, .power = swi_power_of_sum,
                                .identity = add_identity, .share = sum_share};

const swi_op_row swi_row_sub = {BINARY_ROW(sub), .vjp = sub_vjp, .power = swi_power_of_sum,
                                .identity = sub_identity, .share = sum_share};

/* ------------------------------------------------------------------ mul, div */

static void mul_vjp(sw_graph *g, swi_vjp_args *v) {
  both(g, v, swi_mul(g, v->cotangent[0], v->in[1]), swi_mul(g, v->cotangent[0], v->in[0]));
}

/* y = a / b: da = c / b, db = -c y / b */
static void div_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge da = swi_div(g, v->cotangent[0], v->in[1]);
  both(g, v, da, swi_neg(g, swi_mul(g, da, v->out[0])));
}

static int div_power(const swi_power_args *a) {
  const int divisor = a->in[1];
  if (divisor == SWI_POWER_ANY || divisor == SWI_POWER_NONE) return SWI_POWER_NONE;
  return swi_power_product(a->in[0], -divisor);
}

const swi_op_row swi_row_mul = {BINARY_ROW(mul), .vjp = mul_vjp, .power = swi_power_of_product,
                                .identity = mul_identity, .share = product_share};

const swi_op_row swi_row_div = {BINARY_ROW(div), .vjp = div_vjp, .power = div_power,
                                .identity = div_identity, .share = quotient_share};

/* ------------------------------------------------------------------ pow */

/* y = a^b: da = b a^(b-1), and 0 where b is; db = y log(a), and 0 where y is, or a and b >= 0 */
static void pow_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge a = v->in[0], b = v->in[1], c = v->cotangent[0], one = swi_fill(g, 1);
  sw_edge lower = swi_build_binary(g, SW_OP_pow, a, swi_sub(g, b, one));
  sw_edge zero = swi_fill(g, 0);
  sw_edge slope_a = swi_where(g, b, swi_mul(g, b, lower), zero);
  /* log(1) = 0 stands for log(0), but where 0^b is infinite */
  sw_edge finite = swi_build_binary(g, SW_OP_ge, b, zero);
  sw_edge safe = swi_where(g, a, a, swi_where(g, finite, one, a));
  sw_edge log_a = swi_build_unary(g, SW_OP_log, safe);
  sw_edge slope_b = swi_where(g, v->out[0], swi_mul(g, v->out[0], log_a), zero);
  v->grad[0] = swi_sum_to(g, swi_mul(g, c, slope_a), a);
  v->grad[1] = swi_sum_to(g, swi_mul(g, c, slope_b), b);
}

/* Powers with a kernel of their own. */
static sw_status pow_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  sw_edge a = n->in[0], pair[2] = {a, a};
  double p;
  if (!swi_is_fill(swi_node_of(g, n->in[1]), &p)) return SW_OK;
  if (p == 2) return sw_graph_apply(g, SW_OP_mul, pair, 2, NULL, same);
  if (p == 0.5) return sw_graph_apply(g, SW_OP_sqrt, &a, 1, NULL, same);
  if (p == 1) *same = a;
  if (p != -1) return SW_OK;
  SW_TRY(sw_graph_fill(g, 1, &pair[0]));
  return sw_graph_apply(g, SW_OP_div, pair, 2, NULL, same);
}

const swi_op_row swi_row_pow = {BINARY_ROW(pow), .vjp = pow_vjp, .power = swi_power_zero,
                                .identity = pow_identity};
