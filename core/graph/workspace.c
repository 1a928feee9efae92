/* workspace.c: the memory of a running program, and the executor.
 *
 * For each instruction the workspace keeps the arguments of its evaluation. A new batch size
 * rewrites their shapes; a larger one than ever before also plans and allocates. Where a run's own
 * vectors are read or written, pointers are set at every run.
 */
#include <string.h>

#include "base/alloc_int.h"
#include "graph/chain_int.h"
#include "graph/first_nan_int.h"
#include "graph/program_int.h"
#include "kernels/cpu_int.h"

struct sw_workspace {
  sw_program *p;
  void *arena;
  size_t arena_bytes;
  int64_t capacity, batch;      /* 0: not yet */
  int64_t *offset, *new_offset; /* of each buffer in the arena */
  swi_placing *placings;        /* the planner's scratch */
  swi_eval_args *calls;         /* one an instruction */
  swi_draws draws;              /* of the run */
  int whole;                    /* nothing has changed since the last whole run */
};

static size_t count(int32_t n) { return n > 0 ? (size_t)n : 1; }

sw_status sw_workspace_new(sw_program *p, sw_workspace **out) {
  sw_context *ctx = p->ctx;
  sw_workspace *w = swi_alloc_zeroed(ctx, sizeof *w);
  if (!w) return SW_ENOMEM;
  w->p = sw_program_retain(p);
  w->offset = swi_alloc_zeroed(ctx, count(p->n_buffers) * sizeof *w->offset);
  w->new_offset = swi_alloc_zeroed(ctx, count(p->n_buffers) * sizeof *w->new_offset);
  w->placings = swi_alloc_zeroed(ctx, count(p->n_buffers) * sizeof *w->placings);
  w->calls = swi_alloc_zeroed(ctx, count(p->n_code) * sizeof *w->calls);
  if (!w->offset || !w->new_offset || !w->placings || !w->calls) {
    sw_workspace_free(w);
    return SW_ENOMEM;
  }
  *out = w;
  return SW_OK;
}

void sw_workspace_free(sw_workspace *w) {
  if (!w) return;
  sw_program *p = w->p;
  sw_context *ctx = p->ctx;
  swi_free(ctx, w->offset, count(p->n_buffers) * sizeof *w->offset);
  swi_free(ctx, w->new_offset, count(p->n_buffers) * sizeof *w->new_offset);
  swi_free(ctx, w->placings, count(p->n_buffers) * sizeof *w->placings);
  swi_free(ctx, w->calls, count(p->n_code) * sizeof *w->calls);
  if (w->arena) swi_free(ctx, w->arena, w->arena_bytes);
  swi_free(ctx, w, sizeof *w);
  sw_program_release(p);
}

sw_program *sw_workspace_program(const sw_workspace *w) { return w->p; }

/* ------------------------------------------------------------------ a batch size */

static sw_status grow(sw_workspace *w, int64_t batch) {
  sw_program *p = w->p;
  size_t bytes = swi_plan(p->buffers, p->n_buffers, batch, p->bytes, w->new_offset, w->placings);
  void *arena = swi_alloc_zeroed(p->ctx, bytes);
  if (!arena) return SW_ENOMEM;
  if (w->arena) swi_free(p->ctx, w->arena, w->arena_bytes);
  w->arena = arena;
  w->arena_bytes = bytes;
  w->capacity = batch;
  int64_t *old = w->offset;
  w->offset = w->new_offset;
  w->new_offset = old;
  return SW_OK;
}

/* The place of a buffer that does not depend on the run; NULL for those that do, and for none. */
static void *fixed_place(const sw_workspace *w, int32_t buffer) {
  if (buffer < 0) return NULL;
  const swi_buffer *b = &w->p->buffers[buffer];
  switch (b->place) {
  case SWI_ARENA:
  case SWI_INPUT: return (char *)w->arena + w->offset[buffer];
  case SWI_CONSTANT: return (char *)w->p->constants + b->offset;
  default: return NULL;
  }
}

static void prepare(sw_workspace *w, int32_t i) {
  const swi_instruction *code = &w->p->code[i];
  swi_eval_args *call = &w->calls[i];
  call->ctx = w->p->ctx;
  call->row = swi_op(code->op);
  call->k = w->p->k;
  call->attrs = &code->attrs;
  call->batch = w->batch;
  call->draws = &w->draws;
  call->out_by_example = sw_type_batch_axis(&code->out_type[0]) >= 0;
  call->activation = code->activation;
  call->bias = fixed_place(w, code->bias);
  call->scratch = fixed_place(w, code->scratch);
  for (int k = 0; k < code->n_in; k++) {
    call->in[k] = fixed_place(w, code->in[k]);
    swi_type_shape(&code->in_type[k], w->batch, &call->in_shape[k]);
  }
  for (int o = 0; o < code->n_out; o++) {
    call->out[o] = fixed_place(w, code->out[o]);
    swi_type_shape(&code->out_type[o], w->batch, &call->out_shape[o]);
  }
  call->out_bytes = code->out_type[0].kind == SW_INDEX ? (int)sizeof(int32_t) : w->p->bytes;
}

