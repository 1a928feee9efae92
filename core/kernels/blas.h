/* blas.h: OpenBLAS, opened by ourselves so that its core type and single thread are set before it
 * starts. One per process; it stays loaded. */
#ifndef SW_BLAS_H
#define SW_BLAS_H

#include "base/context.h"

enum { SWI_ROW_MAJOR = 101, SWI_NO_TRANS = 111, SWI_TRANS = 112 }; /* CBLAS's own numbers */

typedef struct swi_blas {
  void (*sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                int lda, const float *b, int ldb, float beta, float *c, int ldc);
  void (*dgemm)(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
                int lda, const double *b, int ldb, double beta, double *c, int ldc);
  char description[160]; /* version and core type, as OpenBLAS tells them */
} swi_blas;

/* core_type: OPENBLAS_CORETYPE's value, NULL for OpenBLAS's own choice; only the first call in a
 * process
 * can set it. NULL with a reason if there is no usable OpenBLAS. */
const swi_blas *swi_blas_open(const char *core_type, char *reason, size_t size);

#endif
