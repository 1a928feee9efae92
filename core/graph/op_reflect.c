/* op_reflect.c: padding of images (batch, height, width, channels) by their mirror image, the edge
 * itself not repeated, and its derivative, which folds the border back.
 *
 * Along an axis of n pixels with p of padding, pixel o of the result is pixel |o - p| of the image,
 * and beyond the end 2 (n - 1) - (o - p).
 */
#include <inttypes.h>
#include <string.h>

#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/build_int.h"

static int64_t mirrored(int64_t o, int64_t padding, int64_t n) {
  int64_t i = o - padding;
  if (i < 0) i = -i;
  return i < n ? i : 2 * (n - 1) - i;
}

/* ------------------------------------------------------------------ shapes */

static sw_status check_images(const swi_shape_args *a) {
  char text[120];
  const sw_type *t = a->in[0];
  if (t->ndim == 4 && sw_type_batch_axis(t) <= 0) return SW_OK;
  return sw_fail(a->ctx, SW_ESHAPE,
                 "%s: images have 4 axes (batch, height, width, channels), got %s", a->op,
                 sw_type_text(t, text, sizeof text));
}

/* size: of the images without padding */
static sw_status check_padding(const swi_shape_args *a, const int64_t size[2]) {
  const int64_t *p = a->attrs->window.padding;
  for (int i = 0; i < 2; i++)
    if (p[i] < 0 || p[i] >= size[i])
      return sw_fail(a->ctx, SW_ESHAPE,
                     "%s: a padding of %" PRId64 " x %" PRId64
                     " is too large for images of %" PRId64 " x %" PRId64
                     " (at most one pixel less than their size)",
                     a->op, p[0], p[1], size[0], size[1]);
  return SW_OK;
}

static sw_status reflect_pad_shape(swi_shape_args *a) {
  SW_TRY(check_images(a));
  const sw_type *x = a->in[0];
  SW_TRY(check_padding(a, (int64_t[2]){x->dim[1].n, x->dim[2].n}));
  a->out[0] = *x;
  for (int i = 0; i < 2; i++) a->out[0].dim[i + 1].n += 2 * a->attrs->window.padding[i];
  return SW_OK;
}

static sw_status reflect_fold_shape(swi_shape_args *a) {
  SW_TRY(check_images(a));
  int64_t size[2];
  a->out[0] = *a->in[0];
  for (int i = 0; i < 2; i++) {
    const int64_t padded = a->in[0]->dim[i + 1].n, p = a->attrs->window.padding[i];
    size[i] = p < 0 || p > padded / 2 ? 0 : padded - 2 * p;
    a->out[0].dim[i + 1].n = size[i];
  }
  return check_padding(a, size);
}

/* ------------------------------------------------------------------ evaluation */

/* Images without padding, and the padded ones around them. */
typedef struct reflection {
  const swi_eval_args *e;
  int64_t size[2], padding[2], channels, pixel; /* bytes of a pixel */
  int64_t row[2], image[2];                     /* bytes; [1]: padded */
} reflection;

static reflection reflection_of(const swi_eval_args *e, const sw_shape *plain) {
  reflection r = {.e = e, .channels = plain->dim[3]};
  r.pixel = r.channels * e->k->element_bytes;
  for (int i = 0; i < 2; i++) {
    r.size[i] = plain->dim[i + 1];
    r.padding[i] = e->attrs->window.padding[i];
  }
  for (int padded = 0; padded < 2; padded++) {
    r.row[padded] = (r.size[1] + 2 * padded * r.padding[1]) * r.pixel;
    r.image[padded] = (r.size[0] + 2 * padded * r.padding[0]) * r.row[padded];
  }
  return r;
}

static void pad_image(void *arg, int64_t image) {
  const reflection *r = arg;
  int64_t edge = r->padding[1], width = r->size[1];
  for (int64_t o = 0; o < r->size[0] + 2 * r->padding[0]; o++) {
    const char *from = (const char *)r->e->in[0] + image * r->image[0] +
                       mirrored(o, r->padding[0], r->size[0]) * r->row[0];
    char *to = (char *)r->e->out[0] + image * r->image[1] + o * r->row[1];
    memcpy(to + edge * r->pixel, from, (size_t)r->row[0]);
    for (int64_t i = 0; i < edge; i++) {
      int64_t right = edge + width + i;
      memcpy(to + i * r->pixel, from + mirrored(i, edge, width) * r->pixel, (size_t)r->pixel);
      memcpy(to + right * r->pixel, from + mirrored(right, edge, width) * r->pixel,
             (size_t)r->pixel);
    }
  }
}

/* Adds a padded row to the row that it mirrors: its middle, then the borders from without. */
static void fold_row(const reflection *r, const char *from, char *to) {
  int64_t edge = r->padding[1], width = r->size[1];
  void (*add)(int64_t, const void *, const void *, void *) = r->e->k->binary[SWI_BINARY_add].vv;
  add(width * r->channels, to, from + edge * r->pixel, to);
  for (int64_t i = 0; i < edge; i++) {
    int64_t right = edge + width + i;
    char *left_to = to + mirrored(i, edge, width) * r->pixel;
    char *right_to = to + mirrored(right, edge, width) * r->pixel;
    add(r->channels, left_to, from + i * r->pixel, left_to);
    add(r->channels, right_to, from + right * r->pixel, right_to);
  }
}

static void fold_image(void *arg, int64_t image) {
  const reflection *r = arg;
  char *to = (char *)r->e->out[0] + image * r->image[0];
  const char *from = (const char *)r->e->in[0] + image * r->image[1];
  r->e->k->fill(r->size[0] * r->size[1] * r->channels, 0, to);
  for (int64_t o = 0; o < r->size[0] + 2 * r->padding[0]; o++)
    fold_row(r, from + o * r->row[1], to + mirrored(o, r->padding[0], r->size[0]) * r->row[0]);
}

static sw_status reflect_pad_eval(const swi_eval_args *e) {
  reflection r = reflection_of(e, &e->in_shape[0]);
  swi_parallel(e->ctx, e->in_shape[0].dim[0], pad_image, &r);
  return SW_OK;
}

static sw_status reflect_fold_eval(const swi_eval_args *e) {
  reflection r = reflection_of(e, &e->out_shape[0]);
  swi_parallel(e->ctx, e->in_shape[0].dim[0], fold_image, &r);
  return SW_OK;
}

/* ------------------------------------------------------------------ derivatives */

static void reflect_pad_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] =
      swi_windowed(g, SW_OP_reflect_fold2d, v->cotangent[0], SW_NO_EDGE, &v->attrs->window);
}

static void reflect_fold_vjp(sw_graph *g, swi_vjp_args *v) {
  v->grad[0] = swi_windowed(g, SW_OP_reflect_pad2d, v->cotangent[0], SW_NO_EDGE, &v->attrs->window);
}

const swi_op_row swi_row_reflect_pad2d = {.n_in = 1,
                                          .n_out = 1,
                                          .attrs = SW_ATTR_PADDING,
                                          .shape = reflect_pad_shape,
                                          .eval = reflect_pad_eval,
                                          .vjp = reflect_pad_vjp,
                                          .power = swi_power_of_first};

const swi_op_row swi_row_reflect_fold2d = {.n_in = 1,
                                           .n_out = 1,
                                           .attrs = SW_ATTR_PADDING,
                                           .shape = reflect_fold_shape,
                                           .eval = reflect_fold_eval,
                                           .vjp = reflect_fold_vjp,
                                           .power = swi_power_of_first};
