/* dump_int.h: pieces of text dumps, shared by graphs and programs. */
#ifndef SW_DUMP_INT_H
#define SW_DUMP_INT_H

#include "graph/op_int.h"

typedef struct swi_text {
  char *text;
  size_t size, used; /* used goes on counting when size is full, as snprintf does */
} swi_text;

void swi_put(swi_text *t, const char *format, ...) SW_PRINTF(2, 3);
void swi_put_node(swi_text *t, const sw_graph *g, int32_t node);

#endif
