/* feed.c: rows of a source through a program. */
#include "train/feed_int.h"

enum { FEATURES, LABELS, SLOTS };

/* (batch, …) with that many elements an example? */
static int holds_rows(const sw_type *t, int64_t elements) {
  if (t->ndim < 1 || !t->dim[0].batch || t->dim[0].n != 1) return 0;
  int64_t product = 1;
  for (int i = 1; i < t->ndim; i++) product *= t->dim[i].n;
  return product == elements;
}

static sw_status check_slot(sw_context *ctx, const sw_type *t, const char *what, sw_kind kind,
                            int64_t elements) {
  char text[128];
  if (!t) return SW_OK; /* nothing reads it */
  if (elements == 0) return sw_fail(ctx, SW_EARG, "the program reads %s, the data has none", what);
  if (t->kind != kind)
    return sw_fail(ctx, SW_EDTYPE, "the program reads %s as %s, the data has %s", what,
                   t->kind == SW_INDEX ? "indices" : "real numbers",
                   kind == SW_INDEX ? "class indices" : "real numbers");
  if (!holds_rows(t, elements))
    return sw_fail(ctx, SW_ESHAPE, "the program reads %s of shape %s, the data has %lld an example",
                   what, sw_type_text(t, text, sizeof text), (long long)elements);
  return SW_OK;
}

/* v: given, or NULL; need: elements that the program reads or writes. */
static sw_status check_vector(sw_context *ctx, const sw_program *p, const char *what,
                              const sw_tensor *v, int64_t need) {
  if (!v && need > 0)
    return sw_fail(ctx, SW_EARG, "the program has buffers (elements 1 to %lld), none were given",
                   (long long)need);
  if (!v) return SW_OK;
  if (!sw_tensor_is_contiguous(v))
    return sw_fail(ctx, SW_ESHAPE, "the %s must be contiguous", what);
  if (sw_program_dtype(p) != sw_tensor_dtype(v))
    return sw_fail(ctx, SW_EDTYPE, "the %s are %s, the program is %s", what,
                   sw_dtype_name(sw_tensor_dtype(v)), sw_dtype_name(sw_program_dtype(p)));
  if (need > sw_tensor_numel(v))
    return sw_fail(ctx, SW_ESHAPE, "the program needs %lld %s, got %lld", (long long)need, what,
                   (long long)sw_tensor_numel(v));
  return SW_OK;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static sw_status check_vectors(sw_context *ctx, const sw_program *p, const sw_tensor *weights,
                               const sw_tensor *buffers) {
  SW_TRY(check_vector(
      ctx, p, "weights", weights,
      larger(sw_program_vector_extent(p, SWI_WEIGHTS), sw_program_output_extent(p, SW_TO_OUT))));
  SW_TRY(check_vector(
      ctx, p, "buffers", buffers,
      larger(sw_program_vector_extent(p, SWI_BUFFERS), sw_program_output_extent(p, SW_TO_STATE))));
  for (int slot = SWI_FED_VECTORS; slot < sw_program_vectors(p); slot++)
    if (sw_program_vector_extent(p, slot) > 0)
      return sw_fail(ctx, SW_EARG,
                     "the program has params in vector %d, there are weights (1) and buffers (2)",
                     slot + 1);
  return SW_OK;
}

sw_status swi_feed_check(sw_context *ctx, const sw_program *p, const sw_source *source,
                         const sw_tensor *weights, const sw_tensor *buffers) {
  SW_TRY(check_vectors(ctx, p, weights, buffers));
  for (int slot = SLOTS; slot < sw_program_inputs(p); slot++)
    if (sw_program_input_type(p, slot))
      return sw_fail(ctx, SW_EARG,
                     "the program reads an input %d, the data gives features (1) and labels (2)",
                     slot + 1);
  int slots = sw_program_inputs(p);
  const sw_type *x = slots > FEATURES ? sw_program_input_type(p, FEATURES) : NULL;
  const sw_type *y = slots > LABELS ? sw_program_input_type(p, LABELS) : NULL;
  SW_TRY(check_slot(ctx, x, "features", sw_source_has_indices(source) ? SW_INDEX : SW_REAL,
                    sw_source_features(source)));
  return check_slot(ctx, y, "labels", sw_source_has_classes(source) ? SW_INDEX : SW_REAL,
                    sw_source_target_features(source));
}

sw_status swi_feed_run(sw_workspace *w, const sw_source *source, const int32_t *index, int64_t n,
                       const sw_draw *draw, const sw_run *run, const sw_updater *updater) {
  sw_dtype real = sw_program_dtype(sw_workspace_program(w));
  sw_source_gather(source, index, n, sw_dtype_bytes(real), draw, sw_workspace_input(w, FEATURES),
                   sw_workspace_input(w, LABELS));
  return sw_workspace_run_updating(w, run, updater);
}

double swi_feed_sum(double sum, const void *x, int64_t n, sw_dtype real) {
  if (real == SW_F32)
    for (int64_t i = 0; i < n; i++) sum += (double)((const float *)x)[i];
  else
    for (int64_t i = 0; i < n; i++) sum += ((const double *)x)[i];
  return sum;
}
