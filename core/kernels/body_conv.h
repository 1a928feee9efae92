/* body_conv.h: convolution and its derivative with respect to the images as sweeps over images, and
 * the weights that they read.
 *
 * A place is an output pixel. Its terms at one tap are the channels of one pixel of the input. The
 * derivative with respect to the images is the same sweep with results and images exchanged. With a
 * stride, pixels that differ modulo it see different taps: one sweep for each class of pixels.
 * body_conv_sweep.h runs a sweep. The weights are packed once a call, in panels two vectors of
 * outputs wide.
 */
#ifndef SW_BODY_CONV_H
#define SW_BODY_CONV_H

/* One direction of a sweep. Place t sees at its tap i, which is the kernel's number
 * tap + i tap_step, the pixel  t step + offset + i offset_step  of size, and is written at
 * to + t to_step. */
typedef struct axis {
  int64_t count, step, taps, tap, tap_step, offset, offset_step, size, to, to_step;
} axis;

/* Pixels from the first one that `places` places see to the last one. */
static int64_t seen_along(const axis *a, int64_t places) {
  return a->taps == 0 ? 0 : (places - 1) * a->step + (a->taps - 1) * a->offset_step + 1;
}

static int is_inside(int64_t i, int64_t n) { return i >= 0 && i < n; }

/* All places of one class, one group of channels. */
typedef struct sweep {
  int64_t images;
  axis rows, columns;
  const real *from;          /* the group's first channel */
  int64_t from_pixel, depth; /* elements from pixel to pixel; channels of the group */
  real *to;
  int64_t to_rows, to_columns, to_pixel, width;
  const real *w; /* element (tap, channel c, output o) is at tap tap_step + c c_step + o o_step */
  int64_t w_tap, w_kernel; /* from tap to tap; kernel columns */
  int64_t w_step;          /* from output to output, or from channel to channel if straight */
  int straight;            /* outputs are contiguous, else channels */
  real *packed;            /* element (panel, tap, channel, output of the panel) */
  const real *bias;
  int relu;
} sweep;

static int64_t taps_of(const sweep *s) { return s->rows.taps * s->columns.taps; }

/* ------------------------------------------------------------------ weights */

static int64_t packed_size(const sweep *s) {
  return (s->width + PANEL - 1) / PANEL * PANEL * taps_of(s) * s->depth;
}

static const real *tap_of(const sweep *s, int64_t tap) {
  const int64_t i = s->rows.tap + tap / s->columns.taps * s->rows.tap_step;
  const int64_t j = s->columns.tap + tap % s->columns.taps * s->columns.tap_step;
  return s->w + (i * s->w_kernel + j) * s->w_tap;
}

/* Sixteen outputs' weights pass side by side. */
static void pack_transposed(const sweep *s) {
  real *to = s->packed;
  for (int64_t column = 0; column < s->width; column += PANEL)
    for (int64_t tap = 0; tap < taps_of(s); tap++, to += s->depth * PANEL)
      copy_transposed(smaller(PANEL, s->width - column), s->depth,
                      tap_of(s, tap) + column * s->w_step, s->w_step, to);
}

/* In the order in which they lie. */
static void pack_straight(const sweep *s) {
  const int64_t taps = taps_of(s);
  for (int64_t c = 0; c < s->depth; c++)
    for (int64_t tap = 0; tap < taps; tap++) {
      const real *from = tap_of(s, tap) + c * s->w_step;
      real *to = s->packed + (tap * s->depth + c) * PANEL;
      for (int64_t column = 0; column < s->width; column += PANEL, to += taps * s->depth * PANEL)
        copy_straight(smaller(PANEL, s->width - column), 1, from + column, 0, to);
    }
}

static void pack_sweep(const sweep *s, void *unused) {
  (void)unused;
  const int64_t last = s->width % PANEL, size = taps_of(s) * s->depth * PANEL;
  if (last > 0) fill(size, 0, s->packed + packed_size(s) - size); /* copies fill vectors only */
  (s->straight ? pack_straight : pack_transposed)(s);
}

/* ------------------------------------------------------------------ the two sweeps */

static axis forward_axis(const swi_convolution *c, int i) {
  return (axis){.count = c->out_size[i],
                .step = c->stride[i],
                .taps = c->kernel[i],
                .tap_step = 1,
                .offset = -c->padding[i],
                .offset_step = c->dilation[i],
                .size = c->size[i],
                .to_step = 1};
}

static void forward(const swi_convolution *c, void (*f)(const sweep *s, void *work)) {
  const int64_t depth = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  sweep s = {.images = c->images,
             .rows = forward_axis(c, 0),
             .columns = forward_axis(c, 1),
             .from = c->x,
             .from_pixel = c->channels,
             .depth = depth,
             .to = c->y,
             .to_rows = c->out_size[0],
             .to_columns = c->out_size[1],
             .to_pixel = c->outputs,
             .width = c->outputs / c->groups,
             .w = c->w,
             .w_tap = depth,
             .w_kernel = c->kernel[1],
             .w_step = taps * depth,
             .packed = c->scratch,
             .bias = c->bias,
             .relu = c->relu};
  for (int64_t g = 0; g < c->groups; g++) {
    f(&s, c->work);
    s.packed += packed_size(&s);
    s.from += depth;
    s.to += s.width;
    s.w += s.width * s.w_step;
    if (s.bias) s.bias += s.width;
  }
}

/* Pixels r, r + stride, … see result pixel (pixel + padding - tap dilation) / stride at those taps
 * for which that is whole. Taps are in falling order, so that their pixels are in rising order. */
static axis backward_axis(const swi_convolution *c, int i, int64_t r) {
  const int64_t stride = c->stride[i], dilation = c->dilation[i];
  axis a = {.count = (c->size[i] - r + stride - 1) / stride,
            .step = 1,
            .size = c->out_size[i],
            .to = r,
            .to_step = stride};
  int64_t first = -1; /* the last such tap */
  for (int64_t tap = c->kernel[i] - 1; tap >= 0; tap--) {
    const int64_t at = r + c->padding[i] - tap * dilation;
    if (at % stride != 0) continue;
    if (a.taps == 0) {
      a.tap = first = tap;
      a.offset = at / stride;
    } else if (a.taps == 1) {
      a.tap_step = tap - first;
      a.offset_step = at / stride - a.offset;
    }
    a.taps++;
  }
  return a;
}

static void backward(const swi_convolution *c, void (*f)(const sweep *s, void *work)) {
  const int64_t width = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  const int64_t depth = c->outputs / c->groups;
  sweep s = {.images = c->images,
             .from_pixel = c->outputs,
             .depth = depth,
             .to_rows = c->size[0],
             .to_columns = c->size[1],
             .to_pixel = c->channels,
             .width = width,
             .w_tap = width,
             .w_kernel = c->kernel[1],
             .w_step = taps * width,
             .straight = 1,
             .packed = c->scratch};
  for (int64_t r = 0; r < smaller(c->stride[0], c->size[0]); r++)
    for (int64_t q = 0; q < smaller(c->stride[1], c->size[1]); q++)
      for (int64_t g = 0; g < c->groups; g++) {
        s.rows = backward_axis(c, 0, r);
        s.columns = backward_axis(c, 1, q);
        s.from = (const real *)c->y + g * depth;
        s.to = (real *)c->x + g * width;
        s.w = (const real *)c->w + g * depth * s.w_step;
        f(&s, c->work);
        s.packed += packed_size(&s);
      }
}

#endif
