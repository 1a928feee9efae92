/* test_train.c: the update, and averages. */
#include "train_check.h"

#include "base/context_int.h"
#include "train/average.h"
#include "train/optimizer_int.h"

static sw_tensor *doubles(int64_t n, const double *x) {
  sw_tensor *t = tensor(SW_F64, 1, n, 0);
  memcpy(data_of(t), x, (size_t)n * sizeof *x);
  return t;
}

/* -------------------------------------------------------------- SGD */

typedef struct sgd {
  double lr, momentum, dampening, weight_decay;
  int nesterov;
} sgd;

/* n elements of the type that the kernels are for; |g|^2 */
static double update_many(const swi_kernels *k, sgd h, int64_t n, void *w, void *m, const void *g,
                          int first) {
  const sw_optimizer_options o = {
      .kind = SW_OPTIMIZER_sgd, .dampening = h.dampening, .nesterov = h.nesterov};
  const double hyper[SW_HYPER_COUNT] = {[SW_HYPER_LR] = h.lr,
                                        [SW_HYPER_MOMENTUM] = h.momentum,
                                        [SW_HYPER_WEIGHT_DECAY] = h.weight_decay};
  swi_update u = swi_update_of(&o, hyper);
  u.first = first;
  return swi_update_piece(k, o.kind, &u, &(swi_vectors){w, {m, NULL}, g}, 0, n);
}

static double update_one(sgd h, double *w, double *m, double g, int first) {
  return update_many(swi_backend_of(ctx)->f64, h, 1, w, m, &g, first);
}

/* Three updates by hand of one weight, w = 1, with gradients 0.5, -1, 2. */
static void trajectory(sgd h, const double want[3]) {
  const double gradient[] = {0.5, -1, 2};
  double w = 1, m = 99;
  for (int i = 0; i < 3; i++) {
    double sumsq = update_one(h, &w, &m, gradient[i], i == 0);
    assert_near(w, want[i], 1e-15);
    assert_near(sumsq, gradient[i] * gradient[i], 1e-15);
  }
}

TEST(test_plain) { trajectory((sgd){.lr = 0.1}, (double[]){0.95, 1.05, 0.85}); }

/* m = 0.5, then 0.9 * 0.5 - 1 = -0.55, then 0.9 * -0.55 + 2 = 1.505 */
TEST(test_momentum) {
  trajectory((sgd){.lr = 0.1, .momentum = 0.9}, (double[]){0.95, 1.005, 0.8545});
}

/* No dampening at first: m = 0.5, then 0.45 - 0.75 = -0.3, then -0.27 + 1.5 = 1.23 */
TEST(test_dampening_starts_with_the_second_update) {
  trajectory((sgd){.lr = 0.1, .momentum = 0.9, .dampening = 0.25}, (double[]){0.95, 0.98, 0.857});
}

/* d = g + 0.9 m: 0.95, -1.495, 3.3545 */
TEST(test_nesterov) {
  trajectory((sgd){.lr = 0.1, .momentum = 0.9, .nesterov = 1}, (double[]){0.905, 1.0545, 0.71905});
}

TEST(test_nesterov_without_momentum_is_plain) {
  trajectory((sgd){.lr = 0.1, .nesterov = 1}, (double[]){0.95, 1.05, 0.85});
}

/* g + 0.2 w: 0.7; w = 0.93; -0.814, m = -0.184; w = 0.9484; 2.18968, m = 2.02408 */
TEST(test_weight_decay_comes_before_momentum) {
  trajectory((sgd){.lr = 0.1, .momentum = 0.9, .weight_decay = 0.2},
             (double[]){0.93, 0.9484, 0.745992});
}

/* The rate is outside the buffer: without a gradient, the new rate moves by the old momentum. */
TEST(test_a_new_rate_acts_on_old_momentum) {
  double w = 1, m = 0;
  (void)update_one((sgd){.lr = 0, .momentum = 0.5}, &w, &m, 2, 1);
  assert_true(w == 1);
  (void)update_one((sgd){.lr = 0.25, .momentum = 0.5}, &w, &m, 0, 0);
  assert_near(w, 1 - 0.25 * (0.5 * 2), 1e-15);
}

