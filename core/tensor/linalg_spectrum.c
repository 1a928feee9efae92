/* linalg_spectrum.c: eigenvalues of symmetric matrices, singular values. */
#include "tensor/linalg_int.h"

/* ---- symmetric */

static int side(const sw_tensor *t, int axis) { return (int)t->shape.dim[axis]; }

static sw_status run_syevd(swi_linalg *s, const char *job, sw_tensor *z, sw_tensor *w) {
  const int n = side(z, 0), query = -1;
  double answer[1];
  int lwork, liwork, info;
  s->lapack->syevd(job, "L", &n, z->data, &n, w->data, answer, &query, &liwork, &query, &info, 1,
                   1);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  SW_TRY(swi_linalg_room(s, swi_linalg_at(s, answer, 0), liwork, &lwork));
  s->lapack->syevd(job, "L", &n, z->data, &n, w->data, s->work, &lwork, s->whole, &liwork, &info, 1,
                   1);
  return swi_linalg_report(s, info, "the eigenvalues did not converge");
}

static sw_status eigh(swi_linalg *s, const sw_tensor *a, int with_vectors) {
  SW_TRY(swi_linalg_copy_symmetric(s, a, &s->own[0]));
  SW_TRY(swi_linalg_zeros(s, a->shape.dim[0], 0, &s->own[1]));
  SW_TRY(run_syevd(s, with_vectors ? "V" : "N", s->own[0], s->own[1]));
  SW_TRY(swi_linalg_check_result(s, s->own[1], "an eigenvalue", "a"));
  return with_vectors ? swi_linalg_flip(s, &s->own[0]) : SW_OK;
}

sw_status sw_linalg_eigh(const sw_tensor *a, sw_tensor **values, sw_tensor **vectors) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "eigh", a));
  const sw_status status = eigh(&s, a, vectors != NULL);
  if (status == SW_OK) {
    swi_linalg_give(&s.own[1], values);
    if (vectors) swi_linalg_give(&s.own[0], vectors);
  }
  return swi_linalg_end(&s, status);
}

/* ---- tridiagonal */

static sw_status check_diagonals(const swi_linalg *s, const sw_tensor *d, const sw_tensor *e) {
  char first[SWI_SHAPE_TEXT], second[SWI_SHAPE_TEXT];
  if (e->dtype != d->dtype)
    return sw_fail(s->ctx, SW_EDTYPE, "%s: the diagonal is %s, the one beside it %s", s->who,
                   sw_dtype_name(d->dtype), sw_dtype_name(e->dtype));
  if (d->shape.ndim == 1 && e->shape.ndim == 1 && d->numel >= 1 && e->numel == d->numel - 1 &&
      d->numel <= SW_LINALG_SIDE)
    return SW_OK;
  return sw_fail(s->ctx, SW_ESHAPE,
                 "%s: takes vectors of n and n - 1 elements, n from 1 to %d; got %s and %s", s->who,
                 SW_LINALG_SIDE, sw_shape_text(&d->shape, first, sizeof first),
                 sw_shape_text(&e->shape, second, sizeof second));
}

/* stevd takes n elements of e. */
static sw_status copy_beside(swi_linalg *s, const sw_tensor *e, sw_tensor **own) {
  SW_TRY(swi_linalg_copy_rows(s, e, &s->own[3]));
  SW_TRY(swi_linalg_zeros(s, e->numel + 1, 0, own));
  for (int64_t i = 0; i < e->numel; i++)
    swi_linalg_put(s, (*own)->data, i, swi_linalg_at(s, s->own[3]->data, i));
  return SW_OK;
}

static sw_status run_stevd(swi_linalg *s, sw_tensor *d, sw_tensor *e, sw_tensor *z) {
  const int n = side(d, 0), query = -1;
  const char *job = z ? "V" : "N";
  double answer[1];
  int lwork, liwork, info;
  void *vectors = z ? z->data : e->data; /* not used without vectors */
  s->lapack->stevd(job, &n, d->data, e->data, vectors, &n, answer, &query, &liwork, &query, &info,
                   1);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  SW_TRY(swi_linalg_room(s, swi_linalg_at(s, answer, 0), liwork, &lwork));
  s->lapack->stevd(job, &n, d->data, e->data, vectors, &n, s->work, &lwork, s->whole, &liwork,
                   &info, 1);
  return swi_linalg_report(s, info, "the eigenvalues did not converge");
}

