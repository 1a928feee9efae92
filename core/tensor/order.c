/* order.c: sorting, quantiles and running sums along an axis. */
#include "tensor/order.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc_int.h"
#include "tensor/tensor_int.h"

/* ---- rows along the axis */

/* *out: a contiguous copy with the axis last, of the same number of elements. */
static sw_status axis_last(const sw_tensor *t, int axis, const char *what, sw_tensor **out) {
  if (axis < 0 || axis >= t->shape.ndim)
    return sw_fail(t->storage->ctx, SW_ERANGE, "%s: axis %d is outside 1 … %d", what, axis + 1,
                   t->shape.ndim);
  sw_tensor *view;
  SW_TRY(sw_tensor_transpose(t, axis, t->shape.ndim - 1, &view));
  const sw_status status = sw_tensor_clone(view, out);
  sw_tensor_free(view);
  return status;
}

/* Moves the last axis back, and frees t. */
static sw_status axis_back(sw_tensor *t, int axis, sw_tensor **out) {
  sw_tensor *view;
  sw_status status = sw_tensor_transpose(t, axis, t->shape.ndim - 1, &view);
  if (status == SW_OK) {
    status = sw_tensor_clone(view, out);
    sw_tensor_free(view);
  }
  sw_tensor_free(t);
  return status;
}

static int64_t last_size(const sw_tensor *t) { return t->shape.dim[t->shape.ndim - 1]; }

/* ---- sorting */

/* A double holds every element type. */
typedef struct element {
  double key;
  int32_t place;
} element;

/* Whether a must not come behind b. */
static int in_order(const element *a, const element *b) {
  return isnan(b->key) || a->key <= b->key;
}

static void merge(const element *from, int64_t middle, int64_t n, element *to) {
  int64_t i = 0, j = middle;
  for (int64_t k = 0; k < n; k++)
    to[k] = j >= n || (i < middle && in_order(&from[i], &from[j])) ? from[i++] : from[j++];
}

/* Bottom-up merge sort. Returns the one of both arrays that has the result. */
static element *sort_elements(element *a, element *b, int64_t n) {
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t i = 0; i < n; i += 2 * width) {
      const int64_t length = i + 2 * width < n ? 2 * width : n - i;
      merge(a + i, width < length ? width : length, length, b + i);
    }
    element *swap = a;
    a = b;
    b = swap;
  }
  return a;
}

typedef struct sorter {
  int64_t n;
  int descending;
  element *a, *b; /* n each, in one block */
  swi_convert load, save;
  int64_t bytes; /* of an element */
} sorter;

static size_t sorter_bytes(int64_t n) { return 2 * (size_t)n * sizeof(element); }

/* A descending sort is an ascending one of the row from its end: equal values keep their order. */
static void sort_row(const sorter *s, char *row, int32_t *order) {
  const int64_t n = s->n;
  for (int64_t i = 0; i < n; i++) {
    element *e = &s->a[s->descending ? n - 1 - i : i];
    s->load(1, row + i * s->bytes, 0, (char *)&e->key, 0);
    e->place = (int32_t)i;
  }
  const element *sorted = sort_elements(s->a, s->b, n);
  for (int64_t i = 0; i < n; i++) {
    const element *e = &sorted[s->descending ? n - 1 - i : i];
    s->save(1, (const char *)&e->key, 0, row + i * s->bytes, 0);
    if (order) order[i] = e->place;
  }
}

/* order may be NULL. */
static sw_status sort_rows(sw_tensor *t, int descending, int32_t *order) {
  const int64_t n = last_size(t);
  sw_context *ctx = t->storage->ctx;
  if (n > INT32_MAX)
    return sw_fail(ctx, SW_ERANGE, "sort: an axis may have at most 2^31 - 1 elements, got %" PRId64,
                   n);
  sorter s = {.n = n,
              .descending = descending,
              .load = swi_convert_between(t->dtype, SW_F64),
              .save = swi_convert_between(SW_F64, t->dtype),
              .bytes = sw_dtype_bytes(t->dtype)};
  s.a = swi_alloc(ctx, sorter_bytes(n));
  if (!s.a) return SW_ENOMEM;
  s.b = s.a + n;
  for (int64_t row = 0; n > 0 && row < t->numel / n; row++)
    sort_row(&s, t->data + row * n * s.bytes, order ? order + row * n : NULL);
  swi_free(ctx, s.a, sorter_bytes(n));
  return SW_OK;
}

