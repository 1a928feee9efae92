/* lbfgsb.c: the reverse communication of L-BFGS-B. */
#include "measure/lbfgsb.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc_int.h"
#include "measure/library_int.h"

enum { TEXT = 60, LSAVE = 4, ISAVE = 44, DSAVE = 29, MOST_MEMORY = 100 };

/* Fortran's interface: the lengths of texts at the end. A LOGICAL is an int. */
typedef void setulb(const int *n, const int *m, double *x, const double *l, const double *u,
                    const int *nbd, double *f, double *g, const double *factr, const double *pgtol,
                    double *wa, int *iwa, char *task, const int *iprint, char *csave, int *lsave,
                    int *isave, double *dsave, size_t, size_t);

struct sw_lbfgsb {
  sw_context *ctx;
  swi_library library;
  setulb *setulb;
  int n, m;
  double factr, pgtol, f;
  sw_tensor *x, *gradient, *lower, *upper; /* n */
  int *nbd;                                /* n */
  double *wa;
  int *iwa;
  int64_t wa_length;
  int asked; /* value and gradient are waited for */
  char task[TEXT], csave[TEXT], reason[TEXT + 1];
  int lsave[LSAVE], isave[ISAVE];
  double dsave[DSAVE];
};

static double *elements(const sw_tensor *t) { return (double *)(uintptr_t)sw_tensor_data(t); }

/* ---- making */

static sw_status check_vector(sw_context *ctx, const sw_tensor *t, const char *what, int64_t n) {
  char text[96];
  if (sw_tensor_dtype(t) != SW_F64)
    return sw_fail(ctx, SW_EDTYPE, "lbfgsb: %s must be float64, got %s", what,
                   sw_dtype_name(sw_tensor_dtype(t)));
  if (sw_tensor_shape(t)->ndim != 1 || sw_tensor_numel(t) != n || n < 1)
    return sw_fail(ctx, SW_ESHAPE, "lbfgsb: %s must be a vector of %" PRId64 " elements, got %s",
                   what, n < 1 ? 1 : n, sw_shape_text(sw_tensor_shape(t), text, sizeof text));
  return SW_OK;
}

static int64_t wa_length(int64_t n, int64_t m) { return (2 * m + 5) * n + 11 * m * m + 8 * m; }

static sw_status check_options(sw_context *ctx, const sw_lbfgsb_options *o, int64_t n) {
  if (o->memory < 1 || o->memory > MOST_MEMORY)
    return sw_fail(ctx, SW_ERANGE, "lbfgsb: memory must be from 1 to %d, got %" PRId64, MOST_MEMORY,
                   o->memory);
  if (!(o->tolerance >= 0) || !(o->decrease >= 0))
    return sw_fail(ctx, SW_ERANGE,
                   "lbfgsb: tolerance and decrease must be 0 or more, got %g and %g", o->tolerance,
                   o->decrease);
  if (n > INT_MAX / 4 || wa_length(n, o->memory) > INT_MAX)
    return sw_fail(ctx, SW_ERANGE,
                   "lbfgsb: %" PRId64 " variables are too many for memory = %" PRId64, n,
                   o->memory);
  return SW_OK;
}

static sw_status open_library(sw_lbfgsb *s) {
  s->library = (swi_library){.who = "lbfgsb",
                             .file = "liblbfgsb.so.0",
                             .package = "Debian and Ubuntu: apt install liblbfgsb0"};
  SW_TRY(swi_library_open(s->ctx, &s->library));
  return swi_library_find(s->ctx, &s->library, "setulb_", &s->setulb);
}

static sw_status copy_bound(sw_lbfgsb *s, const sw_tensor *bound, const char *what, double open,
                            sw_tensor **own) {
  if (bound) {
    SW_TRY(check_vector(s->ctx, bound, what, s->n));
    return sw_tensor_clone(bound, own);
  }
  SW_TRY(sw_tensor_new(s->ctx, SW_F64, sw_tensor_shape(s->x), own));
  return sw_tensor_fill(*own, open);
}

