/* reduce_int.h: the axes of a reduction, for the files of reductions. */
#ifndef SW_REDUCE_INT_H
#define SW_REDUCE_INT_H

#include "graph/op_int.h"

/* Shape rules; some: SW_ESHAPE if a reduced axis is empty. */
sw_status swi_reduce_shape(swi_shape_args *a);
sw_status swi_reduce_some_shape(swi_shape_args *a);

/* Whether n, a reduction, adds up over the batch. */
int swi_sums_batch(const sw_graph *g, const swi_node *n);

/* The input as outer x reduced x inner, if the reduced axes stand together (axes of size 1 do not
 * matter). */
typedef struct swi_split {
  int simple;
  int64_t outer, reduced, inner;
} swi_split;

swi_split swi_split_axes(const sw_shape *in, uint32_t axes);

/* Positions of a subset of axes, in row-major order. */
typedef struct swi_odometer {
  int n;
  int64_t size[SW_MAX_DIMS], stride[SW_MAX_DIMS], at[SW_MAX_DIMS];
  int64_t position, count; /* where it stands; how many positions in all */
} swi_odometer;

swi_odometer swi_odometer_over(const sw_shape *in, uint32_t axes);
void swi_odometer_step(swi_odometer *o);

#endif
