/* conv_int.h: the convolutions: forward, and the derivatives with respect to images and weights.
 *
 * Work is cut by its shape alone, so the bits are the same for any number of threads.
 */
#ifndef SW_CONV_INT_H
#define SW_CONV_INT_H

#include "kernels/kernels_int.h"

/* Elements of scratch: for the packed weights of the first two; for each image, of the third if
 * it is asked for squares. */
int64_t swi_conv2d_scratch(const swi_kernels *k, const swi_convolution *c);
int64_t swi_conv2d_input_scratch(const swi_kernels *k, const swi_convolution *c);
int64_t swi_conv2d_weight_scratch(const swi_kernels *k, const swi_convolution *c);

/* element_bytes is 4 or 8. They cannot fail: shapes were checked by the caller, nothing is
 * allocated. */
void swi_conv2d(sw_context *ctx, int element_bytes, const swi_convolution *c);
void swi_conv2d_input(sw_context *ctx, int element_bytes, const swi_convolution *c);
void swi_conv2d_weight(sw_context *ctx, int element_bytes, const swi_convolution *c);

#endif
