/* schedule_check.h: what the tests of schedules share. */
#ifndef SW_SCHEDULE_CHECK_H
#define SW_SCHEDULE_CHECK_H

#include "train/schedule.h"
#include "train_check.h"

static inline sw_duration steps(double amount) { return (sw_duration){amount, SW_STEPS}; }
static inline sw_duration examples(double amount) { return (sw_duration){amount, SW_EXAMPLES}; }
static inline sw_duration epochs(double amount) { return (sw_duration){amount, SW_EPOCHS}; }

static inline sw_schedule *make(sw_schedule_spec spec) {
  sw_schedule *s = NULL;
  CHECK_OK(ctx, sw_schedule_new(ctx, &spec, &s));
  return s;
}

/* After t updates of batches of 10, 100 examples an epoch. */
static inline double at(const sw_schedule *s, int64_t t) {
  return sw_schedule_at(s, &(sw_progress){t, 10 * t, 10 * t + 10, 100});
}

#endif
