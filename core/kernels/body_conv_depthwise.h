/* body_conv_depthwise.h: convolutions with few channels a group, depthwise ones above all, and
 * their derivative with respect to the images, on the lines of body_conv_lines.h.
 *
 * A tile is some places of a row and one block. A sum runs over the kernel's rows, the channels of
 * a group and the kernel's columns, in this order, from 0; bias and ReLU come after the last term.
 * A depthwise 3x3 kernel is kept in registers. Memory bounds depthwise convolutions: the lines and
 * results of the next but one row are prefetched.
 */
#ifndef SW_BODY_CONV_DEPTHWISE_H
#define SW_BODY_CONV_DEPTHWISE_H

enum { LANE_TILE = 12, NINE_TILE = 4 };

typedef struct lane_sweep {
  ring r;
  real *to;
  int64_t to_rows, to_columns, to_pixel;
  const real *packed; /* element (block, kernel row, channel, kernel column, lane) */
  const real *bias;
  int relu;
} lane_sweep;

/* A row of places, one block. */
typedef struct lane_row {
  int64_t n, count; /* places, lanes */
  int64_t rows, terms;
  const real *const *lines; /* of the kernel's rows */
  const int64_t *offset;
  const real *w;
  real *to;
  int64_t to_step;
  uintptr_t ahead; /* bytes from a result to that of the next but one row */
  const real *bias;
  int relu;
  const lanes *back; /* results' order in memory, of repeated terms */
} lane_row;

/* A term's vector for a place; repeat: how many elements, 0: all. */
INLINE vec load_term(const real *x, const int repeat) {
  return repeat == 0 ? v_load(x) : repeat == 1 ? v_broadcast(x) : v_repeat(x, repeat);
}

/* ------------------------------------------------------------------ tiles */

INLINE void lane_end(const int places, const int64_t count, const int mixed, const lane_row *t,
                     int64_t place, vec s[LANE_TILE]) {
  real *to = t->to + place * t->to_step;
  if (mixed) UNROLL
  for (int i = 0; i < places; i++) s[i] = v_permute(s[i], *t->back);
  if (t->bias) {
    const vec bias = load_first(t->bias, count);
    UNROLL
    for (int i = 0; i < places; i++) s[i] = v_add(s[i], bias);
  }
  if (t->relu) UNROLL
  for (int i = 0; i < places; i++) s[i] = v_relu(s[i]);
  UNROLL
  for (int i = 0; i < places; i++, to += t->to_step) {
    store_first(to, s[i], count);
    v_prefetch((const void *)((uintptr_t)to + t->ahead));
  }
}

INLINE void lane_tile(const int places, const int repeat, const lane_row *t, int64_t place) {
  vec s[LANE_TILE];
  const real *w = t->w;
  UNROLL
  for (int i = 0; i < places; i++) s[i] = v_set1(0);
  for (int64_t r = 0; r < t->rows; r++) {
    const real *from = t->lines[r] + place * V_N;
    for (int64_t p = 0; p < t->terms; p++, w += V_N) {
      const real *x = from + t->offset[p];
      const vec v = v_load(w);
      UNROLL
      for (int i = 0; i < places; i++) s[i] = v_fma(load_term(x + i * V_N, repeat), v, s[i]);
    }
  }
  if (t->count == V_N)
    lane_end(places, V_N, repeat > 1, t, place, s);
  else
    lane_end(places, t->count, repeat > 1, t, place, s);
}

#define LANE_CASE(n) \
  case n: lane_tile(n, repeat, t, place); break

INLINE void lane_places(int64_t places, const int repeat, const lane_row *t, int64_t place) {
  switch (places) {
    LANE_CASE(1);
    LANE_CASE(2);
    LANE_CASE(3);
    LANE_CASE(4);
    LANE_CASE(5);
    LANE_CASE(6);
    LANE_CASE(7);
    LANE_CASE(8);
    LANE_CASE(9);
    LANE_CASE(10);
    LANE_CASE(11);
    LANE_CASE(12);
  }
}

/* Tiles of nearly equal widths. */
INLINE void lane_tiles(const int repeat, const lane_row *t) {
  for (int64_t place = 0, places; place < t->n; place += places) {
    const int64_t left = t->n - place, tiles = (left + LANE_TILE - 1) / LANE_TILE;
    places = (left + tiles - 1) / tiles;
    lane_places(places, repeat, t, place);
  }
}

