/* shape.c: sizes of tensors: counting, comparing, broadcasting, printing. */
#include <inttypes.h>
#include <stdio.h>

#include "tensor/tensor_int.h"

sw_shape sw_shape_of(int ndim, const int64_t *dim) {
  sw_shape s = {.ndim = ndim}; /* a bad ndim is kept; sw_shape_numel refuses it */
  for (int i = 0; i < ndim && i < SW_MAX_DIMS; i++) s.dim[i] = dim[i];
  return s;
}

int sw_shape_equal(const sw_shape *a, const sw_shape *b) {
  if (a->ndim != b->ndim) return 0;
  for (int i = 0; i < a->ndim && i < SW_MAX_DIMS; i++) {
    if (a->dim[i] != b->dim[i]) return 0;
  }
  return 1;
}

sw_status sw_shape_numel(sw_context *ctx, const sw_shape *s, int64_t *out) {
  if (s->ndim < 0 || s->ndim > SW_MAX_DIMS) {
    return sw_fail(ctx, SW_ERANGE, "shape: %d dimensions, expected 0 to %d", s->ndim, SW_MAX_DIMS);
  }
  char text[SWI_SHAPE_TEXT];
  int64_t extent = 1; /* dimensions of 0 count as 1, so that strides are bounded, too */
  int empty = 0;
  for (int i = 0; i < s->ndim; i++) {
    int64_t d = s->dim[i];
    if (d < 0) {
      return sw_fail(ctx, SW_ERANGE, "shape: size %" PRId64 " of axis %d in %s is negative", d,
                     i + 1, sw_shape_text(s, text, sizeof text));
    }
    empty |= d == 0;
    if (d > 1 && extent > SW_MOST_ELEMENTS / d) {
      return sw_fail(ctx, SW_ERANGE, "shape: %s is too large, at most 2^46 elements are possible",
                     sw_shape_text(s, text, sizeof text));
    }
    if (d > 1) extent *= d;
  }
  *out = empty ? 0 : extent;
  return SW_OK;
}

int64_t swi_shape_strides(const sw_shape *shape, int64_t *stride) {
  int64_t extent = 1, numel = 1;
  for (int i = shape->ndim - 1; i >= 0; i--) {
    stride[i] = extent;
    if (shape->dim[i] > 1) extent *= shape->dim[i];
    numel *= shape->dim[i];
  }
  return numel;
}

const char *sw_shape_text(const sw_shape *s, char *text, size_t size) {
  char whole[SWI_SHAPE_TEXT];
  size_t n = 0;
  whole[n++] = '(';
  for (int i = 0; i < s->ndim && i < SW_MAX_DIMS; i++) {
    n += (size_t)snprintf(whole + n, sizeof whole - n, "%s%" PRId64, i > 0 ? ", " : "", s->dim[i]);
  }
  (void)snprintf(whole + n, sizeof whole - n, s->ndim > SW_MAX_DIMS ? ", ...)" : ")");
  if (size > 0) (void)snprintf(text, size, "%s", whole);
  return text;
}

/* Size of the axis that is `back` places from the right; 1 where the shape has none. */
static int64_t dim_from_right(const sw_shape *s, int back) {
  return back < s->ndim ? s->dim[s->ndim - 1 - back] : 1;
}

sw_status sw_shape_broadcast(sw_context *ctx, const sw_shape *a, const sw_shape *b, sw_shape *out) {
  int64_t numel;
  SW_TRY(sw_shape_numel(ctx, a, &numel));
  SW_TRY(sw_shape_numel(ctx, b, &numel));
  sw_shape r = {.ndim = a->ndim > b->ndim ? a->ndim : b->ndim};
  for (int back = 0; back < r.ndim; back++) {
    int64_t da = dim_from_right(a, back), db = dim_from_right(b, back);
    if (da != db && da != 1 && db != 1) {
      char ta[SWI_SHAPE_TEXT], tb[SWI_SHAPE_TEXT];
      return sw_fail(ctx, SW_ESHAPE,
                     "broadcast: shapes %s and %s do not fit: axis %d from the right has %" PRId64
                     " and %" PRId64 ", they must be equal or one of them 1",
                     sw_shape_text(a, ta, sizeof ta), sw_shape_text(b, tb, sizeof tb), back + 1, da,
                     db);
    }
    r.dim[r.ndim - 1 - back] = da == 1 ? db : da;
  }
  SW_TRY(sw_shape_numel(ctx, &r, &numel));
  *out = r;
  return SW_OK;
}
