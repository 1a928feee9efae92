/* lbfgsb.h: minimises a function of n numbers within bounds, by L-BFGS-B 3.0 (Byrd, Lu, Nocedal and
 * Zhu 1995; Morales and Nocedal 2011), which asks for values and gradients.
 *
 *     sw_lbfgsb_new(ctx, &options, x0, lower, upper, &s);
 *     while (!sw_lbfgsb_step(s, value, &task) && task <= SW_LBFGSB_ITERATE)
 *       if (task == SW_LBFGSB_EVALUATE) value = f(x), gradient = f'(x);     sw_lbfgsb_x, _gradient
 * All in float64. A step costs some 4 n * memory operations; memory is n (2 memory + 8) doubles.
 * Its state is in the object: several may run at a time. Reads no files, prints nothing.
 */
#ifndef SW_LBFGSB_H
#define SW_LBFGSB_H

#include "tensor/tensor.h"

typedef struct sw_lbfgsb_options {
  int64_t memory;   /* pairs of steps and differences of gradients: 1 to 100 */
  double tolerance; /* converged once max |projected gradient| is at most this; 0: never */
  double decrease;  /* or once f falls by at most this, relative to max(|f|, 1); 0: never */
} sw_lbfgsb_options;

typedef enum sw_lbfgsb_task {
  SW_LBFGSB_EVALUATE, /* wants the value and the gradient at x */
  SW_LBFGSB_ITERATE,  /* x is a new iterate, with a lower value; it was the last one evaluated */
  SW_LBFGSB_CONVERGED,
  SW_LBFGSB_ABNORMAL, /* the line search found no decrease: x is the last iterate */
  SW_LBFGSB_TASK_COUNT
} sw_lbfgsb_task;

typedef struct sw_lbfgsb sw_lbfgsb;

/* x0, and lower and upper of its shape, float64 vectors; NULL or infinite: no bound. Copied; x0 is
 * moved into the bounds. The caller owns *out. SW_ERANGE, SW_ESHAPE, SW_EDTYPE, SW_ENOMEM;
 * SW_EARG: a bound is NaN, or above its upper one; SW_EUNSUPPORTED: there is no library. */
SW_API sw_status sw_lbfgsb_new(sw_context *ctx, const sw_lbfgsb_options *o, const sw_tensor *x0,
                               const sw_tensor *lower, const sw_tensor *upper, sw_lbfgsb **out);

/* Goes on; value is the one asked for, else not read. SW_ENAN if it or the gradient is not finite:
 * the question stands. */
SW_API sw_status sw_lbfgsb_step(sw_lbfgsb *s, double value, sw_lbfgsb_task *task);

SW_API const sw_tensor *sw_lbfgsb_x(const sw_lbfgsb *s); /* borrowed: changed by each step */
SW_API sw_tensor *sw_lbfgsb_gradient(const sw_lbfgsb *s);
SW_API const char *sw_lbfgsb_reason(const sw_lbfgsb *s); /* the library's own words */

SW_API void sw_lbfgsb_free(sw_lbfgsb *s); /* NULL is fine */

#endif
