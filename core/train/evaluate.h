/* evaluate.h: sums of a program's outputs over a whole source: losses and numbers of hits. */
#ifndef SW_EVALUATE_H
#define SW_EVALUATE_H

#include "graph/program.h"
#include "train/source.h"

/* Sums of the program's outputs over all examples of the source, in batches of at most batch, in
 * double. Every output must be a real (batch) vector; sums[i] gets output i's. buffers may be NULL,
 * if the program reads none. SW_EINTERRUPTED; SW_ESHAPE, SW_EDTYPE, SW_EARG. */
SW_API sw_status sw_evaluate(sw_workspace *w, const sw_tensor *weights, const sw_tensor *buffers,
                             const sw_source *source, int64_t batch, const volatile int *interrupt,
                             double *sums, int n_sums);

#endif
