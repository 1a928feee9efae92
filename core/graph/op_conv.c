/* op_conv.c: convolution of images (batch, height, width, channels) with weights (outputs, kernel
 * height, kernel width, channels / groups), and its derivatives.
 *
 * All three are bilinear in images, weights and results, and the derivative of each is made of the
 * other two:  <c, conv2d(x, w)> = <conv2d_input(c, w), x> = <conv2d_weight(x, c), w>.
 */
#include <inttypes.h>

#include "graph/batch_power_int.h"
#include "graph/build_int.h"
#include "kernels/conv_int.h"

/* ------------------------------------------------------------------ shapes */

static sw_status check_images(const swi_shape_args *a, const char *what, const sw_type *t) {
  char text[120];
  if (t->ndim != 4)
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: %s must have 4 axes (batch, height, width, channels), got %s", a->op, what,
                   sw_type_text(t, text, sizeof text));
  if (sw_type_batch_axis(t) > 0)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: the batch must be the first axis of %s, got %s", a->op,
                   what, sw_type_text(t, text, sizeof text));
  if (t->dim[1].n == 0 || t->dim[2].n == 0 || t->dim[3].n == 0)
    return sw_fail(a->ctx, SW_ESHAPE, "%s: %s %s are empty", a->op, what,
                   sw_type_text(t, text, sizeof text));
  return SW_OK;
}

static sw_status check_weights(const swi_shape_args *a, const sw_type *t) {
  char text[120];
  int empty = 0;
  for (int i = 0; i < t->ndim; i++) empty |= t->dim[i].n == 0;
  if (t->ndim == 4 && sw_type_batch_axis(t) < 0 && !empty) return SW_OK;
  return sw_fail(
      a->ctx, SW_ESHAPE,
      "%s: weights must have 4 axes (outputs, kernel height, kernel width, channels / groups), "
      "none of them the batch or empty, got %s",
      a->op, sw_type_text(t, text, sizeof text));
}

static sw_status check_groups(const swi_shape_args *a, const char *what, int64_t n) {
  const int64_t groups = a->attrs->window.groups;
  if (n % groups == 0) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE,
                 "%s: %" PRId64 " %s cannot be divided into %" PRId64 " equal groups", a->op, n,
                 what, groups);
}

static void take_pair(int64_t pair[2], const sw_type *t) {
  pair[0] = t->dim[1].n;
  pair[1] = t->dim[2].n;
}

static sw_type images_of(sw_dim batch, const int64_t size[2], int64_t channels, sw_dependence d) {
  return (sw_type){.kind = SW_REAL,
                   .ndim = 4,
                   .dim = {batch, {size[0], 0}, {size[1], 0}, {channels, 0}},
                   .dependence = d};
}

static sw_dependence dependence_of(const swi_shape_args *a) {
  return swi_dependence_max(a->in[0]->dependence, a->in[1]->dependence);
}

static sw_status conv2d_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *w = a->in[1];
  sw_window *window = &a->attrs->window;
  int64_t out[2];
  SW_TRY(check_images(a, "images", x));
  SW_TRY(check_weights(a, w));
  take_pair(window->kernel, w);
  take_pair(window->size, x);
  SW_TRY(swi_window_complete(a->ctx, a->op, window));
  SW_TRY(check_groups(a, "channels", x->dim[3].n));
  SW_TRY(check_groups(a, "outputs", w->dim[0].n));
  if (w->dim[3].n != x->dim[3].n / window->groups)
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: images of %" PRId64 " channels in %" PRId64
                   " groups need weights of %" PRId64 " channels, got %" PRId64,
                   a->op, x->dim[3].n, window->groups, x->dim[3].n / window->groups, w->dim[3].n);
  SW_TRY(swi_window_out(a->ctx, a->op, window, out));
  a->out[0] = images_of(x->dim[0], out, w->dim[0].n, dependence_of(a));
  return SW_OK;
}

/* Whether dy has the size that the window's images give. */
static sw_status check_results(const swi_shape_args *a, const sw_type *dy) {
  char text[120];
  int64_t out[2];
  SW_TRY(swi_window_out(a->ctx, a->op, &a->attrs->window, out));
  if (dy->dim[1].n == out[0] && dy->dim[2].n == out[1]) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE,
                 "%s: the cotangent must have %" PRId64 " x %" PRId64 " pixels, got %s", a->op,
                 out[0], out[1], sw_type_text(dy, text, sizeof text));
}

