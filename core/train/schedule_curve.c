/* schedule_curve.c: the schedules that have no parts, as functions of a clock. */
#include <math.h>

#include "train/schedule_int.h"

static const double pi = 3.14159265358979323846;

double swi_snap(double x) {
  double whole = round(x);
  return fabs(x - whole) <= 1e-12 * fabs(x) ? whole : x;
}

double sw_duration_examples(sw_duration d, int64_t epoch_examples) {
  return d.unit == SW_EPOCHS ? swi_snap(d.amount * (double)epoch_examples) : d.amount;
}

double swi_duration_length(sw_duration d, int64_t epoch_examples) {
  return d.unit == SW_STEPS ? d.amount : sw_duration_examples(d, epoch_examples);
}

/* Where progress stands on the scale of a duration, before and after the coming update. */
typedef struct clock {
  double now, next, period;
} clock;

static clock clock_of(sw_duration d, const swi_progress *p) {
  double period = swi_duration_length(d, p->epoch_examples);
  if (d.unit == SW_STEPS) return (clock){p->step, p->step + 1, period};
  return (clock){p->examples, p->next_examples, period};
}

static double whole_periods(double now, double period) { return floor(swi_snap(now / period)); }

/* from … to as x goes 0 … 1; the ends are exact. */
static double between(double from, double to, double x) {
  if (x <= 0) return from;
  return x >= 1 ? to : from + (to - from) * x;
}

static double wave(double from, double to, double x) {
  if (x <= 0) return from;
  return x >= 1 ? to : to + (from - to) * (1 + cos(pi * x)) / 2;
}

static double shaped(sw_decay shape, double from, double to, double x) {
  if (shape == SW_DECAY_COSINE) return wave(from, to, x);
  return between(from, to, shape == SW_DECAY_ONE_MINUS_SQRT ? sqrt(fmax(0, x)) : x);
}

/* -------------------------------------------------------------- decays */

static double step_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value * pow(s->gamma, whole_periods(c.now, c.period));
}

static int marks_passed(const sw_schedule_spec *s, const swi_progress *p) {
  int passed = 0;
  for (int i = 0; i < s->n_marks; i++) {
    clock c = clock_of(s->marks[i], p);
    passed += c.period <= c.now;
  }
  return passed;
}

static double exponential_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value * pow(s->gamma, c.now / c.period);
}

static double polynomial_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double x = c.now < c.period ? c.now / c.period : 1;
  return (s->from - s->to) * pow(1 - x, s->power) + s->to;
}

static double linear_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return between(s->from, s->to, c.now / c.period);
}

static double cosine_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return wave(s->from, s->to, c.now / c.period);
}

/* Waves double at least, or are alike: few are counted off. */
static double cosine_restarts_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double begin = 0, length = c.period;
  if (s->multiplier == 1) {
    begin = whole_periods(c.now, length) * length;
  } else {
    while (swi_snap((c.now - begin) / length) >= 1) {
      begin += length;
      length *= (double)s->multiplier;
    }
  }
  return wave(s->from, s->to, (c.now - begin) / length);
}

static double inverse_sqrt_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  if (c.now < c.period) return between(s->from, s->value, c.now / c.period);
  return s->value * sqrt(c.period / c.now);
}

static double warmup_stable_decay_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock warmup = clock_of(s->warmup, p), stable = clock_of(s->stable, p);
  clock decay = clock_of(s->decay, p);
  if (warmup.now < warmup.period) return between(s->from, s->max, warmup.now / warmup.period);
  double left = decay.now - warmup.period - stable.period;
  return shaped(s->shape, s->max, s->to, left / decay.period);
}

/* -------------------------------------------------------------- cycles */

static double cyclic_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double begin = whole_periods(c.now, c.period) * c.period;
  double x = fmin(1, fmax(0, (c.next - begin) / c.period));
  return (1 - x) * s->max + x * s->min;
}

static double clock_in_unit(const clock *c, sw_unit unit, const swi_progress *p) {
  return unit == SW_EPOCHS ? c->now / (double)p->epoch_examples : c->now;
}

static double triangle_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock up = clock_of(s->period, p), down = clock_of(s->down, p);
  double length = up.period + down.period, cycles = whole_periods(up.now, length);
  double u = fmin(length, fmax(0, up.now - cycles * length)), height = 1;
  if (s->kind == SW_SCHEDULE_TRIANGULAR2) height = exp2(-cycles);
  if (s->kind == SW_SCHEDULE_EXP_RANGE)
    height = pow(s->gamma, clock_in_unit(&up, s->period.unit, p));
  double x = u <= up.period ? u / up.period : (length - u) / down.period;
  return s->min + (s->max - s->min) * x * height;
}

/* The part of a phase from begin to end that is over; all of one that has no length. */
static double passed(double now, double begin, double end) {
  return end > begin ? (now - begin) / (end - begin) : 1;
}

/* The clock stands before the coming update, so the last one, which should have the last value,
 * begins one update before the end; so do the phases. */
static double one_cycle_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double update = c.next - c.now, rise = s->fraction * c.period;
  double top = rise - update, back = s->three_phase ? 2 * top : top, end = c.period - update;
  if (c.now <= top) return shaped(s->shape, s->from, s->max, passed(c.now, 0, top));
  if (s->three_phase && c.now <= back)
    return shaped(s->shape, s->max, s->from, passed(c.now, top, back));
  return shaped(s->shape, s->three_phase ? s->from : s->max, s->to, passed(c.now, back, end));
}

double swi_curve_at(const sw_schedule_spec *s, const swi_progress *p) {
  switch (s->kind) {
  case SW_SCHEDULE_CONSTANT: return s->value;
  case SW_SCHEDULE_STEP: return step_at(s, p);
  case SW_SCHEDULE_MULTI_STEP: return s->value * pow(s->gamma, marks_passed(s, p));
  case SW_SCHEDULE_PIECEWISE: return s->values[marks_passed(s, p)];
  case SW_SCHEDULE_EXPONENTIAL: return exponential_at(s, p);
  case SW_SCHEDULE_LINEAR: return linear_at(s, p);
  case SW_SCHEDULE_POLYNOMIAL: return polynomial_at(s, p);
  case SW_SCHEDULE_COSINE: return cosine_at(s, p);
  case SW_SCHEDULE_COSINE_RESTARTS: return cosine_restarts_at(s, p);
  case SW_SCHEDULE_CYCLIC: return cyclic_at(s, p);
  case SW_SCHEDULE_TRIANGULAR:
  case SW_SCHEDULE_TRIANGULAR2:
  case SW_SCHEDULE_EXP_RANGE: return triangle_at(s, p);
  case SW_SCHEDULE_ONE_CYCLE: return one_cycle_at(s, p);
  case SW_SCHEDULE_WARMUP_STABLE_DECAY: return warmup_stable_decay_at(s, p);
  case SW_SCHEDULE_INVERSE_SQRT: return inverse_sqrt_at(s, p);
  default: return (double)NAN;
  }
}
