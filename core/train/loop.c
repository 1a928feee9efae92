/* loop.c: the training step, and n of them. */
#include "train/loop.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/context_int.h"
#include "kernels/cpu.h"
#include "kernels/kernels.h"
#include "train/feed.h"
#include "train/sgd.h"

struct sw_loop {
  sw_context *ctx;
  sw_program *program, *measured;  /* measured: NULL if norms cannot be measured */
  sw_workspace *plain, *measuring; /* their workspaces */
  sw_dtype real;
  sw_tensor *weights;  /* a view */
  sw_tensor *gradient; /* of the last step */
  sw_tensor *momentum; /* NULL until an update wants it */
  int has_gradient;    /* a step has written it */
  int has_momentum;    /* an update has written it */
  const sw_source *source;
  sw_sampler *sampler;
  int32_t *index;   /* of the examples of a batch */
  int64_t capacity; /* of index */
  int64_t measuring_capacity;
  sw_schedule hyper[SW_HYPER_COUNT]; /* a fixed value is a constant schedule */
  double dampening;
  int nesterov;
  int64_t measure_every;         /* steps; 0: never */
  sw_norms norms[SW_LOOP_NORMS]; /* a ring */
  sw_loop_state state;
};

/* What one step is to do. */
typedef struct plan {
  int64_t batch;
  sw_sgd_hyper sgd;
  int measured;
} plan;

typedef struct outcome {
  double loss;
  const void *norms; /* of a measured step: per-example squared gradient norms */
  double grad_sumsq;
} outcome;

/* -------------------------------------------------------------- the numbers */

static const char *const hyper_names[SW_HYPER_COUNT] = {"lr", "batch_size", "momentum",
                                                        "weight_decay"};

static sw_status check_hyper(sw_context *ctx, sw_hyper h, double x) {
  if (h == SW_HYPER_BATCH_SIZE) {
    if (x >= 1 && x <= INT32_MAX) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "batch_size must be 1 to %d, got %g", INT32_MAX, x);
  }
  if (x >= 0 && isfinite(x)) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "%s must be finite and not negative, got %g", hyper_names[h], x);
}

sw_status sw_loop_set(sw_loop *l, sw_hyper h, double value) {
  SW_TRY(check_hyper(l->ctx, h, value));
  l->hyper[h] = (sw_schedule){.kind = SW_SCHEDULE_CONSTANT, .value = value};
  return SW_OK;
}

sw_status sw_loop_set_schedule(sw_loop *l, sw_hyper h, const sw_schedule *s) {
  SW_TRY(sw_schedule_check(l->ctx, s));
  l->hyper[h] = *s;
  return SW_OK;
}

void sw_loop_measure(sw_loop *l, int64_t every_steps) {
  l->measure_every = l->measured && every_steps > 0 ? every_steps : 0;
}

/* Rounded down, but 31.999999999999996 is a schedule's 32. 0 for what check_hyper refuses. */
static int64_t whole_batch(double x) {
  return x >= 1 && x <= INT32_MAX ? (int64_t)(x * (1 + 1e-12)) : 0;
}

/* The batch size first: the others' progress counts it in. */
static void coming_values(const sw_loop *l, double value[SW_HYPER_COUNT]) {
  sw_progress p = {l->state.step, l->state.examples, l->state.examples,
                   sw_source_examples(l->source)};
  double batch = sw_schedule_at(&l->hyper[SW_HYPER_BATCH_SIZE], &p);
  p.next_examples += whole_batch(batch);
  for (int h = 0; h < SW_HYPER_COUNT; h++) value[h] = sw_schedule_at(&l->hyper[h], &p);
  value[SW_HYPER_BATCH_SIZE] = batch;
}

/* Nesterov without momentum, where a schedule goes that far, is the plain update. */
static sw_status make_plan(const sw_loop *l, plan *p) {
  double value[SW_HYPER_COUNT];
  coming_values(l, value);
  for (int h = 0; h < SW_HYPER_COUNT; h++) SW_TRY(check_hyper(l->ctx, (sw_hyper)h, value[h]));
  p->batch = whole_batch(value[SW_HYPER_BATCH_SIZE]);
  p->sgd = (sw_sgd_hyper){.lr = value[SW_HYPER_LR],
                          .momentum = value[SW_HYPER_MOMENTUM],
                          .dampening = l->dampening,
                          .weight_decay = value[SW_HYPER_WEIGHT_DECAY],
                          .nesterov = l->nesterov && value[SW_HYPER_MOMENTUM] > 0};
  p->measured = l->measure_every > 0 && (l->state.step + 1) % l->measure_every == 0;
  return SW_OK;
}

