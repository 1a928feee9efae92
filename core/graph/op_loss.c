/* op_loss.c: softmax over the last axis, its logarithm, and its cross-entropies with class indices
 * and with probabilities. */
#include <math.h>

#include "graph/batch_power_int.h"
#include "graph/build_int.h"

static int64_t rows_of(const sw_shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->ndim - 1; i++) n *= s->dim[i];
  return n;
}

static sw_status check_last_axis(swi_shape_args *a) {
  char text[120];
  const sw_type *x = a->in[0];
  if (x->ndim >= 1 && !x->dim[x->ndim - 1].batch && x->dim[x->ndim - 1].n >= 1) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE,
                 "%s: the last axis of %s must be the classes: at least one, not the batch", a->op,
                 sw_type_text(x, text, sizeof text));
}

/* ------------------------------------------------------------------ softmax */

static sw_status softmax_shape(swi_shape_args *a) {
  SW_TRY(check_last_axis(a));
  a->out[0] = *a->in[0];
  return SW_OK;
}

static sw_status softmax_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  e->k->softmax(rows_of(s), s->dim[s->ndim - 1], e->in[0], e->out[0]);
  return SW_OK;
}

/* p = softmax(x): dx = p (c - sum(c p)) */
static sw_edge softmax_cotangent(sw_graph *g, sw_edge p, sw_edge c) {
  uint32_t last = 1u << (sw_graph_type(g, p)->ndim - 1);
  sw_edge mean = swi_sum(g, swi_mul(g, c, p), last, 1);
  return swi_mul(g, p, swi_sub(g, c, mean));
}

static void softmax_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = softmax_cotangent(g, v->out[0], v->cotangent[0]);
}

const swi_op_row swi_row_softmax = {.n_in = 1,
                                    .n_out = 1,
                                    .shape = softmax_shape,
                                    .eval = softmax_eval,
                                    .vjp = softmax_vjp,
                                    .power = swi_power_zero};

/* ------------------------------------------------------------------ log_softmax */

static sw_status log_softmax_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  e->k->log_softmax(rows_of(s), s->dim[s->ndim - 1], e->in[0], e->out[0]);
  return SW_OK;
}

/* y = log softmax(x): dx = c - softmax(x) sum(c). exp(y) would have |y| roundings. */
static void log_softmax_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = v->cotangent[0];
  sw_edge p = swi_build_unary(g, SW_OP_softmax, v->in[0]);
  uint32_t last = 1u << (sw_graph_type(g, v->in[0])->ndim - 1);
  v->grad[0] = swi_sub(g, c, swi_mul(g, p, swi_sum(g, c, last, 1)));
}

const swi_op_row swi_row_log_softmax = {.n_in = 1,
                                        .n_out = 1,
                                        .shape = softmax_shape,
                                        .eval = log_softmax_eval,
                                        .vjp = log_softmax_vjp,
                                        .power = swi_power_zero};

/* ------------------------------------------------------------------ cross-entropy */

/* logits (…, C), labels (…) -> loss (…), p (…, C):  loss = log sum exp(x) - x[label],  p =
 * softmax(x) */
static sw_status cross_entropy_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *y = a->in[1];
  char tx[120], ty[120];
  if (x->kind != SW_REAL || y->kind != SW_INDEX)
    return sw_fail(a->ctx, SW_EDTYPE, "%s: takes real logits and class labels (int32)", a->op);
  SW_TRY(check_last_axis(a));
  sw_type rows = *x;
  rows.ndim--;
  rows.dependence = swi_dependence_max(x->dependence, y->dependence);
  if (!swi_type_same_shape(&rows, y))
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: logits %s need labels of their shape without the last axis, got %s", a->op,
                   sw_type_text(x, tx, sizeof tx), sw_type_text(y, ty, sizeof ty));
  a->out[0] = rows;
  a->out[1] = *x;
  return SW_OK;
}

static sw_status cross_entropy_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  const int32_t *label = e->in[1];
  int64_t rows = rows_of(s), classes = s->dim[s->ndim - 1];
  SW_TRY(swi_check_indices(e, "cross_entropy: label", 1, classes));
  e->k->cross_entropy(rows, classes, e->in[0], label, e->out[0], e->out[1]);
  return SW_OK;
}

