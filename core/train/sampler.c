/* sampler.c: which examples come next. The order of one epoch is kept, drawn when first needed. */
#include "train/sampler.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"

struct sw_sampler {
  sw_context *ctx;
  uint64_t seed;
  int32_t n;
  int64_t position;
  int64_t epoch; /* whose order is below; -1: none yet */
  int32_t *order;
};

static size_t order_bytes(const sw_sampler *s) { return (size_t)s->n * sizeof *s->order; }

sw_status sw_sampler_new(sw_context *ctx, int64_t n, uint64_t seed, sw_sampler **out) {
  if (n < 1 || n > INT32_MAX)
    return sw_fail(ctx, SW_ERANGE, "sampler: want 1 to %d examples, got %lld", INT32_MAX,
                   (long long)n);
  sw_sampler *s = swi_alloc(ctx, sizeof *s);
  if (!s) return SW_ENOMEM;
  *s = (sw_sampler){.ctx = ctx, .seed = seed, .n = (int32_t)n, .epoch = -1};
  s->order = swi_alloc(ctx, order_bytes(s));
  if (!s->order) {
    swi_free(ctx, s, sizeof *s);
    return SW_ENOMEM;
  }
  sw_context_retain(ctx);
  *out = s;
  return SW_OK;
}

void sw_sampler_free(sw_sampler *s) {
  if (!s) return;
  sw_context *ctx = s->ctx;
  swi_free(ctx, s->order, order_bytes(s));
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

static void draw_epoch(sw_sampler *s, int64_t epoch) {
  if (s->epoch == epoch) return;
  sw_random r;
  sw_random_init(&r, s->seed, sw_stream("data", (uint64_t)epoch));
  sw_random_permutation(&r, s->n, s->order);
  s->epoch = epoch;
}

void sw_sampler_next(sw_sampler *s, int64_t count, int32_t *index) {
  while (count > 0) {
    draw_epoch(s, s->position / s->n);
    int64_t at = s->position % s->n;
    int64_t take = count < s->n - at ? count : s->n - at;
    memcpy(index, s->order + at, (size_t)take * sizeof *index);
    index += take;
    count -= take;
    s->position += take;
  }
}

int64_t sw_sampler_position(const sw_sampler *s) { return s->position; }

void sw_sampler_seek(sw_sampler *s, int64_t position) { s->position = position > 0 ? position : 0; }
