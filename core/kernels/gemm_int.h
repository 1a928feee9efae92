/* gemm_int.h: matrix products. swi_gemm chooses the routine by shape.
 *
 *   C = act( op(A) op(B) + bias )     or     C += op(A) op(B)
 *
 * row-major; op(A) is m x k, op(B) k x n, C m x n. The product is cut along m and n, never
 * along k by threads: the bits are the same for any number of them.
 */
#ifndef SW_GEMM_INT_H
#define SW_GEMM_INT_H

#include "base/context.h"

typedef enum swi_activation { SWI_ACT_NONE, SWI_ACT_RELU } swi_activation;

typedef struct swi_gemm_args {
  int transpose_a, transpose_b; /* A is stored k x m, B is stored n x k */
  int64_t m, n, k;              /* k = 0 gives zeros (or bias) */
  const void *a, *b;
  void *c;
  int64_t lda, ldb, ldc; /* elements from one row to the next */
  int accumulate;        /* C +=; then no epilogue */
  const void *bias;      /* n elements, added to every row; NULL: none */
  swi_activation activation;
} swi_gemm_args;

/* element_bytes is 4 or 8. Cannot fail: shapes were checked by the caller, nothing is allocated. */
void swi_gemm(sw_context *ctx, int element_bytes, const swi_gemm_args *g);

#endif
