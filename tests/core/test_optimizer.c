/* test_optimizer.c: Adam and AdamW, clipping, segments and micro-batches, on least squares. */
#include "base/parallel.h"
#include "least_squares.h"
#include "train/loop_int.h"
#include "train/optimizer_int.h"

static sw_loop *loop_with(const problem *p, sw_loop_options o) {
  sw_loop *l = NULL;
  o.program = p->program;
  o.measured = p->measured;
  o.weights = p->weights;
  o.source = p->source;
  o.seed = 5;
  CHECK_OK(ctx, sw_loop_new(ctx, &o, &l));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.1));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 4));
  return l;
}

static double *start_at(problem *p, double w) {
  CHECK_OK(ctx, sw_tensor_fill(p->weights, w));
  return data_of(p->weights);
}

/* The gradient that the coming step of a loop will see, by a loop whose rate is 0. */
static void coming_gradient(const problem *p, int64_t examples, int64_t batch, double *g) {
  sw_loop *l = loop_with(p, (sw_loop_options){0});
  sw_tensor *view = NULL;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, (double)batch));
  CHECK_OK(ctx, sw_loop_restore(l, &(sw_resume){.examples = examples}));
  advance(l, 1);
  CHECK_OK(ctx, sw_loop_gradient(l, &view));
  memcpy(g, sw_tensor_data(view), F * sizeof *g);
  sw_tensor_free(view);
  sw_loop_free(l);
}

static double norm(const double *x) { return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]); }

/* -------------------------------------------------------------- Adam */

/* As torch/optim/adam.py has it for one tensor, not capturable. */
typedef struct adam {
  double m[F], v[F];
} adam;

static void adam_by_hand(adam *a, double *w, const double *gradient, int t, double lr, double beta1,
                         double decay, int decoupled) {
  const double beta2 = 0.99, eps = 1e-3;
  double correction1 = 1 - pow(beta1, t), correction2 = 1 - pow(beta2, t);
  for (int i = 0; i < F; i++) {
    double g = gradient[i];
    if (decoupled)
      w[i] *= 1 - lr * decay;
    else
      g += decay * w[i];
    a->m[i] += (1 - beta1) * (g - a->m[i]);
    a->v[i] = beta2 * a->v[i] + (1 - beta2) * g * g;
    double denominator = sqrt(a->v[i]) / sqrt(correction2) + eps;
    w[i] -= lr / correction1 * (a->m[i] / denominator);
  }
}

static void check_adam(sw_optimizer_kind kind) {
  problem p;
  make_problem(&p, SW_F64);
  double *w = start_at(&p, 0.5), hand[F] = {0.5, 0.5, 0.5}, g[F];
  adam a = {{0}, {0}};
  sw_loop *l =
      loop_with(&p, (sw_loop_options){.optimizer = {.kind = kind, .beta2 = 0.99, .eps = 1e-3}});
  CHECK(state_of(l).hyper[SW_HYPER_MOMENTUM] == 0.9); /* unless it is set */
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.2));
  for (int t = 1; t <= 30; t++) {
    double lr = 0.1 / t, beta1 = t < 15 ? 0.9 : 0.5; /* both may change from step to step */
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, lr));
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, beta1));
    coming_gradient(&p, 4 * (t - 1), 4, g);
    adam_by_hand(&a, hand, g, t, lr, beta1, 0.2, kind == SW_OPTIMIZER_adamw);
    advance(l, 1);
    assert_near(state_of(l).grad_norm, norm(g), 1e-13);
    for (int i = 0; i < F; i++) assert_near(w[i], hand[i], 1e-12);
  }
  sw_state_vector v[SW_MOMENTS];
  int n = 0;
  CHECK_OK(ctx, sw_loop_state_vectors(l, v, &n));
  CHECK_EQ_INT(n, 2);
  CHECK_EQ_STR(v[0].name, "exp_avg");
  CHECK_EQ_STR(v[1].name, "exp_avg_sq");
  for (int i = 0; i < F; i++) {
    assert_near(((const double *)sw_tensor_data(v[0].view))[i], a.m[i], 1e-12);
    assert_near(((const double *)sw_tensor_data(v[1].view))[i], a.v[i], 1e-12);
  }
  for (int i = 0; i < n; i++) sw_tensor_free(v[i].view);
  free_loop(l, &p);
}

