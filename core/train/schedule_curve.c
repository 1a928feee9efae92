/* schedule_curve.c: the kinds of schedules that have no parts: formula, curve and row of each.
 *
 * t is the schedule's clock: updates made, or examples seen by them; d what the coming update adds
 * to it; x = min(1, t / period). Where PyTorch has a schedule of that kind, the numbers are
 * PyTorch's, but for the notes.
 */
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

/* value */
static double constant_at(const sw_schedule_spec *s, const swi_progress *p) {
  (void)p;
  return s->value;
}

const swi_schedule_row swi_schedule_constant = {
    .name = "constant", .fields = {SWI_VALUE}, .at = constant_at};

/* -------------------------------------------------------------- stairs */

/* value gamma^floor(t / period) */
static double step_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value * pow(s->gamma, whole_periods(c.now, c.period));
}

const swi_schedule_row swi_schedule_step = {
    .name = "step", .fields = {SWI_VALUE, SWI_GAMMA, SWI_PERIOD}, .at = step_at};

static int marks_passed(const sw_schedule_spec *s, const swi_progress *p) {
  int passed = 0;
  for (int i = 0; i < s->n_marks; i++) {
    clock c = clock_of(s->marks[i], p);
    passed += c.period <= c.now;
  }
  return passed;
}

/* value gamma^(number of marks <= t) */
static double multi_step_at(const sw_schedule_spec *s, const swi_progress *p) {
  return s->value * pow(s->gamma, marks_passed(s, p));
}

const swi_schedule_row swi_schedule_multi_step = {
    .name = "multi_step", .fields = {SWI_VALUE, SWI_GAMMA, SWI_MARKS}, .at = multi_step_at};

/* values[number of marks <= t] */
static double piecewise_at(const sw_schedule_spec *s, const swi_progress *p) {
  return s->values[marks_passed(s, p)];
}

static sw_status check_piecewise(sw_context *ctx, const sw_schedule_spec *s) {
  if (s->n_values == s->n_marks + 1) return SW_OK;
  return sw_fail(ctx, SW_EARG, "schedule: %d mark%s need%s %d value%s, got %d", s->n_marks,
                 s->n_marks == 1 ? "" : "s", s->n_marks == 1 ? "s" : "", s->n_marks + 1,
                 s->n_marks == 0 ? "" : "s", s->n_values);
}

const swi_schedule_row swi_schedule_piecewise = {.name = "piecewise",
                                                 .fields = {SWI_VALUES, SWI_MARKS},
                                                 .at = piecewise_at,
                                                 .check = check_piecewise};

/* -------------------------------------------------------------- decays */

static sw_status check_gamma(sw_context *ctx, const sw_schedule_spec *s) {
  if (s->gamma > 0) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "schedule: gamma must be positive, got %g", s->gamma);
}

/* value gamma^(t / period) */
static double exponential_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value * pow(s->gamma, c.now / c.period);
}

const swi_schedule_row swi_schedule_exponential = {.name = "exponential",
                                                   .fields = {SWI_VALUE, SWI_GAMMA, SWI_PERIOD},
                                                   .at = exponential_at,
                                                   .check = check_gamma};

/* from + (to - from) x */
static double linear_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return between(s->from, s->to, c.now / c.period);
}

const swi_schedule_row swi_schedule_linear = {
    .name = "linear", .fields = {SWI_FROM, SWI_TO, SWI_PERIOD}, .at = linear_at};

/* (from - to) (1 - x)^power + to */
static double polynomial_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double x = c.now < c.period ? c.now / c.period : 1;
  return (s->from - s->to) * pow(1 - x, s->power) + s->to;
}

const swi_schedule_row swi_schedule_polynomial = {
    .name = "polynomial", .fields = {SWI_FROM, SWI_TO, SWI_POWER, SWI_PERIOD}, .at = polynomial_at};

/* to + (from - to) (1 + cos pi x) / 2; it holds its end, PyTorch's turns back */
static double cosine_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return wave(s->from, s->to, c.now / c.period);
}

const swi_schedule_row swi_schedule_cosine = {
    .name = "cosine", .fields = {SWI_FROM, SWI_TO, SWI_PERIOD}, .at = cosine_at};

/* The same from each restart on, each wave multiplier times as long as the last. Waves at least
 * double, or are all alike: few are counted off. (PyTorch's logarithm misses some restarts.) */
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

const swi_schedule_row swi_schedule_cosine_restarts = {
    .name = "cosine_restarts",
    .fields = {SWI_FROM, SWI_TO, SWI_PERIOD, SWI_MULTIPLIER},
    .at = cosine_restarts_at};

/* from -> value over period, then value sqrt(period / t) */
static double inverse_sqrt_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  if (c.now < c.period) return between(s->from, s->value, c.now / c.period);
  return s->value * sqrt(c.period / c.now);
}

const swi_schedule_row swi_schedule_inverse_sqrt = {
    .name = "inverse_sqrt", .fields = {SWI_FROM, SWI_VALUE, SWI_PERIOD}, .at = inverse_sqrt_at};

