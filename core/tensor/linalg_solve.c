/* linalg_solve.c: linear systems and least squares. */
#include <math.h>

#include "tensor/linalg_int.h"

static int sides(const sw_tensor *b) { return b->shape.ndim == 1 ? 1 : (int)b->shape.dim[1]; }

/* The solution, held column by column, as b was given. */
static sw_status as_given(swi_linalg *s, const sw_tensor *b, sw_tensor **own) {
  return b->shape.ndim == 1 ? SW_OK : swi_linalg_flip(s, own);
}

/* ---- A x = b */

/* The largest sum of magnitudes of a column of n columns. */
static double one_norm(const swi_linalg *s, const void *a, int64_t n) {
  double largest = 0;
  for (int64_t j = 0; j < n; j++) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += fabs(swi_linalg_at(s, a, j * n + i));
    largest = fmax(largest, sum);
  }
  return largest;
}

static sw_status singular(const swi_linalg *s, double rcond) {
  return sw_fail(s->ctx, SW_EARG,
                 "%s: the matrix is singular (reciprocal condition number %.2g); lstsq gives the"
                 " solution of least norm, or add a multiple of the identity",
                 s->who, rcond);
}

static sw_status factor(swi_linalg *s, sw_tensor *a) {
  const int n = (int)a->shape.dim[0];
  double norm[1], rcond[1];
  int info, unused;
  SW_TRY(swi_linalg_room(s, 4.0 * n, 2 * (int64_t)n, &unused));
  swi_linalg_put(s, norm, 0, one_norm(s, a->data, n));
  if (isinf(swi_linalg_at(s, norm, 0))) return swi_linalg_overflow(s, "the sum of a column", "a");
  s->lapack->getrf(&n, &n, a->data, &n, s->whole, &info);
  if (info < 0) return swi_linalg_report(s, info, "LAPACK refused the matrix");
  if (info > 0) return singular(s, 0);
  s->lapack->gecon("1", &n, a->data, &n, norm, rcond, s->work, s->whole + n, &info, 1);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the matrix"));
  const double found = swi_linalg_at(s, rcond, 0);
  return found >= swi_linalg_epsilon(s) ? SW_OK : singular(s, found);
}

static sw_status solve(swi_linalg *s, const sw_tensor *a, const sw_tensor *b) {
  SW_TRY(swi_linalg_check_square(s, a));
  SW_TRY(swi_linalg_check_sides(s, b, a->shape.dim[0]));
  SW_TRY(swi_linalg_copy_columns(s, a, &s->own[0]));
  SW_TRY(swi_linalg_copy_columns(s, b, &s->own[1]));
  SW_TRY(factor(s, s->own[0]));
  const int n = (int)a->shape.dim[0], k = sides(b);
  int info;
  s->lapack->getrs("N", &n, &k, s->own[0]->data, &n, s->whole, s->own[1]->data, &n, &info, 1);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the matrix"));
  SW_TRY(swi_linalg_check_result(s, s->own[1], "the solution", "b"));
  return as_given(s, b, &s->own[1]);
}

sw_status sw_linalg_solve(const sw_tensor *a, const sw_tensor *b, sw_tensor **x) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "solve", a));
  const sw_status status = solve(&s, a, b);
  if (status == SW_OK) swi_linalg_give(&s.own[1], x);
  return swi_linalg_end(&s, status);
}

static sw_status solve_triangular(swi_linalg *s, const sw_tensor *a, const sw_tensor *b,
                                  int upper) {
  SW_TRY(swi_linalg_check_square(s, a));
  SW_TRY(swi_linalg_check_sides(s, b, a->shape.dim[0]));
  SW_TRY(swi_linalg_copy_columns(s, a, &s->own[0]));
  SW_TRY(swi_linalg_copy_columns(s, b, &s->own[1]));
  const int n = (int)a->shape.dim[0], k = sides(b);
  int info;
  s->lapack->trtrs(upper ? "U" : "L", "N", "N", &n, &k, s->own[0]->data, &n, s->own[1]->data, &n,
                   &info, 1, 1, 1);
  if (info > 0) return singular(s, 0);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the matrix"));
  SW_TRY(swi_linalg_check_result(s, s->own[1], "the solution", "b"));
  return as_given(s, b, &s->own[1]);
}