static sw_edge add(sw_graph *g, sw_edge a, sw_edge b) {
  if (a.node < 0) return b;
  return b.node < 0 ? a : swi_add(g, a, b);
}

/* A value each row as a column of x's shape. */
static sw_edge as_column(sw_graph *g, sw_edge rows, const sw_type *x) {
  sw_type column = *x;
  column.dim[x->ndim - 1] = (sw_dim){1, 0};
  return swi_reshape(g, rows, column.ndim, column.dim);
}

/* d loss = p - onehot(label), times the cotangent of each row */
static void cross_entropy_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_type x = *sw_graph_type(g, v->in[0]);
  sw_edge p = v->out[1], from_loss = SW_NO_EDGE, from_p = SW_NO_EDGE;
  if (v->cotangent[0].node >= 0) {
    sw_edge delta = swi_sub(g, p, swi_one_hot(g, v->in[1], x.dim[x.ndim - 1].n));
    from_loss = swi_mul(g, delta, as_column(g, v->cotangent[0], &x));
  }
  if (v->cotangent[1].node >= 0) from_p = softmax_cotangent(g, p, v->cotangent[1]);
  v->grad[0] = add(g, from_loss, from_p);
}

const swi_op_row swi_row_cross_entropy = {.n_in = 2,
                                          .n_out = 2,
                                          .flags = SWI_INDEX,
                                          .shape = cross_entropy_shape,
                                          .eval = cross_entropy_eval,
                                          .vjp = cross_entropy_vjp,
                                          .power = swi_power_zero};

/* ------------------------------------------------------------------ of probabilities */

/* logits (…, C), q (…, C) -> loss (…), p (…, C):  loss = -sum q log softmax(x),  p = softmax(x) */
static sw_status soft_cross_entropy_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *q = a->in[1];
  char tx[120], tq[120];
  SW_TRY(check_last_axis(a));
  if (!swi_type_same_shape(x, q))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: logits %s need probabilities of their shape, got %s",
                   a->op, sw_type_text(x, tx, sizeof tx), sw_type_text(q, tq, sizeof tq));
  a->out[0] = a->out[1] = *x;
  a->out[0].ndim--;
  a->out[0].dependence = swi_dependence_max(x->dependence, q->dependence);
  return SW_OK;
}

static sw_status soft_cross_entropy_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  e->k->soft_cross_entropy(rows_of(s), s->dim[s->ndim - 1], e->in[0], e->in[1], e->out[0],
                           e->out[1]);
  return SW_OK;
}

/* dx = c (p sum(q) - q); dq = -c log softmax(x), and 0 where x = -inf: that class takes no part */
static void soft_cross_entropy_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge x = v->in[0], q = v->in[1], p = v->out[1], from_loss = SW_NO_EDGE, from_p = SW_NO_EDGE;
  sw_type t = *sw_graph_type(g, x);
  if (v->cotangent[0].node >= 0) {
    sw_edge c = as_column(g, v->cotangent[0], &t), zero = swi_fill(g, 0);
    sw_edge all = swi_sum(g, q, 1u << (t.ndim - 1), 1);
    sw_edge masked = swi_eq(g, x, swi_fill(g, -HUGE_VAL));
    sw_edge log_p = swi_build_unary(g, SW_OP_log_softmax, x);
    from_loss = swi_mul(g, c, swi_sub(g, swi_mul(g, p, all), q));
    v->grad[1] = swi_mul(g, c, swi_where(g, masked, zero, swi_neg(g, log_p)));
  }
  if (v->cotangent[1].node >= 0) from_p = softmax_cotangent(g, p, v->cotangent[1]);
  v->grad[0] = add(g, from_loss, from_p);
}

const swi_op_row swi_row_soft_cross_entropy = {.n_in = 2,
                                               .n_out = 2,
                                               .shape = soft_cross_entropy_shape,
                                               .eval = soft_cross_entropy_eval,
                                               .vjp = soft_cross_entropy_vjp,
                                               .power = swi_power_zero};
