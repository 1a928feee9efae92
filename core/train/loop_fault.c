/* loop_fault.c: finding values that are not finite, and the message. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "kernels/inner_int.h"
#include "train/loop_int.h"

int swi_is_finite(const swi_kernels *k, const sw_tensor *v) {
  return !isnan(k->squares(sw_tensor_numel(v), sw_tensor_data(v)));
}

/* A sum of squares of float32 always fits a double; one of float64 may not. */
double swi_gradient_norm(const sw_loop *l, double squares) {
  if (l->real == SW_F32 || isnan(squares) || (squares >= 0x1p-956 && squares <= DBL_MAX))
    return sqrt(squares);
  const char *g = sw_tensor_data(l->gradient);
  double norm = 0;
  for (int i = 0; i < swi_ranges_count(l->ranges); i++) {
    const sw_range *r = swi_ranges_get(l->ranges, i);
    if (r->frozen) continue;
    norm = hypot(norm, swi_vector_norm(l->k, r->length, g + r->first * l->k->element_bytes));
  }
  return norm;
}

int swi_first_odd(const sw_loop *l, int begin, int end) {
  int i = begin;
  while (i < end && swi_ranges_sum(l->ranges, i) >= 0) i++;
  return i;
}

/* A NaN without a sign, as printf prints the sign: "-nan". */
static double plain_nan(double x) { return isnan(x) ? (double)NAN : x; }

static sw_status tell_loss(const sw_loop *l) {
  const sw_loop_state *s = &l->state;
  char last[64] = "";
  if (s->step > 0)
    snprintf(last, sizeof last, "last finite %.6g at step %lld; ", s->loss, (long long)s->step);
  return sw_fail(l->ctx, SW_ENAN, "step %lld: the loss is %g (%slr %g, gradient norm %.3g)",
                 (long long)s->bad_step, s->bad_loss, last, s->hyper[SW_HYPER_LR],
                 s->bad_grad_norm);
}

static sw_status tell(const sw_loop *l) {
  static const char *const subject[SW_FAULT_COUNT] = {[SW_FAULT_GRADIENT] = "gradient is",
                                                      [SW_FAULT_WEIGHTS] = "updated weights are",
                                                      [SW_FAULT_BUFFERS] =
                                                          "running statistics are"};
  const sw_loop_state *s = &l->state;
  char where[32] = "";
  if (s->fault == SW_FAULT_LOSS) return tell_loss(l);
  if (s->bad_range >= 0) snprintf(where, sizeof where, " in segment %d", s->bad_range + 1);
  return sw_fail(l->ctx, SW_ENAN,
                 "step %lld: the %s not finite%s (loss %.6g, lr %g, gradient norm %.3g)",
                 (long long)s->bad_step, subject[s->fault], where, s->bad_loss,
                 s->hyper[SW_HYPER_LR], s->bad_grad_norm);
}

sw_status swi_refuse(sw_loop *l, const swi_outcome *o) {
  sw_loop_state *s = &l->state;
  double squares = l->k->squares(sw_tensor_numel(l->gradient), sw_tensor_data(l->gradient));
  s->fault = o->fault;
  s->bad_step = s->step + 1;
  s->bad_range = o->range;
  s->bad_loss = plain_nan(o->loss);
  s->bad_grad_norm = plain_nan(sqrt(squares));
  return tell(l);
}

int sw_loop_is_spoiled(const sw_loop *l) { return l->state.fault > SW_FAULT_LOSS; }

/* -------------------------------------------------------------- what others wrote */

static int first_odd_range(const sw_loop *l) {
  const char *w = sw_tensor_data(l->weights);
  int n = swi_ranges_count(l->ranges), i = 0;
  for (; i < n; i++) {
    const sw_range *r = swi_ranges_get(l->ranges, i);
    if (isnan(l->k->squares(r->length, w + r->first * l->k->element_bytes))) break;
  }
  return i;
}

sw_status sw_loop_check(sw_loop *l) {
  sw_loop_state *s = &l->state;
  int weights = swi_is_finite(l->k, l->weights);
  if (weights && (!l->buffers || swi_is_finite(l->k, l->buffers))) return SW_OK;
  s->fault = weights ? SW_FAULT_BUFFERS : SW_FAULT_WEIGHTS;
  s->bad_step = s->step;
  s->bad_range = weights ? -1 : first_odd_range(l);
  s->bad_loss = s->loss;
  s->bad_grad_norm = s->grad_norm;
  return tell(l);
}