static sw_status conv2d_input_shape(swi_shape_args *a) {
  const sw_type *dy = a->in[0], *w = a->in[1];
  sw_window *window = &a->attrs->window;
  SW_TRY(check_images(a, "cotangents", dy));
  SW_TRY(check_weights(a, w));
  take_pair(window->kernel, w);
  SW_TRY(swi_window_complete(a->ctx, a->op, window));
  if (window->size[0] < 1 || window->size[1] < 1)
    return sw_fail(a->ctx, SW_EARG, "%s: needs the images' size = {height, width}", a->op);
  SW_TRY(check_groups(a, "outputs", w->dim[0].n));
  if (dy->dim[3].n != w->dim[0].n)
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: weights of %" PRId64 " outputs need a cotangent of as many channels, got "
                   "%" PRId64,
                   a->op, w->dim[0].n, dy->dim[3].n);
  SW_TRY(check_results(a, dy));
  a->out[0] = images_of(dy->dim[0], window->size, w->dim[3].n * window->groups, dependence_of(a));
  return SW_OK;
}

static sw_status conv2d_weight_shape(swi_shape_args *a) {
  const sw_type *x = a->in[0], *dy = a->in[1];
  sw_window *window = &a->attrs->window;
  char one[120], two[120];
  SW_TRY(check_images(a, "images", x));
  SW_TRY(check_images(a, "cotangents", dy));
  if (window->kernel[0] < 1 || window->kernel[1] < 1)
    return sw_fail(a->ctx, SW_EARG, "%s: needs a kernel = {height, width}", a->op);
  take_pair(window->size, x);
  SW_TRY(swi_window_complete(a->ctx, a->op, window));
  SW_TRY(check_groups(a, "channels", x->dim[3].n));
  SW_TRY(check_groups(a, "outputs", dy->dim[3].n));
  if (!swi_dim_equal(x->dim[0], dy->dim[0]))
    return sw_fail(a->ctx, SW_ESHAPE, "%s: batches differ: images %s, cotangents %s", a->op,
                   sw_type_text(x, one, sizeof one), sw_type_text(dy, two, sizeof two));
  SW_TRY(check_results(a, dy));
  const sw_dependence d = dependence_of(a);
  a->out[0] = (sw_type){.kind = SW_REAL,
                        .ndim = 4,
                        .dim = {{dy->dim[3].n, 0},
                                {window->kernel[0], 0},
                                {window->kernel[1], 0},
                                {x->dim[3].n / window->groups, 0}},
                        .dependence = d == SW_CONSTANT ? SW_CONSTANT : SW_MIXED};
  a->out[1] = (sw_type){.kind = SW_REAL, .ndim = 1, .dim = {x->dim[0]}, .dependence = d};
  return SW_OK;
}

/* ------------------------------------------------------------------ evaluation */

static void *writable(const void *p) { return (void *)(uintptr_t)p; }

/* x, w and y are shapes of images, weights and results. */
static swi_convolution geometry(const sw_window *window, const sw_shape *x, const sw_shape *y) {
  swi_convolution c = {
      .images = x->dim[0], .channels = x->dim[3], .outputs = y->dim[3], .groups = window->groups};
  for (int i = 0; i < 2; i++) {
    c.size[i] = x->dim[1 + i];
    c.out_size[i] = y->dim[1 + i];
    c.kernel[i] = window->kernel[i];
    c.stride[i] = window->stride[i];
    c.padding[i] = window->padding[i];
    c.dilation[i] = window->dilation[i];
  }
  return c;
}

static int64_t conv2d_scratch_of(const swi_eval_args *e) {
  const swi_convolution c = geometry(&e->attrs->window, &e->in_shape[0], &e->out_shape[0]);
  return swi_conv2d_scratch(e->k, &c);
}

static sw_status conv2d_eval(const swi_eval_args *e) {
  swi_convolution c = geometry(&e->attrs->window, &e->in_shape[0], &e->out_shape[0]);
  c.x = writable(e->in[0]);
  c.w = writable(e->in[1]);
  c.y = e->out[0];
  c.bias = e->bias;
  c.relu = e->activation == SWI_ACT_RELU;
  c.scratch = e->scratch;
  swi_conv2d(e->ctx, e->k->element_bytes, &c);
  return SW_OK;
}

static int64_t conv2d_input_scratch_of(const swi_eval_args *e) {
  const swi_convolution c = geometry(&e->attrs->window, &e->out_shape[0], &e->in_shape[0]);
  return swi_conv2d_input_scratch(e->k, &c);
}

