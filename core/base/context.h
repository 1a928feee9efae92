/* context.h: everything the core would otherwise keep in globals.
 *
 * A context holds the message of the last failure, the allocator's books, the thread pool and the
 * kernels in use. It is reference counted: every object made in it holds one reference, so it is
 * freed after the last of them, in whatever order they are freed. One owner thread; the pool's
 * threads never touch the message or the books (see swi_is_inside_piece).
 */
#ifndef SW_CONTEXT_H
#define SW_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct sw_context sw_context;

/* The largest value of a counter (steps, examples, points of an average): a double holds it
 * exactly, and adding any size of a tensor does not overflow. Restored counters are checked against
 * it. */
#define SW_LARGEST_COUNT ((int64_t)1 << 53)

/* Both give the same context; release frees it when the count falls to zero. NULL is fine. */
SW_API sw_context *sw_context_retain(sw_context *ctx);
SW_API void sw_context_release(sw_context *ctx);

/* The last failure, in words; "" if there was none. Borrowed: valid until the next failure. */
SW_API const char *sw_message(const sw_context *ctx);

/* Sets the message and returns status, so that a fault is reported in one line:
 *   return sw_fail(ctx, SW_ESHAPE, "matmul: inner sizes differ: %d and %d", k1, k2);         */
SW_API sw_status sw_fail(sw_context *ctx, sw_status status, const char *format, ...)
    SW_PRINTF(3, 4);

/* The allocator's books. */
typedef struct sw_alloc_stats {
  int64_t live_bytes;  /* now */
  int64_t live_blocks; /* now */
  int64_t peak_bytes;  /* since the context was made */
  int64_t calls;       /* allocations asked for, ever */
} sw_alloc_stats;

SW_API sw_alloc_stats sw_context_alloc_stats(const sw_context *ctx);

/* For tests: the n-th allocation from now fails (1 is the next one), and if persistent is not 0 all
 * after it do too. n = 0 ends it. */
SW_API void sw_context_fail_allocation(sw_context *ctx, int64_t n, int persistent);

#endif
