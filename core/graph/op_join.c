/* op_join.c: parts of tensors: slice, pad and concat along one axis, never the batch.
 *
 * slice and pad are each other's derivative; concat's are slices.
 */
#include <inttypes.h>
#include <string.h>

#include "graph/batch_power_int.h"
#include "graph/build_int.h"

/* The axis of the attribute mask; -1 unless it is exactly one, there, and not the batch. */
static int one_axis(const swi_shape_args *a) {
  uint32_t axes = a->attrs->axes;
  for (int i = 0; i < a->in[0]->ndim; i++)
    if (axes == 1u << i) return a->in[0]->dim[i].batch ? -1 : i;
  return -1;
}

static sw_status no_axis(swi_shape_args *a) {
  char text[120];
  return sw_fail(a->ctx, SW_EARG, "%s: needs one axis of %s that is not the batch", a->op,
                 sw_type_text(a->in[0], text, sizeof text));
}

/* Blocks of elements before, along and behind an axis. */
enum { FEW_BYTES = 64 };

typedef struct blocks {
  int64_t outer, along, inner;
} blocks;

static blocks blocks_of(const sw_shape *s, uint32_t axes) {
  blocks b = {1, 1, 1};
  int behind = 0;
  for (int i = 0; i < s->ndim; i++) {
    if (axes == 1u << i) {
      b.along = s->dim[i];
      behind = 1;
    } else if (behind) {
      b.inner *= s->dim[i];
    } else {
      b.outer *= s->dim[i];
    }
  }
  return b;
}

/* Elements, of 4 or 8 bytes each; a few of them are too few to call memcpy for. */
static void copy(char *to, const char *from, int64_t bytes) {
  if (bytes > FEW_BYTES) {
    memcpy(to, from, (size_t)bytes);
    return;
  }
  for (; bytes >= 8; bytes -= 8, to += 8, from += 8) memcpy(to, from, 8);
  if (bytes > 0) memcpy(to, from, 4);
}

/* ------------------------------------------------------------------ slice */

/* Elements offset … offset + n - 1 of the axis. */
static sw_status slice_shape(swi_shape_args *a) {
  int axis = one_axis(a);
  if (axis < 0) return no_axis(a);
  int64_t size = a->in[0]->dim[axis].n, first = a->attrs->offset, n = a->attrs->n;
  if (first < 0 || n < 0 || first > size || n > size - first)
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: elements %" PRId64 " to %" PRId64 " of axis %d, which has %" PRId64, a->op,
                   first + 1, first + n, axis + 1, size);
  a->out[0] = *a->in[0];
  a->out[0].dim[axis].n = n;
  return SW_OK;
}

static sw_status slice_eval(const swi_eval_args *e) {
  blocks b = blocks_of(&e->in_shape[0], e->attrs->axes);
  int64_t bytes = b.inner * e->k->element_bytes, run = e->attrs->n * bytes;
  const char *x = (const char *)e->in[0] + e->attrs->offset * bytes;
  for (int64_t o = 0; o < b.outer; o++)
    copy((char *)e->out[0] + o * run, x + o * b.along * bytes, run);
  return SW_OK;
}

static int axis_of(uint32_t axes) {
  int axis = 0;
  while (axes != 1u << axis) axis++;
  return axis;
}

static void slice_vjp(sw_graph *g, swi_vjp_args *v) {
  const sw_type *in = sw_graph_type(g, v->in[0]);
  sw_attrs attrs = {
      .axes = v->attrs->axes, .offset = v->attrs->offset, .n = in->dim[axis_of(v->attrs->axes)].n};
  v->grad[0] = swi_build(g, SW_OP_pad, v->cotangent[0], SW_NO_EDGE, SW_NO_EDGE, &attrs);
}

const swi_op_row swi_row_slice = {.n_in = 1,
                                  .n_out = 1,
                                  .attrs = SW_ATTR_AXES | SW_ATTR_FIRST | SW_ATTR_N,
                                  .shape = slice_shape,
                                  .eval = slice_eval,
                                  .vjp = slice_vjp,
                                  .power = swi_power_of_first};

/* ------------------------------------------------------------------ pad */

