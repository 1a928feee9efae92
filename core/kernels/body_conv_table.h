/* body_conv_table.h: tables of pointers to the input of places, tap by tap, for the gradient with
 * respect to the weights.
 *
 * The channels of a pixel at one tap, or zeros outside of the image, are a segment. With few
 * channels the taps of a kernel's row are one segment; those that leave their image are copied.
 */
#ifndef SW_BODY_CONV_TABLE_H
#define SW_BODY_CONV_TABLE_H

enum {
  POINTERS = 8192, /* in a block's table: 64 KiB */
  NARROW = 8,      /* with at most so many channels the taps of a kernel's row are one segment */
  PATCHES = 8192   /* elements copied for a block, where such a segment leaves its image */
};

static const real nothing[PART_K]; /* a segment of zeros */

/* A block of places and its table. */
struct block {
  const sweep *s;
  int64_t first, places;
  const real *from[POINTERS];
  real patches[PATCHES];
};

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

/* The first place that sees a pixel from `least` on, at an offset. */
static int64_t first_seeing(const axis *a, int64_t offset, int64_t least) {
  const int64_t t = least - offset;
  return t <= 0 ? 0 : (t + a->step - 1) / a->step;
}

static int is_inside(int64_t i, int64_t n) { return i >= 0 && i < n; }

static const real *line_of(const sweep *s, int64_t image, int64_t row) {
  return s->from + (image * s->rows.size + row) * s->columns.size * s->from_pixel;
}

/* Points to the block's segments at tap (i, j), from a channel on. */
static void point_from(const block *b, int64_t i, int64_t j, int64_t channel, const real **to) {
  const sweep *s = b->s;
  const int64_t down = s->rows.offset + i * s->rows.offset_step;
  const int64_t right = s->columns.offset + j * s->columns.offset_step;
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

static int is_merged(const sweep *s) {
  return s->depth <= NARROW && s->depth == s->from_pixel && s->columns.offset_step == 1 &&
         s->columns.taps > 1 && s->columns.taps * s->depth <= PART_K;
}

#endif