TEST(test_adam_by_hand) { check_adam(SW_OPTIMIZER_adam); }
TEST(test_adamw_by_hand) { check_adam(SW_OPTIMIZER_adamw); }

/* Without eps, the first step is lr in the direction of the gradient's signs. */
TEST(test_first_step_of_adam_is_the_rate) {
  problem p;
  make_problem(&p, SW_F64);
  double *w = start_at(&p, 0.5), g[F];
  coming_gradient(&p, 0, 4, g);
  sw_loop *l =
      loop_with(&p, (sw_loop_options){.optimizer = {.kind = SW_OPTIMIZER_adam, .beta2 = 0.999}});
  advance(l, 1);
  for (int i = 0; i < F; i++) assert_near(w[i], 0.5 - copysign(0.1, g[i]), 1e-12);
  free_loop(l, &p);
}

/* -------------------------------------------------------------- clipping */

/* clip_grad_norm_: the gradient times max_norm / (norm + 1e-6), if that is below 1. */
TEST(test_clips_the_norm) {
  problem p;
  make_problem(&p, SW_F64);
  double *w = start_at(&p, 3), hand[F] = {3, 3, 3}, g[F];
  sw_loop *l = loop_with(&p, (sw_loop_options){.max_norm = 1.5});
  int clipped = 0;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.05));
  for (int t = 0; t < 40; t++) {
    coming_gradient(&p, 4 * t, 4, g);
    double factor = fmin(1, 1.5 / (norm(g) + 1e-6));
    clipped += factor < 1;
    for (int i = 0; i < F; i++) hand[i] -= 0.1 * (factor * g[i] + 0.05 * hand[i]);
    advance(l, 1);
    assert_near(state_of(l).grad_norm, norm(g), 1e-12); /* before clipping */
    for (int i = 0; i < F; i++) assert_near(w[i], hand[i], 1e-12);
  }
  CHECK(clipped > 3 && clipped < 37);
  free_loop(l, &p);
}

/* An external optimizer: weights stay, the gradient is left clipped. */
TEST(test_an_external_optimizer_finds_the_clipped_gradient) {
  problem p;
  make_problem(&p, SW_F64);
  double *w = start_at(&p, 3), g[F];
  coming_gradient(&p, 0, 4, g);
  sw_loop *l = loop_with(
      &p, (sw_loop_options){.optimizer = {.kind = SW_OPTIMIZER_none}, .max_norm = norm(g) / 2});
  sw_tensor *view = NULL;
  advance(l, 1);
  CHECK_OK(ctx, sw_loop_gradient(l, &view));
  for (int i = 0; i < F; i++) {
    assert_true(w[i] == 3);
    assert_near(((const double *)sw_tensor_data(view))[i], g[i] / 2, 1e-5);
  }
  assert_near(state_of(l).grad_norm, norm(g), 1e-12);
  sw_tensor_free(view);
  free_loop(l, &p);
}

/* -------------------------------------------------------------- segments */

/* One weight each: its own rate, its own decay, frozen. */
TEST(test_segments_have_factors) {
  problem p;
  make_problem(&p, SW_F64);
  const sw_range ranges[] = {{0, 1, 0.5, 1, 0}, {1, 1, 1, 0, 0}, {2, 1, 1, 1, 1}};
  double *w = start_at(&p, 2), hand[F] = {2, 2, 2}, g[F];
  sw_loop *l = loop_with(&p, (sw_loop_options){.ranges = ranges, .n_ranges = 3});
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.3));
  for (int t = 0; t < 20; t++) {
    coming_gradient(&p, 4 * t, 4, g);
    hand[0] -= 0.05 * (g[0] + 0.3 * hand[0]);
    hand[1] -= 0.1 * g[1];
    advance(l, 1);
    assert_near(state_of(l).grad_norm, sqrt(g[0] * g[0] + g[1] * g[1]), 1e-12);
    for (int i = 0; i < F; i++) assert_near(w[i], hand[i], 1e-12);
  }
  free_loop(l, &p);
}

