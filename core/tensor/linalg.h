/* linalg.h: dense linear algebra by OpenBLAS's LAPACK, for float32 and float64.
 *
 * Matrices are tensors of two dimensions with any strides; inputs stay as they are, outputs are new
 * and contiguous, and the caller owns them. Results have the input's element type. One thread;
 * O(n^3). Sides are at most SW_LINALG_SIDE, where the shorter one counts of matrices that need not
 * be square.
 *
 * SW_ESHAPE, SW_EDTYPE; SW_EARG: elements that are not finite, a result that overflows, a matrix
 * that is not symmetric or is singular; SW_ERANGE: too large; SW_ENOMEM; SW_EUNSUPPORTED: no
 * LAPACK.
 */
#ifndef SW_LINALG_H
#define SW_LINALG_H

#include "tensor/tensor.h"

enum { SW_LINALG_SIDE = 20000 };

/* A = V diag(values) V', values ascending, vectors as the columns of V. vectors may be NULL. A may
 * differ from A' by rounding, sqrt(epsilon) max |a_ij|; the mean of the two is taken. */
SW_API sw_status sw_linalg_eigh(const sw_tensor *a, sw_tensor **values, sw_tensor **vectors);
/* The same for a tridiagonal A: diagonal (n), beside (n - 1). */
SW_API sw_status sw_linalg_eigh_tridiagonal(const sw_tensor *diagonal, const sw_tensor *beside,
                                            sw_tensor **values, sw_tensor **vectors);
/* A (m, n) = U diag(s) Vt, s descending; with k = min(m, n): U (m, k), s (k), Vt (k, n). */
SW_API sw_status sw_linalg_svd(const sw_tensor *a, sw_tensor **u, sw_tensor **s, sw_tensor **vt);

/* A (m, n) = Q R; with k = min(m, n): Q (m, k) with orthonormal columns, R (k, n) upper. */
SW_API sw_status sw_linalg_qr(const sw_tensor *a, sw_tensor **q, sw_tensor **r);
/* A = L L', L lower, A symmetric as in eigh. *minor is 0, or the order of the first leading minor
 * that is not positive; then *l is NULL: A is not positive definite. */
SW_API sw_status sw_linalg_cholesky(const sw_tensor *a, sw_tensor **l, int64_t *minor);
/* det A = sign exp(log); of a singular matrix sign = 0, log = -inf. */
SW_API sw_status sw_linalg_slogdet(const sw_tensor *a, double *sign, double *log);

/* A x = b, A (n, n), b (n) or (n, k), x like b. A whose reciprocal condition number (1-norm) is
 * below epsilon is singular. */
SW_API sw_status sw_linalg_solve(const sw_tensor *a, const sw_tensor *b, sw_tensor **x);
/* The same where only the lower (or upper) triangle of A is read, and its other one is 0. */
SW_API sw_status sw_linalg_solve_triangular(const sw_tensor *a, const sw_tensor *b, int upper,
                                            sw_tensor **x);
/* The x of least norm that minimises |A x - b|: A (m, n), b (m) or (m, k), x (n) or (n, k).
 * Singular values s below epsilon max(m, n) times the largest count as 0; the others are counted in
 * rank. */
SW_API sw_status sw_linalg_lstsq(const sw_tensor *a, const sw_tensor *b, sw_tensor **x,
                                 int64_t *rank, sw_tensor **s);

#endif
