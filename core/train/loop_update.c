/* loop_update.c: the update of the weights.
 *
 * Where a batch is one run and nothing is clipped, each range is updated right behind its gradient,
 * while that is in the cache; the rest, or all of it, once the run is over. The bits are the same.
 */
#include <float.h>
#include <math.h>

#include "base/alloc_int.h"
#include "kernels/cpu_int.h"
#include "kernels/kernels_int.h"
#include "train/loop_int.h"

/* -------------------------------------------------------------- outputs and ranges */

static int64_t elements_of(const sw_type *t) {
  int64_t n = 1;
  for (int i = 0; i < t->ndim; i++) n *= t->dim[i].n;
  return n;
}

/* Finds the ranges that lie within first … first + n - 1. */
static void ranges_within(const swi_ranges *r, int64_t first, int64_t n, int *begin, int *end) {
  int count = swi_ranges_count(r), i = 0;
  while (i < count && swi_ranges_get(r, i)->first < first) i++;
  *begin = i;
  while (i < count && swi_ranges_get(r, i)->first + swi_ranges_get(r, i)->length <= first + n) i++;
  *end = i;
}

sw_status swi_runner_map(sw_loop *l, swi_runner *r) {
  r->n_outputs = sw_program_outputs(r->program);
  r->begin = swi_alloc_zeroed(l->ctx, (size_t)r->n_outputs * sizeof *r->begin);
  r->end = swi_alloc_zeroed(l->ctx, (size_t)r->n_outputs * sizeof *r->end);
  if (!r->begin || !r->end) return SW_ENOMEM;
  for (int o = 0; o < r->n_outputs; o++) {
    int64_t offset = sw_program_output_offset(r->program, o);
    if (offset < 0 || sw_program_output_vector(r->program, o) != SW_TO_OUT) continue;
    int64_t n = elements_of(sw_program_output_type(r->program, o));
    ranges_within(l->ranges, offset, n, &r->begin[o], &r->end[o]);
  }
  return SW_OK;
}

/* -------------------------------------------------------------- updating ranges */

enum { TILE = 256 };

typedef struct job {
  sw_loop *l;
  const swi_runner *runner;
  swi_update update;
  swi_vectors all;
  double unit;     /* the gradient has been multiplied by it; 1, or a power of two */
  int regularised; /* |g + decay w|^2 is measured before the update */
  int odd; /* the first range found to be not finite, after which nothing is updated; -1: none */
} job;

static double update_piece(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const job *j = arg;
  swi_update u = j->update;
  u.lr *= range->lr_factor;
  u.weight_decay *= range->weight_decay_factor;
  return swi_update_piece(j->l->k, j->l->optimizer.kind, &u, &j->all, first, n);
}

/* |g + decay w|^2 of a piece. */
static double decayed_piece(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const job *j = arg;
  const swi_kernels *k = j->l->k;
  const char *g = j->all.g, *w = j->all.w;
  double decay = j->update.weight_decay * range->weight_decay_factor, sum = 0, both[TILE];
  for (int64_t i = 0; i < n; i += TILE) {
    int64_t size = n - i < TILE ? n - i : TILE, at = (first + i) * k->element_bytes;
    k->scale(size, 1 / j->unit, g + at, both);
    k->axpy(size, decay, w + at, both);
    sum += k->dot(size, both, both);
  }
  return sum;
}

static sw_status prepare(sw_loop *l, const swi_step_plan *p, job *j) {
  *j = (job){.l = l,
             .runner = p->measured ? &l->measuring : &l->plain,
             .update = p->update,
             .unit = 1,
             .regularised = p->measured && l->regularised,
             .odd = -1};
  SW_TRY(sw_tensor_writable(l->weights, &j->all.w));
  for (int i = 0; i < swi_moments(l, p); i++)
    SW_TRY(sw_tensor_writable(l->moment[i], &j->all.moment[i]));
  j->all.g = sw_tensor_data(l->gradient);
  for (int i = 0; i < swi_ranges_count(l->ranges); i++) l->done[i] = 0;
  return SW_OK;
}

