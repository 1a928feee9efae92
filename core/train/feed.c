/* feed.c: rows of a source through a program. */
#include "train/feed.h"

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

sw_status swi_feed_check(sw_context *ctx, const sw_program *p, const sw_source *source) {
  for (int slot = SLOTS; slot < sw_program_inputs(p); slot++)
    if (sw_program_input_type(p, slot))
      return sw_fail(ctx, SW_EARG,
                     "the program reads an input %d, the data gives features (0) and labels (1)",
                     slot);
  int slots = sw_program_inputs(p);
  const sw_type *x = slots > FEATURES ? sw_program_input_type(p, FEATURES) : NULL;
  const sw_type *y = slots > LABELS ? sw_program_input_type(p, LABELS) : NULL;
  SW_TRY(check_slot(ctx, x, "features", sw_source_has_indices(source) ? SW_INDEX : SW_REAL,
                    sw_source_features(source)));
  return check_slot(ctx, y, "labels", sw_source_has_classes(source) ? SW_INDEX : SW_REAL,
                    sw_source_target_features(source));
}

sw_status swi_feed_run(sw_workspace *w, const sw_source *source, const int32_t *index, int64_t n,
                       const sw_tensor *weights, void *out, const sw_updater *updater) {
  const void *vectors[] = {sw_tensor_data(weights)};
  sw_source_gather(source, index, n, sw_dtype_bytes(sw_tensor_dtype(weights)), NULL,
                   sw_workspace_input(w, FEATURES), sw_workspace_input(w, LABELS));
  return sw_workspace_run_updating(w, vectors, 1, out, updater);
}

double swi_feed_sum(double sum, const void *x, int64_t n, sw_dtype real) {
  if (real == SW_F32)
    for (int64_t i = 0; i < n; i++) sum += (double)((const float *)x)[i];
  else
    for (int64_t i = 0; i < n; i++) sum += ((const double *)x)[i];
  return sum;
}