/* from -> max, max, max -> to in the given shape, then it holds */
static double warmup_stable_decay_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock warmup = clock_of(s->warmup, p), stable = clock_of(s->stable, p);
  clock decay = clock_of(s->decay, p);
  if (warmup.now < warmup.period) return between(s->from, s->max, warmup.now / warmup.period);
  double left = decay.now - warmup.period - stable.period;
  return shaped(s->shape, s->max, s->to, left / decay.period);
}

static void usual_shape(sw_schedule_spec *s) { s->shape = SW_DECAY_ONE_MINUS_SQRT; }

const swi_schedule_row swi_schedule_warmup_stable_decay = {
    .name = "warmup_stable_decay",
    .fields = {SWI_FROM, SWI_MAX, SWI_TO, SWI_WARMUP, SWI_STABLE, SWI_DECAY, SWI_SHAPE},
    .at = warmup_stable_decay_at,
    .defaults = usual_shape};

/* -------------------------------------------------------------- cycles */

/* (1 - u) max + u min,  u = min(1, (t + d - k c) / c),  k = floor(t / c),  c the period
 * (Izmailov et al. 2018, section 3.1: with c a whole number of batches u = (mod(i-1, c) + 1) / c;
 * an update that crosses the end has u = 1) */
static double cyclic_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double begin = whole_periods(c.now, c.period) * c.period;
  double x = fmin(1, fmax(0, (c.next - begin) / c.period));
  return (1 - x) * s->max + x * s->min;
}

const swi_schedule_row swi_schedule_cyclic = {
    .name = "cyclic", .fields = {SWI_MAX, SWI_MIN, SWI_PERIOD}, .at = cyclic_at};

/* min + (max - min) s height,  s going 0 -> 1 -> 0 over period and down  (CyclicLR) */
static double triangle_at(const sw_schedule_spec *s, const swi_progress *p, double height) {
  clock up = clock_of(s->period, p), down = s->down.amount > 0 ? clock_of(s->down, p) : up;
  double length = up.period + down.period, cycles = whole_periods(up.now, length);
  double u = fmin(length, fmax(0, up.now - cycles * length));
  double x = u <= up.period ? u / up.period : (length - u) / down.period;
  return s->min + (s->max - s->min) * x * height;
}

static double triangular_at(const sw_schedule_spec *s, const swi_progress *p) {
  return triangle_at(s, p, 1);
}

const swi_schedule_row swi_schedule_triangular = {
    .name = "triangular", .fields = {SWI_MAX, SWI_MIN, SWI_PERIOD, SWI_DOWN}, .at = triangular_at};

/* The height halves with each cycle. */
static double triangular2_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock up = clock_of(s->period, p), down = s->down.amount > 0 ? clock_of(s->down, p) : up;
  return triangle_at(s, p, exp2(-whole_periods(up.now, up.period + down.period)));
}

const swi_schedule_row swi_schedule_triangular2 = {
    .name = "triangular2",
    .fields = {SWI_MAX, SWI_MIN, SWI_PERIOD, SWI_DOWN},
    .at = triangular2_at};

/* The height is gamma^t, t from the very start, in the unit of period. */
static double exp_range_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double t = s->period.unit == SW_EPOCHS ? c.now / (double)p->epoch_examples : c.now;
  return triangle_at(s, p, pow(s->gamma, t));
}

const swi_schedule_row swi_schedule_exp_range = {
    .name = "exp_range",
    .fields = {SWI_MAX, SWI_MIN, SWI_PERIOD, SWI_DOWN, SWI_GAMMA},
    .at = exp_range_at,
    .check = check_gamma};

/* The share of a phase from begin to end that has passed; 1 for a phase of no length. */
static double passed(double now, double begin, double end) {
  return end > begin ? (now - begin) / (end - begin) : 1;
}

/* from -> max -> to; the top is at fraction * period - d, the end at period - d (OneCycleLR): the
 * clock is that before the coming update, so the last one, which should have the last value, begins
 * one update before the end. three_phase: the way down to from is as long as the way up; then to.
 * (A phase of no length is skipped, where PyTorch divides by zero; the end holds, where PyTorch's
 * rises again.) */
static double one_cycle_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  double update = c.next - c.now, rise = s->fraction * c.period;
  double top = rise - update, back = s->three_phase ? 2 * top : top, end = c.period - update;
  if (c.now <= top) return shaped(s->shape, s->from, s->max, passed(c.now, 0, top));
  if (s->three_phase && c.now <= back)
    return shaped(s->shape, s->max, s->from, passed(c.now, top, back));
  return shaped(s->shape, s->three_phase ? s->from : s->max, s->to, passed(c.now, back, end));
}

static sw_status check_one_cycle(sw_context *ctx, const sw_schedule_spec *s) {
  if (s->shape != SW_DECAY_ONE_MINUS_SQRT) return SW_OK;
  return sw_fail(ctx, SW_EARG, "schedule: one_cycle has the shapes cosine and linear");
}

const swi_schedule_row swi_schedule_one_cycle = {
    .name = "one_cycle",
    .fields = {SWI_FROM, SWI_MAX, SWI_TO, SWI_PERIOD, SWI_FRACTION, SWI_SHAPE, SWI_THREE_PHASE},
    .at = one_cycle_at,
    .check = check_one_cycle};
