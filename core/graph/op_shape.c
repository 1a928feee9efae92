/* op_shape.c: reshape and transpose: the same elements, named otherwise. */
#include <string.h>

#include "base/parallel_int.h"
#include "graph/build.h"

/* ------------------------------------------------------------------ reshape */

static sw_status no_fit(swi_shape_args *a, const sw_type *wanted) {
  char x[120], y[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: %s has not as many elements as %s", a->op,
                 sw_type_text(a->in[0], x, sizeof x), sw_type_text(wanted, y, sizeof y));
}

/* Gives the axis of size -1 what is left over. */
static sw_status complete(swi_shape_args *a, sw_type *t) {
  const sw_dim have = swi_type_numel(a->in[0]);
  sw_type given = {0}; /* the axes that are not open */
  int open = -1;
  for (int i = 0; i < t->ndim; i++) {
    if (t->dim[i].n < -1 || (t->dim[i].n == -1 && open >= 0))
      return sw_fail(a->ctx, SW_ESHAPE, "%s: only one axis may be -1, and none less", a->op);
    if (t->dim[i].n == -1)
      open = i;
    else
      given.dim[given.ndim++] = t->dim[i];
  }
  if (open < 0) return SW_OK;
  const sw_dim rest = swi_type_numel(&given);
  if (rest.n == 0 || have.n % rest.n != 0 || (rest.batch && !have.batch)) return no_fit(a, t);
  t->dim[open] = (sw_dim){have.n / rest.n, have.batch && !rest.batch};
  return SW_OK;
}

/* Elements of one slice of the axes before the batch axis. */
static int64_t before_batch(const sw_type *t) {
  int64_t n = 1;
  for (int i = 0; i < t->ndim && !t->dim[i].batch; i++) n *= t->dim[i].n;
  return n;
}

sw_status swi_reshape_shape(swi_shape_args *a) {
  sw_type t = {.kind = a->in[0]->kind, .ndim = a->attrs->ndim, .dependence = a->in[0]->dependence};
  memcpy(t.dim, a->attrs->dim, sizeof t.dim);
  SW_TRY(complete(a, &t));
  if (!swi_dim_equal(swi_type_numel(a->in[0]), swi_type_numel(&t))) return no_fit(a, &t);
  /* examples stay apart only if they are cut at the same places */
  if (t.dependence == SW_BY_EXAMPLE && before_batch(a->in[0]) != before_batch(&t))
    t.dependence = SW_MIXED;
  memcpy(a->attrs->dim, t.dim, sizeof t.dim);
  a->out[0] = t;
  return SW_OK;
}

/* In programs a reshape is an alias and this does not run; eagerly it copies. */
sw_status swi_copy_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->in_shape[0]);
  if (n > 0) memmove(e->out[0], e->in[0], (size_t)(n * e->out_bytes));
  return SW_OK;
}

void swi_reshape_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_reshape_like(g, v->cotangent[0], v->in[0]);
}

/* ------------------------------------------------------------------ transpose */

sw_status swi_transpose_shape(swi_shape_args *a) {
  const sw_type *in = a->in[0];
  uint32_t seen = 0;
  a->out[0] = *in;
  for (int i = 0; i < in->ndim; i++) {
    int from = a->attrs->perm[i];
    if (from < 0 || from >= in->ndim || (seen >> from & 1))
      return sw_fail(a->ctx, SW_ERANGE, "%s: perm must name each of the %d axes once", a->op,
                     in->ndim);
    seen |= 1u << from;
    a->out[0].dim[i] = in->dim[from];
  }
  return SW_OK;
}

/* The output's axes from the last to the first, neighbours merged where the input's elements follow
 * each other; strides are the input's. */
typedef struct turn {
  const char *x;
  char *y;
  int bytes, n_axes;
  int64_t size[SW_MAX_DIMS], stride[SW_MAX_DIMS];
  int64_t runs, group; /* runs along axis 0: how many there are, how many a piece has */
} turn;

static void add_axis(turn *t, int64_t size, int64_t stride) {
  int last = t->n_axes - 1;
  if (size == 1) return;
  if (last >= 0 && stride == t->stride[last] * t->size[last]) {
    t->size[last] *= size;
    return;
  }
  t->size[t->n_axes] = size;
  t->stride[t->n_axes++] = stride;
}

static turn turn_of(const swi_eval_args *e) {
  enum { ELEMENTS = 1 << 14 };
  const sw_shape *in = &e->in_shape[0];
  turn t = {.x = e->in[0], .y = e->out[0], .bytes = e->k->element_bytes, .runs = 1};
  int64_t stride[SW_MAX_DIMS] = {0}, running = 1;
  for (int i = in->ndim - 1; i >= 0; i--) {
    stride[i] = running;
    running *= in->dim[i];
  }
  for (int i = in->ndim - 1; i >= 0; i--) {
    int from = e->attrs->perm[i];
    add_axis(&t, in->dim[from], stride[from]);
  }
  for (int i = 1; i < t.n_axes; i++) t.runs *= t.size[i];
  t.group = t.n_axes > 0 && t.size[0] < ELEMENTS ? ELEMENTS / t.size[0] : 1;
  return t;
}

static void copy_strided(char *y, const char *x, int64_t n, int64_t stride, int bytes) {
  if (stride == 1)
    memcpy(y, x, (size_t)(n * bytes));
  else if (bytes == 4)
    for (int64_t i = 0; i < n; i++) memcpy(y + 4 * i, x + 4 * i * stride, 4);
  else
    for (int64_t i = 0; i < n; i++) memcpy(y + 8 * i, x + 8 * i * stride, 8);
}

static void turn_piece(void *arg, int64_t piece) {
  const turn *t = arg;
  int64_t first = piece * t->group, at[SW_MAX_DIMS] = {0}, position = 0;
  int64_t end = first + t->group < t->runs ? first + t->group : t->runs, rest = first;
  for (int i = 1; i < t->n_axes; i++) {
    at[i] = rest % t->size[i];
    rest /= t->size[i];
    position += at[i] * t->stride[i];
  }
  for (int64_t r = first; r < end; r++) {
    copy_strided(t->y + r * t->size[0] * t->bytes, t->x + position * t->bytes, t->size[0],
                 t->stride[0], t->bytes);
    for (int i = 1; i < t->n_axes; i++) {
      position += t->stride[i];
      if (++at[i] < t->size[i]) break;
      position -= t->stride[i] * t->size[i];
      at[i] = 0;
    }
  }
}

sw_status swi_transpose_eval(const swi_eval_args *e) {
  enum { PARALLEL_FROM = 1 << 17 };
  int64_t n = swi_numel(&e->in_shape[0]);
  if (n == 0) return SW_OK;
  turn t = turn_of(e);
  if (t.n_axes == 0) return swi_copy_eval(e);
  int64_t pieces = (t.runs + t.group - 1) / t.group;
  if (n >= PARALLEL_FROM)
    swi_parallel(e->ctx, pieces, turn_piece, &t);
  else
    for (int64_t i = 0; i < pieces; i++) turn_piece(&t, i);
  return SW_OK;
}

void swi_transpose_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_attrs inverse = {0};
  for (int i = 0; i < sw_graph_type(g, v->in[0])->ndim; i++) inverse.perm[v->attrs->perm[i]] = i;
  v->grad[0] = swi_build(g, SW_OP_transpose, v->cotangent[0], SW_NO_EDGE, SW_NO_EDGE, &inverse);
}