static sw_status set_bounds(sw_lbfgsb *s) {
  double *x = elements(s->x);
  const double *l = elements(s->lower), *u = elements(s->upper);
  for (int i = 0; i < s->n; i++) {
    if (!(l[i] <= u[i]) || l[i] == HUGE_VAL || u[i] == -HUGE_VAL)
      return sw_fail(s->ctx, SW_EARG, "lbfgsb: no number is between the bounds %d, %g and %g",
                     i + 1, l[i], u[i]);
    if (!isfinite(x[i]))
      return sw_fail(s->ctx, SW_EARG, "lbfgsb: element %d of x0 is not finite (%g)", i + 1, x[i]);
    x[i] = fmin(fmax(x[i], l[i]), u[i]);
    const int has_lower = l[i] > -HUGE_VAL, has_upper = u[i] < HUGE_VAL;
    s->nbd[i] = has_lower ? (has_upper ? 2 : 1) : has_upper ? 3 : 0;
  }
  return SW_OK;
}

static size_t whole_bytes(const sw_lbfgsb *s, int each) {
  return (size_t)each * (size_t)s->n * sizeof(int);
}

static size_t wa_bytes(const sw_lbfgsb *s) { return (size_t)s->wa_length * sizeof(double); }

static sw_status allocate(sw_lbfgsb *s, const sw_tensor *x0) {
  SW_TRY(sw_tensor_clone(x0, &s->x));
  SW_TRY(sw_tensor_new(s->ctx, SW_F64, sw_tensor_shape(x0), &s->gradient));
  s->nbd = swi_alloc_zeroed(s->ctx, whole_bytes(s, 1));
  s->iwa = swi_alloc_zeroed(s->ctx, whole_bytes(s, 3));
  s->wa = swi_alloc_zeroed(s->ctx, wa_bytes(s));
  return s->nbd && s->iwa && s->wa ? SW_OK : SW_ENOMEM;
}

static sw_status begin(sw_lbfgsb *s, const sw_tensor *x0, const sw_tensor *lower,
                       const sw_tensor *upper) {
  SW_TRY(open_library(s));
  SW_TRY(allocate(s, x0));
  SW_TRY(copy_bound(s, lower, "lower", -HUGE_VAL, &s->lower));
  SW_TRY(copy_bound(s, upper, "upper", HUGE_VAL, &s->upper));
  return set_bounds(s);
}

static void set_task(sw_lbfgsb *s, const char *word) {
  memset(s->task, ' ', TEXT);
  memcpy(s->task, word, strlen(word));
}

sw_status sw_lbfgsb_new(sw_context *ctx, const sw_lbfgsb_options *o, const sw_tensor *x0,
                        const sw_tensor *lower, const sw_tensor *upper, sw_lbfgsb **out) {
  const int64_t n = sw_tensor_numel(x0);
  SW_TRY(check_vector(ctx, x0, "x0", n));
  SW_TRY(check_options(ctx, o, n));
  sw_lbfgsb *s = swi_alloc_zeroed(ctx, sizeof *s);
  if (!s) return SW_ENOMEM;
  *s = (sw_lbfgsb){.ctx = sw_context_retain(ctx),
                   .n = (int)n,
                   .m = (int)o->memory,
                   .wa_length = wa_length(n, o->memory),
                   .factr = o->decrease / DBL_EPSILON,
                   .pgtol = o->tolerance};
  set_task(s, "START");
  memset(s->csave, ' ', TEXT);
  const sw_status status = begin(s, x0, lower, upper);
  if (status == SW_OK)
    *out = s;
  else
    sw_lbfgsb_free(s);
  return status;
}

void sw_lbfgsb_free(sw_lbfgsb *s) {
  if (!s) return;
  sw_context *ctx = s->ctx;
  sw_tensor_free(s->x);
  sw_tensor_free(s->gradient);
  sw_tensor_free(s->lower);
  sw_tensor_free(s->upper);
  swi_free(ctx, s->nbd, whole_bytes(s, 1));
  swi_free(ctx, s->iwa, whole_bytes(s, 3));
  swi_free(ctx, s->wa, wa_bytes(s));
  swi_library_close(&s->library);
  swi_free(ctx, s, sizeof *s);
  sw_context_release(ctx);
}

