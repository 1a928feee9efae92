/* body_conv.h: convolution and its derivative with respect to the images, without im2col and
 * without a padded copy: the product of body_packed.h with rows reached by pointers.
 *
 * A place is an output pixel. Its input at one tap, the channels of one pixel or zeros, is a
 * segment; a row of the product is a place's segments, one after another. A block of places has a
 * table of pointers to segments, so borders, strides, dilations and tiles across rows or images
 * need no special case. The weights are packed once a call, in panels two vectors of outputs wide;
 * a part of a panel stays in the L1 cache while the block is processed. A sum runs over taps and
 * channels in order, in parts of at most PART_K, each from 0, independent of block and tile.
 *
 * A block of small images is ordered by pixel: the first pixels of all images, then all second
 * ones. The places of a tile then have the same taps outside of the image, and those are skipped.
 *
 * The derivative with respect to the images is the same sweep with results and images exchanged.
 * With a stride, pixels that differ modulo it see different taps: one sweep for each class of
 * pixels.
 */
#ifndef SW_BODY_CONV_H
#define SW_BODY_CONV_H

enum {
  POINTERS = 8192,    /* in a block's table: 64 KiB */
  PLACES = 1024,      /* in a block at most */
  BLOCK_SEEN = 65536, /* elements that a block reads, about: half of the L2 cache */
  SMALL = 64,         /* images of at most so many places are ordered by pixel */
  NARROW = 8,         /* with at most so many channels the taps of a kernel's row are one segment */
  PATCHES = 8192      /* elements copied for a block, where such a segment leaves its image */
};

/* One direction of a sweep. Place t sees at its tap i, which is the kernel's number
 * tap + i tap_step, the pixel  t step + offset + i offset_step  of size, and is written at
 * to + t to_step. */
typedef struct axis {
  int64_t count, step, taps, tap, tap_step, offset, offset_step, size, to, to_step;
} axis;

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

