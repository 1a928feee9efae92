/* alloc.c: memory of a context, counted; tests make allocations fail. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc_int.h"
#include "base/context_int.h"

/* A block of LARGE bytes has more small pages than the TLB holds. With huge pages, where the system
 * has them, reading a random row of a data set misses it less. */
enum { ALIGNMENT = 64, LARGE = 8 << 20, LARGE_PAGE = 2 << 20 };

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

static void advise(void *p, size_t size) {
#ifdef MADV_HUGEPAGE
  if (size >= LARGE) (void)madvise(p, size, MADV_HUGEPAGE);
#else
  (void)p, (void)size;
#endif
}

/* Whole cache lines; an empty block still needs an address. */
static void *system_alloc(size_t size) {
  size_t alignment = size < LARGE ? ALIGNMENT : LARGE_PAGE;
  if (size > PTRDIFF_MAX - alignment) return NULL;
  size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *p = NULL;
  if (posix_memalign(&p, alignment, padded ? padded : ALIGNMENT) != 0) return NULL;
  advise(p, size);
  return p;
}

void *swi_alloc(sw_context *ctx, size_t size) {
  ctx->books.calls++;
  void *p = made_to_fail(ctx) ? NULL : system_alloc(size);
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
  free(p);
}
