/* source.c: rows of a data set into a program's inputs. */
#include "train/source_int.h"

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "base/parallel_int.h"
#include "kernels/kernels_int.h"
#include "train/augment_int.h"

/* Elements a piece, some 80 microseconds: below this a second thread costs more than it saves. */
enum { PIECE_ELEMENTS = 1 << 18 };

/* Bytes on the stack for cropped lines before conversion; no line may be longer. */
enum { SCRATCH_BYTES = 1 << 14, LARGEST_CROP = 255 };

/* Bytes of a batch that stay in the L2 cache until the next step. */
enum { AHEAD_MOST = 1 << 20 };

struct sw_source {
  sw_context *ctx;
  sw_tensor *x, *y; /* views; y is NULL without labels */
  int64_t examples, features;
  int64_t target_features; /* 0: no labels */
  int has_classes, has_indices, shaped;
  sw_tensor *scale[2], *shift[2]; /* as float32 and as float64; NULL: values as they are */
  int augments;
  swi_augment image; /* if augments */
};

int64_t sw_source_examples(const sw_source *s) { return s->examples; }
int64_t sw_source_features(const sw_source *s) { return s->features; }
int64_t sw_source_target_features(const sw_source *s) { return s->target_features; }
int sw_source_has_classes(const sw_source *s) { return s->has_classes; }
int sw_source_has_indices(const sw_source *s) { return s->has_indices; }
int sw_source_has_augments(const sw_source *s) { return s->augments; }

static sw_shape rows_like(const sw_tensor *t, int64_t n) {
  sw_shape shape = *sw_tensor_shape(t);
  shape.dim[0] = n;
  return shape;
}

sw_shape sw_source_shape(const sw_source *s, int64_t n) {
  if (s->shaped) return rows_like(s->x, n);
  return sw_shape_of(2, (int64_t[]){n, s->features});
}

sw_shape sw_source_target_shape(const sw_source *s, int64_t n) {
  if (s->y && s->has_classes) return rows_like(s->y, n);
  return sw_shape_of(2, (int64_t[]){n, s->target_features});
}

/* -------------------------------------------------------------- making */

static sw_status check_x_type(const sw_source *s, sw_dtype dtype) {
  if (s->has_indices && dtype != SW_U8 && dtype != SW_I32)
    return sw_fail(s->ctx, SW_EDTYPE, "source: indices x must be uint8 or int32, not %s",
                   sw_dtype_name(dtype));
  if (!s->has_indices && dtype == SW_I32)
    return sw_fail(s->ctx, SW_EDTYPE,
                   "source: x of int32 are indices and need a vocabulary, their number; as numbers "
                   "they must be float32");
  if (!s->has_indices && dtype != SW_U8 && dtype != SW_F32)
    return sw_fail(s->ctx, SW_EDTYPE, "source: x must be uint8 or float32, not %s",
                   sw_dtype_name(dtype));
  return SW_OK;
}

static sw_status check_x(const sw_source *s, const sw_tensor *x) {
  const sw_shape *shape = sw_tensor_shape(x);
  SW_TRY(check_x_type(s, sw_tensor_dtype(x)));
  if (shape->ndim < 1 || shape->dim[0] < 1)
    return sw_fail(s->ctx, SW_ESHAPE, "source: x must hold one example or more (first axis)");
  if (shape->dim[0] > INT32_MAX)
    return sw_fail(s->ctx, SW_ESHAPE, "source: more than %d examples", INT32_MAX);
  if (!sw_tensor_is_contiguous(x))
    return sw_fail(s->ctx, SW_ESHAPE, "source: x must be contiguous");
  return SW_OK;
}

/* Integers of t, uint8 or int32, each in 0 … n-1; what, and which: their names. */
static sw_status check_integers(const sw_source *s, const sw_tensor *t, const char *what,
                                const char *which, int64_t n, const int32_t *ignored) {
  const void *value = sw_tensor_data(t);
  int bytes = sw_tensor_dtype(t) == SW_U8;
  int64_t numel = sw_tensor_numel(t), row = numel / s->examples;
  for (int64_t i = 0; i < numel; i++) {
    int64_t c = bytes ? ((const uint8_t *)value)[i] : ((const int32_t *)value)[i];
    if ((c < 0 || c >= n) && !(ignored && c == *ignored))
      return sw_fail(s->ctx, SW_ERANGE,
                     "source: %s %lld of example %lld is outside 0 … %lld, the %lld %s", what,
                     (long long)c, (long long)(i / row + 1), (long long)n - 1, (long long)n, which);
  }
  return SW_OK;
}

static sw_status take_x(sw_source *s, const sw_source_options *o) {
  s->has_indices = o->vocabulary > 0;
  SW_TRY(check_x(s, o->x));
  s->shaped = (o->shaped || s->has_indices) && sw_tensor_shape(o->x)->ndim > 1;
  s->examples = sw_tensor_shape(o->x)->dim[0];
  s->features = sw_tensor_numel(o->x) / s->examples;
  SW_TRY(sw_tensor_view(o->x, &s->x));
  return s->has_indices ? check_integers(s, s->x, "index", "of the vocabulary", o->vocabulary, NULL)
                        : SW_OK;
}

