/* net.h: a small network in every test of graphs: x (batch, 5) -> 4 relu -> 3 classes, its loss and
 * gradient. */
#ifndef SW_NET_H
#define SW_NET_H

#include "check.h"
#include "graph/graph.h"
#include "graph/program.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"

enum {
  NET_IN = 5,
  NET_HIDDEN = 4,
  NET_OUT = 3,
  NET_PARAMS = 4,
  NET_WEIGHTS = 5 * 4 + 4 + 4 * 3 + 3
};

static const sw_dim net_batch = {1, 1};

typedef struct net {
  sw_context *ctx;
  sw_graph *g;
  sw_edge x, y, param[NET_PARAMS], logits, losses, prob, loss, grad[NET_PARAMS];
  int64_t offset[NET_PARAMS];
} net;

static sw_context *open_context(int threads) {
  char reason[200] = "";
  sw_context *ctx = NULL;
  if (sw_open(NULL, threads, &ctx, reason, sizeof reason) != SW_OK) fail_msg("sw_open: %s", reason);
  return ctx;
}

static sw_status net_apply(net *t, sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs,
                           sw_edge *out) {
  sw_edge in[2] = {a, b};
  return sw_graph_apply(t->g, op, in, b.node < 0 ? 1 : 2, attrs, out);
}

static sw_status net_linear(net *t, int i, sw_edge x, sw_edge *out) {
  const sw_attrs transposed = {.transpose_b = 1};
  sw_edge product = SW_NO_EDGE;
  SW_TRY(net_apply(t, SW_OP_matmul, x, t->param[i], &transposed, &product));
  return net_apply(t, SW_OP_add, product, t->param[i + 1], NULL, out);
}

static sw_status net_params(net *t) {
  const sw_shape shape[NET_PARAMS] = {
      {2, {NET_HIDDEN, NET_IN}}, {1, {NET_HIDDEN}}, {2, {NET_OUT, NET_HIDDEN}}, {1, {NET_OUT}}};
  int64_t at = 0;
  for (int i = 0; i < NET_PARAMS; i++) {
    int64_t n = 0;
    t->offset[i] = at;
    SW_TRY(sw_graph_param(t->g, 0, at, &shape[i], &t->param[i]));
    SW_TRY(sw_shape_numel(t->ctx, &shape[i], &n));
    at += n;
  }
  return SW_OK;
}

static sw_status net_build(net *t) {
  const sw_dim features[2] = {net_batch, {NET_IN, 0}};
  const sw_attrs over_batch = {.axes = 1};
  sw_edge h = SW_NO_EDGE, both[2];
  SW_TRY(sw_graph_new(t->ctx, &t->g));
  SW_TRY(sw_graph_input(t->g, 0, SW_REAL, 2, features, &t->x));
  SW_TRY(sw_graph_input(t->g, 1, SW_INDEX, 1, &net_batch, &t->y));
  SW_TRY(net_params(t));
  SW_TRY(net_linear(t, 0, t->x, &h));
  SW_TRY(net_apply(t, SW_OP_relu, h, SW_NO_EDGE, NULL, &h));
  SW_TRY(net_linear(t, 2, h, &t->logits));
  const sw_edge in[2] = {t->logits, t->y};
  SW_TRY(sw_graph_apply(t->g, SW_OP_cross_entropy, in, 2, NULL, both));
  t->losses = both[0];
  t->prob = both[1];
  SW_TRY(net_apply(t, SW_OP_mean, t->losses, SW_NO_EDGE, &over_batch, &t->loss));
  return sw_graph_gradient(t->g, t->loss, SW_NO_EDGE, t->param, NET_PARAMS, t->grad);
}

/* Outputs: the loss, extra (unless none), and the gradients into the output vector. */
static inline sw_status net_program(const net *t, sw_edge extra, sw_dtype real, sw_program **out) {
  sw_output o[2 + NET_PARAMS] = {{t->loss, SW_TO_OUT, -1}, {extra, SW_TO_OUT, -1}};
  int n = extra.node >= 0 ? 2 : 1;
  for (int i = 0; i < NET_PARAMS; i++) o[n++] = (sw_output){t->grad[i], SW_TO_OUT, t->offset[i]};
  return sw_program_new(t->g, &(sw_program_options){.outputs = o, .n_outputs = n, .real = real},
                        out);
}

/* Some data: the same for every call, different for every example. y may be NULL. */
static inline void net_data(int64_t batch, int bytes, void *x, int32_t *y, int64_t first) {
  for (int64_t i = 0; i < batch; i++) {
    for (int j = 0; j < NET_IN; j++) {
      double v = sin(1.7 * (double)((first + i) * NET_IN + j) + 0.3);
      if (bytes == 4)
        ((float *)x)[i * NET_IN + j] = (float)v;
      else
        ((double *)x)[i * NET_IN + j] = v;
    }
    if (y) y[i] = (int32_t)((first + i) * 7 % NET_OUT);
  }
}

static inline void net_weights(double *w) {
  for (int i = 0; i < NET_WEIGHTS; i++) w[i] = 0.6 * sin(2.1 * i + 0.5);
}

#endif
