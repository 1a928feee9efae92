/* loop.c: the training loop: making one, steps, looking at it. */
#include "train/loop.h"

#include <math.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/parallel_int.h"
#include "kernels/kernels_int.h"
#include "train/feed_int.h"
#include "train/loop_int.h"

/* -------------------------------------------------------------- making */

static sw_status check_program(sw_context *ctx, const sw_program *p, const sw_loop_options *o) {
  const sw_type *loss = sw_program_outputs(p) > 0 ? sw_program_output_type(p, 0) : NULL;
  if (!loss || loss->kind != SW_REAL || loss->ndim != 0 || sw_program_output_offset(p, 0) >= 0)
    return sw_fail(ctx, SW_ESHAPE,
                   "loop: the program's first output must be a loss, a real scalar");
  return swi_feed_check(ctx, p, o->source, o->weights, o->buffers);
}

static sw_status check_norms(sw_context *ctx, const sw_program *p) {
  const sw_type *norms = sw_program_outputs(p) > 1 ? sw_program_output_type(p, 1) : NULL;
  if (norms && norms->kind == SW_REAL && norms->ndim == 1 && norms->dim[0].batch &&
      norms->dim[0].n == 1)
    return SW_OK;
  return sw_fail(ctx, SW_ESHAPE,
                 "loop: the measured program's second output must be norms, (batch)");
}

static sw_status check_numbers(sw_context *ctx, const sw_loop_options *o) {
  SW_TRY(swi_optimizer_check(ctx, &o->optimizer));
  if (!(o->max_norm >= 0 && isfinite(o->max_norm)))
    return sw_fail(ctx, SW_ERANGE, "loop: max_norm must be finite and not negative, got %g",
                   o->max_norm);
  if (o->micro_batch < 0)
    return sw_fail(ctx, SW_ERANGE, "loop: micro_batch must be 1 or more, got %lld",
                   (long long)o->micro_batch);
  if (o->coupling != SW_COUPLING_NONE && !(o->reference_batch > 0 && isfinite(o->reference_batch)))
    return sw_fail(ctx, SW_ERANGE,
                   "loop: the reference batch of a coupling must be above 0, got %g",
                   o->reference_batch);
  return SW_OK;
}

static int has_buffers(const sw_program *p) {
  return sw_program_vector_extent(p, SWI_BUFFERS) > 0 ||
         sw_program_output_extent(p, SW_TO_STATE) > 0;
}

static sw_status check_options(sw_context *ctx, const sw_loop_options *o) {
  if (!o->program || !o->weights || !o->source)
    return sw_fail(ctx, SW_EARG, "loop: program, weights and source are needed");
  if (o->subset && (sw_tensor_dtype(o->subset) != SW_I32 || !sw_tensor_is_contiguous(o->subset)))
    return sw_fail(ctx, SW_EDTYPE, "loop: subset must be contiguous int32 indices");
  SW_TRY(check_numbers(ctx, o));
  SW_TRY(check_program(ctx, o->program, o));
  if (o->buffers && sw_tensor_numel(o->buffers) > 0 && !has_buffers(o->program))
    return sw_fail(ctx, SW_EARG,
                   "loop: buffers were given, the program neither reads nor writes them");
  if (!o->measured) return SW_OK;
  SW_TRY(check_program(ctx, o->measured, o));
  if (sw_program_output_extent(o->measured, SW_TO_STATE) !=
      sw_program_output_extent(o->program, SW_TO_STATE))
    return sw_fail(ctx, SW_EARG, "loop: the measured program must write the same buffers");
  return check_norms(ctx, o->measured);
}

static sw_status make_sampler(sw_loop *l, const sw_loop_options *o) {
  const sw_sampler_options s = {.order = o->order,
                                .seed = o->seed,
                                .examples = sw_source_examples(o->source),
                                .subset = o->subset ? sw_tensor_data(o->subset) : NULL,
                                .n_subset = o->subset ? sw_tensor_numel(o->subset) : 0};
  return sw_sampler_new(l->ctx, &s, &l->sampler);
}

static sw_status make_ranges(sw_loop *l, const sw_loop_options *o) {
  int64_t n = sw_tensor_numel(o->weights);
  SW_TRY(swi_ranges_new(l->ctx, n, o->ranges, o->ranges ? o->n_ranges : 0, &l->ranges));
  l->done = swi_alloc_zeroed(l->ctx, (size_t)swi_ranges_count(l->ranges));
  return l->done ? SW_OK : SW_ENOMEM;
}

static sw_status make_runner(sw_loop *l, sw_program *program, swi_runner *r) {
  if (!program) return SW_OK;
  r->program = sw_program_retain(program);
  SW_TRY(sw_workspace_new(program, &r->workspace));
  return swi_runner_map(l, r);
}

