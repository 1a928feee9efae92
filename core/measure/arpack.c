/* arpack.c: ARPACK's reverse communication. */
#include "measure/arpack.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>

#include "base/alloc_int.h"
#include "measure/library_int.h"

/* Fortran's interface: texts, then their lengths at the end. A LOGICAL is an int. */
typedef void saupd(int *ido, const char *bmat, const int *n, const char *which, const int *nev,
                   const double *tol, double *resid, const int *ncv, double *v, const int *ldv,
                   int *iparam, int *ipntr, double *workd, double *workl, const int *lworkl,
                   int *info, size_t, size_t);
typedef void seupd(const int *rvec, const char *howmny, int *select, double *d, double *z,
                   const int *ldz, const double *sigma, const char *bmat, const int *n,
                   const char *which, const int *nev, const double *tol, double *resid,
                   const int *ncv, double *v, const int *ldv, int *iparam, int *ipntr,
                   double *workd, double *workl, const int *lworkl, int *info, size_t, size_t,
                   size_t);

/* Places in iparam and ipntr, and values of ido and info, by ARPACK's users' guide. */
enum { SHIFTS = 0, RESTARTS = 2, BLOCK = 3, CONVERGED = 4, MODE = 6, IPARAM = 11 };
enum { X = 0, Y = 1, IPNTR = 11 };
enum { ASKS_FIRST = -1, BEGINS = 0, ASKS = 1, DONE = 99 };
enum { FROM_START = 1, NO_MORE_RESTARTS = 1, NO_SHIFTS = 3 };

struct sw_arpack {
  sw_context *ctx;
  swi_library library;
  saupd *saupd;
  seupd *seupd;
  sw_arpack_options options;
  int holds_lock;
  int n, nev, ncv, lworkl, ido, info;
  int iparam[IPARAM], ipntr[IPNTR];
  double tolerance;
  sw_tensor *workd;  /* 3n: x and y are parts of it */
  sw_tensor *basis;  /* (ncv, n): column-major v, at last the eigenvectors */
  sw_tensor *resid;  /* n: the start, later the residual */
  sw_tensor *values; /* nev */
  sw_tensor *x, *y;
  int asked; /* y is waited for */
  int found; /* dseupd was called: basis and values have the pairs */
  int64_t products;
  double *workl; /* ncv (ncv + 8) */
  int *select;   /* ncv */
};

static const char *const which_names[SW_ARPACK_WHICH_COUNT] = {[SW_ARPACK_LARGEST] = "LA",
                                                               [SW_ARPACK_SMALLEST] = "SA",
                                                               [SW_ARPACK_BOTH] = "BE",
                                                               [SW_ARPACK_MAGNITUDE] = "LM"};

/* ---- one at a time */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int in_use;

static int take_lock(void) {
  pthread_mutex_lock(&lock);
  const int taken = !in_use;
  in_use = 1;
  pthread_mutex_unlock(&lock);
  return taken;
}

static void release_lock(void) {
  pthread_mutex_lock(&lock);
  in_use = 0;
  pthread_mutex_unlock(&lock);
}

int sw_arpack_in_use(void) {
  pthread_mutex_lock(&lock);
  const int used = in_use;
  pthread_mutex_unlock(&lock);
  return used;
}

/* ---- making */

static sw_status check_options(sw_context *ctx, int64_t n, const sw_arpack_options *o) {
  if ((unsigned)o->which >= SW_ARPACK_WHICH_COUNT)
    return sw_fail(ctx, SW_EARG, "arpack: there is no end %d of a spectrum", (int)o->which);
  if (n < 2 || n > INT_MAX / 4)
    return sw_fail(ctx, SW_ERANGE, "arpack: n must be from 2 to %d, got %" PRId64, INT_MAX / 4, n);
  if (o->k < 1 || o->k >= n)
    return sw_fail(ctx, SW_ERANGE, "arpack: k must be from 1 to n - 1 = %" PRId64 ", got %" PRId64,
                   n - 1, o->k);
  if (o->basis <= o->k || o->basis > n || o->basis > 20000)
    return sw_fail(ctx, SW_ERANGE,
                   "arpack: basis must be above k = %" PRId64 " and at most n = %" PRId64
                   " and 20000, got %" PRId64,
                   o->k, n, o->basis);
  if (o->which == SW_ARPACK_BOTH && o->k < 2)
    return sw_fail(ctx, SW_ERANGE, "arpack: both ends need k = 2 or more, got %" PRId64, o->k);
  if (o->restarts < 1 || o->restarts > INT_MAX)
    return sw_fail(ctx, SW_ERANGE, "arpack: restarts must be from 1, got %" PRId64, o->restarts);
  if (!(o->tolerance >= 0 && o->tolerance < 1))
    return sw_fail(ctx, SW_ERANGE, "arpack: tolerance must be from 0 to below 1, got %g",
                   o->tolerance);
  return SW_OK;
}

