/* vector.c: updates in place and inner products of float tensors, by the kernels.
 *
 * Elements that are not contiguous are copied to tiles on the stack, or as a whole where the order
 * of additions matters: a view has the same dot product, to the bit, as its clone.
 */
#include <inttypes.h>

#include "kernels/inner_int.h"
#include "tensor/walk_int.h"

enum { TILE = 256 };

/* y = f(c, x, y): the common form of axpy, lerp and scale. */
typedef void (*update)(int64_t n, double c, const void *x, void *y);

static void update_in_tiles(update f, double c, const swi_walk *w, sw_dtype dtype) {
  char x[TILE * 8], y[TILE * 8];
  swi_convert move = swi_convert_between(dtype, dtype);
  int64_t bytes = sw_dtype_bytes(dtype);
  for (int64_t i = 0; i < w->n; i += TILE) {
    int64_t n = w->n - i < TILE ? w->n - i : TILE;
    char *to = w->at[0] + i * w->step[0];
    move(n, w->at[1] + i * w->step[1], w->step[1], x, bytes);
    move(n, to, w->step[0], y, bytes);
    f(n, c, x, y);
    move(n, y, bytes, to, w->step[0]);
  }
}

/* Same shape and type, no overlap. */
static void update_all(update f, double c, sw_tensor *t, const sw_tensor *x) {
  int64_t bytes = sw_dtype_bytes(t->dtype);
  swi_walk w;
  swi_walk_init(&w, 2, (const sw_tensor *const[]){t, x});
  while (swi_walk_next(&w)) {
    if (w.step[0] == bytes && w.step[1] == bytes) {
      f(w.n, c, w.at[1], w.at[0]);
    } else {
      update_in_tiles(f, c, &w, t->dtype);
    }
  }
}

static sw_status check_dtypes(const sw_tensor *a, const sw_tensor *b, const char *what) {
  SW_TRY(swi_check_float(a, what));
  if (a->dtype == b->dtype) return SW_OK;
  return sw_fail(a->storage->ctx, SW_EDTYPE,
                 "%s: element types differ: %s and %s; convert one of them", what,
                 sw_dtype_name(a->dtype), sw_dtype_name(b->dtype));
}

static sw_status check_pair(const sw_tensor *t, const sw_tensor *x, const char *what) {
  SW_TRY(swi_check_writable(t, what));
  SW_TRY(check_dtypes(t, x, what));
  if (sw_shape_equal(&t->shape, &x->shape)) return SW_OK;
  char want[SWI_SHAPE_TEXT], have[SWI_SHAPE_TEXT];
  return sw_fail(t->storage->ctx, SW_ESHAPE, "%s: expected shape %s, got %s; broadcast it first",
                 what, sw_shape_text(&t->shape, want, sizeof want),
                 sw_shape_text(&x->shape, have, sizeof have));
}

static sw_status update_pair(update f, double c, sw_tensor *t, const sw_tensor *x) {
  if (!swi_tensor_overlap(t, x)) {
    update_all(f, c, t, x);
    return SW_OK;
  }
  sw_tensor *apart;
  SW_TRY(sw_tensor_clone(x, &apart));
  update_all(f, c, t, apart);
  sw_tensor_free(apart);
  return SW_OK;
}

sw_status sw_tensor_axpy(sw_tensor *t, double a, const sw_tensor *x) {
  SW_TRY(check_pair(t, x, "axpy"));
  return update_pair(swi_tensor_kernels(t)->axpy, a, t, x);
}

sw_status sw_tensor_lerp(sw_tensor *t, double w, const sw_tensor *x) {
  SW_TRY(check_pair(t, x, "lerp"));
  return update_pair(swi_tensor_kernels(t)->lerp, w, t, x);
}

sw_status sw_tensor_scale(sw_tensor *t, double c) {
  SW_TRY(check_pair(t, t, "scale"));
  return update_pair(swi_tensor_kernels(t)->scale, c, t, t);
}

static sw_status dot_of(const sw_tensor *a, const sw_tensor *b, double *out) {
  sw_tensor *x, *y;
  SW_TRY(sw_tensor_contiguous(a, &x));
  sw_status st = sw_tensor_contiguous(b, &y);
  if (st == SW_OK) {
    *out = swi_vector_dot(swi_tensor_kernels(a), a->numel, x->data, y->data);
    sw_tensor_free(y);
  }
  sw_tensor_free(x);
  return st;
}

sw_status sw_tensor_dot(const sw_tensor *a, const sw_tensor *b, double *out) {
  SW_TRY(check_dtypes(a, b, "dot"));
  if (a->numel != b->numel) {
    return sw_fail(a->storage->ctx, SW_ESHAPE,
                   "dot: expected as many elements, got %" PRId64 " and %" PRId64, a->numel,
                   b->numel);
  }
  return dot_of(a, b, out);
}

sw_status sw_tensor_norm(const sw_tensor *t, double *out) {
  SW_TRY(swi_check_float(t, "norm"));
  sw_tensor *x;
  SW_TRY(sw_tensor_contiguous(t, &x));
  *out = swi_vector_norm(swi_tensor_kernels(t), t->numel, x->data);
  sw_tensor_free(x);
  return SW_OK;
}
