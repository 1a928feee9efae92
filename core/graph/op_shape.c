/* op_shape.c: reshape and transpose: the same elements, named otherwise. */
#include <string.h>

#include "graph/build.h"

/* ------------------------------------------------------------------ reshape */

static sw_status no_fit(swi_shape_args *a, const sw_type *wanted) {
  char x[120], y[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: %s has not as many elements as %s", a->op,
                 sw_type_text(a->in[0], x, sizeof x), sw_type_text(wanted, y, sizeof y));
}

/* Gives the axis of size -1 what is left over. */
static sw_status complete(swi_shape_args *a, sw_type *t) {
  const sw_dim have = swi_type_numel(a->in[0]);
  sw_type given = {0}; /* the axes that are not open */
  int open = -1;
  for (int i = 0; i < t->ndim; i++) {
    if (t->dim[i].n < -1 || (t->dim[i].n == -1 && open >= 0))
      return sw_fail(a->ctx, SW_ESHAPE, "%s: only one axis may be -1, and none less", a->op);
    if (t->dim[i].n == -1)
      open = i;
    else
      given.dim[given.ndim++] = t->dim[i];
  }
  if (open < 0) return SW_OK;
  const sw_dim rest = swi_type_numel(&given);
  if (rest.n == 0 || have.n % rest.n != 0 || (rest.batch && !have.batch)) return no_fit(a, t);
  t->dim[open] = (sw_dim){have.n / rest.n, have.batch && !rest.batch};
  return SW_OK;
}

/* Elements of one slice of the axes before the batch axis. */
static int64_t before_batch(const sw_type *t) {
  int64_t n = 1;
  for (int i = 0; i < t->ndim && !t->dim[i].batch; i++) n *= t->dim[i].n;
  return n;
}

sw_status swi_reshape_shape(swi_shape_args *a) {
  sw_type t = {.kind = a->in[0]->kind, .ndim = a->attrs->ndim, .dependence = a->in[0]->dependence};
  memcpy(t.dim, a->attrs->dim, sizeof t.dim);
  SW_TRY(complete(a, &t));
  if (!swi_dim_equal(swi_type_numel(a->in[0]), swi_type_numel(&t))) return no_fit(a, &t);
  /* examples stay apart only if they are cut at the same places */
  if (t.dependence == SW_BY_EXAMPLE && before_batch(a->in[0]) != before_batch(&t))
    t.dependence = SW_MIXED;
  memcpy(a->attrs->dim, t.dim, sizeof t.dim);
  a->out[0] = t;
  return SW_OK;
}

/* In programs a reshape is an alias and this does not run; eagerly it copies. */
sw_status swi_copy_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->in_shape[0]);
  if (n > 0) memmove(e->out[0], e->in[0], (size_t)(n * e->out_bytes));
  return SW_OK;
}

void swi_reshape_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_reshape_like(g, v->cotangent[0], v->in[0]);
}

/* ------------------------------------------------------------------ transpose */

sw_status swi_transpose_shape(swi_shape_args *a) {
  const sw_type *in = a->in[0];
  uint32_t seen = 0;
  a->out[0] = *in;
  for (int i = 0; i < in->ndim; i++) {
    int from = a->attrs->perm[i];
    if (from < 0 || from >= in->ndim || (seen >> from & 1))
      return sw_fail(a->ctx, SW_ERANGE, "%s: perm must name each of the %d axes once", a->op,
                     in->ndim);
    seen |= 1u << from;
    a->out[0].dim[i] = in->dim[from];
  }
  return SW_OK;
}

static void copy_strided(char *y, const char *x, int64_t n, int64_t stride, int bytes) {
  if (bytes == 4)
    for (int64_t i = 0; i < n; i++) memcpy(y + 4 * i, x + 4 * i * stride, 4);
  else
    for (int64_t i = 0; i < n; i++) memcpy(y + 8 * i, x + 8 * i * stride, 8);
}

sw_status swi_transpose_eval(const swi_eval_args *e) {
  const sw_shape *in = &e->in_shape[0], *out = &e->out_shape[0];
  int64_t stride[SW_MAX_DIMS] = {0}, at[SW_MAX_DIMS] = {0}, running = 1, rows = 1, position = 0;
  int bytes = e->k->element_bytes, last = out->ndim - 1;
  char *y = e->out[0];
  int64_t in_stride[SW_MAX_DIMS] = {0};
  for (int i = in->ndim - 1; i >= 0; i--) {
    in_stride[i] = running;
    running *= in->dim[i];
  }
  if (running == 0) return SW_OK;
  if (out->ndim == 0) return swi_copy_eval(e);
  for (int i = 0; i <= last; i++) stride[i] = in_stride[e->attrs->perm[i]];
  for (int i = 0; i < last; i++) rows *= out->dim[i];
  for (int64_t r = 0; r < rows; r++) {
    copy_strided(y, (const char *)e->in[0] + position * bytes, out->dim[last], stride[last], bytes);
    y += out->dim[last] * bytes;
    for (int i = last - 1; i >= 0; i--) {
      position += stride[i];
      if (++at[i] < out->dim[i]) break;
      position -= stride[i] * out->dim[i];
      at[i] = 0;
    }
  }
  return SW_OK;
}

void swi_transpose_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_attrs inverse = {0};
  for (int i = 0; i < sw_graph_type(g, v->in[0])->ndim; i++) inverse.perm[v->attrs->perm[i]] = i;
  v->grad[0] = swi_build(g, SW_OP_transpose, v->cotangent[0], SW_NO_EDGE, SW_NO_EDGE, &inverse);
}