TEST(test_refuses_segments) {
  problem p;
  make_problem(&p, SW_F64);
  const struct {
    sw_range list[2];
    sw_status status;
    const char *part;
  } cases[] = {
      {{{0, 1, 1, 1, 0}, {2, 1, 1, 1, 0}}, SW_EARG, "number 2 has 1 from 3 on"},
      {{{0, 1, 1, 1, 0}, {1, 1, 1, 1, 0}}, SW_EARG, "of 2 elements, there are 3 weights"},
      {{{0, 1, 1, 1, 0}, {1, 3, 1, 1, 0}}, SW_EARG, "number 2 has 3 from 2 on"},
      {{{0, 2, -1, 1, 0}, {2, 1, 1, 1, 0}}, SW_ERANGE, "segment 1 has -1 for lr"},
  };
  for (int i = 0; i < 4; i++) {
    sw_loop_options o = {.program = p.program,
                         .weights = p.weights,
                         .source = p.source,
                         .ranges = cases[i].list,
                         .n_ranges = 2};
    sw_loop *l = NULL;
    CHECK_EQ_INT(sw_loop_new(ctx, &o, &l), cases[i].status);
    assert_message(cases[i].part);
  }
  free_problem(&p);
}

/* -------------------------------------------------------------- micro-batches */

static void train(const problem *p, sw_loop_options o, int64_t batch, double *out,
                  sw_grad_norms *norms, double *loss) {
  CHECK_OK(ctx, sw_tensor_fill(p->weights, 0.2));
  sw_loop *l = loop_with(p, o);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, (double)batch));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.5));
  sw_loop_measure(l, 2, 0);
  advance(l, 10);
  CHECK_EQ_INT(sw_loop_grad_norms(l, 5, norms), 1);
  *loss = state_of(l).loss;
  sw_loop_free(l);
  memcpy(out, weights_of(p), F * sizeof *out);
}

TEST(test_micro_batches_are_the_batch) {
  problem p;
  make_problem(&p, SW_F64);
  double whole[F], parts[F], loss[2];
  sw_grad_norms norms[2];
  for (int64_t batch = 7; batch <= 60; batch += 53) { /* larger than the data, too */
    train(&p, (sw_loop_options){0}, batch, whole, &norms[0], &loss[0]);
    for (int64_t part = 1; part <= 70; part += part < 4 ? 1 : 22) {
      train(&p, (sw_loop_options){.micro_batch = part}, batch, parts, &norms[1], &loss[1]);
      for (int i = 0; i < F; i++) assert_near(parts[i], whole[i], 1e-13);
      assert_near(loss[1], loss[0], 1e-13);
      CHECK_EQ_INT(norms[1].batch, batch);
      assert_near(norms[1].sum_sumsq, norms[0].sum_sumsq, 1e-11);
      assert_near(norms[1].grad_sumsq, norms[0].grad_sumsq, 1e-12);
      if (part >= batch) assert_memory_equal(parts, whole, sizeof whole);
    }
  }
  free_problem(&p);
}

/* -------------------------------------------------------------- the rate and the batch */

TEST(test_rate_follows_the_batch) {
  problem p;
  make_problem(&p, SW_F64);
  for (int coupling = SW_COUPLING_NONE; coupling <= SW_COUPLING_SQRT; coupling++) {
    sw_loop *l =
        loop_with(&p, (sw_loop_options){.coupling = (sw_coupling)coupling, .reference_batch = 4});
    for (int batch = 1; batch <= 16; batch *= 4) {
      CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, batch));
      double before = state_of(l).hyper[SW_HYPER_LR], want = 0.1;
      if (coupling == SW_COUPLING_LINEAR) want *= batch / 4.0;
      if (coupling == SW_COUPLING_SQRT) want *= sqrt(batch / 4.0);
      if (batch == 1) assert_near(before, want, 1e-15); /* of the coming step */
      advance(l, 1);
      assert_near(state_of(l).hyper[SW_HYPER_LR], want, 1e-15);
    }
    sw_loop_free(l);
  }
  free_problem(&p);
}

/* -------------------------------------------------------------- how far weights move */

