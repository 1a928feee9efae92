/* fuzz_cifar.c: files of records, whole or not. */
#include "fuzz.h"
#include "io/cifar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  for (int kind = SW_CIFAR10; kind <= SW_CIFAR100; kind++) {
    sw_tensor *x = NULL, *y = NULL;
    sw_status st = sw_cifar_read(ctx, fuzz_file(data, size), (sw_cifar)kind, &x, &y);
    fuzz_use(x);
    fuzz_use(y);
    sw_tensor_free(x);
    sw_tensor_free(y);
    fuzz_end(ctx, st);
  }
  return 0;
}
