/* block_int.h: aligned memory from the system, and blocks kept for the next request. */
#ifndef SW_BLOCK_INT_H
#define SW_BLOCK_INT_H

#include <stddef.h>

enum { SWI_SPARES = 16 };

/* Freed blocks, the oldest first. All zero: none. */
typedef struct swi_spares {
  int n;
  size_t bytes;
  void *block[SWI_SPARES];
} swi_spares;

/* Aligned to 64 bytes; NULL if there is no memory. size 0 gives a block, too. */
void *swi_block_new(swi_spares *spares, size_t size);

void swi_block_free(swi_spares *spares, void *block);

/* Gives the spare blocks back to the system. */
void swi_spares_free(swi_spares *spares);

#endif
