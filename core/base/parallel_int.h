/* parallel_int.h: work for the pool.
 *
 * Pieces run with the caller's floating-point mode (denormals). A call from inside a piece runs its
 * pieces one after another.
 */
#ifndef SW_PARALLEL_INT_H
#define SW_PARALLEL_INT_H

#include "base/ahead_int.h"
#include "base/parallel.h"

/* Bytes of each thread's scratch. */
enum { SWI_SCRATCH = 1 << 20 };

typedef void (*swi_piece)(void *arg, int64_t piece);

/* Runs f(arg, 0) … f(arg, pieces - 1) and waits. Allocates nothing. */
void swi_parallel(sw_context *ctx, int64_t pieces, swi_piece f, void *arg);

/* Whether the calling thread runs a piece of a job of several threads. sw_fail writes no message
 * there, for the threads share it: who runs pieces that can fail runs the failed one again for its
 * message. */
int swi_is_inside_piece(void);

/* The calling thread's SWI_SCRATCH bytes, aligned to 64, so that kernels need little stack. Memory
 * that is not touched costs nothing. A function that holds data in it calls none that takes it. */
void *swi_scratch(sw_context *ctx);

/* What the calling thread may prefetch; NULL: nothing. The pool's threads may not. */
swi_ahead *swi_ahead_of(sw_context *ctx);

/* Nanoseconds of a clock that is never set back. */
int64_t swi_now_ns(void);

/* Joins the threads; called when the context is freed. */
void swi_pool_free(sw_context *ctx);

#endif
