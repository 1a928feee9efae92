/* window.c: the geometry of windows that slide over images, for convolutions and pools. */
#include <inttypes.h>

#include "graph/op_int.h"

static sw_status check_pair(sw_context *ctx, const char *op, const char *what, int64_t least,
                            const int64_t pair[2]) {
  for (int i = 0; i < 2; i++)
    if (pair[i] < least || pair[i] > SW_MOST_WINDOW)
      return sw_fail(ctx, SW_ERANGE, "%s: %s must be from %" PRId64 " to %d, got %" PRId64, op,
                     what, least, SW_MOST_WINDOW, pair[i]);
  return SW_OK;
}

sw_status swi_window_complete(sw_context *ctx, const char *op, sw_window *w) {
  for (int i = 0; i < 2; i++) {
    if (w->stride[i] == 0) w->stride[i] = 1;
    if (w->dilation[i] == 0) w->dilation[i] = 1;
  }
  if (w->groups == 0) w->groups = 1;
  SW_TRY(check_pair(ctx, op, "the kernel", 1, w->kernel));
  SW_TRY(check_pair(ctx, op, "the stride", 1, w->stride));
  SW_TRY(check_pair(ctx, op, "the padding", 0, w->padding));
  SW_TRY(check_pair(ctx, op, "the dilation", 1, w->dilation));
  if (w->groups < 0 || w->groups > SW_MOST_WINDOW)
    return sw_fail(ctx, SW_ERANGE, "%s: groups must be from 1 to %d, got %" PRId64, op,
                   SW_MOST_WINDOW, w->groups);
  return SW_OK;
}

sw_status swi_window_out(sw_context *ctx, const char *op, const sw_window *w, int64_t out[2]) {
  int64_t span[2], padded[2];
  for (int i = 0; i < 2; i++) {
    span[i] = (w->kernel[i] - 1) * w->dilation[i] + 1;
    padded[i] = w->size[i] + 2 * w->padding[i];
    out[i] = padded[i] < span[i] ? 0 : (padded[i] - span[i]) / w->stride[i] + 1;
  }
  if (out[0] > 0 && out[1] > 0) return SW_OK;
  return sw_fail(ctx, SW_ESHAPE,
                 "%s: a kernel that spans %" PRId64 " x %" PRId64
                 " pixels does not fit into images of %" PRId64 " x %" PRId64
                 " with their padding (pad them, or take a smaller kernel or dilation)",
                 op, span[0], span[1], padded[0], padded[1]);
}

static void take_pair(int64_t to[2], const int64_t from[2], int wanted) {
  for (int i = 0; i < 2 && wanted; i++) to[i] = from[i];
}

sw_window swi_window_read(sw_op op, const sw_window *w) {
  const uint32_t read = swi_op(op)->attrs;
  sw_window r = {.groups = read & SW_ATTR_GROUPS ? w->groups : 0};
  take_pair(r.kernel, w->kernel, (read & SW_ATTR_KERNEL) != 0);
  take_pair(r.stride, w->stride, (read & SW_ATTR_STRIDE) != 0);
  take_pair(r.padding, w->padding, (read & SW_ATTR_PADDING) != 0);
  take_pair(r.dilation, w->dilation, (read & SW_ATTR_DILATION) != 0);
  take_pair(r.size, w->size, (read & SW_ATTR_SIZE) != 0);
  return r;
}
