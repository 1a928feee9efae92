/* lifetime.c: when each buffer of a program is alive, what may be overwritten, and when a gradient
 * is ready for its update. */
#include <stdlib.h>

#include "base/alloc_int.h"
#include "graph/chain_int.h"
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

/* sw_workspace_rerun runs the second part alone: what it reads of the first part is kept. */
static void keep_for_rerun(sw_program *p) {
  for (int32_t i = 0; i < p->n_buffers && p->varying > 0; i++) {
    swi_buffer *b = &p->buffers[i];
    b->kept = b->place == SWI_ARENA && b->first < p->varying_from && b->last >= p->varying_from;
    if (b->kept) b->last = INT32_MAX;
  }
}

/* An output behind the first is not computed if no node reads it. */
static void drop_unread(sw_program *p) {
  for (int32_t i = 0; i < p->n_code; i++)
    for (int o = 1; o < p->code[i].n_out; o++) {
      int32_t *out = &p->code[i].out[o];
      if (p->buffers[*out].last == i && p->buffers[*out].place == SWI_ARENA) *out = -1;
    }
}

/* Arguments with the fields that a scratch rule reads. */
static int64_t scratch_of(const sw_program *p, swi_instruction *code, int64_t batch) {
  swi_eval_args e = {
      .ctx = p->ctx, .row = swi_op(code->op), .k = p->k, .attrs = &code->attrs, .batch = batch};
  for (int k = 0; k < code->n_in; k++) swi_type_shape(&code->in_type[k], batch, &e.in_shape[k]);
  for (int o = 0; o < code->n_out; o++) {
    swi_type_shape(&code->out_type[o], batch, &e.out_shape[o]);
    e.out[o] = code->out[o] >= 0 ? code : NULL;
  }
  return e.row->scratch(&e);
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

static void rename_inputs(swi_instruction *code, const int32_t *renamed) {
  for (int k = 0; k < code->n_in; k++) code->in[k] = renamed[code->in[k]];
  if (code->bias >= 0) code->bias = renamed[code->bias];
}

/* The first input of an instruction that its result may replace; -1: none. */
static int32_t replaceable(const sw_program *p, int32_t i) {
  const swi_instruction *code = &p->code[i];
  if (!swi_op(code->op)->part) return -1;
  for (int k = 0; k < code->n_in; k++)
    if (can_overwrite(p, i, code->in[k], code->out[0])) return code->in[k];
  return -1;
}

/* The last reader of a buffer may write its result there. renamed: room for a number a buffer. */
static void work_in_place(sw_program *p, int32_t *renamed) {
  for (int32_t b = 0; b < p->n_buffers; b++) renamed[b] = b;
  for (int32_t i = 0; i < p->n_code; i++) {
    rename_inputs(&p->code[i], renamed);
    int32_t in = replaceable(p, i), out = p->code[i].out[0];
    if (in < 0) continue;
    p->buffers[in].last = p->buffers[out].last;
    p->buffers[in].kept = p->buffers[out].kept;
    p->buffers[out].numel = (sw_dim){0, 0}; /* no longer used */
    renamed[out] = in;
    p->code[i].out[0] = in;
  }
  for (int i = 0; i < p->n_outputs; i++) p->outputs[i].buffer = renamed[p->outputs[i].buffer];
}

/* ------------------------------------------------------------------ updates */

/* The elements from first to end of a vector, which output is the gradient of. */
typedef struct span {
  int64_t first, end, reach; /* reach: the furthest end among this and the spans before it */
  int32_t output;
} span;

static int by_first(const void *a, const void *b) {
  const span *p = a, *q = b;
  if (p->first != q->first) return p->first < q->first ? -1 : 1;
  return p->output < q->output ? -1 : p->output > q->output;
}

static int is_gradient(const swi_program_output *o) {
  return o->offset >= 0 && o->vector == SW_TO_OUT;
}

static int list_gradients(const sw_program *p, span *spans) {
  int n = 0;
  for (int i = 0; i < p->n_outputs; i++) {
    const swi_program_output *o = &p->outputs[i];
    if (is_gradient(o))
      spans[n++] = (span){o->offset, o->offset + p->buffers[o->buffer].numel.n, 0, i};
  }
  qsort(spans, (size_t)n, sizeof *spans, by_first);
  for (int i = 0; i < n; i++)
    spans[i].reach = i > 0 && spans[i - 1].reach > spans[i].end ? spans[i - 1].reach : spans[i].end;
  return n;
}

/* touched, by buffer: the last instruction that reads or writes it; -1: none does. */
static void find_last_touch(const sw_program *p, int32_t *touched) {
  for (int32_t b = 0; b < p->n_buffers; b++) touched[b] = -1;
  for (int32_t i = 0; i < p->n_code; i++) {
    const swi_instruction *code = &p->code[i];
    for (int k = 0; k < code->n_in; k++) touched[code->in[k]] = i;
    for (int o = 0; o < code->n_out; o++)
      if (code->out[o] >= 0) touched[code->out[o]] = i;
    if (code->bias >= 0) touched[code->bias] = i;
  }
}

/* A gradient waits for the last instruction that reads one of its params. */
static void wait_for_param(sw_program *p, const swi_buffer *param, int32_t last, const span *spans,
                           int n) {
  int low = 0, high = n;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (spans[middle].reach > param->offset)
      high = middle;
    else
      low = middle + 1;
  }
  for (int i = low; i < n && spans[i].first < param->offset + param->numel.n; i++) {
    int32_t *ready = &p->outputs[spans[i].output].ready;
    if (spans[i].end > param->offset && *ready < last) *ready = last;
  }
}

