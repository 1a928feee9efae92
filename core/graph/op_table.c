/* op_table.c: the rows of all ops, by number and by name. */
#include <string.h>

#include "graph/op_int.h"

static const char *const names[] = {
#define OP(name) #name,
#include "graph/ops.def"
};

const swi_op_row *const swi_op_rows[] = {
#define OP(name) &swi_row_##name,
#include "graph/ops.def"
};

const char *sw_op_name(sw_op op) { return op >= 0 && op < SW_OP_COUNT ? names[op] : "?"; }

sw_op sw_op_find(const char *name) {
  int op = 0;
  while (op < SW_OP_COUNT && strcmp(names[op], name) != 0) op++;
  return (sw_op)op;
}

uint32_t sw_op_attrs(sw_op op) { return swi_op(op)->attrs; }
int sw_op_is_leaf(sw_op op) { return (swi_op(op)->flags & SWI_LEAF) != 0; }
