/* tensor.c: makes, frees and reads tensors and their storage. */
#include <inttypes.h>
#include <stdint.h>

#include "base/alloc_int.h"
#include "kernels/kernels_int.h"
#include "tensor/tensor_int.h"

static void storage_release(swi_storage *s) {
  if (--s->references > 0) return;
  sw_context *ctx = s->ctx;
  if (s->release != NULL) {
    s->release(s->arg);
  } else {
    swi_free(ctx, s->data, (size_t)s->bytes);
  }
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

/* A storage without data, with no reference yet. */
static swi_storage *storage_new(sw_context *ctx, int64_t bytes) {
  swi_storage *s = swi_alloc_zeroed(ctx, sizeof *s);
  if (s == NULL) return NULL;
  s->ctx = sw_context_retain(ctx);
  s->bytes = bytes;
  return s;
}

static void storage_drop(swi_storage *s) { /* it never held data */
  sw_context *ctx = s->ctx;
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

sw_status swi_tensor_keep(const sw_tensor *view, sw_tensor **out) {
  sw_tensor *t = swi_alloc(view->storage->ctx, sizeof *t);
  if (t == NULL) return SW_ENOMEM;
  *t = *view;
  t->storage->references++;
  *out = t;
  return SW_OK;
}

static sw_tensor whole_storage(swi_storage *s, sw_dtype dtype, const sw_shape *shape,
                               int read_only) {
  sw_tensor t = {
      .storage = s, .data = s->data, .dtype = dtype, .read_only = read_only, .shape = *shape};
  t.numel = swi_shape_strides(shape, t.stride);
  return t;
}

sw_status swi_tensor_empty(sw_context *ctx, sw_dtype dtype, const sw_shape *shape, int zeroed,
                           sw_tensor **out) {
  int64_t numel;
  SW_TRY(sw_shape_numel(ctx, shape, &numel));
  swi_storage *s = storage_new(ctx, numel * sw_dtype_bytes(dtype));
  if (s == NULL) return SW_ENOMEM;
  s->data = zeroed ? swi_alloc_zeroed(ctx, (size_t)s->bytes) : swi_alloc(ctx, (size_t)s->bytes);
  if (s->data == NULL) {
    storage_drop(s);
    return SW_ENOMEM;
  }
  sw_tensor t = whole_storage(s, dtype, shape, 0);
  sw_status st = swi_tensor_keep(&t, out);
  if (st != SW_OK) storage_release(s); /* its count is 0: this frees it */
  return st;
}

sw_status sw_tensor_new(sw_context *ctx, sw_dtype dtype, const sw_shape *shape, sw_tensor **out) {
  return swi_tensor_empty(ctx, dtype, shape, 1, out);
}

sw_status sw_tensor_wrap(sw_context *ctx, sw_dtype dtype, const sw_shape *shape, void *data,
                         int read_only, void (*release)(void *arg), void *arg, sw_tensor **out) {
  int64_t numel;
  SW_TRY(sw_shape_numel(ctx, shape, &numel));
  if (release == NULL || (data == NULL && numel > 0) ||
      (uintptr_t)data % (size_t)sw_dtype_bytes(dtype)) {
    return sw_fail(ctx, SW_EARG, "wrap: needs a release function and data aligned to %d bytes",
                   sw_dtype_bytes(dtype));
  }
  swi_storage *s = storage_new(ctx, numel * sw_dtype_bytes(dtype));
  if (s == NULL) return SW_ENOMEM;
  s->data = data;
  s->release = release;
  s->arg = arg;
  sw_tensor t = whole_storage(s, dtype, shape, read_only);
  sw_status st = swi_tensor_keep(&t, out);
  if (st != SW_OK) storage_drop(s); /* the data stays the caller's */
  return st;
}

void sw_tensor_free(sw_tensor *t) {
  if (t == NULL) return;
  swi_storage *s = t->storage;
  swi_free(s->ctx, t, sizeof *t);
  storage_release(s);
}

const struct swi_kernels *swi_tensor_kernels(const sw_tensor *t) {
  return swi_kernels_of(t->storage->ctx, sw_dtype_bytes(t->dtype));
}

sw_context *sw_tensor_context(const sw_tensor *t) { return t->storage->ctx; }
sw_dtype sw_tensor_dtype(const sw_tensor *t) { return t->dtype; }
const sw_shape *sw_tensor_shape(const sw_tensor *t) { return &t->shape; }
int64_t sw_tensor_numel(const sw_tensor *t) { return t->numel; }
int64_t sw_tensor_storage_bytes(const sw_tensor *t) { return t->storage->bytes; }
int sw_tensor_is_read_only(const sw_tensor *t) { return t->read_only; }
const void *sw_tensor_data(const sw_tensor *t) { return t->data; }

int sw_tensor_is_contiguous(const sw_tensor *t) {
  int64_t expected = 1;
  if (t->numel == 0) return 1;
  for (int i = t->shape.ndim - 1; i >= 0; i--) {
    if (t->shape.dim[i] == 1) continue; /* its stride is never used */
    if (t->stride[i] != expected) return 0;
    expected *= t->shape.dim[i];
  }
  return 1;
}

sw_status sw_tensor_writable(sw_tensor *t, void **out) {
  SW_TRY(swi_check_writable(t, "tensor"));
  *out = t->data;
  return SW_OK;
}

sw_status swi_check_writable(const sw_tensor *t, const char *what) {
  if (!t->read_only) return SW_OK;
  return sw_fail(t->storage->ctx, SW_EARG,
                 "%s: this tensor is read only (a mapped file or a broadcast view); clone it first",
                 what);
}

sw_status swi_check_float(const sw_tensor *t, const char *what) {
  if (t->dtype == SW_F32 || t->dtype == SW_F64) return SW_OK;
  return sw_fail(t->storage->ctx, SW_EDTYPE,
                 "%s: expected float32 or float64, got %s; convert it first", what,
                 sw_dtype_name(t->dtype));
}
