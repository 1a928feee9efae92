/* body_conv_lines.h: lines of images, copied for convolutions with few channels a group.
 *
 * A vector holds the results of whole groups, as many as fit: a block. It is summed over taps and
 * over the channels of a group: lane i of term (tap, channel j) is channel j of lane i's group. The
 * lines that the places of a row see are copied to a ring, with zeros for what lies outside of the
 * image, so sums have no borders; columns that agree modulo the stride are adjacent, so places are.
 * Each line is copied once, for as many blocks as fit half of the L1 cache.
 */
#ifndef SW_BODY_CONV_LINES_H
#define SW_BODY_CONV_LINES_H

enum {
  RING = 1 << 16,                      /* elements of a ring at most */
  RING_PART = (16 << 10) / REAL_BYTES, /* of as many blocks as fit: half of the L1 cache */
  TERMS = 512,                         /* of a sum at most */
  CACHE_LINE = 64 / sizeof(real),
  LINE_BLOCKS = CACHE_LINE > V_N ? CACHE_LINE / V_N : 1
};

/* What a block reads and writes. */
typedef struct fan {
  int64_t reads, writes; /* channels of a group */
  int64_t groups, held;  /* all; those of a block */
} fan;

static fan fan_of(int64_t groups, int64_t reads, int64_t writes) {
  return (fan){reads, writes, groups, V_N / (reads > writes ? reads : writes)};
}

static int64_t blocks_of(const fan *f) { return (f->groups + f->held - 1) / f->held; }

static int64_t groups_in(const fan *f, int64_t b) {
  return smaller(f->held, f->groups - b * f->held);
}

typedef enum copy_kind {
  COPY_PLAIN, /* a group is one channel wide: lanes are channels */
  COPY_SPREAD,
  COPY_REPEATED /* a power of two of groups: terms are the channels j of all, over and over */
} copy_kind;

typedef struct ring {
  fan f;
  axis rows, columns;
  const real *from;   /* all images */
  int64_t from_pixel; /* elements from pixel to pixel */
  real *at;           /* element (block, line, channel unless lanes are, column modulo the step,
                       * column, lane) */
  copy_kind kind;
  int64_t together; /* blocks */
  int64_t lines;
  int64_t phase, plane, line, block; /* elements of each axis of `at` */
  int64_t offset[TERMS];             /* of the terms (channel, column) of a kernel's row */
  /* If spread, of a channel, from those of a pixel; if repeated, see mix_lanes. */
  lanes order[V_N > 3 ? V_N : 3];
} ring;

static int64_t terms_of(const ring *r) { return r->columns.taps * r->f.reads; }

static void order_lanes(ring *r) {
  for (int64_t j = 0; j < r->f.reads; j++) {
    int32_t from[V_N];
    for (int64_t i = 0; i < V_N; i++) {
      const int64_t group = i / r->f.writes;
      from[i] = group < r->f.held ? (int32_t)(group * r->f.reads + j) : 0;
    }
    r->order[j] = v_lanes(from);
  }
}

/* Repeated: groups are mixed, channel by channel. order[0] mixes a pixel that is read, order[1] one
 * that is written, order[2] undoes that. */
static void mix_lanes(ring *r) {
  const int64_t held = r->f.held;
  int32_t read[V_N], written[V_N], back[V_N] = {0};
  for (int64_t i = 0; i < V_N; i++) {
    read[i] = i / held < r->f.reads ? (int32_t)(i % held * r->f.reads + i / held) : 0;
    written[i] = i / held < r->f.writes ? (int32_t)(i % held * r->f.writes + i / held) : 0;
  }
  for (int64_t i = held * r->f.writes - 1; i >= 0; i--) back[written[i]] = (int32_t)i;
  r->order[0] = v_lanes(read);
  r->order[1] = v_lanes(written);
  r->order[2] = v_lanes(back);
}

/* Lanes of weights: of output o of a block's group g. */
static int64_t lane_of(const ring *r, int64_t g, int64_t o) {
  return r->kind == COPY_REPEATED ? o * r->f.held + g : g * r->f.writes + o;
}

static int is_mixed(const ring *r) { return r->kind == COPY_REPEATED && r->f.held > 1; }

/* With many channels, what one block reads and writes of a row's pixels is in few sets of the L1
 * cache; a pixel's blocks side by side are in all of them. */
static int64_t blocks_together(const ring *r) {
  if (r->kind == COPY_SPREAD) return 1;
  return larger(1, RING_PART / larger(1, r->block * LINE_BLOCKS)) * LINE_BLOCKS;
}