static sw_status eigh_tridiagonal(swi_linalg *s, const sw_tensor *d, const sw_tensor *e,
                                  int with_vectors) {
  SW_TRY(check_diagonals(s, d, e));
  SW_TRY(swi_linalg_copy_rows(s, d, &s->own[0]));
  SW_TRY(copy_beside(s, e, &s->own[1]));
  if (with_vectors) SW_TRY(swi_linalg_zeros(s, d->numel, d->numel, &s->own[2]));
  SW_TRY(run_stevd(s, s->own[0], s->own[1], s->own[2]));
  SW_TRY(swi_linalg_check_result(s, s->own[0], "an eigenvalue", "the matrix"));
  return with_vectors ? swi_linalg_flip(s, &s->own[2]) : SW_OK;
}

sw_status sw_linalg_eigh_tridiagonal(const sw_tensor *diagonal, const sw_tensor *beside,
                                     sw_tensor **values, sw_tensor **vectors) {
  swi_linalg s;
  SW_TRY(swi_linalg_begin(&s, "eigh_tridiagonal", diagonal));
  const sw_status status = eigh_tridiagonal(&s, diagonal, beside, vectors != NULL);
  if (status == SW_OK) {
    swi_linalg_give(&s.own[0], values);
    if (vectors) swi_linalg_give(&s.own[2], vectors);
  }
  return swi_linalg_end(&s, status);
}

/* ---- singular values */

/* A row-major is A' column-major, and A' = V S U': LAPACK's left vectors are V, which column-major
 * is Vt row-major; its right ones, U', are U. */
static sw_status run_gesdd(swi_linalg *s, sw_tensor *a, sw_tensor *u, sw_tensor *w, sw_tensor *vt) {
  const int m = side(a, 0), n = side(a, 1), k = side(w, 0), query = -1;
  double answer[1];
  int lwork, info, unused;
  s->lapack->gesdd("S", &n, &m, a->data, &n, w->data, vt->data, &n, u->data, &k, answer, &query,
                   &unused, &info, 1);
  SW_TRY(swi_linalg_report(s, info, "LAPACK refused the query"));
  SW_TRY(swi_linalg_room(s, swi_linalg_at(s, answer, 0), 8 * (int64_t)k, &lwork));
  s->lapack->gesdd("S", &n, &m, a->data, &n, w->data, vt->data, &n, u->data, &k, s->work, &lwork,
                   s->whole, &info, 1);
  return swi_linalg_report(s, info, "the singular values did not converge");
}

static sw_status svd(swi_linalg *s, const sw_tensor *a) {
  SW_TRY(swi_linalg_check_matrix(s, a));
  const int64_t m = a->shape.dim[0], n = a->shape.dim[1], k = m < n ? m : n;
  SW_TRY(swi_linalg_copy_rows(s, a, &s->own[0]));
  SW_TRY(swi_linalg_zeros(s, m, k, &s->own[1]));
  SW_TRY(swi_linalg_zeros(s, k, 0, &s->own[2]));
  SW_TRY(swi_linalg_zeros(s, k, n, &s->own[3]));
  SW_TRY(run_gesdd(s, s->own[0], s->own[1], s->own[2], s->own[3]));
  return swi_linalg_check_result(s, s->own[2], "a singular value", "a");
}

sw_status sw_linalg_svd(const sw_tensor *a, sw_tensor **u, sw_tensor **s, sw_tensor **vt) {
  swi_linalg state;
  SW_TRY(swi_linalg_begin(&state, "svd", a));
  const sw_status status = svd(&state, a);
  if (status == SW_OK) {
    swi_linalg_give(&state.own[1], u);
    swi_linalg_give(&state.own[2], s);
    swi_linalg_give(&state.own[3], vt);
  }
  return swi_linalg_end(&state, status);
}
