/* body_conv_pixels.h: sweeps with few channels and few outputs, as LeNet's first convolution:
 * vectors hold pixels of a row instead of outputs, and weights are broadcast.
 *
 * Rows of an image are copied into lines, channel by channel, with zeros on both sides as far as
 * the taps reach. A row of results is computed output by output and transposed on its way out. An
 * element is the sum of body_conv_sweep.h, in one part, to the bit. But terms 0 w from columns
 * outside of the image are in it, which are NaN where w is not finite.
 */
#ifndef SW_BODY_CONV_PIXELS_H
#define SW_BODY_CONV_PIXELS_H

enum {
  PIXEL_CHANNELS = 8,     /* at most */
  PIXEL_ROW = 2048,       /* places in a row, at most */
  PIXEL_COPIES = 1 << 15, /* elements of lines, at most */
  PIXEL_BAND =
      (16 << 10) / REAL_BYTES, /* that some rows of places see, about: half of the L1 cache */
  PIXELS = 4 * V_N             /* of a tile, at most */
};

typedef struct pixel_lines {
  const sweep *s;
  int64_t plane, line;   /* elements from channel to channel, from line to line */
  int32_t terms[PART_K]; /* in the lines from a row of taps on */
  real lines[PIXEL_COPIES];
  real results[V_BLOCK * (PIXEL_ROW + PIXELS)];
} pixel_lines;
_Static_assert(sizeof(pixel_lines) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

static int64_t plane_of(const sweep *s) {
  return seen_along(&s->columns, s->columns.count) + PIXELS;
}

/* Shorter rows leave too many lanes empty. */
static int is_pixelwise(const sweep *s) {
  const axis *c = &s->columns;
  return s->width <= PIXEL_OUTPUTS && s->width == s->to_pixel && c->to_step == 1 && c->step == 1 &&
         s->depth <= PIXEL_CHANNELS && taps_of(s) > 0 && taps_of(s) * s->depth <= PART_K &&
         2 * c->count >= 3 * V_N && c->count <= PIXEL_ROW &&
         seen_along(&s->rows, 1) * plane_of(s) * s->depth <= PIXEL_COPIES;
}

/* ------------------------------------------------------------------ the tile */

/* Some pixels of a row of places. */
typedef struct pixel_tile {
  int64_t terms;
  const int32_t *at; /* each term's pixels in x */
  const real *x, *w; /* a term's weights: a row of the panel */
  const real *bias;
  int relu;
  real *to;
  int64_t to_step; /* from output to output */
} pixel_tile;

INLINE void pixel_sums(const int outs, const int vecs, const pixel_tile *t,
                       vec s[PIXEL_OUTPUTS][4]) {
  const real *w = t->w;
  for (const int32_t *at = t->at, *end = at + t->terms; at < end; at++, w += PANEL) {
    vec pixel[4];
    UNROLL
    for (int v = 0; v < vecs; v++) pixel[v] = v_load(t->x + *at + v * V_N);
    UNROLL
    for (int o = 0; o < outs; o++) {
      const vec weight = v_broadcast(w + o);
      UNROLL
      for (int v = 0; v < vecs; v++) s[o][v] = v_fma(pixel[v], weight, s[o][v]);
    }
  }
}

INLINE void pixels_of(const int outs, const int vecs, const pixel_tile *t) {
  vec s[PIXEL_OUTPUTS][4];
  UNROLL
  for (int o = 0; o < outs; o++) UNROLL
  for (int v = 0; v < vecs; v++) s[o][v] = v_set1(0);
  pixel_sums(outs, vecs, t, s);
  if (t->bias) UNROLL
  for (int o = 0; o < outs; o++) {
    const vec bias = v_broadcast(t->bias + o);
    UNROLL
    for (int v = 0; v < vecs; v++) s[o][v] = v_add(s[o][v], bias);
  }
  if (t->relu) UNROLL
  for (int o = 0; o < outs; o++) UNROLL
  for (int v = 0; v < vecs; v++) s[o][v] = v_relu(s[o][v]);
  UNROLL
  for (int o = 0; o < outs; o++) UNROLL
  for (int v = 0; v < vecs; v++) v_store(t->to + o * t->to_step + v * V_N, s[o][v]);
}

#define PIXEL_CASE(o, vecs)                          \
  case o:                                            \
    if ((o) <= PIXEL_OUTPUTS) pixels_of(o, vecs, t); \
    break

static void pixels_2(int64_t outs, const pixel_tile *t) {
  switch (outs) {
    PIXEL_CASE(1, 2);
    PIXEL_CASE(2, 2);
    PIXEL_CASE(3, 2);
    PIXEL_CASE(4, 2);
    PIXEL_CASE(5, 2);
    PIXEL_CASE(6, 2);
    PIXEL_CASE(7, 2);
    PIXEL_CASE(8, 2);
  }
}

/* Sums of three outputs in two vectors each would not hide the latency of a multiply-add. */
static void pixels_4(int64_t outs, const pixel_tile *t) {
  switch (outs) {
    PIXEL_CASE(1, 4);
    PIXEL_CASE(2, 4);
    PIXEL_CASE(3, 4);
  }
}

/* ------------------------------------------------------------------ a row of places */

/* Planes of n results into pixels of `outs` each. A pixel is stored as V_BLOCK elements: the next
 * one overwrites the excess. */
static void interleave(int64_t n, int64_t outs, const real *planes, int64_t plane, real *to) {
  real square[V_BLOCK * V_BLOCK];
  if (outs == 1) {
    memcpy(to, planes, (size_t)n * sizeof *to);
    return;
  }
  for (int64_t p = 0; p < n; p += V_BLOCK) {
    const int whole = (n - p) * outs >= (V_BLOCK - 1) * outs + V_BLOCK;
    v_transpose_block(planes + p, plane, whole ? to + p * outs : square, outs);
    if (!whole)
      memcpy(to + p * outs, square, (size_t)(smaller(n - p, V_BLOCK) * outs) * sizeof *to);
  }
}

/* A row of places that sees some rows of taps; x: its lines, from its first tap's on. */
static void pixel_row(pixel_lines *p, const range *rows, const real *x, real *to) {
  const sweep *s = p->s;
  const int64_t count = s->columns.count, taps = s->columns.taps * s->depth;
  const int wide = s->width <= 3 && count > 2 * V_N;
  const int64_t step = wide ? PIXELS : 2 * V_N, plane = tiles_of(count, step) * step;
  pixel_tile t = {.terms = (rows->end_tap - rows->tap) * taps,
                  .at = p->terms,
                  .w = s->packed + rows->tap * taps * PANEL,
                  .bias = s->bias,
                  .relu = s->relu,
                  .to_step = plane};
  for (int64_t i = 0; i < count; i += step) {
    t.x = x + i;
    t.to = p->results + i;
    (wide ? pixels_4 : pixels_2)(s->width, &t);
  }
  interleave(count, s->width, p->results, plane, to);
}

/* ------------------------------------------------------------------ lines */

/* n pixels, channel by channel. */
static void copy_line(const pixel_lines *p, int64_t n, const real *x, real *to) {
  const int64_t step = p->s->from_pixel;
  if (step == 1) {
    memcpy(to, x, (size_t)n * sizeof *to);
    return;
  }
  for (int64_t c = 0; c < p->s->depth; c++, to += p->plane)
    for (int64_t i = 0; i < n; i++) to[i] = x[i * step + c];
}

/* Rows top … top + n - 1 of an image, as far as there are. What is outside of the image is never
 * written: it stays 0. */
static void copy_lines(pixel_lines *p, int64_t image, int64_t top, int64_t n) {
  const sweep *s = p->s;
  const int64_t start = s->columns.offset, from = larger(start, 0);
  const int64_t until = smaller(start + seen_along(&s->columns, s->columns.count), s->columns.size);
  for (int64_t i = larger(0, -top); i < smaller(n, s->rows.size - top) && from < until; i++) {
    const int64_t pixel = (image * s->rows.size + top + i) * s->columns.size + from;
    copy_line(p, until - from, s->from + pixel * s->from_pixel,
              p->lines + i * p->line + from - start);
  }
}

/* Rows first … end - 1 of an image's results. */
static void run_band(pixel_lines *p, int64_t image, int64_t first, int64_t end) {
  const sweep *s = p->s;
  const axis *a = &s->rows;
  const int64_t top = pixel_at(a, first, 0);
  copy_lines(p, image, top, seen_along(a, end - first));
  for (int64_t i = first; i < end; i++) {
    const range rows = range_from(a, i, i + 1);
    const int64_t first_line = rows.tap < rows.end_tap ? pixel_at(a, i, rows.tap) - top : 0;
    const int64_t to = (image * s->to_rows + a->to + i * a->to_step) * s->to_columns;
    pixel_row(p, &rows, p->lines + first_line * p->line,
              s->to + (to + s->columns.to) * s->to_pixel);
  }
}

static void find_terms(pixel_lines *p) {
  const sweep *s = p->s;
  int32_t *to = p->terms;
  for (int64_t i = 0; i < s->rows.taps; i++)
    for (int64_t j = 0; j < s->columns.taps; j++)
      for (int64_t c = 0; c < s->depth; c++)
        *to++ = (int32_t)(i * s->rows.offset_step * p->line + j * s->columns.offset_step +
                          c * p->plane);
}

static void run_pixels(const sweep *s, void *work) {
  pixel_lines *p = work;
  p->s = s;
  p->plane = plane_of(s);
  p->line = p->plane * s->depth;
  find_terms(p);
  int64_t band = 1;
  while (band < s->rows.count && seen_along(&s->rows, band + 1) * p->line <= PIXEL_BAND) band++;
  fill(seen_along(&s->rows, band) * p->line, 0, p->lines);
  for (int64_t n = 0; n < s->images; n++)
    for (int64_t i = 0; i < s->rows.count; i += band)
      run_band(p, n, i, smaller(i + band, s->rows.count));
}

#endif
