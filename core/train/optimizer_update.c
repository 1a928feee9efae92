/* optimizer_update.c: one update of a vector, for loops other than sw_loop. */
#include <float.h>
#include <math.h>

#include "kernels/cpu_int.h"
#include "train/optimizer_int.h"
#include "train/ranges_int.h"

typedef struct job {
  const swi_kernels *k;
  sw_optimizer_kind kind;
  swi_update update;
  swi_vectors all;
} job;

static sw_status check_tensor(const sw_tensor *w, const sw_tensor *t, const char *name) {
  sw_context *ctx = sw_tensor_context(w);
  char found[96], wanted[96];
  if (!sw_tensor_is_contiguous(t))
    return sw_fail(ctx, SW_ESHAPE, "optimizer: %s must be contiguous", name);
  if (sw_tensor_dtype(t) != sw_tensor_dtype(w))
    return sw_fail(ctx, SW_EDTYPE, "optimizer: %s is %s, the weights are %s", name,
                   sw_dtype_name(sw_tensor_dtype(t)), sw_dtype_name(sw_tensor_dtype(w)));
  if (sw_shape_equal(sw_tensor_shape(t), sw_tensor_shape(w))) return SW_OK;
  return sw_fail(ctx, SW_ESHAPE, "optimizer: %s has shape %s, the weights have %s", name,
                 sw_shape_text(sw_tensor_shape(t), found, sizeof found),
                 sw_shape_text(sw_tensor_shape(w), wanted, sizeof wanted));
}

/* Of contiguous tensors of one shape and type. */
static int overlap(const sw_tensor *a, const sw_tensor *b) {
  uintptr_t x = (uintptr_t)sw_tensor_data(a), y = (uintptr_t)sw_tensor_data(b);
  uintptr_t bytes = (uintptr_t)sw_tensor_numel(a) * (uintptr_t)sw_dtype_bytes(sw_tensor_dtype(a));
  return x < y + bytes && y < x + bytes;
}

/* What is written shares no element with another vector. */
static sw_status check_apart(const sw_optimizer_row *row, const sw_update *u, int n) {
  sw_context *ctx = sw_tensor_context(u->w);
  if (overlap(u->w, u->g)) return sw_fail(ctx, SW_EARG, "optimizer: w and g share elements");
  for (int i = 0; i < n; i++) {
    const char *name = row->moment[i];
    if (overlap(u->moment[i], u->w) || overlap(u->moment[i], u->g))
      return sw_fail(ctx, SW_EARG, "optimizer: %s shares elements with w or g", name);
    for (int k = 0; k < i; k++)
      if (overlap(u->moment[i], u->moment[k]))
        return sw_fail(ctx, SW_EARG, "optimizer: %s and %s share elements", row->moment[k], name);
  }
  return SW_OK;
}

static sw_status check_numbers(sw_context *ctx, const sw_optimizer_options *o, const sw_update *u) {
  SW_TRY(swi_optimizer_check(ctx, o));
  if (u->step < 1 || u->step > SW_LARGEST_COUNT)
    return sw_fail(ctx, SW_ERANGE, "optimizer: step must be 1 to 2^53, got %lld",
                   (long long)u->step);
  for (int h = 0; h < SW_HYPER_COUNT; h++) {
    const sw_hyper_row *row = sw_hyper_row_of(h);
    if (h != SW_HYPER_BATCH_SIZE)
      SW_TRY(sw_interval_check(ctx, "optimizer", row->name, row->range, u->hyper[h]));
  }
  return swi_optimizer_check_hyper(ctx, o->kind, u->hyper);
}

static sw_status point(const sw_optimizer_options *o, const sw_update *u, swi_vectors *v) {
  const sw_optimizer_row *row = sw_optimizer_row_of((int)o->kind);
  int n = sw_optimizer_moments(o->kind, u->hyper[SW_HYPER_MOMENTUM]);
  SW_TRY(check_tensor(u->w, u->w, "w"));
  SW_TRY(check_tensor(u->w, u->g, "g"));
  for (int i = 0; i < n; i++) {
    if (!u->moment[i])
      return sw_fail(sw_tensor_context(u->w), SW_EARG, "optimizer: %s keeps %s, none was given",
                     row->name, row->moment[i]);
    SW_TRY(check_tensor(u->w, u->moment[i], row->moment[i]));
    SW_TRY(sw_tensor_writable(u->moment[i], &v->moment[i]));
  }
  SW_TRY(check_apart(row, u, n));
  v->g = sw_tensor_data(u->g);
  return sw_tensor_writable(u->w, &v->w);
}

static double update_piece(void *arg, const sw_range *range, int64_t first, int64_t n) {
  const job *j = arg;
  (void)range;
  return swi_update_piece(j->k, j->kind, &j->update, &j->all, first, n);
}

static sw_status run(sw_context *ctx, job *j, int64_t n) {
  swi_ranges *all = NULL;
  SW_TRY(swi_ranges_new(ctx, n, NULL, 0, &all));
  uint32_t mode = swi_fpmode_get();
  if (j->k->element_bytes == sizeof(float)) swi_fpmode_flush();
  swi_ranges_run(all, 0, 1, update_piece, j);
  swi_fpmode_set(mode);
  double squares = swi_ranges_sum(all, 0);
  swi_ranges_free(all);
  if (squares >= 0) return SW_OK;
  return sw_fail(ctx, SW_ENAN, "optimizer: the %s not finite",
                 isnan(squares) ? "gradient is" : "updated weights are");
}

sw_status sw_optimizer_update(const sw_optimizer_options *o, const sw_update *u) {
  sw_context *ctx = sw_tensor_context(u->w);
  sw_dtype real = sw_tensor_dtype(u->w);
  job j = {.kind = o->kind};
  if (real != SW_F32 && real != SW_F64)
    return sw_fail(ctx, SW_EDTYPE, "optimizer: weights are float32 or float64, these are %s",
                   sw_dtype_name(real));
  SW_TRY(check_numbers(ctx, o, u));
  if (sw_optimizer_row_of((int)o->kind)->external)
    return sw_fail(ctx, SW_EARG, "optimizer: %s updates nothing",
                   sw_optimizer_row_of((int)o->kind)->name);
  SW_TRY(point(o, u, &j.all));
  j.k = swi_kernels_of(ctx, sw_dtype_bytes(real));
  j.update = swi_update_of(o, u->hyper);
  j.update.step = u->step;
  j.update.first = u->first;
  return run(ctx, &j, sw_tensor_numel(u->w));
}
