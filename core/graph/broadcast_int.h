/* broadcast_int.h: inputs that are broadcast to a common shape, as in NumPy: the shape, and where
 * their elements lie. */
#ifndef SW_BROADCAST_INT_H
#define SW_BROADCAST_INT_H

#include "graph/op_int.h"

enum { SWI_BROADCAST_IN = 3 }; /* inputs at most */

/* *out: the shape of x and y together; SW_ESHAPE if there is none. */
sw_status swi_broadcast_types(const swi_shape_args *a, const sw_type *x, const sw_type *y,
                              sw_type *out);
sw_status swi_cannot_broadcast(const swi_shape_args *a, const sw_type *x, const sw_type *y);

/* The output's axes from the last to the first, neighbours merged where every input allows it;
 * strides are 0 where an input is broadcast. */
typedef struct swi_walk {
  int n_in, n_axes;
  int64_t size[SW_MAX_DIMS];
  int64_t stride[SWI_BROADCAST_IN][SW_MAX_DIMS];
  int64_t counter[SW_MAX_DIMS]; /* where it stands */
  int64_t at[SWI_BROADCAST_IN]; /* elements of the inputs there */
} swi_walk;

swi_walk swi_walk_over(int n_in, const sw_shape *in, const sw_shape *out);

/* Elements along the innermost axis. */
static inline int64_t swi_walk_run(const swi_walk *w) { return w->n_axes ? w->size[0] : 1; }

/* Moves to the next run along the innermost axis; 0 at the end. */
static inline int swi_walk_next(swi_walk *w) {
  for (int axis = 1; axis < w->n_axes; axis++) {
    for (int i = 0; i < w->n_in; i++) w->at[i] += w->stride[i][axis];
    if (++w->counter[axis] < w->size[axis]) return 1;
    for (int i = 0; i < w->n_in; i++) w->at[i] -= w->stride[i][axis] * w->size[axis];
    w->counter[axis] = 0;
  }
  return 0;
}

#endif
