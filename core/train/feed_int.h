/* feed_int.h: runs a program on rows of a source, for the loop and for evaluation. */
#ifndef SW_FEED_INT_H
#define SW_FEED_INT_H

#include "graph/program.h"
#include "train/source.h"

/* The vectors of params: slot 0 the weights, slot 1 the buffers. */
enum { SWI_WEIGHTS, SWI_BUFFERS, SWI_FED_VECTORS };

/* Whether the source's rows are what the program reads in slots 0 (features) and 1 (labels or
 * targets), and whether its params lie within the vectors; buffers may be NULL. SW_ESHAPE,
 * SW_EDTYPE, SW_EARG. */
sw_status swi_feed_check(sw_context *ctx, const sw_program *p, const sw_source *source,
                         const sw_tensor *weights, const sw_tensor *buffers);

/* Gathers rows index[0 … n-1] into the inputs of a workspace planned for n, and runs it. draw: as
 * for sw_source_gather; NULL where nothing is trained. */
sw_status swi_feed_run(sw_workspace *w, const sw_source *source, const int32_t *index, int64_t n,
                       const sw_draw *draw, const sw_run *run, const sw_updater *updater);

/* sum and then x's n elements of a float type, one after another in double: batches of any size add
 * up to the same bits. */
double swi_feed_sum(double sum, const void *x, int64_t n, sw_dtype real);

#endif
