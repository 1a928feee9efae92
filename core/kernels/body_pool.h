/* body_pool.h: pools over one image (height, width, channels): vectors hold channels, windows are
 * clipped to the image pixel by pixel, and 2 x 2 windows have loops of their own. See swi_pool in
 * kernels_int.h.
 */
#ifndef SW_BODY_POOL_H
#define SW_BODY_POOL_H

/* Windows without overlap: each element of the image is in one window or in none. */
static int is_tiled(const swi_pool *p) {
  int tiled = 1;
  for (int i = 0; i < 2; i++)
    tiled &= p->stride[i] == p->kernel[i] && p->padding[i] == 0 && p->dilation[i] == 1;
  return tiled;
}

/* The call of HALF_TABLE, whose vectors are half as long and whose bits are the same, if it suits:
 * few channels fill half a vector, and where a vector is computed in two halves, one takes less
 * time. Where windows overlap, a load after a store of a part of a vector waits for that store. */
#if defined(HALF_TABLE)
static inline int halves_suit(const swi_pool *p) { return p->channels <= V_N / 2; }
static inline int halves_suit_back(const swi_pool *p) {
  return is_tiled(p) ? p->channels > 1 && halves_suit(p) : p->channels % V_N != 0;
}
#define BY_HALVES(suit, call) \
  if (suit) {                 \
    HALF_TABLE.call;          \
    return;                   \
  }
#else
#define BY_HALVES(suit, call)
#endif

/* The taps of a window that lie in the image, along one axis: from … to - 1, the first at `at`. */
typedef struct pool_span {
  int64_t from, to, at;
} pool_span;

static inline pool_span pool_span_of(const swi_pool *p, int axis, int64_t o) {
  const int64_t start = o * p->stride[axis] - p->padding[axis], d = p->dilation[axis];
  const int64_t size = p->size[axis], kernel = p->kernel[axis];
  pool_span s = {0, kernel, start};
  if (start < 0) s.from = (-start + d - 1) / d;
  if (start + (kernel - 1) * d >= size) s.to = start >= size ? 0 : (size - start + d - 1) / d;
  s.at = start + s.from * d;
  return s;
}

/* The window of one result pixel, clipped: rows x cols taps, the first at element `at` of the
 * image. */
typedef struct pool_patch {
  int64_t rows, cols, at, row_step, col_step;
  int64_t number, row_number; /* of the first tap in the window; of a row of taps */
} pool_patch;

static inline pool_patch pool_patch_of(const swi_pool *p, pool_span r, pool_span c) {
  return (pool_patch){.rows = r.to - r.from,
                      .cols = c.to - c.from,
                      .at = (r.at * p->size[1] + c.at) * p->channels,
                      .row_step = p->dilation[0] * p->size[1] * p->channels,
                      .col_step = p->dilation[1] * p->channels,
                      .number = r.from * p->kernel[1] + c.from,
                      .row_number = p->kernel[1]};
}

/* The windows along a row that are not clipped: first … end - 1. */
typedef struct pool_inner {
  int64_t first, end;
} pool_inner;

static inline pool_inner pool_inner_of(const swi_pool *p) {
  const int64_t stride = p->stride[1], padding = p->padding[1];
  const int64_t last = p->size[1] - 1 - (p->kernel[1] - 1) * p->dilation[1] + padding;
  return (pool_inner){(padding + stride - 1) / stride,
                      last < 0 ? 0 : smaller(last / stride + 1, p->out_size[1])};
}

/* How many windows from ow on have the same taps in the image. */
static inline int64_t pool_run(pool_inner inner, int64_t ow) {
  return ow >= inner.first && ow < inner.end ? inner.end - ow : 1;
}

/* The call for every pixel of the result, with its patch and the element at which it begins;
 * constants for the common patch. */
#define EACH_PIXEL(p, call)                                                           \
  {                                                                                   \
    const pool_inner inner = pool_inner_of(p);                                        \
    const int64_t step = (p)->stride[1] * (p)->channels;                              \
    for (int64_t oh = 0, at = 0; oh < (p)->out_size[0]; oh++) {                       \
      const pool_span row_span = pool_span_of(p, 0, oh);                              \
      for (int64_t ow = 0, end; ow < (p)->out_size[1]; ow = end) {                    \
        pool_patch w = pool_patch_of(p, row_span, pool_span_of(p, 1, ow));            \
        end = ow + pool_run(inner, ow);                                               \
        if (w.rows == 2 && w.cols == 2 && w.number == 0 && w.row_number == 2) {       \
          w.rows = w.cols = w.row_number = 2;                                         \
          w.number = 0;                                                               \
          for (int64_t i = ow; i < end; i++, w.at += step, at += (p)->channels) call; \
        } else {                                                                      \
          for (int64_t i = ow; i < end; i++, w.at += step, at += (p)->channels) call; \
        }                                                                             \
      }                                                                               \
    }                                                                                 \
  }