/* As a sw_updater: called by the executor, between two instructions. */
static sw_status check_loss(void *arg, double loss) {
  (void)arg;
  return isfinite(loss) ? SW_OK : SW_ENAN;
}

static void update_ranges(job *j, int begin, int end) {
  if (j->odd >= 0) return;
  swi_ranges_run_after(j->l->ranges, begin, end, j->regularised ? decayed_piece : NULL,
                       update_piece, j);
  int odd = swi_first_odd(j->l, begin, end);
  if (odd < end) j->odd = odd;
}

static void update_output(void *arg, int output) {
  job *j = arg;
  int begin = j->runner->begin[output], end = j->runner->end[output];
  update_ranges(j, begin, end);
  for (int i = begin; i < end; i++) j->l->done[i] = 1;
}

/* Updates what was not updated early, adjacent ranges together. float32 flushes denormals, as its
 * programs do: a weight that decays to 0 must not take a hundred times longer than others. */
static void update_rest(job *j) {
  sw_loop *l = j->l;
  int n = swi_ranges_count(l->ranges);
  uint32_t mode = swi_fpmode_get();
  if (l->real == SW_F32) swi_fpmode_flush();
  for (int begin = 0, end; begin < n; begin = end + 1) {
    for (end = begin; end < n && !l->done[end]; end++) {}
    if (end > begin) update_ranges(j, begin, end);
  }
  swi_fpmode_set(mode);
}

/* -------------------------------------------------------------- clipping */

static double norm_piece(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const sw_loop *l = arg;
  const char *g = (const char *)sw_tensor_data(l->gradient) + first * l->k->element_bytes;
  (void)range;
  double plain = l->k->dot(n, g, g);
  return plain >= 0x1p-80 && plain <= DBL_MAX ? plain : l->k->squares(n, g);
}

/* PyTorch's clip_grad_norm_, with its 1e-6. A gradient that is not finite becomes NaN there; here
 * it is refused before anything is updated. */
static sw_status clip(job *j, swi_outcome *o) {
  sw_loop *l = j->l;
  swi_ranges_run(l->ranges, 0, swi_ranges_count(l->ranges), norm_piece, l);
  o->grad_norm = swi_gradient_norm(l, swi_ranges_total(l->ranges));
  if (isnan(o->grad_norm)) {
    o->range = swi_first_odd(l, 0, swi_ranges_count(l->ranges));
    o->fault = SW_FAULT_GRADIENT;
    return SW_ENAN;
  }
  double factor = l->max_norm / (o->grad_norm + 1e-6);
  j->update.grad_scale = factor < 1 ? factor : 1;
  return SW_OK;
}

/* A factor below float32's normal numbers would count as 0: the gradient is then scaled by a power
 * of two during the update. For an external optimizer the gradient is left clipped. */
static sw_status update_clipped(job *j) {
  const sw_loop *l = j->l;
  const int external = sw_loop_optimizer(l)->external;
  int64_t n = sw_tensor_numel(l->gradient);
  void *g;
  SW_TRY(sw_tensor_writable(l->gradient, &g));
  if (l->real == SW_F32 && j->update.grad_scale < 0x1p-126) j->unit = 0x1p-64;
  if (j->unit != 1) l->k->scale(n, j->unit, g, g);
  j->update.grad_scale /= j->unit;
  update_rest(j);
  if (external && j->update.grad_scale != 1)
    l->k->scale(n, j->update.grad_scale, g, g);
  else if (j->unit != 1)
    l->k->scale(n, 1 / j->unit, g, g);
  return SW_OK;
}

/* -------------------------------------------------------------- how far ranges moved */

