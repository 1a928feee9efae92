/* type.c: the types of edges: sizes, which may be multiples of the batch, and dependence. */
#include <inttypes.h>
#include <stdio.h>

#include "base/context_int.h"
#include "graph/op_int.h"

int sw_type_batch_axis(const sw_type *t) {
  for (int i = 0; i < t->ndim; i++)
    if (t->dim[i].batch) return i;
  return -1;
}

static int dim_text(sw_dim d, char *text, size_t size) {
  if (!d.batch) return snprintf(text, size, "%" PRId64, d.n);
  if (d.n == 1) return snprintf(text, size, "batch");
  return snprintf(text, size, "%" PRId64 "*batch", d.n);
}

const char *sw_type_text(const sw_type *t, char *text, size_t size) {
  size_t used = 0;
  char one[40];
  if (size == 0) return text;
  text[0] = '\0';
  used += (size_t)snprintf(text, size, "(");
  for (int i = 0; i < t->ndim && used < size; i++) {
    dim_text(t->dim[i], one, sizeof one);
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", one);
  }
  if (used < size) snprintf(text + used, size - used, ")");
  return text;
}

int swi_dim_equal(sw_dim a, sw_dim b) { return a.n == b.n && !a.batch == !b.batch; }

int swi_type_same_shape(const sw_type *a, const sw_type *b) {
  if (a->ndim != b->ndim) return 0;
  for (int i = 0; i < a->ndim; i++)
    if (!swi_dim_equal(a->dim[i], b->dim[i])) return 0;
  return 1;
}

int64_t swi_dim_size(sw_dim d, int64_t batch) { return d.batch ? d.n * batch : d.n; }

int64_t swi_numel(const sw_shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->ndim; i++) n *= s->dim[i];
  return n;
}

sw_dim swi_type_numel(const sw_type *t) {
  sw_dim all = {1, 0};
  for (int i = 0; i < t->ndim; i++) {
    if (__builtin_mul_overflow(all.n, t->dim[i].n, &all.n)) all.n = INT64_MAX;
    all.batch |= t->dim[i].batch != 0;
  }
  return all;
}

void swi_type_shape(const sw_type *t, int64_t batch, sw_shape *out) {
  out->ndim = t->ndim;
  for (int i = 0; i < t->ndim; i++) out->dim[i] = swi_dim_size(t->dim[i], batch);
}

sw_dependence swi_dependence_max(sw_dependence a, sw_dependence b) { return a > b ? a : b; }

sw_status swi_type_check(sw_context *ctx, const char *op, const sw_type *t) {
  char text[120];
  double numel = 1;
  int batches = 0;
  for (int i = 0; i < t->ndim; i++) {
    batches += t->dim[i].batch != 0;
    numel *= t->dim[i].n > 1 ? (double)t->dim[i].n : 1; /* strides must fit too */
  }
  if (batches > 1)
    return sw_fail(ctx, SW_ESHAPE,
                   "%s: the result %s grows with the square of the batch, which is not supported",
                   op, sw_type_text(t, text, sizeof text));
  if (numel > (double)SW_MOST_ELEMENTS)
    return sw_fail(ctx, SW_ERANGE, "%s: the result %s is too large", op,
                   sw_type_text(t, text, sizeof text));
  return SW_OK;
}
