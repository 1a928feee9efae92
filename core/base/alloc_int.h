/* alloc_int.h: the allocator of the core.
 *
 * Blocks are 64-byte aligned and counted in the context's books. As in Lua, the caller passes the
 * size when it frees. The tests make each allocation fail (sw_context_fail_allocation), so every
 * caller must handle failure.
 */
#ifndef SW_ALLOC_INT_H
#define SW_ALLOC_INT_H

#include "base/context.h"

/* NULL, with the message set, if there is no memory. size 0 gives a block that may be freed. */
void *swi_alloc(sw_context *ctx, size_t size);
void *swi_alloc_zeroed(sw_context *ctx, size_t size);

/* Grows or shrinks a block, keeping what fits; on failure NULL, and p is as it was. p may be
 * NULL. */
void *swi_realloc(sw_context *ctx, void *p, size_t old_size, size_t new_size);

/* p may be NULL. size is that of the allocation. */
void swi_free(sw_context *ctx, void *p, size_t size);

#endif
