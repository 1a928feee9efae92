/* recent.c: weighted means over the latest part of a training, in blocks. */
#include "measure/recent.h"

#include <math.h>
#include <string.h>

static const double ROUNDING = 1e-9; /* of sums of weights */

void sw_recent_init(sw_recent *w, int64_t examples, int64_t least) {
  *w = (sw_recent){.examples = examples, .least = least};
}

/* Appends `next` to the cell before it. */
static void join(sw_recent_cell *c, const sw_recent_cell *next) {
  if (c->weight == 0) {
    *c = *next;
    return;
  }
  double weight = c->weight + next->weight, share = next->weight / weight;
  c->a += share * (next->a - c->a);
  c->b += share * (next->b - c->b);
  c->weight = weight;
  c->span = fmax(c->span, next->span);
  c->last = next->last;
  c->end = next->end;
  c->count += next->count;
}

static void remove_cell(sw_recent *w, int i) {
  w->cells--;
  memmove(w->cell + i, w->cell + i + 1, (size_t)(w->cells - i) * sizeof *w->cell);
}

/* Joins the two neighbours of the smallest weight. */
static void make_room(sw_recent *w) {
  int best = 0;
  double least = HUGE_VAL;
  for (int i = 0; i + 1 < w->cells; i++) {
    double weight = w->cell[i].weight + w->cell[i + 1].weight;
    if (weight < least) {
      least = weight;
      best = i;
    }
  }
  join(&w->cell[best], &w->cell[best + 1]);
  remove_cell(w, best + 1);
}

/* Whether the window reaches far enough back without its oldest cell. */
static int is_enough_without_oldest(const sw_recent *w) {
  if (w->cells < 2) return 0;
  const sw_recent_cell *second = &w->cell[1], *newest = &w->cell[w->cells - 1];
  double count = 0, span = 0;
  for (int i = 1; i < w->cells; i++) {
    count += w->cell[i].count;
    span = fmax(span, w->cell[i].span);
  }
  return newest->end - second->begin >= (double)w->examples && count >= (double)w->least &&
         newest->last - w->cell[0].last >= SW_RECENT_BLOCKS * span;
}

void sw_recent_add(sw_recent *w, const sw_recent_cell *one) {
  if (w->cells == SW_RECENT_CELLS) make_room(w);
  w->cell[w->cells++] = *one;
  while (is_enough_without_oldest(w)) remove_cell(w, 0);
}

static void put(sw_recent_cut *out, int i, const sw_recent_cell *block) {
  out->weight[i] = block->weight;
  out->a[i] = block->a;
  out->b[i] = block->b;
}

/* A block ends where the weight from the start of the window reaches the next 16th and the block is
 * as long as its span; what is left over at the end goes into the block before. */
void sw_recent_split(const sw_recent *w, sw_recent_cut *out) {
  sw_recent_cell block = {0}, whole = {0};
  double share = 0, reached = 0, before = w->cells > 0 ? w->cell[0].first - 1 : 0;
  *out = (sw_recent_cut){0};
  for (int i = 0; i < w->cells; i++) join(&out->total, &w->cell[i]);
  share = out->total.weight / SW_RECENT_BLOCKS;
  double next = share;
  for (int i = 0; i < w->cells; i++) {
    join(&block, &w->cell[i]);
    reached += w->cell[i].weight;
    int is_last = i == w->cells - 1, is_long = block.last - before >= block.span;
    if (is_long && (is_last || reached >= next * (1 - ROUNDING))) {
      put(out, out->n++, &block);
      before = block.last;
      whole = block;
      block = (sw_recent_cell){0};
      next = share * (floor(reached / share * (1 + ROUNDING)) + 1);
    } else if (is_last && out->n > 0) {
      join(&whole, &block);
      put(out, out->n - 1, &whole);
    }
  }
}

/* -------------------------------------------------------------- as numbers */

enum { PER_CELL = 9, PER_BLOCK = 3 };

static const double LARGEST_WHOLE = 0x1p53;

static void save_cell(const sw_recent_cell *c, double x[PER_CELL]) {
  const double values[PER_CELL] = {c->weight, c->a,     c->b,   c->span, c->first,
                                   c->last,   c->begin, c->end, c->count};
  memcpy(x, values, sizeof values);
}

static int load_cell(sw_recent_cell *c, const double x[PER_CELL]) {
  *c = (sw_recent_cell){x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]};
  int finite = 1;
  for (int i = 0; i < PER_CELL; i++) finite = finite && fabs(x[i]) <= 1e300;
  return finite && c->weight > 0 && c->count >= 1 && c->first <= c->last && c->begin < c->end &&
         fabs(c->first) <= LARGEST_WHOLE && c->last <= LARGEST_WHOLE && c->count <= LARGEST_WHOLE;
}

int sw_recent_save(const sw_recent *w, double x[SW_RECENT_NUMBERS]) {
  for (int i = 0; i < w->cells; i++) save_cell(&w->cell[i], x + PER_CELL * i);
  return PER_CELL * w->cells;
}

int sw_recent_load(sw_recent *w, const double *x, int n) {
  if (n % PER_CELL || n > SW_RECENT_NUMBERS) return 0;
  w->cells = n / PER_CELL;
  for (int i = 0; i < w->cells; i++)
    if (!load_cell(&w->cell[i], x + PER_CELL * i)) return 0;
  return 1;
}

int sw_recent_cut_save(const sw_recent_cut *cut, double x[SW_RECENT_NUMBERS]) {
  if (cut->n == 0) return 0;
  save_cell(&cut->total, x);
  for (int i = 0; i < cut->n; i++) {
    const double block[PER_BLOCK] = {cut->weight[i], cut->a[i], cut->b[i]};
    memcpy(x + PER_CELL + PER_BLOCK * i, block, sizeof block);
  }
  return PER_CELL + PER_BLOCK * cut->n;
}

int sw_recent_cut_load(sw_recent_cut *cut, const double *x, int n) {
  *cut = (sw_recent_cut){0};
  if (n == 0) return 1;
  cut->n = (n - PER_CELL) / PER_BLOCK;
  if (n != PER_CELL + PER_BLOCK * cut->n || cut->n < 1 || cut->n > SW_RECENT_BLOCKS) return 0;
  for (int i = 0; i < cut->n; i++) {
    const double *block = x + PER_CELL + PER_BLOCK * i;
    if (!(block[0] > 0) || !isfinite(block[0] + block[1] + block[2])) return 0;
    cut->weight[i] = block[0];
    cut->a[i] = block[1];
    cut->b[i] = block[2];
  }
  return load_cell(&cut->total, x);
}
