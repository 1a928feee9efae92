/* ranges.h: ranges of the weights, each with factors of its own. */
#ifndef SW_RANGES_H
#define SW_RANGES_H

#include <stdint.h>

typedef struct sw_range {
  int64_t first, length;
  double lr_factor, weight_decay_factor;
  int frozen; /* neither updated nor counted in the gradient's norm */
} sw_range;

#endif
