/* hyper.c: the table of hyperparameters, and intervals of numbers. */
#include "train/hyper.h"

#include <math.h>
#include <stdio.h>

static const sw_hyper_row rows[SW_HYPER_COUNT] = {
    [SW_HYPER_LR] = {"lr", {0, HUGE_VAL, 1}, 0, NAN},
    [SW_HYPER_BATCH_SIZE] = {"batch_size", {1, INT32_MAX, 0}, 1, NAN},
    [SW_HYPER_MOMENTUM] = {"momentum", {0, 1, 0}, 0, 0},
    [SW_HYPER_WEIGHT_DECAY] = {"weight_decay", {0, HUGE_VAL, 1}, 0, 0},
};

const sw_hyper_row *sw_hyper_row_of(int hyper) {
  return hyper >= 0 && hyper < SW_HYPER_COUNT ? &rows[hyper] : NULL;
}

static void describe(sw_interval range, char *text, size_t size) {
  if (range.open && isinf(range.most) && range.least == 0)
    snprintf(text, size, "finite and not negative");
  else if (range.open)
    snprintf(text, size, "%g or more and below %.10g", range.least, range.most);
  else
    snprintf(text, size, "%g to %.10g", range.least, range.most);
}

sw_status sw_interval_check(sw_context *ctx, const char *who, const char *name, sw_interval range,
                            double x) {
  if (x >= range.least && (range.open ? x < range.most : x <= range.most)) return SW_OK;
  char text[64];
  describe(range, text, sizeof text);
  return sw_fail(ctx, SW_ERANGE, "%s%s%s must be %s, got %g", who ? who : "", who ? ": " : "", name,
                 text, x);
}
