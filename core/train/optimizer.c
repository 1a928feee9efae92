/* optimizer.c: the update rules, on pieces of flat vectors. */
#include "train/optimizer_int.h"

#include <math.h>

#include "kernels/kernels_int.h"

sw_status swi_optimizer_check(sw_context *ctx, const sw_optimizer_options *o) {
  if (o->kind == SW_OPTIMIZER_SGD) {
    if (!(o->dampening >= 0 && o->dampening <= 1))
      return sw_fail(ctx, SW_ERANGE, "sgd: dampening must be 0 to 1, got %g", o->dampening);
    if (o->nesterov && o->dampening > 0)
      return sw_fail(ctx, SW_ERANGE, "sgd: nesterov allows no dampening, got %g", o->dampening);
    return SW_OK;
  }
  if (o->kind != SW_OPTIMIZER_ADAM && o->kind != SW_OPTIMIZER_ADAMW)
    return sw_fail(ctx, SW_EARG, "optimizer: unknown kind %d", (int)o->kind);
  if (!(o->beta2 >= 0 && o->beta2 < 1))
    return sw_fail(ctx, SW_ERANGE, "adam: beta2 must be 0 or more and below 1, got %g", o->beta2);
  if (!(o->eps >= 0 && isfinite(o->eps)))
    return sw_fail(ctx, SW_ERANGE, "adam: eps must be finite and not negative, got %g", o->eps);
  return SW_OK;
}

static int is_sgd(const swi_rule *r) { return r->optimizer->kind == SW_OPTIMIZER_SGD; }

sw_status swi_rule_check(sw_context *ctx, const swi_rule *r) {
  const double number[] = {r->lr, r->momentum, r->weight_decay};
  const char *const name[] = {"lr", "momentum", "weight_decay"};
  for (int i = 0; i < 3; i++)
    if (!(number[i] >= 0 && isfinite(number[i])))
      return sw_fail(ctx, SW_ERANGE, "%s must be finite and not negative, got %g", name[i],
                     number[i]);
  if (is_sgd(r) || r->momentum < 1) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "adam: momentum (beta1) must be below 1, got %g", r->momentum);
}

int swi_rule_moments(const swi_rule *r) { return is_sgd(r) ? r->momentum > 0 : 2; }

const char *swi_moment_name(const sw_optimizer_options *o, int i) {
  if (o->kind == SW_OPTIMIZER_SGD) return "momentum";
  return i == 0 ? "exp_avg" : "exp_avg_sq";
}

/* Nesterov without momentum, where a schedule goes that far, is the plain update. */
static double sgd(const swi_kernels *k, const swi_rule *r, int64_t n, const swi_slices *s) {
  const swi_sgd_hyper h = {.lr = r->lr,
                           .momentum = r->momentum,
                           .dampening = r->optimizer->dampening,
                           .weight_decay = r->weight_decay,
                           .nesterov = r->optimizer->nesterov && r->momentum > 0,
                           .first = r->first,
                           .grad_scale = r->grad_scale};
  return k->sgd(n, s->w, s->moment[0], s->g, &h);
}

/* Where beta1 is scheduled, beta1^t is that of the present value, as in PyTorch. */
static double adam(const swi_kernels *k, const swi_rule *r, int64_t n, const swi_slices *s) {
  const swi_adam_hyper h = {.lr = r->lr,
                            .beta1 = r->momentum,
                            .beta2 = r->optimizer->beta2,
                            .eps = r->optimizer->eps,
                            .weight_decay = r->weight_decay,
                            .decoupled = r->optimizer->kind == SW_OPTIMIZER_ADAMW,
                            .step = r->step,
                            .grad_scale = r->grad_scale};
  return k->adam(n, s->w, s->moment[0], s->moment[1], s->g, &h);
}

double swi_rule_update(const swi_kernels *k, const swi_rule *r, int64_t n, const swi_slices *s) {
  return is_sgd(r) ? sgd(k, r, n, s) : adam(k, r, n, s);
}