/* fan, axes, from, from_pixel and at are set. */
static void open_ring(ring *r) {
  const int64_t step = r->columns.step, width = seen_along(&r->columns, r->columns.count);
  const int is_plain = r->f.reads == 1 && r->f.writes == 1;
  const int is_power = r->f.held < V_N && (r->f.held & (r->f.held - 1)) == 0;
  r->kind = is_plain ? COPY_PLAIN : is_power ? COPY_REPEATED : COPY_SPREAD;
  r->lines = seen_along(&r->rows, 1);
  r->phase = (width + step - 1) / step * V_N;
  r->plane = step * r->phase;
  r->line = (r->kind == COPY_SPREAD ? r->f.reads : 1) * r->plane;
  r->block = r->lines * r->line;
  r->together = blocks_together(r);
  int64_t *offset = r->offset;
  for (int64_t j = 0; j < r->f.reads; j++)
    for (int64_t q = 0; q < r->columns.taps; q++) {
      const int64_t t = q * r->columns.offset_step;
      *offset++ = (r->kind == COPY_SPREAD ? r->plane : r->f.held) * j + t % step * r->phase +
                  t / step * V_N;
    }
  if (r->kind == COPY_SPREAD) order_lanes(r);
  if (is_mixed(r)) mix_lanes(r);
}

/* ------------------------------------------------------------------ copies */

/* `ahead` is where the pixel of a line to come is. */
INLINE void ring_places(const ring *r, const int64_t reads, const int mixed, const int64_t count,
                        int64_t n, const real *from, uintptr_t ahead, real *to) {
  const int64_t step = r->columns.step * r->from_pixel, plane = r->plane;
  for (int64_t p = 0; p < n; p++, from += step, to += V_N) {
    const vec x = load_first(from, count);
    v_prefetch((const void *)((uintptr_t)from + ahead));
    if (reads == 0)
      v_store(to, mixed ? v_permute(x, r->order[0]) : x);
    else
      for (int64_t j = 0; j < reads; j++) v_store(to + j * plane, v_permute(x, r->order[j]));
  }
}

static void ring_channels(const ring *r, int64_t count, int64_t n, const real *from, real *to) {
  const int64_t ahead = 2 * r->rows.step * r->columns.size * r->from_pixel;
  const uintptr_t bytes = (uintptr_t)ahead * sizeof(real);
  const int64_t reads = r->kind == COPY_SPREAD ? r->f.reads : 0;
  if (is_mixed(r))
    ring_places(r, 0, 1, count, n, from, bytes, to);
  else if (count < V_N)
    ring_places(r, reads, 0, count, n, from, bytes, to);
  else if (reads == 0)
    ring_places(r, 0, 0, V_N, n, from, bytes, to);
  else
    ring_places(r, reads, 0, V_N, n, from, bytes, to);
}

/* Columns phase, phase + step, … of a line, for blocks first … end - 1. */
static void ring_phase(const ring *r, int64_t first, int64_t end, int64_t phase, const real *from,
                       real *to) {
  const int64_t step = r->columns.step, left = r->columns.offset + phase, all = r->phase / V_N;
  const int64_t before = left < 0 ? (step - 1 - left) / step : 0;
  const int64_t inside = left < r->columns.size ? (r->columns.size - left + step - 1) / step : 0;
  const int64_t stop = smaller(inside, all);
  if (stop <= before) return;
  from += (left + before * step) * r->from_pixel;
  to += phase * r->phase + before * V_N;
  for (int64_t b = first; b < end; b++, to += r->block)
    ring_channels(r, groups_in(&r->f, b) * r->f.reads, stop - before,
                  from + b * r->f.held * r->f.reads, to);
}

/* Blocks first … end - 1: the lines that the places of a row see and those of the row before it did
 * not. Rows come in order from 0. Columns outside of the image keep the zeros of row 0. */
static void fill_ring(const ring *r, int64_t first, int64_t end, int64_t image, int64_t row) {
  const int64_t top = row * r->rows.step, seen = row > 0 ? top - r->rows.step + r->lines : 0;
  const int64_t size = r->columns.size * r->from_pixel;
  if (row == 0) fill((end - first) * r->block, 0, r->at);
  for (int64_t i = top > seen ? top : seen; i < top + r->lines; i++) {
    const int64_t at = i + r->rows.offset;
    real *to = r->at + i % r->lines * r->line;
    if (is_inside(at, r->rows.size))
      for (int64_t phase = 0; phase < r->columns.step; phase++)
        ring_phase(r, first, end, phase, r->from + (image * r->rows.size + at) * size, to);
    else
      for (int64_t b = first; b < end; b++, to += r->block) fill(r->line, 0, to);
  }
}

/* Points to the lines of the kernel's rows. */
static void point_to_lines(const ring *r, int64_t row, const real **to) {
  for (int64_t i = 0; i < r->rows.taps; i++)
    to[i] = r->at + (row * r->rows.step + i * r->rows.offset_step) % r->lines * r->line;
}

/* ------------------------------------------------------------------ shapes */

/* Whether groups are so narrow that several, or one, fill a vector, and lines and terms fit. */
static int is_narrow(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, outputs = c->outputs / c->groups;
  const int64_t most = depth > outputs ? depth : outputs;
  const int64_t taps = c->kernel[0] * c->kernel[1];
  const int64_t lines = (c->kernel[0] - 1) * c->dilation[0] + 1;
  const int64_t width =
      c->size[1] + 2 * c->padding[1] + (c->kernel[1] - 1) * c->dilation[1] + c->stride[1];
  return c->groups > 1 && most <= V_N && taps <= TERMS / most &&
         width <= RING / (V_N * most * lines * LINE_BLOCKS);
}

#endif