/* As in PyTorch, neither the buffer nor dampening is used. */
TEST(test_without_momentum_the_buffer_stays) {
  double w = 1, m = 7;
  (void)update_one((sgd){.lr = 0.1, .dampening = 0.5}, &w, &m, 2, 0);
  (void)update_one((sgd){.lr = 0.1, .dampening = 0.5}, &w, NULL, 2, 0);
  assert_near(w, 0.6, 1e-15);
  assert_true(m == 7);
}

/* Many weights: float32 follows float64. */
TEST(test_float32_follows_float64) {
  enum { N = 10011, STEPS = 5 };
  const sgd h = {.lr = 0.1, .momentum = 0.9, .weight_decay = 5e-4, .nesterov = 1};
  static double w[N], m[N];
  static float w32[N], m32[N];
  sw_random r;
  sw_random_init(&r, 5, sw_stream("test", 0));
  sw_tensor *narrow = tensor(SW_F32, 1, N, 0);
  for (int step = 0; step < STEPS; step++) {
    sw_tensor *wide = NULL;
    CHECK_OK(ctx, sw_tensor_normal(narrow, &r, 0, 1));
    CHECK_OK(ctx, sw_tensor_to(narrow, SW_F64, &wide));
    double exact =
        update_many(swi_backend_of(ctx)->f64, h, N, w, m, sw_tensor_data(wide), step == 0);
    double sumsq =
        update_many(swi_backend_of(ctx)->f32, h, N, w32, m32, sw_tensor_data(narrow), step == 0);
    assert_near(sumsq, exact, 1e-6);
    sw_tensor_free(wide);
  }
  for (int i = 0; i < N; i++) assert_near((double)w32[i], w[i], 1e-6); /* five of size 1 */
  sw_tensor_free(narrow);
}

static void refused_options(sw_optimizer_options o, const char *message) {
  assert_int_equal(swi_optimizer_check(ctx, &o), SW_ERANGE);
  assert_message(message);
}

TEST(test_fields_outside_of_their_range) {
  refused_options((sw_optimizer_options){.dampening = -0.5}, "sgd: dampening must be 0 to 1");
  refused_options((sw_optimizer_options){.nesterov = 1, .dampening = 0.1}, "no dampening");
  refused_options((sw_optimizer_options){.kind = SW_OPTIMIZER_adam, .beta2 = 1},
                  "adam: beta2 must be 0 or more and below 1");
  refused_options((sw_optimizer_options){.kind = SW_OPTIMIZER_adamw, .eps = HUGE_VAL},
                  "adamw: eps must be finite and not negative");
}

/* A vector that a kernel writes and its row does not name would be written through NULL. */
TEST(test_rows_name_the_vectors_that_kernels_write) {
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++) {
    const sw_optimizer_row *row = sw_optimizer_row_of(kind);
    double w = 1, m[SW_MOMENTS] = {0}, g = 2;
    void *const moment[] = {&m[0], &m[1]};
    const swi_update u = {
        .lr = 0.1, .momentum = 0.5, .beta2 = 0.5, .eps = 1e-8, .grad_scale = 1, .step = 2};
    (void)swi_backend_of(ctx)->f64->update[kind](1, &w, moment, &g, &u);
    for (int i = 0; i < SW_MOMENTS; i++)
      if ((m[i] != 0) != (row->moment[i] != NULL))
        fail_msg("%s: its row must name moment %d if its kernel writes it", row->name, i + 1);
  }
}

/* -------------------------------------------------------------- one update of a vector */

/* Numbers of one update, refused by name. */
static void refused_update(int h, double x, sw_optimizer_kind kind, const char *message) {
  sw_tensor *w = doubles(2, (double[]){1, 2}), *g = doubles(2, (double[]){1, 1});
  const sw_optimizer_options o = sw_optimizer_defaults(kind);
  sw_update u = {.w = w, .g = g, .step = 1};
  u.hyper[h] = x;
  assert_int_equal(sw_optimizer_update(&o, &u), SW_ERANGE);
  assert_message(message);
  sw_tensor_free(w);
  sw_tensor_free(g);
}

TEST(test_numbers_outside_of_their_range) {
  refused_update(SW_HYPER_LR, -1, SW_OPTIMIZER_sgd, "lr must be finite and not negative");
  refused_update(SW_HYPER_LR, (double)NAN, SW_OPTIMIZER_sgd, "lr");
  refused_update(SW_HYPER_MOMENTUM, 1.5, SW_OPTIMIZER_sgd, "momentum must be 0 to 1");
  refused_update(SW_HYPER_MOMENTUM, 1, SW_OPTIMIZER_adam, "momentum must be 0 or more and below 1");
  refused_update(SW_HYPER_WEIGHT_DECAY, -0.5, SW_OPTIMIZER_none, "weight_decay");
}

