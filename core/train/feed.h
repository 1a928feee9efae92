/* feed.h: rows of a source through a program, for the loop and for evaluation. Private to train. */
#ifndef SW_FEED_H
#define SW_FEED_H

#include "graph/program.h"
#include "train/source.h"

/* Whether the source's rows are what the program reads in slots 0 (features) and 1 (labels or
 * targets). SW_ESHAPE, SW_EDTYPE, SW_EARG. */
sw_status swi_feed_check(sw_context *ctx, const sw_program *p, const sw_source *source);

/* Gathers rows index[0 … n-1] into the inputs of a workspace planned for n, and runs it with the
 * one vector of weights, which says the float type. out, updater: as in sw_workspace_run_updating.
 */
sw_status swi_feed_run(sw_workspace *w, const sw_source *source, const int32_t *index, int64_t n,
                       const sw_tensor *weights, void *out, const sw_updater *updater);

/* sum and then x's n elements of a float type, one after another in double: batches of any size add
 * up to the same bits. */
double swi_feed_sum(double sum, const void *x, int64_t n, sw_dtype real);

#endif
