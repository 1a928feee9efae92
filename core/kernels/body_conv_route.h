/* body_conv_route.h: which kernel computes a convolution, by its shape alone: one place for all.
 *
 * Each kernel packs its weights itself, into the same scratch. */
#ifndef SW_BODY_CONV_ROUTE_H
#define SW_BODY_CONV_ROUTE_H

static void run_forward(const sweep *s, block *b) {
  if (is_pixelwise(s))
    run_pixels(s, b);
  else
    run_sweep(s, b);
}

static void conv2d_pack(const swi_convolution *c) {
  if (is_narrow(c))
    narrow_pack(c);
  else
    forward(c, pack_sweep);
}

static void conv2d(const swi_convolution *c) {
  if (is_narrow(c))
    narrow_forward(c);
  else
    forward(c, run_forward);
}

static void conv2d_input_pack(const swi_convolution *c) {
  if (is_narrow(c))
    narrow_input_pack(c);
  else if (is_overlapping(c))
    pack_overlap(c);
  else
    backward(c, pack_sweep);
}

static void conv2d_input(const swi_convolution *c) {
  if (is_narrow(c))
    narrow_input(c);
  else if (is_overlapping(c))
    run_overlap(c);
  else
    backward(c, run_sweep);
}

static int64_t conv2d_weight_panels(const swi_convolution *c) {
  return is_narrow(c) ? narrow_panels(c) : count_panels(c);
}

static void conv2d_weight(const swi_convolution *c) {
  if (is_narrow(c))
    narrow_weight(c);
  else
    panels_of_weights(c);
}

#endif
