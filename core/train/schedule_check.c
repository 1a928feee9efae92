/* schedule_check.c: whether a spec is good, by a row for each kind. */
#include <math.h>
#include <stddef.h>

#include "train/schedule_int.h"

typedef struct field {
  const char *name;
  size_t offset;
} field;

#define FIELD(name) \
  { #name, offsetof(sw_schedule_spec, name) }
static const field numbers[] = {FIELD(value), FIELD(from),  FIELD(to),   FIELD(max),
                                FIELD(min),   FIELD(gamma), FIELD(power)};
static const field durations[] = {FIELD(period), FIELD(down), FIELD(warmup), FIELD(stable),
                                  FIELD(decay)};

enum { VALUE = 1, FROM = 2, TO = 4, MAX = 8, MIN = 16, GAMMA = 32, POWER = 64 };
enum { PERIOD = 1, DOWN = 2, WARMUP = 4, STABLE = 8, DECAY = 16 };
enum { ONE = 1, MANY = 2 }; /* parts */

static const struct row {
  const char *name;
  int numbers, durations, marks, parts;
} rows[SW_SCHEDULE_KIND_COUNT] = {
    [SW_SCHEDULE_CONSTANT] = {"constant", VALUE, 0, 0, 0},
    [SW_SCHEDULE_STEP] = {"step", VALUE | GAMMA, PERIOD, 0, 0},
    [SW_SCHEDULE_MULTI_STEP] = {"multi_step", VALUE | GAMMA, 0, 1, 0},
    [SW_SCHEDULE_PIECEWISE] = {"piecewise", 0, 0, 1, 0},
    [SW_SCHEDULE_EXPONENTIAL] = {"exponential", VALUE | GAMMA, PERIOD, 0, 0},
    [SW_SCHEDULE_LINEAR] = {"linear", FROM | TO, PERIOD, 0, 0},
    [SW_SCHEDULE_POLYNOMIAL] = {"polynomial", FROM | TO | POWER, PERIOD, 0, 0},
    [SW_SCHEDULE_COSINE] = {"cosine", FROM | TO, PERIOD, 0, 0},
    [SW_SCHEDULE_COSINE_RESTARTS] = {"cosine_restarts", FROM | TO, PERIOD, 0, 0},
    [SW_SCHEDULE_CYCLIC] = {"cyclic", MAX | MIN, PERIOD, 0, 0},
    [SW_SCHEDULE_TRIANGULAR] = {"triangular", MAX | MIN, PERIOD | DOWN, 0, 0},
    [SW_SCHEDULE_TRIANGULAR2] = {"triangular2", MAX | MIN, PERIOD | DOWN, 0, 0},
    [SW_SCHEDULE_EXP_RANGE] = {"exp_range", MAX | MIN | GAMMA, PERIOD | DOWN, 0, 0},
    [SW_SCHEDULE_ONE_CYCLE] = {"one_cycle", FROM | MAX | TO, PERIOD, 0, 0},
    [SW_SCHEDULE_WARMUP_STABLE_DECAY] = {"warmup_stable_decay", FROM | MAX | TO,
                                         WARMUP | STABLE | DECAY, 0, 0},
    [SW_SCHEDULE_INVERSE_SQRT] = {"inverse_sqrt", FROM | VALUE, PERIOD, 0, 0},
    [SW_SCHEDULE_CHAIN] = {"chain", 0, 0, 0, MANY},
    [SW_SCHEDULE_SCALE] = {"scale", VALUE, 0, 0, ONE},
    [SW_SCHEDULE_PRODUCT] = {"product", 0, 0, 0, MANY},
    [SW_SCHEDULE_CLAMP] = {"clamp", 0, 0, 0, ONE},
    [SW_SCHEDULE_FLOOR] = {"floor", 0, 0, 0, ONE},
};

const char *sw_schedule_kind_name(int kind) {
  return kind >= 0 && kind < SW_SCHEDULE_KIND_COUNT ? rows[kind].name : NULL;
}

static sw_status check_finite(sw_context *ctx, const char *what, double x) {
  if (isfinite(x)) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "schedule: %s must be finite, got %g", what, x);
}

/* The upper bound keeps counts exact in a double and products with the epoch finite. */
static sw_status check_duration(sw_context *ctx, const char *what, sw_duration d, int may_be_zero,
                                int *clocks) {
  if (d.unit != SW_STEPS && d.unit != SW_EXAMPLES && d.unit != SW_EPOCHS)
    return sw_fail(ctx, SW_EARG, "schedule: %s has no known unit", what);
  if (!(d.amount >= 0 && d.amount <= 0x1p53) || (d.amount == 0 && !may_be_zero))
    return sw_fail(ctx, SW_ERANGE, "schedule: %s must be %s and finite, got %g", what,
                   may_be_zero ? "0 or more" : "positive", d.amount);
  *clocks |= d.unit == SW_STEPS ? SWI_CLOCK_STEPS : SWI_CLOCK_EXAMPLES;
  return SW_OK;
}

