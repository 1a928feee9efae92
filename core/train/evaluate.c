/* evaluate.c: sums of a program's outputs over a whole source. */
#include "train/evaluate.h"

#include "base/alloc_int.h"
#include "train/feed_int.h"

typedef struct evaluation {
  sw_context *ctx;
  sw_workspace *w;
  const sw_tensor *weights, *buffers;
  const sw_source *source;
  int32_t *index;
  double *sums;
  int n_sums;
} evaluation;

static sw_status add_output(const evaluation *e, int i, int64_t n) {
  sw_shape shape;
  const void *x = sw_workspace_output(e->w, i, &shape);
  if (!x || shape.ndim != 1 || shape.dim[0] != n) {
    char text[96];
    return sw_fail(e->ctx, SW_ESHAPE, "evaluate: output %d is %s, not one number an example", i + 1,
                   sw_shape_text(&shape, text, sizeof text));
  }
  e->sums[i] = swi_feed_sum(e->sums[i], x, n, sw_tensor_dtype(e->weights));
  return SW_OK;
}

/* Examples first … first + n - 1, in the order of the source. */
static sw_status add_batch(const evaluation *e, int64_t first, int64_t n) {
  for (int64_t i = 0; i < n; i++) e->index[i] = (int32_t)(first + i);
  const void *vectors[SWI_FED_VECTORS] = {sw_tensor_data(e->weights),
                                          e->buffers ? sw_tensor_data(e->buffers) : NULL};
  const sw_run run = {.vectors = vectors, .n_vectors = SWI_FED_VECTORS, .first_example = first};
  SW_TRY(sw_workspace_batch(e->w, n));
  SW_TRY(swi_feed_run(e->w, e->source, e->index, n, NULL, &run, NULL));
  for (int i = 0; i < e->n_sums; i++) SW_TRY(add_output(e, i, n));
  return SW_OK;
}

static sw_status add_all(const evaluation *e, int64_t batch, const volatile int *interrupt) {
  int64_t examples = sw_source_examples(e->source);
  for (int64_t first = 0; first < examples; first += batch) {
    if (interrupt && *interrupt) return sw_fail(e->ctx, SW_EINTERRUPTED, "evaluate: interrupted");
    SW_TRY(add_batch(e, first, batch < examples - first ? batch : examples - first));
  }
  return SW_OK;
}

static sw_status check_evaluation(const evaluation *e, int64_t batch) {
  const sw_program *p = sw_workspace_program(e->w);
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

sw_status sw_evaluate(sw_workspace *w, const sw_tensor *weights, const sw_tensor *buffers,
                      const sw_source *source, int64_t batch, const volatile int *interrupt,
                      double *sums, int n_sums) {
  evaluation e = {.ctx = sw_tensor_context(weights),
                  .w = w,
                  .weights = weights,
                  .buffers = buffers,
                  .source = source,
                  .n_sums = n_sums};
  SW_TRY(check_evaluation(&e, batch));
  int64_t examples = sw_source_examples(source);
  if (batch > examples) batch = examples;
  size_t index_bytes = (size_t)batch * sizeof *e.index;
  size_t sums_bytes = (size_t)n_sums * sizeof *e.sums;
  e.index = swi_alloc(e.ctx, index_bytes);
  e.sums = swi_alloc_zeroed(e.ctx, sums_bytes);
  sw_status status = e.index && e.sums ? add_all(&e, batch, interrupt) : SW_ENOMEM;
  for (int i = 0; status == SW_OK && i < n_sums; i++) sums[i] = e.sums[i];
  swi_free(e.ctx, e.index, index_bytes);
  swi_free(e.ctx, e.sums, sums_bytes);
  return status;
}
