/* op_shape.c: the same elements in another shape or order, or repeated: reshape, detach, broadcast,
 * transpose. */
#include <string.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/broadcast_int.h"
#include "graph/build_int.h"
#include "graph/example_norms_int.h"
#include "graph/identity_int.h"

/* ------------------------------------------------------------------ reshape */

static sw_status no_fit(swi_shape_args *a, const sw_type *wanted) {
  char x[120], y[120];
  return sw_fail(a->ctx, SW_ESHAPE, "%s: the numbers of elements differ: %s and %s", a->op,
                 sw_type_text(a->in[0], x, sizeof x), sw_type_text(wanted, y, sizeof y));
}

/* Gives the axis of size -1 what is left over. */
static sw_status complete(swi_shape_args *a, sw_type *t) {
  const sw_dim have = swi_type_numel(a->in[0]);
  sw_type given = {0}; /* the axes that are not open */
  int open = -1;
  for (int i = 0; i < t->ndim; i++) {
    if (t->dim[i].n < -1 || (t->dim[i].n == -1 && open >= 0))
      return sw_fail(a->ctx, SW_ESHAPE, "%s: one axis may be -1, no other one negative", a->op);
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

static sw_status reshape_shape(swi_shape_args *a) {
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

const sw_op swi_copy_op = SW_OP_reshape;

/* In programs a reshape is an alias and this does not run; eagerly it copies. */
sw_status swi_copy_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->in_shape[0]);
  if (n > 0) memmove(e->out[0], e->in[0], (size_t)(n * e->out_bytes));
  return SW_OK;
}

static void reshape_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_reshape_like(g, v->cotangent[0], v->in[0]);
}

/* A reshape of a reshape is one, of a broadcast scalar a broadcast. */
static sw_status reshape_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  const swi_node *inner = swi_made_by(g, n->in[0], SW_OP_reshape);
  const swi_node *repeated = swi_made_by(g, n->in[0], SW_OP_broadcast);
  SW_TRY(swi_same_if_shaped(g, n, same));
  if (same->node >= 0) return SW_OK;
  if (inner &&
      sw_graph_type(g, n->in[0])->dependence == sw_graph_type(g, inner->in[0])->dependence) {
    sw_edge x = inner->in[0];
    return sw_graph_apply(g, SW_OP_reshape, &x, 1, &n->attrs, same);
  }
  if (repeated && sw_graph_type(g, repeated->in[0])->ndim == 0) {
    sw_edge x = repeated->in[0];
    return sw_graph_apply(g, SW_OP_broadcast, &x, 1, &n->attrs, same);
  }
  return SW_OK;
}

static sw_edge reshape_share(sw_graph *g, const swi_node *n) {
  return swi_share_of_type(g, swi_share(g, n->in[0]), &n->type[0]);
}

const swi_op_row swi_row_reshape = {.n_in = 1,
                                    .n_out = 1,
                                    .flags = SWI_ALIAS | SWI_INDEX,
                                    .attrs = SW_ATTR_SHAPE,
                                    .shape = reshape_shape,
                                    .eval = swi_copy_eval,
                                    .vjp = reshape_vjp,
                                    .power = swi_power_of_first,
                                    .identity = reshape_identity,
                                    .share = reshape_share,
                                    .pass = swi_pass_norm};

/* ------------------------------------------------------------------ detach */

/* x itself, through which no cotangent passes. */
const swi_op_row swi_row_detach = {.n_in = 1,
                                   .n_out = 1,
                                   .flags = SWI_ALIAS,
                                   .shape = swi_same_shape,
                                   .eval = swi_copy_eval,
                                   .power = swi_power_of_first};

/* ------------------------------------------------------------------ broadcast */

static sw_status broadcast_shape(swi_shape_args *a) {
  sw_type wanted = {.kind = SW_REAL, .ndim = a->attrs->ndim, .dependence = a->in[0]->dependence};
  sw_type t;
  memcpy(wanted.dim, a->attrs->dim, sizeof wanted.dim);
  for (int i = 0; i < wanted.ndim; i++)
    if (wanted.dim[i].n < 0)
      return sw_fail(a->ctx, SW_ERANGE, "%s: axis %d has a negative size", a->op, i + 1);
  SW_TRY(swi_broadcast_types(a, a->in[0], &wanted, &t));
  if (!swi_type_same_shape(&t, &wanted)) return swi_cannot_broadcast(a, a->in[0], &wanted);
  a->out[0] = wanted;
  return SW_OK;
}

static void repeat(char *y, const char *x, int bytes, int64_t n) {
  for (int64_t i = 0; i < n; i++) memcpy(y + i * bytes, x, (size_t)bytes);
}

