/* eager.h: one op on tensors, by the op table, shape rules and code that programs use. */
#ifndef SW_EAGER_H
#define SW_EAGER_H

#include "graph/graph.h"

/* Inputs of any strides; all real ones of one float type, uint8 and int32 are taken as indices
 * where the op takes an index and refused elsewhere (SW_EDTYPE). The caller owns the op's n outputs
 * in out. */
SW_API sw_status sw_eager(sw_context *ctx, sw_op op, sw_tensor *const *in, int n_in,
                          const sw_attrs *attrs, sw_tensor **out, int *n_out);

#endif
