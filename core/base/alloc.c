/* alloc.c: memory of a context, counted; tests make allocations fail. */
#include <string.h>

#include "base/alloc_int.h"
#include "base/context_int.h"

/* Counts down to the allocation that must fail; if the failure is persistent, all after it fail
 * too. */
static int made_to_fail(sw_context *ctx) {
  if (ctx->fail_in <= 0) return 0;
  if (ctx->fail_in > 1) {
    ctx->fail_in--;
    return 0;
  }
  if (!ctx->fail_persistent) ctx->fail_in = 0;
  return 1;
}

void *swi_alloc(sw_context *ctx, size_t size) {
  ctx->books.calls++;
  void *p = made_to_fail(ctx) ? NULL : swi_block_new(&ctx->spares, size);
  if (!p) {
    sw_fail(ctx, SW_ENOMEM, "out of memory: %zu bytes more, with %lld in use", size,
            (long long)ctx->books.live_bytes);
    return NULL;
  }
  ctx->books.live_blocks++;
  ctx->books.live_bytes += (int64_t)size;
  if (ctx->books.live_bytes > ctx->books.peak_bytes) ctx->books.peak_bytes = ctx->books.live_bytes;
  return p;
}

void *swi_alloc_zeroed(sw_context *ctx, size_t size) {
  void *p = swi_alloc(ctx, size);
  return p ? memset(p, 0, size) : NULL;
}

void *swi_realloc(sw_context *ctx, void *p, size_t old_size, size_t new_size) {
  void *q = swi_alloc(ctx, new_size);
  if (!q || !p) return q;
  memcpy(q, p, old_size < new_size ? old_size : new_size);
  swi_free(ctx, p, old_size);
  return q;
}

void swi_free(sw_context *ctx, void *p, size_t size) {
  if (!p) return;
  ctx->books.live_blocks--;
  ctx->books.live_bytes -= (int64_t)size;
  swi_block_free(&ctx->spares, p);
}