sw_status sw_tensor_sort(const sw_tensor *t, int axis, int descending, sw_tensor **values,
                         sw_tensor **order) {
  sw_tensor *rows, *places, *sorted;
  SW_TRY(axis_last(t, axis, "sort", &rows));
  sw_status status = sw_tensor_new(t->storage->ctx, SW_I32, &rows->shape, &places);
  if (status != SW_OK) {
    sw_tensor_free(rows);
    return status;
  }
  status = sort_rows(rows, descending, (int32_t *)(void *)places->data);
  if (status != SW_OK) {
    sw_tensor_free(rows);
    sw_tensor_free(places);
    return status;
  }
  status = axis_back(rows, axis, &sorted);
  if (status != SW_OK) {
    sw_tensor_free(places);
    return status;
  }
  status = axis_back(places, axis, order);
  if (status == SW_OK)
    *values = sorted;
  else
    sw_tensor_free(sorted);
  return status;
}

/* ---- quantiles */

static double at(const sw_tensor *t, int64_t i) {
  return t->dtype == SW_F32 ? (double)((const float *)(const void *)t->data)[i]
                            : ((const double *)(const void *)t->data)[i];
}

static void put(sw_tensor *t, int64_t i, double value) {
  if (t->dtype == SW_F32)
    ((float *)(void *)t->data)[i] = (float)value;
  else
    ((double *)(void *)t->data)[i] = value;
}

/* Of n sorted elements from first on. */
static double quantile_of(const sw_tensor *t, int64_t first, int64_t n, double q) {
  const double last = at(t, first + n - 1), place = q * (double)(n - 1), below = floor(place);
  if (isnan(last)) return last;
  const double a = at(t, first + (int64_t)below), share = place - below;
  if (share == 0) return a;
  const double b = at(t, first + (int64_t)below + 1);
  return a == b ? a : a * (1 - share) + b * share;
}

static sw_status check_quantiles(const sw_tensor *t, int axis, int count, const double *q) {
  sw_context *ctx = t->storage->ctx;
  SW_TRY(swi_check_float(t, "quantile"));
  if (axis >= 0 && axis < t->shape.ndim && t->shape.dim[axis] == 0)
    return sw_fail(ctx, SW_EEMPTY, "quantile: axis %d has no elements", axis + 1);
  for (int i = 0; i < count; i++)
    if (!(q[i] >= 0 && q[i] <= 1))
      return sw_fail(ctx, SW_ERANGE, "quantile: q must be from 0 to 1, got %g", q[i]);
  return SW_OK;
}

sw_status sw_tensor_quantile(const sw_tensor *t, int axis, int count, const double *q,
                             sw_tensor **out) {
  SW_TRY(check_quantiles(t, axis, count, q));
  sw_tensor *rows, *result;
  SW_TRY(axis_last(t, axis, "quantile", &rows));
  const int64_t n = last_size(rows);
  sw_shape shape = rows->shape;
  shape.dim[shape.ndim - 1] = count;
  sw_status status = sort_rows(rows, 0, NULL);
  if (status == SW_OK) status = sw_tensor_new(t->storage->ctx, t->dtype, &shape, &result);
  if (status == SW_OK) {
    for (int64_t row = 0; row < rows->numel / n; row++)
      for (int i = 0; i < count; i++)
        put(result, row * count + i, quantile_of(rows, row * n, n, q[i]));
    status = axis_back(result, axis, out);
  }
  sw_tensor_free(rows);
  return status;
}

/* ---- running sums */

sw_status sw_tensor_cumsum(const sw_tensor *t, int axis, sw_tensor **out) {
  SW_TRY(swi_check_float(t, "cumsum"));
  sw_tensor *rows;
  SW_TRY(axis_last(t, axis, "cumsum", &rows));
  const int64_t n = last_size(rows);
  for (int64_t row = 0; n > 0 && row < rows->numel / n; row++) {
    double sum = 0;
    for (int64_t i = row * n; i < (row + 1) * n; i++) {
      sum += at(rows, i);
      put(rows, i, sum);
    }
  }
  return axis_back(rows, axis, out);
}
