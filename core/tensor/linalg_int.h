/* linalg_int.h: what the functions of linear algebra share: their copies, checks and workspace. */
#ifndef SW_LINALG_INT_H
#define SW_LINALG_INT_H

#include "kernels/lapack_int.h"
#include "tensor/linalg.h"
#include "tensor/tensor_int.h"

enum { SWI_LINALG_TENSORS = 7 };

/* What one call owns until it ends. */
typedef struct swi_linalg {
  sw_context *ctx;
  const char *who; /* in messages */
  const swi_lapack *lapack;
  sw_dtype dtype;
  sw_tensor *own[SWI_LINALG_TENSORS]; /* copies and results */
  void *work;
  int *whole;
  size_t work_bytes, whole_bytes;
} swi_linalg;

/* Checks the element type and finds LAPACK. */
sw_status swi_linalg_begin(swi_linalg *s, const char *who, const sw_tensor *a);
/* Frees all that is still owned. Returns status. */
sw_status swi_linalg_end(swi_linalg *s, sw_status status);
/* Hands an own tensor out. */
void swi_linalg_give(sw_tensor **own, sw_tensor **out);

/* Two dimensions, none of them 0 and the shorter one not too long. */
sw_status swi_linalg_check_matrix(const swi_linalg *s, const sw_tensor *a);
sw_status swi_linalg_check_square(const swi_linalg *s, const sw_tensor *a);
/* b of A x = b: a vector or a matrix with so many rows, of A's type. */
sw_status swi_linalg_check_sides(const swi_linalg *s, const sw_tensor *b, int64_t rows);

/* SW_EARG: an element of a result is not finite; what overflows, and which input to scale down. */
sw_status swi_linalg_check_result(const swi_linalg *s, const sw_tensor *t, const char *what,
                                  const char *input);
sw_status swi_linalg_overflow(const swi_linalg *s, const char *what, const char *input);

/* *own = t, copied row by row, or column by column (the shape is then that of the transpose). The
 * elements are checked. */
sw_status swi_linalg_copy_rows(swi_linalg *s, const sw_tensor *t, sw_tensor **own);
sw_status swi_linalg_copy_columns(swi_linalg *s, const sw_tensor *t, sw_tensor **own);
/* The same of a matrix that is symmetric but for rounding: the mean of it and its transpose. */
sw_status swi_linalg_copy_symmetric(swi_linalg *s, const sw_tensor *t, sw_tensor **own);
/* A tensor of zeros of the call's type; n = 0: a vector of m elements. */
sw_status swi_linalg_zeros(swi_linalg *s, int64_t m, int64_t n, sw_tensor **own);
/* Replaces a matrix by its contiguous transpose. */
sw_status swi_linalg_flip(swi_linalg *s, sw_tensor **own);

/* Element i of n elements of the call's type. */
double swi_linalg_at(const swi_linalg *s, const void *x, int64_t i);
void swi_linalg_put(const swi_linalg *s, void *x, int64_t i, double value);
double swi_linalg_epsilon(const swi_linalg *s);

/* Allocates the workspace: as many elements as the answer of a query says, so many ints. */
sw_status swi_linalg_room(swi_linalg *s, double elements, int64_t ints, int *lwork);
/* SW_EARG for an info that is not 0; what failed, in words. */
sw_status swi_linalg_report(const swi_linalg *s, int info, const char *what);

#endif