/* -------------------------------------------------------------- making */

static sw_status check_program(sw_context *ctx, const sw_program *p, const sw_loop_options *o) {
  if (sw_program_dtype(p) != sw_tensor_dtype(o->weights))
    return sw_fail(ctx, SW_EDTYPE, "loop: the weights are %s, the program is %s",
                   sw_dtype_name(sw_tensor_dtype(o->weights)), sw_dtype_name(sw_program_dtype(p)));
  const sw_type *loss = sw_program_outputs(p) > 0 ? sw_program_output_type(p, 0) : NULL;
  if (!loss || loss->kind != SW_REAL || loss->ndim != 0)
    return sw_fail(ctx, SW_ESHAPE,
                   "loop: the program's first output must be a loss, a real scalar");
  return swi_feed_check(ctx, p, o->source);
}

static sw_status check_norms(sw_context *ctx, const sw_program *p) {
  const sw_type *norms = sw_program_outputs(p) > 1 ? sw_program_output_type(p, 1) : NULL;
  if (norms && norms->kind == SW_REAL && norms->ndim == 1 && norms->dim[0].batch &&
      norms->dim[0].n == 1)
    return SW_OK;
  return sw_fail(ctx, SW_ESHAPE,
                 "loop: the measured program's second output must be norms, (batch)");
}

static sw_status check_options(sw_context *ctx, const sw_loop_options *o) {
  if (!o->program || !o->weights || !o->source)
    return sw_fail(ctx, SW_EARG, "loop: program, weights and source are needed");
  if (!sw_tensor_is_contiguous(o->weights))
    return sw_fail(ctx, SW_ESHAPE, "loop: the weights must be contiguous");
  if (!(o->dampening >= 0 && isfinite(o->dampening)))
    return sw_fail(ctx, SW_ERANGE, "loop: dampening must be finite and not negative, got %g",
                   o->dampening);
  if (o->nesterov && o->dampening > 0)
    return sw_fail(ctx, SW_ERANGE, "loop: nesterov allows no dampening");
  SW_TRY(check_program(ctx, o->program, o));
  if (!o->measured) return SW_OK;
  SW_TRY(check_program(ctx, o->measured, o));
  return check_norms(ctx, o->measured);
}

static sw_status grow_index(sw_loop *l, int64_t batch) {
  if (batch <= l->capacity) return SW_OK;
  int32_t *index = swi_alloc(l->ctx, (size_t)batch * sizeof *index);
  if (!index) return SW_ENOMEM;
  swi_free(l->ctx, l->index, (size_t)l->capacity * sizeof *index);
  l->index = index;
  l->capacity = batch;
  return SW_OK;
}

static sw_status new_vector(const sw_loop *l, sw_tensor **out) {
  int64_t n = sw_tensor_numel(l->weights);
  sw_shape shape = sw_shape_of(1, &n);
  return sw_tensor_new(l->ctx, l->real, &shape, out);
}

static sw_status fill_loop(sw_loop *l, const sw_loop_options *o) {
  l->program = sw_program_retain(o->program);
  if (o->measured) l->measured = sw_program_retain(o->measured);
  SW_TRY(sw_tensor_view(o->weights, &l->weights));
  SW_TRY(new_vector(l, &l->gradient));
  SW_TRY(sw_sampler_new(l->ctx, sw_source_examples(o->source), o->seed, &l->sampler));
  SW_TRY(sw_workspace_new(l->program, &l->plain));
  if (l->measured) SW_TRY(sw_workspace_new(l->measured, &l->measuring));
  if (o->first_batch_hint < 1) return SW_OK;
  SW_TRY(grow_index(l, o->first_batch_hint));
  return sw_workspace_batch(l->plain, o->first_batch_hint);
}

