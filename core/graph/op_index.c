/* op_index.c: ops that read indices: rows gathered and scattered, classes as rows of ones and
 * zeros.
 *
 * Indices count from 0 and are checked before anything is computed from them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "graph/example_norms_int.h"

static sw_status want_kind(swi_shape_args *a, int i, sw_kind kind) {
  if (a->in[i]->kind == kind) return SW_OK;
  if (kind == SW_INDEX)
    return sw_fail(a->ctx, SW_EDTYPE, "%s: input %d must be indices (int32), got real numbers",
                   a->op, i + 1);
  return sw_fail(a->ctx, SW_EDTYPE,
                 "%s: input %d must be real numbers, got indices (cast them first)", a->op, i + 1);
}

/* "[2][1]": the place of element i, from 1; "" in a scalar. */
static void place_text(const sw_shape *s, int64_t i, char *text, size_t size) {
  int64_t at[SW_MAX_DIMS] = {0};
  size_t used = 0;
  for (int axis = s->ndim - 1; axis >= 0; axis--) {
    at[axis] = i % s->dim[axis] + 1;
    i /= s->dim[axis];
  }
  text[0] = '\0';
  for (int axis = 0; axis < s->ndim && used < size; axis++) {
    used += (size_t)snprintf(text + used, size - used, "%s[%" PRId64 "]", axis > 0 ? "" : " at ",
                             at[axis]);
  }
}

/* one_hot may have a label that is ignored. */
static int is_ignored(const swi_eval_args *e, int32_t index) {
  return e->attrs->ignores && index == e->attrs->ignored;
}

sw_status swi_check_indices(const swi_eval_args *e, const char *what, int input, int64_t limit) {
  const int32_t *index = e->in[input];
  const sw_shape *s = &e->in_shape[input];
  int64_t n = swi_numel(s);
  char place[160];
  for (int64_t i = 0; i < n; i++) {
    if ((index[i] >= 0 && index[i] < limit) || is_ignored(e, index[i])) continue;
    place_text(s, i, place, sizeof place);
    return sw_fail(e->ctx, SW_ERANGE, "%s %" PRId32 "%s is outside 0 … %" PRId64, what, index[i],
                   place, limit - 1);
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ gather and scatter of rows */

/* (R, …), (I…) -> (I…, …): y[i] = x[index[i]] */
static sw_status gather_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *index = a->in[1];
  sw_type t = {.kind = SW_REAL, .dependence = swi_dependence_max(x->dependence, index->dependence)};
  char text[120];
  SW_TRY(want_kind(a, 0, SW_REAL));
  SW_TRY(want_kind(a, 1, SW_INDEX));
  if (x->ndim < 1 || index->ndim + x->ndim - 1 > SW_MAX_DIMS)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: cannot take rows of %s", a->op,
                   sw_type_text(x, text, sizeof text));
  if (x->dim[0].batch && x->dependence != SW_CONSTANT) t.dependence = SW_MIXED;
  for (int i = 0; i < index->ndim; i++) t.dim[t.ndim++] = index->dim[i];
  for (int i = 1; i < x->ndim; i++) t.dim[t.ndim++] = x->dim[i];
  a->out[0] = t;
  return SW_OK;
}

static sw_status gather_eval(const swi_eval_args *e) {
  const int32_t *index = e->in[1];
  int64_t n = swi_numel(&e->in_shape[1]), rows = e->in_shape[0].dim[0];
  SW_TRY(swi_check_indices(e, "gather_rows: index", 1, rows));
  if (n == 0) return SW_OK;
  size_t row = (size_t)(swi_numel(&e->out_shape[0]) / n * e->k->element_bytes);
  if (row == 0) return SW_OK;
  for (int64_t i = 0; i < n; i++)
    memcpy((char *)e->out[0] + (size_t)i * row, (const char *)e->in[0] + (size_t)index[i] * row,
           row);
  return SW_OK;
}

static void gather_vjp(sw_graph *g, swi_vjp_args *v) {
  const sw_type *x = sw_graph_type(g, v->in[0]);
  sw_attrs attrs = {.n = x->dim[0].n};
  if (x->dim[0].batch) {
    if (g->build_status == SW_OK)
      g->build_status =
          sw_fail(g->ctx, SW_EUNSUPPORTED, "gather_rows: no gradient for rows that are the batch");
    return;
  }
  v->grad[0] = swi_build(g, SW_OP_scatter_rows, v->cotangent[0], v->in[1], SW_NO_EDGE, &attrs);
}

const swi_op_row swi_row_gather_rows = {.n_in = 2,
                                        .n_out = 1,
                                        .flags = SWI_INDEX,
                                        .shape = gather_shape,
                                        .eval = gather_eval,
                                        .vjp = gather_vjp,
                                        .power = swi_power_of_first};

