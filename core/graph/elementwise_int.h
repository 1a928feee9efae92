/* elementwise_int.h: what rows of elementwise ops are made of. An op of one or two inputs that has
 * a kernel in elementwise.def begins its row with UNARY_ROW(kernel) or BINARY_ROW(kernel). */
#ifndef SW_ELEMENTWISE_INT_H
#define SW_ELEMENTWISE_INT_H

#include "graph/op_int.h"

#define UNARY_ROW(name)                                                           \
  .n_in = 1, .n_out = 1, .kernel = 1 + SWI_UNARY_##name, .shape = swi_same_shape, \
  .eval = swi_unary_eval, .part = swi_unary_part

#define BINARY_ROW(name)                                                             \
  .n_in = 2, .n_out = 1, .kernel = 1 + SWI_BINARY_##name, .shape = swi_binary_shape, \
  .eval = swi_binary_eval, .part = swi_binary_part

sw_status swi_binary_shape(swi_shape_args *a);
sw_status swi_where_shape(swi_shape_args *a);

sw_status swi_unary_eval(const swi_eval_args *e);
sw_status swi_binary_eval(const swi_eval_args *e);
sw_status swi_where_eval(const swi_eval_args *e);

void swi_unary_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                    void *out);
void swi_binary_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                     void *out);
void swi_where_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                    void *out);

#endif
