/* safetensors_int.h: what the reader and the writer of safetensors agree on. */
#ifndef SW_SAFETENSORS_INT_H
#define SW_SAFETENSORS_INT_H

#include "io/safetensors.h"

/* Elements are written and mapped without conversion. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors need a little-endian host");

enum {
  SWI_ST_PREFIX = 8,             /* bytes of the header's length */
  SWI_ST_ALIGN = 64,             /* of the first tensor in a file that we write */
  SWI_ST_LONGEST = 100 * 1000000 /* header; the reference implementation refuses more */
};

#define SWI_ST_METADATA "__metadata__"

#endif
