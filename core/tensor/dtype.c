/* dtype.c: element types by name and size. */
#include <string.h>

#include "tensor/tensor.h"

static const struct {
  const char *name;
  int bytes;
} dtypes[SW_DTYPE_COUNT] = {[SW_F32] = {"float32", 4},
                            [SW_F64] = {"float64", 8},
                            [SW_I32] = {"int32", 4},
                            [SW_U8] = {"uint8", 1}};

const char *sw_dtype_name(sw_dtype t) { return dtypes[t].name; }

int sw_dtype_bytes(sw_dtype t) { return dtypes[t].bytes; }

sw_status sw_dtype_parse(sw_context *ctx, const char *name, sw_dtype *out) {
  for (int t = 0; t < SW_DTYPE_COUNT; t++) {
    if (strcmp(name, dtypes[t].name) == 0) {
      *out = (sw_dtype)t;
      return SW_OK;
    }
  }
  return sw_fail(ctx, SW_EDTYPE,
                 "dtype: there is no \"%.40s\"; use float32, float64, int32 or uint8", name);
}
