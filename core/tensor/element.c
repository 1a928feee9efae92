/* element.c: one element at a time. */
#include <inttypes.h>

#include "tensor/tensor_int.h"

static sw_status locate(const sw_tensor *t, const int64_t *index, const char *what, char **at) {
  int64_t offset = 0;
  for (int i = 0; i < t->shape.ndim; i++) {
    if (index[i] < 0 || index[i] >= t->shape.dim[i]) {
      int64_t shown = index[i] < INT64_MAX ? index[i] + 1 : index[i]; /* as users count */
      return sw_fail(t->storage->ctx, SW_ERANGE,
                     "%s: index %" PRId64 " of axis %d is outside 1 … %" PRId64, what, shown, i + 1,
                     t->shape.dim[i]);
    }
    offset += index[i] * t->stride[i];
  }
  *at = t->data + offset * sw_dtype_bytes(t->dtype);
  return SW_OK;
}

sw_status sw_tensor_get(const sw_tensor *t, const int64_t *index, double *out) {
  char *at = NULL;
  SW_TRY(locate(t, index, "get", &at));
  swi_convert_between(t->dtype, SW_F64)(1, at, 0, (char *)out, 0);
  return SW_OK;
}

sw_status sw_tensor_set(sw_tensor *t, const int64_t *index, double value) {
  char *at = NULL;
  SW_TRY(swi_check_writable(t, "set"));
  SW_TRY(locate(t, index, "set", &at));
  SW_TRY(swi_check_fits(t->storage->ctx, t->dtype, value, "set"));
  swi_convert_between(SW_F64, t->dtype)(1, (const char *)&value, 0, at, 0);
  return SW_OK;
}
