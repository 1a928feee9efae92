/* loop.h: the training step, and n of them.
 *
 *   gather rows -> run the program -> check the loss -> update the weights -> count
 *
 * Each hyperparameter is a fixed value, which the caller may set before any step, or a schedule.
 * Nothing here calls back: advance returns where the caller has something to do. After the first
 * step at a given capacity a step allocates nothing. A measured step runs another program, with the
 * same bits of loss and gradient.
 */
#ifndef SW_LOOP_H
#define SW_LOOP_H

#include "graph/program.h"
#include "train/hyper.h"
#include "train/optimizer.h"
#include "train/ranges.h"
#include "train/sampler.h"
#include "train/schedule.h"
#include "train/source.h"

typedef struct sw_loop sw_loop;

/* How the rate follows the batch size B: times B / reference_batch, or its square root. */
typedef enum sw_coupling { SW_COUPLING_NONE, SW_COUPLING_LINEAR, SW_COUPLING_SQRT } sw_coupling;
enum { SW_COUPLING_COUNT = SW_COUPLING_SQRT + 1 };

typedef struct sw_loop_options {
  /* Outputs: 0 the loss (a scalar), then gradients into the output vector. Inputs: 0 features, 1
   * labels. */
  sw_program *program;
  /* The same with one more output after the loss: per-example squared norms, (batch)
   * (sw_graph_example_norms). NULL: norms cannot be measured. */
  sw_program *measured;
  sw_tensor *weights; /* flat, of the programs' float type; a view is kept and written */
  /* Params in slot 1, flat likewise. State outputs are their new values, copied here after an
   * update whose loss is finite; for a batch in parts, their mean over examples. NULL: none. */
  sw_tensor *buffers;
  const sw_source *source; /* borrowed: must outlive the loop */
  uint64_t seed;           /* for the order of examples and the random numbers of the programs */
  sw_order order;
  const sw_tensor *subset; /* int32, contiguous: the examples that make an epoch; NULL: all */
  sw_optimizer_options optimizer;
  double max_norm;        /* the gradient is scaled down to this norm; 0: never */
  const sw_range *ranges; /* in order, covering the weights; NULL: one range */
  int n_ranges;
  int64_t micro_batch; /* most examples in one run of the program; 0: no limit */
  sw_coupling coupling;
  double reference_batch;   /* with coupling: above 0 */
  int64_t first_batch_hint; /* plans for this batch at once; 0: at the first step */
} sw_loop_options;

/* SW_EARG, SW_ERANGE, SW_ESHAPE, SW_EDTYPE, SW_ENOMEM. */
SW_API sw_status sw_loop_new(sw_context *ctx, const sw_loop_options *o, sw_loop **out);
SW_API void sw_loop_free(sw_loop *l);

/* SW_ERANGE: outside of the range in its row. A batch size is rounded down to a whole number. */
SW_API sw_status sw_loop_set(sw_loop *l, sw_hyper h, double value);
SW_API void sw_loop_set_schedule(sw_loop *l, sw_hyper h, sw_schedule *s); /* kept */
/* Every so many steps the measured program runs instead; 0: never. regularised: the squared norm of
 * the gradient with weight decay is measured, too. */
SW_API void sw_loop_measure(sw_loop *l, int64_t every_steps, int regularised);
SW_API void sw_loop_measure_next(sw_loop *l); /* so does the coming step, whatever its number */

/* Why advance came back. */
typedef enum sw_stop { SW_STOP_STEPS, SW_STOP_EXAMPLES, SW_STOP_INTERRUPTED } sw_stop;
enum { SW_STOP_COUNT = SW_STOP_INTERRUPTED + 1 };

/* What was not finite. */
typedef enum sw_loop_fault {
  SW_FAULT_NONE,
  SW_FAULT_LOSS,
  SW_FAULT_GRADIENT,
  SW_FAULT_WEIGHTS, /* or the optimizer's vectors: the update overflowed */
  SW_FAULT_BUFFERS
} sw_loop_fault;
enum { SW_FAULT_COUNT = SW_FAULT_BUFFERS + 1 };

/* Makes up to steps updates. Stops after the first one that reaches or crosses stop_examples (0: no
 * such mark; at once if it was crossed before), or when *interrupt is not 0 (may be NULL). SW_ENAN:
 * the state has the fault, the lr and batch of the update and the last finite loss. After a loss
 * that is not finite nothing was updated, and its examples come again. After any other fault the
 * weights may be updated in part, and every advance fails until sw_loop_restore: a block of the
 * gradient with an element that is not finite is not applied, nor what follows it in its piece of
 * 65,536 elements, nor later ranges, whatever the number of threads. SW_ENOMEM; SW_ERANGE. */
SW_API sw_status sw_loop_advance(sw_loop *l, int64_t steps, int64_t stop_examples,
                                 const volatile int *interrupt, sw_stop *why);

