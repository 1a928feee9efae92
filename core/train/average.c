/* average.c: running averages of a weight vector. */
#include "train/average.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "kernels/kernels_int.h"

/* ---- the kinds */

typedef struct average_row {
  const char *name;
  sw_field fields[SW_AVERAGE_FIELDS + 1];
  int keeps_points; /* the mean is computed from the points when it is read */
  /* The weight of the next point in the mean of count points. */
  double (*weight)(int64_t count, const sw_average_options *o);
} average_row;

static double equal_weight(int64_t count, const sw_average_options *o) {
  (void)o;
  return 1 / ((double)count + 1);
}

static double rest_of_decay(int64_t count, const sw_average_options *o) {
  (void)count;
  return 1 - o->decay;
}

static const average_row rows[SW_AVERAGE_COUNT] = {
    [SW_AVERAGE_SWA] = {.name = "swa", .weight = equal_weight},
    [SW_AVERAGE_EMA] = {.name = "ema",
                        .fields = {{.name = "decay",
                                    .type = SW_FIELD_NUMBER,
                                    .offset = offsetof(sw_average_options, decay),
                                    .fallback = 0.999,
                                    .range = {0, 1, 0}}},
                        .weight = rest_of_decay},
    [SW_AVERAGE_LAST] = {.name = "last",
                         .fields = {{.name = "k",
                                     .type = SW_FIELD_WHOLE,
                                     .offset = offsetof(sw_average_options, k),
                                     .range = {1, INT32_MAX, 0}}},
                         .keeps_points = 1,
                         .weight = equal_weight},
};

const char *sw_average_name(sw_average_kind kind) { return rows[kind].name; }

const sw_field *sw_average_fields(sw_average_kind kind) { return rows[kind].fields; }

struct sw_average {
  sw_context *ctx;
  sw_average_options options;
  const average_row *row;
  sw_tensor *mean, *carry; /* as a sum: the carry is below the mean's last digit */
  int64_t count;
  sw_tensor *kept, **point; /* last: (k, n), a ring, and views of its rows */
  int stale;                /* last: points were added since the mean was computed */
};

/* -------------------------------------------------------------- making */

static sw_status check_options(sw_context *ctx, const sw_average_options *o, sw_dtype dtype) {
  if ((unsigned)o->kind >= SW_AVERAGE_COUNT)
    return sw_fail(ctx, SW_EARG, "average: there is no kind %d", (int)o->kind);
  if (dtype != SW_F32 && dtype != SW_F64)
    return sw_fail(ctx, SW_EDTYPE, "average: the type must be float32 or float64, got %s",
                   sw_dtype_name(dtype));
  for (const sw_field *f = rows[o->kind].fields; f->name; f++)
    SW_TRY(sw_field_check(ctx, "average", f, o));
  return SW_OK;
}

static size_t point_bytes(const sw_average *avg) {
  return (size_t)avg->options.k * sizeof *avg->point;
}

static sw_status make_ring(sw_average *avg, sw_dtype dtype, int64_t n) {
  int64_t k = avg->options.k;
  sw_shape shape = sw_shape_of(2, (int64_t[]){k, n});
  SW_TRY(sw_tensor_new(avg->ctx, dtype, &shape, &avg->kept));
  avg->point = swi_alloc_zeroed(avg->ctx, point_bytes(avg));
  if (!avg->point) return SW_ENOMEM;
  for (int64_t i = 0; i < k; i++) SW_TRY(sw_tensor_select(avg->kept, 0, i, &avg->point[i]));
  return SW_OK;
}

static sw_status fill_average(sw_average *avg, sw_dtype dtype, int64_t n) {
  sw_shape shape = sw_shape_of(1, &n);
  SW_TRY(sw_tensor_new(avg->ctx, dtype, &shape, &avg->mean));
  SW_TRY(sw_tensor_new(avg->ctx, dtype, &shape, &avg->carry));
  return avg->row->keeps_points ? make_ring(avg, dtype, n) : SW_OK;
}

