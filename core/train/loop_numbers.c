/* loop_numbers.c: the hyperparameters, and the plan of the coming step. */
#include <math.h>

#include "train/loop_int.h"

static sw_status check_hyper(sw_context *ctx, int h, double x) {
  const sw_hyper_row *row = sw_hyper_row_of(h);
  return sw_interval_check(ctx, NULL, row->name, row->range, x);
}

static void replace(sw_loop *l, sw_hyper h, swi_number number) {
  sw_schedule_release(l->hyper[h].schedule);
  l->hyper[h] = number;
}

sw_status sw_loop_set(sw_loop *l, sw_hyper h, double value) {
  SW_TRY(check_hyper(l->ctx, (int)h, value));
  replace(l, h, (swi_number){NULL, value});
  return SW_OK;
}

void sw_loop_set_schedule(sw_loop *l, sw_hyper h, sw_schedule *s) {
  replace(l, h, (swi_number){sw_schedule_retain(s), 0});
}

/* Rounds down, but a schedule's 31.999999999999996 counts as 32. */
int64_t swi_whole_batch(double x) {
  const sw_interval range = sw_hyper_row_of(SW_HYPER_BATCH_SIZE)->range;
  return x >= range.least && x <= range.most ? (int64_t)(x * (1 + 1e-12)) : 0;
}

static double value_at(const swi_number *number, const sw_progress *p) {
  return number->schedule ? sw_schedule_at(number->schedule, p) : number->value;
}

static double coupled(const sw_loop *l, double lr, int64_t batch) {
  double ratio = (double)batch / l->reference_batch;
  if (l->coupling == SW_COUPLING_LINEAR) return lr * ratio;
  return l->coupling == SW_COUPLING_SQRT ? lr * sqrt(ratio) : lr;
}

/* The batch size comes first: the others' progress includes it. */
void swi_coming_values(const sw_loop *l, double value[SW_HYPER_COUNT]) {
  sw_progress p = {l->state.step, l->state.examples, l->state.examples,
                   sw_sampler_size(l->sampler)};
  double batch = value_at(&l->hyper[SW_HYPER_BATCH_SIZE], &p);
  p.next_examples += swi_whole_batch(batch);
  for (int h = 0; h < SW_HYPER_COUNT; h++) value[h] = value_at(&l->hyper[h], &p);
  value[SW_HYPER_BATCH_SIZE] = batch;
  value[SW_HYPER_LR] = coupled(l, value[SW_HYPER_LR], swi_whole_batch(batch));
}

static sw_status check_room(const sw_loop *l, int64_t batch) {
  const sw_loop_state *s = &l->state;
  if (s->step < SW_LARGEST_COUNT && s->examples <= SW_LARGEST_COUNT - batch) return SW_OK;
  return sw_fail(l->ctx, SW_ERANGE,
                 "loop: after step %lld and %lld examples, a batch of %lld counts beyond 2^53",
                 (long long)s->step, (long long)s->examples, (long long)batch);
}

sw_status swi_plan_step(const sw_loop *l, swi_step_plan *p) {
  int due = l->measure_every > 0 && (l->state.step + 1) % l->measure_every == 0;
  *p = (swi_step_plan){.measured = due || l->measure_next};
  swi_coming_values(l, p->hyper);
  for (int h = 0; h < SW_HYPER_COUNT; h++) SW_TRY(check_hyper(l->ctx, h, p->hyper[h]));
  SW_TRY(swi_optimizer_check_hyper(l->ctx, l->optimizer.kind, p->hyper));
  p->batch = swi_whole_batch(p->hyper[SW_HYPER_BATCH_SIZE]);
  SW_TRY(check_room(l, p->batch));
  p->part = l->micro_batch > 0 && l->micro_batch < p->batch ? l->micro_batch : p->batch;
  p->update = swi_update_of(&l->optimizer, p->hyper);
  p->update.step = l->state.step + 1;
  p->update.first = !l->has_moments;
  return SW_OK;
}

int swi_moments(const sw_loop *l, const swi_step_plan *p) {
  return sw_optimizer_moments(l->optimizer.kind, p->hyper[SW_HYPER_MOMENTUM]);
}
