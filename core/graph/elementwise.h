/* elementwise.h: evaluation of ops that work element by element. */
#ifndef SW_ELEMENTWISE_H
#define SW_ELEMENTWISE_H

#include "graph/op_int.h"

/* n elements of e's op, from pointers to their first ones; bit i of single: input i is one value
 * for all of them. The same kernels as for whole tensors, so the same bits. */
void swi_elementwise_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                          void *out);

#endif