sw_status sw_average_new(sw_context *ctx, const sw_average_options *o, sw_dtype dtype, int64_t n,
                         sw_average **out) {
  SW_TRY(check_options(ctx, o, dtype));
  sw_average *avg = swi_alloc(ctx, sizeof *avg);
  if (!avg) return SW_ENOMEM;
  *avg = (sw_average){.ctx = sw_context_retain(ctx), .options = *o, .row = &rows[o->kind]};
  sw_status status = fill_average(avg, dtype, n);
  if (status == SW_OK)
    *out = avg;
  else
    sw_average_free(avg);
  return status;
}

void sw_average_free(sw_average *avg) {
  if (!avg) return;
  sw_context *ctx = avg->ctx;
  for (int64_t i = 0; avg->point && i < avg->options.k; i++) sw_tensor_free(avg->point[i]);
  swi_free(ctx, avg->point, point_bytes(avg));
  sw_tensor_free(avg->kept);
  sw_tensor_free(avg->carry);
  sw_tensor_free(avg->mean);
  swi_free(ctx, avg, sizeof *avg);
  sw_context_release(ctx);
}

/* -------------------------------------------------------------- adding a point */

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

/* mean += t (w - mean), in double precision of the element type. */
static sw_status move(sw_average *avg, double t, const sw_tensor *w) {
  sw_tensor *copy = NULL;
  void *mean, *carry;
  SW_TRY(sw_tensor_writable(avg->mean, &mean));
  SW_TRY(sw_tensor_writable(avg->carry, &carry));
  if (!sw_tensor_is_contiguous(w)) SW_TRY(sw_tensor_clone(w, &copy));
  const swi_kernels *k = swi_kernels_of(avg->ctx, sw_dtype_bytes(sw_tensor_dtype(w)));
  k->lerp_carry(sw_tensor_numel(w), t, sw_tensor_data(copy ? copy : w), mean, carry);
  sw_tensor_free(copy);
  return SW_OK;
}

/* The mean becomes w; carry NULL: nothing. */
static sw_status begin(sw_average *avg, const sw_tensor *w, const sw_tensor *carry) {
  SW_TRY(sw_tensor_copy(avg->mean, w));
  return carry ? sw_tensor_copy(avg->carry, carry) : sw_tensor_fill(avg->carry, 0);
}

/* The first point becomes the mean exactly; the old contents do not matter. */
static sw_status take_in(sw_average *avg, const sw_tensor *w) {
  if (avg->row->keeps_points) {
    avg->stale = 1;
    return sw_tensor_copy(avg->point[avg->count % avg->options.k], w);
  }
  if (avg->count == 0) return begin(avg, w, NULL);
  return move(avg, avg->row->weight(avg->count, &avg->options), w);
}

sw_status sw_average_update(sw_average *avg, const sw_tensor *w) {
  SW_TRY(check_point(avg, w));
  SW_TRY(take_in(avg, w));
  avg->count++;
  return SW_OK;
}

/* -------------------------------------------------------------- reading the mean */

static int64_t points_kept(const sw_average *avg) {
  return avg->count < avg->options.k ? avg->count : avg->options.k;
}

/* Number i of those kept, the oldest being 0. */
static sw_tensor *kept_point(const sw_average *avg, int64_t i) {
  return avg->point[(avg->count - points_kept(avg) + i) % avg->options.k];
}

/* Adds from the oldest on, so that the bits do not depend on the ring's position. */
static sw_status take_mean(sw_average *avg) {
  if (!avg->stale) return SW_OK;
  SW_TRY(begin(avg, kept_point(avg, 0), NULL));
  for (int64_t i = 1; i < points_kept(avg); i++)
    SW_TRY(move(avg, avg->row->weight(i, &avg->options), kept_point(avg, i)));
  avg->stale = 0;
  return SW_OK;
}

static sw_status check_filled(const sw_average *avg) {
  if (avg->count > 0) return SW_OK;
  return sw_fail(avg->ctx, SW_EEMPTY, "average: no point was taken in yet");
}

int64_t sw_average_count(const sw_average *avg) { return avg->count; }

sw_status sw_average_get(sw_average *avg, const sw_tensor **mean) {
  SW_TRY(check_filled(avg));
  SW_TRY(take_mean(avg));
  *mean = avg->mean;
  return SW_OK;
}

/* -------------------------------------------------------------- state and restore */

