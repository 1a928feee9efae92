/* test_loop.c: the training step against the same step written by hand, on least squares. */
#include "base/parallel_int.h"
#include "least_squares.h"

/* -------------------------------------------------------------- the step by hand */

typedef struct hand {
  double w[F], m[F], g[F], loss, sum_sumsq;
  int has_momentum;
  sw_sampler *sampler;
} hand;

static void hand_gradient(hand *h, const problem *p, int64_t batch) {
  int32_t index[N];
  h->loss = h->sum_sumsq = 0;
  memset(h->g, 0, sizeof h->g);
  sw_sampler_next(h->sampler, batch, index);
  for (int64_t i = 0; i < batch; i++) {
    const float *x = p->x[index[i]];
    double residual = -(double)p->y[index[i]];
    for (int f = 0; f < F; f++) residual += h->w[f] * (double)x[f];
    h->loss += residual * residual / 2 / (double)batch;
    for (int f = 0; f < F; f++) {
      double gradient = residual * (double)x[f];
      h->g[f] += gradient / (double)batch;
      h->sum_sumsq += gradient * gradient;
    }
  }
}

static void hand_step(hand *h, const problem *p, int64_t batch, double lr, double momentum,
                      double decay) {
  hand_gradient(h, p, batch);
  for (int f = 0; f < F; f++) {
    double d = h->g[f] + decay * h->w[f];
    if (momentum > 0) d = h->m[f] = h->has_momentum ? momentum * h->m[f] + d : d;
    h->w[f] -= lr * d;
  }
  if (momentum > 0) h->has_momentum = 1;
}

static double norm(const double *x) { return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]); }

static sw_schedule *cyclic_rate(void) {
  const sw_schedule_spec spec = {
      .kind = SW_SCHEDULE_cyclic, .max = 0.2, .min = 0.05, .period = {2, SW_EPOCHS}};
  sw_schedule *s = NULL;
  CHECK_OK(ctx, sw_schedule_new(ctx, &spec, &s));
  return s;
}

/* Cyclic rate, a batch that grows and shrinks, momentum that comes, goes and comes again. */
TEST(test_is_the_step_by_hand) {
  problem p;
  make_problem(&p, SW_F64);
  hand h = {0};
  CHECK_OK(ctx, sw_sampler_new(ctx, &(sw_sampler_options){.examples = N, .seed = 5}, &h.sampler));
  sw_loop *l = loop_of(&p);
  sw_schedule *lr = cyclic_rate();
  sw_loop_set_schedule(l, SW_HYPER_LR, lr);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.01));
  int64_t examples = 0;
  for (int i = 0; i < 60; i++) {
    int64_t batch = i < 20 ? 3 : i < 40 ? 10 : 7;
    double momentum = i < 10 || (i >= 30 && i < 35) ? 0 : 0.9;
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, (double)batch + 0.5));
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, momentum));
    sw_progress at = {i, examples, examples + batch, N};
    hand_step(&h, &p, batch, sw_schedule_at(lr, &at), momentum, 0.01);
    advance(l, 1);
    assert_null(swi_ahead_of(ctx)); /* nothing is prefetched outside of a step */
    examples += batch;
    sw_loop_state s = state_of(l);
    assert_int_equal(s.step, i + 1);
    assert_int_equal(s.examples, examples);
    assert_int_equal((int64_t)s.hyper[SW_HYPER_BATCH_SIZE], batch);
    assert_near(s.epoch, (double)examples / N, 1e-15);
    assert_true(s.hyper[SW_HYPER_LR] == sw_schedule_at(lr, &at) &&
                s.hyper[SW_HYPER_MOMENTUM] == momentum && s.hyper[SW_HYPER_WEIGHT_DECAY] == 0.01);
    assert_near(s.loss, h.loss, 1e-12);
    assert_near(s.grad_norm, norm(h.g), 1e-12);
    for (int f = 0; f < F; f++) assert_near(weights_of(&p)[f], h.w[f], 1e-12);
  }
  sw_schedule_release(lr);
  sw_loop_free(l);
  sw_sampler_free(h.sampler);
  free_problem(&p);
}

TEST(test_state_before_the_first_step) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_tensor *view = NULL;
  sw_loop_state s = state_of(l);
  assert_true(s.step == 0 && s.examples == 0 && isnan(s.loss) && isnan(s.grad_norm));
  assert_true(s.hyper[SW_HYPER_LR] == 0.1 &&
              s.hyper[SW_HYPER_BATCH_SIZE] == 4); /* of the coming one */
  assert_true(isnan(sw_loop_take_mean(l)));
  assert_int_equal(sw_loop_gradient(l, &view), SW_EEMPTY);
  assert_int_equal(sw_loop_momentum(l, &view), SW_EEMPTY);
  free_loop(l, &p);
}

