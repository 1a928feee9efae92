/* chain_int.h: neighbouring elementwise instructions, run tile by tile. */
#ifndef SW_CHAIN_INT_H
#define SW_CHAIN_INT_H

#include "graph/program_int.h"

/* Marks the chains of a program whose lifetimes are known: chain_end of each one's first
 * instruction. Buffers that only a chain reads become tiles of its own; the others live throughout
 * it. */
void swi_find_chains(sw_program *p);

/* Runs the chain that begins at first. nan (may be NULL) is lowered to the first of its
 * instructions that made a NaN. */
void swi_run_chain(const sw_program *p, const swi_eval_args *calls, int32_t first, int32_t *nan);

#endif