/* (I…, …), (I…) -> (n, …): y[index[i]] += x[i], in the order of i */
static sw_status scatter_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *index = a->in[1];
  sw_dependence d = swi_dependence_max(x->dependence, index->dependence);
  sw_type t = {.kind = SW_REAL,
               .ndim = 1,
               .dim = {{a->attrs->n, 0}},
               .dependence = d == SW_CONSTANT ? d : SW_MIXED};
  char tx[120], ti[120];
  SW_TRY(want_kind(a, 0, SW_REAL));
  SW_TRY(want_kind(a, 1, SW_INDEX));
  int fits = x->ndim >= index->ndim && a->attrs->n >= 0;
  for (int i = 0; i < index->ndim && fits; i++) fits = swi_dim_equal(x->dim[i], index->dim[i]);
  if (!fits)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: rows %s do not begin with the shape of the indices %s",
                   a->op, sw_type_text(x, tx, sizeof tx), sw_type_text(index, ti, sizeof ti));
  for (int i = index->ndim; i < x->ndim; i++) t.dim[t.ndim++] = x->dim[i];
  a->out[0] = t;
  return SW_OK;
}

/* A row of the result that receives many additions is moved to a sum in double now and then. Rows
 * are counted in the thread's scratch, so many at a time. */
enum { ROWS_ADDED = 512, ROWS_COUNTED = 8192 };

typedef struct aside {
  int64_t row;                                      /* elements of one */
  double *sum;                                      /* rows, one behind the other */
  int32_t used;                                     /* of them */
  int32_t count[ROWS_COUNTED], place[ROWS_COUNTED]; /* additions; where in sum */
} aside;
_Static_assert(sizeof(aside) <= SWI_SCRATCH, "ROWS_COUNTED is too large");

static int64_t row_of_result(const swi_eval_args *e) {
  return e->attrs->n ? swi_numel(&e->out_shape[0]) / e->attrs->n : 0;
}

/* Of n rows fewer than n / ROWS_ADDED are put aside: so many for each example, if they have any. */
static int64_t scatter_scratch_of(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->in_shape[1]), examples = n % e->batch == 0 ? e->batch : 1;
  int64_t places = (n / examples + ROWS_ADDED - 1) / ROWS_ADDED * examples;
  return places * row_of_result(e) * 8 / e->k->element_bytes;
}

/* sum += y, or = y at first; y = 0 */
static void put_aside(const swi_eval_args *e, aside *a, int64_t r, void *y) {
  int first = a->count[r] == ROWS_ADDED;
  if (first) a->place[r] = a->used++;
  double *sum = a->sum + a->place[r] * a->row;
  for (int64_t j = 0; j < a->row; j++) {
    double value = e->k->element_bytes == 4 ? (double)((float *)y)[j] : ((double *)y)[j];
    sum[j] = first ? value : sum[j] + value;
  }
  e->k->fill(a->row, 0, y);
}

static void take_back(const swi_eval_args *e, const aside *a, int64_t r, void *y) {
  const double *sum = a->sum + a->place[r] * a->row;
  for (int64_t j = 0; j < a->row; j++)
    if (e->k->element_bytes == 4)
      ((float *)y)[j] = (float)(sum[j] + (double)((float *)y)[j]);
    else
      ((double *)y)[j] += sum[j];
}

/* Rows first … first + n - 1 of the result. */
static void scatter_to(const swi_eval_args *e, aside *a, int64_t first, int64_t n) {
  const int32_t *index = e->in[1];
  int64_t m = swi_numel(&e->in_shape[1]), bytes = a->row * e->k->element_bytes;
  char *y = (char *)e->out[0] + first * bytes;
  memset(a->count, 0, (size_t)n * sizeof *a->count);
  memset(a->place, 0, (size_t)n * sizeof *a->place);
  a->used = 0;
  for (int64_t i = 0; i < m; i++) {
    int64_t r = index[i] - first;
    if (r < 0 || r >= n) continue;
    if (a->count[r] > 0 && a->count[r] % ROWS_ADDED == 0) put_aside(e, a, r, y + r * bytes);
    e->k->axpy(a->row, 1, (const char *)e->in[0] + i * bytes, y + r * bytes);
    a->count[r]++;
  }
  for (int64_t r = 0; r < n; r++)
    if (a->count[r] > ROWS_ADDED) take_back(e, a, r, y + r * bytes);
}

static sw_status scatter_eval(const swi_eval_args *e) {
  aside *a = swi_scratch(e->ctx);
  int64_t rows = e->attrs->n;
  a->row = row_of_result(e);
  a->sum = e->scratch;
  SW_TRY(swi_check_indices(e, "scatter_rows: index", 1, rows));
  e->k->fill(rows * a->row, 0, e->out[0]);
  for (int64_t first = 0; first < rows && a->row > 0; first += ROWS_COUNTED)
    scatter_to(e, a, first, rows - first < ROWS_COUNTED ? rows - first : ROWS_COUNTED);
  return SW_OK;
}