TEST(test_mean_loss_weighs_examples) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  double sum = 0;
  int64_t examples = 0;
  for (int i = 1; i < 6; i++) {
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, i));
    advance(l, 1);
    sum += state_of(l).loss * i;
    examples += i;
  }
  assert_near(sw_loop_take_mean(l), sum / (double)examples, 1e-15);
  assert_true(isnan(sw_loop_take_mean(l)));
  free_loop(l, &p);
}

TEST(test_views_follow_the_loop) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_tensor *gradient = NULL, *momentum = NULL;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.9));
  advance(l, 1);
  CHECK_OK(ctx, sw_loop_gradient(l, &gradient));
  CHECK_OK(ctx, sw_loop_momentum(l, &momentum));
  assert_memory_equal(sw_tensor_data(gradient), sw_tensor_data(momentum), F * sizeof(double));
  advance(l, 1);
  sw_loop_free(l);
  assert_memory_not_equal(sw_tensor_data(gradient), sw_tensor_data(momentum), F * sizeof(double));
  sw_tensor_free(gradient);
  sw_tensor_free(momentum);
  free_problem(&p);
}

/* -------------------------------------------------------------- stopping */

TEST(test_stops_where_it_is_told) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  volatile int interrupt = 0;
  sw_stop why;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 7));
  CHECK_OK(ctx, sw_loop_advance(l, 100, 20, &interrupt, &why)); /* 21 is the first to cross */
  assert_true(why == SW_STOP_EXAMPLES && state_of(l).step == 3);
  CHECK_OK(ctx, sw_loop_advance(l, 100, 20, &interrupt, &why)); /* crossed already */
  assert_true(why == SW_STOP_EXAMPLES && state_of(l).step == 3);
  CHECK_OK(ctx, sw_loop_advance(l, 2, 35, &interrupt, &why)); /* both at once */
  assert_true(why == SW_STOP_EXAMPLES && state_of(l).step == 5);
  interrupt = 1;
  CHECK_OK(ctx, sw_loop_advance(l, 2, 0, &interrupt, &why));
  assert_true(why == SW_STOP_INTERRUPTED && state_of(l).step == 5);
  free_loop(l, &p);
}

/* A rate that makes the weights overflow: the update after the infinite loss is refused, and once
 * the weights are restored the loop continues with the refused batch. */
TEST(test_refuses_a_loss_that_is_not_finite) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_stop why;
  double last = (double)NAN, before[F];
  sw_status status = SW_OK;
  void *w = NULL;
  CHECK_OK(ctx, sw_tensor_writable(p.weights, &w));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 1e70));
  while (status == SW_OK) {
    last = state_of(l).loss;
    memcpy(before, w, sizeof before);
    status = sw_loop_advance(l, 1, 0, NULL, &why);
    if (status == SW_OK) last = state_of(l).loss;
  }
  assert_int_equal(status, SW_ENAN);
  assert_null(swi_ahead_of(ctx));
  assert_memory_equal(w, before, sizeof before);
  sw_loop_state s = state_of(l);
  assert_true(s.step > 0 && s.examples == 4 * s.step && s.loss == last && !isfinite(s.bad_loss));
  char part[100];
  snprintf(part, sizeof part,
           "step %d: the loss is inf (last finite %.6g at step %d; lr 1e+70, gradient norm ",
           (int)s.step + 1, last, (int)s.step);
  assert_message(part);

  hand h = {0};
  CHECK_OK(ctx, sw_sampler_new(ctx, &(sw_sampler_options){.examples = N, .seed = 5}, &h.sampler));
  sw_sampler_seek(h.sampler, s.examples);
  memset(w, 0, sizeof before);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.1));
  hand_step(&h, &p, 4, 0.1, 0, 0);
  advance(l, 1);
  for (int f = 0; f < F; f++) assert_near(weights_of(&p)[f], h.w[f], 1e-12);
  sw_sampler_free(h.sampler);
  free_loop(l, &p);
}

/* -------------------------------------------------------------- noise */

