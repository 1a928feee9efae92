/* op_pool.c: pools over images (batch, height, width, channels), and their derivatives.
 *
 * A pool is linear once it is known which tap of each window is the largest, so that
 *   max_pool2d -> y, index;  max_unpool2d(c, index) is its derivative, and max_repool2d(v, index),
 *   the derivative of that, picks from v what the pool picked from x. The averages' are alike.
 * Images are the pool's pieces.
 */
#include <inttypes.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"

enum { MOST_TAPS = 1 << 24 }; /* their numbers must be exact in float32 */

/* ------------------------------------------------------------------ shapes */

static sw_status check_images(const swi_shape_args *a, int i) {
  char text[120];
  const sw_type *t = a->in[i];
  if (t->ndim != 4 || sw_type_batch_axis(t) > 0)
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: images have 4 axes (batch, height, width, channels), got %s", a->op,
                   sw_type_text(t, text, sizeof text));
  if (t->dim[1].n >= 1 && t->dim[2].n >= 1) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: images %s are empty", a->op,
                 sw_type_text(t, text, sizeof text));
}

/* Whether some window along an axis has no tap in the image. */
static int sees_nothing(const sw_window *w, int axis, int64_t out) {
  for (int64_t o = 0; o < out; o++) {
    int64_t at = o * w->stride[axis] - w->padding[axis], d = w->dilation[axis];
    if (at < 0) at += (-at + d - 1) / d * d;
    if (at >= w->size[axis] ||
        at > o * w->stride[axis] - w->padding[axis] + (w->kernel[axis] - 1) * d)
      return 1;
  }
  return 0;
}

/* Completes the window over images of w->size; out: the result's size. */
static sw_status check_window(const swi_shape_args *a, int64_t out[2]) {
  sw_window *w = &a->attrs->window;
  if (w->kernel[0] < 1 || w->kernel[1] < 1)
    return sw_fail(a->ctx, SW_EARG, "%s: needs a kernel = {height, width}", a->op);
  SW_TRY(swi_window_complete(a->ctx, a->op, w));
  if (w->kernel[0] * w->kernel[1] > MOST_TAPS)
    return sw_fail(a->ctx, SW_ERANGE, "%s: a kernel of %" PRId64 " x %" PRId64 " is too large",
                   a->op, w->kernel[0], w->kernel[1]);
  SW_TRY(swi_window_out(a->ctx, a->op, w, out));
  if (!sees_nothing(w, 0, out[0]) && !sees_nothing(w, 1, out[1])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE,
                 "%s: a window lies in the padding (%" PRId64 " x %" PRId64
                 "); pad at most half of the kernel",
                 a->op, w->padding[0], w->padding[1]);
}

static sw_type resized(const sw_type *images, const int64_t size[2]) {
  sw_type t = *images;
  t.dim[1] = (sw_dim){size[0], 0};
  t.dim[2] = (sw_dim){size[1], 0};
  return t;
}

static sw_status pool_shape(swi_shape_args *a) {
  int64_t out[2];
  SW_TRY(check_images(a, 0));
  for (int i = 0; i < 2; i++) a->attrs->window.size[i] = a->in[0]->dim[i + 1].n;
  SW_TRY(check_window(a, out));
  a->out[0] = resized(a->in[0], out);
  return SW_OK;
}

static sw_status unpool_shape(swi_shape_args *a) {
  sw_window *w = &a->attrs->window;
  int64_t out[2];
  SW_TRY(check_images(a, 0));
  if (w->size[0] < 1 || w->size[1] < 1)
    return sw_fail(a->ctx, SW_EARG, "%s: needs the images' size = {height, width}", a->op);
  SW_TRY(check_window(a, out));
  if (a->in[0]->dim[1].n != out[0] || a->in[0]->dim[2].n != out[1])
    return sw_fail(a->ctx, SW_ESHAPE,
                   "%s: windows over images of %" PRId64 " x %" PRId64 " give %" PRId64
                   " x %" PRId64 " pixels, got %" PRId64 " x %" PRId64,
                   a->op, w->size[0], w->size[1], out[0], out[1], a->in[0]->dim[1].n,
                   a->in[0]->dim[2].n);
  a->out[0] = resized(a->in[0], w->size);
  return SW_OK;
}

