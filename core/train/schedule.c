/* schedule.c: trees of schedules: making, sharing, evaluating. */
#include "train/schedule.h"

#include <string.h>

#include "base/alloc_int.h"
#include "train/schedule_int.h"

struct sw_schedule {
  sw_context *ctx;
  int64_t references;
  sw_schedule_spec spec; /* its lists lie behind this struct, in the same block */
  size_t bytes;
  int clocks;      /* that it or a part of it reads */
  int size, depth; /* of the tree; a part that is there twice counts twice */
};

/* -------------------------------------------------------------- making */

static size_t bytes_of(const sw_schedule_spec *s) {
  return sizeof(sw_schedule) + (size_t)s->n_values * sizeof *s->values +
         (size_t)(s->n_marks + s->n_durations) * sizeof *s->marks +
         (size_t)s->n_parts * sizeof *s->parts;
}

static const void *append(char **at, const void *list, size_t bytes) {
  void *copy = *at;
  if (bytes > 0) memcpy(copy, list, bytes);
  *at += bytes;
  return copy;
}

static void copy_lists(sw_schedule *s) {
  sw_schedule_spec *spec = &s->spec;
  char *at = (char *)(s + 1);
  spec->parts = append(&at, spec->parts, (size_t)spec->n_parts * sizeof *spec->parts);
  spec->values = append(&at, spec->values, (size_t)spec->n_values * sizeof *spec->values);
  spec->marks = append(&at, spec->marks, (size_t)spec->n_marks * sizeof *spec->marks);
  spec->durations =
      append(&at, spec->durations, (size_t)spec->n_durations * sizeof *spec->durations);
}

/* Where a part begins is only known on the chain's own scale. */
static sw_status check_chain(sw_context *ctx, const sw_schedule_spec *spec, int clocks) {
  for (int i = 1; spec->n_durations > 0 && i < spec->n_parts; i++) {
    if (!(spec->parts[i]->clocks & ~clocks)) continue;
    int steps = clocks == SWI_CLOCK_STEPS;
    return sw_fail(ctx, SW_EARG,
                   "schedule: a chain with durations in %s has a part (number %d) that counts %s; "
                   "where that begins cannot be known beforehand",
                   steps ? "steps" : "examples or epochs", i + 1,
                   steps ? "examples or epochs" : "steps");
  }
  return SW_OK;
}

static sw_status measure_tree(sw_context *ctx, const sw_schedule_spec *spec, int *clocks, int *size,
                              int *depth) {
  *size = 1;
  *depth = 1;
  for (int i = 0; i < spec->n_parts; i++) {
    const sw_schedule *part = spec->parts[i];
    *clocks |= part->clocks;
    *size += part->size;
    if (part->depth >= *depth) *depth = part->depth + 1;
    if (*size > SW_SCHEDULE_SIZE || *depth > SW_SCHEDULE_DEPTH)
      return sw_fail(ctx, SW_ERANGE, "schedule: too large: at most %d parts, %d deep",
                     SW_SCHEDULE_SIZE, SW_SCHEDULE_DEPTH);
  }
  return SW_OK;
}

sw_status sw_schedule_new(sw_context *ctx, const sw_schedule_spec *spec, sw_schedule **out) {
  int clocks, size, depth;
  SW_TRY(swi_schedule_check(ctx, spec, &clocks));
  SW_TRY(check_chain(ctx, spec, clocks));
  SW_TRY(measure_tree(ctx, spec, &clocks, &size, &depth));
  sw_schedule *s = swi_alloc(ctx, bytes_of(spec));
  if (!s) return SW_ENOMEM;
  *s = (sw_schedule){.ctx = sw_context_retain(ctx),
                     .references = 1,
                     .spec = *spec,
                     .bytes = bytes_of(spec),
                     .clocks = clocks,
                     .size = size,
                     .depth = depth};
  copy_lists(s);
  for (int i = 0; i < spec->n_parts; i++) sw_schedule_retain(spec->parts[i]);
  *out = s;
  return SW_OK;
}

sw_schedule *sw_schedule_retain(sw_schedule *s) {
  s->references++;
  return s;
}

void sw_schedule_release(sw_schedule *s) {
  if (!s || --s->references > 0) return;
  sw_context *ctx = s->ctx;
  for (int i = 0; i < s->spec.n_parts; i++) sw_schedule_release(s->spec.parts[i]);
  swi_free(ctx, s, s->bytes);
  sw_context_release(ctx);
}

/* -------------------------------------------------------------- evaluating */

double swi_schedule_at(const sw_schedule *s, const swi_progress *p) {
  return swi_schedule_row_of((int)s->spec.kind)->at(&s->spec, p);
}

double sw_schedule_at(const sw_schedule *s, const sw_progress *p) {
  swi_progress here = {(double)p->step, (double)p->examples, (double)p->next_examples,
                       p->epoch_examples};
  return swi_schedule_at(s, &here);
}
