/* duration.h: lengths of time in a training, in steps, examples or epochs. */
#ifndef SW_DURATION_H
#define SW_DURATION_H

#include <stdint.h>

#include "base/context.h"

typedef enum sw_unit { SW_STEPS, SW_EXAMPLES, SW_EPOCHS } sw_unit;

typedef struct sw_duration {
  double amount;
  sw_unit unit;
} sw_duration;

/* Examples at which a duration (not one in steps) is reached. */
SW_API double sw_duration_examples(sw_duration d, int64_t epoch_examples);

#endif
