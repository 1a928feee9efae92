/* op_norm.c: batch normalisation in training mode, with ghosts. op_norm_grad.c has its derivative,
 * op_norm_second.c that one's, op_norm_third.c the others; norm.c what they share.
 *
 * x is (B, …, C); a ghost is a contiguous run of examples that is normalised by itself. Per ghost
 * and channel, over its n values, with xh = (x - mean) r, r = 1 / sqrt(var + eps):
 *
 *   y = gamma xh + beta
 *
 * It and its derivatives are sums over rows and then a combination of x, c and u, by the kernels of
 * body_norm.h.
 *
 * A ReLU behind the norm may be fused: then y = relu(…).
 */
#include <inttypes.h>
#include <math.h>

#include "graph/batch_power_int.h"
#include "graph/norm_int.h"

/* x (B, …, C), gamma (C), beta (C) -> y, stats (1 or B, 2, C), moments (2, C) */
static sw_status batch_norm_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0];
  SW_TRY(swi_norm_check_x(a));
  SW_TRY(swi_norm_check_channels(a, 1, "gamma"));
  SW_TRY(swi_norm_check_channels(a, 2, "beta"));
  if (!(a->attrs->value >= 0 && a->attrs->value < HUGE_VAL))
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: eps (value) must be 0 or a small positive number, got %g", a->op,
                   a->attrs->value);
  sw_dependence all = swi_norm_dependence(a, 3);
  a->out[0] = swi_norm_like_x(x, all, a->attrs->n);
  a->out[1] = swi_norm_stats_type(x, a->attrs->n);
  a->out[1].dependence = a->out[0].dependence;
  a->out[2] = swi_norm_per_channel(x, all);
  a->out[2].ndim = 2;
  a->out[2].dim[1] = a->out[2].dim[0];
  a->out[2].dim[0] = (sw_dim){2, 0};
  return SW_OK;
}

static void forward_ghost(swi_norm_block *b, int64_t i, swi_norm_totals result) {
  const swi_eval_args *e = b->e;
  swi_norm_combination *to = &b->result[0];
  int64_t at = b->channel;
  swi_norm_moments(b);
  for (int64_t j = 0; j < b->cols; j++) {
    double var = b->sums[0][1][j] / (double)b->rows;
    double mean = swi_norm_set(b, b->mean, j, b->sums[0][0][j]);
    double r = swi_norm_set(b, to->shift, j, 1 / sqrt(var + e->attrs->value));
    result[0][j] = b->sums[0][0][j];
    result[1][j] = var;
    if (e->out[1]) {
      swi_norm_set(b, e->out[1], 2 * i * b->channels + at + j, mean);
      swi_norm_set(b, e->out[1], (2 * i + 1) * b->channels + at + j, r);
    }
    swi_norm_set(b, to->of_x, j, swi_norm_get(b, e->in[1], at + j) * r);
    swi_norm_set(b, to->shift, j, swi_norm_get(b, e->in[2], at + j));
  }
  b->relu = e->activation == SWI_ACT_RELU;
  to->out = e->out[0];
  to->with_c = 0;
  swi_norm_combine(b);
}

static sw_status check_ghosts(const swi_eval_args *e, const swi_ghosts *g) {
  int64_t least = g->size < g->examples ? g->size : g->examples;
  if (least * g->rows >= 2) return SW_OK;
  return sw_fail(e->ctx, SW_ERANGE,
                 "batch_norm: %" PRId64 " value%s a channel ha%s no variance (%s of %" PRId64
                 " example%s); give it at least two examples, or use it in evaluation mode",
                 least * g->rows, least * g->rows == 1 ? "" : "s",
                 least * g->rows == 1 ? "s" : "ve", g->count > 1 ? "ghosts" : "a batch", least,
                 least == 1 ? "" : "s");
}

static sw_status batch_norm_eval(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0];
  swi_ghosts g = swi_ghosts_of(x, e->attrs->n);
  int64_t channels = x->dim[x->ndim - 1];
  char *moments = e->out[2], *stats = e->out[1];
  int64_t bytes = e->k->element_bytes;
  SW_TRY(check_ghosts(e, &g));
  if (stats && e->attrs->n > 0)
    e->k->fill((g.examples - g.count) * 2 * channels, 0, stats + g.count * 2 * channels * bytes);
  swi_norm_run(e, forward_ghost, 1,
               (void *[2]){moments, moments ? moments + channels * bytes : NULL});
  return SW_OK;
}

static void refuse(sw_graph *g, const char *what) {
  if (g->build_status == SW_OK) g->build_status = sw_fail(g->ctx, SW_EUNSUPPORTED, "%s", what);
}

/* d mean = 1 / n, d var = 2 (x - mean) / n; n = values a channel */
static sw_edge moments_cotangent(sw_graph *g, sw_edge x, sw_edge c) {
  sw_type t = *sw_graph_type(g, x);
  uint32_t axes = (1u << (t.ndim - 1)) - 1;
  double n = 1;
  int power = 0;
  for (int i = 0; i < t.ndim - 1; i++) {
    n *= (double)t.dim[i].n;
    power += t.dim[i].batch;
  }
  sw_edge mean = swi_mean(g, x, axes, 1);
  sw_edge of_mean = swi_broadcast_like(g, swi_slice(g, c, 1, 0, 1), x);
  sw_edge of_var = swi_mul(g, swi_sub(g, x, mean), swi_scale(g, swi_slice(g, c, 1, 1, 1), 2, 0));
  return swi_scale(g, swi_add(g, of_mean, of_var), 1 / n, -power);
}

static void batch_norm_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge c = v->cotangent[0];
  if (v->cotangent[1].node >= 0) refuse(g, "batch_norm: its output stats has no derivative");
  if (c.node >= 0) {
    sw_attrs attrs = {.value = v->attrs->value, .n = v->attrs->n};
    sw_edge in[] = {v->in[0], c, v->in[1], v->out[1]};
    v->grad[0] = swi_build_from(g, SW_OP_batch_norm_grad, in, &attrs);
    v->grad[1] = (sw_edge){v->grad[0].node, 1};
    v->grad[2] = (sw_edge){v->grad[0].node, 2};
  }
  if (v->cotangent[2].node < 0) return;
  if (v->attrs->n > 0) refuse(g, "batch_norm: the moments of ghosts have no derivative");
  sw_edge from_moments = moments_cotangent(g, v->in[0], v->cotangent[2]);
  v->grad[0] = c.node >= 0 ? swi_add(g, v->grad[0], from_moments) : from_moments;
}

/* stats: mean and 1 / sqrt(variance + eps) of each ghost, without a derivative; moments: mean and
 * variance, averaged over examples. value: eps; n: examples of a ghost, 0: all are one. */
const swi_op_row swi_row_batch_norm = {.n_in = 3,
                                       .n_out = 3,
                                       .attrs = SW_ATTR_VALUE | SW_ATTR_N,
                                       .shape = batch_norm_shape,
                                       .eval = batch_norm_eval,
                                       .vjp = batch_norm_vjp,
                                       .power = swi_power_zero};
