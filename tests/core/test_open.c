/* open: how a context gets its kernels, and the ways in which it does not. */
#include <stdlib.h>

#include "check.h"

#include "kernels/cpu.h"
#include "kernels/kernels.h"
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
  CHECK(getenv("OPENBLAS_NUM_THREADS") == NULL);
  sw_context_release(ctx);
  CHECK_EQ_INT(sw_open(NULL, 100000, &ctx, reason, sizeof reason), SW_ERANGE);
  unsetenv("SWALE_CPU");
}

/* What the build holds and this machine cannot run is refused, not replaced. */
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

RUN_TESTS(T(open_refuses_unknown_variants), T(open_refuses_what_cannot_run_here),
          T(best_variant_is_first))
