/* fuzz.h: for the fuzz targets: one bare context, inputs as files, and a check of the allocator's
 * books after each input. A target is a function of bytes; libFuzzer calls it (fuzz_*), and so does
 * replay.c, with the committed corpus (replay_*, a normal test). */
#ifndef SW_FUZZ_H
#define SW_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/context_int.h"
#include "kernels/kernels_int.h"
#include "tensor/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline sw_context *fuzz_context(void) {
  static sw_context *ctx;
  if (ctx != NULL) return ctx;
  ctx = swi_backend_context(
      &(swi_backend){.f32 = &swi_kernels_scalar_f32, .f64 = &swi_kernels_scalar_f64});
  if (ctx == NULL) abort();
  return ctx;
}

/* The bytes as a regular file in memory; valid until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char path[64];
  if (fd < 0) fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

/* Reads every element, so that a sanitizer notices invalid ones. NULL is fine. */
static inline void fuzz_use(const sw_tensor *t) {
  const volatile unsigned char *bytes = t != NULL ? sw_tensor_data(t) : NULL;
  int64_t n = t != NULL ? sw_tensor_numel(t) * sw_dtype_bytes(sw_tensor_dtype(t)) : 0;
  for (int64_t i = 0; i < n; i++) (void)bytes[i];
}

/* Checks that nothing is left of an input and that each failure has a message. */
static inline void fuzz_end(const sw_context *ctx, sw_status st) {
  if (sw_context_alloc_stats(ctx).live_blocks != 0 || ctx->references != 1) abort();
  if (st != SW_OK && sw_message(ctx)[0] == '\0') abort();
}

#endif
