/* fuzz_idx.c: IDX files, plain and gzipped, from a file and from memory. */
#include "fuzz.h"
#include "io/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  sw_tensor *t = NULL;
  sw_status st = sw_idx_read(ctx, fuzz_file(data, size), &t);
  fuzz_use(t);
  sw_tensor_free(t);
  fuzz_end(ctx, st);
  t = NULL;
  st = sw_idx_parse(ctx, data, size, "memory", &t);
  fuzz_use(t);
  sw_tensor_free(t);
  fuzz_end(ctx, st);
  return 0;
}