/* The axis gets n elements: offset times value, the input, value again. */
static sw_status pad_shape(swi_shape_args *a) {
  int axis = one_axis(a);
  if (axis < 0) return no_axis(a);
  int64_t size = a->in[0]->dim[axis].n, before = a->attrs->offset, n = a->attrs->n;
  if (before < 0 || n < size || before > n - size)
    return sw_fail(a->ctx, SW_ERANGE,
                   "%s: axis %d has %" PRId64 " elements; with %" PRId64
                   " before them they do not fit into %" PRId64,
                   a->op, axis + 1, size, before, n);
  a->out[0] = *a->in[0];
  a->out[0].dim[axis].n = n;
  return SW_OK;
}

static sw_status pad_eval(const swi_eval_args *e) {
  blocks b = blocks_of(&e->in_shape[0], e->attrs->axes);
  int bytes = e->k->element_bytes;
  int64_t run = b.along * b.inner, before = e->attrs->offset * b.inner,
          after = (e->attrs->n - e->attrs->offset) * b.inner - run;
  const char *x = e->in[0];
  char *y = e->out[0];
  for (int64_t o = 0; o < b.outer; o++) {
    e->k->fill(before, e->attrs->value, y);
    copy(y + before * bytes, x, run * bytes);
    e->k->fill(after, e->attrs->value, y + (before + run) * bytes);
    x += run * bytes;
    y += e->attrs->n * b.inner * bytes;
  }
  return SW_OK;
}

static void pad_vjp(sw_graph *g, swi_vjp_args *v) {
  int64_t n = sw_graph_type(g, v->in[0])->dim[axis_of(v->attrs->axes)].n;
  v->grad[0] = swi_slice(g, v->cotangent[0], v->attrs->axes, v->attrs->offset, n);
}

static int pad_power(const swi_power_args *a) {
  return a->node->attrs.value == 0 ? a->in[0] : swi_power_common(a->in[0], 0);
}

static int pad_pass(const swi_node *n, double *factor, int *power) {
  (void)factor, (void)power;
  return n->attrs.value == 0;
}

const swi_op_row swi_row_pad = {.n_in = 1,
                                .n_out = 1,
                                .attrs = SW_ATTR_AXES | SW_ATTR_BEFORE | SW_ATTR_N | SW_ATTR_VALUE,
                                .shape = pad_shape,
                                .eval = pad_eval,
                                .vjp = pad_vjp,
                                .power = pad_power,
                                .pass = pad_pass};

/* ------------------------------------------------------------------ concat */

static sw_status concat_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *y = a->in[1];
  char tx[120], ty[120];
  int axis = one_axis(a);
  if (axis < 0) return no_axis(a);
  sw_type t = *x;
  t.dependence = swi_dependence_max(x->dependence, y->dependence);
  if (y->ndim == x->ndim && !y->dim[axis].batch) t.dim[axis] = y->dim[axis];
  if (!swi_type_same_shape(&t, y))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: %s and %s must agree but in axis %d", a->op,
                   sw_type_text(x, tx, sizeof tx), sw_type_text(y, ty, sizeof ty), axis + 1);
  t.dim[axis].n = x->dim[axis].n + y->dim[axis].n;
  a->out[0] = t;
  return SW_OK;
}

static sw_status concat_eval(const swi_eval_args *e) {
  blocks x = blocks_of(&e->in_shape[0], e->attrs->axes);
  blocks y = blocks_of(&e->in_shape[1], e->attrs->axes);
  int64_t x_run = x.along * x.inner * e->k->element_bytes;
  int64_t y_run = y.along * y.inner * e->k->element_bytes;
  char *out = e->out[0];
  for (int64_t o = 0; o < x.outer; o++) {
    copy(out, (const char *)e->in[0] + o * x_run, x_run);
    copy(out + x_run, (const char *)e->in[1] + o * y_run, y_run);
    out += x_run + y_run;
  }
  return SW_OK;
}

static void concat_vjp(sw_graph *g, swi_vjp_args *v) {
  uint32_t axes = v->attrs->axes;
  int axis = axis_of(axes);
  int64_t n = sw_graph_type(g, v->in[0])->dim[axis].n, m = sw_graph_type(g, v->in[1])->dim[axis].n;
  v->grad[0] = swi_slice(g, v->cotangent[0], axes, 0, n);
  v->grad[1] = swi_slice(g, v->cotangent[0], axes, n, m);
}

const swi_op_row swi_row_concat = {.n_in = 2,
                                   .n_out = 1,
                                   .attrs = SW_ATTR_AXES,
                                   .shape = concat_shape,
                                   .eval = concat_eval,
                                   .vjp = concat_vjp,
                                   .power = swi_power_of_sum};
