/* blas_int.h: OpenBLAS, opened at run time so that its core type and its single thread are set
 * before it starts. One per process; it stays loaded. It is used only if a few small products are
 * right. Its LAPACK: lapack_int.h. */
#ifndef SW_BLAS_INT_H
#define SW_BLAS_INT_H

#include "base/context.h"

enum { SWI_ROW_MAJOR = 101, SWI_NO_TRANS = 111, SWI_TRANS = 112 }; /* CBLAS's own numbers */

typedef struct swi_blas {
  void (*sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                int lda, const float *b, int ldb, float beta, float *c, int ldc);
  void (*dgemm)(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
                int lda, const double *b, int ldb, double beta, double *c, int ldc);
  void *library;         /* of dlopen */
  char description[160]; /* version and core type, as OpenBLAS reports them; why it is not used */
} swi_blas;

/* Whether both functions give the exact products of small whole numbers, for each transpose, small
 * and larger sizes, and write nothing else. */
int swi_blas_is_right(const swi_blas *b);

/* Whether OpenBLAS's kernels for a core (its own name) may be run: version 0.3.34 crashes in those
 * for Prescott and Core2. */
int swi_blas_is_sound(const char *core);

/* core_type: OPENBLAS_CORETYPE's value, NULL for OpenBLAS's own choice; only the first call in a
 * process can set it, and a variable that is already set takes precedence. NULL with a reason if
 * OpenBLAS cannot be loaded; if it fails the checks its functions are NULL. */
const swi_blas *swi_blas_open(const char *core_type, char *reason, size_t size);

#endif
