/* schedule_check.c: the fields of a spec, and whether one is good, by the row of its kind. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/schedule_int.h"

static const char *const shapes[] = {
    [SW_DECAY_COSINE] = "cosine",
    [SW_DECAY_LINEAR] = "linear",
    [SW_DECAY_ONE_MINUS_SQRT] = "1-sqrt",
    NULL,
};

#define AT(field) .name = #field, .offset = offsetof(sw_schedule_spec, field)
#define LIST(field) AT(field), .count = offsetof(sw_schedule_spec, n_##field)
#define FINITE .range = {-HUGE_VAL, HUGE_VAL, 1}
/* Durations: the upper bound keeps counts exact in a double and products with the epoch finite. */
#define POSITIVE .range = {DBL_TRUE_MIN, 0x1p53, 0}
#define FROM_ZERO .range = {0, 0x1p53, 0}

static const sw_field fields[SWI_SCHEDULE_FIELDS + 1] = {
    [SWI_VALUE] = {AT(value), FINITE},
    [SWI_FROM] = {AT(from), FINITE},
    [SWI_TO] = {AT(to), FINITE},
    [SWI_MAX] = {AT(max), FINITE},
    [SWI_MIN] = {AT(min), FINITE},
    [SWI_GAMMA] = {AT(gamma), FINITE, .fallback = 1},
    [SWI_POWER] = {AT(power), .fallback = 1, .range = {0, HUGE_VAL, 1}},
    [SWI_FRACTION] = {AT(fraction), .fallback = 0.3, .range = {0, 1, 0}},
    [SWI_MULTIPLIER] = {AT(multiplier), .type = SW_FIELD_WHOLE, .fallback = 1,
                        .range = {1, INT32_MAX, 0}},
    [SWI_SHAPE] = {AT(shape), .type = SW_FIELD_CHOICE, .choices = shapes},
    [SWI_THREE_PHASE] = {AT(three_phase), .type = SW_FIELD_FLAG},
    [SWI_PERIOD] = {AT(period), .type = SW_FIELD_DURATION, POSITIVE},
    [SWI_DOWN] = {AT(down), .type = SW_FIELD_DURATION, FROM_ZERO},
    [SWI_WARMUP] = {AT(warmup), .type = SW_FIELD_DURATION, FROM_ZERO},
    [SWI_STABLE] = {AT(stable), .type = SW_FIELD_DURATION, FROM_ZERO},
    [SWI_DECAY] = {AT(decay), .type = SW_FIELD_DURATION, POSITIVE},
    [SWI_VALUES] = {LIST(values), .type = SW_FIELD_NUMBERS, FINITE},
    [SWI_MARKS] = {LIST(marks), .type = SW_FIELD_DURATIONS, FROM_ZERO},
    [SWI_DURATIONS] = {LIST(durations), .type = SW_FIELD_DURATIONS, POSITIVE},
    [SWI_SCHEDULES] = {.name = "schedules",
                       .type = SW_FIELD_SCHEDULES,
                       .offset = offsetof(sw_schedule_spec, parts),
                       .count = offsetof(sw_schedule_spec, n_parts)},
};

const sw_field *sw_schedule_fields(void) { return fields + 1; }

static const swi_schedule_row *const rows[SW_SCHEDULE_KIND_COUNT] = {
#define SCHEDULE(name) [SW_SCHEDULE_##name] = &swi_schedule_##name,
#include "train/schedules.def"
};

const swi_schedule_row *swi_schedule_row_of(int kind) {
  return kind >= 0 && kind < SW_SCHEDULE_KIND_COUNT ? rows[kind] : NULL;
}

const char *sw_schedule_kind_name(int kind) {
  const swi_schedule_row *row = swi_schedule_row_of(kind);
  return row ? row->name : NULL;
}

