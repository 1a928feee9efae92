/* context.c: contexts: their lives, messages, memory in use. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale_int.h"
#include "base/context_int.h"
#include "base/parallel_int.h"

sw_context *swi_context_new(size_t room) {
  sw_context *ctx = calloc(1, sizeof *ctx + room);
  void *scratch = aligned_alloc(64, SWI_SCRATCH);
  if (!ctx || !scratch) {
    free(ctx);
    free(scratch);
    return NULL;
  }
  ctx->references = 1;
  ctx->scratch = scratch;
  return ctx;
}

sw_context *sw_context_retain(sw_context *ctx) {
  if (ctx) ctx->references++;
  return ctx;
}

void sw_context_release(sw_context *ctx) {
  if (!ctx || --ctx->references > 0) return;
  swi_pool_free(ctx);
  swi_spares_free(&ctx->spares);
  free(ctx->scratch);
  free(ctx);
}

const char *sw_message(const sw_context *ctx) { return ctx->message; }

/* Formats into a buffer of its own, because the old message may be among the arguments. */
sw_status sw_fail(sw_context *ctx, sw_status status, const char *format, ...) {
  if (swi_is_inside_piece()) return status;
  char text[sizeof ctx->message];
  va_list args;
  locale_t before = swi_use_c_locale();
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  swi_restore_locale(before);
  memcpy(ctx->message, text, sizeof text);
  return status;
}

sw_alloc_stats sw_context_alloc_stats(const sw_context *ctx) { return ctx->books; }

void sw_context_fail_allocation(sw_context *ctx, int64_t n, int persistent) {
  ctx->fail_in = n;
  ctx->fail_persistent = persistent;
}
