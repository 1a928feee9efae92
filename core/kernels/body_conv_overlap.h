/* body_conv_overlap.h: the derivative with respect to images of few channels.
 *
 * What a pixel of dy adds to a row of dx is contiguous: a kernel's row of taps and their channels.
 * So vectors hold taps and channels, not channels alone, and no tap is outside of dy. For a row of
 * dx this is summed over the outputs and the kernel's rows, in registers, and added to the row.
 * Neighbours in dy overlap there: the first of each `phases` pixels are added, then the second ones
 * and so on, for all images of a block together.
 *
 * An element is a sum over parts of the kernel's rows, at most PART_K terms, and in them over
 * phases, in order, of sums from 0: independent of blocks and tiles.
 */
#ifndef SW_BODY_CONV_OVERLAP_H
#define SW_BODY_CONV_OVERLAP_H

enum {
  ADDITION = 10,        /* of a vector to a row of dx, in multiply-adds */
  OVERLAP_ROWS = 24,    /* pixels of dy at once, about: whole tiles of every height */
  OVERLAP_DY = 1 << 16, /* elements of dy that are copied, at most */
  OVERLAP_BAND = (128 << 10) / REAL_BYTES, /* the same where rows of dx can be divided */
  OVERLAP_LINES = 1 << 15                  /* elements of rows of dx */
};

