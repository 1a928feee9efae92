/* hyper.h: the hyperparameters, numbers that may change from step to step. */
#ifndef SW_HYPER_H
#define SW_HYPER_H

#include "train/field.h"

typedef enum sw_hyper {
  SW_HYPER_LR,
  SW_HYPER_BATCH_SIZE,
  SW_HYPER_MOMENTUM, /* Adam's beta1, too */
  SW_HYPER_WEIGHT_DECAY,
  SW_HYPER_COUNT
} sw_hyper;

typedef struct sw_hyper_row {
  const char *name;
  sw_interval range;
  int whole;       /* counts examples: rounded down to a whole number */
  double fallback; /* until it is set; NaN: it must be set. An optimizer has its own momentum */
} sw_hyper_row;

/* NULL outside of the hyperparameters. */
SW_API const sw_hyper_row *sw_hyper_row_of(int hyper);

#endif
