/* elements_int.h: elements as files hold them, converted to those of tensors.
 *
 * float16 and bfloat16 become float32 exactly, with denormals, infinities and the payload of NaNs.
 * Booleans become uint8, 0 or 1. Integers become int32 where every value fits, uint8 stays. Either
 * byte order is read.
 */
#ifndef SW_ELEMENTS_INT_H
#define SW_ELEMENTS_INT_H

#include "tensor/tensor.h"

typedef enum swi_element {
  SWI_E_F16,
  SWI_E_BF16,
  SWI_E_F32,
  SWI_E_F64,
  SWI_E_BOOL,
  SWI_E_I8,
  SWI_E_U8,
  SWI_E_I16,
  SWI_E_U16,
  SWI_E_I32,
  SWI_E_U32,
  SWI_E_I64,
  SWI_E_U64
} swi_element;

int swi_element_bytes(swi_element type);
sw_dtype swi_element_dtype(swi_element type);
/* Whether a tensor holds them as a little-endian file does. */
int swi_element_is_ours(swi_element type);

/* Copies bytes offset … offset + bytes - 1 of the elements. */
typedef sw_status (*swi_fetch)(const void *arg, int64_t offset, int64_t bytes, void *to);

/* n elements into `to`, of the type's dtype. SW_EUNSUPPORTED: "where: int64 is read as int32, but
 * element 2 is 2147483648"; what fetch returns. Allocates nothing. */
sw_status swi_elements_read(sw_context *ctx, const char *where, swi_element type, int big_endian,
                            int64_t n, swi_fetch fetch, const void *arg, void *to);

#endif