sw_schedule_spec sw_schedule_defaults(sw_schedule_kind kind) {
  sw_schedule_spec s = {.kind = kind};
  for (const sw_field *f = sw_schedule_fields(); f->name; f++) {
    char *at = (char *)&s + f->offset;
    int64_t whole = (int64_t)f->fallback;
    if (f->type == SW_FIELD_NUMBER) memcpy(at, &f->fallback, sizeof f->fallback);
    if (f->type == SW_FIELD_WHOLE) memcpy(at, &whole, sizeof whole);
  }
  if (rows[kind]->defaults) rows[kind]->defaults(&s);
  return s;
}

/* -------------------------------------------------------------- checking */

/* No clock is read where the duration is 0. */
static sw_status check_duration(sw_context *ctx, const sw_field *f, sw_duration d, int *clocks) {
  if (d.unit != SW_STEPS && d.unit != SW_EXAMPLES && d.unit != SW_EPOCHS)
    return sw_fail(ctx, SW_EARG, "schedule: %s has no known unit", f->name);
  if (!(d.amount >= f->range.least && d.amount <= f->range.most))
    return sw_fail(ctx, SW_ERANGE, "schedule: %s must be %s and finite, got %g", f->name,
                   f->range.least > 0 ? "positive" : "0 or more", d.amount);
  if (d.amount > 0) *clocks |= d.unit == SW_STEPS ? SWI_CLOCK_STEPS : SWI_CLOCK_EXAMPLES;
  return SW_OK;
}

static sw_status check_number(sw_context *ctx, const sw_field *f, double x) {
  return sw_interval_check(ctx, "schedule", f->name, f->range, x);
}

/* What lies at an offset of the spec. */
static const void *at_offset(const sw_schedule_spec *s, size_t offset) {
  return (const char *)s + offset;
}

static sw_status check_list(sw_context *ctx, const sw_schedule_spec *s, const sw_field *f,
                            int *clocks) {
  int n = *(const int *)at_offset(s, f->count);
  const double *values = s->values;
  const sw_duration *durations = *(const sw_duration *const *)at_offset(s, f->offset);
  for (int i = 0; i < n; i++)
    if (f->type == SW_FIELD_NUMBERS)
      SW_TRY(check_number(ctx, f, values[i]));
    else
      SW_TRY(check_duration(ctx, f, durations[i], clocks));
  return SW_OK;
}

static sw_status check_parts(sw_context *ctx, const sw_schedule_spec *s) {
  const swi_schedule_row *row = rows[s->kind];
  if (row->one_part && s->n_parts != 1)
    return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule, got %d", row->name, s->n_parts);
  if (s->n_parts >= 1) return SW_OK;
  return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule or more", row->name);
}

static sw_status check_field(sw_context *ctx, const sw_schedule_spec *s, const sw_field *f,
                             int *clocks) {
  const void *at = at_offset(s, f->offset);
  switch (f->type) {
  case SW_FIELD_NUMBER: return check_number(ctx, f, *(const double *)at);
  case SW_FIELD_WHOLE: return check_number(ctx, f, (double)*(const int64_t *)at);
  case SW_FIELD_DURATION: return check_duration(ctx, f, *(const sw_duration *)at, clocks);
  case SW_FIELD_NUMBERS:
  case SW_FIELD_DURATIONS: return check_list(ctx, s, f, clocks);
  case SW_FIELD_SCHEDULES: return check_parts(ctx, s);
  case SW_FIELD_FLAG:
  case SW_FIELD_CHOICE: return SW_OK;
  }
  return SW_OK;
}

sw_status swi_schedule_check(sw_context *ctx, const sw_schedule_spec *s, int *clocks) {
  const swi_schedule_row *row = swi_schedule_row_of((int)s->kind);
  *clocks = 0;
  if (!row) return sw_fail(ctx, SW_EARG, "schedule: unknown kind %d", (int)s->kind);
  for (const unsigned char *f = row->fields; *f; f++)
    SW_TRY(check_field(ctx, s, &fields[*f], clocks));
  if (row->check) SW_TRY(row->check(ctx, s));
  if (*clocks == (SWI_CLOCK_STEPS | SWI_CLOCK_EXAMPLES))
    return sw_fail(ctx, SW_EARG, "schedule: give the durations of a %s all in steps, or none",
                   row->name);
  return SW_OK;
}