TEST(test_an_update_of_a_vector) {
  sw_tensor *w = doubles(2, (double[]){1, 2}), *g = doubles(2, (double[]){1, -1});
  sw_tensor *m = doubles(2, (double[]){7, 7});
  double *weight = data_of(w), *kept = data_of(m), *gradient = data_of(g);
  const sw_optimizer_options o = {.kind = SW_OPTIMIZER_sgd};
  sw_update u = {.w = w, .g = g, .step = 1, .first = 1};
  u.hyper[SW_HYPER_LR] = 0.5;
  u.hyper[SW_HYPER_MOMENTUM] = 0.5;
  assert_int_equal(sw_optimizer_update(&o, &u), SW_EARG);
  assert_message("sgd keeps momentum, none was given");
  u.moment[0] = m;
  CHECK_OK(ctx, sw_optimizer_update(&o, &u));
  assert_true(kept[0] == 1 && kept[1] == -1);
  assert_true(weight[0] == 0.5 && weight[1] == 2.5);
  gradient[1] = HUGE_VAL;
  assert_int_equal(sw_optimizer_update(&o, &u), SW_ENAN);
  assert_true(weight[0] == 0.5 && weight[1] == 2.5);
  sw_tensor_free(w);
  sw_tensor_free(g);
  sw_tensor_free(m);
}

/* -------------------------------------------------------------- averages */

static const sw_average_options swa = {.kind = SW_AVERAGE_SWA};

TEST(test_average_is_the_arithmetic_mean) {
  const double points[3][2] = {{1, 5}, {2, 7}, {6, 0}};
  sw_average *avg = NULL;
  const sw_tensor *mean = NULL;
  CHECK_OK(ctx, sw_average_new(ctx, &swa, SW_F64, 2, &avg));
  assert_int_equal(sw_average_get(avg, &mean), SW_EEMPTY);
  for (int i = 0; i < 3; i++) {
    sw_tensor *w = doubles(2, points[i]);
    CHECK_OK(ctx, sw_average_update(avg, w));
    sw_tensor_free(w);
  }
  assert_int_equal(sw_average_count(avg), 3);
  CHECK_OK(ctx, sw_average_get(avg, &mean));
  const double *x = sw_tensor_data(mean);
  assert_near(x[0], 3, 1e-15);
  assert_near(x[1], 4, 1e-15);
  sw_average_free(avg);
}

TEST(test_an_unknown_kind_of_average_is_refused) {
  sw_average *avg = NULL;
  const sw_average_options unknown = {.kind = (sw_average_kind)SW_AVERAGE_COUNT};
  assert_int_equal(sw_average_new(ctx, &unknown, SW_F64, 2, &avg), SW_EARG);
  assert_null(avg);
}

TEST(test_average_goes_on_from_what_was_saved) {
  sw_average *avg = NULL;
  const sw_tensor *mean = NULL;
  sw_tensor *saved = doubles(1, (double[]){3}), *w = doubles(1, (double[]){7});
  sw_tensor *longer = doubles(2, (double[]){0, 0});
  CHECK_OK(ctx, sw_average_new(ctx, &swa, SW_F64, 1, &avg));
  assert_int_equal(sw_average_restore(avg, saved, NULL, 0), SW_ERANGE);
  assert_int_equal(sw_average_restore(avg, saved, longer, 1), SW_ESHAPE);
  assert_int_equal(sw_average_restore(avg, saved, NULL, SW_LARGEST_COUNT + 1), SW_ERANGE);
  CHECK_OK(ctx, sw_average_restore(avg, saved, NULL, 3));
  CHECK_OK(ctx, sw_average_update(avg, w));
  CHECK_OK(ctx, sw_average_get(avg, &mean));
  assert_near(*(const double *)sw_tensor_data(mean), 4, 1e-15);
  sw_average_free(avg);
  sw_tensor_free(longer);
  sw_tensor_free(saved);
  sw_tensor_free(w);
}

