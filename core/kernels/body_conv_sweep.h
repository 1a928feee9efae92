/* body_conv_sweep.h: runs a sweep of body_conv.h without im2col, padded copy or tables.
 *
 * Places that see the same taps in their image are a region: for a kernel of 3 x 3 with a border
 * of 1 the inner pixels, four edges and four corners. Terms outside of the image are left out. In
 * a region the input and the results of neighbours along a row, a column or the images are at
 * equal distances, and a tile of body_strip.h lies along one of the three. The taps of a kernel's
 * row are one segment where their pixels follow one another.
 *
 * A patch is some images, or some rows of one, whose input stays in the L2 cache while all panels
 * of weights are run, one after another. A sum runs over taps and channels in order, in parts of
 * at most PART_K, each from 0: the part of a panel stays in the L1 cache while the patch is run.
 * Parts follow from the shape, so neither patches nor tiles change a bit.
 */
#ifndef SW_BODY_CONV_SWEEP_H
#define SW_BODY_CONV_SWEEP_H

enum {
  PATCH_SEEN = (256 << 10) / REAL_BYTES, /* elements that a patch reads, about: a quarter of L2 */
  PATCH_WRITTEN = PATCH_SEEN / 2,        /* that it writes, if its memory is fetched */
  PATCH_PLACES = 240, /* at least: a part of a panel is read from afar for each patch */
  TILE_COST = 30,     /* of beginning and ending a tile, in multiply-adds of two vectors */
  HIDDEN = 8,         /* vectors of sums that hide the latency of a multiply-add */
  WAYS = 8 /* of the L1 cache: the same pixel of so many images is found there, whatever its size */
};

/* Images image … end_image - 1, and rows row … end_row - 1 of their results. */
typedef struct patch {
  int64_t image, end_image, row, end_row;
  fetch *ahead; /* input and results of the next one, or NULL */
} patch;

/* A part of a sum: taps first … end - 1 with channels channel … channel + depth - 1 each. */
typedef struct sum_part {
  int64_t first, end, channel, depth;
  int is_last;
} sum_part;

/* Places place … end_place - 1 of an axis, which see the taps tap … end_tap - 1. */
typedef struct range {
  int64_t place, end_place, tap, end_tap;
} range;

/* Places at equal distances. */
typedef struct place_line {
  int64_t count, from_step, to_step;
} place_line;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* ------------------------------------------------------------------ regions */

/* A place's pixel at tap number tap. */
static int64_t pixel_at(const axis *a, int64_t place, int64_t tap) {
  return place * a->step + a->offset + tap * a->offset_step;
}

/* A place's first tap at pixel `least` or behind it. */
static int64_t tap_from(const axis *a, int64_t place, int64_t least) {
  const int64_t left = least - pixel_at(a, place, 0);
  if (left <= 0) return 0;
  if (a->taps <= 1) return a->taps;
  return smaller((left + a->offset_step - 1) / a->offset_step, a->taps);
}

/* The places from one on, and before end, that see the same taps. */
static range range_from(const axis *a, int64_t place, int64_t end) {
  range r = {place, place + 1, tap_from(a, place, 0), tap_from(a, place, a->size)};
  if (a->taps == 0) {
    r.end_place = end;
  } else if (r.tap == 0 && r.end_tap == a->taps) {
    r.end_place = smaller((a->size - 1 - pixel_at(a, 0, a->taps - 1)) / a->step + 1, end);
  } else {
    while (r.end_place < end && tap_from(a, r.end_place, 0) == r.tap &&
           tap_from(a, r.end_place, a->size) == r.end_tap)
      r.end_place++;
  }
  return r;
}

/* The part's segments for places that see these taps, from the first one's pixel on; returns how
 * many there are. */
static int64_t find_segments(const sweep *s, const sum_part *p, const range *rows,
                             const range *columns, segment *to) {
  const int64_t taps = s->columns.taps, pixel = s->columns.offset_step * s->from_pixel;
  const int64_t line = s->rows.offset_step * s->columns.size * s->from_pixel;
  int64_t n = 0;
  for (int64_t i = rows->tap; i < rows->end_tap; i++) {
    const int64_t end = smaller(columns->end_tap, p->end - i * taps);
    for (int64_t j = larger(columns->tap, p->first - i * taps), step; j < end; j += step) {
      step = pixel == p->depth ? end - j : 1;
      to[n++] = (segment){.from = (i - rows->tap) * line + (j - columns->tap) * pixel + p->channel,
                          .b = (i * taps + j - p->first) * s->depth * PANEL,
                          .length = step * p->depth};
    }
  }
  return n;
}

static int64_t tiles_of(int64_t n, int64_t most) { return (n + most - 1) / most; }