static __attribute__((noinline)) void vector_tiles(const lane_row *t) { lane_tiles(0, t); }
static __attribute__((noinline)) void tiles_of_1(const lane_row *t) { lane_tiles(1, t); }
static __attribute__((noinline)) void tiles_of_2(const lane_row *t) { lane_tiles(2, t); }
static __attribute__((noinline)) void tiles_of_4(const lane_row *t) { lane_tiles(4, t); }
static __attribute__((noinline)) void tiles_of_8(const lane_row *t) { lane_tiles(8, t); }

static void repeated_tiles(int64_t held, const lane_row *t) {
  if (held == 1)
    tiles_of_1(t);
  else if (held == 2)
    tiles_of_2(t);
  else if (V_N > 4 && held == 4)
    tiles_of_4(t);
  else if (V_N > 8 && held == 8)
    tiles_of_8(t);
}

INLINE void nine_tile(const int places, const int64_t count, const lane_row *t, const vec w[9],
                      int64_t place) {
  vec s[LANE_TILE];
  UNROLL
  for (int e = 0; e < 9; e++) {
    const real *x = t->lines[e / 3] + place * V_N + t->offset[e % 3];
    UNROLL
    for (int i = 0; i < places; i++)
      s[i] = v_fma(v_load(x + i * V_N), w[e], e == 0 ? v_set1(0) : s[i]);
  }
  lane_end(places, count, 0, t, place, s);
}

INLINE void nine_tiles(const int64_t count, const lane_row *t) {
  vec w[9];
  UNROLL
  for (int e = 0; e < 9; e++) w[e] = v_load(t->w + e * V_N);
  int64_t place = 0;
  for (; place + NINE_TILE <= t->n; place += NINE_TILE) nine_tile(NINE_TILE, count, t, w, place);
  for (; place < t->n; place++) nine_tile(1, count, t, w, place);
}

static __attribute__((noinline)) void nine_whole(const lane_row *t) { nine_tiles(V_N, t); }
static __attribute__((noinline)) void nine_part(const lane_row *t) { nine_tiles(t->count, t); }

/* ------------------------------------------------------------------ sweeps */

static void sum_row(const lane_sweep *s, const lane_row *t) {
  if (s->r.kind == COPY_REPEATED)
    repeated_tiles(s->r.f.held, t);
  else if (t->rows != 3 || t->terms != 3)
    vector_tiles(t);
  else if (t->count == V_N)
    nine_whole(t);
  else
    nine_part(t);
}

/* Blocks first … end - 1 of a row, whose lines are copied. */
static void write_row(const lane_sweep *s, int64_t first, int64_t end, int64_t image, int64_t row) {
  const ring *r = &s->r;
  const real *lines[TERMS];
  const int64_t size = s->to_columns * s->to_pixel, at = r->rows.to + row * r->rows.to_step;
  real *to = s->to + (image * s->to_rows + at) * size + r->columns.to * s->to_pixel;
  lane_row t = {.n = r->columns.count,
                .rows = r->rows.taps,
                .terms = terms_of(r),
                .lines = lines,
                .offset = r->offset,
                .to_step = r->columns.to_step * s->to_pixel,
                .ahead = (uintptr_t)(2 * r->rows.to_step * size) * sizeof(real),
                .relu = s->relu,
                .back = &r->order[2]};
  point_to_lines(r, row, lines);
  for (int64_t b = first; b < end; b++) {
    const int64_t lane = b * r->f.held * r->f.writes;
    t.count = groups_in(&r->f, b) * r->f.writes;
    t.w = s->packed + b * t.rows * t.terms * V_N;
    t.to = to + lane;
    t.bias = s->bias ? s->bias + lane : NULL;
    sum_row(s, &t);
    for (int64_t i = 0; i < t.rows; i++) lines[i] += r->block;
  }
}

static void write_image(const lane_sweep *s, int64_t image) {
  const ring *r = &s->r;
  const int64_t blocks = blocks_of(&r->f);
  for (int64_t first = 0, end; first < blocks; first = end) {
    end = smaller(first + r->together, blocks);
    for (int64_t row = 0; row < r->rows.count; row++) {
      fill_ring(r, first, end, image, row);
      write_row(s, first, end, image, row);
    }
  }
}

/* ------------------------------------------------------------------ weights */

/* Steps in the weights. */
typedef struct lane_weights {
  const real *w;
  int64_t read, write, group, row, column;
} lane_weights;

static int64_t lanes_packed(const ring *r) {
  return blocks_of(&r->f) * r->rows.taps * terms_of(r) * V_N;
}