TEST(test_average_refuses_and_stays) {
  sw_average *avg = NULL;
  const sw_tensor *mean = NULL;
  sw_tensor *w = doubles(2, (double[]){1, 2}), *longer = doubles(3, (double[]){1, 2, 3});
  sw_tensor *narrow = tensor(SW_F32, 1, 2, 0);
  assert_int_equal(sw_average_new(ctx, &swa, SW_I32, 2, &avg), SW_EDTYPE);
  assert_int_equal(sw_average_new(ctx, &swa, SW_F64, -2, &avg), SW_ERANGE);
  CHECK_OK(ctx, sw_average_new(ctx, &swa, SW_F64, 2, &avg));
  CHECK_OK(ctx, sw_average_update(avg, w));
  assert_int_equal(sw_average_update(avg, longer), SW_ESHAPE);
  assert_message("expected a vector of 2 weights, got (3)");
  assert_int_equal(sw_average_update(avg, narrow), SW_EDTYPE);
  assert_int_equal(sw_average_count(avg), 1);
  CHECK_OK(ctx, sw_average_get(avg, &mean));
  assert_memory_equal(sw_tensor_data(mean), sw_tensor_data(w), 16);
  sw_average_free(avg);
  sw_tensor_free(w);
  sw_tensor_free(longer);
  sw_tensor_free(narrow);
}

/* avg_fn of PyTorch's get_ema_multi_avg_fn: the first point is copied. */
TEST(test_ema_forgets) {
  const sw_average_options ema = {.kind = SW_AVERAGE_EMA, .decay = 0.75};
  const double points[] = {8, 4, 0, 2};
  sw_average *avg = NULL;
  const sw_tensor *mean = NULL;
  CHECK_OK(ctx, sw_average_new(ctx, &ema, SW_F64, 1, &avg));
  double want = 8;
  for (int i = 0; i < 4; i++) {
    sw_tensor *w = doubles(1, &points[i]);
    CHECK_OK(ctx, sw_average_update(avg, w));
    if (i > 0) want = 0.75 * want + 0.25 * points[i];
    CHECK_OK(ctx, sw_average_get(avg, &mean));
    assert_near(*(const double *)sw_tensor_data(mean), want, 1e-15);
    sw_tensor_free(w);
  }
  sw_average_free(avg);
}

/* Means of three, also across the ring's end; asked for or not. */
TEST(test_last_points) {
  const sw_average_options last = {.kind = SW_AVERAGE_LAST, .k = 3};
  const double points[] = {9, 3, 6, 0, 30, 12, 7}, want[] = {9, 6, 6, 3, 12, 14, 49.0 / 3};
  sw_average *avg = NULL;
  const sw_tensor *mean = NULL;
  CHECK_OK(ctx, sw_average_new(ctx, &last, SW_F64, 1, &avg));
  for (int i = 0; i < 7; i++) {
    sw_tensor *w = doubles(1, &points[i]);
    CHECK_OK(ctx, sw_average_update(avg, w));
    sw_tensor_free(w);
    if (i == 3) continue;
    CHECK_OK(ctx, sw_average_get(avg, &mean));
    assert_near(*(const double *)sw_tensor_data(mean), want[i], 1e-15);
  }
  sw_average_free(avg);
}

/* For each kind and each position of the ring: saved, restored and continued, the bits are the
 * same. */
TEST(test_averages_go_on_from_their_state) {
  const sw_average_options kinds[] = {{.kind = SW_AVERAGE_SWA},
                                      {.kind = SW_AVERAGE_EMA, .decay = 0.9},
                                      {.kind = SW_AVERAGE_LAST, .k = 4}};
  for (int kind = 0; kind < 3; kind++)
    for (int saved = 1; saved <= 9; saved++) {
      sw_average *one = NULL, *two = NULL;
      sw_tensor *state = NULL, *carry = NULL;
      const sw_tensor *a = NULL, *b = NULL;
      CHECK_OK(ctx, sw_average_new(ctx, &kinds[kind], SW_F64, 2, &one));
      CHECK_OK(ctx, sw_average_new(ctx, &kinds[kind], SW_F64, 2, &two));
      assert_int_equal(sw_average_state(one, &state), SW_EEMPTY);
      for (int i = 1; i <= 11; i++) {
        sw_tensor *w = doubles(2, (double[]){1.0 / i, i * i});
        CHECK_OK(ctx, sw_average_update(one, w));
        if (i > saved) CHECK_OK(ctx, sw_average_update(two, w));
        sw_tensor_free(w);
        if (i != saved) continue;
        CHECK_OK(ctx, sw_average_state(one, &state));
        CHECK_OK(ctx, sw_average_carry(one, &carry));
        CHECK_OK(ctx, sw_average_restore(two, state, carry, saved));
        sw_tensor_free(carry);
        sw_tensor_free(state);
      }
      CHECK_OK(ctx, sw_average_get(one, &a));
      CHECK_OK(ctx, sw_average_get(two, &b));
      assert_int_equal(sw_average_count(two), 11);
      assert_memory_equal(sw_tensor_data(a), sw_tensor_data(b), 2 * sizeof(double));
      sw_average_free(one);
      sw_average_free(two);
    }
}

