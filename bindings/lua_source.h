/* lua_source.h: sources as loops use them.
 *
 * A loop of the core borrows its source, and finalisers run in any order. So a source that is
 * closed while loops use it is only marked; the last of the loops frees it.
 */
#ifndef SW_LUA_SOURCE_H
#define SW_LUA_SOURCE_H

#include "train/source.h"

typedef struct lx_source {
  sw_source *p;    /* NULL: freed, for scripts */
  sw_source *kept; /* the same, while loops use it */
  int loops;       /* number of these loops */
} lx_source;

sw_source *lx_source_keep(lx_source *s); /* one loop more */
void lx_source_leave(lx_source *s);      /* one loop less */

#endif
