/* schedule_combine.c: the kinds of schedules that are made of others: curve and row of each. */
#include <math.h>

#include "train/schedule_int.h"

/* One after another, each with a clock that starts at 0; the last goes on. */
static double chain_at(const sw_schedule_spec *s, const swi_progress *p) {
  int i = 0;
  double begin = 0;
  swi_progress here = *p;
  for (; i < s->n_parts - 1; i++) {
    sw_duration d = s->durations[i];
    double end = swi_snap(begin + swi_duration_length(d, p->epoch_examples));
    if ((d.unit == SW_STEPS ? p->step : p->examples) < end) break;
    begin = end;
  }
  if (i > 0 && s->durations[0].unit == SW_STEPS) {
    here.step -= begin;
  } else {
    here.examples -= begin;
    here.next_examples -= begin;
  }
  return swi_schedule_at(s->parts[i], &here);
}

/* A part that counts on another scale than the durations has no known start. */
static sw_status check_starts(sw_context *ctx, const sw_schedule_spec *s) {
  int clocks = 0;
  for (int i = 0; i < s->n_durations; i++) clocks |= swi_duration_clock(s->durations[i]);
  for (int i = 1; i < s->n_parts; i++) {
    if (!(swi_schedule_clocks(s->parts[i]) & ~clocks)) continue;
    int steps = clocks == SWI_CLOCK_STEPS;
    return sw_fail(ctx, SW_EARG,
                   "schedule: a chain with durations in %s has a part (number %d) that counts %s; "
                   "its start cannot be known beforehand",
                   steps ? "steps" : "examples or epochs", i + 1,
                   steps ? "examples or epochs" : "steps");
  }
  return SW_OK;
}

static sw_status check_chain(sw_context *ctx, const sw_schedule_spec *s) {
  const int n = s->n_parts, least = n - 1;
  if (s->n_durations == n || s->n_durations == least) return check_starts(ctx, s);
  return sw_fail(ctx, SW_EARG, "schedule: a chain of %d schedule%s needs %d duration%s, got %d", n,
                 n == 1 ? "" : "s", least, least == 1 ? "" : "s", s->n_durations);
}

const swi_schedule_row swi_schedule_chain = {.name = "chain",
                                             .fields = {SWI_SCHEDULES, SWI_DURATIONS},
                                             .at = chain_at,
                                             .check = check_chain};

static double scale_at(const sw_schedule_spec *s, const swi_progress *p) {
  return s->value * swi_schedule_at(s->parts[0], p);
}

const swi_schedule_row swi_schedule_scale = {
    .name = "scale", .fields = {SWI_VALUE, SWI_SCHEDULES}, .at = scale_at, .one_part = 1};

static double product_at(const sw_schedule_spec *s, const swi_progress *p) {
  double product = 1;
  for (int i = 0; i < s->n_parts; i++) product *= swi_schedule_at(s->parts[i], p);
  return product;
}

const swi_schedule_row swi_schedule_product = {
    .name = "product", .fields = {SWI_SCHEDULES}, .at = product_at};

/* Into min … max; either may be infinite. */
static double clamp_at(const sw_schedule_spec *s, const swi_progress *p) {
  return fmin(s->max, fmax(s->min, swi_schedule_at(s->parts[0], p)));
}

static sw_status check_clamp(sw_context *ctx, const sw_schedule_spec *s) {
  if (s->min <= s->max) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "schedule: cannot clamp into %g to %g", s->min, s->max);
}

const swi_schedule_row swi_schedule_clamp = {.name = "clamp",
                                             .fields = {SWI_LOWEST, SWI_HIGHEST, SWI_SCHEDULES},
                                             .at = clamp_at,
                                             .one_part = 1,
                                             .check = check_clamp};

/* The whole number below (or just above, by rounding). */
static double floor_at(const sw_schedule_spec *s, const swi_progress *p) {
  return floor(swi_snap(swi_schedule_at(s->parts[0], p)));
}

const swi_schedule_row swi_schedule_floor = {
    .name = "floor", .fields = {SWI_SCHEDULES}, .at = floor_at, .one_part = 1};