/* Sizes were checked for a batch of one; this checks them for all of it. */
static sw_status check_batch(const sw_workspace *w, int64_t batch) {
  if (batch < 1 || batch > INT32_MAX)
    return sw_fail(w->p->ctx, SW_ERANGE, "the batch must have 1 to %d examples, got %lld",
                   INT32_MAX, (long long)batch);
  for (int32_t i = 0; i < w->p->n_buffers; i++) {
    sw_dim n = w->p->buffers[i].numel;
    if (n.batch && (double)n.n * (double)batch > (double)SW_MOST_ELEMENTS)
      return sw_fail(w->p->ctx, SW_ERANGE,
                     "a batch of %lld examples is too large: a buffer has %lld numbers for each",
                     (long long)batch, (long long)n.n);
  }
  return SW_OK;
}

sw_status sw_workspace_batch(sw_workspace *w, int64_t batch) {
  if (batch == w->batch && batch > 0) return SW_OK;
  if (batch < 1 || batch > w->capacity) SW_TRY(check_batch(w, batch));
  if (batch > w->capacity) SW_TRY(grow(w, batch));
  w->batch = batch;
  w->whole = 0;
  for (int32_t i = 0; i < w->p->n_code; i++) prepare(w, i);
  return SW_OK;
}

int64_t sw_workspace_bytes(const sw_workspace *w) { return (int64_t)w->arena_bytes; }

void *sw_workspace_input(sw_workspace *w, int slot) {
  if (slot < 0 || slot >= w->p->n_inputs || w->batch == 0) return NULL;
  w->whole = 0;
  return fixed_place(w, w->p->input_buffer[slot]);
}

/* ------------------------------------------------------------------ running */

static void *run_place(const sw_workspace *w, int32_t buffer, const sw_run *r, void *fixed) {
  if (buffer < 0) return fixed;
  const swi_buffer *b = &w->p->buffers[buffer];
  if (b->place == SWI_OUT)
    return (char *)(b->slot == SW_TO_OUT ? r->out : r->state) + b->offset * w->p->bytes;
  if (b->place != SWI_VECTOR) return fixed;
  /* a parameter is read only: no op writes to an input that is not in the arena */
  return (char *)(uintptr_t)r->vectors[b->slot] + b->offset * w->p->bytes;
}

static void point(sw_workspace *w, const sw_run *r) {
  w->draws = (swi_draws){r->seed, r->step, r->first_example};
  for (int32_t i = 0; i < w->p->n_code; i++) {
    const swi_instruction *code = &w->p->code[i];
    swi_eval_args *call = &w->calls[i];
    for (int k = 0; k < code->n_in; k++)
      call->in[k] = run_place(w, code->in[k], r, (void *)(uintptr_t)call->in[k]);
    for (int o = 0; o < code->n_out; o++)
      call->out[o] = run_place(w, code->out[o], r, call->out[o]);
    call->bias = run_place(w, code->bias, r, (void *)(uintptr_t)call->bias);
  }
}

static sw_status check_run(const sw_workspace *w, const sw_run *r) {
  sw_context *ctx = w->p->ctx;
  const sw_program *p = w->p;
  if (w->batch == 0) return sw_fail(ctx, SW_EARG, "program: its batch size was not set");
  if (r->n_vectors < p->n_vectors)
    return sw_fail(ctx, SW_EARG, "program: reads %d vectors, got %d", p->n_vectors, r->n_vectors);
  for (int i = 0; i < p->n_vectors; i++)
    if (!r->vectors[i] && sw_program_vector_extent(p, i) > 0)
      return sw_fail(ctx, SW_EARG, "program: vector %d is missing", i + 1);
  if (p->needs[SW_TO_OUT] && !r->out)
    return sw_fail(ctx, SW_EARG, "program: needs an output vector");
  if (p->needs[SW_TO_STATE] && !r->state)
    return sw_fail(ctx, SW_EARG, "program: needs a vector for the new state");
  return SW_OK;
}

static double loss_of(const sw_workspace *w) {
  const void *x = fixed_place(w, w->p->outputs[0].buffer);
  return w->p->dtype == SW_F32 ? (double)*(const float *)x : *(const double *)x;
}

/* Updates what is ready behind instruction i. *next: outputs of by_ready done so far. */
static sw_status update_behind(sw_workspace *w, int32_t i, const sw_updater *u, int *next) {
  const sw_program *p = w->p;
  if (i == p->loss_ready) SW_TRY(u->check(u->arg, loss_of(w)));
  while (*next < p->n_outputs && p->outputs[p->by_ready[*next]].ready < i) ++*next;
  for (; *next < p->n_outputs && p->outputs[p->by_ready[*next]].ready == i; ++*next)
    u->update(u->arg, p->by_ready[*next]);
  return SW_OK;
}