static sw_status check_start(sw_context *ctx, int64_t n, const sw_tensor *start) {
  char text[96];
  double norm;
  if (sw_tensor_dtype(start) != SW_F64)
    return sw_fail(ctx, SW_EDTYPE, "arpack: the start must be float64, got %s",
                   sw_dtype_name(sw_tensor_dtype(start)));
  if (sw_tensor_shape(start)->ndim != 1 || sw_tensor_numel(start) != n)
    return sw_fail(ctx, SW_ESHAPE, "arpack: the start must have shape (%" PRId64 "), got %s", n,
                   sw_shape_text(sw_tensor_shape(start), text, sizeof text));
  SW_TRY(sw_tensor_norm(start, &norm));
  if (!(norm > 0) || isinf(norm))
    return sw_fail(ctx, SW_EARG, "arpack: the start must be finite and not 0, its norm is %g",
                   norm);
  return SW_OK;
}

static sw_status open_library(sw_arpack *s) {
  s->library = (swi_library){
      .who = "arpack",
      .file = "libarpack.so.2",
      .package = "Debian 12: apt install libarpack2; later, and Ubuntu: libarpack2t64"};
  SW_TRY(swi_library_open(s->ctx, &s->library));
  SW_TRY(swi_library_find(s->ctx, &s->library, "dsaupd_", &s->saupd));
  return swi_library_find(s->ctx, &s->library, "dseupd_", &s->seupd);
}

static sw_status new_tensor(sw_context *ctx, int ndim, int64_t m, int64_t n, sw_tensor **out) {
  const int64_t dim[] = {m, n};
  const sw_shape shape = sw_shape_of(ndim, dim);
  return sw_tensor_new(ctx, SW_F64, &shape, out);
}

static size_t workl_bytes(const sw_arpack *s) { return (size_t)s->lworkl * sizeof *s->workl; }
static size_t select_bytes(const sw_arpack *s) { return (size_t)s->ncv * sizeof *s->select; }

/* ARPACK starts from the residual. */
static sw_status allocate(sw_arpack *s, const sw_tensor *start) {
  SW_TRY(sw_tensor_clone(start, &s->resid));
  SW_TRY(new_tensor(s->ctx, 1, s->nev, 0, &s->values));
  SW_TRY(new_tensor(s->ctx, 1, 3 * (int64_t)s->n, 0, &s->workd));
  SW_TRY(new_tensor(s->ctx, 2, s->ncv, s->n, &s->basis));
  s->workl = swi_alloc_zeroed(s->ctx, workl_bytes(s));
  s->select = swi_alloc_zeroed(s->ctx, select_bytes(s));
  return s->workl && s->select ? SW_OK : SW_ENOMEM;
}

static sw_status begin(sw_arpack *s, const sw_tensor *start) {
  s->holds_lock = take_lock();
  if (!s->holds_lock)
    return sw_fail(s->ctx, SW_EARG,
                   "arpack: another solve is not finished; ARPACK runs one at a time in a process:"
                   " end that one first (it is a to-be-closed variable: local s <close> = …)");
  SW_TRY(open_library(s));
  return allocate(s, start);
}

static sw_status new_solve(sw_context *ctx, int64_t n, const sw_arpack_options *o,
                           sw_arpack **out) {
  sw_arpack *s = swi_alloc_zeroed(ctx, sizeof *s);
  if (!s) return SW_ENOMEM;
  *s = (sw_arpack){.ctx = sw_context_retain(ctx),
                   .options = *o,
                   .n = (int)n,
                   .nev = (int)o->k,
                   .ncv = (int)o->basis,
                   .tolerance = o->tolerance,
                   .ido = BEGINS,
                   .info = FROM_START};
  s->lworkl = s->ncv * (s->ncv + 8);
  s->iparam[SHIFTS] = 1; /* ARPACK's own */
  s->iparam[RESTARTS] = (int)o->restarts;
  s->iparam[BLOCK] = 1;
  s->iparam[MODE] = 1; /* A x = lambda x */
  *out = s;
  return SW_OK;
}

sw_status sw_arpack_new(sw_context *ctx, int64_t n, const sw_arpack_options *o,
                        const sw_tensor *start, sw_arpack **out) {
  sw_arpack *s;
  SW_TRY(check_options(ctx, n, o));
  SW_TRY(check_start(ctx, n, start));
  SW_TRY(new_solve(ctx, n, o, &s));
  const sw_status status = begin(s, start);
  if (status == SW_OK)
    *out = s;
  else
    sw_arpack_free(s);
  return status;
}

