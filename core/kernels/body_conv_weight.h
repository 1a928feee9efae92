/* body_conv_weight.h: the derivative of a convolution with respect to its weights: outputs x
 * (taps, channels). An element is the sum over pixels of dy and of the input at one tap.
 *
 * A panel is up to two vectors of channels at one tap, for all outputs. Its tiles (see
 * body_weight_tile.h) broadcast dy and read vectors of X. Pixels whose tap lies outside of the
 * image are left out: those inside form runs, one a row of results. Where pixels are close together
 * in memory both operands are read in place; else dy is copied tile by tile, once for all panels,
 * and X panel by panel, once for all outputs.
 *
 * Images of a few pixels are summed together, as many as fit a part, all first pixels before all
 * second ones, so that runs are long; their squares, if wanted, need a second pass. Very many
 * images are summed in blocks from 0 each; squares need a second pass, too. The order of sums
 * follows from the shape alone.
 */
#ifndef SW_BODY_CONV_WEIGHT_H
#define SW_BODY_CONV_WEIGHT_H

/* ------------------------------------------------------------------ units */

/* The tiles of a panel for one part, the rows at hand. */
static void part_of_panel(const shares *h, const weight_panel *p, int64_t part, weight_tile *t) {
  const int64_t n = smaller(h->part, h->places - part * h->part);
  const int64_t pixels = h->rows.count * h->columns.count;
  const int narrow = p->cols <= V_N;
  t->n_runs = find_runs(h, p, part, t->b_step);
  t->a = h->work->a + (is_striped(h) ? 0 : part * h->part * h->n_rows);
  if (h->dy_in_place) t->a = h->dy + (h->image * pixels + part * h->part) * h->c->outputs + h->row;
  t->begin = part == 0;
  t->end = part == h->parts - 1;
  for (int64_t i = 0; i < h->tiles.tiles; i++) {
    const int64_t rows = height_of(h->tiles, i);
    t->a_step = h->dy_in_place ? h->c->outputs : rows;
    (narrow ? weight_rows_narrow : weight_rows)(rows, t);
    t->a += h->dy_in_place ? rows : rows * n;
    if (h->parts > 1) t->so_far += rows * PANEL;
    if (t->w) t->w += rows * t->ldw;
  }
}

static weight_tile tile_of_panel(const shares *h, int64_t panel, const weight_panel *p,
                                 real *so_far) {
  weight_tile t = {.runs = h->work->runs,
                   .b_step = h->source == IN_PLACE ? h->columns.step * h->c->channels
                             : h->source == WHOLE  ? h->columns.step * PANEL
                                                   : PANEL,
                   .ldw = h->ldw,
                   .cols = p->cols,
                   .add = h->image > h->begin,
                   .squared = h->squares != NULL,
                   .so_far = so_far};
  if (h->ahead) t.ahead = h->ahead[0].next < h->ahead[0].end ? &h->ahead[0] : &h->ahead[1];
  if (h->w)
    t.w = h->w + h->row * h->ldw + (h->packed ? (panel - h->first_panel) * PANEL : p->column);
  return t;
}

/* Panels panel … end - 1 of the same channels, the rows at hand. */
static void unit_panels(const shares *h, int64_t panel, int64_t end) {
  const weight_panel first = panel_at(h, panel);
  copy_whole(h, &first);
  for (int64_t part = 0; part < h->parts; part++) {
    if (is_striped(h)) copy_dy(h, part, h->work->a);
    for (int64_t i = panel; i < end; i++) {
      const weight_panel p = panel_at(h, i);
      weight_tile t = tile_of_panel(h, i, &p, h->work->so_far + (i - panel) * h->n_rows * PANEL);
      part_of_panel(h, &p, part, &t);
      if (h->squares && t.end)
        h->squares[i * h->c->images + h->image] +=
            v_reduce_add(v_add(v_load(t.squares), v_load(t.squares + V_N)));
    }
  }
}

/* Outputs at a time: as many as the copy of dy holds. */
static int64_t rows_at_once(const shares *h) {
  const int64_t held = BLOCK_A / (is_striped(h) ? h->part : h->places);
  const int64_t fit = h->dy_in_place ? h->outputs : held;
  const int64_t most = h->parts > 1 ? smaller(fit, SO_FAR / PANEL) : fit;
  if (most >= h->outputs) return h->outputs;
  return most < h->height ? h->height : most / h->height * h->height;
}

static void run_unit(shares *h, int64_t panel, int64_t end) {
  const int64_t step = rows_at_once(h), taps = h->rows.taps * h->columns.taps;
  for (h->row = 0; h->row < h->outputs; h->row += step) {
    h->n_rows = smaller(step, h->outputs - h->row);
    h->tiles = heights_of(h->n_rows, h->height);
    for (int64_t part = 0; part < h->parts && !is_striped(h) && !h->dy_in_place; part++)
      copy_dy(h, part, h->work->a + part * h->part * h->n_rows);
    const int64_t most = h->parts > 1 ? SO_FAR / PANEL / h->n_rows : taps;
    for (int64_t p = panel, next; p < end; p = next) {
      next = smaller(smaller(p + most, (p / taps + 1) * taps), end);
      unit_panels(h, p, next);
    }
  }
}

