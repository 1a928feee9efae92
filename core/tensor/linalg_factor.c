/* linalg_factor.c: QR, Cholesky and LU factors; determinants. */
#include <math.h>

#include "tensor/linalg_int.h"

/* ---- A = Q R */

/* A row-major is A' column-major, and A' = L Q' by gelqf: A = Q R with R = L'. Column-major, L is R
 * row-major; orglq's rows are the columns of Q. */
static sw_status run_lq(swi_linalg *s, sw_tensor *a, sw_tensor *tau, sw_tensor *r) {
  const int m = (int)a->shape.dim[0], n = (int)a->shape.dim[1], k = m < n ? m : n, query = -1;
  double first[1], second[1];
  int lwork, info;
  s->lapack->gelqf(&n, &m, a->data, &n, tau->data, first, &query, &info);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  s->lapack->orglq(&k, &m, &k, a->data, &n, tau->data, second, &query, &info);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  SW_TRY(
      swi_linalg_room(s, fmax(swi_linalg_at(s, first, 0), swi_linalg_at(s, second, 0)), 0, &lwork));
  s->lapack->gelqf(&n, &m, a->data, &n, tau->data, s->work, &lwork, &info);
  SW_TRY(swi_linalg_report(s, info, "no factors were found"));
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = i; j < n; j++)
      swi_linalg_put(s, r->data, i * n + j, swi_linalg_at(s, a->data, i * n + j));
  s->lapack->orglq(&k, &m, &k, a->data, &n, tau->data, s->work, &lwork, &info);
  return swi_linalg_report(s, info, "no factors were found");
}

static sw_status qr(swi_linalg *s, const sw_tensor *a) {
  SW_TRY(swi_linalg_check_matrix(s, a));
  const int64_t m = a->shape.dim[0], n = a->shape.dim[1], k = m < n ? m : n;
  SW_TRY(swi_linalg_copy_rows(s, a, &s->own[0]));
  SW_TRY(swi_linalg_zeros(s, k, 0, &s->own[1]));
  SW_TRY(swi_linalg_zeros(s, k, n, &s->own[2]));
  SW_TRY(run_lq(s, s->own[0], s->own[1], s->own[2]));
  SW_TRY(swi_linalg_check_result(s, s->own[2], "a factor", "a"));
  SW_TRY(sw_tensor_narrow(s->own[0], 1, 0, k, &s->own[3]));
  return sw_tensor_clone(s->own[3], &s->own[4]);
}

sw_status sw_linalg_qr(const sw_tensor *a, sw_tensor **q, sw_tensor **r) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "qr", a));
  const sw_status status = qr(&s, a);
  if (status == SW_OK) {
    swi_linalg_give(&s.own[4], q);
    swi_linalg_give(&s.own[2], r);
  }
  return swi_linalg_end(&s, status);
}

/* ---- A = L L' */

/* The upper factor, column-major, is the lower one, row-major. */
static sw_status cholesky(swi_linalg *s, const sw_tensor *a, int64_t *minor) {
  SW_TRY(swi_linalg_copy_symmetric(s, a, &s->own[0]));
  char *data = s->own[0]->data;
  const int n = (int)a->shape.dim[0];
  int info;
  s->lapack->potrf("U", &n, data, &n, &info, 1);
  if (info < 0) return swi_linalg_report(s, info, "LAPACK refused the matrix");
  *minor = info;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) swi_linalg_put(s, data, i * n + j, 0);
  return SW_OK;
}

sw_status sw_linalg_cholesky(const sw_tensor *a, sw_tensor **l, int64_t *minor) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "cholesky", a));
  const sw_status status = cholesky(&s, a, minor);
  if (status == SW_OK) {
    if (*minor == 0)
      swi_linalg_give(&s.own[0], l);
    else
      *l = NULL;
  }
  return swi_linalg_end(&s, status);
}

/* ---- determinants */

/* det A' = det A, so the order of the elements does not matter. */
static sw_status slogdet(swi_linalg *s, const sw_tensor *a, double *sign, double *log_det) {
  SW_TRY(swi_linalg_check_square(s, a));
  SW_TRY(swi_linalg_copy_rows(s, a, &s->own[0]));
  const int n = (int)a->shape.dim[0];
  int info, unused;
  SW_TRY(swi_linalg_room(s, 1, n, &unused));
  s->lapack->getrf(&n, &n, s->own[0]->data, &n, s->whole, &info);
  if (info < 0) return swi_linalg_report(s, info, "LAPACK refused the matrix");
  *sign = 1, *log_det = 0;
  for (int64_t i = 0; i < n; i++) {
    const double u = swi_linalg_at(s, s->own[0]->data, i * n + i);
    if (!isfinite(u)) return swi_linalg_overflow(s, "a factor", "a");
    *log_det += log(fabs(u));
    *sign *= u == 0 ? 0 : (u < 0) == (s->whole[i] == i + 1) ? -1 : 1;
  }
  return SW_OK;
}

sw_status sw_linalg_slogdet(const sw_tensor *a, double *sign, double *log) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "slogdet", a));
  return swi_linalg_end(&s, slogdet(&s, a, sign, log));
}