TEST(test_measures_every_so_many_steps) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  hand h = {0};
  CHECK_OK(ctx, sw_sampler_new(ctx, &(sw_sampler_options){.examples = N, .seed = 5}, &h.sampler));
  sw_loop_measure(l, 3, 0);
  sw_grad_norms seen;
  for (int i = 1; i <= 12; i++) {
    hand_step(&h, &p, 4, 0.1, 0, 0);
    advance(l, 1);
    assert_int_equal(state_of(l).measurements, i / 3);
    if (i % 3) continue;
    assert_int_equal(sw_loop_grad_norms(l, i / 3, &seen), 1);
    assert_int_equal(seen.step, i);
    assert_int_equal(seen.batch, 4);
    assert_near(seen.sum_sumsq, h.sum_sumsq, 1e-12);
    assert_near(seen.grad_sumsq, norm(h.g) * norm(h.g), 1e-12);
  }
  sw_grad_norms last = seen;
  advance(l, 3 * 31); /* the oldest of 35 are gone */
  assert_int_equal(sw_loop_grad_norms(l, 0, &seen), 0);
  assert_int_equal(sw_loop_grad_norms(l, 3, &seen), 0);
  assert_int_equal(sw_loop_grad_norms(l, 4, &seen), 1);
  assert_memory_equal(&seen, &last, sizeof last);
  assert_int_equal(sw_loop_grad_norms(l, 35, &seen), 1);
  assert_int_equal(sw_loop_grad_norms(l, 36, &seen), 0);
  sw_loop_free(l);
  sw_sampler_free(h.sampler);
  free_problem(&p);
}

static void train(const problem *p, int64_t measure_every, double *out) {
  CHECK_OK(ctx, sw_tensor_fill(p->weights, 0));
  sw_loop *l = loop_of(p);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.9));
  sw_loop_measure(l, measure_every, 0);
  advance(l, 50);
  sw_loop_free(l);
  memcpy(out, weights_of(p), F * sizeof *out);
}

TEST(test_measuring_changes_no_bit) {
  problem p;
  double never[F], always[F], often[F];
  make_problem(&p, SW_F64);
  train(&p, 0, never);
  train(&p, 1, always);
  train(&p, 3, often);
  assert_memory_equal(never, always, sizeof never);
  assert_memory_equal(never, often, sizeof never);
  free_problem(&p);
}

/* The coming step alone, whether or not it is one of every so many. */
TEST(test_measures_the_coming_step) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_grad_norms seen;
  const int64_t wanted[] = {3, 5, 8, 9, 10};
  sw_loop_measure_next(l); /* without a step it stays */
  advance(l, 0);
  sw_loop_measure(l, 0, 0);
  advance(l, 2);
  assert_int_equal(state_of(l).measurements, 1);
  sw_loop_measure_next(l);
  sw_loop_measure_next(l);
  advance(l, 2);
  sw_loop_measure(l, 5, 0);
  advance(l, 3);
  sw_loop_measure_next(l);
  advance(l, 1);
  sw_loop_measure_next(l);
  advance(l, 2);
  assert_int_equal(state_of(l).measurements, 6);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(sw_loop_grad_norms(l, i + 2, &seen), 1);
    assert_int_equal(seen.step, wanted[i]);
  }
  sw_loop_free(l);
  free_problem(&p);
}

/* Pairs of a measured step and the plain one after it, of one batch size. */
TEST(test_times_measured_steps) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_loop_cost cost, later;
  advance(l, 3);
  sw_loop_cost_get(l, &cost);
  assert_true(cost.measured == 0 && cost.paired == 0 && cost.plain == 0);
  sw_loop_measure(l, 1, 0);
  advance(l, 5);
  sw_loop_cost_get(l, &cost);
  assert_true(cost.measured > 0 && cost.paired == 0 && cost.plain == 0);
  sw_loop_measure(l, 2, 0);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 2));
  advance(l, 1); /* a plain step of another size */
  sw_loop_cost_get(l, &later);
  assert_true(later.measured == cost.measured && later.paired == 0);
  advance(l, 2);
  sw_loop_cost_get(l, &cost);
  assert_true(cost.measured > later.measured && cost.plain > 0);
  assert_near(cost.paired, cost.measured - later.measured, 1e-9);
  advance(l, 1); /* measured; no plain one yet */
  sw_loop_cost_get(l, &later);
  assert_true(later.measured > cost.measured && later.paired == cost.paired);
  sw_loop_free(l);
  free_problem(&p);
}

RUN_CLEAN_TESTS(CLEAN(test_is_the_step_by_hand), CLEAN(test_state_before_the_first_step),
                CLEAN(test_mean_loss_weighs_examples), CLEAN(test_views_follow_the_loop),
                CLEAN(test_stops_where_it_is_told), CLEAN(test_refuses_a_loss_that_is_not_finite),
                CLEAN(test_measures_every_so_many_steps), CLEAN(test_measures_the_coming_step),
                CLEAN(test_times_measured_steps), CLEAN(test_measuring_changes_no_bit))