static void sort_by_ready(sw_program *p, span *spans) {
  for (int i = 0; i < p->n_outputs; i++) spans[i] = (span){p->outputs[i].ready, 0, 0, i};
  qsort(spans, (size_t)p->n_outputs, sizeof *spans, by_first);
  for (int i = 0; i < p->n_outputs; i++) p->by_ready[i] = spans[i].output;
}

static int32_t written_by(const sw_program *p, int32_t buffer) {
  int32_t last = -1;
  for (int32_t i = 0; i < p->n_code; i++)
    for (int o = 0; o < p->code[i].n_out; o++)
      if (p->code[i].out[o] == buffer) last = i;
  return last;
}

/* An update may be made once its gradient is whole and its param has been read for the last time,
 * and the loss has been checked. */
static void find_ready(sw_program *p, int32_t *touched, span *spans) {
  int n = list_gradients(p, spans);
  p->loss_ready = written_by(p, p->outputs[0].buffer);
  find_last_touch(p, touched);
  for (int i = 0; i < p->n_outputs; i++) {
    swi_program_output *o = &p->outputs[i];
    o->ready = is_gradient(o) ? touched[o->buffer] : -1;
    if (is_gradient(o) && o->ready < p->loss_ready) o->ready = p->loss_ready;
  }
  for (int32_t b = 0; b < p->n_buffers; b++)
    if (p->buffers[b].place == SWI_VECTOR && p->buffers[b].slot == 0 && touched[b] >= 0)
      wait_for_param(p, &p->buffers[b], touched[b], spans, n);
  sort_by_ready(p, spans);
}

static void plan_lifetimes(sw_program *p, int32_t *by_buffer, span *spans) {
  find_lifetimes(p);
  keep_for_rerun(p);
  drop_unread(p);
  size_scratch(p);
  work_in_place(p, by_buffer);
  swi_find_chains(p);
  find_ready(p, by_buffer, spans);
}

sw_status swi_plan_lifetimes(sw_program *p) {
  const size_t buffers = (size_t)p->n_buffers * sizeof(int32_t);
  const size_t outputs = (size_t)p->n_outputs * sizeof(span);
  int32_t *by_buffer = swi_alloc(p->ctx, buffers);
  span *spans = swi_alloc(p->ctx, outputs);
  if (by_buffer && spans) plan_lifetimes(p, by_buffer, spans);
  const sw_status status = by_buffer && spans ? SW_OK : SW_ENOMEM;
  swi_free(p->ctx, by_buffer, buffers);
  swi_free(p->ctx, spans, outputs);
  return status;
}
