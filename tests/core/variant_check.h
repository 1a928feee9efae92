/* variant_check.h: for the tests of products and convolutions: contexts of one variant with 1, 2
 * and 4 threads. */
#ifndef SW_VARIANT_CHECK_H
#define SW_VARIANT_CHECK_H

#include "check.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"

enum { CONTEXTS = 3 };

static sw_context *contexts[CONTEXTS]; /* with 1, 2 and 4 threads */

/* Calls f once for each variant that this machine can run. */
static inline void with_each_variant(void (*f)(void)) {
  const swi_kernels *const *all = swi_kernels_available();
  char reason[256] = "";
  for (; *all; all++) {
    for (int i = 0; i < CONTEXTS; i++)
      CHECK_EQ_INT(sw_open((*all)->name, 1 << i, &contexts[i], reason, sizeof reason), SW_OK);
    f();
    for (int i = 0; i < CONTEXTS; i++) sw_context_release(contexts[i]);
  }
}

#endif
