/* walk_int.h: a walk over the elements of up to three tensors of one shape, row-major.
 *
 * Axes of one element are dropped and axes contiguous to each other in all tensors are joined, so
 * that a walk over contiguous tensors is one run. Between runs it costs a few additions; nothing is
 * allocated.
 *
 *   swi_walk w;
 *   swi_walk_init(&w, 2, (const sw_tensor *const[]){y, x});
 *   while (swi_walk_next(&w)) { … w.n elements from w.at[0], w.step[0] bytes apart … }
 */
#ifndef SW_WALK_INT_H
#define SW_WALK_INT_H

#include "tensor/tensor_int.h"

enum { SWI_WALK_MAX = 3 };

typedef struct swi_walk {
  int64_t n;                  /* elements of this run, at least 1 */
  char *at[SWI_WALK_MAX];     /* its first element in each tensor */
  int64_t step[SWI_WALK_MAX]; /* bytes from one element to the next */
  int tensors;
  int axes; /* outside the run */
  int started;
  int64_t runs_left; /* this one not counted */
  int64_t dim[SW_MAX_DIMS], index[SW_MAX_DIMS];
  int64_t stride[SW_MAX_DIMS][SWI_WALK_MAX]; /* in bytes */
} swi_walk;

void swi_walk_init(swi_walk *w, int tensors, const sw_tensor *const *t);
int swi_walk_next(swi_walk *w); /* 0 after the last run */

#endif
