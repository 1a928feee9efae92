/* parallel_int.h: work for the pool.
 *
 * Pieces run with the caller's floating-point mode (denormals). A call from inside a piece runs its
 * pieces one after another.
 */
#ifndef SW_PARALLEL_INT_H
#define SW_PARALLEL_INT_H

#include "base/parallel.h"

/* Bytes of each thread's scratch. */
enum { SWI_SCRATCH = 1 << 20 };

typedef void (*swi_piece)(void *arg, int64_t piece);

/* Runs f(arg, 0) … f(arg, pieces - 1) and waits. Allocates nothing. */
void swi_parallel(sw_context *ctx, int64_t pieces, swi_piece f, void *arg);

/* The calling thread's SWI_SCRATCH bytes, aligned to 64, so that kernels need little stack. Memory
 * that is not touched costs nothing. A function that holds data in it calls none that takes it. */
void *swi_scratch(sw_context *ctx);

/* Nanoseconds of a clock that is never set back. */
int64_t swi_now_ns(void);

/* Joins the threads; called when the context is freed. */
void swi_pool_free(sw_context *ctx);

#endif
