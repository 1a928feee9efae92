/* first_nan_int.h: pieces of the search for the first NaN. */
#ifndef SW_FIRST_NAN_INT_H
#define SW_FIRST_NAN_INT_H

#include "graph/dump_int.h"
#include "graph/program_int.h"

int swi_has_nan(const void *x, int64_t n, int real_bytes);

/* Writes which input, vector or constant has NaN in it, if one does, and returns 1. */
int swi_first_nan_given(const sw_program *p, const swi_eval_args *calls, int64_t batch,
                        swi_text *t);
void swi_first_nan_instruction(const sw_program *p, int32_t i, swi_text *t);

#endif