static sw_status check_labels(const sw_source *s, const sw_source_options *o) {
  if (o->classes < 1)
    return sw_fail(s->ctx, SW_ERANGE, "source: labels need a number of classes, got %lld",
                   (long long)o->classes);
  return check_integers(s, s->y, "label", "classes", o->classes,
                        o->has_ignored ? &o->ignored : NULL);
}

static sw_status take_y(sw_source *s, const sw_source_options *o) {
  const sw_tensor *y = o->y;
  sw_dtype dtype = sw_tensor_dtype(y);
  const sw_shape *shape = sw_tensor_shape(y);
  if (dtype == SW_F64)
    return sw_fail(s->ctx, SW_EDTYPE,
                   "source: y must be int32 or uint8 labels, or float32 targets, not float64");
  if (shape->ndim < 1 || shape->dim[0] != s->examples)
    return sw_fail(s->ctx, SW_ESHAPE, "source: x has %lld examples, y has %lld",
                   (long long)s->examples, shape->ndim < 1 ? 1LL : (long long)shape->dim[0]);
  s->has_classes = dtype != SW_F32;
  SW_TRY(sw_tensor_contiguous(y, &s->y));
  s->target_features = sw_tensor_numel(y) / s->examples;
  return s->has_classes ? check_labels(s, o) : SW_OK;
}

static sw_status take_augment(sw_source *s, const sw_source_options *o) {
  const sw_shape *shape = sw_tensor_shape(s->x);
  if (s->has_indices || shape->ndim < 3)
    return sw_fail(s->ctx, SW_ESHAPE,
                   "source: crop and flip need images, x of shape (N, height, width, channels)");
  int64_t height = shape->dim[1], width = shape->dim[2];
  if (o->crop < 0 || o->crop > LARGEST_CROP || o->crop >= height || o->crop >= width)
    return sw_fail(s->ctx, SW_ERANGE,
                   "source: crop is 0 to %d pixels and below the image's %lld x %lld, got %lld",
                   LARGEST_CROP, (long long)height, (long long)width, (long long)o->crop);
  int64_t pixel = s->features / (height * width) * sw_dtype_bytes(sw_tensor_dtype(s->x));
  if (width * pixel > SCRATCH_BYTES)
    return sw_fail(s->ctx, SW_ERANGE, "source: crop and flip: a line has %lld bytes, at most %d",
                   (long long)(width * pixel), SCRATCH_BYTES);
  s->image = (swi_augment){height, width, pixel, o->crop, o->flip};
  s->augments = s->features > 0;
  return SW_OK;
}

static sw_status take_factor(sw_source *s, const char *what, const sw_tensor *t,
                             sw_tensor *out[2]) {
  if (sw_tensor_dtype(t) != SW_F32)
    return sw_fail(s->ctx, SW_EDTYPE, "source: %s must be float32, not %s", what,
                   sw_dtype_name(sw_tensor_dtype(t)));
  if (sw_tensor_numel(t) != s->features)
    return sw_fail(s->ctx, SW_ESHAPE, "source: %s has %lld elements, a row has %lld", what,
                   (long long)sw_tensor_numel(t), (long long)s->features);
  SW_TRY(sw_tensor_clone(t, &out[0]));
  return sw_tensor_to(t, SW_F64, &out[1]);
}

static sw_status fill_source(sw_source *s, const sw_source_options *o) {
  if (!o->x) return sw_fail(s->ctx, SW_EARG, "source: x is missing");
  if (!o->scale != !o->shift)
    return sw_fail(s->ctx, SW_EARG, "source: scale and shift come together");
  SW_TRY(take_x(s, o));
  if (o->y) SW_TRY(take_y(s, o));
  if (o->crop != 0 || o->flip) SW_TRY(take_augment(s, o));
  if (!o->scale) return SW_OK;
  if (s->has_indices) return sw_fail(s->ctx, SW_EARG, "source: indices have no scale and shift");
  SW_TRY(take_factor(s, "scale", o->scale, s->scale));
  return take_factor(s, "shift", o->shift, s->shift);
}

sw_status sw_source_new(sw_context *ctx, const sw_source_options *o, sw_source **out) {
  sw_source *s = swi_alloc_zeroed(ctx, sizeof *s);
  if (!s) return SW_ENOMEM;
  s->ctx = sw_context_retain(ctx);
  sw_status status = fill_source(s, o);
  if (status == SW_OK)
    *out = s;
  else
    sw_source_free(s);
  return status;
}

