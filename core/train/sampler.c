/* sampler.c: which examples come next. The order of one epoch is kept, drawn when first needed. */
#include "train/sampler_int.h"

#include <string.h>

#include "base/alloc_int.h"
#include "base/random.h"

struct sw_sampler {
  sw_context *ctx;
  sw_order kind;
  uint64_t seed;
  int32_t n;       /* of an epoch */
  int32_t *subset; /* n indices; NULL: 0 … n-1 */
  int64_t position;
  int64_t epoch;  /* whose order is below; -1: none yet */
  int32_t *order; /* of shuffled ones: n examples, those of the subset; NULL for others */
};

static size_t index_bytes(const sw_sampler *s) { return (size_t)s->n * sizeof(int32_t); }

static sw_status check_options(sw_context *ctx, const sw_sampler_options *o) {
  if (o->examples < 1 || o->examples > INT32_MAX)
    return sw_fail(ctx, SW_ERANGE, "sampler: examples must be from 1 to %d, got %lld", INT32_MAX,
                   (long long)o->examples);
  if (!o->subset) return SW_OK;
  if (o->n_subset < 1 || o->n_subset > INT32_MAX)
    return sw_fail(ctx, SW_ERANGE, "sampler: a subset must have 1 to %d examples, got %lld",
                   INT32_MAX, (long long)o->n_subset);
  for (int64_t i = 0; i < o->n_subset; i++)
    if (o->subset[i] < 0 || o->subset[i] >= o->examples)
      return sw_fail(ctx, SW_ERANGE,
                     "sampler: the subset's number %lld is example %d, there are 0 to %lld",
                     (long long)i + 1, (int)o->subset[i], (long long)o->examples - 1);
  return SW_OK;
}

static sw_status fill_sampler(sw_sampler *s, const sw_sampler_options *o) {
  if (o->subset) {
    s->subset = swi_alloc(s->ctx, index_bytes(s));
    if (!s->subset) return SW_ENOMEM;
    memcpy(s->subset, o->subset, index_bytes(s));
  }
  if (s->kind != SW_SHUFFLED) return SW_OK;
  s->order = swi_alloc(s->ctx, index_bytes(s));
  return s->order ? SW_OK : SW_ENOMEM;
}

sw_status sw_sampler_new(sw_context *ctx, const sw_sampler_options *o, sw_sampler **out) {
  SW_TRY(check_options(ctx, o));
  sw_sampler *s = swi_alloc(ctx, sizeof *s);
  if (!s) return SW_ENOMEM;
  *s = (sw_sampler){.ctx = sw_context_retain(ctx),
                    .kind = o->order,
                    .seed = o->seed,
                    .n = (int32_t)(o->subset ? o->n_subset : o->examples),
                    .epoch = -1};
  sw_status status = fill_sampler(s, o);
  if (status == SW_OK)
    *out = s;
  else
    sw_sampler_free(s);
  return status;
}

void sw_sampler_free(sw_sampler *s) {
  if (!s) return;
  sw_context *ctx = s->ctx;
  swi_free(ctx, s->subset, index_bytes(s));
  swi_free(ctx, s->order, index_bytes(s));
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

static void draw_epoch(sw_sampler *s, int64_t epoch) {
  if (s->epoch == epoch) return;
  sw_random r;
  sw_random_init(&r, s->seed, sw_stream("data", (uint64_t)epoch));
  sw_random_permutation(&r, s->n, s->order);
  for (int64_t i = 0; s->subset && i < s->n; i++) s->order[i] = s->subset[s->order[i]];
  s->epoch = epoch;
}

/* Up to the end of the epoch; returns how many. */
static int64_t take_shuffled(sw_sampler *s, int64_t count, int32_t *index) {
  draw_epoch(s, s->position / s->n);
  int64_t at = s->position % s->n;
  int64_t take = count < s->n - at ? count : s->n - at;
  memcpy(index, s->order + at, (size_t)take * sizeof *index);
  return take;
}

/* Each draw uses 64 bits of its own, two draws a block; the bias is n / 2^64. */
static int64_t take_draws(const sw_sampler *s, int64_t count, int32_t *index) {
  sw_random r;
  sw_random_init(&r, s->seed, sw_stream("data/draws", 0));
  r.position = (uint64_t)s->position / 2;
  if (s->position % 2) { /* the first half of the block was the draw before */
    sw_random_u32(&r);
    sw_random_u32(&r);
  }
  for (int64_t i = 0; i < count; i++) {
    uint64_t high = sw_random_u32(&r), bits = high << 32 | sw_random_u32(&r);
    index[i] = (int32_t)((((bits >> 32) * (uint64_t)s->n) +
                          (((bits & UINT32_MAX) * (uint64_t)s->n) >> 32)) >>
                         32);
  }
  return count;
}

static int64_t take_in_sequence(const sw_sampler *s, int64_t count, int32_t *index) {
  for (int64_t i = 0; i < count; i++) index[i] = (int32_t)((s->position + i) % s->n);
  return count;
}

static int64_t take(sw_sampler *s, int64_t count, int32_t *index) {
  switch (s->kind) {
  case SW_INDEPENDENT: return take_draws(s, count, index);
  case SW_SEQUENTIAL: return take_in_sequence(s, count, index);
  case SW_SHUFFLED: break;
  }
  return take_shuffled(s, count, index);
}

void sw_sampler_next(sw_sampler *s, int64_t count, int32_t *index) {
  while (count > 0) {
    int64_t taken = take(s, count, index);
    const int is_mapped = !s->subset || s->kind == SW_SHUFFLED; /* an epoch's order is */
    for (int64_t i = 0; !is_mapped && i < taken; i++) index[i] = s->subset[index[i]];
    index += taken;
    count -= taken;
    s->position += taken;
  }
}

const int32_t *swi_sampler_drawn(const sw_sampler *s, int64_t most, int64_t *n) {
  const int64_t at = s->position % s->n, left = s->n - at;
  const int is_drawn = s->order && s->epoch == s->position / s->n;
  *n = is_drawn ? (most < left ? most : left) : 0;
  return is_drawn ? s->order + at : NULL;
}

int64_t sw_sampler_size(const sw_sampler *s) { return s->n; }
int64_t sw_sampler_position(const sw_sampler *s) { return s->position; }

sw_status sw_sampler_seek(sw_sampler *s, int64_t position) {
  if (position < 0 || position > SW_LARGEST_COUNT)
    return sw_fail(s->ctx, SW_ERANGE, "sampler: a position is 0 to 2^53, not %lld",
                   (long long)position);
  s->position = position;
  return SW_OK;
}
