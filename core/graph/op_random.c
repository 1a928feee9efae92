/* op_random.c: random masks, drawn in each run.
 *
 * An element is a function of (seed, step, position of the example in the stream of examples,
 * stream of the node, position in the example): the same mask however a batch is cut, for any
 * number of threads. Every node has a stream of its own.
 */
#include "base/parallel_int.h"
#include "base/random.h"
#include "graph/batch_power_int.h"
#include "graph/op_int.h"

enum { PIECE = 1 << 14, PARALLEL_FROM = 1 << 16 };

static sw_status keep_mask_shape(swi_shape_args *a) {
  char text[120];
  int batch = sw_type_batch_axis(a->in[0]);
  double p = a->attrs->value;
  if (!(p >= 0 && p < 1))
    return sw_fail(a->ctx, SW_ERANGE, "%s: the probability of 0 must be from 0 to below 1, got %g",
                   a->op, p);
  if (batch > 0)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: the batch must be the first axis, got %s", a->op,
                   sw_type_text(a->in[0], text, sizeof text));
  a->out[0] = *a->in[0];
  a->out[0].dependence = batch == 0 ? SW_BY_EXAMPLE : SW_CONSTANT;
  return SW_OK;
}

typedef struct mask_job {
  const swi_eval_args *e;
  int64_t examples, size; /* how many there are, elements of each */
  int64_t group;          /* examples a piece */
  uint32_t key[2], threshold;
} mask_job;

/* The counter's words: blocks of the example, stream and the example's upper half, its lower half,
 * step. */
static void mask_example(const mask_job *j, int64_t i) {
  const swi_eval_args *e = j->e;
  const uint64_t example = (uint64_t)(e->draws->first_example + i);
  const uint32_t counter[4] = {0, (uint32_t)e->attrs->stream ^ (uint32_t)(example >> 32) << 16,
                               (uint32_t)example, (uint32_t)e->draws->step};
  e->k->keep_mask(j->size, j->key, counter, j->threshold, 1 / (1 - e->attrs->value),
                  (char *)e->out[0] + i * j->size * e->k->element_bytes);
}

static void mask_piece(void *arg, int64_t piece) {
  const mask_job *j = arg;
  int64_t first = piece * j->group, left = j->examples - first;
  for (int64_t i = 0; i < j->group && i < left; i++) mask_example(j, first + i);
}

static sw_status keep_mask_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->out_shape[0]);
  if (!e->draws)
    return sw_fail(e->ctx, SW_EARG,
                   "keep_mask: only a program draws random numbers; it does not work on tensors");
  if (n == 0) return SW_OK;
  mask_job j = {.e = e, .examples = e->out_by_example ? e->batch : 1};
  const uint64_t key = sw_stream("dropout", e->draws->seed);
  double threshold = e->attrs->value * 0x1p32 + 0.5;
  j.threshold = threshold < 0x1p32 ? (uint32_t)threshold : UINT32_MAX;
  j.key[0] = (uint32_t)key;
  j.key[1] = (uint32_t)(key >> 32);
  j.size = n / j.examples;
  j.group = j.size < PIECE ? PIECE / j.size : 1;
  int64_t pieces = (j.examples + j.group - 1) / j.group;
  if (n >= PARALLEL_FROM)
    swi_parallel(e->ctx, pieces, mask_piece, &j);
  else
    for (int64_t i = 0; i < pieces; i++) mask_piece(&j, i);
  return SW_OK;
}

/* Its shape depends on the batch, its values on no other node. */
static int keep_mask_power(const swi_power_args *a) {
  (void)a;
  return 0;
}

const swi_op_row swi_row_keep_mask = {.n_in = 1,
                                      .n_out = 1,
                                      .flags = SWI_RANDOM,
                                      .attrs = SW_ATTR_VALUE,
                                      .value_word = "",
                                      .shape = keep_mask_shape,
                                      .eval = keep_mask_eval,
                                      .power = keep_mask_power};
