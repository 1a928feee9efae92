/* body_conv_route.h: which kernel computes a convolution, by its shape alone: one place for all.
 *
 * Each kernel packs its weights itself, into the same scratch. */
#ifndef SW_BODY_CONV_ROUTE_H
#define SW_BODY_CONV_ROUTE_H

static void run_forward(const sweep *s, void *work) {
  if (is_pixelwise(s))
    run_pixels(s, work);
  else
    run_sweep(s, work);
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

/* A group that fills a vector: tiles of body_conv_weight.h. */
static int is_narrow_weight(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, outputs = c->outputs / c->groups;
  return is_narrow(c) && (depth < V_N || outputs < V_N);
}

/* Panels of a group's weights. */
static int64_t weight_panels(const swi_convolution *c) {
  return is_few(c) ? few_panels(c) : panels_of_group(c);
}

static int64_t conv2d_weight_panels(const swi_convolution *c) {
  return is_narrow_weight(c) ? narrow_panels(c) : c->groups * weight_panels(c);
}

static void weight_of_groups(const swi_convolution *c) {
  const int64_t panels = weight_panels(c);
  void (*of_group)(const swi_convolution *, int64_t, int64_t, int64_t) =
      is_few(c) ? few_group : run_group;
  for (int64_t p = c->first_panel, end; p < c->end_panel; p = end) {
    const int64_t group = p / panels;
    end = smaller(c->end_panel, (group + 1) * panels);
    of_group(c, group, p - group * panels, end - group * panels);
  }
}

static void conv2d_weight(const swi_convolution *c) {
  if (is_narrow_weight(c))
    narrow_weight(c);
  else
    weight_of_groups(c);
}

#endif
