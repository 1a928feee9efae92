/* evaluate.c: sums of a program's outputs over a whole source.
 *
 * Each thread takes whole batches into a workspace of its own where workspaces are small; else the
 * batches run one after another, and ops divide their work. Outputs are kept and added in the order
 * of the examples.
 */
#include "train/evaluate.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/parallel_int.h"
#include "train/feed_int.h"

enum {
  BATCHES_A_THREAD = 4,  /* at least, so that threads end at about the same time */
  MOST_ROOM = 128 << 20, /* bytes of all workspaces together */
  MOST_RUNNERS = 64
};

/* Runs batches in a workspace. */
typedef struct runner {
  sw_workspace *w;
  int32_t *index; /* of a batch's examples */
  sw_status status;
  int64_t failed; /* the batch with that status */
} runner;

typedef struct evaluation {
  sw_context *ctx;
  const sw_tensor *weights, *buffers;
  const sw_source *source;
  const volatile int *interrupt; /* may be NULL */
  int64_t examples, batch, batches;
  char *values; /* of output i and example e: number i examples + e */
  int n_sums;
  int runners;
  runner runner[MOST_RUNNERS]; /* the first has the caller's workspace */
  _Atomic int64_t next;        /* the first batch not taken yet */
} evaluation;

static int64_t element_bytes(const evaluation *e) {
  return sw_dtype_bytes(sw_tensor_dtype(e->weights));
}

static char *values_of(const evaluation *e, int i) {
  return e->values + i * e->examples * element_bytes(e);
}

static sw_status keep_output(const evaluation *e, sw_workspace *w, int i, int64_t first,
                             int64_t n) {
  sw_shape shape;
  const int64_t bytes = element_bytes(e);
  const void *x = sw_workspace_output(w, i, &shape);
  if (!x || shape.ndim != 1 || shape.dim[0] != n) {
    char text[96];
    return sw_fail(e->ctx, SW_ESHAPE, "evaluate: output %d is %s, not one number an example", i + 1,
                   sw_shape_text(&shape, text, sizeof text));
  }
  memcpy(values_of(e, i) + first * bytes, x, (size_t)(n * bytes));
  return SW_OK;
}

/* Examples in the order of the source. */
static sw_status run_batch(const evaluation *e, const runner *r, int64_t number) {
  if (e->interrupt && *e->interrupt)
    return sw_fail(e->ctx, SW_EINTERRUPTED, "evaluate: interrupted");
  const int64_t first = number * e->batch, left = e->examples - first;
  const int64_t n = e->batch < left ? e->batch : left;
  for (int64_t i = 0; i < n; i++) r->index[i] = (int32_t)(first + i);
  const void *vectors[SWI_FED_VECTORS] = {sw_tensor_data(e->weights),
                                          e->buffers ? sw_tensor_data(e->buffers) : NULL};
  const sw_run run = {.vectors = vectors, .n_vectors = SWI_FED_VECTORS, .first_example = first};
  SW_TRY(sw_workspace_batch(r->w, n));
  SW_TRY(swi_feed_run(r->w, e->source, r->index, n, NULL, &run, NULL));
  for (int i = 0; i < e->n_sums; i++) SW_TRY(keep_output(e, r->w, i, first, n));
  return SW_OK;
}

/* Takes batches until there are none; after a failure no one takes any more. */
static void run_batches(void *arg, int64_t piece) {
  evaluation *e = arg;
  runner *r = &e->runner[piece];
  int64_t number;
  while (r->status == SW_OK && (number = atomic_fetch_add(&e->next, 1)) < e->batches) {
    r->status = run_batch(e, r, number);
    r->failed = number;
    if (r->status != SW_OK) atomic_store(&e->next, e->batches);
  }
}

/* Pieces of a parallel job write no message: the first batch that failed is run again for it. */
static sw_status first_failure(const evaluation *e) {
  const runner *first = NULL;
  for (const runner *r = e->runner; r < e->runner + e->runners; r++)
    if (r->status != SW_OK && (!first || r->failed < first->failed)) first = r;
  if (!first) return SW_OK;
  const sw_status again = run_batch(e, first, first->failed);
  return again != SW_OK ? again : first->status;
}

