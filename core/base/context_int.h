/* context_int.h: the fields of a context, for the core's own files. */
#ifndef SW_CONTEXT_INT_H
#define SW_CONTEXT_INT_H

#include "base/context.h"

struct swi_pool;    /* base/parallel.c */
struct swi_kernels; /* kernels/kernels.h */
struct swi_blas;    /* kernels/blas.h */

struct sw_context {
  char message[512];
  int64_t references;
  sw_alloc_stats books;
  int64_t fail_in;               /* allocations until the one that fails; 0: none will */
  int poison;                    /* programs spoil what may not be read any more */
  int fail_persistent;           /* whether all after it fail too */
  struct swi_pool *pool;         /* NULL: one thread */
  const struct swi_kernels *f32; /* the variant in use for float32 */
  const struct swi_kernels *f64; /* always the scalar one */
  const struct swi_blas *blas;   /* one per process; NULL before kernels are chosen */
};

/* A bare context with one reference: books, no pool, no kernels. NULL if there is no memory. */
sw_context *swi_context_new(void);

#endif
