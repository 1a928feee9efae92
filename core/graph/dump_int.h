/* dump_int.h: text that is written piece by piece, for dumps of graphs and programs. */
#ifndef SW_DUMP_INT_H
#define SW_DUMP_INT_H

#include "graph/op_int.h"

typedef struct swi_text {
  char *text;
  size_t size, used; /* used goes on counting when size is full, as snprintf does */
} swi_text;

void swi_put(swi_text *t, const char *format, ...) SW_PRINTF(2, 3);

/* The attributes that n's op reads; those that the result's shape or the inputs show are left out.
 */
void swi_put_attrs(swi_text *t, const swi_node *n);

#endif
