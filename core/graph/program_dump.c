/* program_dump.c: a compiled program as text: its instructions, its buffers and when they are
 * alive. */
#include <inttypes.h>

#include "graph/dump_int.h"
#include "graph/program_int.h"

static void put_buffer(swi_text *t, const sw_program *p, int32_t i) {
  const swi_buffer *b = i >= 0 ? &p->buffers[i] : NULL;
  if (!b)
    swi_put(t, "-");
  else if (b->place == SWI_INPUT)
    swi_put(t, "input%d", b->slot + 1);
  else if (b->place == SWI_VECTOR)
    swi_put(t, "vector%d[%" PRId64 "]", b->slot + 1, b->offset + 1);
  else if (b->place == SWI_OUT)
    swi_put(t, "%s[%" PRId64 "]", b->slot == SW_TO_OUT ? "out" : "state", b->offset + 1);
  else if (b->place == SWI_CONSTANT)
    swi_put(t, "const%" PRId32, i);
  else if (b->place == SWI_TILE)
    swi_put(t, "t%d", b->slot + 1);
  else
    swi_put(t, "b%" PRId32, i);
}

static void put_instruction(swi_text *t, const sw_program *p, const swi_instruction *c) {
  char text[120];
  for (int o = 0; o < c->n_out; o++) {
    if (o) swi_put(t, ", ");
    put_buffer(t, p, c->out[o]);
  }
  swi_put(t, " = %s", swi_op(c->op)->flags & SWI_ALIAS ? "copy" : sw_op_name(c->op));
  if (c->bias >= 0) swi_put(t, "+bias");
  if (c->activation == SWI_ACT_RELU) swi_put(t, "+relu");
  for (int k = 0; k < c->n_in; k++) {
    swi_put(t, k ? ", " : " ");
    put_buffer(t, p, c->in[k]);
    if (k ? c->attrs.transpose_b : c->attrs.transpose_a) swi_put(t, "^T");
  }
  if (c->bias >= 0) {
    swi_put(t, ", ");
    put_buffer(t, p, c->bias);
  }
  swi_put(t, " : %s\n", sw_type_text(&c->out_type[0], text, sizeof text));
}

size_t sw_program_dump(const sw_program *p, char *text, size_t size) {
  swi_text t = {text, size, 0};
  if (size > 0) text[0] = '\0';
  int32_t end = 0; /* of the chain, whose lines are drawn along */
  for (int32_t i = 0; i < p->n_code; i++) {
    if (p->varying > 0 && i == p->varying_from) swi_put(&t, "-- again at a rerun\n");
    if (p->code[i].chain_end > 0) end = p->code[i].chain_end;
    if (i < end) swi_put(&t, "| ");
    put_instruction(&t, p, &p->code[i]);
  }
  return t.used;
}
