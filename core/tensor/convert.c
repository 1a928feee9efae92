/* convert.c: runs of elements from one type to another, one function for each pair. */
#include <inttypes.h>
#include <string.h>

#include "tensor/tensor_int.h"

/* The contiguous case has a loop of its own because compilers vectorise it. */
#define CONVERT(name, from, to)                                                        \
  static void name(int64_t n, const char *x, int64_t dx, char *y, int64_t dy) {        \
    if (dx == (int64_t)sizeof(from) && dy == (int64_t)sizeof(to)) {                    \
      const from *a = (const from *)(const void *)x;                                   \
      to *b = (to *)(void *)y;                                                         \
      for (int64_t i = 0; i < n; i++) b[i] = (to)a[i];                                 \
    } else {                                                                           \
      for (int64_t i = 0; i < n; i++) {                                                \
        *(to *)(void *)(y + i * dy) = (to) * (const from *)(const void *)(x + i * dx); \
      }                                                                                \
    }                                                                                  \
  }

#define CONVERT_TO_ALL(from, type)      \
  CONVERT(from##_to_f32, type, float)   \
  CONVERT(from##_to_f64, type, double)  \
  CONVERT(from##_to_i32, type, int32_t) \
  CONVERT(from##_to_u8, type, uint8_t)

CONVERT_TO_ALL(f32, float)
CONVERT_TO_ALL(f64, double)
CONVERT_TO_ALL(i32, int32_t)
CONVERT_TO_ALL(u8, uint8_t)

static const swi_convert converters[SW_DTYPE_COUNT][SW_DTYPE_COUNT] = {
    [SW_F32] = {f32_to_f32, f32_to_f64, f32_to_i32, f32_to_u8},
    [SW_F64] = {f64_to_f32, f64_to_f64, f64_to_i32, f64_to_u8},
    [SW_I32] = {i32_to_f32, i32_to_f64, i32_to_i32, i32_to_u8},
    [SW_U8] = {u8_to_f32, u8_to_f64, u8_to_i32, u8_to_u8}};

swi_convert swi_convert_between(sw_dtype from, sw_dtype to) { return converters[from][to]; }

/* Whether the value, truncated towards zero, fits; false for NaN. */
static int fits(sw_dtype to, double value) {
  if (to == SW_I32) return value > -2147483649.0 && value < 2147483648.0;
  if (to == SW_U8) return value > -1.0 && value < 256.0;
  return 1;
}

sw_status swi_check_fits(sw_context *ctx, sw_dtype to, double value, const char *what) {
  if (fits(to, value)) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "%s: %.10g does not fit %s (%s); use float32 or another value",
                 what, value, sw_dtype_name(to),
                 to == SW_U8 ? "0 … 255" : "-2147483648 … 2147483647");
}
