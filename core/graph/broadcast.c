/* broadcast.c: inputs that are broadcast to a common shape. */
#include "graph/broadcast_int.h"

sw_status swi_cannot_broadcast(const swi_shape_args *a, const sw_type *x, const sw_type *y) {
  char tx[120], ty[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: cannot be broadcast together: %s and %s", a->op,
                 sw_type_text(x, tx, sizeof tx), sw_type_text(y, ty, sizeof ty));
}

sw_status swi_broadcast_types(const swi_shape_args *a, const sw_type *x, const sw_type *y,
                              sw_type *out) {
  const sw_type *longer = x->ndim >= y->ndim ? x : y;
  const sw_type *shorter = x->ndim >= y->ndim ? y : x;
  int lead = longer->ndim - shorter->ndim;
  sw_type t = *longer;
  t.dependence = swi_dependence_max(x->dependence, y->dependence);
  for (int i = 0; i < shorter->ndim; i++) {
    sw_dim one = {1, 0}, d = shorter->dim[i], *to = &t.dim[lead + i];
    if (swi_dim_equal(*to, one))
      *to = d;
    else if (!swi_dim_equal(d, one) && !swi_dim_equal(d, *to))
      return swi_cannot_broadcast(a, x, y);
  }
  *out = t;
  return SW_OK;
}

static int can_merge(const swi_walk *w, const int64_t *stride) {
  int last = w->n_axes - 1;
  for (int i = 0; i < w->n_in; i++)
    if (stride[i] != w->stride[i][last] * w->size[last]) return 0;
  return 1;
}

swi_walk swi_walk_over(int n_in, const sw_shape *in, const sw_shape *out) {
  int64_t running[SWI_BROADCAST_IN] = {1, 1, 1};
  const int n = n_in < SWI_BROADCAST_IN ? n_in : SWI_BROADCAST_IN; /* none has more */
  swi_walk w = {.n_in = n};
  for (int axis = out->ndim - 1; axis >= 0; axis--) {
    int64_t stride[SWI_BROADCAST_IN];
    for (int i = 0; i < n; i++) {
      int at = axis - (out->ndim - in[i].ndim);
      int64_t d = at >= 0 ? in[i].dim[at] : 1;
      stride[i] = d == 1 ? 0 : running[i];
      running[i] *= d;
    }
    if (out->dim[axis] == 1) continue;
    if (w.n_axes > 0 && can_merge(&w, stride)) {
      w.size[w.n_axes - 1] *= out->dim[axis];
      continue;
    }
    w.size[w.n_axes] = out->dim[axis];
    for (int i = 0; i < n; i++) w.stride[i][w.n_axes] = stride[i];
    w.n_axes++;
  }
  return w;
}