/* ---- minimising */

const sw_tensor *sw_lbfgsb_x(const sw_lbfgsb *s) { return s->x; }
sw_tensor *sw_lbfgsb_gradient(const sw_lbfgsb *s) { return s->gradient; }
const char *sw_lbfgsb_reason(const sw_lbfgsb *s) { return s->reason; }

static sw_status take_value(sw_lbfgsb *s, double value) {
  const double *g = elements(s->gradient);
  if (!isfinite(value))
    return sw_fail(s->ctx, SW_ENAN, "lbfgsb: the value is not finite (%g)", value);
  for (int i = 0; i < s->n; i++)
    if (!isfinite(g[i]))
      return sw_fail(s->ctx, SW_ENAN, "lbfgsb: element %d of the gradient is not finite (%g)",
                     i + 1, g[i]);
  s->f = value;
  return SW_OK;
}

/* Fortran fills its texts with spaces. */
static void keep_reason(sw_lbfgsb *s) {
  int length = TEXT;
  while (length > 0 && s->task[length - 1] == ' ') length--;
  memcpy(s->reason, s->task, (size_t)length);
  s->reason[length] = '\0';
}

static int task_is(const sw_lbfgsb *s, const char *word) {
  return strncmp(s->task, word, strlen(word)) == 0;
}

static sw_status read_task(sw_lbfgsb *s, sw_lbfgsb_task *task) {
  static const char *const words[SW_LBFGSB_TASK_COUNT] = {[SW_LBFGSB_EVALUATE] = "FG",
                                                          [SW_LBFGSB_ITERATE] = "NEW_X",
                                                          [SW_LBFGSB_CONVERGED] = "CONV",
                                                          [SW_LBFGSB_ABNORMAL] = "ABNO"};
  for (int i = 0; i < SW_LBFGSB_TASK_COUNT; i++)
    if (task_is(s, words[i])) {
      s->asked = i == SW_LBFGSB_EVALUATE;
      *task = (sw_lbfgsb_task)i;
      return SW_OK;
    }
  return sw_fail(s->ctx, SW_EARG, "lbfgsb: the library refused: %s", s->reason);
}

/* Whether the square of the gradient within the bounds is 0, or that gradient is rounding beside
 * the whole gradient and too small to move x. The library would search along a direction of slope 0
 * and print that it ascends. */
static int is_stationary(const sw_lbfgsb *s) {
  const double *x = elements(s->x), *g = elements(s->gradient);
  const double *l = elements(s->lower), *u = elements(s->upper);
  double within = 0, all = 0;
  int moves = 0;
  for (int i = 0; i < s->n; i++) {
    const double slope = g[i] < 0 ? fmax(x[i] - u[i], g[i]) : fmin(x[i] - l[i], g[i]);
    within = fmax(within, fabs(slope));
    all = fmax(all, fabs(g[i]));
    moves |= x[i] - slope != x[i];
  }
  return within * within == 0 || (!moves && within <= DBL_EPSILON * all);
}

sw_status sw_lbfgsb_step(sw_lbfgsb *s, double value, sw_lbfgsb_task *task) {
  const int silent = -1;
  if (s->asked) SW_TRY(take_value(s, value));
  if ((task_is(s, "FG_START") || task_is(s, "NEW_X")) && is_stationary(s))
    set_task(s, "CONVERGENCE: NO SLOPE WITHIN THE BOUNDS");
  if (!task_is(s, "CONV") && !task_is(s, "ABNO"))
    s->setulb(&s->n, &s->m, elements(s->x), elements(s->lower), elements(s->upper), s->nbd, &s->f,
              elements(s->gradient), &s->factr, &s->pgtol, s->wa, s->iwa, s->task, &silent,
              s->csave, s->lsave, s->isave, s->dsave, TEXT, TEXT);
  keep_reason(s);
  return read_task(s, task);
}
