/* identity.c: simplification, one rule a function. A rule looks at a node that is about to be
 * added. */
#include <string.h>

#include "graph/identity.h"

static const swi_node *producer(const sw_graph *g, sw_edge e, sw_op op) {
  const swi_node *n = swi_node_of(g, e);
  return n->op == op ? n : NULL;
}

static int is_fill(const sw_graph *g, sw_edge e, double value) {
  const swi_node *n = producer(g, e, SW_OP_fill);
  return n && n->attrs.value == value;
}

static int same_shape(const sw_graph *g, sw_edge e, const sw_type *t) {
  return swi_type_same_shape(sw_graph_type(g, e), t);
}

static int is_scalar(const sw_graph *g, sw_edge e) { return sw_graph_type(g, e)->ndim == 0; }

/* A row that is repeated for all axes but the last: (C) or (1, …, 1, C). */
static int is_row(const sw_graph *g, sw_edge e, const sw_type *stretched) {
  const sw_type *t = sw_graph_type(g, e);
  if (t->ndim == 0 || !swi_dim_equal(t->dim[t->ndim - 1], stretched->dim[stretched->ndim - 1]))
    return 0;
  for (int i = 0; i < t->ndim - 1; i++)
    if (t->dim[i].n != 1 || t->dim[i].batch) return 0;
  return 1;
}

/* An input that is a stretched scalar or row may be that itself: elementwise ops stretch by
 * themselves, and a product takes a row along as its bias. */
static void use_unstretched(const sw_graph *g, swi_node *n) {
  for (int i = 0; i < 2; i++) {
    const swi_node *b = producer(g, n->in[i], SW_OP_broadcast);
    if (b && (is_scalar(g, b->in[0]) || is_row(g, b->in[0], &n->type[0])) &&
        same_shape(g, n->in[1 - i], &n->type[0])) {
      n->in[i] = b->in[0];
      return;
    }
  }
}

static sw_status binary(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  use_unstretched(g, n);
  for (int i = 0; i < 2; i++) {
    sw_edge x = n->in[i], other = n->in[1 - i];
    if (!same_shape(g, x, &n->type[0])) continue;
    int right = i == 0; /* other stands on the right */
    int neutral = (n->op == SW_OP_add && is_fill(g, other, 0)) ||
                  (n->op == SW_OP_mul && is_fill(g, other, 1)) ||
                  (right && n->op == SW_OP_sub && is_fill(g, other, 0)) ||
                  (right && n->op == SW_OP_div && is_fill(g, other, 1));
    if (neutral) {
      *out = x;
      *found = 1;
      return SW_OK;
    }
    const swi_node *factor = producer(g, other, SW_OP_fill);
    if (n->op == SW_OP_mul && factor) {
      sw_attrs attrs = {.value = factor->attrs.value};
      *found = 1;
      return sw_graph_apply(g, SW_OP_scale, &x, 1, &attrs, out);
    }
  }
  return SW_OK;
}

/* Powers with a kernel of their own. */
static sw_status power(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const swi_node *b = producer(g, n->in[1], SW_OP_fill);
  sw_edge a = n->in[0], pair[2] = {a, a};
  if (!b) return SW_OK;
  double p = b->attrs.value;
  *found = p == 1 || p == 2 || p == 0.5 || p == -1;
  if (p == 2) return sw_graph_apply(g, SW_OP_mul, pair, 2, NULL, out);
  if (p == 0.5) return sw_graph_apply(g, SW_OP_sqrt, &a, 1, NULL, out);
  if (p == 1) *out = a;
  if (p != -1) return SW_OK;
  SW_TRY(sw_graph_fill(g, 1, &pair[0]));
  return sw_graph_apply(g, SW_OP_div, pair, 2, NULL, out);
}

static sw_status neg(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const swi_node *inner = producer(g, n->in[0], SW_OP_neg);
  if (!inner) return SW_OK;
  *out = inner->in[0];
  *found = 1;
  return SW_OK;
}

static sw_status scale(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const swi_node *inner = producer(g, n->in[0], SW_OP_fill);
  if (n->attrs.value == 1 && n->attrs.batch_power == 0) {
    *out = n->in[0];
    *found = 1;
  } else if (inner && n->attrs.batch_power == 0) {
    *found = 1;
    return sw_graph_fill(g, inner->attrs.value * n->attrs.value, out);
  }
  return SW_OK;
}