static void pack_term(const ring *r, int64_t b, const real *w, const lane_weights *from, real *to) {
  const int64_t groups = groups_in(&r->f, b);
  fill(V_N, 0, to);
  for (int64_t g = 0; g < groups; g++)
    for (int64_t o = 0; o < r->f.writes; o++)
      to[lane_of(r, g, o)] = w[(b * r->f.held + g) * from->group + o * from->write];
}

static void pack_lanes(const ring *r, const lane_weights *from, real *to) {
  const axis *rows = &r->rows, *columns = &r->columns;
  for (int64_t b = 0; b < blocks_of(&r->f); b++)
    for (int64_t i = 0; i < rows->taps; i++)
      for (int64_t j = 0; j < r->f.reads; j++)
        for (int64_t q = 0; q < columns->taps; q++, to += V_N)
          pack_term(r, b,
                    from->w + j * from->read + (rows->tap + i * rows->tap_step) * from->row +
                        (columns->tap + q * columns->tap_step) * from->column,
                    from, to);
}

/* ------------------------------------------------------------------ the two directions */

/* The work space of a piece: a ring, and its description. */
typedef struct lane_work {
  real ring[RING] __attribute__((aligned(64)));
  lane_sweep sweep;
} lane_work;
_Static_assert(sizeof(lane_work) <= SWI_CONVOLUTION_WORK, "grow SWI_CONVOLUTION_WORK");

static void open_forward(const swi_convolution *c, real *at, ring *r) {
  *r = (ring){.f = fan_of(c->groups, c->channels / c->groups, c->outputs / c->groups),
              .rows = forward_axis(c, 0),
              .columns = forward_axis(c, 1),
              .from = c->x,
              .from_pixel = c->channels,
              .at = at};
  open_ring(r);
}

static void narrow_pack(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  const lane_weights w = {.w = c->w,
                          .read = 1,
                          .write = taps * depth,
                          .group = c->outputs / c->groups * taps * depth,
                          .row = c->kernel[1] * depth,
                          .column = depth};
  ring r;
  open_forward(c, NULL, &r);
  pack_lanes(&r, &w, c->scratch);
}

static void narrow_forward(const swi_convolution *c) {
  lane_work *work = c->work;
  lane_sweep *s = &work->sweep;
  open_forward(c, work->ring, &s->r);
  s->to = c->y;
  s->to_rows = c->out_size[0];
  s->to_columns = c->out_size[1];
  s->to_pixel = c->outputs;
  s->packed = c->scratch;
  s->bias = c->bias;
  s->relu = c->relu;
  for (int64_t i = 0; i < c->images; i++) write_image(s, i);
}

/* Opens the ring of the pixels of one class, see backward_axis. */
static void open_backward(const swi_convolution *c, int64_t i, int64_t j, real *at, ring *r) {
  *r = (ring){.f = fan_of(c->groups, c->outputs / c->groups, c->channels / c->groups),
              .rows = backward_axis(c, 0, i),
              .columns = backward_axis(c, 1, j),
              .from = c->y,
              .from_pixel = c->outputs,
              .at = at};
  open_ring(r);
}

static void narrow_input_pack(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  const lane_weights w = {.w = c->w,
                          .read = taps * depth,
                          .write = 1,
                          .group = c->outputs / c->groups * taps * depth,
                          .row = c->kernel[1] * depth,
                          .column = depth};
  real *to = c->scratch;
  for (int64_t i = 0; i < smaller(c->stride[0], c->size[0]); i++)
    for (int64_t j = 0; j < smaller(c->stride[1], c->size[1]); j++) {
      ring r;
      open_backward(c, i, j, NULL, &r);
      pack_lanes(&r, &w, to);
      to += lanes_packed(&r);
    }
}

/* All classes of an image, while its cotangents are in the cache. */
static void narrow_input_image(const swi_convolution *c, int64_t image, lane_work *work) {
  lane_sweep *s = &work->sweep;
  s->packed = c->scratch;
  for (int64_t i = 0; i < smaller(c->stride[0], c->size[0]); i++)
    for (int64_t j = 0; j < smaller(c->stride[1], c->size[1]); j++) {
      open_backward(c, i, j, work->ring, &s->r);
      write_image(s, image);
      s->packed += lanes_packed(&s->r);
    }
}

static void narrow_input(const swi_convolution *c) {
  lane_work *work = c->work;
  work->sweep = (lane_sweep){
      .to = c->x, .to_rows = c->size[0], .to_columns = c->size[1], .to_pixel = c->channels};
  for (int64_t i = 0; i < c->images; i++) narrow_input_image(c, i, work);
}

#endif