/* The call for each vector of n channels. The last one is a whole vector, too, if there is `room`
 * in elements from the pixel on: what it writes behind the pixel is overwritten by the next. */
#define EACH_VECTOR(channels, room, call)             \
  for (int64_t j = 0; j < (channels); j += V_N) {     \
    if (j + V_N <= (channels) || j + V_N <= (room)) { \
      const int64_t n = V_N;                          \
      call;                                           \
    } else {                                          \
      const int64_t n = (channels)-j;                 \
      call;                                           \
    }                                                 \
  }

/* Elements from the patch's last tap, and from the result's pixel, to the end of their images. */
static inline int64_t room_of(const swi_pool *p, pool_patch w, int64_t at) {
  const int64_t last = w.at + (w.rows - 1) * w.row_step + (w.cols - 1) * w.col_step;
  return smaller(p->size[0] * p->size[1] * p->channels - last,
                 p->out_size[0] * p->out_size[1] * p->channels - at);
}

/* Elements from the last tap of window ow, of windows without overlap, to the end of the row that
 * they cover, and from the result's pixel to the end of its image. */
static inline int64_t room_in_row(const swi_pool *p, int64_t ow, int64_t at) {
  if (p->channels > V_N) return 0;
  return smaller(((p->out_size[1] - ow - 1) * p->kernel[1] + 1) * p->channels,
                 p->out_size[0] * p->out_size[1] * p->channels - at);
}

/* ------------------------------------------------------------------ the largest */

/* From the last tap to the first, so that the first of equal ones is kept, and a NaN. */
INLINE void max_vector(pool_patch w, int indexed, int64_t n, const real *x, real *y, real *index) {
  vec best = v_set1(-__builtin_inf()), where_best = v_set1(0);
  for (int64_t r = w.rows - 1; r >= 0; r--)
    for (int64_t c = w.cols - 1; c >= 0; c--) {
      const vec v = load_first(x + r * w.row_step + c * w.col_step, n);
      const mask better = v_or(v_ge(v, best), v_ne(v, v));
      best = v_select(better, v, best);
      if (indexed)
        where_best =
            v_select(better, v_set1((double)(w.number + r * w.row_number + c)), where_best);
    }
  store_first(y, best, n);
  if (indexed) store_first(index, where_best, n);
}

/* NOLINTNEXTLINE(readability-function-size): macros of loops */
static void max_pool(const swi_pool *pool, const void *px, void *py, void *pindex) {
  BY_HALVES(halves_suit(pool), max_pool(pool, px, py, pindex))
  const swi_pool copy = *pool, *p = &copy;
  const real *x = px;
  real *y = py, *index = pindex;
  if (index)
    EACH_PIXEL(p, EACH_VECTOR(p->channels, room_of(p, w, at),
                              max_vector(w, 1, n, x + w.at + j, y + at + j, index + at + j)))
  else
    EACH_PIXEL(p, EACH_VECTOR(p->channels, room_of(p, w, at),
                              max_vector(w, 0, n, x + w.at + j, y + at + j, NULL)))
}

/* The value at the tap that index names. */
INLINE void repool_vector(pool_patch w, int64_t n, const real *v, const real *index, real *y) {
  const vec wanted = load_first(index, n);
  vec found = v_set1(0);
  for (int64_t r = 0; r < w.rows; r++)
    for (int64_t c = 0; c < w.cols; c++) {
      const vec number = v_set1((double)(w.number + r * w.row_number + c));
      found =
          v_select(v_eq(wanted, number), load_first(v + r * w.row_step + c * w.col_step, n), found);
    }
  store_first(y, found, n);
}

static void max_repool(const swi_pool *pool, const void *pv, const void *pindex, void *py) {
  BY_HALVES(halves_suit(pool), max_repool(pool, pv, pindex, py))
  const swi_pool copy = *pool, *p = &copy;
  const real *v = pv, *index = pindex;
  real *y = py;
  EACH_PIXEL(p, EACH_VECTOR(p->channels, room_of(p, w, at),
                            repool_vector(w, n, v + w.at + j, index + at + j, y + at + j)))
}

/* ------------------------------------------------------------------ back to the image */

/* Zeros where windows overlap or leave gaps. */
static void clear_image(const swi_pool *p, int tiled, real *x) {
  const int64_t row = p->size[1] * p->channels;
  const int64_t rows = tiled ? p->out_size[0] * p->kernel[0] : 0;
  const int64_t seen = p->out_size[1] * p->kernel[1] * p->channels;
  for (int64_t r = 0; r < rows && seen < row; r++) fill(row - seen, 0, x + r * row + seen);
  fill((p->size[0] - rows) * row, 0, x + rows * row);
}

