/* loop_compute.c: loss and gradient of a batch, in as many runs as it takes.
 *
 * A batch larger than micro_batch is cut into parts, in the order of its examples; part j of b_j
 * examples counts b_j / B:  g = sum of (b_j / B) g_j, and so the loss. A batch that fits is one
 * run, as if there were no limit.
 */
#include <math.h>

#include "base/alloc_int.h"
#include "kernels/cpu_int.h"
#include "kernels/kernels_int.h"
#include "train/feed_int.h"
#include "train/loop_int.h"
#include "train/sampler_int.h"
#include "train/source_int.h"

sw_status swi_grow_index(sw_loop *l, int64_t batch) {
  if (batch <= l->capacity) return SW_OK;
  int32_t *index = swi_alloc(l->ctx, (size_t)batch * sizeof *index);
  if (!index) return SW_ENOMEM;
  swi_free(l->ctx, l->index, (size_t)l->capacity * sizeof *index);
  l->index = index;
  l->capacity = batch;
  return SW_OK;
}

static sw_status need_vector(const sw_loop *l, sw_tensor **v) {
  if (*v) return SW_OK;
  sw_shape shape = sw_shape_of(1, (int64_t[]){sw_tensor_numel(l->weights)});
  return sw_tensor_new(l->ctx, l->real, &shape, v);
}

/* Allocates all that a step needs before it starts. The workspace of measured steps grows with the
 * other one, so that the first measurement at a capacity allocates nothing. */
sw_status swi_make_room(sw_loop *l, const swi_step_plan *p) {
  SW_TRY(swi_grow_index(l, p->batch));
  if (l->measuring.program && p->part > l->measuring_capacity) {
    SW_TRY(sw_workspace_batch(l->measuring.workspace, p->part));
    l->measuring_capacity = p->part;
  }
  SW_TRY(sw_workspace_batch(p->measured ? l->measuring.workspace : l->plain.workspace, p->part));
  if (p->part < p->batch) {
    SW_TRY(need_vector(l, &l->part));
    SW_TRY(swi_buffers_room(l));
  }
  for (int i = 0; i < swi_moments(l, p); i++) SW_TRY(need_vector(l, &l->moment[i]));
  return SW_OK;
}

/* -------------------------------------------------------------- one run */

/* An output in the workspace; refuses one that goes to the gradient. */
static sw_status output_of(sw_loop *l, sw_workspace *w, int i, const void **out) {
  sw_shape shape;
  *out = sw_workspace_output(w, i, &shape);
  if (*out) return SW_OK;
  return sw_fail(l->ctx, SW_EARG, "loop: output %d must not go to the gradient", i + 1);
}

/* Sets what the run of examples first … of the batch reads and writes. */
static sw_status point_run(sw_loop *l, int64_t first, sw_tensor *gradient) {
  l->vectors[SWI_WEIGHTS] = sw_tensor_data(l->weights);
  l->last = (sw_run){.vectors = l->vectors,
                     .n_vectors = SWI_FED_VECTORS,
                     .seed = l->seed,
                     .step = l->state.step,
                     .first_example = l->state.examples + first};
  SW_TRY(swi_buffers_point(l, &l->last));
  return sw_tensor_writable(gradient, &l->last.out);
}

/* Examples first … first + n - 1 of the batch; loss and norms are added with the part's weight. */
static sw_status run_part(sw_loop *l, const swi_step_plan *p, int64_t first, int64_t n,
                          sw_tensor *gradient, const sw_updater *updater, swi_outcome *o) {
  sw_workspace *w = p->measured ? l->measuring.workspace : l->plain.workspace;
  const void *loss = NULL, *norms = NULL;
  SW_TRY(point_run(l, first, gradient));
  SW_TRY(sw_workspace_batch(w, n));
  l->last_run = w;
  const sw_draw draw = {l->last.seed, l->last.first_example};
  SW_TRY(swi_feed_run(w, l->source, l->index + first, n, &draw, &l->last, updater));
  SW_TRY(swi_buffers_merge(l, (double)n / (double)(first + n)));
  SW_TRY(output_of(l, w, 0, &loss));
  double weight = (double)n / (double)p->batch; /* 1, to the bit, for a whole batch */
  o->loss += weight * swi_feed_sum(0, loss, 1, l->real);
  if (!p->measured) return SW_OK;
  SW_TRY(output_of(l, w, 1, &norms));
  o->sum_sumsq = swi_feed_sum(o->sum_sumsq, norms, n, l->real);
  return SW_OK;
}

/* -------------------------------------------------------------- parts */

typedef struct accumulation {
  const swi_kernels *k;
  char *sum;
  const char *part; /* NULL: sum is the first one, and is only scaled */
  double weight;
} accumulation;

static double accumulate_piece(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const accumulation *a = arg;
  int64_t at = first * a->k->element_bytes;
  (void)range;
  if (a->part)
    a->k->axpy(n, a->weight, a->part + at, a->sum + at);
  else
    a->k->scale(n, a->weight, a->sum + at, a->sum + at);
  return 0;
}

static sw_status accumulate(sw_loop *l, const sw_tensor *part, double weight) {
  void *sum;
  SW_TRY(sw_tensor_writable(l->gradient, &sum));
  accumulation a = {l->k, sum, part ? sw_tensor_data(part) : NULL, weight};
  uint32_t mode = swi_fpmode_get();
  if (l->real == SW_F32) swi_fpmode_flush();
  swi_ranges_run(l->ranges, 0, swi_ranges_count(l->ranges), accumulate_piece, &a);
  swi_fpmode_set(mode);
  return SW_OK;
}

static sw_status run_parts(sw_loop *l, const swi_step_plan *p, swi_outcome *o) {
  for (int64_t first = 0; first < p->batch; first += p->part) {
    int64_t n = p->part < p->batch - first ? p->part : p->batch - first;
    sw_tensor *gradient = first == 0 ? l->gradient : l->part;
    SW_TRY(run_part(l, p, first, n, gradient, NULL, o));
    SW_TRY(accumulate(l, first == 0 ? NULL : l->part, (double)n / (double)p->batch));
    if (!isfinite(o->loss)) break; /* sw_loop_first_nan looks at this part */
  }
  return SW_OK;
}

/* The sampler follows the count of examples: a step that was refused sees the same ones again. */
sw_status swi_compute(sw_loop *l, const swi_step_plan *p, const sw_updater *updater,
                      swi_outcome *o) {
  *o = (swi_outcome){.range = -1};
  SW_TRY(sw_sampler_seek(l->sampler, l->state.examples));
  sw_sampler_next(l->sampler, p->batch, l->index);
  l->has_gradient = 1;
  swi_buffers_begin(l);
  if (p->part < p->batch) return run_parts(l, p, o);
  int64_t coming;
  const int32_t *index = swi_sampler_drawn(l->sampler, p->batch, &coming);
  swi_source_expect(l->source, index, coming);
  sw_status status = run_part(l, p, 0, p->batch, l->gradient, updater, o);
  swi_source_forget(l->source);
  return status;
}