/* Adds the name of the layer to the message of a failure. */
static sw_status name_layer(const sw_program *p, const swi_instruction *c, sw_status st) {
  if (st == SW_OK || !c->label) return st;
  return sw_fail(p->ctx, st, "%s (in %s)", sw_message(p->ctx), p->labels[c->label - 1]);
}

/* Runs an instruction, or the chain that begins with it. */
static sw_status run_one(const sw_workspace *w, int32_t i, int32_t *nan) {
  const swi_instruction *c = &w->p->code[i];
  if (c->chain_end > 0) {
    swi_run_chain(w->p, w->calls, i, nan);
    return SW_OK;
  }
  sw_status st = w->calls[i].row->eval(&w->calls[i]);
  for (int o = 0; nan && st == SW_OK && o < c->n_out; o++)
    if (c->out[o] >= 0 && c->out_type[o].kind == SW_REAL &&
        swi_has_nan(w->calls[i].out[o], swi_numel(&w->calls[i].out_shape[o]), w->p->bytes))
      *nan = i;
  return name_layer(w->p, c, st);
}

/* Fills a buffer with bytes that are NaN as numbers and invalid as indices. */
static void poison(const sw_workspace *w, int32_t buffer) {
  const swi_buffer *b = &w->p->buffers[buffer];
  if (b->place == SWI_ARENA)
    memset(fixed_place(w, buffer), 0xff, swi_buffer_bytes(b, w->batch, w->p->bytes));
}

/* Overwrites what instructions first … end - 1 were the last to read. */
static void poison_dead(const sw_workspace *w, int32_t first, int32_t end) {
  for (int32_t b = 0; b < w->p->n_buffers; b++)
    if (w->p->buffers[b].last >= first && w->p->buffers[b].last < end) poison(w, b);
}

/* Runs from instruction i on. nan may be NULL; else the run ends at the first instruction that
 * makes a NaN, and *nan is its number. */
static sw_status execute(sw_workspace *w, int32_t i, const sw_updater *u, int32_t *nan) {
  sw_status st = SW_OK;
  int next = 0;
  uint32_t mode = swi_fpmode_get();
  if (w->p->dtype == SW_F32) swi_fpmode_flush();
  for (int32_t b = 0; w->p->ctx->poison && b < w->p->n_buffers; b++)
    if (w->p->buffers[b].first >= i) poison(w, b);
  while (i < w->p->n_code && st == SW_OK) {
    int32_t end = w->p->code[i].chain_end > 0 ? w->p->code[i].chain_end : i + 1;
    st = run_one(w, i, nan);
    if (nan && *nan < INT32_MAX) break;
    if (w->p->ctx->poison) poison_dead(w, i, end);
    for (; i < end && st == SW_OK; i++)
      if (u) st = update_behind(w, i, u, &next);
  }
  swi_fpmode_set(mode);
  return st;
}

static int has_loss(const sw_program *p) {
  const swi_program_output *o = &p->outputs[0];
  return o->type.kind == SW_REAL && o->type.ndim == 0 && o->offset < 0;
}

sw_status sw_workspace_run_updating(sw_workspace *w, const sw_run *run, const sw_updater *updater) {
  SW_TRY(check_run(w, run));
  if (updater && !has_loss(w->p))
    return sw_fail(w->p->ctx, SW_EARG, "program: its first output must be a scalar, the loss");
  point(w, run);
  sw_status st = execute(w, 0, updater, NULL);
  w->whole = st == SW_OK;
  return st;
}

sw_status sw_workspace_rerun(sw_workspace *w, const sw_run *run) {
  if (w->p->varying == 0)
    return sw_fail(w->p->ctx, SW_EARG, "program: has no varying vector, there is nothing to rerun");
  if (!w->whole)
    return sw_fail(w->p->ctx, SW_EARG,
                   "program: rerun needs a whole run at the same batch and inputs before it");
  SW_TRY(check_run(w, run));
  point(w, run);
  return execute(w, w->p->varying_from, NULL, NULL);
}

int64_t sw_workspace_kept_bytes(const sw_workspace *w) {
  return sw_program_kept_bytes(w->p, w->batch);
}

sw_status sw_workspace_run(sw_workspace *w, const sw_run *run) {
  return sw_workspace_run_updating(w, run, NULL);
}

sw_status sw_workspace_first_nan(sw_workspace *w, const sw_run *run, char *text, size_t size) {
  swi_text t = {text, size, 0};
  int32_t first = INT32_MAX;
  if (size > 0) text[0] = '\0';
  SW_TRY(check_run(w, run));
  point(w, run);
  if (swi_first_nan_given(w->p, w->calls, w->batch, &t)) return SW_OK;
  w->whole = 0;
  SW_TRY(execute(w, 0, NULL, &first));
  if (first < INT32_MAX) swi_first_nan_instruction(w->p, first, &t);
  return SW_OK;
}

const void *sw_workspace_output(const sw_workspace *w, int i, sw_shape *shape) {
  const swi_program_output *o = &w->p->outputs[i];
  if (shape) swi_type_shape(&o->type, w->batch, shape);
  return o->offset >= 0 ? NULL : fixed_place(w, o->buffer);
}