TEST(test_update_ratios) {
  problem p;
  make_problem(&p, SW_F64);
  const sw_range ranges[] = {{0, 2, 1, 1, 0}, {2, 1, 1, 1, 1}};
  double *w = start_at(&p, 2), before[F], ratio[2] = {-1, -1}, plain[F];
  sw_loop *l = loop_with(&p, (sw_loop_options){.ranges = ranges, .n_ranges = 2});
  advance(l, 7);
  memcpy(plain, w, sizeof plain);
  sw_loop_free(l);
  w = start_at(&p, 2);
  l = loop_with(&p, (sw_loop_options){.ranges = ranges, .n_ranges = 2});
  CHECK_EQ_INT(sw_loop_ranges(l), 2);
  CHECK_OK(ctx, sw_loop_watch_updates(l, 3));
  CHECK_EQ_INT(sw_loop_update_ratios(l, ratio), 0);
  advance(l, 5);
  CHECK_EQ_INT(sw_loop_update_ratios(l, ratio), 3);
  memcpy(before, w, sizeof before);
  advance(l, 1);
  CHECK_EQ_INT(sw_loop_update_ratios(l, ratio), 6);
  double change = hypot(w[0] - before[0], w[1] - before[1]);
  assert_near(ratio[0], change / hypot(before[0], before[1]), 1e-14);
  CHECK(ratio[1] == 0);
  advance(l, 1);
  assert_memory_equal(w, plain, sizeof plain); /* evaluating changed nothing */
  free_loop(l, &p);
}

/* -------------------------------------------------------------- going on */

static void check_restore(sw_optimizer_options optimizer) {
  problem p;
  make_problem(&p, SW_F64);
  double want[F], w[F];
  start_at(&p, 0.3);
  sw_loop *first = loop_with(&p, (sw_loop_options){.optimizer = optimizer});
  sw_state_vector v[SW_MOMENTS];
  int n = 0;
  CHECK_OK(ctx, sw_loop_set(first, SW_HYPER_MOMENTUM, 0.8));
  advance(first, 9);
  sw_resume r = {.step = 9, .examples = 36, .loss = state_of(first).loss, .grad_norm = 1};
  CHECK_OK(ctx, sw_loop_state_vectors(first, v, &n));
  for (int i = 0; i < n; i++)
    CHECK_OK(ctx, sw_tensor_clone(v[i].view, (sw_tensor **)&r.vectors[i]));
  memcpy(w, weights_of(&p), sizeof w);
  advance(first, 5);
  memcpy(want, weights_of(&p), sizeof want);
  memcpy(data_of(p.weights), w, sizeof w);
  sw_loop *second = loop_with(&p, (sw_loop_options){.optimizer = optimizer});
  CHECK_OK(ctx, sw_loop_set(second, SW_HYPER_MOMENTUM, 0.8));
  CHECK_OK(ctx, sw_loop_restore(second, &r));
  CHECK(state_of(second).step == 9 && state_of(second).epoch == 1.5 &&
        state_of(second).hyper[SW_HYPER_LR] == 0.1);
  advance(second, 5);
  assert_memory_equal(weights_of(&p), want, sizeof want);
  r.step = -1;
  CHECK_EQ_INT(sw_loop_restore(second, &r), SW_ERANGE);
  for (int i = 0; i < n; i++) {
    sw_tensor_free(v[i].view);
    sw_tensor_free((sw_tensor *)(uintptr_t)r.vectors[i]);
  }
  sw_loop_free(first);
  sw_loop_free(second);
  free_problem(&p);
}

TEST(test_goes_on_where_another_stopped) {
  check_restore((sw_optimizer_options){0});
  check_restore((sw_optimizer_options){.kind = SW_OPTIMIZER_adamw, .beta2 = 0.99, .eps = 1e-8});
}

/* Counters end at 2^53: nothing above is restored, and no step counts beyond it. */
TEST(test_counters_do_not_overflow) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  const int64_t top = SW_LARGEST_COUNT, bad[] = {-1, top + 1, INT64_MAX - 2, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 5; i++) {
    CHECK_EQ_INT(sw_loop_restore(l, &(sw_resume){.step = bad[i]}), SW_ERANGE);
    CHECK_EQ_INT(sw_loop_restore(l, &(sw_resume){.examples = bad[i]}), SW_ERANGE);
  }
  CHECK(state_of(l).step == 0 && state_of(l).examples == 0);
  sw_stop why;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 4));
  CHECK_OK(ctx, sw_loop_restore(l, &(sw_resume){.step = top - 2, .examples = top - 7}));
  advance(l, 1);
  CHECK(state_of(l).step == top - 1 && state_of(l).examples == top - 3);
  CHECK_EQ_INT(sw_loop_advance(l, 1, 0, NULL, &why), SW_ERANGE);
  assert_message("beyond 2^53");
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 1));
  advance(l, 1);
  CHECK_EQ_INT(sw_loop_advance(l, 1, 0, NULL, &why), SW_ERANGE);
  CHECK(state_of(l).step == top && state_of(l).examples == top - 2);
  free_loop(l, &p);
}

