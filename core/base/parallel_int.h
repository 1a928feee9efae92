/* parallel_int.h: work for the pool.
 *
 * Pieces run with the caller's floating-point mode (denormals). A call from inside a piece runs its
 * pieces one after another.
 */
#ifndef SW_PARALLEL_INT_H
#define SW_PARALLEL_INT_H

#include "base/parallel.h"

typedef void (*swi_piece)(void *arg, int64_t piece);

/* Runs f(arg, 0) … f(arg, pieces - 1) and waits. Allocates nothing. */
void swi_parallel(sw_context *ctx, int64_t pieces, swi_piece f, void *arg);

/* Joins the threads; called when the context goes. */
void swi_pool_free(sw_context *ctx);

#endif
