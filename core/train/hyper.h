/* hyper.h: the numbers that may change from step to step. */
#ifndef SW_HYPER_H
#define SW_HYPER_H

typedef enum sw_hyper {
  SW_HYPER_LR,
  SW_HYPER_BATCH_SIZE,
  SW_HYPER_MOMENTUM, /* Adam's beta1, too */
  SW_HYPER_WEIGHT_DECAY,
  SW_HYPER_COUNT
} sw_hyper;

#endif