typedef struct sw_loop_state {
  int64_t step;     /* updates made */
  int64_t examples; /* seen by them */
  double epoch;     /* examples / N, N that of the subset if there is one */
  double loss;      /* of the last batch, before its update; NaN before the first */
  double grad_norm; /* of its gradient, before weight decay and clipping; NaN before the first */
  double hyper[SW_HYPER_COUNT]; /* of the last update (before the first: of the coming one) */
  double loss_sum; /* sum of batch losses times batch sizes since the last sw_loop_take_mean */
  int64_t loss_examples;
  int64_t measurements; /* made so far */
  sw_loop_fault fault;  /* after SW_ENAN: of the update that was refused */
  int64_t bad_step;     /* its number */
  int bad_range;        /* the first range that is not finite, from 0; -1: none is known */
  double bad_loss, bad_grad_norm; /* NaN: not finite */
} sw_loop_state;

/* Checks weights and buffers, which others may have written: SW_ENAN as in advance. */
SW_API sw_status sw_loop_check(sw_loop *l);
/* Whether a fault left weights that must not be used. */
SW_API int sw_loop_is_spoiled(const sw_loop *l);

SW_API void sw_loop_state_get(const sw_loop *l, sw_loop_state *out);
/* Mean loss per example since the last call, NaN if no step was made. */
SW_API double sw_loop_take_mean(sw_loop *l);

/* The squared norms of a measured step; g_i is the gradient of example i's own loss. */
typedef struct sw_grad_norms {
  int64_t step;     /* its number, from 1 */
  int64_t examples; /* trained on before it */
  int64_t batch;
  double momentum;          /* of the update */
  double sum_sumsq;         /* sum over the batch of |g_i|^2 */
  double grad_sumsq;        /* |g|^2 of their mean */
  double regularised_sumsq; /* |g + decay w|^2, w before the update; NaN: not asked for, or the
                               optimizer does not add the decay to the gradient */
} sw_grad_norms;

/* Measurement i, from 1; the last SW_LOOP_GRAD_NORMS are kept. Returns 0 if it was not made yet or
 * is not kept any more. */
enum { SW_LOOP_GRAD_NORMS = 32 };
SW_API int sw_loop_grad_norms(const sw_loop *l, int64_t i, sw_grad_norms *out);

/* Seconds of steps. Measuring took about measured * (1 - plain / paired), not known without a
 * pair. */
typedef struct sw_loop_cost {
  double measured;      /* of all measured steps */
  double paired, plain; /* of those before a plain step with the same batch size; of these */
} sw_loop_cost;
SW_API void sw_loop_cost_get(const sw_loop *l, sw_loop_cost *out);

/* Every so many steps notes how far each range moved; 0: never. Keeps a copy of the weights.
 * SW_ENOMEM. */
SW_API sw_status sw_loop_watch_updates(sw_loop *l, int64_t every_steps);
SW_API int sw_loop_ranges(const sw_loop *l); /* how many there are */
/* ratio[i] = |change| / |weights before it| of range i at the last step that noted it, 0 where
 * nothing moved. Returns that step; 0: there was none. */
SW_API int64_t sw_loop_update_ratios(const sw_loop *l, double *ratio);

/* The first vector that the optimizer keeps: a view the caller owns; SW_EEMPTY if no update kept
 * one. */
SW_API sw_status sw_loop_momentum(const sw_loop *l, sw_tensor **out);
/* Computes the last run again and checks every result: gives sw_workspace_first_nan's text.
 * Overwrites what sw_loop_gradient shows. SW_EEMPTY before the first step. */
SW_API sw_status sw_loop_first_nan(sw_loop *l, char *text, size_t size);

/* The gradient of the last step, a view; before clipping, but for an external optimizer.
 * SW_EEMPTY before the first. */
SW_API sw_status sw_loop_gradient(const sw_loop *l, sw_tensor **out);

typedef struct sw_state_vector {
  const char *name; /* of its row */
  sw_tensor *view;  /* the caller owns it */
} sw_state_vector;

/* The vectors that the optimizer keeps; *n is 0 before the first update that keeps one. */
SW_API sw_status sw_loop_state_vectors(const sw_loop *l, sw_state_vector out[SW_MOMENTS], int *n);

SW_API const sw_optimizer_row *sw_loop_optimizer(const sw_loop *l);

typedef struct sw_resume {
  int64_t step, examples;       /* 0 to SW_LARGEST_COUNT */
  double loss, grad_norm;       /* NaN if they are not known */
  double hyper[SW_HYPER_COUNT]; /* of the last update; a batch size of 0: they are not known */
  double loss_sum;              /* since the last sw_loop_take_mean */
  int64_t loss_examples;
  const sw_tensor *vectors[SW_MOMENTS]; /* in the order of names; copied; NULL: none */
} sw_resume;

/* Continues as the loop that made these steps would have. The caller sets the weights. On failure
 * the loop is unchanged: SW_ERANGE, SW_EARG (vectors that the optimizer always keeps are missing),
 * SW_ESHAPE, SW_EDTYPE, SW_ENOMEM. */
SW_API sw_status sw_loop_restore(sw_loop *l, const sw_resume *r);

#endif
