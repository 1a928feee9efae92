/* walk.c: strided iteration, in one place. */
#include "tensor/walk_int.h"

#include <string.h>

/* Whether the axis continues where the next inner one ends, in every tensor. */
static int joins(const swi_walk *w, int64_t dim, const int64_t *stride) {
  if (w->axes == 0) return 0;
  for (int k = 0; k < w->tensors; k++) {
    if (w->stride[w->axes - 1][k] != dim * stride[k]) return 0;
  }
  return 1;
}

/* Adds the next axis from the left, or joins it to the one before. */
static void take_axis(swi_walk *w, int64_t dim, const int64_t *stride) {
  if (dim == 1) return;
  if (joins(w, dim, stride)) {
    w->dim[w->axes - 1] *= dim;
  } else {
    w->dim[w->axes++] = dim;
  }
  memcpy(w->stride[w->axes - 1], stride, sizeof w->stride[0]);
}

void swi_walk_init(swi_walk *w, int tensors, const sw_tensor *const *t) {
  memset(w, 0, sizeof *w);
  w->tensors = tensors;
  for (int i = 0; i < t[0]->shape.ndim; i++) {
    int64_t stride[SWI_WALK_MAX] = {0};
    for (int k = 0; k < tensors; k++) stride[k] = t[k]->stride[i] * sw_dtype_bytes(t[k]->dtype);
    take_axis(w, t[0]->shape.dim[i], stride);
  }
  w->n = 1;
  if (w->axes > 0) { /* the innermost axis is the run */
    w->n = w->dim[--w->axes];
    memcpy(w->step, w->stride[w->axes], sizeof w->step);
  }
  for (int k = 0; k < tensors; k++) {
    w->at[k] = t[k]->data;
    if (w->n == 1) w->step[k] = sw_dtype_bytes(t[k]->dtype);
  }
  w->runs_left = t[0]->numel == 0 ? 0 : t[0]->numel / w->n;
}

int swi_walk_next(swi_walk *w) {
  if (w->runs_left == 0) return 0;
  w->runs_left--;
  if (!w->started) {
    w->started = 1;
    return 1;
  }
  for (int i = w->axes - 1; i >= 0; i--) {
    w->index[i]++;
    int wraps = w->index[i] == w->dim[i];
    for (int k = 0; k < w->tensors; k++) {
      w->at[k] += wraps ? (1 - w->dim[i]) * w->stride[i][k] : w->stride[i][k];
    }
    if (!wraps) break;
    w->index[i] = 0;
  }
  return 1;
}