/* Copies row i of the matrix to the point, or back. */
static sw_status copy_row(sw_tensor *matrix, int64_t i, sw_tensor *point, int into_matrix) {
  sw_tensor *row;
  SW_TRY(sw_tensor_select(matrix, 0, i, &row));
  sw_status status = into_matrix ? sw_tensor_copy(row, point) : sw_tensor_copy(point, row);
  sw_tensor_free(row);
  return status;
}

sw_status sw_average_state(const sw_average *avg, sw_tensor **out) {
  SW_TRY(check_filled(avg));
  if (!avg->row->keeps_points) return sw_tensor_clone(avg->mean, out);
  sw_tensor *all = NULL;
  sw_shape shape = sw_shape_of(2, (int64_t[]){points_kept(avg), sw_tensor_numel(avg->mean)});
  SW_TRY(sw_tensor_new(avg->ctx, sw_tensor_dtype(avg->mean), &shape, &all));
  sw_status status = SW_OK;
  for (int64_t i = 0; i < points_kept(avg) && status == SW_OK; i++)
    status = copy_row(all, i, kept_point(avg, i), 1);
  if (status == SW_OK)
    *out = all;
  else
    sw_tensor_free(all);
  return status;
}

sw_status sw_average_carry(const sw_average *avg, sw_tensor **out) {
  SW_TRY(check_filled(avg));
  SW_TRY(sw_tensor_clone(avg->carry, out));
  return avg->row->keeps_points ? sw_tensor_fill(*out, 0) : SW_OK;
}

static sw_status check_kept(const sw_average *avg, const sw_tensor *state, int64_t count) {
  int64_t n = sw_tensor_numel(avg->mean), k = avg->options.k;
  sw_shape want = sw_shape_of(2, (int64_t[]){count < k ? count : k, n});
  sw_dtype dtype = sw_tensor_dtype(avg->mean);
  if (sw_tensor_dtype(state) == dtype && sw_shape_equal(sw_tensor_shape(state), &want))
    return SW_OK;
  char have[96], wanted[96];
  return sw_fail(avg->ctx, sw_tensor_dtype(state) == dtype ? SW_ESHAPE : SW_EDTYPE,
                 "average: expected the last points as %s %s, got %s %s", sw_dtype_name(dtype),
                 sw_shape_text(&want, wanted, sizeof wanted), sw_dtype_name(sw_tensor_dtype(state)),
                 sw_shape_text(sw_tensor_shape(state), have, sizeof have));
}

/* Copies the rows at once, so that no allocation fails halfway; then sorts them into the ring. */
static sw_status restore_kept(sw_average *avg, const sw_tensor *state, int64_t count) {
  int64_t k = avg->options.k, kept = count < k ? count : k, first = (count - kept) % k;
  sw_tensor *head = NULL, *tail = NULL, *to = NULL, *end = NULL;
  int64_t straight = kept < k - first ? kept : k - first;
  sw_status status = sw_tensor_narrow(state, 0, 0, straight, &head);
  if (status == SW_OK) status = sw_tensor_narrow(state, 0, straight, kept - straight, &tail);
  if (status == SW_OK) status = sw_tensor_narrow(avg->kept, 0, first, straight, &to);
  if (status == SW_OK) status = sw_tensor_narrow(avg->kept, 0, 0, kept - straight, &end);
  if (status == SW_OK) status = sw_tensor_copy(to, head);
  if (status == SW_OK) status = sw_tensor_copy(end, tail);
  sw_tensor_free(head);
  sw_tensor_free(tail);
  sw_tensor_free(to);
  sw_tensor_free(end);
  avg->stale = 1;
  return status;
}

sw_status sw_average_restore(sw_average *avg, const sw_tensor *state, const sw_tensor *carry,
                             int64_t count) {
  if (count < 1 || count > SW_LARGEST_COUNT)
    return sw_fail(avg->ctx, SW_ERANGE, "average: a mean is of 1 to 2^53 points, got %lld",
                   (long long)count);
  if (carry) SW_TRY(check_point(avg, carry));
  if (avg->row->keeps_points) {
    SW_TRY(check_kept(avg, state, count));
    SW_TRY(restore_kept(avg, state, count));
  } else {
    SW_TRY(check_point(avg, state));
    SW_TRY(begin(avg, state, carry));
  }
  avg->count = count;
  return SW_OK;
}