/* Joins lines that continue one another, as with a kernel of 1 x 1. */
static void join_lines(place_line l[3]) {
  for (int i = 1; i < 3; i++) {
    if (l[0].count * l[0].from_step != l[i].from_step) return;
    if (l[0].count * l[0].to_step != l[i].to_step) return;
    l[0].count *= l[i].count;
    l[i].count = 1;
  }
}

/* Which line tiles lie along: the first, unless another one is clearly faster. */
static int choose_line(const place_line l[3], const int64_t most[3], int64_t hidden,
                       int64_t terms) {
  const int64_t places = l[0].count * l[1].count * l[2].count;
  int64_t least = INT64_MAX;
  int chosen = 0;
  for (int i = 0; i < 3; i++) {
    const int64_t tiles = tiles_of(l[i].count, most[i]) * (places / l[i].count);
    const int64_t cost = tiles * TILE_COST + terms * larger(places, hidden * tiles);
    if (cost >= least - least / 16) continue;
    least = cost;
    chosen = i;
  }
  return chosen;
}

/* A line in tiles of nearly equal heights. */
static void run_line(const place_line *l, int64_t tiles, const strip *first, fetch *ahead) {
  strip t = *first;
  for (int64_t left = l->count, rows; left > 0; left -= rows, tiles--) {
    rows = tiles_of(left, tiles);
    if (ahead) {
      fetch_for(&ahead[0], rows);
      fetch_for(&ahead[1], rows);
    }
    if (t.cols > V_N)
      strip_wide(rows, &t);
    else
      strip_tall(rows, &t);
    t.from += rows * l->from_step;
    t.to += rows * l->to_step;
  }
}

static void run_lines(place_line l[3], int64_t terms, const strip *first, fetch *ahead) {
  const int vectors = first->cols > V_N ? 2 : 1;
  const int64_t fit = vectors > 1 ? V_TILE : V_TALL;
  const int64_t most[3] = {fit, fit, smaller(fit, WAYS)};
  join_lines(l);
  const int along = choose_line(l, most, HIDDEN / vectors, terms);
  const int64_t tiles = tiles_of(l[along].count, most[along]);
  const place_line inner = l[along == 0 ? 1 : 0], outer = l[along == 2 ? 1 : 2];
  strip t = *first;
  t.from_step = l[along].from_step;
  t.to_step = l[along].to_step;
  for (int64_t i = 0; i < outer.count; i++)
    for (int64_t j = 0; j < inner.count; j++) {
      t.from = first->from + i * outer.from_step + j * inner.from_step;
      t.to = first->to + i * outer.to_step + j * inner.to_step;
      run_line(&l[along], tiles, &t, ahead);
    }
}

/* Places that see the same taps. t: a panel's, at the first channel and the first result. */
static void run_region(const sweep *s, const patch *at, const sum_part *p, const range *rows,
                       const range *columns, const strip *t) {
  const axis *r = &s->rows, *c = &s->columns;
  const int64_t pixel = s->from_pixel, line_size = c->size * pixel, image = r->size * line_size;
  const int64_t to_pixel = s->to_pixel, to_line = s->to_columns * to_pixel;
  const int64_t to_image = s->to_rows * to_line;
  segment segments[PART_K];
  strip first = *t;
  first.segments = segments;
  first.count = find_segments(s, p, rows, columns, segments);
  if (first.count == 0 && first.accumulate && !p->is_last) return;
  first.from += at->image * image + pixel_at(r, rows->place, rows->tap) * line_size +
                pixel_at(c, columns->place, columns->tap) * pixel;
  first.to += at->image * to_image + (rows->place * r->to_step + r->to) * to_line +
              (columns->place * c->to_step + c->to) * to_pixel;
  place_line lines[3] = {
      {columns->end_place - columns->place, c->step * pixel, c->to_step * to_pixel},
      {rows->end_place - rows->place, r->step * line_size, r->to_step * to_line},
      {at->end_image - at->image, image, to_image},
  };
  int64_t terms = 0;
  for (int64_t i = 0; i < first.count; i++) terms += segments[i].length;
  run_lines(lines, terms, &first, at->ahead);
}

/* ------------------------------------------------------------------ patches */

