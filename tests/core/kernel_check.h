/* kernel_check.h: for the tests of kernels: each table in turn, and elements of its type. */
#ifndef SW_KERNEL_CHECK_H
#define SW_KERNEL_CHECK_H

#include "check.h"
#include "tables.h"
#include "uniform.h"

static const swi_kernels *k; /* the table under test */
static int64_t bytes;        /* of its element */
static double half_ulp;      /* relative error of one rounding */

static inline double get(const void *p, int64_t i) {
  return bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static inline void set(void *p, int64_t i, double v) {
  if (bytes == 4)
    ((float *)p)[i] = (float)v;
  else
    ((double *)p)[i] = v;
}

/* Takes table t; 0 behind the last. */
static inline int use_table(int t) {
  k = table_at(t);
  if (!k) return 0;
  bytes = k->element_bytes;
  half_ulp = bytes == 4 ? 0x1p-24 : 0x1p-53;
  return 1;
}

#endif
