/* No OpenBLAS, for the tests of kernels on an emulated aarch64. */
#include "kernels/blas_int.h"

const swi_blas *swi_blas_open(const char *core_type, char *reason, size_t size) {
  static const swi_blas none = {.description = "none"};
  (void)core_type, (void)reason, (void)size;
  return &none;
}
