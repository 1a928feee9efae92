/* body_conv_weight_few.h: weight gradients of convolutions with few channels, or with outputs that
 * fill vectors better than channels do. The weights are summed as (taps, channels) x outputs.
 *
 * Vectors are of dy, read in place; the tiles (see body_weight_tile.h) broadcast elements of X,
 * each row that of its own tap and channel, from a copy of the image with zeros around it. An
 * image's dy is read in parts, which stay in the L1 cache for all tiles. A vector may reach into
 * the next pixel's dy; its excess elements are summed, but not used. The last pixels are read from
 * a copy. With one channel and outputs that fill less than half of a vector, vectors are of pixels
 * instead, and a tile is summed over a whole image at once: see body_weight_planar.h.
 *
 * A panel is a tile. Its sums over images, in blocks of MANY_IMAGES from 0 each, stay in a slot and
 * are written to the weights in the end.
 */
#ifndef SW_BODY_CONV_WEIGHT_FEW_H
#define SW_BODY_CONV_WEIGHT_FEW_H

enum {
  PADDED = (64 << 10) / REAL_BYTES, /* elements of the padded rows */
  SLOT = V_APART_NARROW * PANEL,    /* sums of a tile */
  SLOTS = 64,                       /* tiles at a time */
  FEW_COLUMNS = 1024,               /* taps and channels, at most */
  PLANES = (64 << 10) / REAL_BYTES  /* elements of dy, output by output */
};

typedef struct few_work {
  real padded[PADDED] __attribute__((aligned(64)));
  real so_far[SLOTS * SLOT], some[SLOTS * SLOT], total[SLOTS * SLOT];
  real planes[PLANES];      /* an image's dy */
  real tail[2 * PANEL];     /* the last elements of dy, and zeros */
  int64_t row[FEW_COLUMNS]; /* of a column's elements in the padded rows */
  run runs[2 * AT_ONCE];
} few_work;
_Static_assert(sizeof(few_work) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

/* A group. */
typedef struct few {
  const swi_convolution *c;
  axis rows, columns;
  const real *x;
  const real *dy;              /* the group's first output */
  const real *all_dy, *dy_end; /* of all groups */
  int64_t depth, outputs;
  int64_t width; /* taps and channels */
  int64_t line;  /* elements of a padded row */
  int planar;    /* vectors are of pixels, see body_weight_planar.h */
  heights tiles;
  int64_t parts, part; /* of an image's pixels, and how many are in each */
  int64_t image;
  int64_t padded, padded_end; /* the padded rows at hand */
  real *squares;              /* of the panel at hand, one an image; NULL: not wanted */
  few_work *work;
} few;

/* ------------------------------------------------------------------ shapes */

/* Whether vectors of pixels are fuller, measured, and the copies of an image fit. */
static int is_planar(const few *f, int64_t taps) {
  const int64_t count = f->columns.count, places = tiles_of(count, V_N) * V_N;
  const int64_t lines = seen_along(&f->rows, f->rows.count);
  return f->depth == 1 && f->columns.step == 1 && 2 * f->outputs <= V_N && f->c->groups == 1 &&
         f->outputs <= PIXEL_OUTPUTS && 2 * count >= 3 * V_N &&
         V_BLOCK * f->rows.count * places <= PLANES && lines * (places + taps) <= PADDED;
}

static few few_of(const swi_convolution *c) {
  few f = {.c = c,
           .rows = forward_axis(c, 0),
           .columns = forward_axis(c, 1),
           .depth = c->channels / c->groups,
           .outputs = c->outputs / c->groups,
           .work = c->work};
  const int64_t pixels = f.rows.count * f.columns.count;
  f.width = f.rows.taps * f.columns.taps * f.depth;
  f.line = f.depth * seen_along(&f.columns, f.columns.count);
  /* NOLINTNEXTLINE(bugprone-branch-clone): equal in some sets */
  f.tiles = heights_of(f.width, f.outputs <= V_N ? V_APART_NARROW : V_APART);
  f.planar = is_planar(&f, seen_along(&f.columns, 1));
  if (f.planar) {
    f.line = tiles_of(f.columns.count, V_N) * V_N + seen_along(&f.columns, 1);
    f.tiles = heights_of(f.width, smaller(PLANAR_FIT(f.outputs), PLANAR_TAPS));
  }
  f.parts = (pixels + AT_ONCE - 1) / AT_ONCE;
  f.part = (pixels + f.parts - 1) / f.parts;
  return f;
}

/* Whether outputs fill their vectors better than channels do, and the copies fit. */
static int is_few(const swi_convolution *c) {
  const few f = few_of(c);
  if (f.rows.count * f.columns.count < FEW_PIXELS || f.width > FEW_COLUMNS) return 0;
  if (f.depth * tiles_of(f.outputs, V_N) >= f.outputs * tiles_of(f.depth, V_N)) return 0;
  const int64_t rows = (f.part - 1 + f.columns.count - 1) / f.columns.count + 1;
  return seen_along(&f.rows, smaller(rows, f.rows.count)) * f.line <= PADDED;
}

static int64_t few_panels(const swi_convolution *c) {
  const few f = few_of(c);
  return (f.outputs + PANEL - 1) / PANEL * f.tiles.tiles;
}

/* ------------------------------------------------------------------ X */

static void copy_elements(int64_t n, const real *from, real *to) {
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) v_store(to + i, v_load(from + i));
  for (; i < n; i++) to[i] = from[i];
}

