/* update kernels: the optimizers of every table against plain double arithmetic. */
#include "small_operands.h"

/* The new weight, in double; updates the moments. */
typedef double exact_update(const swi_update *u, double w, double m[2], double g);

static double sgd_exact(const swi_update *u, double w, double m[2], double g) {
  const double d = u->grad_scale * g + u->weight_decay * w;
  if (u->momentum == 0) return w - u->lr * d;
  m[0] = u->first ? d : u->momentum * m[0] + (1 - u->dampening) * d;
  return w - u->lr * (u->nesterov ? d + u->momentum * m[0] : m[0]);
}

static double adam_step(const swi_update *u, double w, double m[2], double g) {
  const double beta1 = u->momentum, step = (double)u->step;
  for (int i = 0; i < 2 && u->first; i++) m[i] = 0;
  m[0] = beta1 * m[0] + (1 - beta1) * g;
  m[1] = u->beta2 * m[1] + (1 - u->beta2) * g * g;
  const double root = sqrt(m[1] / (1 - pow(u->beta2, step)));
  return w - u->lr / (1 - pow(beta1, step)) * m[0] / (root + u->eps);
}

static double adam_exact(const swi_update *u, double w, double m[2], double g) {
  return adam_step(u, w, m, u->grad_scale * g + u->weight_decay * w);
}

static double adamw_exact(const swi_update *u, double w, double m[2], double g) {
  return adam_step(u, w - u->lr * u->weight_decay * w, m, u->grad_scale * g);
}

static double none_exact(const swi_update *u, double w, double m[2], double g) {
  (void)u, (void)m, (void)g;
  return w;
}

static const struct {
  exact_update *exact;
  int moments;
} updates[SWI_OPTIMIZER_COUNT] = {
    [SWI_OPTIMIZER_sgd] = {sgd_exact, 1},
    [SWI_OPTIMIZER_adam] = {adam_exact, 2},
    [SWI_OPTIMIZER_adamw] = {adamw_exact, 2},
    [SWI_OPTIMIZER_none] = {none_exact, 0},
};

/* Operands: the weights, two moments, the gradient. */
static void update_case(int which, int64_t n, const swi_update *u) {
  static double exact[3][MAX];
  void *const moment[] = {operand(1), operand(2)};
  double squares = 0;
  for (int i = 0; i < 4; i++) randomise(operand(i), n, 0);
  for (int64_t i = 0; i < n; i++) {
    const double g = get(operand(3), i);
    set(operand(2), i, fabs(get(operand(2), i))); /* as Adam's second moment is */
    double m[2] = {get(operand(1), i), get(operand(2), i)};
    exact[0][i] = updates[which].exact(u, get(operand(0), i), m, g);
    for (int at = 0; at < 2; at++) exact[1 + at][i] = m[at];
    /* nothing there yet: must not be read */
    for (int at = 0; at < updates[which].moments && u->first; at++)
      if (u->momentum != 0) set(operand(1 + at), i, (double)NAN);
    squares += g * g;
  }
  for (int i = 0; i < 3; i++) set_canary(operand(i), n);
  const double got = k->update[which](n, operand(0), moment, operand(3), u);
  CHECK_NEAR(got, squares, 110 * half_ulp * squares);
  for (int i = 0; i < 3; i++) check_canary(operand(i), n);
  /* some ten roundings of numbers below 16, of a quotient that is at most 30 */
  for (int i = 0; i < 3; i++)
    for (int64_t j = 0; j < n; j++) CHECK_NEAR(get(operand(i), j), exact[i][j], 300 * half_ulp);
}

static void updates_body(int64_t n) {
  for (int which = 0; which < SWI_OPTIMIZER_COUNT; which++)
    for (int bits = 0; bits < 32; bits++) {
      const swi_update u = {.lr = 0.01,
                            .momentum = bits & 1 ? 0.9 : 0,
                            .weight_decay = bits & 4 ? 0.1 : 0,
                            .dampening = bits & 2 ? 0.3 : 0,
                            .beta2 = bits & 2 ? 0.999 : 0.9,
                            .eps = 1e-8,
                            .nesterov = (bits & 8) != 0,
                            .step = bits & 16 ? 1 : 7,
                            .first = n % 3 == 1,
                            .grad_scale = n % 2 ? 1 : 0.3};
      update_case(which, n, &u);
    }
}

TEST(an_optimizer_has_an_exact_update) {
  static const char *const names[] = {
#define OPTIMIZER(name) #name,
#include "kernels/optimizers.def"
  };
  for (int which = 0; which < SWI_OPTIMIZER_COUNT; which++)
    if (!updates[which].exact) fail_msg("updates has no row for %s", names[which]);
}

TEST(exact_updates) { everywhere(updates_body); }

RUN_TESTS(T(an_optimizer_has_an_exact_update), T(exact_updates))
