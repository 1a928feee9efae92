/* schedule_check.c: the fields of a spec, and whether one is good, by the row of its kind. */
#include <float.h>
#include <math.h>

#include "train/schedule_int.h"

static const char *const shapes[] = {
    [SW_DECAY_COSINE] = "cosine",
    [SW_DECAY_LINEAR] = "linear",
    [SW_DECAY_ONE_MINUS_SQRT] = "1-sqrt",
    NULL,
};

#define AT(field) .name = #field, .offset = offsetof(sw_schedule_spec, field)
#define MEMBER(field) ((sw_schedule_spec *)0)->field
#define LIST(field)                                                                            \
  .offset = offsetof(sw_schedule_spec, field), .count = offsetof(sw_schedule_spec, n_##field), \
  .element = sizeof *MEMBER(field)
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
    [SWI_LOWEST] = {AT(min), .fallback = -HUGE_VAL, .range = {-HUGE_VAL, HUGE_VAL, 0}},
    [SWI_HIGHEST] = {AT(max), .fallback = HUGE_VAL, .range = {-HUGE_VAL, HUGE_VAL, 0}},
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
    [SWI_VALUES] = {.name = "values", LIST(values), .type = SW_FIELD_NUMBERS, FINITE},
    [SWI_MARKS] = {.name = "marks", LIST(marks), .type = SW_FIELD_DURATIONS, FROM_ZERO},
    [SWI_DURATIONS] = {.name = "durations", LIST(durations), .type = SW_FIELD_DURATIONS, POSITIVE},
    [SWI_SCHEDULES] = {.name = "schedules", LIST(parts), .type = SW_FIELD_SCHEDULES},
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

int sw_schedule_reads(sw_schedule_kind kind, const sw_field *f) {
  const unsigned char *read = rows[kind]->fields;
  for (int i = 0; i < SWI_SCHEDULE_FIELDS && read[i]; i++)
    if (&fields[read[i]] == f) return 1;
  return 0;
}

sw_schedule_spec sw_schedule_defaults(sw_schedule_kind kind) {
  sw_schedule_spec s = {.kind = kind};
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (sw_schedule_reads(kind, f)) sw_field_default(f, &s);
  if (rows[kind]->defaults) rows[kind]->defaults(&s);
  return s;
}

/* -------------------------------------------------------------- checking */

int swi_duration_clock(sw_duration d) {
  if (!(d.amount > 0)) return 0;
  return d.unit == SW_STEPS ? SWI_CLOCK_STEPS : SWI_CLOCK_EXAMPLES;
}

/* Which clocks the durations of a field name. */
static int clocks_of(const sw_field *f, const sw_schedule_spec *s) {
  if (f->type == SW_FIELD_DURATION)
    return swi_duration_clock(*(const sw_duration *)((const char *)s + f->offset));
  if (f->type != SW_FIELD_DURATIONS) return 0;
  int n, clocks = 0;
  const sw_duration *list = sw_field_list(f, s, &n);
  for (int i = 0; i < n; i++) clocks |= swi_duration_clock(list[i]);
  return clocks;
}

static sw_status check_parts(sw_context *ctx, const sw_schedule_spec *s) {
  const swi_schedule_row *row = rows[s->kind];
  if (row->one_part && s->n_parts != 1)
    return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule, got %d", row->name, s->n_parts);
  if (s->n_parts >= 1) return SW_OK;
  return sw_fail(ctx, SW_EARG, "schedule: %s is of one schedule or more", row->name);
}

sw_status swi_schedule_check(sw_context *ctx, const sw_schedule_spec *s, int *clocks) {
  const swi_schedule_row *row = swi_schedule_row_of((int)s->kind);
  *clocks = 0;
  if (!row) return sw_fail(ctx, SW_EARG, "schedule: unknown kind %d", (int)s->kind);
  for (const sw_field *f = sw_schedule_fields(); f->name; f++) {
    if (!sw_schedule_reads(s->kind, f)) continue;
    SW_TRY(sw_field_check(ctx, "schedule", f, s));
    if (f->type == SW_FIELD_SCHEDULES) SW_TRY(check_parts(ctx, s));
    *clocks |= clocks_of(f, s);
  }
  if (row->check) SW_TRY(row->check(ctx, s));
  if (*clocks == (SWI_CLOCK_STEPS | SWI_CLOCK_EXAMPLES))
    return sw_fail(ctx, SW_EARG, "schedule: give the durations of a %s all in steps, or none",
                   row->name);
  return SW_OK;
}