static sw_status fill_loop(sw_loop *l, const sw_loop_options *o) {
  sw_shape shape = sw_shape_of(1, (int64_t[]){sw_tensor_numel(o->weights)});
  SW_TRY(sw_tensor_view(o->weights, &l->weights));
  SW_TRY(sw_tensor_new(l->ctx, l->real, &shape, &l->gradient));
  SW_TRY(swi_buffers_new(l, o->buffers));
  SW_TRY(make_sampler(l, o));
  SW_TRY(make_ranges(l, o));
  SW_TRY(make_runner(l, o->program, &l->plain));
  SW_TRY(make_runner(l, o->measured, &l->measuring));
  int64_t hint = o->first_batch_hint, limit = o->micro_batch;
  if (hint < 1) return SW_OK;
  SW_TRY(swi_grow_index(l, hint));
  return sw_workspace_batch(l->plain.workspace, limit > 0 && limit < hint ? limit : hint);
}

sw_status sw_loop_new(sw_context *ctx, const sw_loop_options *o, sw_loop **out) {
  SW_TRY(check_options(ctx, o));
  sw_loop *l = swi_alloc(ctx, sizeof *l);
  if (!l) return SW_ENOMEM;
  const double none = (double)NAN;
  *l = (sw_loop){.ctx = sw_context_retain(ctx),
                 .real = sw_tensor_dtype(o->weights),
                 .source = o->source,
                 .seed = o->seed,
                 .optimizer = o->optimizer,
                 .max_norm = o->max_norm,
                 .micro_batch = o->micro_batch,
                 .coupling = o->coupling,
                 .reference_batch = o->reference_batch,
                 .state = {.loss = none,
                           .grad_norm = none,
                           .bad_range = -1,
                           .bad_loss = none,
                           .bad_grad_norm = none}};
  for (int h = 0; h < SW_HYPER_COUNT; h++) l->hyper[h].value = sw_hyper_row_of(h)->fallback;
  l->hyper[SW_HYPER_MOMENTUM].value = sw_loop_optimizer(l)->momentum;
  l->k = swi_kernels_of(ctx, sw_dtype_bytes(l->real));
  sw_status status = fill_loop(l, o);
  if (status == SW_OK)
    *out = l;
  else
    sw_loop_free(l);
  return status;
}

static void free_runner(sw_context *ctx, swi_runner *r) {
  sw_workspace_free(r->workspace);
  if (r->program) sw_program_release(r->program);
  swi_free(ctx, r->begin, (size_t)r->n_outputs * sizeof *r->begin);
  swi_free(ctx, r->end, (size_t)r->n_outputs * sizeof *r->end);
}

static void free_ranges(sw_context *ctx, sw_loop *l) {
  if (!l->ranges) return;
  size_t n = (size_t)swi_ranges_count(l->ranges);
  swi_free(ctx, l->done, n);
  swi_free(ctx, l->ratio, n * sizeof *l->ratio);
  swi_ranges_free(l->ranges);
}

void sw_loop_free(sw_loop *l) {
  if (!l) return;
  sw_context *ctx = l->ctx;
  free_runner(ctx, &l->plain);
  free_runner(ctx, &l->measuring);
  free_ranges(ctx, l);
  sw_tensor_free(l->weights);
  sw_tensor_free(l->gradient);
  sw_tensor_free(l->part);
  swi_buffers_free(l);
  sw_tensor_free(l->before);
  for (int i = 0; i < SW_MOMENTS; i++) sw_tensor_free(l->moment[i]);
  for (int h = 0; h < SW_HYPER_COUNT; h++) sw_schedule_release(l->hyper[h].schedule);
  sw_sampler_free(l->sampler);
  swi_free(ctx, l->index, (size_t)l->capacity * sizeof *l->index);
  swi_free(ctx, l, sizeof *l);
  sw_context_release(ctx);
}

/* -------------------------------------------------------------- steps */

void sw_loop_measure(sw_loop *l, int64_t every_steps, int regularised) {
  l->measure_every = l->measuring.program && every_steps > 0 ? every_steps : 0;
  l->regularised = regularised && sw_loop_optimizer(l)->decay_in_gradient;
}

void sw_loop_measure_next(sw_loop *l) { l->measure_next = l->measuring.program != NULL; }

static void note_plan(sw_loop *l, const swi_step_plan *p) {
  memcpy(l->state.hyper, p->hyper, sizeof p->hyper);
  l->state.hyper[SW_HYPER_BATCH_SIZE] = (double)p->batch;
  l->has_values = 1;
}

static void count(sw_loop *l, const swi_step_plan *p, const swi_outcome *o) {
  sw_loop_state *s = &l->state;
  note_plan(l, p);
  s->step++;
  s->examples += p->batch;
  s->epoch = (double)s->examples / (double)sw_sampler_size(l->sampler);
  s->loss = o->loss;
  s->grad_norm = o->grad_norm;
  s->fault = SW_FAULT_NONE;
  s->loss_sum += o->loss * (double)p->batch;
  s->loss_examples += p->batch;
  if (!p->measured) return;
  l->measure_next = 0;
  l->norms[s->measurements++ % SW_LOOP_GRAD_NORMS] =
      (sw_grad_norms){.step = s->step,
                      .examples = s->examples - p->batch,
                      .batch = p->batch,
                      .momentum = p->hyper[SW_HYPER_MOMENTUM],
                      .sum_sumsq = o->sum_sumsq,
                      .grad_sumsq = o->grad_sumsq,
                      .regularised_sumsq = o->regularised_sumsq};
}