static void scatter_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_build(g, SW_OP_gather_rows, v->cotangent[0], v->in[1], SW_NO_EDGE, NULL);
}

static int scatter_power(const swi_power_args *a) {
  const sw_type *index = sw_graph_type(a->g, a->node->in[1]);
  const int batch = sw_type_batch_axis(sw_graph_type(a->g, a->node->in[0]));
  return swi_power_product(a->in[0], batch >= 0 && batch < index->ndim);
}

/* 1 where two rows of an example have the same index: (batch, T, 1) -> (batch, T, T) */
static sw_edge same_index(sw_graph *g, sw_edge index) {
  const sw_dim across[3] = {{1, 1}, {1, 0}, {sw_graph_type(g, index)->dim[1].n, 0}};
  index = swi_build_unary(g, SW_OP_cast, index);
  return swi_eq(g, index, swi_reshape(g, index, 3, across));
}

static sw_edge scatter_squares(sw_graph *g, const swi_node *n, sw_edge end) {
  (void)end;
  uint32_t rows = (1u << sw_graph_type(g, n->in[1])->ndim) - 1;
  sw_edge x = swi_by_example(g, n->in[0], rows), index = swi_by_example(g, n->in[1], rows);
  if (x.node < 0 || index.node < 0) return SW_NO_EDGE;
  if (sw_graph_type(g, x)->dim[1].n == 1) return swi_row_squares(g, n->in[0]);
  return swi_dot_of_each(g, swi_bmm(g, x, 0, x, 1), same_index(g, index));
}

const swi_op_row swi_row_scatter_rows = {.n_in = 2,
                                         .n_out = 1,
                                         .flags = SWI_INDEX,
                                         .attrs = SW_ATTR_N,
                                         .shape = scatter_shape,
                                         .eval = scatter_eval,
                                         .scratch = scatter_scratch_of,
                                         .vjp = scatter_vjp,
                                         .power = scatter_power,
                                         .squares = scatter_squares};

/* ------------------------------------------------------------------ one_hot and cast */

/* (I…) -> (I…, n) */
static sw_status one_hot_shape(swi_shape_args *a) {
  sw_type t = *a->in[0];
  SW_TRY(want_kind(a, 0, SW_INDEX));
  if (a->attrs->n < 1) return sw_fail(a->ctx, SW_ERANGE, "%s: n must be at least 1", a->op);
  if (t.ndim == SW_MAX_DIMS) return sw_fail(a->ctx, SW_ESHAPE, "%s: too many axes", a->op);
  t.kind = SW_REAL;
  t.dim[t.ndim++] = (sw_dim){a->attrs->n, 0};
  a->out[0] = t;
  return SW_OK;
}

static sw_status one_hot_eval(const swi_eval_args *e) {
  const int32_t *index = e->in[0];
  int64_t n = swi_numel(&e->in_shape[0]), classes = e->attrs->n, bytes = e->k->element_bytes;
  SW_TRY(swi_check_indices(e, "one_hot: label", 0, classes));
  e->k->fill(n * classes, 0, e->out[0]);
  for (int64_t i = 0; i < n; i++)
    if (!is_ignored(e, index[i]))
      e->k->fill(1, 1, (char *)e->out[0] + (i * classes + index[i]) * bytes);
  return SW_OK;
}

static sw_status cast_shape(swi_shape_args *a) {
  SW_TRY(want_kind(a, 0, SW_INDEX));
  a->out[0] = *a->in[0];
  a->out[0].kind = SW_REAL;
  return SW_OK;
}

static sw_status cast_eval(const swi_eval_args *e) {
  const int32_t *x = e->in[0];
  int64_t n = swi_numel(&e->in_shape[0]);
  if (e->k->element_bytes == 4)
    for (int64_t i = 0; i < n; i++) ((float *)e->out[0])[i] = (float)x[i];
  else
    for (int64_t i = 0; i < n; i++) ((double *)e->out[0])[i] = x[i];
  return SW_OK;
}

const swi_op_row swi_row_one_hot = {.n_in = 1,
                                    .n_out = 1,
                                    .flags = SWI_INDEX,
                                    .attrs = SW_ATTR_N | SW_ATTR_IGNORED,
                                    .shape = one_hot_shape,
                                    .eval = one_hot_eval,
                                    .power = swi_power_zero};

const swi_op_row swi_row_cast = {.n_in = 1,
                                 .n_out = 1,
                                 .flags = SWI_INDEX,
                                 .shape = cast_shape,
                                 .eval = cast_eval,
                                 .power = swi_power_zero};
