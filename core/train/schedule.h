/* schedule.h: values as pure functions of progress: learning rate, batch size, momentum, weight
 * decay alike.
 *
 * Progress is counted in examples first, so that a schedule stays right when the batch grows. A
 * schedule is a small tree, immutable and counted: it may be a part of several others. Evaluation
 * allocates nothing.
 */
#ifndef SW_SCHEDULE_H
#define SW_SCHEDULE_H

#include <stdint.h>

#include "base/context.h"

typedef enum sw_unit { SW_STEPS, SW_EXAMPLES, SW_EPOCHS } sw_unit;

typedef struct sw_duration {
  double amount;
  sw_unit unit;
} sw_duration;

typedef struct sw_progress {
  int64_t step;          /* updates made */
  int64_t examples;      /* examples seen by them */
  int64_t next_examples; /* examples seen once the coming update is made (= examples where the batch
                            is what is asked for) */
  int64_t epoch_examples; /* the size of the training set, >= 1 */
} sw_progress;

/* t is the schedule's clock: updates made, or examples seen by them; d what the coming update adds
 * to it; x = min(1, t / period). Where PyTorch has a schedule of that kind, the numbers are
 * PyTorch's, but for the notes.
 *
 * constant             value
 * step                 value gamma^floor(t / period)
 * multi_step           value gamma^(number of marks <= t)
 * piecewise            values[number of marks <= t]
 * exponential          value gamma^(t / period)
 * linear               from + (to - from) x
 * polynomial           (from - to) (1 - x)^power + to
 * cosine               to + (from - to) (1 + cos pi x) / 2
 *                      (holds; PyTorch's turns back after the end)
 * cosine_restarts      the same from each restart on, a wave multiplier times as long as the last
 *                      (waves are counted off; PyTorch's logarithm misses some restarts)
 * cyclic               (1 - u) max + u min,  u = min(1, (t + d - k c) / c),  k = floor(t / c),
 *                      c the period (Izmailov et al. 2018, section 3.1: with c a whole number of
 *                      batches u = (mod(i-1, c) + 1) / c; an update that crosses the end has u = 1)
 * triangular           min + (max - min) s,  s going 0 -> 1 -> 0 over period and down  (CyclicLR)
 * triangular2          the height max - min halves with each cycle
 * exp_range            the height times gamma^t, t from the very start, in the unit of period
 * one_cycle            from -> max -> to; the top is at fraction * period - d, the end at
 *                      period - d, so that the last update has the last value  (OneCycleLR)
 *                      three_phase: back to from as fast as it came, then to
 *                      (a phase of no length is skipped, where PyTorch divides by zero; the end
 *                      holds, where PyTorch's turns back)
 * warmup_stable_decay  from -> max, max, max -> to in the given shape, then it holds
 * inverse_sqrt         from -> value over period, then value sqrt(period / t)
 * chain                one after another, each with a clock that starts at 0; the last goes on
 * scale, product       of values
 * clamp                into min ... max
 * floor                the whole number below (or just above, by rounding) */
typedef enum sw_schedule_kind {
  SW_SCHEDULE_CONSTANT,
  SW_SCHEDULE_STEP,
  SW_SCHEDULE_MULTI_STEP,
  SW_SCHEDULE_PIECEWISE,
  SW_SCHEDULE_EXPONENTIAL,
  SW_SCHEDULE_LINEAR,
  SW_SCHEDULE_POLYNOMIAL,
  SW_SCHEDULE_COSINE,
  SW_SCHEDULE_COSINE_RESTARTS,
  SW_SCHEDULE_CYCLIC,
  SW_SCHEDULE_TRIANGULAR,
  SW_SCHEDULE_TRIANGULAR2,
  SW_SCHEDULE_EXP_RANGE,
  SW_SCHEDULE_ONE_CYCLE,
  SW_SCHEDULE_WARMUP_STABLE_DECAY,
  SW_SCHEDULE_INVERSE_SQRT,
  SW_SCHEDULE_CHAIN,
  SW_SCHEDULE_SCALE,
  SW_SCHEDULE_PRODUCT,
  SW_SCHEDULE_CLAMP,
  SW_SCHEDULE_FLOOR,
  SW_SCHEDULE_KIND_COUNT
} sw_schedule_kind;

typedef enum sw_decay { SW_DECAY_COSINE, SW_DECAY_LINEAR, SW_DECAY_ONE_MINUS_SQRT } sw_decay;

typedef struct sw_schedule sw_schedule;

/* What a schedule is made of; a kind looks at its own fields alone. */
typedef struct sw_schedule_spec {
  sw_schedule_kind kind;
  double value, from, to, max, min;
  double gamma;
  double power;                      /* polynomial: >= 0 */
  double fraction;                   /* one_cycle: where the top is, 0 … 1 */
  int64_t multiplier;                /* cosine_restarts: >= 1 */
  sw_decay shape;                    /* one_cycle: cosine or linear; warmup_stable_decay: any */
  int three_phase;                   /* one_cycle */
  sw_duration period, down;          /* positive */
  sw_duration warmup, stable, decay; /* the first two may be of 0 */
  int n_values, n_marks, n_durations, n_parts;
  const double *values;         /* piecewise: one more than marks */
  const sw_duration *marks;     /* >= 0 */
  const sw_duration *durations; /* chain: of the parts; the last part needs none */
  sw_schedule *const *parts;    /* of combinators; scale, clamp and floor have one */
} sw_schedule_spec;

enum { SW_SCHEDULE_SIZE = 4096, SW_SCHEDULE_DEPTH = 32 }; /* of a tree, at most */

/* Copies what spec points to and keeps the parts; references: 1. SW_ERANGE: a period that is not
 * positive or is above 2^53, a number that is not finite, a tree too large, …; SW_EARG: durations
 * of which some are in steps and some not; a chain in steps of parts that count examples, or the
 * other way round. SW_ENOMEM. */
SW_API sw_status sw_schedule_new(sw_context *ctx, const sw_schedule_spec *spec, sw_schedule **out);
SW_API sw_schedule *sw_schedule_retain(sw_schedule *s);
SW_API void sw_schedule_release(sw_schedule *s); /* NULL is fine */

SW_API double sw_schedule_at(const sw_schedule *s, const sw_progress *p);

/* "cosine", …; NULL outside of the kinds. */
SW_API const char *sw_schedule_kind_name(int kind);

/* Examples at which a duration (not one in steps) is reached. */
SW_API double sw_duration_examples(sw_duration d, int64_t epoch_examples);

#endif
