/* identity.h: what need not be computed: x*1, x+0, a reshape of a reshape, … found while a graph is
 * built. */
#ifndef SW_IDENTITY_H
#define SW_IDENTITY_H

#include "graph/op_int.h"

/* If n, whose types are known, equals something simpler, out is that and the result SW_OK with
 * *found set. n may be rewritten (a transposed input becomes a flag of matmul) even where nothing
 * simpler was found. */
sw_status swi_identity(sw_graph *g, swi_node *n, sw_edge *out, int *found);

#endif