static void drop_views(sw_arpack *s) {
  sw_tensor_free(s->x);
  sw_tensor_free(s->y);
  s->x = s->y = NULL;
}

void sw_arpack_free(sw_arpack *s) {
  if (!s) return;
  sw_context *ctx = s->ctx;
  drop_views(s);
  sw_tensor_free(s->workd);
  sw_tensor_free(s->basis);
  sw_tensor_free(s->resid);
  sw_tensor_free(s->values);
  swi_free(ctx, s->workl, workl_bytes(s));
  swi_free(ctx, s->select, select_bytes(s));
  swi_library_close(&s->library);
  if (s->holds_lock) release_lock();
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

/* ---- solving */

const sw_tensor *sw_arpack_x(const sw_arpack *s) { return s->x; }
sw_tensor *sw_arpack_y(const sw_arpack *s) { return s->y; }
int64_t sw_arpack_products(const sw_arpack *s) { return s->products; }

static double *elements(const sw_tensor *t) { return (double *)(uintptr_t)sw_tensor_data(t); }

static sw_status check_product(const sw_arpack *s) {
  const double *y = elements(s->y);
  for (int i = 0; i < s->n; i++)
    if (!isfinite(y[i]))
      return sw_fail(s->ctx, SW_ENAN, "arpack: element %d of the product is not finite (%g)", i + 1,
                     y[i]);
  return SW_OK;
}

static void call_saupd(sw_arpack *s) {
  s->saupd(&s->ido, "I", &s->n, which_names[s->options.which], &s->nev, &s->tolerance,
           elements(s->resid), &s->ncv, elements(s->basis), &s->n, s->iparam, s->ipntr,
           elements(s->workd), s->workl, &s->lworkl, &s->info, 1, 2);
}

static sw_status view_part(const sw_arpack *s, int place, sw_tensor **out) {
  return sw_tensor_narrow(s->workd, 0, s->ipntr[place] - 1, s->n, out);
}

static sw_status ask(sw_arpack *s, int *more) {
  SW_TRY(view_part(s, X, &s->x));
  SW_TRY(view_part(s, Y, &s->y));
  s->asked = 1;
  s->products++;
  *more = 1;
  return SW_OK;
}

static sw_status finish(sw_arpack *s, int *more) {
  *more = 0;
  if (s->ido != DONE || s->info < 0 || (s->info > NO_MORE_RESTARTS && s->info != NO_SHIFTS))
    return sw_fail(s->ctx, SW_EARG, "arpack: gave up (dsaupd: ido %d, info %d); try a larger basis",
                   s->ido, s->info);
  return SW_OK;
}

/* A step that found no memory for the views may be repeated: the question stands. */
sw_status sw_arpack_step(sw_arpack *s, int *more) {
  if (s->asked) SW_TRY(check_product(s));
  if (s->asked || s->ido == BEGINS) call_saupd(s);
  s->asked = 0;
  drop_views(s);
  return s->ido == ASKS || s->ido == ASKS_FIRST ? ask(s, more) : finish(s, more);
}

/* ---- the result */

/* The vectors replace the basis. */
static sw_status extract(sw_arpack *s) {
  const int rvec = 1;
  const double sigma = 0;
  int info = 0;
  s->found = 1;
  s->seupd(&rvec, "A", s->select, elements(s->values), elements(s->basis), &s->n, &sigma, "I",
           &s->n, which_names[s->options.which], &s->nev, &s->tolerance, elements(s->resid),
           &s->ncv, elements(s->basis), &s->n, s->iparam, s->ipntr, elements(s->workd), s->workl,
           &s->lworkl, &info, 1, 1, 2);
  if (info == 0) return SW_OK;
  s->info = info;
  return sw_fail(s->ctx, SW_EARG, "arpack: the eigenvectors were not found (dseupd: info %d)",
                 info);
}

static sw_status copy_first(const sw_tensor *t, int64_t n, sw_tensor **out) {
  sw_tensor *view;
  SW_TRY(sw_tensor_narrow(t, 0, 0, n, &view));
  const sw_status status = sw_tensor_clone(view, out);
  sw_tensor_free(view);
  return status;
}

sw_status sw_arpack_result(sw_arpack *s, sw_tensor **values, sw_tensor **vectors) {
  if (s->ido != DONE || s->info < 0)
    return sw_fail(s->ctx, SW_EEMPTY, "arpack: the solve is not finished, or failed");
  const int m = s->iparam[CONVERGED] < s->nev ? s->iparam[CONVERGED] : s->nev;
  if (m > 0 && !s->found) SW_TRY(extract(s));
  sw_tensor *first;
  SW_TRY(copy_first(s->values, m, &first));
  const sw_status status = copy_first(s->basis, m, vectors);
  if (status == SW_OK)
    *values = first;
  else
    sw_tensor_free(first);
  return status;
}