static sw_status run_all(evaluation *e) {
  swi_parallel(e->ctx, e->runners, run_batches, e);
  return first_failure(e);
}

static sw_status check_evaluation(const evaluation *e, int64_t batch) {
  const sw_program *p = sw_workspace_program(e->runner[0].w);
  if (batch < 1) return sw_fail(e->ctx, SW_ERANGE, "evaluate: a batch of %lld", (long long)batch);
  if (e->n_sums > sw_program_outputs(p))
    return sw_fail(e->ctx, SW_EARG, "evaluate: %d sums of %d outputs", e->n_sums,
                   sw_program_outputs(p));
  SW_TRY(swi_feed_check(e->ctx, p, e->source, e->weights, e->buffers));
  for (int vector = SW_TO_OUT; vector <= SW_TO_STATE; vector++)
    if (sw_program_output_extent(p, vector) > 0)
      return sw_fail(e->ctx, SW_EARG, "evaluate: the program has outputs that go to a vector");
  return SW_OK;
}

/* ------------------------------------------------------------------ memory */

/* How many runners the batches and the room are enough for. */
static int runners_of(const evaluation *e) {
  const int64_t by_batches = e->batches / BATCHES_A_THREAD;
  const int64_t by_room = MOST_ROOM / (sw_workspace_bytes(e->runner[0].w) + 1);
  int64_t n = sw_context_threads(e->ctx);
  if (n > by_batches) n = by_batches;
  if (n > by_room) n = by_room;
  if (n > MOST_RUNNERS) n = MOST_RUNNERS;
  return n < 1 ? 1 : (int)n;
}

static size_t index_bytes(const evaluation *e) { return (size_t)e->batch * sizeof(int32_t); }

static size_t values_bytes(const evaluation *e) {
  return (size_t)(e->n_sums * e->examples * element_bytes(e));
}

static sw_status prepare_runner(evaluation *e, runner *r) {
  r->index = swi_alloc(e->ctx, index_bytes(e));
  if (!r->index) return SW_ENOMEM;
  if (!r->w) SW_TRY(sw_workspace_new(sw_workspace_program(e->runner[0].w), &r->w));
  return sw_workspace_batch(r->w, e->batch);
}

static sw_status prepare(evaluation *e) {
  e->values = swi_alloc(e->ctx, values_bytes(e));
  if (!e->values) return SW_ENOMEM;
  SW_TRY(sw_workspace_batch(e->runner[0].w, e->batch));
  e->runners = runners_of(e);
  for (int i = 0; i < e->runners; i++) SW_TRY(prepare_runner(e, &e->runner[i]));
  return SW_OK;
}

static void clear(evaluation *e) {
  for (int i = 0; i < MOST_RUNNERS; i++) {
    swi_free(e->ctx, e->runner[i].index, index_bytes(e));
    if (i > 0) sw_workspace_free(e->runner[i].w);
  }
  swi_free(e->ctx, e->values, values_bytes(e));
}

sw_status sw_evaluate(sw_workspace *w, const sw_tensor *weights, const sw_tensor *buffers,
                      const sw_source *source, int64_t batch, const volatile int *interrupt,
                      double *sums, int n_sums) {
  evaluation e = {.ctx = sw_tensor_context(weights),
                  .weights = weights,
                  .buffers = buffers,
                  .source = source,
                  .interrupt = interrupt,
                  .examples = sw_source_examples(source),
                  .n_sums = n_sums,
                  .runner = {{.w = w}}};
  SW_TRY(check_evaluation(&e, batch));
  e.batch = batch < e.examples ? batch : e.examples;
  e.batches = e.batch > 0 ? (e.examples + e.batch - 1) / e.batch : 0;
  sw_status status = prepare(&e);
  if (status == SW_OK) status = run_all(&e);
  for (int i = 0; status == SW_OK && i < n_sums; i++)
    sums[i] = swi_feed_sum(0, values_of(&e, i), e.examples, sw_tensor_dtype(weights));
  clear(&e);
  return status;
}