TEST(test_vectors_are_given_all_or_none) {
  const sw_optimizer_row may = {.only_with_momentum = 1}, must = {.only_with_momentum = 0};
  for (int given = 0; given <= 2; given++) {
    CHECK_EQ_INT(swi_vectors_suffice(&may, 2, 5, given), given != 1);
    CHECK_EQ_INT(swi_vectors_suffice(&may, 2, 0, given), given != 1);
    CHECK_EQ_INT(swi_vectors_suffice(&must, 2, 5, given), given == 2);
    CHECK_EQ_INT(swi_vectors_suffice(&must, 2, 0, given), given == 0);
  }
}

TEST(test_refuses_to_go_on_without_vectors) {
  problem p;
  make_problem(&p, SW_F64);
  sw_loop *l = loop_with(
      &p, (sw_loop_options){.optimizer = {.kind = SW_OPTIMIZER_adam, .beta2 = 0.9, .eps = 1}});
  CHECK_EQ_INT(sw_loop_restore(l, &(sw_resume){.step = 3}), SW_EARG);
  assert_message("adam goes on from step 3 with 2 vectors, got 0");
  sw_tensor *narrow = tensor(SW_F32, 1, F, 0), *longer = tensor(SW_F64, 1, F + 1, 0);
  CHECK_EQ_INT(sw_loop_restore(l, &(sw_resume){.vectors = {narrow}}), SW_EDTYPE);
  CHECK_EQ_INT(sw_loop_restore(l, &(sw_resume){.vectors = {longer}}), SW_ESHAPE);
  sw_tensor_free(narrow);
  sw_tensor_free(longer);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 1));
  sw_stop why;
  CHECK_EQ_INT(sw_loop_advance(l, 1, 0, NULL, &why), SW_ERANGE);
  assert_message("adam: momentum must be 0 or more and below 1");
  free_loop(l, &p);
}

/* -------------------------------------------------------------- rows */

TEST(test_rows) {
  static const char *const words[] = {
#define OPTIMIZER(name) #name,
#include "kernels/optimizers.def"
  };
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++) {
    const sw_optimizer_row *row = sw_optimizer_row_of(kind);
    CHECK_EQ_STR(row->name, words[kind]);
    if (!(row->momentum_range.most > 0)) fail_msg("%s has no range of momentum", row->name);
    CHECK_OK(ctx,
             sw_interval_check(ctx, row->name, "momentum", row->momentum_range, row->momentum));
    const sw_optimizer_options o = sw_optimizer_defaults((sw_optimizer_kind)kind);
    CHECK_OK(ctx, swi_optimizer_check(ctx, &o));
    for (const sw_field *f = row->fields; f && f->name; f++)
      if (f->type == SW_FIELD_NUMBER && !(f->range.most > f->range.least))
        fail_msg("%s: %s has no range", row->name, f->name);
  }
}

RUN_CLEAN_TESTS(CLEAN(test_rows), CLEAN(test_vectors_are_given_all_or_none),
                CLEAN(test_adam_by_hand), CLEAN(test_adamw_by_hand),
                CLEAN(test_first_step_of_adam_is_the_rate), CLEAN(test_clips_the_norm),
                CLEAN(test_an_external_optimizer_finds_the_clipped_gradient),
                CLEAN(test_segments_have_factors), CLEAN(test_refuses_segments),
                CLEAN(test_micro_batches_are_the_batch), CLEAN(test_rate_follows_the_batch),
                CLEAN(test_update_ratios), CLEAN(test_goes_on_where_another_stopped),
                CLEAN(test_counters_do_not_overflow), CLEAN(test_refuses_to_go_on_without_vectors))
