/* open.h: opens a context with kernels, OpenBLAS and threads. */
#ifndef SW_OPEN_H
#define SW_OPEN_H

#include "base/context.h"

/* Opens a context: kernels by name (NULL: the environment's SWALE_CPU, else the best), OpenBLAS
 * with the core type that fits them, threads (0: as many as cores). On failure the reason is in
 * reason (at most size bytes). SW_ENOMEM, SW_ERANGE (too many threads), SW_EARG (an unknown
 * variant: names those there are), SW_EUNSUPPORTED (this machine cannot run it, or there is no
 * OpenBLAS). */
SW_API sw_status sw_open(const char *variant, int threads, sw_context **out, char *reason,
                         size_t size);

/* The i-th variant that this machine can run, from 0, the best first; NULL behind the last. */
SW_API const char *sw_variant(int i);

/* Runs rounds of multiply-adds of the context's variant in registers, on one thread, for measuring
 * the processor's peak. Returns how many. */
SW_API int64_t sw_multiply_adds(const sw_context *ctx, int64_t rounds);

/* "avx2"; "OpenBLAS 0.3.21 Zen". Borrowed, for the life of the context. */
SW_API const char *sw_context_variant(const sw_context *ctx);
SW_API const char *sw_context_blas(const sw_context *ctx);

#endif
