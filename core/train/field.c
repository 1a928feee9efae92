/* field.c: intervals of numbers, checked and in words. */
#include "train/field.h"

#include <math.h>
#include <stdio.h>

static void describe(sw_interval range, char *text, size_t size) {
  if (range.open && isinf(range.most) && isinf(range.least))
    snprintf(text, size, "finite");
  else if (range.open && isinf(range.most) && range.least == 0)
    snprintf(text, size, "finite and not negative");
  else if (range.open)
    snprintf(text, size, "%g or more and below %.10g", range.least, range.most);
  else
    snprintf(text, size, "%g to %.10g", range.least, range.most);
}

sw_status sw_interval_check(sw_context *ctx, const char *who, const char *name, sw_interval range,
                            double x) {
  if (isfinite(x) && x >= range.least && (range.open ? x < range.most : x <= range.most))
    return SW_OK;
  char text[64];
  describe(range, text, sizeof text);
  return sw_fail(ctx, SW_ERANGE, "%s%s%s must be %s, got %g", who ? who : "", who ? ": " : "", name,
                 text, x);
}