/* Pixels first … end - 1 of a row of the image. */
static void few_line(const few *f, int64_t row, int64_t first, int64_t end, real *to) {
  const int64_t line = (f->image * f->rows.size + row) * f->columns.size;
  const real *from = f->x + (line + first) * f->c->channels;
  if (f->depth == f->c->channels) {
    copy_elements((end - first) * f->depth, from, to);
    return;
  }
  for (int64_t j = first; j < end; j++, from += f->c->channels, to += f->depth)
    for (int64_t k = 0; k < f->depth; k++) to[k] = from[k];
}

/* One row of the image with zeros around it. */
static void pad_row(const few *f, int64_t row, real *to) {
  const int64_t offset = f->columns.offset, n = f->line / f->depth;
  const int64_t first = smaller(n, offset < 0 ? -offset : 0);
  const int64_t end = smaller(n, f->columns.size - offset);
  if (!is_inside(row, f->rows.size) || first >= end) {
    fill(f->line, 0, to);
    return;
  }
  for (int64_t i = 0; i < first * f->depth; i++) to[i] = 0;
  few_line(f, row, first + offset, end + offset, to + first * f->depth);
  for (int64_t i = end * f->depth; i < f->line; i++) to[i] = 0;
}

/* Sees to it that the padded rows of rows first … end - 1 of the results are at hand: all that fit
 * are copied at once. */
static void pad_rows(few *f, int64_t first, int64_t end) {
  const int64_t from = first * f->rows.step;
  if (from >= f->padded && from + seen_along(&f->rows, end - first) <= f->padded_end) return;
  f->padded = from;
  f->padded_end = smaller(seen_along(&f->rows, f->rows.count), from + PADDED / f->line);
  for (int64_t r = from; r < f->padded_end; r++)
    pad_row(f, r + f->rows.offset, f->work->padded + (r - from) * f->line);
}

/* Where column e of a pixel's X is, from its first one. */
static void find_rows(const few *f) {
  int64_t *to = f->work->row;
  for (int64_t i = 0; i < f->rows.taps; i++)
    for (int64_t j = 0; j < f->columns.taps; j++)
      for (int64_t k = 0; k < f->depth; k++)
        *to++ = i * f->rows.offset_step * f->line + j * f->columns.offset_step * f->depth + k;
}

/* ------------------------------------------------------------------ runs */

