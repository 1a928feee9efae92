/* context_int.h: the fields of a context, for the core's own files. */
#ifndef SW_CONTEXT_INT_H
#define SW_CONTEXT_INT_H

#include <stddef.h>

#include "base/ahead_int.h"
#include "base/block_int.h"
#include "base/context.h"

struct swi_pool; /* base/parallel.c */

struct sw_context {
  char message[512];
  int64_t references;
  sw_alloc_stats books;
  swi_spares spares;
  int64_t fail_in;       /* allocations until the one that fails; 0: none will */
  int fail_persistent;   /* whether all after it fail too */
  int poison;            /* programs overwrite memory that may not be read any more */
  struct swi_pool *pool; /* NULL: one thread */
  swi_ahead ahead;       /* of the threads that are not the pool's */
  void *scratch;         /* of the threads that are not the pool's; parallel_int.h */
  max_align_t above[];   /* room for the layers above, who know its type */
};

/* A context with one reference, one thread, and so many bytes of room, all zero. NULL if there is
 * no memory. */
sw_context *swi_context_new(size_t room);

#endif