TEST(test_averages_refuse_options_and_states) {
  const sw_average_options last = {.kind = SW_AVERAGE_LAST, .k = 3};
  sw_average *avg = NULL;
  assert_int_equal(
      sw_average_new(ctx, &(sw_average_options){.kind = SW_AVERAGE_LAST}, SW_F32, 2, &avg),
      SW_ERANGE);
  assert_int_equal(sw_average_new(ctx, &(sw_average_options){.kind = SW_AVERAGE_EMA, .decay = 1.5},
                                  SW_F32, 2, &avg),
                   SW_ERANGE);
  CHECK_OK(ctx, sw_average_new(ctx, &last, SW_F64, 2, &avg));
  sw_tensor *two = tensor(SW_F64, 2, 2, 2), *narrow = tensor(SW_F32, 2, 3, 2);
  assert_int_equal(sw_average_restore(avg, two, NULL, 7), SW_ESHAPE);
  assert_message("expected the last points as float64 (3, 2), got float64 (2, 2)");
  assert_int_equal(sw_average_restore(avg, narrow, NULL, 7), SW_EDTYPE);
  assert_int_equal(sw_average_count(avg), 0);
  sw_tensor_free(two);
  sw_tensor_free(narrow);
  sw_average_free(avg);
}

/* -------------------------------------------------------------- failing memory */

typedef sw_status (*maker)(void);

/* Each failing allocation is reported and leaves nothing behind; ends when none fails. */
static void survives_failing_memory(maker make) {
  int64_t before = sw_context_alloc_stats(ctx).live_blocks;
  for (int64_t n = 1;; n++) {
    sw_context_fail_allocation(ctx, n, 0);
    sw_status status = make();
    sw_context_fail_allocation(ctx, 0, 0);
    assert_int_equal(sw_context_alloc_stats(ctx).live_blocks, before);
    if (status == SW_OK) {
      assert_true(n > 1);
      return;
    }
    assert_int_equal(status, SW_ENOMEM);
  }
}

static sw_status make_average(void) {
  sw_average *avg = NULL;
  SW_TRY(sw_average_new(ctx, &swa, SW_F32, 10, &avg));
  sw_average_free(avg);
  return SW_OK;
}

static sw_status make_last(void) {
  sw_average *avg = NULL;
  const sw_average_options last = {.kind = SW_AVERAGE_LAST, .k = 3};
  SW_TRY(sw_average_new(ctx, &last, SW_F32, 10, &avg));
  sw_average_free(avg);
  return SW_OK;
}

TEST(test_out_of_memory) {
  survives_failing_memory(make_average);
  survives_failing_memory(make_last);
}

RUN_CLEAN_TESTS(
    CLEAN(test_plain), CLEAN(test_momentum), CLEAN(test_dampening_starts_with_the_second_update),
    CLEAN(test_nesterov), CLEAN(test_nesterov_without_momentum_is_plain),
    CLEAN(test_weight_decay_comes_before_momentum), CLEAN(test_a_new_rate_acts_on_old_momentum),
    CLEAN(test_without_momentum_the_buffer_stays), CLEAN(test_float32_follows_float64),
    CLEAN(test_fields_outside_of_their_range), CLEAN(test_rows_name_the_vectors_that_kernels_write),
    CLEAN(test_numbers_outside_of_their_range), CLEAN(test_an_update_of_a_vector),
    CLEAN(test_average_is_the_arithmetic_mean), CLEAN(test_average_goes_on_from_what_was_saved),
    CLEAN(test_an_unknown_kind_of_average_is_refused), CLEAN(test_average_refuses_and_stays),
    CLEAN(test_ema_forgets), CLEAN(test_last_points), CLEAN(test_averages_go_on_from_their_state),
    CLEAN(test_averages_refuse_options_and_states), CLEAN(test_out_of_memory))
