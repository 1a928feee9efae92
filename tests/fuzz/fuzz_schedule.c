/* fuzz_schedule.c: schedules of any numbers, three levels deep, evaluated at any progress. */
#include <string.h>

#include "fuzz.h"
#include "train/schedule.h"

typedef struct bytes {
  const uint8_t *at;
  size_t left;
} bytes;

static uint8_t next(bytes *b) {
  if (b->left == 0) return 0;
  b->left--;
  return *b->at++;
}

/* A likely number, or eight bytes as they are. */
static double number(bytes *b) {
  static const double likely[] = {0, 1, 2, 10, 0.1, 0.5, 1e-3, -1, 1e9, 0x1p53, 1e300, 1e-300};
  uint8_t kind = next(b);
  if (kind % 16 < sizeof likely / sizeof *likely) return likely[kind % 16];
  double x = 0;
  uint8_t raw[sizeof x];
  for (size_t i = 0; i < sizeof raw; i++) raw[i] = next(b);
  memcpy(&x, raw, sizeof x);
  return x;
}

static int64_t whole(bytes *b) {
  double x = number(b);
  if (x >= -0x1p62 && x <= 0x1p62) return (int64_t)x;
  return x > 0 ? INT64_MAX : INT64_MIN;
}

static sw_duration duration(bytes *b) {
  return (sw_duration){.amount = number(b), .unit = (sw_unit)(next(b) % 3)};
}

enum { PARTS = 4 };

static int has_parts(sw_schedule_kind kind) {
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (f->type == SW_FIELD_SCHEDULES && sw_schedule_reads(kind, f)) return 1;
  return 0;
}

static sw_schedule *make(sw_context *ctx, bytes *b, int depth) {
  double values[PARTS + 1];
  sw_duration marks[PARTS], durations[PARTS];
  sw_schedule *parts[PARTS] = {NULL};
  sw_schedule_spec spec = {.kind = (sw_schedule_kind)(next(b) % SW_SCHEDULE_KIND_COUNT)};
  spec.n_marks = next(b) % PARTS;
  spec.n_values = next(b) % 8 ? spec.n_marks + 1 : spec.n_marks;
  spec.shape = (sw_decay)(next(b) % 3);
  spec.three_phase = next(b) % 2;
  double *numbers[] = {&spec.value, &spec.from,  &spec.to,    &spec.max,
                       &spec.min,   &spec.gamma, &spec.power, &spec.fraction};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i] = number(b);
  sw_duration *spans[] = {&spec.period, &spec.down, &spec.warmup, &spec.stable, &spec.decay};
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) *spans[i] = duration(b);
  spec.multiplier = whole(b);
  for (int i = 0; i < spec.n_marks; i++) marks[i] = duration(b);
  for (int i = 0; i < spec.n_values; i++) values[i] = number(b);
  spec.values = values;
  spec.marks = marks;
  spec.durations = durations;
  spec.parts = parts;
  int wanted = depth < 3 && has_parts(spec.kind) ? 1 + next(b) % PARTS : 0;
  for (int i = 0; i < wanted; i++) {
    sw_schedule *part = make(ctx, b, depth + 1);
    if (part == NULL) break;
    durations[spec.n_parts] = duration(b);
    parts[spec.n_parts++] = part;
  }
  spec.n_durations = spec.n_parts > 0 ? spec.n_parts - 1 : 0;
  sw_schedule *s = NULL;
  if (sw_schedule_new(ctx, &spec, &s) != SW_OK && sw_message(ctx)[0] == '\0') abort();
  for (int i = 0; i < spec.n_parts; i++) sw_schedule_release(parts[i]);
  return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sw_context *ctx = fuzz_context();
  bytes b = {data, size};
  sw_schedule *s = make(ctx, &b, 0);
  for (int i = 0; s != NULL && i < 8; i++) {
    sw_progress p = {.step = whole(&b), .examples = whole(&b), .epoch_examples = whole(&b)};
    if (p.step < 0) p.step = 0; /* as a loop counts */
    if (p.examples < 0) p.examples = 0;
    if (p.epoch_examples < 1) p.epoch_examples = 1;
    p.next_examples = p.examples < INT64_MAX - 1000 ? p.examples + 1000 : p.examples;
    (void)sw_schedule_at(s, &p);
  }
  sw_schedule_release(s);
  fuzz_end(ctx, SW_OK);
  return 0;
}
