/* reduce.c: the axes of a reduction. */
#include "graph/reduce.h"

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
