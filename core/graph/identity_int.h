/* identity_int.h: for the rules by which rows of ops simplify a node that is about to be added. */
#ifndef SW_IDENTITY_INT_H
#define SW_IDENTITY_INT_H

#include "graph/op_int.h"

/* The node that makes e, if it is an op; else NULL. */
const swi_node *swi_made_by(const sw_graph *g, sw_edge e, sw_op op);

int swi_has_shape(const sw_graph *g, sw_edge e, const sw_type *t);

/* Of a product: inputs whose last two axes were exchanged become its transpose flags. */
sw_status swi_fold_transposes(sw_graph *g, swi_node *n, sw_edge *same);

/* A node whose result has its first input's shape is that input. */
sw_status swi_same_if_shaped(sw_graph *g, swi_node *n, sw_edge *same);

#endif
