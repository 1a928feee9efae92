/* arpack.h: eigenpairs of a large symmetric matrix A, by ARPACK (Lehoucq, Sorensen, Yang 1998).
 *
 * Implicitly restarted Lanczos in float64, with full orthogonalisation. A is known by its products:
 *     sw_arpack_new(ctx, n, &options, start, &s);
 *     while (!sw_arpack_step(s, &more) && more) y = A x;    x, y: sw_arpack_x, sw_arpack_y
 *     sw_arpack_result(s, &values, &vectors);
 * A step costs some n * basis operations beside the product; memory is n (basis + 4) doubles.
 * ARPACK keeps its state in static memory, so a process runs one solve at a time, from new to free.
 * The library is loaded anew for each, so that equal solves have equal bits.
 */
#ifndef SW_ARPACK_H
#define SW_ARPACK_H

#include "tensor/tensor.h"

typedef enum sw_arpack_which {
  SW_ARPACK_LARGEST, /* algebraically */
  SW_ARPACK_SMALLEST,
  SW_ARPACK_BOTH,      /* half of them from each end, one more from the upper one if k is odd */
  SW_ARPACK_MAGNITUDE, /* largest |lambda| */
  SW_ARPACK_WHICH_COUNT
} sw_arpack_which;

typedef struct sw_arpack_options {
  sw_arpack_which which;
  int64_t k;        /* pairs wanted, 1 to n - 1 */
  int64_t basis;    /* Lanczos vectors: k + 1 to n */
  int64_t restarts; /* at most */
  double tolerance; /* of an error bound, relative to |lambda|; 0: epsilon */
} sw_arpack_options;

typedef struct sw_arpack sw_arpack;

SW_API int sw_arpack_in_use(void); /* whether a solve of this process is not freed yet */

/* start: n doubles, not all 0; copied. The caller owns *out. SW_EARG: another solve is not freed
 * yet; SW_ERANGE, SW_EDTYPE, SW_ESHAPE, SW_ENOMEM; SW_EUNSUPPORTED: there is no ARPACK. */
SW_API sw_status sw_arpack_new(sw_context *ctx, int64_t n, const sw_arpack_options *o,
                               const sw_tensor *start, sw_arpack **out);

/* Takes the product that was written into y, and asks for the next one, of x, or says that there is
 * no more to multiply. SW_ENAN: y is not finite. SW_EARG: ARPACK gave up, with its number. */
SW_API sw_status sw_arpack_step(sw_arpack *s, int *more);

/* Views of the vector to multiply and of the place of the product, made by each step; NULL if
 * nothing is to be multiplied. Borrowed: valid until the next step. */
SW_API const sw_tensor *sw_arpack_x(const sw_arpack *s);
SW_API sw_tensor *sw_arpack_y(const sw_arpack *s);

/* After the last step: the pairs that converged, at most k, values ascending (m), vectors as rows
 * (m, n), each of norm 1. The caller owns both. SW_EEMPTY before. */
SW_API sw_status sw_arpack_result(sw_arpack *s, sw_tensor **values, sw_tensor **vectors);

SW_API int64_t sw_arpack_products(const sw_arpack *s); /* so far */

SW_API void sw_arpack_free(sw_arpack *s); /* NULL is fine */

#endif
