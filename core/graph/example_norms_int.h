/* example_norms_int.h: for the rows of ops that a parameter's gradient may end in, see
 * example_norms.c. */
#ifndef SW_EXAMPLE_NORMS_INT_H
#define SW_EXAMPLE_NORMS_INT_H

#include "graph/op_int.h"

/* Example i's part of e, a linear function of sums over the batch, as (batch, shape of e); none if
 * it is something else. */
sw_edge swi_share(sw_graph *g, sw_edge e);
/* The share of input k with as many axes as n's result has, so that constants are broadcast with
 * it. */
sw_edge swi_share_of_input(sw_graph *g, const swi_node *n, int k);
/* x as the share of a node of type t: (batch, t). */
sw_edge swi_share_of_type(sw_graph *g, sw_edge x, const sw_type *t);

/* x as (batch, T, K): T what an example has of the axes in rows, one of which is the batch; K all
 * the others. None if examples are not apart. */
sw_edge swi_by_example(sw_graph *g, sw_edge x, uint32_t rows);
/* (batch, …) -> (batch): squares summed over everything but the batch; none unless it has one row
 * an example. */
sw_edge swi_row_squares(sw_graph *g, sw_edge x);

/* sum_ts a_ts b_ts of each example, of two (batch, T, T): (batch) */
sw_edge swi_dot_of_each(sw_graph *g, sw_edge a, sw_edge b);

/* A row's pass: the norm is kept as it is. */
int swi_pass_norm(const swi_node *n, double *factor, int *power);

#endif