/* Measured: in place, conflicts in the L1 cache cost more than a copy where pixels are farther
 * apart; dy, whose lines are read by parts, at half of that distance. */
static weight_source source_of(const shares *h, int64_t unit) {
  if (unit == 1 && h->depth % V_N == 0 && h->c->channels <= CLOSE) return IN_PLACE;
  if (h->rows.size * h->columns.size * unit > SPREAD / PANEL) return GATHERED;
  if (h->rows.taps * h->columns.taps == 1) return GATHERED;
  return unit > 1 && h->columns.step > 1 ? GATHERED : WHOLE;
}

/* The next unit's X and dy, unless they would displace those at hand from the L2 cache, or there is
 * little work for them. */
static fetch *find_next(const shares *h, int64_t unit, int64_t panels, fetch to[2]) {
  const swi_convolution *c = h->c;
  const int64_t x = h->rows.size * h->columns.size * c->channels, next = h->image + unit;
  const int64_t dy = h->rows.count * h->columns.count * c->outputs, left = c->images - next;
  const int64_t work = dy * h->rows.taps * h->columns.taps * h->depth;
  if (c->groups > 1 || left <= 0 || unit * (x + dy) > NEXT_UNIT) return NULL;
  if (work < FETCH_WORK * (x + dy)) return NULL;
  const int64_t places = h->places * panels * ((h->outputs + h->height - 1) / h->height);
  to[0] = fetch_of(c->x, next * x, unit * x, c->images * x, places);
  to[1] = fetch_of(c->y, next * dy, unit * dy, c->images * dy, places);
  to[0].each = to[1].each = to[0].each + to[1].each; /* one after the other */
  return to;
}

static void run_units(shares *h, int64_t unit, int64_t panel, int64_t end) {
  fetch next[2];
  h->source = source_of(h, unit);
  const int few_panels = panels_of_group(h->c) <= 2;
  h->dy_in_place = unit == 1 && (few_panels || h->c->outputs <= CLOSE / 2);
  for (h->image = h->begin; h->image < h->end; h->image += unit) {
    h->images = smaller(unit, h->end - h->image);
    h->places = h->images * h->rows.count * h->columns.count;
    h->parts = (h->places + AT_ONCE - 1) / AT_ONCE;
    h->part = (h->places + h->parts - 1) / h->parts;
    h->ahead = find_next(h, unit, end - panel, next);
    run_unit(h, panel, end);
  }
  h->ahead = NULL;
}

/* ------------------------------------------------------------------ many images */

/* n panels from h->first_panel on, of h->outputs <= HELD / PANEL / n outputs, into w. */
static void add_blocks(const shares *all, int64_t unit, int64_t n, real *w, int64_t ldw) {
  real *total = all->work->total, *some = all->work->some;
  memset(total, 0, sizeof all->work->total);
  memset(some, 0, sizeof all->work->some);
  const int64_t step = MANY_IMAGES / unit * unit;
  shares h = *all;
  h.ldw = n * PANEL;
  h.packed = 1;
  for (h.begin = 0; h.begin < all->end; h.begin += step) {
    h.end = smaller(h.begin + step, all->end);
    h.w = h.begin == 0 ? total : some;
    run_units(&h, unit, h.first_panel, h.first_panel + n);
    if (h.begin > 0) map2(h.outputs * h.ldw, total, some, total, v_add);
  }
  for (int64_t i = 0; i < n; i++) {
    const weight_panel p = panel_at(&h, h.first_panel + i);
    for (int64_t o = 0; o < h.outputs; o++)
      memcpy(w + o * ldw + p.column, total + o * h.ldw + i * PANEL, (size_t)p.cols * sizeof *w);
  }
}

static void sum_many_images(const shares *all, int64_t unit, int64_t panel, int64_t end) {
  const int64_t outputs = smaller(all->outputs, HELD / PANEL), panels = HELD / PANEL / outputs;
  for (int64_t o = 0; o < all->outputs; o += outputs)
    for (int64_t p = panel; p < end; p += panels) {
      shares h = *all;
      h.dy += o;
      h.outputs = smaller(outputs, all->outputs - o);
      h.first_panel = p;
      add_blocks(&h, unit, smaller(panels, end - p), all->w + o * all->ldw, all->ldw);
    }
}

/* ------------------------------------------------------------------ groups */

/* Panels panel … end - 1 of a group. */
static void run_group(const swi_convolution *c, int64_t group, int64_t panel, int64_t end) {
  const int64_t pixels = c->out_size[0] * c->out_size[1], depth = c->channels / c->groups;
  shares h = {.c = c,
              .rows = forward_axis(c, 0),
              .columns = forward_axis(c, 1),
              .x = (const real *)c->x + group * depth,
              .depth = depth,
              .outputs = c->outputs / c->groups,
              .height = depth <= V_N ? V_TALL : V_TILE,
              .ldw = depth * c->kernel[0] * c->kernel[1],
              .end = c->images,
              .work = c->work};
  real *squares = c->squares ? (real *)c->scratch + group * panels_of_group(c) * c->images : NULL;
  h.dy = (const real *)c->y + group * h.outputs;
  h.dy_end = (const real *)c->y + c->images * pixels * c->outputs;
  h.w = (real *)c->w + group * h.outputs * h.ldw;
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

#endif