static sw_status step(sw_loop *l) {
  swi_step_plan p;
  swi_outcome o;
  SW_TRY(swi_plan_step(l, &p));
  SW_TRY(swi_make_room(l, &p));
  int timed = swi_cost_is_timed(l, &p);
  int64_t begun = timed ? swi_now_ns() : 0;
  sw_status status = swi_train_step(l, &p, &o);
  if (status == SW_ENAN) {
    note_plan(l, &p);
    return swi_refuse(l, &o);
  }
  if (status == SW_OK && timed) swi_cost_add(l, &p, (double)(swi_now_ns() - begun) / 1e9);
  if (status == SW_OK) count(l, &p, &o);
  return status;
}

static sw_status check_spoiled(const sw_loop *l) {
  if (!sw_loop_is_spoiled(l)) return SW_OK;
  return sw_fail(l->ctx, SW_ENAN,
                 "loop: stopped at step %lld, whose update is not finite or not whole: restore the "
                 "weights and the loop before going on",
                 (long long)l->state.bad_step);
}

sw_status sw_loop_advance(sw_loop *l, int64_t steps, int64_t stop_examples,
                          const volatile int *interrupt, sw_stop *why) {
  SW_TRY(check_spoiled(l));
  for (int64_t i = 0;; i++) {
    int reached = stop_examples > 0 && l->state.examples >= stop_examples;
    if (reached || i >= steps) {
      *why = reached ? SW_STOP_EXAMPLES : SW_STOP_STEPS;
      return SW_OK;
    }
    if (interrupt && *interrupt) {
      *why = SW_STOP_INTERRUPTED;
      return SW_OK;
    }
    SW_TRY(step(l));
  }
}

/* -------------------------------------------------------------- looking */

void sw_loop_state_get(const sw_loop *l, sw_loop_state *out) {
  *out = l->state;
  if (l->has_values && l->state.step > 0) return;
  double *batch = &out->hyper[SW_HYPER_BATCH_SIZE];
  swi_coming_values(l, out->hyper);
  *batch = (double)swi_whole_batch(*batch);
}

double sw_loop_take_mean(sw_loop *l) {
  sw_loop_state *s = &l->state;
  double mean = s->loss_examples > 0 ? s->loss_sum / (double)s->loss_examples : (double)NAN;
  s->loss_sum = 0;
  s->loss_examples = 0;
  return mean;
}

int sw_loop_grad_norms(const sw_loop *l, int64_t i, sw_grad_norms *out) {
  int64_t made = l->state.measurements;
  if (i < 1 || i > made || i <= made - SW_LOOP_GRAD_NORMS) return 0;
  *out = l->norms[(i - 1) % SW_LOOP_GRAD_NORMS];
  return 1;
}

sw_status sw_loop_momentum(const sw_loop *l, sw_tensor **out) {
  if (!l->has_moments)
    return sw_fail(l->ctx, SW_EEMPTY, "loop: no update was made yet that keeps a vector");
  return sw_tensor_view(l->moment[0], out);
}

sw_status sw_loop_gradient(const sw_loop *l, sw_tensor **out) {
  if (!l->has_gradient) return sw_fail(l->ctx, SW_EEMPTY, "loop: no step was made yet");
  return sw_tensor_view(l->gradient, out);
}

const sw_optimizer_row *sw_loop_optimizer(const sw_loop *l) {
  return sw_optimizer_row_of((int)l->optimizer.kind);
}

int sw_loop_ranges(const sw_loop *l) { return swi_ranges_count(l->ranges); }

sw_status sw_loop_watch_updates(sw_loop *l, int64_t every_steps) {
  size_t n = (size_t)swi_ranges_count(l->ranges);
  if (every_steps > 0 && !l->ratio) {
    l->ratio = swi_alloc_zeroed(l->ctx, n * sizeof *l->ratio);
    if (!l->ratio) return SW_ENOMEM;
  }
  if (every_steps > 0 && !l->before) SW_TRY(sw_tensor_clone(l->weights, &l->before));
  l->watch_every = every_steps > 0 ? every_steps : 0;
  return SW_OK;
}

int64_t sw_loop_update_ratios(const sw_loop *l, double *ratio) {
  int n = swi_ranges_count(l->ranges);
  for (int i = 0; i < n && l->ratios_step > 0; i++) ratio[i] = l->ratio[i];
  return l->ratios_step;
}

sw_status sw_loop_first_nan(sw_loop *l, char *text, size_t size) {
  if (!l->last_run) return sw_fail(l->ctx, SW_EEMPTY, "loop: no step was made yet");
  sw_run run = l->last;
  SW_TRY(sw_tensor_writable(l->gradient, &run.out));
  return sw_workspace_first_nan(l->last_run, &run, text, size);
}
