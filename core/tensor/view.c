/* view.c: views: tensors of other shapes and strides on the same elements. */
#include <inttypes.h>

#include "tensor/tensor_int.h"

/* As users count. */
static int64_t from_one(int64_t index) { return index < INT64_MAX ? index + 1 : index; }

static sw_status check_axis(const sw_tensor *t, int axis, const char *what) {
  if (axis >= 0 && axis < t->shape.ndim) return SW_OK;
  sw_context *ctx = t->storage->ctx;
  if (t->shape.ndim == 0) return sw_fail(ctx, SW_ERANGE, "%s: a scalar has no axes", what);
  return sw_fail(ctx, SW_ERANGE, "%s: axis %" PRId64 " is outside 1 … %d", what, (int64_t)axis + 1,
                 t->shape.ndim);
}

/* Moves the view's first element by a number of elements. */
static void advance(sw_tensor *view, int64_t elements) {
  view->data += elements * sw_dtype_bytes(view->dtype);
}

sw_status sw_tensor_view(const sw_tensor *t, sw_tensor **out) { return swi_tensor_keep(t, out); }

sw_status sw_tensor_select(const sw_tensor *t, int axis, int64_t index, sw_tensor **out) {
  SW_TRY(check_axis(t, axis, "select"));
  int64_t size = t->shape.dim[axis];
  if (index < 0 || index >= size) {
    return sw_fail(t->storage->ctx, SW_ERANGE,
                   "select: index %" PRId64 " of axis %d is outside 1 … %" PRId64, from_one(index),
                   axis + 1, size);
  }
  sw_tensor v = *t;
  advance(&v, index * t->stride[axis]);
  v.shape.ndim--;
  for (int i = axis; i < v.shape.ndim; i++) {
    v.shape.dim[i] = t->shape.dim[i + 1];
    v.stride[i] = t->stride[i + 1];
  }
  v.numel = t->numel / size;
  return swi_tensor_keep(&v, out);
}

sw_status sw_tensor_narrow(const sw_tensor *t, int axis, int64_t start, int64_t length,
                           sw_tensor **out) {
  SW_TRY(check_axis(t, axis, "narrow"));
  int64_t size = t->shape.dim[axis];
  if (start < 0 || length < 0 || start > size || length > size - start) {
    return sw_fail(t->storage->ctx, SW_ERANGE,
                   "narrow: %" PRId64 " elements from index %" PRId64
                   " of axis %d are outside 1 … %" PRId64,
                   length, from_one(start), axis + 1, size);
  }
  sw_tensor v = *t;
  if (length > 0) advance(&v, start * t->stride[axis]); /* an empty view keeps a good address */
  v.shape.dim[axis] = length;
  v.numel = size == 0 ? 0 : t->numel / size * length;
  return swi_tensor_keep(&v, out);
}

sw_status sw_tensor_transpose(const sw_tensor *t, int axis1, int axis2, sw_tensor **out) {
  SW_TRY(check_axis(t, axis1, "transpose"));
  SW_TRY(check_axis(t, axis2, "transpose"));
  sw_tensor v = *t;
  v.shape.dim[axis1] = t->shape.dim[axis2];
  v.shape.dim[axis2] = t->shape.dim[axis1];
  v.stride[axis1] = t->stride[axis2];
  v.stride[axis2] = t->stride[axis1];
  return swi_tensor_keep(&v, out);
}

sw_status swi_tensor_broadcast(const sw_tensor *t, const sw_shape *shape, const char *what,
                               sw_tensor *view) {
  sw_context *ctx = t->storage->ctx;
  int64_t numel;
  SW_TRY(sw_shape_numel(ctx, shape, &numel));
  sw_tensor v = *t;
  v.shape = *shape;
  v.numel = numel;
  v.read_only = 1;
  int shift = shape->ndim - t->shape.ndim, fits = shift >= 0;
  for (int i = 0; fits && i < shape->ndim; i++) {
    int64_t from = i < shift ? 1 : t->shape.dim[i - shift];
    fits = from == shape->dim[i] || from == 1;
    v.stride[i] = i < shift || from != shape->dim[i] ? 0 : t->stride[i - shift];
  }
  if (!fits) {
    char have[SWI_SHAPE_TEXT], want[SWI_SHAPE_TEXT];
    return sw_fail(
        ctx, SW_ESHAPE,
        "%s: shape %s cannot be broadcast to %s; from the right, sizes must be equal or 1", what,
        sw_shape_text(&t->shape, have, sizeof have), sw_shape_text(shape, want, sizeof want));
  }
  *view = v;
  return SW_OK;
}

