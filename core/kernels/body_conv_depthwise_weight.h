/* body_conv_depthwise_weight.h: the derivative with respect to the weights of the convolutions of
 * body_conv_depthwise.h.
 *
 * Lanes are outputs. The share of one image is the sum of the sums over its rows of places, in
 * order; images are added in order, MANY_IMAGES at a time from 0. So a share is whole before it is
 * added, and squares cost next to nothing.
 */
#ifndef SW_BODY_CONV_DEPTHWISE_WEIGHT_H
#define SW_BODY_CONV_DEPTHWISE_WEIGHT_H

enum {
  SHARE_TILE = 9,   /* terms whose sums are in registers, whose pointers are, too */
  ROW_PART = 512,   /* places of a row that are summed in one piece */
  SHARES = 1 << 13, /* elements of the shares of an image's blocks at hand */
  TOTALS = 1 << 14  /* elements of the totals of blocks at hand */
};
_Static_assert(TERMS *V_N *LINE_BLOCKS <= SHARES && TERMS * V_N <= TOTALS, "grow SHARES");

typedef struct share_work {
  real ring[RING] __attribute__((aligned(64)));
  real share[SHARES], total[TOTALS], some[TOTALS];
  ring r;
} share_work;
_Static_assert(sizeof(share_work) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

/* Places of a row, and some terms. */
typedef struct share_row {
  int64_t n, count;     /* places, lanes */
  const real *const *x; /* a term's at the first place */
  const real *dy;
  int64_t dy_step;
  uintptr_t ahead;    /* bytes from a place's dy to that of the next but one row */
  real *share;        /* of the terms */
  int begin;          /* nothing was added yet */
  const lanes *mixed; /* the order of dy's lanes, of repeated terms */
} share_row;

/* ------------------------------------------------------------------ tiles */

INLINE void share_tile(const int terms, const int64_t count, const int repeat, const share_row *t) {
  vec s[SHARE_TILE];
  const real *x[SHARE_TILE], *dy = t->dy;
  UNROLL
  for (int e = 0; e < terms; e++) {
    s[e] = v_set1(0);
    x[e] = t->x[e];
  }
  for (int64_t p = 0; p < t->n; p++, dy += t->dy_step) {
    vec c = load_first(dy, count);
    /* floats lose more by the instruction than they gain, measured */
    if (REAL_BYTES == 8) v_prefetch_far((const void *)((uintptr_t)dy + t->ahead));
    if (repeat > 1) c = v_permute(c, *t->mixed);
    UNROLL
    for (int e = 0; e < terms; e++) s[e] = v_fma(load_term(x[e] + p * V_N, repeat), c, s[e]);
  }
  UNROLL
  for (int e = 0; e < terms; e++) {
    real *to = t->share + e * V_N;
    v_store(to, t->begin ? s[e] : v_add(v_load(to), s[e]));
  }
}

#define SHARE_CASE(n) \
  case n: share_tile(n, count, repeat, t); break

INLINE void share_terms(int64_t terms, const int64_t count, const int repeat, const share_row *t) {
  switch (terms) {
    SHARE_CASE(1);
    SHARE_CASE(2);
    SHARE_CASE(3);
    SHARE_CASE(4);
    SHARE_CASE(5);
    SHARE_CASE(6);
    SHARE_CASE(7);
    SHARE_CASE(8);
    SHARE_CASE(9);
  }
}

static __attribute__((noinline)) void share_whole(int64_t terms, const share_row *t) {
  share_terms(terms, V_N, 0, t);
}

static __attribute__((noinline)) void share_part(int64_t terms, const share_row *t) {
  share_terms(terms, t->count, 0, t);
}

static __attribute__((noinline)) void share_1(int64_t terms, const share_row *t) {
  share_terms(terms, t->count, 1, t);
}
static __attribute__((noinline)) void share_2(int64_t terms, const share_row *t) {
  share_terms(terms, t->count, 2, t);
}
static __attribute__((noinline)) void share_4(int64_t terms, const share_row *t) {
  share_terms(terms, t->count, 4, t);
}
static __attribute__((noinline)) void share_8(int64_t terms, const share_row *t) {
  share_terms(terms, t->count, 8, t);
}

static void share_repeated(int64_t held, int64_t terms, const share_row *t) {
  if (held == 1)
    share_1(terms, t);
  else if (held == 2)
    share_2(terms, t);
  else if (V_N > 4 && held == 4)
    share_4(terms, t);
  else if (V_N > 8 && held == 8)
    share_8(terms, t);
}

/* All terms, in tiles of nearly equal numbers. */
static void share_all(const ring *r, int64_t terms, share_row t) {
  for (int64_t left = terms, n; left > 0; left -= n, t.x += n, t.share += n * V_N) {
    const int64_t tiles = (left + SHARE_TILE - 1) / SHARE_TILE;
    n = (left + tiles - 1) / tiles;
    if (r->kind == COPY_REPEATED)
      share_repeated(r->f.held, n, &t);
    else
      (t.count == V_N ? share_whole : share_part)(n, &t);
  }
}

/* ------------------------------------------------------------------ shares of images */

static int64_t share_size(const ring *r) { return r->rows.taps * terms_of(r) * V_N; }

/* A row's part of the share of one block, whose lines are copied; dy: the row's. */
static void share_of_row(const share_work *work, int64_t row, int64_t b, int64_t in_ring,
                         const real *dy, int64_t dy_step, real *share) {
  const ring *r = &work->r;
  const real *lines[TERMS], *x[TERMS];
  const int64_t terms = terms_of(r), all = r->rows.taps * terms;
  point_to_lines(r, row, lines);
  for (int64_t i = 0, e = 0; i < r->rows.taps; i++)
    for (int64_t p = 0; p < terms; p++) x[e++] = lines[i] + in_ring * r->block + r->offset[p];
  for (int64_t place = 0; place < r->columns.count; place += ROW_PART) {
    for (int64_t e = 0; place > 0 && e < all; e++) x[e] += ROW_PART * V_N;
    share_all(r, all,
              (share_row){.n = smaller(ROW_PART, r->columns.count - place),
                          .count = groups_in(&r->f, b) * r->f.writes,
                          .x = x,
                          .dy = dy + b * r->f.held * r->f.writes + place * dy_step,
                          .dy_step = dy_step,
                          .ahead = (uintptr_t)(2 * r->columns.count * dy_step) * sizeof(real),
                          .share = share,
                          .begin = row == 0 && place == 0,
                          .mixed = &r->order[1]});
  }
}

/* Lanes of a block that is not full are not those of any weight. */
static double square_of(const ring *r, int64_t b, const real *share) {
  const int64_t count = groups_in(&r->f, b) * r->f.writes;
  vec sum = v_set1(0);
  for (int64_t e = 0; e < share_size(r); e += V_N) {
    real one[V_N];
    v_store(one, is_mixed(r) ? v_permute(v_load(share + e), r->order[2]) : v_load(share + e));
    const vec x = load_first(one, count);
    sum = v_fma(x, x, sum);
  }
  return (double)v_reduce_add(sum);
}

/* Where the sums of a piece go: blocks first … end - 1 of images begin … stop - 1. */
typedef struct share_piece {
  const swi_convolution *c;
  int64_t first, end, begin, stop;
  int squared;
  real *total;
} share_piece;

static void add_share(const share_piece *p, const ring *r, int64_t image, int64_t b,
                      const real *share) {
  const int64_t n = share_size(r);
  real *total = p->total + (b - p->first) * n;
  if (image == p->begin)
    memcpy(total, share, (size_t)n * sizeof *total);
  else
    map2(n, total, share, total, v_add);
  if (p->squared) ((real *)p->c->scratch)[b * p->c->images + image] = (real)square_of(r, b, share);
}

/* Blocks first … end - 1 share a ring. */
static void share_image(const share_piece *p, share_work *work, int64_t image, int64_t first,
                        int64_t end) {
  const swi_convolution *c = p->c;
  const ring *r = &work->r;
  const int64_t n = share_size(r), size = c->out_size[1] * c->outputs;
  const real *dy = (const real *)c->y + image * c->out_size[0] * size;
  for (int64_t row = 0; row < r->rows.count; row++, dy += size) {
    fill_ring(r, first, end, image, row);
    for (int64_t b = first; b < end; b++)
      share_of_row(work, row, b, b - first, dy, c->outputs, work->share + (b - first) * n);
  }
  for (int64_t b = first; b < end; b++) add_share(p, r, image, b, work->share + (b - first) * n);
}

static void share_images(const share_piece *p, share_work *work) {
  for (int64_t image = p->begin; image < p->stop; image++)
    for (int64_t b = p->first, end; b < p->end; b = end) {
      end = smaller(b + work->r.together, p->end);
      share_image(p, work, image, b, end);
    }
}

/* ------------------------------------------------------------------ weights */

/* From lanes to (output, tap, channel). */
static void write_weights(const ring *r, int64_t b, const real *total, real *w) {
  const int64_t reads = r->f.reads, columns = r->columns.taps, taps = r->rows.taps * columns;
  const int64_t writes = r->f.writes, count = groups_in(&r->f, b) * writes;
  w += b * r->f.held * writes * taps * reads;
  for (int64_t i = 0; i < r->rows.taps; i++)
    for (int64_t j = 0; j < reads; j++)
      for (int64_t q = 0; q < columns; q++, total += V_N)
        for (int64_t o = 0; o < count; o++)
          w[(o * taps + i * columns + q) * reads + j] = total[lane_of(r, o / writes, o % writes)];
}

/* Blocks first … end - 1, whose totals fit. */
static void narrow_blocks(const swi_convolution *c, int64_t first, int64_t end) {
  share_work *work = c->work;
  const int64_t n = share_size(&work->r);
  share_piece p = {.c = c, .first = first, .end = end, .squared = c->squares != NULL};
  for (; p.begin < c->images; p.begin = p.stop) {
    p.stop = smaller(p.begin + MANY_IMAGES, c->images);
    p.total = p.begin == 0 ? work->total : work->some;
    share_images(&p, work);
    if (p.begin > 0) map2((end - first) * n, work->total, work->some, work->total, v_add);
  }
  for (int64_t b = first; b < end; b++)
    write_weights(&work->r, b, work->total + (b - first) * n, c->w);
}

static int64_t narrow_panels(const swi_convolution *c) {
  const fan f = fan_of(c->groups, c->channels / c->groups, c->outputs / c->groups);
  return blocks_of(&f);
}

/* Panels are blocks. */
static void narrow_weight(const swi_convolution *c) {
  share_work *work = c->work;
  open_forward(c, work->ring, &work->r);
  const int64_t size = share_size(&work->r), fit = TOTALS / size;
  work->r.together = smaller(work->r.together, SHARES / size);
  const int64_t step = fit > work->r.together ? fit / work->r.together * work->r.together : fit;
  for (int64_t b = c->first_panel; b < c->end_panel; b += step)
    narrow_blocks(c, b, smaller(b + step, c->end_panel));
}

#endif
