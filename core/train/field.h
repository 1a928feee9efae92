/* field.h: the fields of a struct of options, described: names, types, defaults, ranges. */
#ifndef SW_FIELD_H
#define SW_FIELD_H

#include <stddef.h>

#include "base/context.h"

typedef struct sw_interval {
  double least, most;
  int open; /* most itself is outside */
} sw_interval;

/* SW_ERANGE: "who: name must be …, got …"; who may be NULL. */
SW_API sw_status sw_interval_check(sw_context *ctx, const char *who, const char *name,
                                   sw_interval range, double x);

typedef enum sw_field_type {
  SW_FIELD_NUMBER,    /* double */
  SW_FIELD_WHOLE,     /* int64_t */
  SW_FIELD_FLAG,      /* int */
  SW_FIELD_CHOICE,    /* an enum: the position in choices */
  SW_FIELD_DURATION,  /* sw_duration */
  SW_FIELD_NUMBERS,   /* lists: const double *, */
  SW_FIELD_DURATIONS, /* const sw_duration *, */
  SW_FIELD_SCHEDULES  /* sw_schedule *const * */
} sw_field_type;

typedef struct sw_field {
  const char *name; /* NULL ends a list of fields */
  sw_field_type type;
  size_t offset;              /* in the struct */
  size_t count;               /* of a list: the offset of its length, an int */
  double fallback;            /* of a number */
  sw_interval range;          /* of a number, of the amount of a duration */
  const char *const *choices; /* ends with NULL */
} sw_field;

#endif