sw_status sw_tensor_broadcast(const sw_tensor *t, const sw_shape *shape, sw_tensor **out) {
  sw_tensor v;
  SW_TRY(swi_tensor_broadcast(t, shape, "broadcast", &v));
  return swi_tensor_keep(&v, out);
}

/* Fills in the dimension that is -1. The shape must then have as many elements as t. */
static sw_status complete_shape(const sw_tensor *t, sw_shape *shape) {
  sw_context *ctx = t->storage->ctx;
  char have[SWI_SHAPE_TEXT], want[SWI_SHAPE_TEXT];
  sw_shape known = *shape;
  int unknown = -1;
  for (int i = 0; i < shape->ndim && i < SW_MAX_DIMS; i++) {
    if (shape->dim[i] != -1) continue;
    if (unknown >= 0) {
      return sw_fail(ctx, SW_ESHAPE,
                     "reshape: axes %d and %d are both -1, only one size can be inferred",
                     unknown + 1, i + 1);
    }
    unknown = i;
    known.dim[i] = 1;
  }
  int64_t numel;
  SW_TRY(sw_shape_numel(ctx, &known, &numel));
  if (unknown >= 0 && numel > 0 && t->numel % numel == 0) {
    shape->dim[unknown] = t->numel / numel;
  } else if (unknown >= 0 || numel != t->numel) {
    return sw_fail(ctx, SW_ESHAPE, "reshape: %s with its %" PRId64 " elements does not fit %s",
                   sw_shape_text(&t->shape, have, sizeof have), t->numel,
                   sw_shape_text(shape, want, sizeof want));
  }
  return SW_OK;
}

/* Finds strides with which v's shape has the elements of t in the same order; 0 if there are none.
 * From the right, axes of t that are contiguous to each other are joined into blocks; the new axes
 * must split each block exactly. */
static int strides_after_reshape(const sw_tensor *t, sw_tensor *v) {
  int to = v->shape.ndim - 1;
  for (int from = t->shape.ndim - 1; from >= 0;) {
    int64_t block = t->shape.dim[from], step = t->stride[from], taken = 1;
    for (from--; from >= 0; from--) {
      if (t->shape.dim[from] == 1) continue;
      if (block > 1 && t->stride[from] != block * step) break;
      if (block == 1) step = t->stride[from];
      block *= t->shape.dim[from];
    }
    for (; to >= 0 && (taken < block || v->shape.dim[to] == 1); to--) {
      v->stride[to] = taken * step;
      taken *= v->shape.dim[to];
    }
    if (taken != block) return 0;
  }
  for (; to >= 0; to--) v->stride[to] = 1; /* all of them are 1 */
  return 1;
}

sw_status sw_tensor_reshape(const sw_tensor *t, const sw_shape *shape, sw_tensor **out) {
  sw_tensor v = *t;
  v.shape = *shape;
  SW_TRY(complete_shape(t, &v.shape));
  if (sw_tensor_is_contiguous(t)) {
    (void)swi_shape_strides(&v.shape, v.stride);
  } else if (!strides_after_reshape(t, &v)) {
    sw_tensor *copy;
    SW_TRY(sw_tensor_clone(t, &copy));
    copy->shape = v.shape; /* not given out yet */
    (void)swi_shape_strides(&copy->shape, copy->stride);
    *out = copy;
    return SW_OK;
  }
  return swi_tensor_keep(&v, out);
}

sw_status sw_tensor_contiguous(const sw_tensor *t, sw_tensor **out) {
  return sw_tensor_is_contiguous(t) ? sw_tensor_view(t, out) : sw_tensor_clone(t, out);
}

/* The bytes that a view can touch: from *low up to, not with, *high. */
static void extent(const sw_tensor *t, uintptr_t *low, uintptr_t *high) {
  int64_t last = 0; /* strides are never negative */
  for (int i = 0; i < t->shape.ndim; i++) last += (t->shape.dim[i] - 1) * t->stride[i];
  *low = (uintptr_t)t->data;
  *high = *low + (uintptr_t)((last + 1) * sw_dtype_bytes(t->dtype));
}

static int same_view(const sw_tensor *a, const sw_tensor *b) {
  if (a->data != b->data || !sw_shape_equal(&a->shape, &b->shape)) return 0;
  for (int i = 0; i < a->shape.ndim; i++) {
    if (a->shape.dim[i] > 1 && a->stride[i] != b->stride[i]) return 0;
  }
  return 1;
}

int swi_tensor_overlap(const sw_tensor *a, const sw_tensor *b) {
  uintptr_t low_a, high_a, low_b, high_b;
  if (a->storage != b->storage || a->numel == 0 || b->numel == 0 || same_view(a, b)) return 0;
  extent(a, &low_a, &high_a);
  extent(b, &low_b, &high_b);
  return low_a < high_b && low_b < high_a;
}
