/* fill_random.c: tensors filled from a random stream, one draw an element, in row-major order, so
 * the values do not depend on strides. */
#include <inttypes.h>
#include <math.h>

#include "tensor/walk_int.h"

/* Draws in [low, high): rounding to float may reach high, which then becomes its lower neighbour.
 */
static double draw_uniform(sw_random *r, double low, double high, sw_dtype dtype) {
  double v = low + (high - low) * sw_random_uniform(r);
  if (dtype == SW_F64) return v < high ? v : nextafter(high, low);
  return (double)((float)v < (float)high ? (float)v : nextafterf((float)high, (float)low));
}

static double draw_normal(sw_random *r, double mean, double std, sw_dtype dtype) {
  (void)dtype;
  return mean + std * sw_random_normal(r);
}

typedef double (*draw)(sw_random *r, double a, double b, sw_dtype dtype);

static void fill(sw_tensor *t, sw_random *r, draw f, double a, double b) {
  swi_convert store = swi_convert_between(SW_F64, t->dtype);
  swi_walk w;
  swi_walk_init(&w, 1, (const sw_tensor *const[]){t});
  while (swi_walk_next(&w)) {
    for (int64_t i = 0; i < w.n; i++) {
      double v = f(r, a, b, t->dtype);
      store(1, (const char *)&v, 0, w.at[0] + i * w.step[0], 0);
    }
  }
}

sw_status sw_tensor_uniform(sw_tensor *t, sw_random *r, double low, double high) {
  SW_TRY(swi_check_writable(t, "uniform"));
  SW_TRY(swi_check_float(t, "uniform"));
  if (!(low <= high) || !isfinite(high - low)) {
    return sw_fail(t->storage->ctx, SW_ERANGE,
                   "uniform: expected finite low <= high, got %g and %g", low, high);
  }
  fill(t, r, draw_uniform, low, high);
  return SW_OK;
}

sw_status sw_tensor_normal(sw_tensor *t, sw_random *r, double mean, double std) {
  SW_TRY(swi_check_writable(t, "normal"));
  SW_TRY(swi_check_float(t, "normal"));
  if (!(std >= 0) || !isfinite(std) || !isfinite(mean)) {
    return sw_fail(t->storage->ctx, SW_ERANGE,
                   "normal: expected a finite mean and std >= 0, got %g and %g", mean, std);
  }
  fill(t, r, draw_normal, mean, std);
  return SW_OK;
}

/* The kernel fills contiguous memory; a strided tensor gets a copy of it. */
static sw_status permute(sw_tensor *t, sw_random *r) {
  if (sw_tensor_is_contiguous(t)) {
    sw_random_permutation(r, (int32_t)t->numel, (int32_t *)(void *)t->data);
    return SW_OK;
  }
  sw_tensor *order;
  SW_TRY(swi_tensor_empty(t->storage->ctx, SW_I32, &t->shape, 0, &order));
  sw_random_permutation(r, (int32_t)t->numel, (int32_t *)(void *)order->data);
  sw_status st = sw_tensor_copy(t, order);
  sw_tensor_free(order);
  return st;
}

sw_status sw_tensor_permutation(sw_tensor *t, sw_random *r) {
  sw_context *ctx = t->storage->ctx;
  SW_TRY(swi_check_writable(t, "permutation"));
  if (t->dtype != SW_I32) {
    return sw_fail(ctx, SW_EDTYPE, "permutation: expected int32, got %s", sw_dtype_name(t->dtype));
  }
  if (t->shape.ndim != 1) {
    return sw_fail(ctx, SW_ESHAPE, "permutation: expected one dimension, got %d", t->shape.ndim);
  }
  if (t->numel > INT32_MAX) {
    return sw_fail(ctx, SW_ERANGE, "permutation: %" PRId64 " elements, at most 2147483647",
                   t->numel);
  }
  return permute(t, r);
}
