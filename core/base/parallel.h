/* parallel.h: one pool of pthreads.
 *
 * Work is cut by its shape alone; the pool only decides who does which piece, so results do not
 * depend on the number of threads. Pieces run with the caller's floating-point mode (denormals).
 * A call from inside a piece runs its pieces one after another.
 */
#ifndef SW_PARALLEL_H
#define SW_PARALLEL_H

#include "base/context.h"

typedef void (*swi_piece)(void *arg, int64_t piece);

/* Runs f(arg, 0) … f(arg, pieces - 1) and waits. Allocates nothing. */
void swi_parallel(sw_context *ctx, int64_t pieces, swi_piece f, void *arg);

/* threads >= 1, the caller counted; ends a pool that is there. SW_ENOMEM, SW_ERANGE,
 * SW_EUNSUPPORTED (no thread to be had): then the pool is as it was. */
SW_API sw_status sw_context_set_threads(sw_context *ctx, int threads);
SW_API int sw_context_threads(const sw_context *ctx);
SW_API int sw_machine_cores(void);

/* Joins the threads; called when the context goes. */
void swi_pool_free(sw_context *ctx);

#endif
