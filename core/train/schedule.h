/* schedule.h: values as pure functions of progress: learning rate, batch size, momentum, weight
 * decay alike.
 *
 * Progress is counted in examples first, so that a schedule stays right when the batch grows. A
 * schedule is a small tree, immutable and counted: it may be a part of several others. Evaluation
 * allocates nothing.
 */
#ifndef SW_SCHEDULE_H
#define SW_SCHEDULE_H

#include "train/field.h"

typedef struct sw_progress {
  int64_t step;          /* updates made */
  int64_t examples;      /* examples seen by them */
  int64_t next_examples; /* examples seen once the coming update is made (= examples where the batch
                            is what is asked for) */
  int64_t epoch_examples; /* the size of the training set, >= 1 */
} sw_progress;

/* Each kind's curve and formula are in schedule_curve.c and schedule_combine.c. */
typedef enum sw_schedule_kind {
#define SCHEDULE(name) SW_SCHEDULE_##name,
#include "train/schedules.def"
  SW_SCHEDULE_KIND_COUNT
} sw_schedule_kind;

typedef enum sw_decay { SW_DECAY_COSINE, SW_DECAY_LINEAR, SW_DECAY_ONE_MINUS_SQRT } sw_decay;

typedef struct sw_schedule sw_schedule;

/* What a schedule is made of; a kind reads the fields of its row alone, the others are ignored. */
typedef struct sw_schedule_spec {
  sw_schedule_kind kind;
  double value, from, to, max, min;
  double gamma;
  double power;                      /* polynomial: >= 0 */
  double fraction;                   /* one_cycle: where the top is, 0 … 1 */
  int64_t multiplier;                /* cosine_restarts: >= 1 */
  sw_decay shape;                    /* one_cycle: cosine or linear; warmup_stable_decay: any */
  int three_phase;                   /* one_cycle */
  sw_duration period;                /* positive */
  sw_duration down;                  /* 0: as long as period */
  sw_duration warmup, stable, decay; /* the first two may be 0 */
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
/* All fields of a spec but its kind. */
SW_API const sw_field *sw_schedule_fields(void);
/* Whether a kind reads this one of them. */
SW_API int sw_schedule_reads(sw_schedule_kind kind, const sw_field *f);
/* A spec of a kind in which the fields it reads have their defaults; no parts, no marks. */
SW_API sw_schedule_spec sw_schedule_defaults(sw_schedule_kind kind);

#endif
