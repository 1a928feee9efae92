/* schedule.h: values as pure functions of progress: learning rate, batch size, momentum, weight
 * decay alike.
 *
 * Progress is counted in examples first, so that a schedule stays right when the batch grows. A
 * schedule is plain data: copied freely, nothing to free.
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

typedef enum sw_schedule_kind {
  SW_SCHEDULE_CONSTANT,
  SW_SCHEDULE_STEP,
  SW_SCHEDULE_CYCLIC,
  SW_SCHEDULE_TRIANGULAR
} sw_schedule_kind;

typedef struct sw_schedule {
  sw_schedule_kind kind;
  double value;       /* constant: the value; step: the initial one */
  double gamma;       /* step: factor at each period */
  double max, min;    /* cyclic: start and end of a cycle; triangular: top and bottom */
  sw_duration period; /* step, cyclic: its length; triangular: the way up */
  sw_duration down;   /* triangular: the way down */
} sw_schedule;

/* SW_ERANGE: a period that is not positive or is above 2^53, a number that is not finite. SW_EARG:
 * a triangle with one way in steps and the other not. */
SW_API sw_status sw_schedule_check(sw_context *ctx, const sw_schedule *s);

/* constant    value
 * step        value * gamma^floor(t / period)          (PyTorch's StepLR)
 * cyclic      (1 - x) max + x min,  x = min(1, (t' - k c) / c),  k = floor(t / c)
 *             (Izmailov et al. 2018, section 3.1: t' counts the coming update in, so with c a whole
 *             number of batches x = (mod(i-1, c) + 1) / c; the update that crosses the end of a
 *             cycle has x = 1)
 * triangular  min + (max - min) s,  s going 0 -> 1 -> 0   (PyTorch's CyclicLR) */
SW_API double sw_schedule_at(const sw_schedule *s, const sw_progress *p);

/* Examples at which a duration (not one in steps) is reached. */
SW_API double sw_duration_examples(sw_duration d, int64_t epoch_examples);

#endif
