/* first_nan.c: which instruction made the first NaN: a run in which every result is looked at. */
#include "graph/first_nan_int.h"

#include <inttypes.h>
#include <math.h>

#include "graph/dump_int.h"

int swi_has_nan(const void *x, int64_t n, int real_bytes) {
  if (real_bytes == 4)
    for (int64_t i = 0; i < n; i++) {
      if (isnan(((const float *)x)[i])) return 1;
    }
  else
    for (int64_t i = 0; i < n; i++)
      if (isnan(((const double *)x)[i])) return 1;
  return 0;
}

static int is_bad(const sw_program *p, int32_t buffer, const void *x, int64_t batch) {
  const swi_buffer *b = &p->buffers[buffer];
  int given = b->place == SWI_INPUT || b->place == SWI_VECTOR || b->place == SWI_CONSTANT;
  return given && b->kind == SW_REAL && swi_has_nan(x, swi_dim_size(b->numel, batch), p->bytes);
}

static void put_given(const swi_buffer *b, swi_text *t) {
  if (b->place == SWI_INPUT)
    swi_put(t, "input %d has NaN in it", b->slot + 1);
  else if (b->place == SWI_VECTOR)
    swi_put(t, "vector %d has NaN in it, at elements %" PRId64 " to %" PRId64, b->slot + 1,
            b->offset + 1, b->offset + b->numel.n);
  else
    swi_put(t, "a constant is NaN");
}

int swi_first_nan_given(const sw_program *p, const swi_eval_args *calls, int64_t batch,
                        swi_text *t) {
  for (int32_t i = 0; i < p->n_code; i++) {
    const swi_instruction *c = &p->code[i];
    for (int k = 0; k <= c->n_in; k++) {
      int32_t buffer = k < c->n_in ? c->in[k] : c->bias;
      const void *x = k < c->n_in ? calls[i].in[k] : calls[i].bias;
      if (buffer < 0 || !is_bad(p, buffer, x, batch)) continue;
      put_given(&p->buffers[buffer], t);
      return 1;
    }
  }
  return 0;
}

void swi_first_nan_instruction(const sw_program *p, int32_t i, swi_text *t) {
  char text[120];
  const swi_instruction *c = &p->code[i];
  swi_put(t, "%s made the first NaN: ", sw_op_name(c->op));
  for (int k = 0; k < c->n_in; k++)
    swi_put(t, "%s%s", k ? ", " : "", sw_type_text(&c->in_type[k], text, sizeof text));
  swi_put(t, " -> %s", sw_type_text(&c->out_type[0], text, sizeof text));
  if (c->label) swi_put(t, ", in %s", p->labels[c->label - 1]);
}