static void run_part(const sweep *s, const patch *at, const sum_part *p, int64_t column) {
  const int64_t b = (column / PANEL * taps_of(s) + p->first) * s->depth + p->channel;
  real bias[PANEL] = {0};
  strip t = {.from = s->from,
             .b = s->packed + b * PANEL,
             .to = s->to + column,
             .cols = smaller(PANEL, s->width - column),
             .accumulate = p->first > 0 || p->channel > 0,
             .relu = p->is_last && s->relu};
  if (p->is_last && s->bias) t.bias = memcpy(bias, s->bias + column, (size_t)t.cols * sizeof *bias);
  for (range rows = {.end_place = at->row}; rows.end_place < at->end_row;) {
    rows = range_from(&s->rows, rows.end_place, at->end_row);
    for (range columns = {0}; columns.end_place < s->columns.count;) {
      columns = range_from(&s->columns, columns.end_place, s->columns.count);
      run_region(s, at, p, &rows, &columns, &t);
    }
  }
}

static void run_panel(const sweep *s, const patch *at, int64_t column) {
  const int64_t taps = taps_of(s), step = larger(PART_K / s->depth, 1);
  const int64_t parts = (s->depth + PART_K - 1) / PART_K;
  const int64_t depth = ((s->depth + parts - 1) / parts + 7) / 8 * 8;
  int64_t tap = 0;
  do { /* once if there is no tap: zeros */
    for (int64_t channel = 0; channel < s->depth; channel += depth) {
      const sum_part p = {.first = tap,
                          .end = smaller(tap + step, taps),
                          .channel = channel,
                          .depth = smaller(depth, s->depth - channel),
                          .is_last = tap + step >= taps && channel + depth >= s->depth};
      run_part(s, at, &p, column);
    }
    tap += step;
  } while (tap < taps);
}

/* Elements that a place reads for the first time, about. */
static int64_t read_by_place(const sweep *s) {
  const int64_t down = smaller(s->rows.step, larger(s->rows.taps, 1));
  return s->depth * down * smaller(s->columns.step, larger(s->columns.taps, 1));
}

static int is_fetched(const sweep *s) {
  return taps_of(s) * s->depth * s->width >= FETCH_WORK * (read_by_place(s) + s->width);
}

/* Places of a patch, about. Each panel comes back to all results, but each patch reads all weights:
 * it may write as many elements as they have. */
static int64_t places_in_patch(const sweep *s) {
  const int64_t seen = PATCH_SEEN / read_by_place(s);
  const int64_t written = larger(PATCH_WRITTEN / s->width, taps_of(s) * s->depth);
  return larger(PATCH_PLACES, is_fetched(s) ? smaller(seen, written) : seen);
}

/* As much input and results as a patch has, from its end on. What is used of some lines only, as
 * with groups or with a stride that leaves pixels out, is not fetched. */
static void find_ahead(const sweep *s, const patch *at, fetch to[2]) {
  const axis *r = &s->rows;
  const int64_t line = s->columns.size * s->from_pixel, image = r->size * line;
  const int64_t to_line = s->to_columns * s->to_pixel, to_image = s->to_rows * to_line;
  const int64_t rows = at->end_row - at->row, images = at->end_image - at->image;
  const int64_t tiled = images * rows * s->columns.count * tiles_of(s->width, PANEL);
  int64_t from = at->end_image * image, results = at->end_image * to_image;
  if (at->end_row < r->count) {
    const int64_t row = pixel_at(r, at->end_row, r->taps - 1);
    from = at->image * image + smaller(larger(row, 0), r->size) * line;
    results = at->image * to_image + at->end_row * to_line;
  }
  const int64_t seen = rows < r->count ? rows * r->step * line : images * image;
  const int64_t written = rows < r->count ? rows * to_line : images * to_image;
  to[0] = to[1] = (fetch){0};
  if (s->depth == s->from_pixel && r->step <= r->taps && s->columns.step <= s->columns.taps)
    to[0] = fetch_of(s->from, from, seen, s->images * image, tiled);
  if (s->width == s->to_pixel && r->to_step * s->columns.to_step == 1 && written <= PATCH_SEEN)
    to[1] = fetch_of(s->to, results, written, s->images * to_image, tiled);
}

static void run_sweep(const sweep *s, void *unused) {
  (void)unused;
  const int64_t line = s->columns.count, places = places_in_patch(s);
  if (s->rows.count * line == 0) return;
  int64_t images = places / (s->rows.count * line), rows = s->rows.count;
  if (images == 0) {
    images = 1;
    rows = larger(places / line, 1);
  }
  if (images > V_TILE) images = images / V_TILE * V_TILE;
  for (int64_t i = 0; i < s->images; i += images)
    for (int64_t r = 0; r < s->rows.count; r += rows) {
      patch at = {i, smaller(i + images, s->images), r, smaller(r + rows, s->rows.count), NULL};
      fetch ahead[2];
      if (is_fetched(s)) {
        find_ahead(s, &at, ahead);
        at.ahead = ahead;
      }
      for (int64_t column = 0; column < s->width; column += PANEL) run_panel(s, &at, column);
    }
}

#endif
