/* op_loss.c: softmax over the last axis, and its cross-entropy with class indices. */
#include "graph/build.h"

static int64_t rows_of(const sw_shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->ndim - 1; i++) n *= s->dim[i];
  return n;
}

static sw_status check_last_axis(swi_shape_args *a) {
  char text[120];
  const sw_type *x = a->in[0];
  if (x->ndim >= 1 && !x->dim[x->ndim - 1].batch && x->dim[x->ndim - 1].n >= 1) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: the last axis of %s cannot be the classes", a->op,
                 sw_type_text(x, text, sizeof text));
}

/* ------------------------------------------------------------------ softmax */

sw_status swi_softmax_shape(swi_shape_args *a) {
  SW_TRY(check_last_axis(a));
  a->out[0] = *a->in[0];
  return SW_OK;
}

sw_status swi_softmax_eval(const swi_eval_args *e) {
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

void swi_softmax_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = softmax_cotangent(g, v->out[0], v->cotangent[0]);
}

/* ------------------------------------------------------------------ log_softmax */

/* x - log sum exp(x), the latter as the cross-entropy of a row with its first class, plus its logit
 * */
sw_status swi_log_softmax_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  const int32_t first = 0;
  int64_t rows = rows_of(s), classes = s->dim[s->ndim - 1], row = classes * e->k->element_bytes;
  for (int64_t i = 0; i < rows; i++) {
    const char *x = (const char *)e->in[0] + i * row;
    double log_sum[1]; /* of either float type */
    e->k->cross_entropy(1, classes, x, &first, log_sum, NULL);
    e->k->binary[SWI_ADD](1, log_sum, x, log_sum);
    e->k->binary_vs[SWI_SUB](classes, x, log_sum, (char *)e->out[0] + i * row);
  }
  return SW_OK;
}

/* y = log softmax(x): dx = c - softmax(x) sum(c), and softmax(x) = exp(y) */
void swi_log_softmax_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = v->cotangent[0], p = swi_build(g, SW_OP_exp, v->out[0], SW_NO_EDGE, SW_NO_EDGE, NULL);
  uint32_t last = 1u << (sw_graph_type(g, v->in[0])->ndim - 1);
  v->grad[0] = swi_sub(g, c, swi_mul(g, p, swi_sum(g, c, last, 1)));
}

/* ------------------------------------------------------------------ cross-entropy */

/* logits (…, C), labels (…) -> loss (…), p (…, C):  loss = log sum exp(x) - x[label],  p =
 * softmax(x) */
sw_status swi_cross_entropy_shape(swi_shape_args *a) {
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
                   "%s: logits %s want labels of their shape without the last axis, got %s", a->op,
                   sw_type_text(x, tx, sizeof tx), sw_type_text(y, ty, sizeof ty));
  a->out[0] = rows;
  a->out[1] = *x;
  return SW_OK;
}

sw_status swi_cross_entropy_eval(const swi_eval_args *e) {
  const sw_shape *s = &e->in_shape[0];
  const int32_t *label = e->in[1];
  int64_t rows = rows_of(s), classes = s->dim[s->ndim - 1];
  SW_TRY(swi_check_indices(e, "cross_entropy: label", 1, classes));
  e->k->cross_entropy(rows, classes, e->in[0], label, e->out[0], e->out[1]);
  return SW_OK;
}

/* d loss = p - onehot(label), times the cotangent of each row */
void swi_cross_entropy_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_type x = *sw_graph_type(g, v->in[0]);
  sw_edge p = v->out[1], from_loss = SW_NO_EDGE, from_p = SW_NO_EDGE;
  if (v->cotangent[0].node >= 0) {
    sw_edge delta = swi_sub(g, p, swi_one_hot(g, v->in[1], x.dim[x.ndim - 1].n));
    sw_type column = x;
    column.dim[x.ndim - 1] = (sw_dim){1, 0};
    from_loss = swi_mul(g, delta, swi_reshape(g, v->cotangent[0], column.ndim, column.dim));
  }
  if (v->cotangent[1].node >= 0) from_p = softmax_cotangent(g, p, v->cotangent[1]);
  if (from_loss.node >= 0 && from_p.node >= 0)
    v->grad[0] = swi_add(g, from_loss, from_p);
  else
    v->grad[0] = from_loss.node >= 0 ? from_loss : from_p;
}