static sw_status check_fields(sw_context *ctx, const sw_schedule_spec *s, int *clocks) {
  const struct row *row = &rows[s->kind];
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (!(row->numbers & 1 << i)) continue;
    const double *x = (const void *)((const char *)s + numbers[i].offset);
    SW_TRY(check_finite(ctx, numbers[i].name, *x));
  }
  for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
    if (!(row->durations & 1 << i)) continue;
    const sw_duration *d = (const void *)((const char *)s + durations[i].offset);
    SW_TRY(check_duration(ctx, durations[i].name, *d, (WARMUP | STABLE) & 1 << i, clocks));
  }
  return SW_OK;
}

static sw_status check_lists(sw_context *ctx, const sw_schedule_spec *s, int *clocks) {
  const struct row *row = &rows[s->kind];
  for (int i = 0; row->marks && i < s->n_marks; i++)
    SW_TRY(check_duration(ctx, "a mark", s->marks[i], 1, clocks));
  if (s->kind == SW_SCHEDULE_PIECEWISE && s->n_values != s->n_marks + 1)
    return sw_fail(ctx, SW_EARG, "schedule: %d marks want %d values, got %d", s->n_marks,
                   s->n_marks + 1, s->n_values);
  for (int i = 0; s->kind == SW_SCHEDULE_PIECEWISE && i < s->n_values; i++)
    SW_TRY(check_finite(ctx, "a value", s->values[i]));
  if (row->parts == ONE && s->n_parts != 1)
    return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule, got %d", row->name, s->n_parts);
  if (row->parts == MANY && s->n_parts < 1)
    return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule or more", row->name);
  if (s->kind != SW_SCHEDULE_CHAIN) return SW_OK;
  if (s->n_durations != s->n_parts && s->n_durations != s->n_parts - 1)
    return sw_fail(ctx, SW_EARG, "schedule: a chain of %d wants %d durations, got %d", s->n_parts,
                   s->n_parts - 1, s->n_durations);
  for (int i = 0; i < s->n_durations; i++)
    SW_TRY(check_duration(ctx, "a duration", s->durations[i], 0, clocks));
  return SW_OK;
}

/* What is particular to one kind. */
static sw_status check_kind(sw_context *ctx, const sw_schedule_spec *s) {
  switch (s->kind) {
  case SW_SCHEDULE_EXPONENTIAL:
  case SW_SCHEDULE_EXP_RANGE:
    if (s->gamma > 0) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "schedule: gamma must be positive, got %g", s->gamma);
  case SW_SCHEDULE_POLYNOMIAL:
    if (s->power >= 0) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "schedule: power must not be negative, got %g", s->power);
  case SW_SCHEDULE_COSINE_RESTARTS:
    if (s->multiplier >= 1) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "schedule: multiplier must be 1 or more, got %lld",
                   (long long)s->multiplier);
  case SW_SCHEDULE_ONE_CYCLE:
    if (s->shape == SW_DECAY_ONE_MINUS_SQRT)
      return sw_fail(ctx, SW_EARG, "schedule: one_cycle has the shapes cosine and linear");
    if (s->fraction >= 0 && s->fraction <= 1) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "schedule: fraction must be 0 to 1, got %g", s->fraction);
  case SW_SCHEDULE_CLAMP:
    if (s->min <= s->max) return SW_OK;
    return sw_fail(ctx, SW_ERANGE, "schedule: cannot clamp into %g to %g", s->min, s->max);
  default: return SW_OK;
  }
}

sw_status swi_schedule_check(sw_context *ctx, const sw_schedule_spec *s, int *clocks) {
  *clocks = 0;
  if (!sw_schedule_kind_name((int)s->kind))
    return sw_fail(ctx, SW_EARG, "schedule: unknown kind %d", (int)s->kind);
  SW_TRY(check_fields(ctx, s, clocks));
  SW_TRY(check_lists(ctx, s, clocks));
  SW_TRY(check_kind(ctx, s));
  if (*clocks == (SWI_CLOCK_STEPS | SWI_CLOCK_EXAMPLES))
    return sw_fail(ctx, SW_EARG, "schedule: give the durations of a %s all in steps, or none",
                   rows[s->kind].name);
  return SW_OK;
}
