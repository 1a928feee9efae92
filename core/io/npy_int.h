/* npy_int.h: the header of an npy file, parsed by npy_header.c. */
#ifndef SW_NPY_INT_H
#define SW_NPY_INT_H

#include "io/elements_int.h"

typedef struct swi_npy_header {
  swi_element type;
  int big_endian;
  int fortran_order;
  sw_shape shape;
} swi_npy_header;

/* The dictionary: n bytes of text. name is for messages. SW_ECORRUPT, SW_EUNSUPPORTED. */
sw_status swi_npy_parse_header(sw_context *ctx, const char *name, const char *text, int64_t n,
                               swi_npy_header *out);

#endif
