/* library_int.h: shared libraries of the system, opened when they are needed.
 *
 * swi_blas_open comes first (every context has called it), so the BLAS that they load with them is
 * ours, of one thread, where it is OpenBLAS.
 */
#ifndef SW_LIBRARY_INT_H
#define SW_LIBRARY_INT_H

#include "base/context.h"

typedef struct swi_library {
  const char *who;     /* in messages */
  const char *file;    /* libarpack.so.2 */
  const char *package; /* Debian's and Ubuntu's names, in words */
  void *handle;
} swi_library;

/* SW_EUNSUPPORTED: it is not there, or cannot be loaded; names the package. */
sw_status swi_library_open(sw_context *ctx, swi_library *l);
/* Stores the function of that name through a pointer to a function pointer. SW_EUNSUPPORTED. */
sw_status swi_library_find(sw_context *ctx, const swi_library *l, const char *name, void *function);
void swi_library_close(swi_library *l);

#endif
