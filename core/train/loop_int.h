/* loop_int.h: what the files of the loop share. */
#ifndef SW_LOOP_INT_H
#define SW_LOOP_INT_H

#include "base/context_int.h"
#include "kernels/kernels_int.h"
#include "train/loop.h"
#include "train/optimizer_int.h"
#include "train/ranges_int.h"

/* A hyperparameter: a schedule, or a fixed value. */
typedef struct swi_number {
  sw_schedule *schedule; /* NULL: fixed */
  double value;
} swi_number;

/* A program, where it runs, and which ranges of the weights each output is the gradient of. */
typedef struct swi_runner {
  sw_program *program; /* NULL: not there */
  sw_workspace *workspace;
  int n_outputs;
  int *begin, *end; /* ranges begin[o] … end[o] - 1 lie within output o */
} swi_runner;

/* What one step is to do. */
typedef struct swi_step_plan {
  int64_t batch;
  int64_t part; /* most examples a run */
  double hyper[SW_HYPER_COUNT];
  swi_update update;
  int measured;
} swi_step_plan;

/* What it found. */
typedef struct swi_outcome {
  double loss;
  double sum_sumsq; /* of a measured step: per-example squared gradient norms, summed */
  double grad_sumsq, grad_norm;
  double regularised_sumsq; /* NaN: not measured */
  sw_loop_fault fault;      /* with SW_ENAN */
  int range;                /* where; -1: not known */
} swi_outcome;

/* A step that was timed; seconds is 0 where there is none. */
typedef struct swi_timed {
  int64_t batch;
  double seconds;
} swi_timed;

struct sw_loop {
  sw_context *ctx;
  swi_runner plain, measuring;
  int64_t measuring_capacity;
  sw_dtype real;
  const swi_kernels *k;
  sw_tensor *weights;            /* a view */
  sw_tensor *gradient;           /* of the last step */
  sw_tensor *buffers;            /* a view; NULL: none */
  sw_tensor *fresh[2];           /* their values after this step, and after its last part */
  int merged;                    /* parts merged into fresh[0] */
  sw_tensor *part;               /* gradient of a part of a batch; NULL until one is cut */
  sw_tensor *moment[SW_MOMENTS]; /* NULL until an update needs them */
  sw_tensor *before;             /* weights before a watched update; NULL until one is */
  int has_gradient;              /* a step has written it */
  int has_moments;               /* an update has written them */
  int has_values;                /* an update has left its numbers in the state */
  swi_ranges *ranges;
  char *done; /* of each range: updated in this step */
  const sw_source *source;
  sw_sampler *sampler;
  uint64_t seed;
  sw_workspace *last_run; /* borrowed: whose inputs are those of the last run; NULL: none */
  sw_run last;            /* what it was given */
  const void *vectors[2]; /* its vectors */
  int32_t *index;         /* of the examples of a batch */
  int64_t capacity;       /* of index */
  swi_number hyper[SW_HYPER_COUNT];
  sw_optimizer_options optimizer;
  double max_norm;
  int64_t micro_batch;
  sw_coupling coupling;
  double reference_batch;
  int64_t measure_every, watch_every;      /* steps; 0: never */
  int measure_next;                        /* the coming step is measured, too */
  int regularised;                         /* with weight decay, too */
  double *ratio;                           /* of each range; NULL until watched */
  int64_t ratios_step;                     /* 0: none yet */
  sw_grad_norms norms[SW_LOOP_GRAD_NORMS]; /* a ring */
  sw_loop_cost cost;
  swi_timed cost_before; /* the measured step before this one */
  sw_loop_state state;
};

/* loop_numbers.c: the hyperparameters, and the plan of the coming step. */
void swi_coming_values(const sw_loop *l, double value[SW_HYPER_COUNT]);
int64_t swi_whole_batch(double x); /* 0: it is outside of its range */
sw_status swi_plan_step(const sw_loop *l, swi_step_plan *p);
int swi_moments(const sw_loop *l, const swi_step_plan *p); /* that the step will keep */

/* loop_compute.c: loss and gradient of a batch, in as many runs as it takes. */
sw_status swi_grow_index(sw_loop *l, int64_t batch);
sw_status swi_make_room(sw_loop *l, const swi_step_plan *p);
/* updater: for early updates, where the batch is one run; NULL: none. */
sw_status swi_compute(sw_loop *l, const swi_step_plan *p, const sw_updater *updater,
                      swi_outcome *o);

/* loop_buffers.c: params that a step gives new values. */
sw_status swi_buffers_new(sw_loop *l, const sw_tensor *buffers);
void swi_buffers_free(sw_loop *l);
/* Allocates what a step of several parts needs. */
sw_status swi_buffers_room(sw_loop *l);
void swi_buffers_begin(sw_loop *l); /* of a step */
/* Sets where the coming run reads them and where it writes their new values. */
sw_status swi_buffers_point(sw_loop *l, sw_run *run);
/* Merges what the run wrote; weight: its examples' share of this step's so far. */
sw_status swi_buffers_merge(sw_loop *l, double weight);
/* SW_ENAN: they are not finite, nothing was copied. */
sw_status swi_buffers_commit(sw_loop *l);

/* loop_update.c: the update, early or at the end. */
sw_status swi_runner_map(sw_loop *l, swi_runner *r);
/* Loss, gradient and update. SW_ENAN: see o->fault. */
sw_status swi_train_step(sw_loop *l, const swi_step_plan *p, swi_outcome *o);

/* loop_cost.c: the time of measured steps. */
int swi_cost_is_timed(const sw_loop *l, const swi_step_plan *p);
void swi_cost_add(sw_loop *l, const swi_step_plan *p, double seconds);

/* loop_resume.c: whether an optimizer of at most so many vectors can go on from a step with those
 * given: with all of them, or with none where it had none. */
int swi_vectors_suffice(const sw_optimizer_row *row, int most, int64_t step, int given);

/* loop_fault.c: finding values that are not finite, and the message. */
int swi_is_finite(const swi_kernels *k, const sw_tensor *v);
/* |gradient|, of what is trained, given the sum of its squares; NaN: it is not finite. */
double swi_gradient_norm(const sw_loop *l, double squares);
/* The first of ranges begin … end - 1 whose sum of squares is NaN or negative; end: none. */
int swi_first_odd(const sw_loop *l, int begin, int end);
/* Stores the outcome's fault in the state, and fails with its message. */
sw_status swi_refuse(sw_loop *l, const swi_outcome *o);

#endif
