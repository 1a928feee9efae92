/* schedule_int.h: the row of a kind, and what the files of schedules share. */
#ifndef SW_SCHEDULE_INT_H
#define SW_SCHEDULE_INT_H

#include "train/schedule.h"

/* Progress as a part of a chain sees it: counted from where the part began. */
typedef struct swi_progress {
  double step, examples, next_examples;
  int64_t epoch_examples;
} swi_progress;

/* The fields of sw_schedule_spec. */
enum {
  SWI_VALUE = 1, /* 0 ends a list of them */
  SWI_FROM,
  SWI_TO,
  SWI_MAX,
  SWI_MIN,
  SWI_LOWEST, /* min and max where they may be infinite */
  SWI_HIGHEST,
  SWI_GAMMA,
  SWI_POWER,
  SWI_FRACTION,
  SWI_MULTIPLIER,
  SWI_SHAPE,
  SWI_THREE_PHASE,
  SWI_PERIOD,
  SWI_DOWN,
  SWI_WARMUP,
  SWI_STABLE,
  SWI_DECAY,
  SWI_VALUES,
  SWI_MARKS,
  SWI_DURATIONS,
  SWI_SCHEDULES,
  SWI_SCHEDULE_FIELDS
};

typedef struct swi_schedule_row {
  const char *name;
  unsigned char
      fields[SWI_SCHEDULE_FIELDS]; /* that it reads; 0 or the end of the array ends them */
  int one_part;                    /* of a kind with parts: there is one; else one or more */
  double (*at)(const sw_schedule_spec *s, const swi_progress *p);
  /* Checks fields against each other; NULL: nothing to check. */
  sw_status (*check)(sw_context *ctx, const sw_schedule_spec *s);
  void (*defaults)(
      sw_schedule_spec *s); /* of fields whose defaults differ from those in the table; NULL */
} swi_schedule_row;

/* swi_schedule_cosine, … */
#define SCHEDULE(name) extern const swi_schedule_row swi_schedule_##name;
#include "train/schedules.def"

/* NULL outside of the kinds. */
const swi_schedule_row *swi_schedule_row_of(int kind);

/* Of a part. */
double swi_schedule_at(const sw_schedule *s, const swi_progress *p);

/* Durations such as 0.07 epochs of 100 examples are whole numbers that binary fractions miss by a
 * few units in the last place. Far below one example for any training that can be run. */
double swi_snap(double x);

/* Length of a duration on its own scale: steps or examples. */
double swi_duration_length(sw_duration d, int64_t epoch_examples);

/* Which clocks a schedule reads. */
enum { SWI_CLOCK_STEPS = 1, SWI_CLOCK_EXAMPLES = 2 };

int swi_schedule_clocks(const sw_schedule *s); /* and its parts */
/* None where the duration is 0. */
int swi_duration_clock(sw_duration d);

/* Whether the fields that a spec's kind reads are good, and which clocks its durations (not its
 * parts) name. */
sw_status swi_schedule_check(sw_context *ctx, const sw_schedule_spec *s, int *clocks);

#endif