/* A block of places and its tables. */
typedef struct block {
  const sweep *s;
  int64_t first, places;
  int64_t images; /* whole ones, pixel by pixel; 0: places follow one another */
  const real *from[POINTERS];
  real *to[PLACES];
  real patches[PATCHES];
} block;
_Static_assert(sizeof(block) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

/* ------------------------------------------------------------------ tables */

/* Places are numbered by image, row and column. */
typedef struct cursor {
  int64_t image, row, column;
} cursor;

static cursor cursor_at(const sweep *s, int64_t place) {
  const int64_t line = place / s->columns.count;
  return (cursor){line / s->rows.count, line % s->rows.count, place % s->columns.count};
}

/* Counts the places from the cursor to the end of its row, at most n, and moves the cursor behind
 * them. */
static int64_t take_run(const sweep *s, cursor *c, int64_t n) {
  const int64_t run = smaller(s->columns.count - c->column, n);
  c->column += run;
  if (c->column < s->columns.count) return run;
  c->column = 0;
  if (++c->row < s->rows.count) return run;
  c->row = 0;
  c->image++;
  return run;
}

static void point_to_pixels(block *b) {
  const sweep *s = b->s;
  const int64_t image = s->to_rows * s->to_columns * s->to_pixel;
  real *first = s->to + b->first / (s->rows.count * s->columns.count) * image, **to = b->to;
  for (int64_t row = 0; row < s->rows.count; row++)
    for (int64_t column = 0; column < s->columns.count; column++) {
      const int64_t i = s->rows.to + row * s->rows.to_step;
      const int64_t j = s->columns.to + column * s->columns.to_step;
      real *pixel = first + (i * s->to_columns + j) * s->to_pixel;
      for (int64_t n = 0; n < b->images; n++, pixel += image) *to++ = pixel;
    }
}

static void point_to(block *b) {
  const sweep *s = b->s;
  if (b->images > 0) {
    point_to_pixels(b);
    return;
  }
  cursor next = cursor_at(s, b->first);
  for (int64_t at = 0; at < b->places;) {
    const cursor c = next;
    const int64_t row = s->rows.to + c.row * s->rows.to_step;
    real *line = s->to + (c.image * s->to_rows + row) * s->to_columns * s->to_pixel;
    const int64_t run = take_run(s, &next, b->places - at);
    for (int64_t j = 0; j < run; j++, at++)
      b->to[at] = line + (s->columns.to + (c.column + j) * s->columns.to_step) * s->to_pixel;
  }
}

/* The first place that sees a pixel from `least` on, at an offset. */
static int64_t first_seeing(const axis *a, int64_t offset, int64_t least) {
  const int64_t t = least - offset;
  return t <= 0 ? 0 : (t + a->step - 1) / a->step;
}

static int is_inside(int64_t i, int64_t n) { return i >= 0 && i < n; }

static const real *line_of(const sweep *s, int64_t image, int64_t row) {
  return s->from + (image * s->rows.size + row) * s->columns.size * s->from_pixel;
}

static void point_from_pixels(const block *b, int64_t down, int64_t right, int64_t channel,
                              const real **to) {
  const sweep *s = b->s;
  const int64_t image = s->rows.size * s->columns.size * s->from_pixel;
  const real *first = line_of(s, b->first / (s->rows.count * s->columns.count), 0) + channel;
  for (int64_t row = 0; row < s->rows.count; row++)
    for (int64_t column = 0; column < s->columns.count; column++) {
      const int64_t i = row * s->rows.step + down, j = column * s->columns.step + right;
      const int in = is_inside(i, s->rows.size) && is_inside(j, s->columns.size);
      const real *pixel = in ? first + (i * s->columns.size + j) * s->from_pixel : nothing;
      for (int64_t n = 0; n < b->images; n++, pixel += in ? image : 0) *to++ = pixel;
    }
}

/* Points to the block's segments at tap (i, j), from a channel on. */
static void point_from(const block *b, int64_t i, int64_t j, int64_t channel, const real **to) {
  const sweep *s = b->s;
  const int64_t down = s->rows.offset + i * s->rows.offset_step;
  const int64_t right = s->columns.offset + j * s->columns.offset_step;
  if (b->images > 0) {
    point_from_pixels(b, down, right, channel, to);
    return;
  }
  const int64_t low = first_seeing(&s->columns, right, 0);
  const int64_t high = first_seeing(&s->columns, right, s->columns.size);
  cursor next = cursor_at(s, b->first);
  for (const real **end = to + b->places; to < end;) {
    const cursor c = next;
    const int64_t row = c.row * s->rows.step + down, run = take_run(s, &next, end - to);
    const int64_t stop = c.column + run;
    const int in = is_inside(row, s->rows.size);
    const int64_t from = in ? smaller(low > c.column ? low : c.column, stop) : stop;
    const int64_t until = in ? smaller(high > from ? high : from, stop) : stop;
    const real *pixel = until > from ? line_of(s, c.image, row) + channel +
                                           (from * s->columns.step + right) * s->from_pixel
                                     : nothing;
    int64_t t = c.column;
    for (; t < from; t++) *to++ = nothing;
    for (; t < until; t++, pixel += s->columns.step * s->from_pixel) *to++ = pixel;
    for (; t < stop; t++) *to++ = nothing;
  }
}

/* Copies a segment of all taps of one row that crosses the border of its image. */
static const real *patched(const sweep *s, const real *line, int64_t column, real *to) {
  const int64_t n = s->columns.taps * s->depth, end = s->columns.size * s->depth;
  const int64_t from = column * s->depth;
  for (int64_t j = 0; j < n; j++) to[j] = is_inside(from + j, end) ? line[from + j] : 0;
  return to;
}

/* Places c … stop - 1 of a row that lies in its image. */
static real *point_from_line(const sweep *s, const real *line, int64_t c, int64_t stop,
                             real *patches, const real **to) {
  const int64_t step = s->columns.step, taps = s->columns.taps;
  const int64_t low = first_seeing(&s->columns, s->columns.offset, 0);
  const int64_t high = first_seeing(&s->columns, s->columns.offset, s->columns.size - taps + 1);
  while (c < stop) {
    const int64_t column = c * step + s->columns.offset;
    if (c < low || c >= high) {
      *to++ = patched(s, line, column, patches);
      patches += taps * s->depth;
      c++;
      continue;
    }
    const real *pixel = line + column * s->depth;
    for (const int64_t end = smaller(high, stop); c < end; c++, pixel += step * s->depth)
      *to++ = pixel;
  }
  return patches;
}

/* The same for all taps of a row together. */
static real *point_from_row(const block *b, int64_t i, real *patches, const real **to) {
  const sweep *s = b->s;
  const int64_t down = s->rows.offset + i * s->rows.offset_step;
  cursor next = cursor_at(s, b->first);
  for (const real **end = to + b->places; to < end;) {
    const cursor c = next;
    const int64_t row = c.row * s->rows.step + down, run = take_run(s, &next, end - to);
    if (is_inside(row, s->rows.size))
      patches = point_from_line(s, line_of(s, c.image, row), c.column, c.column + run, patches, to);
    else
      for (int64_t j = 0; j < run; j++) to[j] = nothing;
    to += run;
  }
  return patches;
}

/* ------------------------------------------------------------------ parts of a sum */

/* Taps first … end - 1 of a sweep's, with channels channel … channel + depth - 1 each. */
typedef struct tap_range {
  int64_t first, end, channel, depth;
  int is_last, merged;
} tap_range;

static int is_merged(const sweep *s) {
  return s->depth <= NARROW && s->depth == s->from_pixel && s->columns.offset_step == 1 &&
         s->columns.taps > 1 && s->columns.taps * s->depth <= PART_K;
}

static int64_t taps_of(const sweep *s) { return s->rows.taps * s->columns.taps; }

/* Taps in a part: whole kernel rows if they are merged. */
static int64_t taps_in_part(const sweep *s) {
  const int64_t row = s->columns.taps;
  const int64_t fit = s->depth > PART_K ? 1 : PART_K / s->depth;
  return smaller(is_merged(s) ? fit / row * row : fit, taps_of(s));
}

static int64_t places_in_block(const sweep *s) {
  const int64_t taps = taps_in_part(s);
  int64_t n = BLOCK_SEEN / s->depth;
  n = n < 240 ? 240 : n;
  n = smaller(n, PLACES);
  n = smaller(n, POINTERS / taps);
  if (is_merged(s)) n = smaller(n, PATCHES / (taps * s->depth));
  return n < V_TILE ? n : n / V_TILE * V_TILE;
}

static void run_panel(const block *b, const tap_range *p, strip *t, int64_t column) {
  const sweep *s = b->s;
  const int64_t cols = smaller(PANEL, s->width - column);
  t->b = s->packed + ((column / PANEL * taps_of(s) + p->first) * s->depth + p->channel) * PANEL;
  t->column = column;
  t->bias = p->is_last && s->bias ? s->bias + column : NULL;
  t->relu = p->is_last && s->relu;
  t->from = b->from;
  t->to = b->to;
  for (int64_t i = 0, rows; i < b->places; i += rows, t->from += rows, t->to += rows) {
    rows = tile_rows(b->places - i);
    if (cols < PANEL)
      strip_edge(rows, cols, t);
    else
      strip_rows(rows, t);
  }
}

static void run_part(block *b, const tap_range *p) {
  const sweep *s = b->s;
  strip t = {
      .from_step = b->places, .skip = b->images > 0, .accumulate = p->first > 0 || p->channel > 0};
  if (p->merged) {
    real *patches = b->patches;
    for (int64_t tap = p->first; tap < p->end; tap += s->columns.taps, t.segments++)
      patches = point_from_row(b, tap / s->columns.taps, patches, b->from + t.segments * b->places);
    t.length = s->columns.taps * s->depth;
  } else {
    for (int64_t tap = p->first; tap < p->end; tap++, t.segments++)
      point_from(b, tap / s->columns.taps, tap % s->columns.taps, p->channel,
                 b->from + t.segments * b->places);
    t.length = p->depth;
  }
  for (int64_t column = 0; column < s->width; column += PANEL) run_panel(b, p, &t, column);
}

static void run_block(block *b) {
  const sweep *s = b->s;
  const int64_t step = taps_in_part(s), taps = taps_of(s);
  const int64_t parts = (s->depth + PART_K - 1) / PART_K;
  const int64_t depth = ((s->depth + parts - 1) / parts + 7) / 8 * 8;
  point_to(b);
  for (int64_t tap = 0; tap < taps; tap += step)
    for (int64_t channel = 0; channel < s->depth; channel += depth) {
      const tap_range p = {.first = tap,
                           .end = smaller(tap + step, taps),
                           .channel = channel,
                           .depth = smaller(depth, s->depth - channel),
                           .is_last = tap + step >= taps && channel + depth >= s->depth,
                           .merged = is_merged(s)};
      run_part(b, &p);
    }
}

/* For places without any tap in the image. */
static void write_zeros(const block *b) {
  for (int64_t i = 0; i < b->places; i++) fill(b->s->width, 0, b->to[i]);
}

/* Whether a block holds so many images that most tiles are of one pixel. */
static int is_by_pixel(const sweep *s, int64_t pixels, int64_t step) {
  return pixels <= SMALL && step / pixels >= V_TILE && taps_of(s) > 1 && !is_merged(s);
}

static void run_sweep(const sweep *s, block *b) {
  const int64_t pixels = s->rows.count * s->columns.count, places = s->images * pixels;
  int64_t step = taps_of(s) > 0 ? places_in_block(s) : PLACES;
  b->s = s;
  const int by_pixel = is_by_pixel(s, pixels, step);
  if (by_pixel) step = step / pixels * pixels;
  for (b->first = 0; b->first < places; b->first += step) {
    b->places = smaller(step, places - b->first);
    b->images = by_pixel ? b->places / pixels : 0;
    if (taps_of(s) > 0) {
      run_block(b);
    } else {
      point_to(b);
      write_zeros(b);
    }
  }
}

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

static void pack_sweep(const sweep *s, block *unused) {
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

static void forward(const swi_convolution *c, void (*f)(const sweep *s, block *b)) {
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

static void backward(const swi_convolution *c, void (*f)(const sweep *s, block *b)) {
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
