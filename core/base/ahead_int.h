/* ahead_int.h: rows of a data set that the next step will gather.
 *
 * They lie at random places of a memory much larger than the caches. Products prefetch them, a line
 * at a time, while they compute: the gather alone waits for memory 40 % of a small step.
 */
#ifndef SW_AHEAD_INT_H
#define SW_AHEAD_INT_H

#include <stdint.h>

typedef struct swi_ahead {
  const char *rows;
  const int32_t *index; /* of the n rows that are left */
  int64_t n, row_bytes;
  int64_t done; /* bytes of the first of them */
} swi_ahead;

#endif
