/* order.h: sorting, quantiles and running sums along an axis.
 *
 * NaN counts as the largest value, as in argmax. Inputs may have any strides and stay as they are;
 * the caller owns the results, which are contiguous. Sorting takes n log n along an axis of n.
 * SW_ERANGE, SW_EDTYPE, SW_ENOMEM.
 */
#ifndef SW_ORDER_H
#define SW_ORDER_H

#include "tensor/tensor.h"

/* Equal values keep their order. order: int32, the places that the values came from, from 0. */
SW_API sw_status sw_tensor_sort(const sw_tensor *t, int axis, int descending, sw_tensor **values,
                                sw_tensor **order);

/* Quantiles of a float tensor along an axis of n: the value at place q (n - 1) of the sorted ones,
 * between two of them by linear interpolation, NaN where there is a NaN. In the result the axis has
 * count elements, one for each q. SW_ERANGE: a q outside 0 … 1; SW_EEMPTY. */
SW_API sw_status sw_tensor_quantile(const sw_tensor *t, int axis, int count, const double *q,
                                    sw_tensor **out);

/* y[i] = x[1] + … + x[i], of floats, each summed in double. */
SW_API sw_status sw_tensor_cumsum(const sw_tensor *t, int axis, sw_tensor **out);

#endif
