/* lapack.c: finds and tries out the LAPACK of the loaded OpenBLAS. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kernels/blas_int.h"
#include "kernels/kernels_int.h"
#include "kernels/lapack_int.h"

enum { FLOAT, DOUBLE };

static swi_lapack tables[2];
static char fault[96]; /* why there is none */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_open;

static int find(void *library, char letter, const char *name, void *function) {
  char symbol[16];
  snprintf(symbol, sizeof symbol, "%c%s_", letter, name);
  void *found = dlsym(library, symbol);
  memcpy(function, &found, sizeof found);
  if (!found) snprintf(fault, sizeof fault, "this OpenBLAS lacks LAPACK's %s", symbol);
  return found != NULL;
}

static int find_all(void *library, char letter, swi_lapack *t) {
  return find(library, letter, "syevd", &t->syevd) && find(library, letter, "stevd", &t->stevd) &&
         find(library, letter, "gesdd", &t->gesdd) && find(library, letter, "gelqf", &t->gelqf) &&
         find(library, letter, "orglq", &t->orglq) && find(library, letter, "potrf", &t->potrf) &&
         find(library, letter, "getrf", &t->getrf) && find(library, letter, "gecon", &t->gecon) &&
         find(library, letter, "getrs", &t->getrs) && find(library, letter, "trtrs", &t->trtrs) &&
         find(library, letter, "gelsd", &t->gelsd);
}

/* The matrix with 2 on its diagonal and 1 elsewhere has the eigenvalues 1, 1 and 4. */
static int is_right(double one, double same, double four, double tolerance) {
  return fabs(one - 1) < tolerance && fabs(same - 1) < tolerance && fabs(four - 4) < tolerance;
}

enum { SIDE = 3, WORK = 1 + 6 * SIDE + 2 * SIDE * SIDE, WHOLE = 3 + 5 * SIDE };

static int is_right_f32(const swi_lapack *t) {
  float a[SIDE * SIDE] = {2, 1, 1, 1, 2, 1, 1, 1, 2}, w[SIDE], work[WORK];
  int n = SIDE, lwork = WORK, liwork = WHOLE, iwork[WHOLE], info;
  t->syevd("V", "L", &n, a, &n, w, work, &lwork, iwork, &liwork, &info, 1, 1);
  return info == 0 && is_right((double)w[0], (double)w[1], (double)w[2], 1e-5);
}

static int is_right_f64(const swi_lapack *t) {
  double a[SIDE * SIDE] = {2, 1, 1, 1, 2, 1, 1, 1, 2}, w[SIDE], work[WORK];
  int n = SIDE, lwork = WORK, liwork = WHOLE, iwork[WHOLE], info;
  t->syevd("V", "L", &n, a, &n, w, work, &lwork, iwork, &liwork, &info, 1, 1);
  return info == 0 && is_right(w[0], w[1], w[2], 1e-13);
}

static void open_tables(void *library) {
  is_open = 1;
  if (!find_all(library, 's', &tables[FLOAT]) || !find_all(library, 'd', &tables[DOUBLE])) return;
  if (!is_right_f32(&tables[FLOAT]) || !is_right_f64(&tables[DOUBLE]))
    snprintf(fault, sizeof fault, "OpenBLAS's eigenvalues are wrong");
}

sw_status swi_lapack_of(sw_context *ctx, int element_bytes, const swi_lapack **out) {
  const swi_blas *blas = swi_backend_of(ctx)->blas;
  if (!blas || !blas->dgemm)
    return sw_fail(ctx, SW_EUNSUPPORTED, "linear algebra needs OpenBLAS: %s",
                   blas ? blas->description : "there is none");
  pthread_mutex_lock(&lock);
  if (!is_open) open_tables(blas->library);
  pthread_mutex_unlock(&lock);
  if (*fault) return sw_fail(ctx, SW_EUNSUPPORTED, "linear algebra: %s", fault);
  *out = &tables[element_bytes == 4 ? FLOAT : DOUBLE];
  return SW_OK;
}