static double norm_before(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const sw_loop *l = arg;
  const char *w = (const char *)sw_tensor_data(l->before) + first * l->k->element_bytes;
  (void)range;
  return l->k->dot(n, w, w);
}

static double norm_of_change(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const sw_loop *l = arg;
  const char *now = sw_tensor_data(l->weights), *before = sw_tensor_data(l->before);
  double sum = 0, change[TILE];
  (void)range;
  for (int64_t i = 0; i < n; i += TILE) {
    int64_t size = n - i < TILE ? n - i : TILE, at = (first + i) * l->k->element_bytes;
    l->k->binary[SWI_BINARY_sub].vv(size, now + at, before + at, change);
    sum += l->k->dot(size, change, change);
  }
  return sum;
}

static void note_ratios(sw_loop *l) {
  int n = swi_ranges_count(l->ranges);
  swi_ranges_run(l->ranges, 0, n, norm_before, l);
  for (int i = 0; i < n; i++) l->ratio[i] = sqrt(swi_ranges_sum(l->ranges, i));
  swi_ranges_run(l->ranges, 0, n, norm_of_change, l);
  for (int i = 0; i < n; i++) {
    double change = sqrt(swi_ranges_sum(l->ranges, i));
    l->ratio[i] = change > 0 ? change / l->ratio[i] : change; /* NaN stays NaN */
  }
  l->ratios_step = l->state.step + 1;
}

/* -------------------------------------------------------------- the step */

static int may_update_early(const sw_loop *l, const swi_step_plan *p) {
  return p->part == p->batch && !(l->max_norm > 0);
}

static sw_status refuse_loss(swi_outcome *o) {
  o->fault = SW_FAULT_LOSS;
  return SW_ENAN;
}

/* After an early end the gradient is incomplete: it is computed again, for the record. */
static sw_status refuse_early(sw_loop *l, const swi_step_plan *p, swi_outcome *o) {
  SW_TRY(swi_compute(l, p, NULL, o));
  return refuse_loss(o);
}

static sw_status refuse_update(const job *j, swi_outcome *o) {
  int is_gradient = isnan(swi_ranges_sum(j->l->ranges, j->odd));
  o->fault = is_gradient ? SW_FAULT_GRADIENT : SW_FAULT_WEIGHTS;
  o->range = j->odd;
  return SW_ENAN;
}

/* The rest of the step, once the loss is known to be finite. */
static sw_status finish(job *j, swi_outcome *o) {
  sw_loop *l = j->l;
  if (j->odd >= 0) return refuse_update(j, o);
  if (l->max_norm > 0) SW_TRY(clip(j, o));
  o->fault = SW_FAULT_BUFFERS;
  SW_TRY(swi_buffers_commit(l));
  SW_TRY(update_clipped(j));
  if (j->odd >= 0) return refuse_update(j, o);
  o->grad_sumsq = swi_ranges_total(l->ranges) / (j->unit * j->unit);
  o->grad_norm = swi_gradient_norm(l, o->grad_sumsq);
  o->regularised_sumsq = j->regularised ? swi_ranges_total_before(l->ranges) : (double)NAN;
  return SW_OK;
}

sw_status swi_train_step(sw_loop *l, const swi_step_plan *p, swi_outcome *o) {
  job j;
  SW_TRY(prepare(l, p, &j));
  const sw_updater early = {check_loss, update_output, &j};
  int watched = l->watch_every > 0 && p->update.step % l->watch_every == 0;
  if (watched) SW_TRY(sw_tensor_copy(l->before, l->weights));
  sw_status status = swi_compute(l, p, may_update_early(l, p) ? &early : NULL, o);
  if (status == SW_ENAN) return refuse_early(l, p, o);
  if (status != SW_OK) return status;
  if (!isfinite(o->loss)) return refuse_loss(o);
  SW_TRY(finish(&j, o));
  if (swi_moments(l, p) > 0) l->has_moments = 1;
  if (watched) note_ratios(l);
  return SW_OK;
}
