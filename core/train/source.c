/* source.c: rows of a data set into a program's inputs. */
#include "train/source.h"

#include "base/alloc.h"
#include "base/context_int.h"
#include "base/parallel.h"
#include "kernels/kernels.h"

/* Elements a piece, some 80 microseconds: below this a second thread costs more than it saves. */
enum { PIECE_ELEMENTS = 1 << 18 };

struct sw_source {
  sw_context *ctx;
  sw_tensor *x, *y; /* views; y is NULL without labels */
  int64_t examples, features;
  int64_t target_features; /* 0: no labels */
  int has_classes;
  sw_tensor *scale[2], *shift[2]; /* as float32 and as float64; NULL: values as they are */
};

int64_t sw_source_examples(const sw_source *s) { return s->examples; }
int64_t sw_source_features(const sw_source *s) { return s->features; }
int64_t sw_source_target_features(const sw_source *s) { return s->target_features; }
int sw_source_has_classes(const sw_source *s) { return s->has_classes; }

/* -------------------------------------------------------------- making */

static sw_status take_x(sw_source *s, const sw_tensor *x) {
  sw_dtype dtype = sw_tensor_dtype(x);
  const sw_shape *shape = sw_tensor_shape(x);
  if (dtype != SW_U8 && dtype != SW_F32)
    return sw_fail(s->ctx, SW_EDTYPE, "source: x must be uint8 or float32, not %s",
                   sw_dtype_name(dtype));
  if (shape->ndim < 1 || shape->dim[0] < 1)
    return sw_fail(s->ctx, SW_ESHAPE, "source: x must hold one example or more (first axis)");
  if (shape->dim[0] > INT32_MAX)
    return sw_fail(s->ctx, SW_ESHAPE, "source: more than %d examples", INT32_MAX);
  if (!sw_tensor_is_contiguous(x))
    return sw_fail(s->ctx, SW_ESHAPE, "source: x must be contiguous");
  s->examples = shape->dim[0];
  s->features = sw_tensor_numel(x) / s->examples;
  return sw_tensor_view(x, &s->x);
}

static sw_status check_labels(const sw_source *s, int64_t classes) {
  const void *label = sw_tensor_data(s->y);
  int bytes = sw_tensor_dtype(s->y) == SW_U8;
  if (classes < 1)
    return sw_fail(s->ctx, SW_ERANGE, "source: labels need a number of classes, got %lld",
                   (long long)classes);
  for (int64_t i = 0; i < s->examples; i++) {
    int64_t c = bytes ? ((const uint8_t *)label)[i] : ((const int32_t *)label)[i];
    if (c < 0 || c >= classes)
      return sw_fail(s->ctx, SW_ERANGE,
                     "source: example %lld (the first is 0) has label %lld, classes are 0 to %lld",
                     (long long)i, (long long)c, (long long)classes - 1);
  }
  return SW_OK;
}

static sw_status take_y(sw_source *s, const sw_tensor *y, int64_t classes) {
  sw_dtype dtype = sw_tensor_dtype(y);
  const sw_shape *shape = sw_tensor_shape(y);
  if (dtype == SW_F64)
    return sw_fail(s->ctx, SW_EDTYPE,
                   "source: y must be int32 or uint8 labels, or float32 targets, not float64");
  if (shape->ndim < 1 || shape->dim[0] != s->examples)
    return sw_fail(s->ctx, SW_ESHAPE, "source: x has %lld examples, y has %lld",
                   (long long)s->examples, shape->ndim < 1 ? 1LL : (long long)shape->dim[0]);
  s->has_classes = dtype != SW_F32;
  if (s->has_classes && shape->ndim != 1)
    return sw_fail(s->ctx, SW_ESHAPE, "source: labels must have one axis, got %d", shape->ndim);
  SW_TRY(sw_tensor_contiguous(y, &s->y));
  s->target_features = sw_tensor_numel(y) / s->examples;
  return s->has_classes ? check_labels(s, classes) : SW_OK;
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
  SW_TRY(take_x(s, o->x));
  if (o->y) SW_TRY(take_y(s, o->y, o->classes));
  if (!o->scale) return SW_OK;
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
  const void *scale, *shift;
  char *to;
} gather;

static void gather_piece(void *arg, int64_t piece) {
  const gather *g = arg;
  int64_t first = piece * g->rows_a_piece, left = g->rows - first;
  int64_t rows = left < g->rows_a_piece ? left : g->rows_a_piece;
  const int32_t *index = g->index + first;
  void *to = g->to + first * g->cols * g->kernels->element_bytes;
  const void *from = sw_tensor_data(g->from);
  if (sw_tensor_dtype(g->from) == SW_U8)
    g->kernels->gather_u8(rows, g->cols, from, index, g->scale, g->shift, to);
  else
    g->kernels->gather_f32(rows, g->cols, from, index, g->scale, g->shift, to);
}

static void gather_rows(const sw_source *s, gather *g) {
  if (g->cols < 1 || g->rows < 1) return;
  g->rows_a_piece = g->cols < PIECE_ELEMENTS ? PIECE_ELEMENTS / g->cols : 1;
  swi_parallel(s->ctx, (g->rows + g->rows_a_piece - 1) / g->rows_a_piece, gather_piece, g);
}

static void gather_labels(const sw_source *s, const int32_t *index, int64_t n, int32_t *to) {
  const void *label = sw_tensor_data(s->y);
  if (sw_tensor_dtype(s->y) == SW_U8)
    for (int64_t i = 0; i < n; i++) to[i] = ((const uint8_t *)label)[index[i]];
  else
    for (int64_t i = 0; i < n; i++) to[i] = ((const int32_t *)label)[index[i]];
}

void sw_source_gather(const sw_source *s, const int32_t *index, int64_t n, int real_bytes, void *x,
                      void *y) {
  int wide = real_bytes == (int)sizeof(double);
  gather g = {.kernels = wide ? s->ctx->f64 : s->ctx->f32, .index = index, .rows = n};
  if (y && s->has_classes) {
    gather_labels(s, index, n, y);
  } else if (y && s->y) {
    g.from = s->y, g.cols = s->target_features, g.to = y;
    gather_rows(s, &g);
  }
  if (!x) return;
  g.from = s->x, g.cols = s->features, g.to = x;
  if (s->scale[wide]) {
    g.scale = sw_tensor_data(s->scale[wide]);
    g.shift = sw_tensor_data(s->shift[wide]);
  }
  gather_rows(s, &g);
}