static sw_status broadcast_eval(const swi_eval_args *e) {
  int bytes = e->k->element_bytes;
  const char *x = e->in[0];
  char *y = e->out[0];
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  swi_walk w = swi_walk_over(1, e->in_shape, &e->out_shape[0]);
  int64_t run = swi_walk_run(&w);
  do {
    if (w.n_axes && w.stride[0][0] != 0)
      memcpy(y, x + w.at[0] * bytes, (size_t)(run * bytes));
    else
      repeat(y, x + w.at[0] * bytes, bytes, run);
    y += run * bytes;
  } while (swi_walk_next(&w));
  return SW_OK;
}

static void broadcast_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_sum_to(g, v->cotangent[0], v->in[0]);
}

const swi_op_row swi_row_broadcast = {.n_in = 1,
                                      .n_out = 1,
                                      .attrs = SW_ATTR_SHAPE,
                                      .shape = broadcast_shape,
                                      .eval = broadcast_eval,
                                      .vjp = broadcast_vjp,
                                      .power = swi_power_of_first,
                                      .identity = swi_same_if_shaped};

/* ------------------------------------------------------------------ transpose */

static sw_status transpose_shape(swi_shape_args *a) {
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
typedef struct transposition {
  const char *x;
  char *y;
  int bytes, n_axes;
  int64_t size[SW_MAX_DIMS], stride[SW_MAX_DIMS];
  int64_t runs, group; /* runs along axis 0: how many there are, how many a piece has */
} transposition;

static void add_axis(transposition *t, int64_t size, int64_t stride) {
  int last = t->n_axes - 1;
  if (size == 1) return;
  if (last >= 0 && stride == t->stride[last] * t->size[last]) {
    t->size[last] *= size;
    return;
  }
  t->size[t->n_axes] = size;
  t->stride[t->n_axes++] = stride;
}

static transposition transposition_of(const swi_eval_args *e) {
  enum { ELEMENTS = 1 << 14 };
  const sw_shape *in = &e->in_shape[0];
  transposition t = {.x = e->in[0], .y = e->out[0], .bytes = e->k->element_bytes, .runs = 1};
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

static void transpose_piece(void *arg, int64_t piece) {
  const transposition *t = arg;
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

static sw_status transpose_eval(const swi_eval_args *e) {
  enum { PARALLEL_FROM = 1 << 17 };
  int64_t n = swi_numel(&e->in_shape[0]);
  if (n == 0) return SW_OK;
  transposition t = transposition_of(e);
  if (t.n_axes == 0) return swi_copy_eval(e);
  int64_t pieces = (t.runs + t.group - 1) / t.group;
  if (n >= PARALLEL_FROM)
    swi_parallel(e->ctx, pieces, transpose_piece, &t);
  else
    for (int64_t i = 0; i < pieces; i++) transpose_piece(&t, i);
  return SW_OK;
}

static void transpose_vjp(sw_graph *g, swi_vjp_args *v) {
  int inverse[SW_MAX_DIMS], ndim = sw_graph_type(g, v->in[0])->ndim;
  for (int i = 0; i < ndim; i++) inverse[v->attrs->perm[i]] = i;
  v->grad[0] = swi_transpose(g, v->cotangent[0], inverse, ndim);
}

/* A transpose of a transpose is one, or nothing. */
static sw_status transpose_identity(sw_graph *g, swi_node *n, sw_edge *same) {
  const swi_node *inner = swi_made_by(g, n->in[0], SW_OP_transpose);
  int ndim = n->type[0].ndim, identity = 1;
  for (int i = 0; i < ndim; i++) identity &= n->attrs.perm[i] == i;
  if (identity) *same = n->in[0];
  if (identity || !inner) return SW_OK;
  sw_attrs attrs = n->attrs;
  sw_edge x = inner->in[0];
  for (int i = 0; i < ndim; i++) attrs.perm[i] = inner->attrs.perm[n->attrs.perm[i]];
  return sw_graph_apply(g, SW_OP_transpose, &x, 1, &attrs, same);
}

/* Whether n exchanges the last two axes and leaves the others. */
static int exchanges_last_two(const swi_node *n) {
  int last = n->type[0].ndim - 1;
  for (int i = 0; i < last - 1; i++)
    if (n->attrs.perm[i] != i) return 0;
  return last > 0 && n->attrs.perm[last] == last - 1;
}

sw_status swi_fold_transposes(sw_graph *g, swi_node *n, sw_edge *same) {
  int *flag[2] = {&n->attrs.transpose_a, &n->attrs.transpose_b};
  (void)same;
  for (int i = 0; i < 2; i++) {
    const swi_node *t = swi_made_by(g, n->in[i], SW_OP_transpose);
    if (!t || !exchanges_last_two(t)) continue;
    n->in[i] = t->in[0];
    *flag[i] = !*flag[i];
  }
  return SW_OK;
}

const swi_op_row swi_row_transpose = {.n_in = 1,
                                      .n_out = 1,
                                      .attrs = SW_ATTR_PERM,
                                      .shape = transpose_shape,
                                      .eval = transpose_eval,
                                      .vjp = transpose_vjp,
                                      .power = swi_power_of_first,
                                      .identity = transpose_identity,
                                      .pass = swi_pass_norm};
