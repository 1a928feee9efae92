/* tables.h: for the tests of kernels: every table that this machine can run. */
#ifndef SW_TABLES_H
#define SW_TABLES_H

#include "kernels/kernels_int.h"

/* Table t, from 0: of each variant that for float32 and that for float64; NULL behind the last. */
static inline const swi_kernels *table_at(int t) {
  const swi_kernels *f32 = swi_kernels_available()[t / 2];
  return f32 && t % 2 ? swi_kernels_doubles(f32) : f32;
}

#endif
