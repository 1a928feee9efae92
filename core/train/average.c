/* average.c: the running average of a weight vector. */
#include "train/average.h"

#include "base/alloc.h"

struct sw_average {
  sw_context *ctx;
  sw_tensor *mean;
  int64_t count;
};

sw_status sw_average_new(sw_context *ctx, sw_dtype dtype, int64_t n, sw_average **out) {
  if (dtype != SW_F32 && dtype != SW_F64)
    return sw_fail(ctx, SW_EDTYPE, "average: want a float type, got %s", sw_dtype_name(dtype));
  sw_average *avg = swi_alloc(ctx, sizeof *avg);
  if (!avg) return SW_ENOMEM;
  *avg = (sw_average){.ctx = ctx};
  sw_shape shape = sw_shape_of(1, &n);
  sw_status status = sw_tensor_new(ctx, dtype, &shape, &avg->mean);
  if (status != SW_OK) {
    swi_free(ctx, avg, sizeof *avg);
    return status;
  }
  sw_context_retain(ctx);
  *out = avg;
  return SW_OK;
}

void sw_average_free(sw_average *avg) {
  if (!avg) return;
  sw_context *ctx = avg->ctx;
  sw_tensor_free(avg->mean);
  swi_free(ctx, avg, sizeof *avg);
  sw_context_release(ctx);
}

static sw_status check_point(const sw_average *avg, const sw_tensor *w) {
  sw_dtype want = sw_tensor_dtype(avg->mean), dtype = sw_tensor_dtype(w);
  if (dtype != want)
    return sw_fail(avg->ctx, SW_EDTYPE, "average: expected %s weights, got %s", sw_dtype_name(want),
                   sw_dtype_name(dtype));
  if (sw_shape_equal(sw_tensor_shape(w), sw_tensor_shape(avg->mean))) return SW_OK;
  char text[96];
  return sw_fail(avg->ctx, SW_ESHAPE, "average: expected a vector of %lld weights, got %s",
                 (long long)sw_tensor_numel(avg->mean),
                 sw_shape_text(sw_tensor_shape(w), text, sizeof text));
}

sw_status sw_average_update(sw_average *avg, const sw_tensor *w) {
  SW_TRY(check_point(avg, w));
  if (avg->count == 0) /* exactly the point, whatever the mean held before */
    SW_TRY(sw_tensor_copy(avg->mean, w));
  else
    SW_TRY(sw_tensor_lerp(avg->mean, 1 / ((double)avg->count + 1), w));
  avg->count++;
  return SW_OK;
}

sw_status sw_average_restore(sw_average *avg, const sw_tensor *mean, int64_t count) {
  if (count < 1)
    return sw_fail(avg->ctx, SW_ERANGE, "average: a mean is of 1 point or more, got %lld",
                   (long long)count);
  SW_TRY(check_point(avg, mean));
  SW_TRY(sw_tensor_copy(avg->mean, mean));
  avg->count = count;
  return SW_OK;
}

int64_t sw_average_count(const sw_average *avg) { return avg->count; }

sw_status sw_average_get(const sw_average *avg, const sw_tensor **mean) {
  if (avg->count == 0) return sw_fail(avg->ctx, SW_EEMPTY, "average: no point was taken in yet");
  *mean = avg->mean;
  return SW_OK;
}
