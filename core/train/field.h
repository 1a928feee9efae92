/* field.h: the fields of a struct of options: names, types, defaults, ranges. */
#ifndef SW_FIELD_H
#define SW_FIELD_H

#include <stddef.h>

#include "train/duration.h"

typedef struct sw_interval {
  double least, most;
  int open; /* most itself is outside; so are infinite numbers, which a closed interval may have */
} sw_interval;

/* SW_ERANGE: "who: name must be …, got …"; who may be NULL. */
SW_API sw_status sw_interval_check(sw_context *ctx, const char *who, const char *name,
                                   sw_interval range, double x);

typedef enum sw_field_type {
  SW_FIELD_NUMBER,    /* double */
  SW_FIELD_WHOLE,     /* int64_t */
  SW_FIELD_FLAG,      /* int: 0 or 1 */
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
  size_t element;             /* of a list: bytes of an element, a multiple of 8; else 0 */
  double fallback;            /* of a number, a flag, a choice */
  sw_interval range;          /* of a number, of the amount of a duration */
  const char *const *choices; /* ends with NULL */
} sw_field;

/* Gives a field of the struct its default. Durations and lists keep what they have. */
SW_API void sw_field_default(const sw_field *f, void *options);
/* Whether a field of the struct has a good value: "who: name …". SW_ERANGE, SW_EARG. */
SW_API sw_status sw_field_check(sw_context *ctx, const char *who, const sw_field *f,
                                const void *options);

/* The list of a field, and its length. */
static inline const void *sw_field_list(const sw_field *f, const void *options, int *n) {
  const char *at = options;
  *n = *(const int *)(at + f->count);
  return *(const void *const *)(at + f->offset);
}

#endif