sw_status sw_loop_new(sw_context *ctx, const sw_loop_options *o, sw_loop **out) {
  SW_TRY(check_options(ctx, o));
  sw_loop *l = swi_alloc(ctx, sizeof *l);
  if (!l) return SW_ENOMEM;
  const double none = (double)NAN;
  const sw_schedule unset = {.kind = SW_SCHEDULE_CONSTANT, .value = none};
  const sw_schedule zero = {.kind = SW_SCHEDULE_CONSTANT};
  *l = (sw_loop){
      .ctx = sw_context_retain(ctx),
      .real = sw_tensor_dtype(o->weights),
      .source = o->source,
      .hyper = {unset, unset, zero, zero},
      .dampening = o->dampening,
      .nesterov = o->nesterov,
      .state = {.loss = none, .grad_norm = none, .bad_loss = none, .bad_grad_norm = none}};
  sw_status status = fill_loop(l, o);
  if (status == SW_OK)
    *out = l;
  else
    sw_loop_free(l);
  return status;
}

void sw_loop_free(sw_loop *l) {
  if (!l) return;
  sw_context *ctx = l->ctx;
  sw_workspace_free(l->plain);
  sw_workspace_free(l->measuring);
  sw_program_release(l->program);
  sw_program_release(l->measured);
  sw_tensor_free(l->weights);
  sw_tensor_free(l->gradient);
  sw_tensor_free(l->momentum);
  sw_sampler_free(l->sampler);
  swi_free(ctx, l->index, (size_t)l->capacity * sizeof *l->index);
  swi_free(ctx, l, sizeof *l);
  sw_context_release(ctx);
}

/* -------------------------------------------------------------- a step */

/* All that a step may have to allocate, before it does anything. While noise is measured the other
 * workspace grows with this one, so that the first measurement at a capacity finds it ready. */
static sw_status make_room(sw_loop *l, const plan *p) {
  SW_TRY(grow_index(l, p->batch));
  if (l->measure_every > 0 && p->batch > l->measuring_capacity) {
    SW_TRY(sw_workspace_batch(l->measuring, p->batch));
    l->measuring_capacity = p->batch;
  }
  SW_TRY(sw_workspace_batch(p->measured ? l->measuring : l->plain, p->batch));
  return p->sgd.momentum > 0 && !l->momentum ? new_vector(l, &l->momentum) : SW_OK;
}

/* What the program left in its workspace: NULL would be an output with a place in the gradient. */
static sw_status output_of(sw_loop *l, sw_workspace *w, int i, const void **out) {
  sw_shape shape;
  *out = sw_workspace_output(w, i, &shape);
  if (*out) return SW_OK;
  return sw_fail(l->ctx, SW_EARG, "loop: output %d must not go to the gradient", i);
}

/* The sampler follows the count of examples: a step that was refused sees the same ones again. */
static sw_status compute(sw_loop *l, const plan *p, outcome *o) {
  sw_workspace *w = p->measured ? l->measuring : l->plain;
  const void *loss = NULL;
  void *gradient = NULL;
  SW_TRY(sw_tensor_writable(l->gradient, &gradient));
  sw_sampler_seek(l->sampler, l->state.examples);
  sw_sampler_next(l->sampler, p->batch, l->index);
  SW_TRY(swi_feed_run(w, l->source, l->index, p->batch, l->weights, gradient));
  l->has_gradient = 1;
  SW_TRY(output_of(l, w, 0, &loss));
  o->loss = swi_feed_sum(0, loss, 1, l->real);
  return p->measured ? output_of(l, w, 1, &o->norms) : SW_OK;
}

static void note_plan(sw_loop_state *s, const plan *p) {
  s->lr = p->sgd.lr;
  s->momentum = p->sgd.momentum;
  s->weight_decay = p->sgd.weight_decay;
  s->batch_size = p->batch;
}

static double gradient_norm(const sw_loop *l) {
  const swi_kernels *k = l->real == SW_F64 ? l->ctx->f64 : l->ctx->f32;
  const void *g = sw_tensor_data(l->gradient);
  return sqrt(k->dot(sw_tensor_numel(l->gradient), g, g));
}

