/* body_conv_weight.h: the derivative of a convolution with respect to its weights: outputs x (taps,
 * channels), the product dyᵀ X, row i of X is the input of output pixel i.
 *
 * The product is that of body_packed.h, with panels gathered through the tables of
 * body_conv_table.h. The share of one image is complete in registers before it is added to the
 * others, so its square costs one multiplication. Images of a few pixels are summed together, as
 * many as fit a panel; their squares, if wanted, need a second pass. Very many images are summed in
 * blocks from 0 each; squares need a second pass, too. The order of sums follows from the shape
 * alone.
 */
#ifndef SW_BODY_CONV_WEIGHT_H
#define SW_BODY_CONV_WEIGHT_H

enum {
  FEW_PIXELS = 48, /* of an image: below, images are summed together */
  SPREAD =
      (256 << 10) / REAL_BYTES, /* elements of X that are kept at most, if its rows are narrow */
  COPIED = 16,                  /* pixels of dy that are copied at a time */
  STRIPED_ROWS = 96,            /* outputs at a time, if an image's dy does not fit in BLOCK_A */
  MANY_IMAGES = 1024,           /* that are added up in one piece */
  HELD = 8192                   /* weights of such a piece that are held at a time */
};

typedef struct weight_work {
  real x[AT_ONCE * PANEL] __attribute__((aligned(64)));
  real a[BLOCK_A + V_TILE * V_N]; /* dyᵀ */
  real spread[SPREAD + V_N];      /* X, if it is narrow */
  real so_far[(BLOCK_A / AT_ONCE + V_TILE) * PANEL];
  real total[HELD], some[HELD]; /* weights of many images' blocks */
  block block;
} weight_work;
_Static_assert(sizeof(weight_work) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

/* The shares of a unit: one image, or several small ones. */
typedef struct shares {
  const swi_convolution *c;
  sweep s;            /* the input of the group's places */
  const real *dy;     /* the group's first output */
  const real *dy_end; /* behind all of dy */
  real *w;            /* of output 0 and panel first_panel; NULL: only squares are wanted */
  int64_t ldw, first_panel;
  real *squares;            /* of the group's first panel, one an image; NULL: not wanted */
  int64_t outputs, columns; /* of the group's weights as a matrix */
  int64_t unit, pixels;     /* images in a unit, and their pixels */
  int64_t begin, end;       /* images to be added up */
  int64_t image, first;     /* the unit's first image, its first pixel */
  int64_t parts, part;      /* of the pixels, and how many are in each */
  int64_t row, rows;        /* the outputs at hand */
  real *spread;             /* X, or NULL where it is not narrow */
  weight_work *work;
} shares;

/* A tile of the weights' sums. */
typedef struct weight_tile {
  int64_t k;
  const real *a, *b;
  real *so_far; /* of this unit: rows of PANEL */
  int begin;    /* the unit's first part */
  int end;      /* its last part: to be added to */
  real *w;      /* or NULL */
  int64_t ldw, cols;
  int add;             /* to what is there, else it is the first */
  int squared;         /* whether squares are wanted */
  real squares[PANEL]; /* so far; in memory, because the sums use all registers */
} weight_tile;

/* ------------------------------------------------------------------ tiles */

static void add_part(const weight_tile *t, const real *share, real *w) {
  for (int64_t j = 0; j < t->cols; j++) w[j] = t->add ? w[j] + share[j] : share[j];
}

INLINE void weight_row(const weight_tile *t, const int whole, const int add, vec left, vec right,
                       real *w) {
  if (!whole) {
    real share[PANEL];
    v_store(share, left);
    v_store(share + V_N, right);
    add_part(t, share, w);
    return;
  }
  v_store(w, add ? v_add(v_load(w), left) : left);
  v_store(w + V_N, add ? v_add(v_load(w + V_N), right) : right);
}

INLINE void weight_add(const int rows, const int whole, const int add, const weight_tile *t,
                       vec s[V_TILE][2]) {
  UNROLL
  for (int i = 0; i < rows; i++) weight_row(t, whole, add, s[i][0], s[i][1], t->w + i * t->ldw);
}

INLINE void weight_square(const int rows, weight_tile *t, vec s[V_TILE][2]) {
  vec left = v_load(t->squares), right = v_load(t->squares + V_N);
  UNROLL
  for (int i = 0; i < rows; i++) {
    left = v_fma(s[i][0], s[i][0], left);
    right = v_fma(s[i][1], s[i][1], right);
  }
  v_store(t->squares, left);
  v_store(t->squares + V_N, right);
}

INLINE void weight_end(const int rows, weight_tile *t, vec s[V_TILE][2]) {
  if (!t->begin) UNROLL
  for (int i = 0; i < rows; i++) add_sums(t->so_far + i * PANEL, s[i]);
  if (!t->end) {
    UNROLL
    for (int i = 0; i < rows; i++) {
      v_store(t->so_far + i * PANEL, s[i][0]);
      v_store(t->so_far + i * PANEL + V_N, s[i][1]);
    }
    return;
  }
  if (t->squared) weight_square(rows, t, s);
  if (!t->w) return;
  if (t->cols < PANEL)
    weight_add(rows, 0, 0, t, s);
  else if (t->add)
    weight_add(rows, 1, 1, t, s);
  else
    weight_add(rows, 1, 0, t, s);
}

INLINE void weight_tile_of(const int rows, weight_tile *t) {
  vec s[V_TILE][2];
  begin_sums(rows, s);
  const real *a = t->a, *b = t->b;
  for (int64_t p = 0; p < t->k; p++, a += rows, b += PANEL) packed_step(rows, a, 1, b, s);
  weight_end(rows, t, s);
}

#define WEIGHT_CASE(r) \
  case r: weight_tile_of(r, t); break

static __attribute__((noinline)) void weight_rows(int64_t rows, weight_tile *t) {
  switch (rows) {
    WEIGHT_CASE(1);
    WEIGHT_CASE(2);
    WEIGHT_CASE(3);
    WEIGHT_CASE(4);
    WEIGHT_CASE(5);
    WEIGHT_CASE(6);
#if V_TILE >= 8
    WEIGHT_CASE(7);
    WEIGHT_CASE(8);
#endif
#if V_TILE >= 14
    WEIGHT_CASE(9);
    WEIGHT_CASE(10);
    WEIGHT_CASE(11);
    WEIGHT_CASE(12);
    WEIGHT_CASE(13);
    WEIGHT_CASE(14);
#endif
  }
}

/* ------------------------------------------------------------------ panels of X */

/* n elements, in order: elements written behind them are overwritten by the next call. */
INLINE void copy_segment(int64_t n, const real *from, real *to) {
  if (n < V_N) {
    v_store(to, v_load_part(from, n));
    return;
  }
  for (int64_t i = 0; i + V_N < n; i += V_N) v_store(to + i, v_load(from + i));
  v_store(to + n - V_N, v_load(from + n - V_N));
}

/* All of X for the unit, whose kernel rows are segments. */
static void spread_unit(const shares *h) {
  block *b = &h->work->block;
  const sweep *s = &h->s;
  const int64_t length = s->columns.taps * s->depth;
  const int64_t step = smaller(PATCHES, POINTERS) / h->columns;
  real *to = h->spread;
  for (int64_t at = 0; at < h->pixels; at += b->places) {
    real *patches = b->patches;
    b->first = h->first + at;
    b->places = smaller(step, h->pixels - at);
    for (int64_t i = 0; i < s->rows.taps; i++)
      patches = point_from_row(b, i, patches, b->from + i * b->places);
    for (int64_t p = 0; p < b->places; p++)
      for (int64_t i = 0; i < s->rows.taps; i++, to += length)
        copy_segment(length, b->from[i * b->places + p], to);
  }
}

/* Of a panel's columns, those of one tap: n from a channel on, for the block's places. */
static void gather_run(block *b, int64_t tap, int64_t channel, int64_t n, real *to) {
  const sweep *s = b->s;
  point_from(b, tap / s->columns.taps, tap % s->columns.taps, channel, b->from);
  if (n == PANEL)
    for (int64_t p = 0; p < b->places; p++, to += PANEL) {
      v_store(to, v_load(b->from[p]));
      v_store(to + V_N, v_load(b->from[p] + V_N));
    }
  else
    for (int64_t p = 0; p < b->places; p++, to += PANEL)
      for (int64_t j = 0; j < n; j++) to[j] = b->from[p][j];
}

/* Columns column … of X for one part of the unit's pixels. */
static void gather_panel(const shares *h, int64_t part, int64_t column, int64_t cols, real *panel) {
  block *b = &h->work->block;
  const int64_t at = part * h->part, places = smaller(h->part, h->pixels - at);
  if (h->spread) {
    copy_straight(cols, places, h->spread + at * h->columns + column, h->columns, panel);
    return;
  }
  b->first = h->first + at;
  b->places = places;
  for (int64_t j = 0, n; j < cols; j += n) {
    const int64_t channel = (column + j) % h->s.depth;
    n = smaller(h->s.depth - channel, cols - j);
    gather_run(b, (column + j) / h->s.depth, channel, n, panel + j);
  }
}

/* ------------------------------------------------------------------ units */

static int is_striped(const shares *h) { return h->pixels > BLOCK_A / V_TILE; }

/* Copies one tile's elements of one pixel and no more: some are at the end of readable memory. */
static void copy_exactly(int64_t rows, const real *from, real *to) {
  for (int64_t r = 0; r < rows; r++) to[r] = from[r];
}

/* Pixels at … end - 1 of n, tile by tile as copy_rows does it. Whole vectors are copied where all
 * their elements may be read and where the next pixel overwrites the excess: a tile that has a
 * successor has more than half of V_TILE rows. */
static void copy_pixels(const shares *h, const real *from, int64_t at, int64_t end, int64_t n,
                        real *to) {
  const int64_t step = h->c->outputs;
  for (int64_t i = 0, rows; i < h->rows; i += rows, to += rows * n) {
    rows = tile_rows(h->rows - i);
    const int64_t readable = (h->dy_end - from - i - V_TILE - V_N) / step;
    const int64_t whole = smaller(smaller(end, n - 1), readable);
    int64_t p = at;
    const real *x = from + at * step + i;
    real *y = to + at * rows;
    for (; p < whole; p++, x += step, y += rows)
      for (int64_t r = 0; r < V_TILE; r += V_N) v_store(y + r, v_load(x + r));
    for (; p < end; p++, x += step, y += rows) copy_exactly(rows, x, y);
  }
}

/* A few pixels at a time, so that all tiles find them in the L1 cache. */
static void copy_dy(const shares *h, int64_t part, real *to) {
  const int64_t first = part * h->part, n = smaller(h->part, h->pixels - first);
  const real *from = h->dy + (h->first + first) * h->c->outputs + h->row;
  for (int64_t at = 0; at < n; at += COPIED)
    copy_pixels(h, from, at, smaller(at + COPIED, n), n, to);
}

/* One panel of the weights, the rows at hand. */
static void unit_panel(const shares *h, int64_t panel) {
  real *x = h->work->x, *a = h->work->a;
  weight_tile t = {.ldw = h->ldw,
                   .cols = smaller(PANEL, h->columns - panel * PANEL),
                   .add = h->image > h->begin,
                   .squared = h->squares != NULL};
  if (t.cols < PANEL) memset(x, 0, sizeof h->work->x);
  for (int64_t part = 0; part < h->parts; part++) {
    gather_panel(h, part, panel * PANEL, t.cols, x);
    if (is_striped(h)) copy_dy(h, part, a);
    t.k = smaller(h->part, h->pixels - part * h->part);
    t.a = a + (is_striped(h) ? 0 : part * h->part * h->rows);
    t.b = x;
    t.begin = part == 0;
    t.end = part == h->parts - 1;
    t.so_far = h->work->so_far;
    t.w = h->w ? h->w + h->row * h->ldw + (panel - h->first_panel) * PANEL : NULL;
    for (int64_t i = 0, rows; i < h->rows; i += rows) {
      rows = tile_rows(h->rows - i);
      weight_rows(rows, &t);
      t.a += rows * t.k;
      if (h->parts > 1) t.so_far += rows * PANEL;
      if (t.w) t.w += rows * t.ldw;
    }
  }
  if (h->squares)
    h->squares[panel * h->c->images + h->image] +=
        v_reduce_add(v_add(v_load(t.squares), v_load(t.squares + V_N)));
}

static void run_unit(shares *h, int64_t panel, int64_t end) {
  const int64_t fit = is_striped(h) ? STRIPED_ROWS : BLOCK_A / h->pixels;
  const int64_t tiles = fit < V_TILE ? V_TILE : fit / V_TILE * V_TILE;
  const int64_t step = fit < h->outputs ? tiles : h->outputs;
  if (h->spread) spread_unit(h);
  for (h->row = 0; h->row < h->outputs; h->row += step) {
    h->rows = smaller(step, h->outputs - h->row);
    for (int64_t part = 0; part < h->parts && !is_striped(h); part++)
      copy_dy(h, part, h->work->a + part * h->part * h->rows);
    for (int64_t p = panel; p < end; p++) unit_panel(h, p);
  }
}

static void run_units(shares *h, int64_t unit, int64_t panel, int64_t end) {
  const int64_t pixels = h->c->out_size[0] * h->c->out_size[1];
  h->work->block.s = &h->s;
  for (h->image = h->begin; h->image < h->end; h->image += unit) {
    h->first = h->image * pixels;
    h->pixels = smaller(unit, h->end - h->image) * pixels;
    h->parts = (h->pixels + AT_ONCE - 1) / AT_ONCE;
    h->part = (h->pixels + h->parts - 1) / h->parts;
    h->spread = is_merged(&h->s) && h->pixels * h->columns <= SPREAD && h->columns <= PATCHES / 8
                    ? h->work->spread
                    : NULL;
    run_unit(h, panel, end);
  }
}

/* n panels from h->first_panel on, of h->outputs <= HELD / PANEL / n outputs, into w. */
static void add_blocks(const shares *all, int64_t unit, int64_t n, real *w) {
  real *total = all->work->total, *some = all->work->some;
  memset(total, 0, sizeof all->work->total);
  memset(some, 0, sizeof all->work->some);
  const int64_t step = MANY_IMAGES / unit * unit;
  shares h = *all;
  h.ldw = n * PANEL;
  for (h.begin = 0; h.begin < all->end; h.begin += step) {
    h.end = smaller(h.begin + step, all->end);
    h.w = h.begin == 0 ? total : some;
    run_units(&h, unit, h.first_panel, h.first_panel + n);
    if (h.begin > 0) map2(h.outputs * h.ldw, total, some, total, v_add);
  }
  const int64_t column = h.first_panel * PANEL, cols = smaller(h.ldw, h.columns - column);
  for (int64_t o = 0; o < h.outputs; o++)
    memcpy(w + o * h.columns + column, total + o * h.ldw, (size_t)cols * sizeof *w);
}

static void sum_many_images(const shares *all, int64_t unit, int64_t panel, int64_t end) {
  const int64_t outputs = smaller(all->outputs, HELD / PANEL), panels = HELD / PANEL / outputs;
  for (int64_t o = 0; o < all->outputs; o += outputs)
    for (int64_t p = panel; p < end; p += panels) {
      shares h = *all;
      h.dy += o;
      h.outputs = smaller(outputs, all->outputs - o);
      h.first_panel = p;
      add_blocks(&h, unit, smaller(panels, end - p), all->w + o * all->columns);
    }
}

/* Panels panel … end - 1 of a group. */
static void run_group(const swi_convolution *c, int64_t group, int64_t panel, int64_t end) {
  const int64_t pixels = c->out_size[0] * c->out_size[1], depth = c->channels / c->groups;
  const int64_t panels = (depth * c->kernel[0] * c->kernel[1] + PANEL - 1) / PANEL;
  shares h = {.c = c,
              .s = {.images = c->images,
                    .rows = forward_axis(c, 0),
                    .columns = forward_axis(c, 1),
                    .from = (const real *)c->x + group * depth,
                    .from_pixel = c->channels,
                    .depth = depth},
              .outputs = c->outputs / c->groups,
              .columns = depth * c->kernel[0] * c->kernel[1],
              .work = c->work};
  real *squares = c->squares ? (real *)c->scratch + group * panels * c->images : NULL;
  h.dy = (const real *)c->y + group * h.outputs;
  h.dy_end = (const real *)c->y + c->images * pixels * c->outputs;
  h.w = (real *)c->w + group * h.outputs * h.columns;
  h.ldw = h.columns;
  h.end = c->images;
  const int many = c->images > MANY_IMAGES, apart = pixels >= FEW_PIXELS;
  const int64_t unit = apart ? 1 : AT_ONCE / pixels;
  if (squares) fill((end - panel) * c->images, 0, squares + panel * c->images);
  h.squares = apart && !many ? squares : NULL;
  if (many)
    sum_many_images(&h, unit, panel, end);
  else
    run_units(&h, unit, panel, end);
  if (h.squares || !squares) return;
  h.w = NULL;
  h.squares = squares;
  run_units(&h, 1, panel, end);
}

/* A group's columns (taps, channels) in panels, group behind group. */
static int64_t count_panels(const swi_convolution *c) {
  const int64_t columns = c->channels / c->groups * c->kernel[0] * c->kernel[1];
  return c->groups * ((columns + PANEL - 1) / PANEL);
}

static void panels_of_weights(const swi_convolution *c) {
  const int64_t columns = c->channels / c->groups * c->kernel[0] * c->kernel[1];
  const int64_t panels = (columns + PANEL - 1) / PANEL;
  for (int64_t p = c->first_panel, end; p < c->end_panel; p = end) {
    const int64_t group = p / panels;
    end = smaller(c->end_panel, (group + 1) * panels);
    run_group(c, group, p - group * panels, end - group * panels);
  }
}

#endif
