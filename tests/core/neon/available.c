/* The four tables of an aarch64, for the tests of kernels; select.c would need OpenBLAS. */
#include "kernels/kernels_int.h"

const swi_kernels *const *swi_kernels_available(void) {
  static const swi_kernels *const tables[] = {&swi_kernels_neon_f32, &swi_kernels_scalar_f32, NULL};
  return tables;
}

const swi_kernels *swi_kernels_doubles(const swi_kernels *f32) {
  return f32 == &swi_kernels_neon_f32 ? &swi_kernels_neon_f64 : &swi_kernels_scalar_f64;
}
