/* body_weight_operands.h: where the tiles of a weight gradient find X and dy: in place, or in
 * copies; and the runs of pixels that a panel, channels at one tap, sees within the image.
 */
#ifndef SW_BODY_WEIGHT_OPERANDS_H
#define SW_BODY_WEIGHT_OPERANDS_H

enum {
  FEW_PIXELS = 48,                      /* of an image: below, images are summed together */
  CLOSE = 128 / REAL_BYTES,             /* elements from pixel to pixel, at most, read in place */
  SPREAD = (256 << 10) / REAL_BYTES,    /* elements of a copy of X */
  BLOCK_A = (256 << 10) / REAL_BYTES,   /* elements of a copy of dy */
  SO_FAR = (64 << 10) / REAL_BYTES,     /* sums of an image's parts */
  COPIED = 16,                          /* pixels of dy that are copied at a time */
  NEXT_UNIT = (256 << 10) / REAL_BYTES, /* elements of X and dy that are fetched ahead, at most */
  MANY_IMAGES = 1024,                   /* that are added up in one piece */
  HELD = 8192                           /* weights of such a piece that are held at a time */
};

typedef struct weight_work {
  real x[SPREAD] __attribute__((aligned(64)));
  real a[BLOCK_A + V_TALL * V_N]; /* dy, tile by tile, pixel by pixel */
  real so_far[SO_FAR];            /* sums of the parts, panel by panel */
  real total[HELD], some[HELD];   /* weights of many images' blocks */
  run runs[AT_ONCE];
} weight_work;
_Static_assert(sizeof(weight_work) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

/* Where the tiles find X: in place, in a copy of the unit's images (PANEL channels of each pixel),
 * or in a copy of the pixels that a part sees at a tap: with one tap, and where the former does not
 * fit or has gaps within a run. */
typedef enum weight_source { IN_PLACE, WHOLE, GATHERED } weight_source;

/* The shares of a unit: one image, or several small ones. A place is a pixel of one of them: with
 * several, places of one pixel follow one another. */
typedef struct shares {
  const swi_convolution *c;
  axis rows, columns;
  const real *x;      /* the group's first channel */
  int64_t depth;      /* channels of the group */
  const real *dy;     /* the group's first output */
  const real *dy_end; /* behind all of dy */
  real *w;            /* of output 0 and panel first_panel; NULL: only squares are wanted */
  int64_t ldw;        /* between outputs */
  int64_t first_panel;
  int packed;            /* panels in w follow one another, PANEL columns each */
  real *squares;         /* of the group's first panel, one an image; NULL: not wanted */
  int64_t outputs;       /* of the group */
  int64_t height;        /* rows of a tile at most */
  int64_t begin, end;    /* images to be added up */
  int64_t image, images; /* the unit's first image, how many they are */
  int64_t places;
  int64_t parts, part; /* of the places, and how many are in each */
  weight_source source;
  int dy_in_place;
  int64_t row, n_rows; /* the outputs at hand */
  heights tiles;       /* theirs */
  fetch *ahead;        /* X and dy of the next unit, or NULL */
  weight_work *work;
} shares;

/* ------------------------------------------------------------------ panels */

static int64_t panels_of_tap(const swi_convolution *c) {
  return (c->channels / c->groups + PANEL - 1) / PANEL;
}

/* Panels of the same channels follow one another, tap by tap; those of a group are behind those of
 * the last group. */
static int64_t panels_of_group(const swi_convolution *c) {
  return c->kernel[0] * c->kernel[1] * panels_of_tap(c);
}

typedef struct weight_panel {
  int64_t down, right; /* from a result's pixel to its input's, both in the input's pixels */
  int64_t channel, cols;
  int64_t column; /* in a row of the weights */
} weight_panel;

static weight_panel panel_at(const shares *h, int64_t panel) {
  const int64_t taps = h->rows.taps * h->columns.taps, tap = panel % taps;
  const int64_t channel = panel / taps * PANEL;
  return (weight_panel){.down = h->rows.offset + tap / h->columns.taps * h->rows.offset_step,
                        .right = h->columns.offset + tap % h->columns.taps * h->columns.offset_step,
                        .channel = channel,
                        .cols = smaller(PANEL, h->depth - channel),
                        .column = tap * h->depth + channel};
}

/* ------------------------------------------------------------------ X */

/* Copies a pixel of every image of the unit, one after another, as PANEL columns. Returns the
 * end. */
INLINE real *copy_pixel(const shares *h, int64_t cols, const real *from, real *to) {
  const int64_t image = h->rows.size * h->columns.size * h->c->channels, left = cols % V_N;
  for (int64_t n = 0; n < h->images; n++, from += image, to += PANEL) {
    if (cols == PANEL) {
      v_store(to, v_load(from));
      v_store(to + V_N, v_load(from + V_N));
      continue;
    }
    if (cols >= V_N) v_store(to, v_load(from));
    if (left > 0) v_store(to + cols - left, v_load_part(from + cols - left, left));
  }
  return to;
}

static real *copy_pixels(const shares *h, int64_t pixels, int64_t step, int64_t cols,
                         const real *from, real *to) {
  if (h->images > 1 || cols < PANEL) {
    for (int64_t p = 0; p < pixels; p++, from += step) to = copy_pixel(h, cols, from, to);
    return to;
  }
  for (int64_t p = 0; p < pixels; p++, from += step, to += PANEL) {
    v_prefetch((const void *)((uintptr_t)from + PANEL * sizeof(real))); /* the next channels */
    v_store(to, v_load(from));
    v_store(to + V_N, v_load(from + V_N));
  }
  return to;
}

static const real *unit_x(const shares *h, const weight_panel *p) {
  return h->x + p->channel + h->image * h->rows.size * h->columns.size * h->c->channels;
}

static void copy_whole(const shares *h, const weight_panel *p) {
  if (h->source == WHOLE)
    copy_pixels(h, h->rows.size * h->columns.size, h->c->channels, p->cols, unit_x(h, p),
                h->work->x);
}

/* ------------------------------------------------------------------ runs */

/* The first place that sees a pixel from `least` on, at an offset. */
static int64_t first_seeing(const axis *a, int64_t offset, int64_t least) {
  const int64_t t = least - offset;
  return t <= 0 ? 0 : (t + a->step - 1) / a->step;
}

/* Pixels first … end - 1 of an axis see a pixel of the image. */
typedef struct extent {
  int64_t first, end;
} extent;

static extent seen_at(const axis *a, int64_t offset) {
  return (extent){smaller(first_seeing(a, offset, 0), a->count),
                  smaller(first_seeing(a, offset, a->size), a->count)};
}

/* Finds the part's runs for a panel, and gathers X if that is the source. Returns their number. */
static int64_t find_runs(const shares *h, const weight_panel *p, int64_t part, int64_t b_step) {
  const int64_t first = part * h->part, end = smaller(first + h->part, h->places);
  const int64_t width = h->columns.count * h->images, step = h->columns.step * h->c->channels;
  const extent rows = seen_at(&h->rows, p->down), columns = seen_at(&h->columns, p->right);
  const int64_t begin = first / width, stop = (end + width - 1) / width;
  const real *from = h->source == WHOLE ? h->work->x : unit_x(h, p);
  const int64_t pixel = h->source == WHOLE ? PANEL * h->images : h->c->channels;
  run *to = h->work->runs;
  real *x = h->work->x;
  for (int64_t r = begin < rows.first ? rows.first : begin; r < smaller(stop, rows.end); r++) {
    int64_t left = columns.first * h->images, right = columns.end * h->images;
    left = left < first - r * width ? first - r * width : left;
    right = smaller(right, end - r * width);
    if (left >= right) continue;
    const int64_t i = r * h->rows.step + p->down;
    const int64_t j = left / h->images * h->columns.step + p->right;
    run next = {r * width + left - first, from + (i * h->columns.size + j) * pixel, right - left};
    if (h->source == GATHERED) {
      const real *b = next.b;
      next.b = x;
      x = copy_pixels(h, next.pixels / h->images, step, p->cols, b, x);
    }
    run *last = to - 1;
    if (to > h->work->runs && last->at + last->pixels == next.at &&
        last->b + last->pixels * b_step == next.b)
      last->pixels += next.pixels;
    else
      *to++ = next;
  }
  return to - h->work->runs;
}

/* ------------------------------------------------------------------ dy */

/* Whether the dy of all parts does not fit into its copy at once. */
static int is_striped(const shares *h) {
  return !h->dy_in_place && h->places > BLOCK_A / h->height;
}

/* Some places at a constant step: n from place `at` of a part on, which has `all`. */
typedef struct place_run {
  const real *from;
  int64_t step, at, n, all;
} place_run;

/* Copies them tile by tile. Whole vectors are copied where all their elements may be read and where
 * the next place overwrites the excess. */
static void copy_places(const shares *h, const place_run *p, real *to) {
  const real *from = p->from;
  for (int64_t i = 0, rows; i < h->tiles.tiles; i++, from += rows, to += rows * p->all) {
    rows = height_of(h->tiles, i);
    const int64_t readable = (h->dy_end - from - rows - V_N) / p->step;
    const int64_t whole = smaller(smaller(p->n, p->all - 1 - p->at), readable);
    const real *x = from;
    real *y = to + p->at * rows;
    int64_t j = 0;
    if (rows <= V_N)
      for (; j < whole; j++, x += p->step, y += rows) v_store(y, v_load(x));
    else
      for (; j < whole; j++, x += p->step, y += rows) {
        UNROLL
        for (int64_t r = 0; r < V_TALL; r += V_N)
          if (r < rows) v_store(y + r, v_load(x + r));
      }
    for (; j < p->n; j++, x += p->step, y += rows)
      for (int64_t r = 0; r < rows; r++) y[r] = x[r];
  }
}

/* A few places at a time, so that all tiles find them in the L1 cache. */
static void copy_dy(const shares *h, int64_t part, real *to) {
  const int64_t pixels = h->rows.count * h->columns.count, first = part * h->part;
  const int64_t outputs = h->c->outputs, most = h->images > 1 ? h->images : COPIED;
  place_run p = {.step = h->images > 1 ? pixels * outputs : outputs,
                 .all = smaller(h->part, h->places - first)};
  for (; p.at < p.all; p.at += p.n) {
    p.n = smaller(most, p.all - p.at);
    p.from = h->dy + (h->image * pixels + (first + p.at) / h->images) * outputs + h->row;
    copy_places(h, &p, to);
  }
}

#endif
