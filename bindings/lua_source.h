/* lua_source.h: what a loop needs to know of a source.
 *
 * A loop of the core borrows its source, and finalisers run in any order. So a source that is ended
 * while loops use it is only marked; the last loop to go frees it.
 */
#ifndef SW_LUA_SOURCE_H
#define SW_LUA_SOURCE_H

#include "train/source.h"

typedef struct lx_source {
  sw_source *p;    /* NULL: freed, as far as scripts can see */
  sw_source *kept; /* the same, as long as loops use it */
  int loops;       /* how many do */
} lx_source;

sw_source *lx_source_keep(lx_source *s); /* for one loop more */
void lx_source_leave(lx_source *s);      /* one loop less */

#endif
