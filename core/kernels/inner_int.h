/* inner_int.h: inner products and norms without intermediate overflow or underflow.
 *
 * The kernels' dot adds plain products: squares of floats above 1e19 overflow, those below 1e-19
 * underflow. If the result shows that this may have happened (it is not finite, or so small that
 * lost products could matter), the sum is computed again: float32 in double, float64 with each
 * product scaled by one power of two. Other vectors keep the kernel's bits and speed.
 */
#ifndef SW_INNER_INT_H
#define SW_INNER_INT_H

#include "kernels/kernels_int.h"

/* Sum of a[i] b[i]. If nothing cancels, infinite or 0 only if the exact sum is, or does not fit a
 * double. */
double swi_vector_dot(const swi_kernels *k, int64_t n, const void *a, const void *b);

/* The Euclidean norm, of finite elements of float32 always finite, and 0 only if all are 0.
 * Norms of parts are combined with hypot, not by their squares. */
double swi_vector_norm(const swi_kernels *k, int64_t n, const void *x);

#endif