static sw_status reshape(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const swi_node *inner = producer(g, n->in[0], SW_OP_reshape);
  const swi_node *stretched = producer(g, n->in[0], SW_OP_broadcast);
  if (same_shape(g, n->in[0], &n->type[0])) {
    *out = n->in[0];
    *found = 1;
  } else if (inner &&
             sw_graph_type(g, n->in[0])->dependence == sw_graph_type(g, inner->in[0])->dependence) {
    sw_edge x = inner->in[0];
    *found = 1;
    return sw_graph_apply(g, SW_OP_reshape, &x, 1, &n->attrs, out);
  } else if (stretched && is_scalar(g, stretched->in[0])) {
    sw_edge x = stretched->in[0];
    *found = 1;
    return sw_graph_apply(g, SW_OP_broadcast, &x, 1, &n->attrs, out);
  }
  return SW_OK;
}

static sw_status same(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  if (same_shape(g, n->in[0], &n->type[0])) {
    *out = n->in[0];
    *found = 1;
  }
  return SW_OK;
}

static sw_status transpose(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const swi_node *inner = producer(g, n->in[0], SW_OP_transpose);
  int ndim = n->type[0].ndim;
  int identity = 1;
  for (int i = 0; i < ndim; i++) identity &= n->attrs.perm[i] == i;
  if (identity) {
    *out = n->in[0];
    *found = 1;
  } else if (inner) {
    sw_attrs attrs = n->attrs;
    sw_edge x = inner->in[0];
    for (int i = 0; i < ndim; i++) attrs.perm[i] = inner->attrs.perm[n->attrs.perm[i]];
    *found = 1;
    return sw_graph_apply(g, SW_OP_transpose, &x, 1, &attrs, out);
  }
  return SW_OK;
}

/* Transposes fold into the product's flags. */
static sw_status matmul(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  int *flag[2] = {&n->attrs.transpose_a, &n->attrs.transpose_b};
  (void)out;
  (void)found;
  for (int i = 0; i < 2; i++) {
    const swi_node *t = producer(g, n->in[i], SW_OP_transpose);
    if (!t) continue;
    n->in[i] = t->in[0];
    *flag[i] = !*flag[i];
  }
  return SW_OK;
}

/* Whether n turns over the last two axes and leaves the others. */
static int turns_last_two(const swi_node *n) {
  int last = n->type[0].ndim - 1;
  for (int i = 0; i < last - 1; i++)
    if (n->attrs.perm[i] != i) return 0;
  return last > 0 && n->attrs.perm[last] == last - 1;
}

/* Likewise, where it is the slices that are transposed. */
static sw_status bmm(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  int *flag[2] = {&n->attrs.transpose_a, &n->attrs.transpose_b};
  (void)out;
  (void)found;
  for (int i = 0; i < 2; i++) {
    const swi_node *t = producer(g, n->in[i], SW_OP_transpose);
    if (!t || !turns_last_two(t)) continue;
    n->in[i] = t->in[0];
    *flag[i] = !*flag[i];
  }
  return SW_OK;
}

/* Over axes of size 1 there is nothing to add up. */
static sw_status sum(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  const sw_type *in = sw_graph_type(g, n->in[0]);
  sw_attrs attrs = {.ndim = n->type[0].ndim};
  for (int i = 0; i < in->ndim; i++)
    if ((n->attrs.axes >> i & 1) && (in->dim[i].n != 1 || in->dim[i].batch)) return SW_OK;
  memcpy(attrs.dim, n->type[0].dim, sizeof attrs.dim);
  *found = 1;
  return sw_graph_apply(g, SW_OP_reshape, n->in, 1, &attrs, out);
}

sw_status swi_identity(sw_graph *g, swi_node *n, sw_edge *out, int *found) {
  *found = 0;
  switch (n->op) {
  case SW_OP_add:
  case SW_OP_sub:
  case SW_OP_mul:
  case SW_OP_div: return binary(g, n, out, found);
  case SW_OP_pow: return power(g, n, out, found);
  case SW_OP_neg: return neg(g, n, out, found);
  case SW_OP_scale: return scale(g, n, out, found);
  case SW_OP_reshape: return reshape(g, n, out, found);
  case SW_OP_broadcast: return same(g, n, out, found);
  case SW_OP_transpose: return transpose(g, n, out, found);
  case SW_OP_matmul: return matmul(g, n, out, found);
  case SW_OP_bmm: return bmm(g, n, out, found);
  case SW_OP_sum:
  case SW_OP_mean: return sum(g, n, out, found);
  default: return SW_OK;
  }
}