static sw_status check_index(const swi_shape_args *a, const sw_type *wanted) {
  char text[120], got[120];
  if (swi_type_same_shape(wanted, a->in[1])) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE, "%s: the index must be %s, got %s", a->op,
                 sw_type_text(wanted, text, sizeof text), sw_type_text(a->in[1], got, sizeof got));
}

static sw_status max_pool_shape(swi_shape_args *a) {
  SW_TRY(pool_shape(a));
  a->out[1] = a->out[0];
  return SW_OK;
}

static sw_status max_unpool_shape(swi_shape_args *a) {
  SW_TRY(unpool_shape(a));
  SW_TRY(check_index(a, a->in[0]));
  a->out[0].dependence = swi_dependence_max(a->in[0]->dependence, a->in[1]->dependence);
  return SW_OK;
}

static sw_status max_repool_shape(swi_shape_args *a) {
  SW_TRY(pool_shape(a));
  SW_TRY(check_index(a, &a->out[0]));
  a->out[0].dependence = swi_dependence_max(a->in[0]->dependence, a->in[1]->dependence);
  return SW_OK;
}

/* ------------------------------------------------------------------ evaluation */

enum { PARALLEL_FROM = 1 << 15 }; /* elements */

typedef struct pool_job {
  const swi_eval_args *e;
  swi_pool p;
  int64_t bytes[2]; /* of a whole image; of a pooled one */
} pool_job;

static pool_job job_of(const swi_eval_args *e, const sw_shape *pooled) {
  const sw_window *w = &e->attrs->window;
  pool_job j = {.e = e, .p = {.channels = pooled->dim[3]}};
  for (int i = 0; i < 2; i++) {
    j.p.size[i] = w->size[i];
    j.p.out_size[i] = pooled->dim[i + 1];
    j.p.kernel[i] = w->kernel[i];
    j.p.stride[i] = w->stride[i];
    j.p.padding[i] = w->padding[i];
    j.p.dilation[i] = w->dilation[i];
  }
  j.bytes[0] = j.p.size[0] * j.p.size[1] * j.p.channels * e->k->element_bytes;
  j.bytes[1] = j.p.out_size[0] * j.p.out_size[1] * j.p.channels * e->k->element_bytes;
  return j;
}

static const void *in(const pool_job *j, int i, int64_t image, int pooled) {
  return (const char *)j->e->in[i] + image * j->bytes[pooled];
}

static void *out(const pool_job *j, int o, int64_t image, int pooled) {
  return j->e->out[o] ? (char *)j->e->out[o] + image * j->bytes[pooled] : NULL;
}

/* pooled: the shape of the smaller images. */
static sw_status for_images(const swi_eval_args *e, const sw_shape *pooled, swi_piece f) {
  pool_job j = job_of(e, pooled);
  int64_t images = e->in_shape[0].dim[0];
  if (images * j.p.size[0] * j.p.size[1] * j.p.channels >= PARALLEL_FROM)
    swi_parallel(e->ctx, images, f, &j);
  else
    for (int64_t i = 0; i < images; i++) f(&j, i);
  return SW_OK;
}

static void max_pool_image(void *arg, int64_t i) {
  const pool_job *j = arg;
  j->e->k->max_pool(&j->p, in(j, 0, i, 0), out(j, 0, i, 1), out(j, 1, i, 1));
}

static void max_unpool_image(void *arg, int64_t i) {
  const pool_job *j = arg;
  j->e->k->max_unpool(&j->p, in(j, 0, i, 1), in(j, 1, i, 1), out(j, 0, i, 0));
}

static void max_repool_image(void *arg, int64_t i) {
  const pool_job *j = arg;
  j->e->k->max_repool(&j->p, in(j, 0, i, 0), in(j, 1, i, 1), out(j, 0, i, 1));
}

