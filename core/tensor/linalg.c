/* linalg.c: copies, checks and workspace of linear algebra. */
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>

#include "base/alloc_int.h"
#include "tensor/linalg_int.h"

/* ---- beginning and end */

sw_status swi_linalg_begin(swi_linalg *s, const char *who, const sw_tensor *a) {
  *s = (swi_linalg){.ctx = a->storage->ctx, .who = who, .dtype = a->dtype};
  SW_TRY(swi_check_float(a, who));
  return swi_lapack_of(s->ctx, sw_dtype_bytes(a->dtype), &s->lapack);
}

sw_status swi_linalg_end(swi_linalg *s, sw_status status) {
  for (int i = 0; i < SWI_LINALG_TENSORS; i++) sw_tensor_free(s->own[i]);
  swi_free(s->ctx, s->work, s->work_bytes);
  swi_free(s->ctx, s->whole, s->whole_bytes);
  return status;
}

void swi_linalg_give(sw_tensor **own, sw_tensor **out) {
  *out = *own;
  *own = NULL;
}

sw_status swi_linalg_report(const swi_linalg *s, int info, const char *what) {
  return info == 0 ? SW_OK : sw_fail(s->ctx, SW_EARG, "%s: %s (LAPACK %d)", s->who, what, info);
}

/* ---- checks */

sw_status swi_linalg_check_matrix(const swi_linalg *s, const sw_tensor *a) {
  char text[SWI_SHAPE_TEXT];
  if (a->shape.ndim != 2 || a->numel == 0)
    return sw_fail(s->ctx, SW_ESHAPE, "%s: a matrix has two dimensions, none of them 0; got %s",
                   s->who, sw_shape_text(&a->shape, text, sizeof text));
  const int64_t m = a->shape.dim[0], n = a->shape.dim[1];
  if ((m < n ? m : n) > SW_LINALG_SIDE || m > INT_MAX || n > INT_MAX)
    return sw_fail(s->ctx, SW_ERANGE, "%s: the shorter side may be at most %d; got %s", s->who,
                   SW_LINALG_SIDE, sw_shape_text(&a->shape, text, sizeof text));
  return SW_OK;
}

sw_status swi_linalg_check_square(const swi_linalg *s, const sw_tensor *a) {
  char text[SWI_SHAPE_TEXT];
  SW_TRY(swi_linalg_check_matrix(s, a));
  if (a->shape.dim[0] == a->shape.dim[1]) return SW_OK;
  return sw_fail(s->ctx, SW_ESHAPE, "%s: the matrix must be square, its shape is %s", s->who,
                 sw_shape_text(&a->shape, text, sizeof text));
}

sw_status swi_linalg_check_sides(const swi_linalg *s, const sw_tensor *b, int64_t rows) {
  char text[SWI_SHAPE_TEXT];
  if (b->dtype != s->dtype)
    return sw_fail(s->ctx, SW_EDTYPE, "%s: A is %s, b is %s", s->who, sw_dtype_name(s->dtype),
                   sw_dtype_name(b->dtype));
  if ((b->shape.ndim == 1 || b->shape.ndim == 2) && b->shape.dim[0] == rows && b->numel > 0 &&
      b->numel / rows <= INT_MAX)
    return SW_OK;
  return sw_fail(s->ctx, SW_ESHAPE,
                 "%s: b must have shape (%" PRId64 ") or (%" PRId64 ", k), as A has %" PRId64
                 " rows; got %s",
                 s->who, rows, rows, rows, sw_shape_text(&b->shape, text, sizeof text));
}

/* LAPACK may not return on NaN. */
static sw_status check_finite(const swi_linalg *s, const sw_tensor *t) {
  for (int64_t i = 0; i < t->numel; i++)
    if (!isfinite(swi_linalg_at(s, t->data, i)))
      return sw_fail(s->ctx, SW_EARG,
                     "%s: the input has an element that is not finite (%g); find it with"
                     " t:ne(t) or t:abs():max()",
                     s->who, swi_linalg_at(s, t->data, i));
  return SW_OK;
}

sw_status swi_linalg_overflow(const swi_linalg *s, const char *what, const char *input) {
  return sw_fail(s->ctx, SW_EARG, "%s: %s overflows %s; scale %s down", s->who, what,
                 sw_dtype_name(s->dtype), input);
}

sw_status swi_linalg_check_result(const swi_linalg *s, const sw_tensor *t, const char *what,
                                  const char *input) {
  for (int64_t i = 0; i < t->numel; i++)
    if (!isfinite(swi_linalg_at(s, t->data, i))) return swi_linalg_overflow(s, what, input);
  return SW_OK;
}

