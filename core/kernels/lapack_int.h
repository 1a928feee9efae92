/* lapack_int.h: the LAPACK that OpenBLAS brings, found when it is asked for first.
 *
 * Fortran's interface: every argument by address, matrices column-major, the lengths of texts last.
 * Matrices and vectors are void *, float or double by the table. A workspace query (lwork = -1)
 * writes the number of elements into work[0]. LAPACK may not return on input that is not finite:
 * callers check. It keeps no state, so threads may call it.
 */
#ifndef SW_LAPACK_INT_H
#define SW_LAPACK_INT_H

#include <stddef.h>

#include "base/context.h"

typedef struct swi_lapack {
  /* eigenvalues and vectors of a symmetric matrix; of a symmetric tridiagonal one */
  void (*syevd)(const char *job, const char *uplo, const int *n, void *a, const int *lda, void *w,
                void *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t,
                size_t);
  void (*stevd)(const char *job, const int *n, void *d, void *e, void *z, const int *ldz,
                void *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t);
  /* singular values; A = L Q, then Q */
  void (*gesdd)(const char *job, const int *m, const int *n, void *a, const int *lda, void *s,
                void *u, const int *ldu, void *vt, const int *ldvt, void *work, const int *lwork,
                int *iwork, int *info, size_t);
  void (*gelqf)(const int *m, const int *n, void *a, const int *lda, void *tau, void *work,
                const int *lwork, int *info);
  void (*orglq)(const int *m, const int *n, const int *k, void *a, const int *lda, const void *tau,
                void *work, const int *lwork, int *info);
  /* Cholesky; LU, its condition and its solutions; triangular systems; least squares */
  void (*potrf)(const char *uplo, const int *n, void *a, const int *lda, int *info, size_t);
  void (*getrf)(const int *m, const int *n, void *a, const int *lda, int *pivots, int *info);
  void (*gecon)(const char *norm, const int *n, const void *a, const int *lda, const void *anorm,
                void *rcond, void *work, int *iwork, int *info, size_t);
  void (*getrs)(const char *trans, const int *n, const int *nrhs, const void *a, const int *lda,
                const int *pivots, void *b, const int *ldb, int *info, size_t);
  void (*trtrs)(const char *uplo, const char *trans, const char *diag, const int *n,
                const int *nrhs, const void *a, const int *lda, void *b, const int *ldb, int *info,
                size_t, size_t, size_t);
  void (*gelsd)(const int *m, const int *n, const int *nrhs, void *a, const int *lda, void *b,
                const int *ldb, void *s, const void *rcond, int *rank, void *work, const int *lwork,
                int *iwork, int *info);
} swi_lapack;

/* The table for floats (4 bytes) or doubles (8). SW_EUNSUPPORTED if OpenBLAS was refused or lacks a
 * routine, or if its eigenvalues of a small matrix are wrong. */
sw_status swi_lapack_of(sw_context *ctx, int element_bytes, const swi_lapack **out);

#endif
