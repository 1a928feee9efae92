/* select.c: chooses the kernels and the OpenBLAS of a context. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context_int.h"
#include "base/parallel.h"
#include "kernels/blas_int.h"
#include "kernels/cpu_int.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"

/* The variants of this build, best first; the tables for float64 in the same order. */
static const swi_kernels *const built[] = {
#if defined(SWI_HAVE_AVX512)
    &swi_kernels_avx512_f32,
#endif
#if defined(SWI_HAVE_AVX2)
    &swi_kernels_avx2_f32,
#endif
#if defined(SWI_HAVE_NEON)
    &swi_kernels_neon_f32,
#endif
    &swi_kernels_scalar_f32,
};

static const swi_kernels *const doubles[] = {
#if defined(SWI_HAVE_AVX512)
    &swi_kernels_avx512_f64,
#endif
#if defined(SWI_HAVE_AVX2)
    &swi_kernels_avx2_f64,
#endif
#if defined(SWI_HAVE_NEON)
    &swi_kernels_neon_f64,
#endif
    &swi_kernels_scalar_f64,
};

enum { BUILT = sizeof built / sizeof built[0] };

static const swi_kernels *available[BUILT + 1];
static pthread_once_t available_once = PTHREAD_ONCE_INIT;

static void find_available(void) {
  int n = 0;
  for (int i = 0; i < BUILT; i++)
    if (swi_cpu_has(built[i]->name)) available[n++] = built[i];
}

const swi_kernels *const *swi_kernels_available(void) {
  pthread_once(&available_once, find_available);
  return available;
}

const swi_kernels *swi_kernels_doubles(const swi_kernels *f32) {
  for (int i = 0; i < BUILT; i++)
    if (built[i] == f32) return doubles[i];
  return NULL;
}

const char *sw_variant(int i) {
  const swi_kernels *const *all = swi_kernels_available();
  while (i > 0 && *all) i--, all++;
  return *all ? (*all)->name : NULL;
}

/* SW_EARG for a name that no variant has, SW_EUNSUPPORTED for one that cannot run here. */
static sw_status find_kernels(const char *name, const swi_kernels **out, char *reason,
                              size_t size) {
  char names[64] = "";
  const swi_kernels *const *all = swi_kernels_available();
  for (int i = 0; all[i]; i++)
    if (strcmp(all[i]->name, name) == 0) {
      *out = all[i];
      return SW_OK;
    }
  for (int i = 0; i < BUILT; i++) {
    if (strcmp(built[i]->name, name) == 0) {
      snprintf(reason, size, "this machine cannot run the kernels \"%s\"", name);
      return SW_EUNSUPPORTED;
    }
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", built[i]->name);
  }
  snprintf(reason, size, "there is no instruction set \"%s\"; there are: %s", name, names);
  return SW_EARG;
}

/* OpenBLAS's name for a core with the same instructions. Its own choice is the best of its cores,
 * which suits the best of our kernels; a variant chosen by name must not use more instructions than
 * it names. For scalar code it is the oldest of the cores with the shortest vectors that works in
 * every version. */
static const char *core_type_of(const char *variant, int asked_for) {
#if defined(__x86_64__)
  if (strcmp(variant, "scalar") == 0)
    return swi_cpu_has("sse4.2") ? "Nehalem" : swi_cpu_has("sse4.1") ? "Penryn" : NULL;
  if (asked_for && strcmp(variant, "avx2") == 0 && swi_cpu_has("avx512")) return "Haswell";
#else
  (void)variant, (void)asked_for;
#endif
  return NULL;
}

swi_backend *swi_backend_of(sw_context *ctx) { return (void *)ctx->above; }

sw_context *swi_backend_context(const swi_backend *with) {
  sw_context *ctx = swi_context_new(sizeof *with);
  if (ctx) *swi_backend_of(ctx) = *with;
  return ctx;
}

sw_status sw_open(const char *variant, int threads, sw_context **out, char *reason, size_t size) {
  const char *asked = variant ? variant : getenv("SWALE_CPU");
  if (asked && !*asked) asked = NULL;
  const swi_kernels *f32 = swi_kernels_available()[0];
  if (asked) SW_TRY(find_kernels(asked, &f32, reason, size));
  const swi_blas *blas = swi_blas_open(core_type_of(f32->name, asked != NULL), reason, size);
  if (!blas) return SW_EUNSUPPORTED;
  const swi_backend with = {f32, swi_kernels_doubles(f32), blas};
  sw_context *ctx = swi_backend_context(&with);
  if (!ctx) {
    snprintf(reason, size, "out of memory");
    return SW_ENOMEM;
  }
  ctx->poison = getenv("SWALE_POISON") != NULL;
  const sw_status status = sw_context_set_threads(ctx, threads ? threads : sw_machine_cores());
  if (status != SW_OK) {
    snprintf(reason, size, "%s", sw_message(ctx));
    sw_context_release(ctx);
    return status;
  }
  *out = ctx;
  return SW_OK;
}

static const swi_backend *backend_of(const sw_context *ctx) { return (const void *)ctx->above; }

const char *sw_context_variant(const sw_context *ctx) { return backend_of(ctx)->f32->name; }
const char *sw_context_blas(const sw_context *ctx) { return backend_of(ctx)->blas->description; }

int64_t sw_multiply_adds(const sw_context *ctx, int64_t rounds) {
  double sum;
  return backend_of(ctx)->f32->multiply_adds(rounds, &sum);
}

const swi_kernels *swi_kernels_of(const sw_context *ctx, int element_bytes) {
  return element_bytes == 4 ? backend_of(ctx)->f32 : backend_of(ctx)->f64;
}