/* A run in place as far as vectors end within dy, the rest in the copy of its end. */
static run *add_run(const few *f, run r, run *to) {
  const int64_t step = f->c->outputs, before = f->dy_end - r.b - PANEL;
  const int64_t safe = before < 0 ? 0 : smaller(before / step + 1, r.pixels);
  if (safe > 0) *to++ = (run){r.at, r.b, safe};
  if (safe == r.pixels) return to;
  const real *left = r.b + safe * step;
  *to = (run){r.at + safe * f->columns.step * f->depth, f->work->tail + PANEL - (f->dy_end - left),
              r.pixels - safe};
  return to + 1;
}

/* Finds a part's runs for outputs from `output` on. Returns their number. */
static int64_t few_runs(const few *f, int64_t first, int64_t end, int64_t output) {
  const int64_t columns = f->columns.count, image = f->image * f->rows.count * columns;
  run *to = f->work->runs;
  for (int64_t p = first, next; p < end; p = next) {
    const int64_t row = p / columns, column = p % columns;
    next = smaller((row + 1) * columns, end);
    const int64_t at =
        (row * f->rows.step - f->padded) * f->line + column * f->columns.step * f->depth;
    to = add_run(f, (run){at, f->dy + (image + p) * f->c->outputs + output, next - p}, to);
  }
  return to - f->work->runs;
}

/* ------------------------------------------------------------------ tiles */

static int64_t few_cols(const few *f, int64_t panel) {
  return smaller(PANEL, f->outputs - panel / f->tiles.tiles * PANEL);
}

static void add_squares(const few *f, int64_t panel, weight_tile *t) {
  for (int64_t j = few_cols(f, panel); j < PANEL; j++) t->squares[j] = 0;
  f->squares[panel * f->c->images + f->image] =
      v_reduce_add(v_add(v_load(t->squares), v_load(t->squares + V_N)));
}

/* Panels panel … end - 1 of one part of an image; add: to w, which has a slot for each. */
static void few_part(few *f, int64_t part, int64_t panel, int64_t end, int add, real *w) {
  const int64_t first = part * f->part;
  const int64_t pixels = f->rows.count * f->columns.count;
  const int64_t last = smaller(first + f->part, pixels), outputs = f->c->outputs;
  const int64_t behind = (f->image * pixels + last) * outputs, all = f->dy_end - f->all_dy;
  fetch ahead = fetch_of(f->all_dy, behind, f->part * outputs, all, (last - first) * (end - panel));
  weight_tile t = {.runs = f->work->runs,
                   .a = f->work->padded,
                   .a_step = f->columns.step * f->depth,
                   .b_step = f->c->outputs,
                   .begin = part == 0,
                   .end = part == f->parts - 1,
                   .ldw = PANEL,
                   .cols = PANEL,
                   .add = add,
                   .ahead = f->width < FETCH_WORK ? NULL : &ahead,
                   .squared = f->squares != NULL};
  pad_rows(f, first / f->columns.count, (last - 1) / f->columns.count + 1);
  for (int64_t i = panel; i < end; i++) {
    const int64_t at = i % f->tiles.tiles, cols = few_cols(f, i);
    if (i == panel || at == 0) t.n_runs = few_runs(f, first, last, i / f->tiles.tiles * PANEL);
    memset(t.squares, 0, sizeof t.squares);
    t.row = f->work->row + first_row(f->tiles, at);
    t.so_far = f->work->so_far + (i - panel) * SLOT;
    t.w = w + (i - panel) * SLOT;
    (cols > V_N ? weight_rows_apart : weight_rows_apart_narrow)(height_of(f->tiles, at), &t);
    if (t.squared && t.end) add_squares(f, i, &t);
  }
}

/* ------------------------------------------------------------------ planes */

/* The dy of a row of results, output by output. */
static void plane_row(const few *f, const real *dy, int64_t plane, real *to) {
  const int64_t n = f->columns.count, outs = f->outputs;
  int64_t p = 0;
  for (; p < n && f->dy_end - dy >= (p + V_BLOCK - 1) * outs + V_BLOCK; p += V_BLOCK)
    v_transpose_block(dy + p * outs, outs, to + p, plane);
  for (; p < n; p++)
    for (int64_t o = 0; o < outs; o++) to[o * plane + p] = dy[p * outs + o];
  for (int64_t o = 0; o < outs; o++)
    for (p = n; p % V_N != 0; p++) to[o * plane + p] = 0;
}