static sw_status conv2d_input_eval(const swi_eval_args *e) {
  swi_convolution c = geometry(&e->attrs->window, &e->out_shape[0], &e->in_shape[0]);
  c.y = writable(e->in[0]);
  c.w = writable(e->in[1]);
  c.x = e->out[0];
  c.scratch = e->scratch;
  swi_conv2d_input(e->ctx, e->k->element_bytes, &c);
  return SW_OK;
}

/* For the examples' squares. */
static int64_t conv2d_weight_scratch_of(const swi_eval_args *e) {
  const swi_convolution c = geometry(&e->attrs->window, &e->in_shape[0], &e->in_shape[1]);
  return e->out[1] ? c.images * swi_conv2d_weight_scratch(e->k, &c) : 0;
}

static sw_status conv2d_weight_eval(const swi_eval_args *e) {
  swi_convolution c = geometry(&e->attrs->window, &e->in_shape[0], &e->in_shape[1]);
  c.x = writable(e->in[0]);
  c.y = writable(e->in[1]);
  c.w = e->out[0];
  c.squares = e->out[1];
  c.scratch = e->scratch;
  swi_conv2d_weight(e->ctx, e->k->element_bytes, &c);
  return SW_OK;
}

/* ------------------------------------------------------------------ derivatives */

/* The window was completed by the shape rule: it has the kernel and the size as well. */
static sw_edge same_window(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs) {
  return swi_windowed(g, op, a, b, &attrs->window);
}

static void conv2d_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge x = v->in[0], w = v->in[1], c = v->cotangent[0];
  v->grad[0] = same_window(g, SW_OP_conv2d_input, c, w, v->attrs);
  v->grad[1] = same_window(g, SW_OP_conv2d_weight, x, c, v->attrs);
}

static void conv2d_input_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge dy = v->in[0], w = v->in[1], c = v->cotangent[0];
  v->grad[0] = same_window(g, SW_OP_conv2d, c, w, v->attrs);
  v->grad[1] = same_window(g, SW_OP_conv2d_weight, c, dy, v->attrs);
}

static void conv2d_weight_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge x = v->in[0], dy = v->in[1], c = v->cotangent[0];
  if (v->cotangent[1].node >= 0 && g->build_status == SW_OK)
    g->build_status = sw_fail(g->ctx, SW_EUNSUPPORTED,
                              "conv2d_weight: the examples' squared norms have no derivative");
  v->grad[0] = same_window(g, SW_OP_conv2d_input, dy, c, v->attrs);
  v->grad[1] = same_window(g, SW_OP_conv2d, x, c, v->attrs);
}

/* ------------------------------------------------------------------ powers, norms, rows */

static int weight_power(const swi_power_args *a) {
  const int sums_batch = sw_type_batch_axis(sw_graph_type(a->g, a->node->in[0])) == 0;
  return swi_power_product(swi_power_of_product(a), sums_batch);
}

static sw_edge weight_squares(sw_graph *g, const swi_node *n, sw_edge end) {
  const sw_edge squares = {end.node, 1};
  const sw_type *t = &n->type[1];
  (void)g;
  if (!t->dim[0].batch || t->dim[0].n != 1 || t->dependence != SW_BY_EXAMPLE) return SW_NO_EDGE;
  return squares;
}

enum { WINDOW = SW_ATTR_STRIDE | SW_ATTR_PADDING | SW_ATTR_DILATION | SW_ATTR_GROUPS };

const swi_op_row swi_row_conv2d = {.n_in = 2,
                                   .n_out = 1,
                                   .flags = SWI_EPILOGUE,
                                   .attrs = WINDOW,
                                   .shape = conv2d_shape,
                                   .eval = conv2d_eval,
                                   .scratch = conv2d_scratch_of,
                                   .vjp = conv2d_vjp,
                                   .power = swi_power_of_product};

const swi_op_row swi_row_conv2d_input = {.n_in = 2,
                                         .n_out = 1,
                                         .attrs = WINDOW | SW_ATTR_SIZE,
                                         .shape = conv2d_input_shape,
                                         .eval = conv2d_input_eval,
                                         .scratch = conv2d_input_scratch_of,
                                         .vjp = conv2d_input_vjp,
                                         .power = swi_power_of_product};

/* Its second output: each example's squared norm. */
const swi_op_row swi_row_conv2d_weight = {.n_in = 2,
                                          .n_out = 2,
                                          .attrs = WINDOW | SW_ATTR_KERNEL,
                                          .shape = conv2d_weight_shape,
                                          .eval = conv2d_weight_eval,
                                          .scratch = conv2d_weight_scratch_of,
                                          .vjp = conv2d_weight_vjp,
                                          .power = weight_power,
                                          .squares = weight_squares};
