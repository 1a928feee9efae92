/* schedule.c: trees of schedules: making, sharing, evaluating. */
#include "train/schedule.h"

#include <string.h>

#include "base/alloc_int.h"
#include "train/schedule_int.h"

struct sw_schedule {
  sw_context *ctx;
  int64_t references;
  sw_schedule_spec spec; /* its lists follow this struct in the same block */
  size_t bytes;
  int clocks;      /* that it and its parts read */
  int size, depth; /* of the tree; a part that occurs twice counts twice */
};

/* -------------------------------------------------------------- making */

static size_t list_bytes(const sw_field *f, const sw_schedule_spec *s) {
  int n;
  (void)sw_field_list(f, s, &n);
  return (size_t)n * f->element;
}

/* Empties the lists that the kind does not read. */
static void drop_other_lists(sw_schedule_spec *s) {
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (f->element > 0 && !sw_schedule_reads(s->kind, f))
      memset((char *)s + f->count, 0, sizeof(int));
}

static size_t bytes_of(const sw_schedule_spec *s) {
  size_t bytes = sizeof(sw_schedule);
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (f->element > 0) bytes += list_bytes(f, s);
  return bytes;
}

static void copy_lists(sw_schedule *s) {
  char *at = (char *)(s + 1);
  for (const sw_field *f = sw_schedule_fields(); f->name; f++) {
    if (f->element == 0) continue;
    int n;
    const void *list = sw_field_list(f, &s->spec, &n);
    const size_t bytes = (size_t)n * f->element;
    if (bytes > 0) memcpy(at, list, bytes);
    memcpy((char *)&s->spec + f->offset, &at, sizeof at);
    at += bytes;
  }
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
  sw_schedule_spec own = *spec;
  drop_other_lists(&own);
  SW_TRY(measure_tree(ctx, &own, &clocks, &size, &depth));
  sw_schedule *s = swi_alloc(ctx, bytes_of(&own));
  if (!s) return SW_ENOMEM;
  *s = (sw_schedule){.ctx = sw_context_retain(ctx),
                     .references = 1,
                     .spec = own,
                     .bytes = bytes_of(&own),
                     .clocks = clocks,
                     .size = size,
                     .depth = depth};
  copy_lists(s);
  for (int i = 0; i < own.n_parts; i++) sw_schedule_retain(own.parts[i]);
  *out = s;
  return SW_OK;
}

int swi_schedule_clocks(const sw_schedule *s) { return s->clocks; }

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
