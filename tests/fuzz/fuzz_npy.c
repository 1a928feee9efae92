/* fuzz_npy.c: npy files. */
#include "fuzz.h"
#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  sw_tensor *t = NULL;
  sw_status st = sw_npy_read(ctx, fuzz_file(data, size), &t);
  fuzz_use(t);
  sw_tensor_free(t);
  fuzz_end(ctx, st);
  return 0;
}