sw_status sw_linalg_solve_triangular(const sw_tensor *a, const sw_tensor *b, int upper,
                                     sw_tensor **x) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "solve_triangular", a));
  const sw_status status = solve_triangular(&s, a, b, upper);
  if (status == SW_OK) swi_linalg_give(&s.own[1], x);
  return swi_linalg_end(&s, status);
}

/* ---- least squares */

/* gelsd takes max(m, n) rows of b and writes the solution into the first n: own[2] holds them as
 * columns. */
static sw_status copy_long_sides(swi_linalg *s, const sw_tensor *b, int64_t rows) {
  const int64_t m = b->shape.dim[0], k = sides(b);
  SW_TRY(swi_linalg_copy_columns(s, b, &s->own[1]));
  SW_TRY(swi_linalg_zeros(s, k, rows, &s->own[2]));
  for (int64_t j = 0; j < k; j++)
    for (int64_t i = 0; i < m; i++)
      swi_linalg_put(s, s->own[2]->data, j * rows + i,
                     swi_linalg_at(s, s->own[1]->data, j * m + i));
  return SW_OK;
}

static sw_status run_gelsd(swi_linalg *s, sw_tensor *a, sw_tensor *b, sw_tensor *w, int64_t *rank) {
  const int n = (int)a->shape.dim[0], m = (int)a->shape.dim[1], k = (int)b->shape.dim[0];
  const int rows = (int)b->shape.dim[1], query = -1;
  double answer[1], rcond[1];
  int lwork, ints, found, info;
  swi_linalg_put(s, rcond, 0, swi_linalg_epsilon(s) * rows);
  s->lapack->gelsd(&m, &n, &k, a->data, &m, b->data, &rows, w->data, rcond, &found, answer, &query,
                   &ints, &info);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  SW_TRY(swi_linalg_room(s, swi_linalg_at(s, answer, 0), ints, &lwork));
  s->lapack->gelsd(&m, &n, &k, a->data, &m, b->data, &rows, w->data, rcond, &found, s->work, &lwork,
                   s->whole, &info);
  *rank = found;
  return swi_linalg_report(s, info, "the singular values did not converge");
}

static sw_status lstsq(swi_linalg *s, const sw_tensor *a, const sw_tensor *b, int64_t *rank) {
  SW_TRY(swi_linalg_check_matrix(s, a));
  const int64_t m = a->shape.dim[0], n = a->shape.dim[1];
  SW_TRY(swi_linalg_check_sides(s, b, m));
  SW_TRY(swi_linalg_copy_columns(s, a, &s->own[0]));
  SW_TRY(copy_long_sides(s, b, m > n ? m : n));
  SW_TRY(swi_linalg_zeros(s, m < n ? m : n, 0, &s->own[3]));
  SW_TRY(run_gelsd(s, s->own[0], s->own[2], s->own[3], rank));
  SW_TRY(swi_linalg_check_result(s, s->own[2], "the solution", "b"));
  SW_TRY(sw_tensor_narrow(s->own[2], 1, 0, n, &s->own[4]));
  if (b->shape.ndim == 2) return swi_linalg_copy_columns(s, s->own[4], &s->own[5]);
  SW_TRY(sw_tensor_select(s->own[4], 0, 0, &s->own[6]));
  return swi_linalg_copy_rows(s, s->own[6], &s->own[5]);
}

sw_status sw_linalg_lstsq(const sw_tensor *a, const sw_tensor *b, sw_tensor **x, int64_t *rank,
                          sw_tensor **s) {
  swi_linalg state;
  SW_TRY(swi_linalg_begin(&state, "lstsq", a));
  const sw_status status = lstsq(&state, a, b, rank);
  if (status == SW_OK) {
    swi_linalg_give(&state.own[5], x);
    swi_linalg_give(&state.own[3], s);
  }
  return swi_linalg_end(&state, status);
}