/* Panels panel … end - 1 of an image, a tile each. */
static void planar_image(few *f, int64_t panel, int64_t end, int add, real *w) {
  const int64_t rows = f->rows.count, vectors = tiles_of(f->columns.count, V_N);
  const int64_t row = f->columns.count * f->outputs, plane = rows * vectors * V_N;
  real share[PLANAR_TAPS * PANEL] = {0};
  planar_tile t = {.rows = rows,
                   .vectors = vectors,
                   .x = f->work->padded,
                   .x_row = f->rows.step * f->line,
                   .dy = f->work->planes,
                   .plane = plane,
                   .share = share};
  pad_rows(f, 0, rows);
  for (int64_t r = 0; r < rows; r++)
    plane_row(f, f->dy + (f->image * rows + r) * row, plane, f->work->planes + r * vectors * V_N);
  for (int64_t i = panel; i < end; i++, w += SLOT) {
    const int64_t taps = height_of(f->tiles, i);
    t.at = f->work->row + first_row(f->tiles, i);
    planar_taps(taps, f->outputs, &t);
    for (int64_t e = 0; e < taps * PANEL; e++) w[e] = add ? w[e] + share[e] : share[e];
    if (f->squares) f->squares[i * f->c->images + f->image] = (real)dot(taps * PANEL, share, share);
  }
}

/* ------------------------------------------------------------------ images */

/* Writes the sums of the panels' slots to the group's weights. */
static void write_slots(const few *f, int64_t panel, int64_t end, const real *slot, real *w) {
  for (int64_t i = panel; i < end; i++, slot += SLOT) {
    const int64_t at = i % f->tiles.tiles, output = i / f->tiles.tiles * PANEL;
    real *to = w + output * f->width + first_row(f->tiles, at);
    for (int64_t o = 0; o < few_cols(f, i); o++)
      for (int64_t r = 0; r < height_of(f->tiles, at); r++)
        to[o * f->width + r] = slot[r * PANEL + o];
  }
}

/* At most SLOTS panels. */
static void few_slots(few *f, int64_t panel, int64_t end, real *w) {
  real *total = f->work->total, *some = f->work->some;
  for (int64_t begin = 0; begin < f->c->images; begin += MANY_IMAGES) {
    const int64_t stop = smaller(begin + MANY_IMAGES, f->c->images);
    for (f->image = begin; f->image < stop; f->image++) {
      f->padded_end = 0;
      real *to = begin == 0 ? total : some;
      if (f->planar) planar_image(f, panel, end, f->image > begin, to);
      for (int64_t part = 0; part < f->parts && !f->planar; part++)
        few_part(f, part, panel, end, f->image > begin, to);
    }
    if (begin > 0) map2((end - panel) * SLOT, total, some, total, v_add);
  }
  write_slots(f, panel, end, total, w);
}

/* Panels panel … end - 1 of a group. */
static void few_group(const swi_convolution *c, int64_t group, int64_t panel, int64_t end) {
  const int64_t pixels = c->out_size[0] * c->out_size[1];
  few f = few_of(c);
  f.x = (const real *)c->x + group * f.depth;
  f.dy = (const real *)c->y + group * f.outputs;
  f.all_dy = c->y;
  f.dy_end = f.all_dy + c->images * pixels * c->outputs;
  if (c->squares) f.squares = (real *)c->scratch + group * few_panels(c) * c->images;
  memset(f.work->total, 0, sizeof f.work->total);
  memset(f.work->some, 0, sizeof f.work->some);
  memset(f.work->tail, 0, sizeof f.work->tail);
  memcpy(f.work->tail, f.dy_end - PANEL, PANEL * sizeof(real));
  find_rows(&f);
  real *w = (real *)c->w + group * f.outputs * f.width;
  for (int64_t p = panel; p < end; p += SLOTS) few_slots(&f, p, smaller(p + SLOTS, end), w);
}

#endif
