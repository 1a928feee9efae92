/* fuzz_safetensors.c: safetensors files, mapped and read. */
#include <string.h>

#include "fuzz.h"
#include "io/safetensors.h"

static void read_all(const sw_safetensors *f) {
  for (int i = 0; i < sw_safetensors_count(f); i++) {
    sw_tensor *t = NULL;
    (void)strlen(sw_safetensors_name(f, i));
    if (sw_safetensors_tensor(f, i, &t) == SW_OK) fuzz_use(t);
    sw_tensor_free(t);
  }
  for (int i = 0; i < sw_safetensors_metadata_count(f); i++) {
    (void)strlen(sw_safetensors_metadata(f, i).value);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  const char *path = fuzz_file(data, size);
  for (int mapped = 0; mapped < 2; mapped++) {
    sw_safetensors *f = NULL;
    sw_status st = sw_safetensors_open(ctx, path, mapped, &f);
    if (st == SW_OK) read_all(f);
    sw_safetensors_close(f);
    fuzz_end(ctx, st);
  }
  return 0;
}
