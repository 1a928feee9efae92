/* schedule.c: values as pure functions of progress. */
#include "train/schedule.h"

#include <math.h>

/* Durations such as 0.07 epochs of 100 examples are whole numbers that binary fractions miss by a
 * few units in the last place. Far below one example for any training that can be run. */
static const double slack = 1e-12;

static double snap(double x) {
  double whole = round(x);
  return fabs(x - whole) <= slack * fabs(x) ? whole : x;
}

double sw_duration_examples(sw_duration d, int64_t epoch_examples) {
  return d.unit == SW_EPOCHS ? snap(d.amount * (double)epoch_examples) : d.amount;
}

/* Where progress stands on the scale of a duration, before and after the coming update. */
typedef struct clock {
  double now, next, period;
} clock;

static clock clock_of(sw_duration d, const sw_progress *p) {
  if (d.unit == SW_STEPS) return (clock){(double)p->step, (double)p->step + 1, d.amount};
  return (clock){(double)p->examples, (double)p->next_examples,
                 sw_duration_examples(d, p->epoch_examples)};
}

static double whole_periods(double now, double period) { return floor(snap(now / period)); }

static double step_at(const sw_schedule *s, const sw_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value * pow(s->gamma, whole_periods(c.now, c.period));
}

static double cyclic_at(const sw_schedule *s, const sw_progress *p) {
  clock c = clock_of(s->period, p);
  double begin = whole_periods(c.now, c.period) * c.period;
  double x = fmin(1, fmax(0, (c.next - begin) / c.period));
  return (1 - x) * s->max + x * s->min;
}

static double triangular_at(const sw_schedule *s, const sw_progress *p) {
  clock up = clock_of(s->period, p), down = clock_of(s->down, p);
  double length = up.period + down.period;
  double u = fmin(length, fmax(0, up.now - whole_periods(up.now, length) * length));
  double x = u <= up.period ? u / up.period : (length - u) / down.period;
  return s->min + (s->max - s->min) * x;
}

double sw_schedule_at(const sw_schedule *s, const sw_progress *p) {
  switch (s->kind) {
  case SW_SCHEDULE_CONSTANT: return s->value;
  case SW_SCHEDULE_STEP: return step_at(s, p);
  case SW_SCHEDULE_CYCLIC: return cyclic_at(s, p);
  case SW_SCHEDULE_TRIANGULAR: return triangular_at(s, p);
  }
  return (double)NAN;
}

/* The upper bound keeps counts exact in a double and products with the epoch finite. */
static sw_status check_duration(sw_context *ctx, const char *what, sw_duration d) {
  if (d.unit != SW_STEPS && d.unit != SW_EXAMPLES && d.unit != SW_EPOCHS)
    return sw_fail(ctx, SW_EARG, "schedule: %s has no known unit", what);
  if (!(d.amount > 0 && d.amount <= 0x1p53))
    return sw_fail(ctx, SW_ERANGE, "schedule: %s must be positive and finite, got %g", what,
                   d.amount);
  return SW_OK;
}

static sw_status check_finite(sw_context *ctx, const char *what, double x) {
  if (isfinite(x)) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "schedule: %s must be finite, got %g", what, x);
}

static sw_status check_ends(sw_context *ctx, const sw_schedule *s) {
  SW_TRY(check_finite(ctx, "max", s->max));
  return check_finite(ctx, "min", s->min);
}

static sw_status check_triangular(sw_context *ctx, const sw_schedule *s) {
  SW_TRY(check_ends(ctx, s));
  SW_TRY(check_duration(ctx, "the way up", s->period));
  SW_TRY(check_duration(ctx, "the way down", s->down));
  if ((s->period.unit == SW_STEPS) != (s->down.unit == SW_STEPS))
    return sw_fail(ctx, SW_EARG, "schedule: give the ways up and down both in steps, or neither");
  return SW_OK;
}

sw_status sw_schedule_check(sw_context *ctx, const sw_schedule *s) {
  switch (s->kind) {
  case SW_SCHEDULE_CONSTANT: return check_finite(ctx, "value", s->value);
  case SW_SCHEDULE_STEP:
    SW_TRY(check_finite(ctx, "value", s->value));
    SW_TRY(check_finite(ctx, "gamma", s->gamma));
    return check_duration(ctx, "period", s->period);
  case SW_SCHEDULE_CYCLIC:
    SW_TRY(check_ends(ctx, s));
    return check_duration(ctx, "period", s->period);
  case SW_SCHEDULE_TRIANGULAR: return check_triangular(ctx, s);
  }
  return sw_fail(ctx, SW_EARG, "schedule: unknown kind %d", (int)s->kind);
}