/* ---- copies */

sw_status swi_linalg_copy_rows(swi_linalg *s, const sw_tensor *t, sw_tensor **own) {
  SW_TRY(sw_tensor_clone(t, own));
  return check_finite(s, *own);
}

sw_status swi_linalg_copy_columns(swi_linalg *s, const sw_tensor *t, sw_tensor **own) {
  if (t->shape.ndim == 1) return swi_linalg_copy_rows(s, t, own);
  sw_tensor *view;
  SW_TRY(sw_tensor_transpose(t, 0, 1, &view));
  const sw_status status = swi_linalg_copy_rows(s, view, own);
  sw_tensor_free(view);
  return status;
}

sw_status swi_linalg_zeros(swi_linalg *s, int64_t m, int64_t n, sw_tensor **own) {
  const int64_t dim[] = {m, n};
  const sw_shape shape = sw_shape_of(n == 0 ? 1 : 2, dim);
  return sw_tensor_new(s->ctx, s->dtype, &shape, own);
}

sw_status swi_linalg_flip(swi_linalg *s, sw_tensor **own) {
  sw_tensor *flipped = NULL;
  SW_TRY(swi_linalg_copy_columns(s, *own, &flipped));
  sw_tensor_free(*own);
  *own = flipped;
  return SW_OK;
}

static sw_status not_symmetric(const swi_linalg *s, int64_t i, int64_t j, double a, double b) {
  return sw_fail(s->ctx, SW_EARG,
                 "%s: the matrix is not symmetric: [%" PRId64 "][%" PRId64 "] is %g, [%" PRId64
                 "][%" PRId64 "] is %g; if it should be, pass (a + a:transpose(1, 2)) / 2",
                 s->who, i + 1, j + 1, a, j + 1, i + 1, b);
}

/* Halves first: the sum of two huge elements may overflow. */
static sw_status average_pairs(const swi_linalg *s, sw_tensor *t, double tolerance) {
  const int64_t n = t->shape.dim[0];
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) {
      const double a = swi_linalg_at(s, t->data, i * n + j);
      const double b = swi_linalg_at(s, t->data, j * n + i);
      if (fabs(a / 2 - b / 2) > tolerance / 2) return not_symmetric(s, i, j, a, b);
      swi_linalg_put(s, t->data, i * n + j, a / 2 + b / 2);
      swi_linalg_put(s, t->data, j * n + i, a / 2 + b / 2);
    }
  return SW_OK;
}

sw_status swi_linalg_copy_symmetric(swi_linalg *s, const sw_tensor *t, sw_tensor **own) {
  SW_TRY(swi_linalg_check_square(s, t));
  SW_TRY(swi_linalg_copy_rows(s, t, own));
  double largest = 0;
  for (int64_t i = 0; i < t->numel; i++)
    largest = fmax(largest, fabs(swi_linalg_at(s, (*own)->data, i)));
  return average_pairs(s, *own, sqrt(swi_linalg_epsilon(s)) * largest);
}

/* ---- elements and workspace */

double swi_linalg_at(const swi_linalg *s, const void *x, int64_t i) {
  return s->dtype == SW_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

void swi_linalg_put(const swi_linalg *s, void *x, int64_t i, double value) {
  if (s->dtype == SW_F32)
    ((float *)x)[i] = (float)value;
  else
    ((double *)x)[i] = value;
}

double swi_linalg_epsilon(const swi_linalg *s) {
  return s->dtype == SW_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* A float holds the answer of a query rounded, perhaps down. */
sw_status swi_linalg_room(swi_linalg *s, double elements, int64_t ints, int *lwork) {
  const double length = fmax(1, ceil(elements * (1 + swi_linalg_epsilon(s))));
  if (!(length < INT_MAX) || ints > INT_MAX)
    return sw_fail(s->ctx, SW_ERANGE, "%s: the matrix is too large for LAPACK", s->who);
  *lwork = (int)length;
  s->work_bytes = (size_t)*lwork * (size_t)sw_dtype_bytes(s->dtype);
  s->whole_bytes = (size_t)(ints < 1 ? 1 : ints) * sizeof *s->whole;
  s->work = swi_alloc(s->ctx, s->work_bytes);
  s->whole = swi_alloc(s->ctx, s->whole_bytes);
  return s->work && s->whole ? SW_OK : SW_ENOMEM;
}
