/* optimizer.c: the row of each native optimizer. Their arithmetic is in kernels/body_update.h. */
#include "train/optimizer_int.h"

#include <math.h>
#include <string.h>

/* -------------------------------------------------------------- rows */

static const sw_field sgd_fields[] = {
    {.name = "dampening",
     .type = SW_FIELD_NUMBER,
     .offset = offsetof(sw_optimizer_options, dampening),
     .fallback = 0,
     .range = {0, 1, 0}},
    {.name = "nesterov", .type = SW_FIELD_FLAG, .offset = offsetof(sw_optimizer_options, nesterov)},
    {.name = NULL}};

static sw_status check_sgd(sw_context *ctx, const sw_optimizer_options *o) {
  if (!o->nesterov || o->dampening == 0) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "sgd: nesterov allows no dampening, got %g", o->dampening);
}

static const sw_optimizer_row row_sgd = {.name = "sgd",
                                         .moment = {"momentum"},
                                         .only_with_momentum = 1,
                                         .decay_in_gradient = 1,
                                         .momentum_range = {0, 1, 0},
                                         .fields = sgd_fields,
                                         .check = check_sgd};

static const sw_field adam_fields[] = {
    {.name = "beta2",
     .type = SW_FIELD_NUMBER,
     .offset = offsetof(sw_optimizer_options, beta2),
     .fallback = 0.999,
     .range = {0, 1, 1}},
    {.name = "eps", /* added to the root of the corrected second moment */
     .type = SW_FIELD_NUMBER,
     .offset = offsetof(sw_optimizer_options, eps),
     .fallback = 1e-8,
     .range = {0, HUGE_VAL, 1}},
    {.name = NULL}};

static const sw_optimizer_row row_adam = {.name = "adam", /* weight decay goes into the gradient */
                                          .moment = {"exp_avg", "exp_avg_sq"},
                                          .decay_in_gradient = 1,
                                          .momentum = 0.9, /* beta1 */
                                          .momentum_range = {0, 1, 1},
                                          .fields = adam_fields};

static const sw_optimizer_row row_adamw = {.name = "adamw", /* weight decay is apart from it */
                                           .moment = {"exp_avg", "exp_avg_sq"},
                                           .momentum = 0.9,
                                           .momentum_range = {0, 1, 1},
                                           .fields = adam_fields};

static const sw_optimizer_row row_none = {
    .name = "none", .external = 1, .momentum_range = {0, 1, 0}};

static const sw_optimizer_row *const rows[SW_OPTIMIZER_COUNT] = {
#define OPTIMIZER(name) [SW_OPTIMIZER_##name] = &row_##name,
#include "kernels/optimizers.def"
};

const sw_optimizer_row *sw_optimizer_row_of(int kind) {
  return kind >= 0 && kind < SW_OPTIMIZER_COUNT ? rows[kind] : NULL;
}

/* -------------------------------------------------------------- options */

sw_optimizer_options sw_optimizer_defaults(sw_optimizer_kind kind) {
  sw_optimizer_options o = {.kind = kind};
  for (const sw_field *f = rows[kind]->fields; f && f->name; f++) sw_field_default(f, &o);
  return o;
}

sw_status swi_optimizer_check(sw_context *ctx, const sw_optimizer_options *o) {
  const sw_optimizer_row *row = sw_optimizer_row_of((int)o->kind);
  if (!row) return sw_fail(ctx, SW_EARG, "optimizer: unknown kind %d", (int)o->kind);
  for (const sw_field *f = row->fields; f && f->name; f++)
    SW_TRY(sw_field_check(ctx, row->name, f, o));
  return row->check ? row->check(ctx, o) : SW_OK;
}

sw_status swi_optimizer_check_hyper(sw_context *ctx, sw_optimizer_kind kind,
                                    const double hyper[SW_HYPER_COUNT]) {
  const sw_optimizer_row *row = rows[kind];
  return sw_interval_check(ctx, row->name, "momentum", row->momentum_range,
                           hyper[SW_HYPER_MOMENTUM]);
}

int sw_optimizer_moments(sw_optimizer_kind kind, double momentum) {
  const sw_optimizer_row *row = rows[kind];
  int n = 0;
  if (row->only_with_momentum && !(momentum > 0)) return 0;
  while (n < SW_MOMENTS && row->moment[n]) n++;
  return n;
}

/* -------------------------------------------------------------- updates */

swi_update swi_update_of(const sw_optimizer_options *o, const double hyper[SW_HYPER_COUNT]) {
  return (swi_update){.lr = hyper[SW_HYPER_LR],
                      .momentum = hyper[SW_HYPER_MOMENTUM],
                      .weight_decay = hyper[SW_HYPER_WEIGHT_DECAY],
                      .dampening = o->dampening,
                      .beta2 = o->beta2,
                      .eps = o->eps,
                      .nesterov = o->nesterov,
                      .grad_scale = 1,
                      .step = 1};
}

static void *advanced(const void *p, int64_t bytes) {
  return p ? (char *)(uintptr_t)p + bytes : NULL;
}

double swi_update_piece(const swi_kernels *k, sw_optimizer_kind kind, const swi_update *u,
                        const swi_vectors *v, int64_t first, int64_t n) {
  int64_t at = first * k->element_bytes;
  void *moment[SW_MOMENTS];
  for (int i = 0; i < SW_MOMENTS; i++) moment[i] = advanced(v->moment[i], at);
  return k->update[kind](n, advanced(v->w, at), moment, advanced(v->g, at), u);
}
