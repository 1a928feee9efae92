/* reduce.c: the axes of a reduction, and the shapes of results. */
#include "graph/reduce_int.h"

static sw_dependence reduced_dependence(const sw_type *in, uint32_t axes) {
  int batch = sw_type_batch_axis(in);
  if (batch >= 0 && (axes >> batch & 1) && in->dependence != SW_CONSTANT) return SW_MIXED;
  return in->dependence;
}

sw_status swi_reduce_shape(swi_shape_args *a) {
  const sw_type *in = a->in[0];
  sw_type t = {.kind = SW_REAL, .dependence = reduced_dependence(in, a->attrs->axes)};
  if (a->attrs->axes >> in->ndim != 0)
    return sw_fail(a->ctx, SW_ERANGE, "%s: axis %d is outside 1 … %d", a->op,
                   32 - __builtin_clz(a->attrs->axes), in->ndim);
  for (int i = 0; i < in->ndim; i++) {
    if (!(a->attrs->axes >> i & 1))
      t.dim[t.ndim++] = in->dim[i];
    else if (a->attrs->keepdim)
      t.dim[t.ndim++] = (sw_dim){1, 0};
  }
  a->out[0] = t;
  return SW_OK;
}

sw_status swi_reduce_some_shape(swi_shape_args *a) {
  char text[120];
  SW_TRY(swi_reduce_shape(a));
  for (int i = 0; i < a->in[0]->ndim; i++)
    if ((a->attrs->axes >> i & 1) && a->in[0]->dim[i].n == 0)
      return sw_fail(a->ctx, SW_ESHAPE, "%s: axis %d of %s is empty", a->op, i + 1,
                     sw_type_text(a->in[0], text, sizeof text));
  return SW_OK;
}

swi_split swi_split_axes(const sw_shape *in, uint32_t axes) {
  swi_split s = {1, 1, 1, 1};
  int state = 0; /* 0: before, 1: in, 2: behind the reduced axes */
  for (int i = 0; i < in->ndim; i++) {
    int is_reduced = axes >> i & 1;
    if (in->dim[i] == 1) continue;
    if (is_reduced && state == 0) state = 1;
    if (!is_reduced && state == 1) state = 2;
    if (is_reduced && state == 2) s.simple = 0;
    *(is_reduced ? &s.reduced : state == 2 ? &s.inner : &s.outer) *= in->dim[i];
  }
  return s;
}

swi_odometer swi_odometer_over(const sw_shape *in, uint32_t axes) {
  swi_odometer o = {.count = 1};
  int64_t stride = 1;
  for (int i = in->ndim - 1; i >= 0; i--) {
    if (axes >> i & 1) {
      o.size[o.n] = in->dim[i];
      o.stride[o.n++] = stride;
      o.count *= in->dim[i];
    }
    stride *= in->dim[i];
  }
  return o;
}

void swi_odometer_step(swi_odometer *o) {
  for (int i = 0; i < o->n; i++) {
    o->position += o->stride[i];
    if (++o->at[i] < o->size[i]) return;
    o->position -= o->stride[i] * o->size[i];
    o->at[i] = 0;
  }
}

int swi_sums_batch(const sw_graph *g, const swi_node *n) {
  const int batch = sw_type_batch_axis(sw_graph_type(g, n->in[0]));
  return batch >= 0 && (n->attrs.axes >> batch & 1);
}