static void avg_pool_image(void *arg, int64_t i) {
  const pool_job *j = arg;
  j->e->k->avg_pool(&j->p, in(j, 0, i, 0), out(j, 0, i, 1));
}

static void avg_unpool_image(void *arg, int64_t i) {
  const pool_job *j = arg;
  j->e->k->avg_unpool(&j->p, in(j, 0, i, 1), out(j, 0, i, 0));
}

static sw_status max_pool_eval(const swi_eval_args *e) {
  return for_images(e, &e->out_shape[0], max_pool_image);
}

static sw_status max_unpool_eval(const swi_eval_args *e) {
  return for_images(e, &e->in_shape[0], max_unpool_image);
}

static sw_status max_repool_eval(const swi_eval_args *e) {
  return for_images(e, &e->out_shape[0], max_repool_image);
}

static sw_status avg_pool_eval(const swi_eval_args *e) {
  return for_images(e, &e->out_shape[0], avg_pool_image);
}

static sw_status avg_unpool_eval(const swi_eval_args *e) {
  return for_images(e, &e->in_shape[0], avg_unpool_image);
}

/* ------------------------------------------------------------------ derivatives */

static sw_edge with_window(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const swi_vjp_args *v) {
  return swi_windowed(g, op, a, b, &v->attrs->window);
}

static void max_pool_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = with_window(g, SW_OP_max_unpool2d, v->cotangent[0], v->out[1], v);
}

static void max_unpool_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = with_window(g, SW_OP_max_repool2d, v->cotangent[0], v->in[1], v);
}

static void max_repool_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = with_window(g, SW_OP_max_unpool2d, v->cotangent[0], v->in[1], v);
}

static void avg_pool_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = with_window(g, SW_OP_avg_unpool2d, v->cotangent[0], SW_NO_EDGE, v);
}

static void avg_unpool_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = with_window(g, SW_OP_avg_pool2d, v->cotangent[0], SW_NO_EDGE, v);
}

/* ------------------------------------------------------------------ rows */

/* index, which an unpool and a repool read: the number of the largest tap of each window, by rows,
 * from 0; the first of equal ones, and NaN is the largest. It is real and has no derivative. */
enum { POOL = SW_ATTR_KERNEL | SW_ATTR_STRIDE | SW_ATTR_PADDING | SW_ATTR_DILATION };

const swi_op_row swi_row_max_pool2d = {.n_in = 1,
                                       .n_out = 2,
                                       .attrs = POOL,
                                       .shape = max_pool_shape,
                                       .eval = max_pool_eval,
                                       .vjp = max_pool_vjp,
                                       .power = swi_power_of_first};

const swi_op_row swi_row_max_unpool2d = {.n_in = 2,
                                         .n_out = 1,
                                         .attrs = POOL | SW_ATTR_SIZE,
                                         .shape = max_unpool_shape,
                                         .eval = max_unpool_eval,
                                         .vjp = max_unpool_vjp,
                                         .power = swi_power_of_first};

const swi_op_row swi_row_max_repool2d = {.n_in = 2,
                                         .n_out = 1,
                                         .attrs = POOL,
                                         .shape = max_repool_shape,
                                         .eval = max_repool_eval,
                                         .vjp = max_repool_vjp,
                                         .power = swi_power_of_first};

const swi_op_row swi_row_avg_pool2d = {.n_in = 1,
                                       .n_out = 1,
                                       .attrs = POOL,
                                       .shape = pool_shape,
                                       .eval = avg_pool_eval,
                                       .vjp = avg_pool_vjp,
                                       .power = swi_power_of_first};

const swi_op_row swi_row_avg_unpool2d = {.n_in = 1,
                                         .n_out = 1,
                                         .attrs = POOL | SW_ATTR_SIZE,
                                         .shape = unpool_shape,
                                         .eval = avg_unpool_eval,
                                         .vjp = avg_unpool_vjp,
                                         .power = swi_power_of_first};
