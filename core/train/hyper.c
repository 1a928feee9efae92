/* hyper.c: the table of hyperparameters. */
#include "train/hyper.h"

#include <math.h>

static const sw_hyper_row rows[SW_HYPER_COUNT] = {
    [SW_HYPER_LR] = {"lr", {0, HUGE_VAL, 1}, 0, (double)NAN},
    [SW_HYPER_BATCH_SIZE] = {"batch_size", {1, INT32_MAX, 0}, 1, (double)NAN},
    [SW_HYPER_MOMENTUM] = {"momentum", {0, 1, 0}, 0, 0},
    [SW_HYPER_WEIGHT_DECAY] = {"weight_decay", {0, HUGE_VAL, 1}, 0, 0},
};

const sw_hyper_row *sw_hyper_row_of(int hyper) {
  return hyper >= 0 && hyper < SW_HYPER_COUNT ? &rows[hyper] : NULL;
}