typedef struct overlap {
  const swi_convolution *c;
  axis rows;                      /* rows of dx that see the same rows of taps */
  int64_t width, panels;          /* elements and panels of a row of taps */
  int64_t phases, pixels, longer; /* the first `longer` phases have a pixel more than `pixels` */
  int64_t first, images;          /* of a block */
  int64_t top, row;               /* the first row of dy in the copy; elements from row to row */
  int64_t line;                   /* elements of a row of dx with its padding */
  segment taps[PART_K];
  real dy[OVERLAP_DY]; /* by row, phase, image, pixel */
  real lines[OVERLAP_LINES];
} overlap;
_Static_assert(sizeof(overlap) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

static int64_t phases_of(const swi_convolution *c) {
  return smaller((c->kernel[1] + c->stride[1] - 1) / c->stride[1], c->out_size[1]);
}

static int64_t padded_line(const swi_convolution *c) {
  const int64_t seen = (c->out_size[1] - 1) * c->stride[1] + c->kernel[1];
  return larger(seen, c->size[1] + c->padding[1]) * c->channels + PANEL;
}

static int64_t images_at_once(const swi_convolution *c) {
  return larger(1, OVERLAP_ROWS * phases_of(c) / c->out_size[1]);
}

/* Whether a row of taps, and adding it to dx, takes less than its taps apart, of which each fills
 * vectors with its channels; and whether what is copied fits. */
static int is_overlapping(const swi_convolution *c) {
  const int64_t together = tiles_of(c->kernel[1] * c->channels, V_N);
  const int64_t apart = c->kernel[1] * tiles_of(c->channels, V_N);
  const int64_t terms = c->kernel[0] * c->outputs / c->stride[0];
  const int64_t seen = (c->kernel[0] - 1) * c->dilation[0] / c->stride[0] + 1;
  const int64_t row = images_at_once(c) * c->out_size[1] * c->outputs;
  return c->groups == 1 && c->dilation[1] == 1 && c->outputs <= PART_K &&
         together * (terms + ADDITION) < apart * terms && seen * row <= OVERLAP_DY &&
         images_at_once(c) * padded_line(c) <= OVERLAP_LINES;
}

/* ------------------------------------------------------------------ the tile */

/* Some pixels of dy, one behind the other in the copy, and a panel. */
typedef struct overlap_tile {
  const segment *taps;
  int64_t count;
  const real *dy, *b;
  int64_t dy_step;
  real *to[STRIP_ROWS]; /* each pixel's sums are added here */
  mask used;            /* of the last vector: the others are NaN where dy is infinite */
} overlap_tile;

INLINE void add_rows(const int rows, const int vecs, const overlap_tile *t) {
  vec s[STRIP_ROWS][2];
  UNROLL
  for (int i = 0; i < rows; i++) s[i][0] = s[i][1] = v_set1(0);
  for (const segment *g = t->taps, *end = g + t->count; g < end; g++)
    strip_segment(rows, vecs, t->dy + g->from, t->dy_step, t->b + g->b, g->length, s);
  /* All are loaded before one is stored: neighbours share a vector, to which one of them adds 0. */
  UNROLL
  for (int i = 0; i < rows; i++) {
    s[i][vecs - 1] = v_select(t->used, s[i][vecs - 1], v_set1(0));
    s[i][0] = v_add(v_load(t->to[i]), s[i][0]);
    if (vecs > 1) s[i][1] = v_add(v_load(t->to[i] + V_N), s[i][1]);
  }
  UNROLL
  for (int i = 0; i < rows; i++) {
    v_store(t->to[i], s[i][0]);
    if (vecs > 1) v_store(t->to[i] + V_N, s[i][1]);
  }
}

#define ADD_CASE(r)                                                \
  case r:                                                          \
    if ((r) <= (vecs > 1 ? V_TILE : V_TALL)) add_rows(r, vecs, t); \
    break

INLINE void add_rows_of(int64_t rows, const int vecs, const overlap_tile *t) {
  switch (rows) {
    ADD_CASE(1);
    ADD_CASE(2);
    ADD_CASE(3);
    ADD_CASE(4);
    ADD_CASE(5);
    ADD_CASE(6);
    ADD_CASE(7);
    ADD_CASE(8);
    ADD_CASE(9);
    ADD_CASE(10);
    ADD_CASE(11);
    ADD_CASE(12);
    ADD_CASE(13);
    ADD_CASE(14);
    ADD_CASE(15);
    ADD_CASE(16);
  }
}

static void add_wide(int64_t rows, const overlap_tile *t) { add_rows_of(rows, 2, t); }
static void add_tall(int64_t rows, const overlap_tile *t) { add_rows_of(rows, 1, t); }

/* ------------------------------------------------------------------ a row of dx */

static int64_t pixels_of_phase(const overlap *o, int64_t phase) {
  return o->pixels + (phase < o->longer);
}

/* One panel of one phase. */
static void add_panel(overlap *o, int64_t phase, int64_t column, overlap_tile *t) {
  const swi_convolution *c = o->c;
  const int64_t left = o->width - column, pixels = pixels_of_phase(o, phase);
  const int64_t step = c->stride[1] * c->channels;
  const int wide = left > V_N;
  real *dx = o->lines + phase * step + column;
  int64_t all = o->images * pixels, tiles = tiles_of(all, wide ? V_TILE : V_TALL);
  t->used = v_head(smaller(wide ? left - V_N : left, V_N));
  for (int64_t rows, pixel = 0; all > 0; all -= rows, tiles--) {
    rows = tiles_of(all, tiles);
    for (int64_t r = 0; r < rows; r++) {
      t->to[r] = dx + pixel * o->phases * step;
      if (++pixel < pixels) continue;
      pixel = 0;
      dx += o->line;
    }
    (wide ? add_wide : add_tall)(rows, t);
    t->dy += rows * t->dy_step;
  }
}

/* The rows of taps first … first + n - 1 of those that the place sees. */
static void add_taps(overlap *o, int64_t place, int64_t first, int64_t n) {
  const swi_convolution *c = o->c;
  const axis *a = &o->rows;
  const int64_t tap = c->outputs * o->panels * PANEL;
  const real *b = (const real *)c->scratch + (a->tap + first * a->tap_step) * tap;
  const real *dy = o->dy + (pixel_at(a, place, first) - o->top) * o->row;
  overlap_tile t = {.taps = o->taps, .count = n, .dy_step = c->outputs};
  for (int64_t i = 0; i < n; i++)
    o->taps[i] = (segment){i * a->offset_step * o->row, i * a->tap_step * tap, c->outputs};
  for (int64_t phase = 0; phase < o->phases; phase++) {
    for (int64_t column = 0; column < o->width; column += PANEL) {
      t.dy = dy;
      t.b = b + column * c->outputs;
      add_panel(o, phase, column, &t);
    }
    dy += o->images * pixels_of_phase(o, phase) * c->outputs;
  }
}

static void overlap_row(overlap *o, int64_t place) {
  const swi_convolution *c = o->c;
  const range seen = range_from(&o->rows, place, place + 1);
  const int64_t step = PART_K / c->outputs, size = c->size[1] * c->channels;
  fill(o->images * o->line, 0, o->lines);
  for (int64_t i = seen.tap; i < seen.end_tap; i += step)
    add_taps(o, place, i, smaller(step, seen.end_tap - i));
  real *dx = c->x;
  dx += (o->first * c->size[0] + o->rows.to + place * o->rows.to_step) * size;
  const real *from = o->lines + c->padding[1] * c->channels;
  for (int64_t m = 0; m < o->images; m++, dx += c->size[0] * size, from += o->line)
    memcpy(dx, from, (size_t)size * sizeof *dx);
}

/* ------------------------------------------------------------------ blocks */

/* Copies a phase's pixels of a row of dy; returns the end of the copy. */
static real *copy_phase(const overlap *o, const real *dy, int64_t phase, real *to) {
  const int64_t n = o->c->outputs, step = o->phases * n;
  const real *end = dy + o->c->out_size[1] * n;
  for (const real *from = dy + phase * n; from < end; from += step, to += n)
    for (int64_t j = 0; j < n; j += V_N) store_first(to + j, load_first(from + j, n - j), n - j);
  return to;
}

/* Rows top … top + n - 1 of dy, as far as there are. */
static void copy_block(overlap *o, int64_t n) {
  const swi_convolution *c = o->c;
  const int64_t row = c->out_size[1] * c->outputs, image = c->out_size[0] * row;
  for (int64_t i = larger(0, -o->top); i < smaller(n, c->out_size[0] - o->top); i++) {
    const real *dy = (const real *)c->y + o->first * image + (o->top + i) * row;
    real *to = o->dy + i * o->row;
    for (int64_t phase = 0; phase < o->phases; phase++)
      for (int64_t m = 0; m < o->images; m++) to = copy_phase(o, dy + m * image, phase, to);
  }
}

/* How many rows of dy some rows of dx see. */
static int64_t rows_seen(const axis *a, int64_t rows) {
  return rows + larger(a->taps - 1, 0) * a->offset_step;
}

/* All rows of dx that see the same rows of taps. */
static void run_class(overlap *o, int64_t at_once) {
  const axis *a = &o->rows;
  const int64_t row = o->c->out_size[1] * o->c->outputs;
  const int64_t fit = OVERLAP_BAND / (at_once * row) - rows_seen(a, 0);
  const int64_t band = larger(fit, 1), blocks = tiles_of(o->c->images, at_once);
  for (int64_t i = 0; i < blocks; i++) {
    o->first = i * o->c->images / blocks;
    o->images = (i + 1) * o->c->images / blocks - o->first;
    o->row = o->images * row;
    for (int64_t place = 0; place < a->count; place++) {
      if (place % band == 0) {
        o->top = pixel_at(a, place, 0);
        copy_block(o, rows_seen(a, smaller(band, a->count - place)));
      }
      overlap_row(o, place);
    }
  }
}

static void run_overlap(const swi_convolution *c) {
  overlap *o = c->work;
  o->c = c;
  o->width = c->kernel[1] * c->channels;
  o->panels = (o->width + PANEL - 1) / PANEL;
  o->phases = phases_of(c);
  o->pixels = c->out_size[1] / o->phases;
  o->longer = c->out_size[1] % o->phases;
  o->line = padded_line(c);
  for (int64_t r = 0; r < smaller(c->stride[0], c->size[0]); r++) {
    o->rows = backward_axis(c, 0, r);
    run_class(o, images_at_once(c));
  }
}

/* Element (row of taps, panel, output, tap and channel of the panel). */
static void pack_overlap(const swi_convolution *c) {
  const int64_t width = c->kernel[1] * c->channels;
  real *to = c->scratch;
  for (int64_t i = 0; i < c->kernel[0]; i++)
    for (int64_t j = 0; j < width; j += PANEL)
      for (int64_t k = 0; k < c->outputs; k++, to += PANEL) {
        const real *w = (const real *)c->w + (k * c->kernel[0] + i) * width + j;
        fill(PANEL, 0, to);
        memcpy(to, w, (size_t)smaller(PANEL, width - j) * sizeof *to);
      }
}

#endif
