/* open: how a context gets its kernels, and each failure. */
#include <stdlib.h>

#include "check.h"

#include "kernels/blas_int.h"
#include "kernels/cpu_int.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"

TEST(open_refuses_unknown_variants) {
  char reason[256] = "";
  sw_context *ctx = NULL;
  CHECK_EQ_INT(sw_open("mmx", 1, &ctx, reason, sizeof reason), SW_EARG);
  CHECK(strstr(reason, "scalar") != NULL);
  setenv("SWALE_CPU", "scalar", 1);
  CHECK_EQ_INT(sw_open(NULL, 2, &ctx, reason, sizeof reason), SW_OK);
  CHECK_EQ_STR(sw_context_variant(ctx), "scalar");
  CHECK(strstr(sw_context_blas(ctx), "OpenBLAS") != NULL);
  if (swi_cpu_has("sse4.2") && !getenv("OPENBLAS_CORETYPE"))
    CHECK(strstr(sw_context_blas(ctx), "Nehalem") != NULL);
  CHECK(getenv("OPENBLAS_NUM_THREADS") == NULL);
  sw_context_release(ctx);
  CHECK_EQ_INT(sw_open(NULL, 100000, &ctx, reason, sizeof reason), SW_ERANGE);
  unsetenv("SWALE_CPU");
}

/* A variant of the build that this machine cannot run is refused, not replaced. */
TEST(open_refuses_what_cannot_run_here) {
  char reason[256] = "";
  sw_context *ctx = NULL;
  if (swi_cpu_has("avx512")) skip();
  setenv("SWALE_CPU", "avx512", 1);
  const sw_status status = sw_open(NULL, 1, &ctx, reason, sizeof reason);
  unsetenv("SWALE_CPU");
#if defined(SWI_HAVE_AVX512)
  CHECK_EQ_INT(status, SW_EUNSUPPORTED);
  CHECK(strstr(reason, "this machine cannot run") != NULL);
#else
  CHECK_EQ_INT(status, SW_EARG);
#endif
}

TEST(best_variant_is_first) {
  static const char *const order[] = {"avx512", "avx2", "neon", "scalar"};
  const swi_kernels *const *all = swi_kernels_available();
  for (int i = 0; i < 4 && *all; i++)
    if (strcmp((*all)->name, order[i]) == 0) all++;
  CHECK(*all == NULL);
}

/* ------------------------------------------------------------------ OpenBLAS tried out */

static const swi_blas *real_one(void) {
  char reason[256];
  return swi_blas_open(NULL, reason, sizeof reason);
}

/* Right except for one element at the edge of a kernel's tile. */
static void wrong_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                        int lda, const float *b, int ldb, float beta, float *c, int ldc) {
  real_one()->sgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  if (m > 32) c[(m - 1) * ldc + n - 1] += 1;
}

/* Writes behind a row. */
static void wide_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha,
                       const double *a, int lda, const double *b, int ldb, double beta, double *c,
                       int ldc) {
  real_one()->dgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  c[n] = 99;
}

/* Ignores the transposes. */
static void straight_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha,
                           const float *a, int lda, const float *b, int ldb, float beta, float *c,
                           int ldc) {
  (void)ta, (void)tb, (void)lda, (void)ldb;
  real_one()->sgemm(order, SWI_NO_TRANS, SWI_NO_TRANS, m, n, k, alpha, a, k, b, n, beta, c, ldc);
}

TEST(wrong_products_are_noticed) {
  swi_blas b = *real_one();
  if (!b.sgemm) skip();
  CHECK(swi_blas_is_right(&b));
  b.sgemm = wrong_sgemm;
  CHECK(!swi_blas_is_right(&b));
  b.sgemm = straight_sgemm;
  CHECK(!swi_blas_is_right(&b));
  b = *real_one();
  b.dgemm = wide_dgemm;
  CHECK(!swi_blas_is_right(&b));
}

TEST(cores_that_crash_are_known) {
  CHECK(!swi_blas_is_sound("Prescott"));
  CHECK(!swi_blas_is_sound("Core2"));
  CHECK(swi_blas_is_sound("Penryn"));
  CHECK(swi_blas_is_sound("Nehalem"));
  CHECK(swi_blas_is_sound("Haswell"));
}

RUN_TESTS(T(open_refuses_unknown_variants), T(open_refuses_what_cannot_run_here),
          T(best_variant_is_first), T(wrong_products_are_noticed), T(cores_that_crash_are_known))
