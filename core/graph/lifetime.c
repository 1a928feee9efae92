/* lifetime.c: when each buffer of a program is alive, what may be overwritten, and when a gradient
 * is ready for its update. */
#include "graph/chain.h"
#include "graph/program_int.h"

/* ------------------------------------------------------------------ lifetimes */

static void extend(sw_program *p, int32_t buffer, int32_t to) {
  if (buffer >= 0 && p->buffers[buffer].last < to) p->buffers[buffer].last = to;
}

static void find_lifetimes(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++) {
    for (int k = 0; k < p->code[i].n_in; k++) extend(p, p->code[i].in[k], i);
    extend(p, p->code[i].bias, i);
  }
}

/* The second part may run again, so what it reads of the first lives on. */
static void keep_for_rerun(sw_program *p) {
  for (int32_t i = 0; i < p->n_buffers && p->late > 0; i++) {
    swi_buffer *b = &p->buffers[i];
    b->kept = b->place == SWI_ARENA && b->first < p->late_from && b->last >= p->late_from;
    if (b->kept) b->last = INT32_MAX;
  }
}

/* An output behind the first that nobody reads is not computed. */
static void drop_unread(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++)
    for (int o = 1; o < p->code[i].n_out; o++) {
      int32_t *out = &p->code[i].out[o];
      if (p->buffers[*out].last == i && p->buffers[*out].place == SWI_ARENA) *out = -1;
    }
}

/* As far as a scratch rule looks. */
static int64_t scratch_of(const sw_program *p, swi_instruction *code, int64_t batch) {
  swi_eval_args e = {
      .ctx = p->ctx, .op = code->op, .k = p->k, .attrs = &code->attrs, .batch = batch};
  for (int k = 0; k < code->n_in; k++) swi_type_shape(&code->in_type[k], batch, &e.in_shape[k]);
  for (int o = 0; o < code->n_out; o++) {
    swi_type_shape(&code->out_type[o], batch, &e.out_shape[o]);
    e.out[o] = code->out[o] >= 0 ? code : NULL;
  }
  return swi_op(code->op)->scratch(&e);
}

/* How large scratch is depends on which outputs are read. */
static void size_scratch(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++) {
    swi_instruction *code = &p->code[i];
    if (code->scratch < 0) continue;
    const int64_t one = scratch_of(p, code, 1), two = scratch_of(p, code, 2);
    p->buffers[code->scratch].numel = (sw_dim){one, two > one};
  }
}

static int can_overwrite(const sw_program *p, int32_t i, int32_t in, int32_t out) {
  const swi_buffer *a = &p->buffers[in], *b = &p->buffers[out];
  return a->place == SWI_ARENA && b->place == SWI_ARENA && a->last == i && a->kind == SW_REAL &&
         b->kind == SW_REAL && swi_dim_equal(a->numel, b->numel);
}

static void rename_buffer(sw_program *p, int32_t from_code, int32_t old, int32_t new) {
  for (int32_t i = from_code; i < p->n_code; i++) {
    for (int k = 0; k < p->code[i].n_in; k++)
      if (p->code[i].in[k] == old) p->code[i].in[k] = new;
    for (int o = 0; o < p->code[i].n_out; o++)
      if (p->code[i].out[o] == old) p->code[i].out[o] = new;
    if (p->code[i].bias == old) p->code[i].bias = new;
  }
  for (int i = 0; i < p->n_outputs; i++)
    if (p->outputs[i].buffer == old) p->outputs[i].buffer = new;
}

/* The last reader of a buffer may write its result there. */
static void work_in_place(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++) {
    swi_instruction *code = &p->code[i];
    if (!(swi_op(code->op)->flags & SWI_ELEMENTWISE)) continue;
    for (int k = 0; k < code->n_in; k++) {
      int32_t out = code->out[0], in = code->in[k];
      if (!can_overwrite(p, i, in, out)) continue;
      p->buffers[in].last = p->buffers[out].last;
      p->buffers[in].kept = p->buffers[out].kept;
      p->buffers[out].numel = (sw_dim){0, 0}; /* nothing lies there any more */
      rename_buffer(p, i, out, in);
      break;
    }
  }
}

/* ------------------------------------------------------------------ updates */

static int reads(const swi_instruction *code, int32_t buffer) {
  for (int k = 0; k < code->n_in; k++)
    if (code->in[k] == buffer) return 1;
  return code->bias == buffer;
}

static int writes(const swi_instruction *code, int32_t buffer) {
  for (int o = 0; o < code->n_out; o++)
    if (code->out[o] == buffer) return 1;
  return 0;
}

/* Whether buffer is the param that output o is the gradient of, by where they lie. */
static int is_param_of(const swi_buffer *b, const swi_program_output *o, int64_t n) {
  return b->place == SWI_VECTOR && b->slot == 0 && b->offset < o->offset + n &&
         o->offset < b->offset + b->numel.n;
}

static int reads_param_of(const sw_program *p, const swi_instruction *code,
                          const swi_program_output *o, int64_t n) {
  for (int k = 0; k < code->n_in; k++)
    if (code->in[k] >= 0 && is_param_of(&p->buffers[code->in[k]], o, n)) return 1;
  return code->bias >= 0 && is_param_of(&p->buffers[code->bias], o, n);
}

/* The last instruction that writes or reads output o's buffer, or reads its param. */
static int32_t ready_after(const sw_program *p, const swi_program_output *o) {
  int64_t n = p->buffers[o->buffer].numel.n;
  for (int32_t i = p->n_code - 1; i >= 0; i--) {
    const swi_instruction *code = &p->code[i];
    if (reads(code, o->buffer) || writes(code, o->buffer)) return i;
    if (reads_param_of(p, code, o, n)) return i;
  }
  return -1;
}

static int32_t written_by(const sw_program *p, int32_t buffer) {
  int32_t last = -1;
  for (int32_t i = 0; i < p->n_code; i++)
    if (writes(&p->code[i], buffer)) last = i;
  return last;
}

/* An update may be made once its gradient is whole and its param has been read for the last time,
 * and not before the loss has been looked at. */
static void find_ready(sw_program *p) {
  p->loss_ready = written_by(p, p->outputs[0].buffer);
  for (int i = 0; i < p->n_outputs; i++) {
    swi_program_output *o = &p->outputs[i];
    o->ready = -1;
    if (o->offset < 0 || o->vector != SW_TO_OUT) continue;
    o->ready = ready_after(p, o);
    if (o->ready < p->loss_ready) o->ready = p->loss_ready;
  }
}

void swi_settle(sw_program *p) {
  find_lifetimes(p);
  keep_for_rerun(p);
  drop_unread(p);
  size_scratch(p);
  work_in_place(p);
  swi_find_chains(p);
  find_ready(p);
}
