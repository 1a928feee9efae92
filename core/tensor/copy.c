/* copy.c: whole tensors filled, copied and converted, over any strides. */
#include <inttypes.h>
#include <string.h>

#include "kernels/kernels_int.h"
#include "tensor/walk_int.h"

enum { TILE = 256 };

static int is_float(sw_dtype t) { return t == SW_F32 || t == SW_F64; }

sw_status sw_tensor_fill(sw_tensor *t, double value) {
  SW_TRY(swi_check_writable(t, "fill"));
  SW_TRY(swi_check_fits(t->storage->ctx, t->dtype, value, "fill"));
  int64_t bytes = sw_dtype_bytes(t->dtype);
  swi_convert convert = swi_convert_between(SW_F64, t->dtype);
  swi_walk w;
  swi_walk_init(&w, 1, (const sw_tensor *const[]){t});
  while (swi_walk_next(&w)) {
    if (is_float(t->dtype) && w.step[0] == bytes) {
      swi_tensor_kernels(t)->fill(w.n, value, w.at[0]);
    } else {
      convert(w.n, (const char *)&value, 0, w.at[0], w.step[0]);
    }
  }
  return SW_OK;
}

/* Checks every element before the first is written, so that a copy that fails changes nothing. */
static sw_status check_all_fit(const sw_tensor *src, sw_dtype to, const char *what) {
  if (is_float(to) || to == src->dtype || src->dtype == SW_U8) return SW_OK;
  swi_convert widen = swi_convert_between(src->dtype, SW_F64);
  swi_walk w;
  swi_walk_init(&w, 1, (const sw_tensor *const[]){src});
  while (swi_walk_next(&w)) {
    for (int64_t i = 0; i < w.n; i += TILE) {
      double tile[TILE];
      int64_t n = w.n - i < TILE ? w.n - i : TILE;
      widen(n, w.at[0] + i * w.step[0], w.step[0], (char *)tile, sizeof tile[0]);
      for (int64_t k = 0; k < n; k++) SW_TRY(swi_check_fits(src->storage->ctx, to, tile[k], what));
    }
  }
  return SW_OK;
}

/* Same shape, values that fit, no overlap. */
static void copy_elements(sw_tensor *t, const sw_tensor *src) {
  int64_t bytes = sw_dtype_bytes(t->dtype);
  swi_convert convert = swi_convert_between(src->dtype, t->dtype);
  swi_walk w;
  swi_walk_init(&w, 2, (const sw_tensor *const[]){t, src});
  while (swi_walk_next(&w)) {
    if (t->dtype == src->dtype && w.step[0] == bytes && w.step[1] == bytes) {
      memmove(w.at[0], w.at[1], (size_t)(w.n * bytes)); /* a tensor may be copied to itself */
    } else {
      convert(w.n, w.at[1], w.step[1], w.at[0], w.step[0]);
    }
  }
}

sw_status sw_tensor_copy(sw_tensor *t, const sw_tensor *src) {
  SW_TRY(swi_check_writable(t, "copy"));
  sw_tensor from;
  SW_TRY(swi_tensor_broadcast(src, &t->shape, "copy", &from));
  SW_TRY(check_all_fit(src, t->dtype, "copy"));
  if (!swi_tensor_overlap(t, &from)) {
    copy_elements(t, &from);
    return SW_OK;
  }
  sw_tensor *apart;
  SW_TRY(sw_tensor_clone(&from, &apart));
  copy_elements(t, apart);
  sw_tensor_free(apart);
  return SW_OK;
}

sw_status sw_tensor_to(const sw_tensor *t, sw_dtype dtype, sw_tensor **out) {
  SW_TRY(check_all_fit(t, dtype, "to"));
  sw_tensor *copy;
  SW_TRY(swi_tensor_empty(t->storage->ctx, dtype, &t->shape, 0, &copy));
  copy_elements(copy, t);
  *out = copy;
  return SW_OK;
}

sw_status sw_tensor_clone(const sw_tensor *t, sw_tensor **out) {
  return sw_tensor_to(t, t->dtype, out);
}