INLINE void unpool_vector(pool_patch w, int tiled, int64_t n, const real *c, const real *index,
                          real *x) {
  const vec value = load_first(c, n), number = load_first(index, n), zero = v_set1(0);
  for (int64_t i = 0; i < w.rows; i++)
    for (int64_t k = 0; k < w.cols; k++) {
      real *to = x + i * w.row_step + k * w.col_step;
      const vec tap = v_set1((double)(w.number + i * w.row_number + k));
      const vec share = v_select(v_eq(number, tap), value, zero);
      store_first(to, tiled ? share : v_add(load_first(to, n), share), n);
    }
}

/* NOLINTNEXTLINE(readability-function-size): macros of loops */
static void max_unpool(const swi_pool *pool, const void *pc, const void *pindex, void *px) {
  BY_HALVES(halves_suit_back(pool), max_unpool(pool, pc, pindex, px))
  const swi_pool copy = *pool, *p = &copy;
  const real *c = pc, *index = pindex;
  real *x = px;
  const int tiled = is_tiled(p);
  clear_image(p, tiled, x);
  if (tiled)
    EACH_PIXEL(p, EACH_VECTOR(p->channels, room_in_row(p, i, at),
                              unpool_vector(w, 1, n, c + at + j, index + at + j, x + w.at + j)))
  else
    EACH_PIXEL(p, EACH_VECTOR(p->channels, 0,
                              unpool_vector(w, 0, n, c + at + j, index + at + j, x + w.at + j)))
}

/* ------------------------------------------------------------------ averages */

enum { MANY_TAPS = 512 };

/* Of taps times a factor; NULL: none. Rows of the window, some MANY_TAPS taps, are summed before
 * they are added to the others. */
INLINE vec sum_of_window(pool_patch w, int64_t n, const vec *factor, const real *x) {
  vec total = v_set1(0), sum = v_set1(0);
  int64_t taps = 0;
  for (int64_t r = 0; r < w.rows; r++, taps += w.cols) {
    if (taps >= MANY_TAPS) {
      total = v_add(total, sum);
      sum = v_set1(0);
      taps = 0;
    }
    for (int64_t c = 0; c < w.cols; c++) {
      const vec tap = load_first(x + r * w.row_step + c * w.col_step, n);
      sum = v_add(sum, factor ? v_mul(tap, *factor) : tap);
    }
  }
  return v_add(total, sum);
}

/* If the sum of a mean overflows it is computed again with terms divided first. */
INLINE void avg_vector(pool_patch w, int64_t n, vec share, const real *x, real *y) {
  vec mean = v_mul(sum_of_window(w, n, NULL, x), share);
  const mask odd = v_ne(v_sub(mean, mean), v_set1(0));
  if (v_any(odd)) mean = v_select(odd, sum_of_window(w, n, &share, x), mean);
  store_first(y, mean, n);
}

static vec share_of_tap(const swi_pool *p) {
  return v_set1(1 / ((double)p->kernel[0] * (double)p->kernel[1]));
}

static void avg_pool(const swi_pool *pool, const void *px, void *py) {
  BY_HALVES(halves_suit(pool), avg_pool(pool, px, py))
  const swi_pool copy = *pool, *p = &copy;
  const real *x = px;
  real *y = py;
  const vec share = share_of_tap(p);
  EACH_PIXEL(p, EACH_VECTOR(p->channels, room_of(p, w, at),
                            avg_vector(w, n, share, x + w.at + j, y + at + j)))
}

INLINE void avg_unpool_vector(pool_patch w, int tiled, int64_t n, vec share, const real *c,
                              real *x) {
  const vec value = v_mul(load_first(c, n), share);
  for (int64_t i = 0; i < w.rows; i++)
    for (int64_t k = 0; k < w.cols; k++) {
      real *to = x + i * w.row_step + k * w.col_step;
      store_first(to, tiled ? value : v_add(load_first(to, n), value), n);
    }
}

/* NOLINTNEXTLINE(readability-function-size): macros of loops */
static void avg_unpool(const swi_pool *pool, const void *pc, void *px) {
  BY_HALVES(halves_suit_back(pool), avg_unpool(pool, pc, px))
  const swi_pool copy = *pool, *p = &copy;
  const real *c = pc;
  real *x = px;
  const vec share = share_of_tap(p);
  const int tiled = is_tiled(p);
  clear_image(p, tiled, x);
  if (tiled)
    EACH_PIXEL(p, EACH_VECTOR(p->channels, room_in_row(p, i, at),
                              avg_unpool_vector(w, 1, n, share, c + at + j, x + w.at + j)))
  else
    EACH_PIXEL(
        p, EACH_VECTOR(p->channels, 0, avg_unpool_vector(w, 0, n, share, c + at + j, x + w.at + j)))
}

#undef EACH_PIXEL
#undef EACH_VECTOR
#undef BY_HALVES

#endif