static sw_status refuse(sw_loop *l, const plan *p, double loss) {
  sw_loop_state *s = &l->state;
  note_plan(s, p);
  s->bad_loss = isnan(loss) ? (double)NAN : loss; /* without a sign, which would be printed */
  double norm = gradient_norm(l);
  s->bad_grad_norm = isnan(norm) ? (double)NAN : norm;
  char last[64] = "";
  if (s->step > 0)
    snprintf(last, sizeof last, "last finite %.6g at step %lld; ", s->loss, (long long)s->step);
  return sw_fail(l->ctx, SW_ENAN, "step %lld: the loss is %g (%slr %g, gradient norm %.3g)",
                 (long long)s->step + 1, s->bad_loss, last, s->lr, s->bad_grad_norm);
}

/* float32 flushes denormals, as its programs do: a weight that decays to nothing must not cost a
 * hundred times the others. */
static sw_status update(sw_loop *l, const plan *p, outcome *o) {
  uint32_t mode = swi_fpmode_get();
  if (l->real == SW_F32) swi_fpmode_flush();
  sw_status status = sw_sgd_update(l->weights, l->momentum, l->gradient, &p->sgd, !l->has_momentum,
                                   &o->grad_sumsq);
  swi_fpmode_set(mode);
  if (status == SW_OK && p->sgd.momentum > 0) l->has_momentum = 1;
  return status;
}

static void count(sw_loop *l, const plan *p, const outcome *o) {
  sw_loop_state *s = &l->state;
  note_plan(s, p);
  s->step++;
  s->examples += p->batch;
  s->epoch = (double)s->examples / (double)sw_source_examples(l->source);
  s->loss = o->loss;
  s->grad_norm = sqrt(o->grad_sumsq);
  s->loss_sum += o->loss * (double)p->batch;
  s->loss_examples += p->batch;
}

static void measure(sw_loop *l, const plan *p, const outcome *o) {
  l->norms[l->state.measurements++ % SW_LOOP_NORMS] =
      (sw_norms){p->batch, swi_feed_sum(0, o->norms, p->batch, l->real), o->grad_sumsq};
}

static sw_status step(sw_loop *l) {
  plan p;
  outcome o = {0};
  SW_TRY(make_plan(l, &p));
  SW_TRY(make_room(l, &p));
  SW_TRY(compute(l, &p, &o));
  if (!isfinite(o.loss)) return refuse(l, &p, o.loss);
  SW_TRY(update(l, &p, &o));
  count(l, &p, &o);
  if (p.measured) measure(l, &p, &o);
  return SW_OK;
}

sw_status sw_loop_advance(sw_loop *l, int64_t steps, int64_t stop_examples,
                          const volatile int *interrupt, sw_stop *why) {
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
  if (l->state.step > 0) return;
  double value[SW_HYPER_COUNT];
  coming_values(l, value);
  out->lr = value[SW_HYPER_LR];
  out->momentum = value[SW_HYPER_MOMENTUM];
  out->weight_decay = value[SW_HYPER_WEIGHT_DECAY];
  out->batch_size = whole_batch(value[SW_HYPER_BATCH_SIZE]);
}

double sw_loop_take_mean(sw_loop *l) {
  sw_loop_state *s = &l->state;
  double mean = s->loss_examples > 0 ? s->loss_sum / (double)s->loss_examples : (double)NAN;
  s->loss_sum = 0;
  s->loss_examples = 0;
  return mean;
}

int sw_loop_norms(const sw_loop *l, sw_norms out[SW_LOOP_NORMS]) {
  int64_t made = l->state.measurements, first = made > SW_LOOP_NORMS ? made - SW_LOOP_NORMS : 0;
  for (int64_t i = first; i < made; i++) out[i - first] = l->norms[i % SW_LOOP_NORMS];
  return (int)(made - first);
}

sw_status sw_loop_momentum(const sw_loop *l, sw_tensor **out) {
  if (!l->has_momentum)
    return sw_fail(l->ctx, SW_EEMPTY, "loop: no update with momentum was made yet");
  return sw_tensor_view(l->momentum, out);
}

sw_status sw_loop_gradient(const sw_loop *l, sw_tensor **out) {
  if (!l->has_gradient) return sw_fail(l->ctx, SW_EEMPTY, "loop: no step was made yet");
  return sw_tensor_view(l->gradient, out);
}
