/* schedule_int.h: between the files of schedules. */
#ifndef SW_SCHEDULE_INT_H
#define SW_SCHEDULE_INT_H

#include "train/schedule.h"

/* Progress as a part of a chain sees it: counted from where the part began. */
typedef struct swi_progress {
  double step, examples, next_examples;
  int64_t epoch_examples;
} swi_progress;

/* Durations such as 0.07 epochs of 100 examples are whole numbers that binary fractions miss by a
 * few units in the last place. Far below one example for any training that can be run. */
double swi_snap(double x);

/* Length of a duration on its own scale: steps or examples. */
double swi_duration_length(sw_duration d, int64_t epoch_examples);

/* The value of a schedule that has no parts. */
double swi_curve_at(const sw_schedule_spec *s, const swi_progress *p);

/* Which clocks a schedule looks at. */
enum { SWI_CLOCK_STEPS = 1, SWI_CLOCK_EXAMPLES = 2 };

/* Whether a spec's own fields are good (not its parts), and which clocks they name. */
sw_status swi_schedule_check(sw_context *ctx, const sw_schedule_spec *s, int *clocks);

#endif