void sw_source_free(sw_source *s) {
  if (!s) return;
  sw_context *ctx = s->ctx;
  sw_tensor_free(s->x);
  sw_tensor_free(s->y);
  for (int i = 0; i < 2; i++) {
    sw_tensor_free(s->scale[i]);
    sw_tensor_free(s->shift[i]);
  }
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

/* -------------------------------------------------------------- gathering */

typedef struct gather {
  const swi_kernels *kernels;
  const sw_tensor *from;
  const int32_t *index;
  int64_t rows, cols, rows_a_piece;
  const void *scale, *shift; /* NULL: values as they are */
  const swi_augment *image;  /* NULL: rows as they are */
  sw_draw draw;
  char *to;
} gather;

static void convert(const gather *g, int64_t rows, int64_t cols, const void *from,
                    const int32_t *index, int64_t column, void *to) {
  int64_t at = column * g->kernels->element_bytes;
  const void *scale = g->scale ? (const char *)g->scale + at : NULL;
  const void *shift = g->scale ? (const char *)g->shift + at : NULL;
  if (sw_tensor_dtype(g->from) == SW_U8)
    g->kernels->gather_u8(rows, cols, from, index, scale, shift, to);
  else
    g->kernels->gather_f32(rows, cols, from, index, scale, shift, to);
}

/* Crops an image, as many lines at a time as there is room for, and converts them. */
static void move_and_convert(const gather *g, int64_t row, char *to) {
  const int32_t only = 0;
  const swi_augment *a = g->image;
  int64_t bytes = sw_dtype_bytes(sw_tensor_dtype(g->from)), line = a->width * a->pixel;
  const char *image = sw_tensor_data(g->from);
  _Alignas(64) char moved[SCRATCH_BYTES];
  swi_move m = swi_augment_draw(a, g->draw.seed, g->draw.first + row);
  image += g->index[row] * g->cols * bytes;
  for (int64_t first = 0, n = SCRATCH_BYTES / line; first < a->height; first += n) {
    if (n > a->height - first) n = a->height - first;
    int64_t column = first * line / bytes;
    swi_augment_lines(a, &m, image, first, n, moved);
    convert(g, 1, n * line / bytes, moved, &only, column, to + column * g->kernels->element_bytes);
  }
}

static void gather_piece(void *arg, int64_t piece) {
  const gather *g = arg;
  int64_t first = piece * g->rows_a_piece, left = g->rows - first;
  int64_t rows = left < g->rows_a_piece ? left : g->rows_a_piece;
  int64_t row_bytes = g->cols * g->kernels->element_bytes;
  char *to = g->to + first * row_bytes;
  if (!g->image) {
    convert(g, rows, g->cols, sw_tensor_data(g->from), g->index + first, 0, to);
    return;
  }
  for (int64_t i = first; i < first + rows; i++, to += row_bytes) move_and_convert(g, i, to);
}

static void gather_rows(const sw_source *s, gather *g) {
  if (g->cols < 1 || g->rows < 1) return;
  g->rows_a_piece = g->cols < PIECE_ELEMENTS ? PIECE_ELEMENTS / g->cols : 1;
  swi_parallel(s->ctx, (g->rows + g->rows_a_piece - 1) / g->rows_a_piece, gather_piece, g);
}

/* Labels and class indices: integers, cols a row. */
static void gather_integers(const sw_tensor *from, int64_t cols, const int32_t *index, int64_t n,
                            int32_t *to) {
  const void *data = sw_tensor_data(from);
  for (int64_t i = 0; i < n; i++, to += cols) {
    int64_t at = index[i] * cols;
    if (sw_tensor_dtype(from) == SW_U8)
      for (int64_t c = 0; c < cols; c++) to[c] = ((const uint8_t *)data)[at + c];
    else
      for (int64_t c = 0; c < cols; c++) to[c] = ((const int32_t *)data)[at + c];
  }
}

static void gather_features(const sw_source *s, gather *g, const sw_draw *draw, int wide) {
  g->from = s->x, g->cols = s->features;
  if (s->scale[wide]) {
    g->scale = sw_tensor_data(s->scale[wide]);
    g->shift = sw_tensor_data(s->shift[wide]);
  }
  if (draw && s->augments) g->image = &s->image, g->draw = *draw;
  gather_rows(s, g);
}

void sw_source_gather(const sw_source *s, const int32_t *index, int64_t n, int real_bytes,
                      const sw_draw *draw, void *x, void *y) {
  int wide = real_bytes == (int)sizeof(double);
  gather g = {.kernels = swi_kernels_of(s->ctx, real_bytes), .index = index, .rows = n};
  if (y && s->has_classes) {
    gather_integers(s->y, s->target_features, index, n, y);
  } else if (y && s->y) {
    g.from = s->y, g.cols = s->target_features, g.to = y;
    gather_rows(s, &g);
  }
  if (!x) return;
  g.to = x;
  if (s->has_indices)
    gather_integers(s->x, s->features, index, n, x);
  else
    gather_features(s, &g, draw, wide);
}

/* -------------------------------------------------------------- what will be gathered */

void swi_source_expect(const sw_source *s, const int32_t *index, int64_t n) {
  const int64_t row = s->features * sw_dtype_bytes(sw_tensor_dtype(s->x));
  if (n * row > AHEAD_MOST) n = 0;
  s->ctx->ahead =
      (swi_ahead){.rows = sw_tensor_data(s->x), .index = index, .n = n, .row_bytes = row};
}

void swi_source_forget(const sw_source *s) { s->ctx->ahead = (swi_ahead){0}; }
