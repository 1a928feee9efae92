/* field.c: defaults and checks of fields, by their types. */
#include "train/field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void describe(sw_interval range, char *text, size_t size) {
  if (isinf(range.most) && isinf(range.least))
    snprintf(text, size, range.open ? "finite" : "a number");
  else if (range.open && isinf(range.most) && range.least == 0)
    snprintf(text, size, "finite and not negative");
  else if (range.open)
    snprintf(text, size, "%g or more and below %.10g", range.least, range.most);
  else
    snprintf(text, size, "%g to %.10g", range.least, range.most);
}

sw_status sw_interval_check(sw_context *ctx, const char *who, const char *name, sw_interval range,
                            double x) {
  int bounded = isfinite(x) || !range.open;
  if (bounded && x >= range.least && (range.open ? x < range.most : x <= range.most)) return SW_OK;
  char text[64];
  describe(range, text, sizeof text);
  return sw_fail(ctx, SW_ERANGE, "%s%s%s must be %s, got %g", who ? who : "", who ? ": " : "", name,
                 text, x);
}

/* -------------------------------------------------------------- defaults */

void sw_field_default(const sw_field *f, void *options) {
  char *at = (char *)options + f->offset;
  const int64_t whole = (int64_t)f->fallback;
  const int position = (int)f->fallback;
  switch (f->type) {
  case SW_FIELD_NUMBER: memcpy(at, &f->fallback, sizeof f->fallback); return;
  case SW_FIELD_WHOLE: memcpy(at, &whole, sizeof whole); return;
  case SW_FIELD_FLAG:
  case SW_FIELD_CHOICE: memcpy(at, &position, sizeof position); return;
  case SW_FIELD_DURATION:
  case SW_FIELD_NUMBERS:
  case SW_FIELD_DURATIONS:
  case SW_FIELD_SCHEDULES: return;
  }
}

/* -------------------------------------------------------------- checks */

static sw_status check_choice(sw_context *ctx, const char *who, const sw_field *f, int position) {
  int n = 0;
  while (f->choices[n]) n++;
  if (position >= 0 && position < n) return SW_OK;
  return sw_fail(ctx, SW_EARG, "%s: %s must be choice 0 to %d, got %d", who, f->name, n - 1,
                 position);
}

static sw_status check_duration(sw_context *ctx, const char *who, const sw_field *f,
                                sw_duration d) {
  if (d.unit != SW_STEPS && d.unit != SW_EXAMPLES && d.unit != SW_EPOCHS)
    return sw_fail(ctx, SW_EARG, "%s: %s has no known unit", who, f->name);
  if (d.amount >= f->range.least && d.amount <= f->range.most) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "%s: %s must be %s and finite, got %g", who, f->name,
                 f->range.least > 0 ? "positive" : "0 or more", d.amount);
}

static sw_status check_list(sw_context *ctx, const char *who, const sw_field *f,
                            const void *options) {
  int n;
  const void *list = sw_field_list(f, options, &n);
  for (int i = 0; i < n; i++) {
    if (f->type == SW_FIELD_NUMBERS)
      SW_TRY(sw_interval_check(ctx, who, f->name, f->range, ((const double *)list)[i]));
    else
      SW_TRY(check_duration(ctx, who, f, ((const sw_duration *)list)[i]));
  }
  return SW_OK;
}

sw_status sw_field_check(sw_context *ctx, const char *who, const sw_field *f, const void *options) {
  const void *at = (const char *)options + f->offset;
  switch (f->type) {
  case SW_FIELD_NUMBER: return sw_interval_check(ctx, who, f->name, f->range, *(const double *)at);
  case SW_FIELD_WHOLE:
    return sw_interval_check(ctx, who, f->name, f->range, (double)*(const int64_t *)at);
  case SW_FIELD_CHOICE: return check_choice(ctx, who, f, *(const int *)at);
  case SW_FIELD_DURATION: return check_duration(ctx, who, f, *(const sw_duration *)at);
  case SW_FIELD_NUMBERS:
  case SW_FIELD_DURATIONS: return check_list(ctx, who, f, options);
  case SW_FIELD_SCHEDULES: /* a schedule is checked when it is made */
  case SW_FIELD_FLAG: return SW_OK;
  }
  return SW_OK;
}
