/* test_schedule.c: schedules against other closed forms. */
#include "train_check.h"

#include "train/schedule.h"

static sw_duration steps(double amount) { return (sw_duration){amount, SW_STEPS}; }
static sw_duration examples(double amount) { return (sw_duration){amount, SW_EXAMPLES}; }
static sw_duration epochs(double amount) { return (sw_duration){amount, SW_EPOCHS}; }

/* Those that the same fields make; the last one's gamma goes by the unit. */
static const sw_schedule_kind classic[] = {SW_SCHEDULE_constant,    SW_SCHEDULE_step,
                                           SW_SCHEDULE_cyclic,      SW_SCHEDULE_triangular,
                                           SW_SCHEDULE_triangular2, SW_SCHEDULE_exp_range};
enum { N_CLASSIC = sizeof classic / sizeof *classic };

static double at(const sw_schedule_spec *spec, const sw_progress *p) {
  sw_schedule *s = NULL;
  CHECK_OK(ctx, sw_schedule_new(ctx, spec, &s));
  double value = sw_schedule_at(s, p);
  sw_schedule_release(s);
  return value;
}

static sw_status make(const sw_schedule_spec *spec) {
  sw_schedule *s = NULL;
  sw_status status = sw_schedule_new(ctx, spec, &s);
  sw_schedule_release(s);
  return status;
}

/* Before update number i (from 1) of constant batches. */
static sw_progress before(int64_t i, int64_t batch, int64_t epoch_examples) {
  return (sw_progress){i - 1, (i - 1) * batch, i * batch, epoch_examples};
}

TEST(test_constant) {
  const sw_schedule_spec s = {.kind = SW_SCHEDULE_constant, .value = 0.3};
  for (int i = 1; i < 5; i++) {
    sw_progress p = before(i, 10, 100);
    assert_true(at(&s, &p) == 0.3);
  }
}

/* 0.1 for 30 epochs, 0.01 for 30, 0.001: the numbers in PyTorch's own description of StepLR. */
TEST(test_step_counts_whole_periods) {
  const sw_schedule_spec s = {
      .kind = SW_SCHEDULE_step, .value = 0.1, .gamma = 0.1, .period = epochs(30)};
  for (int i = 1; i <= 900; i++) {
    sw_progress p = before(i, 10, 100); /* ten steps an epoch */
    double want = i <= 300 ? 0.1 : i <= 600 ? 0.01 : 0.001;
    assert_near(at(&s, &p), want, 1e-15);
  }
}

/* Izmailov et al.: alpha(i) = (1 - t) a1 + t a2, t = (mod(i - 1, c) + 1) / c. */
TEST(test_cyclic_is_the_papers) {
  enum { C = 7, BATCH = 13 };
  const sw_duration periods[] = {steps(C), examples(C * BATCH), epochs((double)(C * BATCH) / 1000)};
  for (int unit = 0; unit < 3; unit++) {
    sw_schedule_spec s = {
        .kind = SW_SCHEDULE_cyclic, .max = 0.05, .min = 0.01, .period = periods[unit]};
    for (int i = 1; i <= 10 * C; i++) {
      double t = ((i - 1) % C + 1) / (double)C;
      sw_progress p = before(i, BATCH, 1000);
      assert_near(at(&s, &p), (1 - t) * 0.05 + t * 0.01, 1e-15);
      if (i % C == 0) assert_true(at(&s, &p) == 0.01);
    }
  }
}

/* Cycles of 100 examples in batches of 30: the update that crosses an end has the lowest rate, and
 * the next one belongs to the cycle it begins in. */
TEST(test_cyclic_with_batches_that_cross) {
  const sw_schedule_spec s = {
      .kind = SW_SCHEDULE_cyclic, .max = 1, .min = 0, .period = examples(100)};
  const double x[] = {0.3, 0.6, 0.9, 1, 0.5, 0.8, 1, 0.4, 0.7, 1, 0.3};
  for (int i = 1; i <= 11; i++) {
    sw_progress p = before(i, 30, 1000);
    assert_near(at(&s, &p), 1 - x[i - 1], 1e-15);
  }
}

/* The batch doubles in the middle of a cycle and is larger than a cycle at last. */
TEST(test_cyclic_while_the_batch_grows) {
  const sw_schedule_spec s = {
      .kind = SW_SCHEDULE_cyclic, .max = 3, .min = 1, .period = examples(120)};
  const int64_t batch[] = {30, 30, 60, 60, 60, 250, 110};
  const double x[] = {0.25, 0.5, 1, 0.5,
                      1,    1,   1}; /* 240 + 250 = 490, in the cycle that began at 480 */
  sw_progress p = {.epoch_examples = 1000};
  for (int i = 0; i < 7; i++) {
    p.next_examples = p.examples + batch[i];
    assert_near(at(&s, &p), 3 - 2 * x[i], 1e-15);
    p.examples = p.next_examples;
    p.step++;
  }
}

/* PyTorch's CyclicLR, as its code has it. */
static double cyclic_lr(double t, double up, double down, double base, double max) {
  double total = up + down, ratio = up / total;
  double cycle = floor(1 + t / total), x = 1 + t / total - cycle;
  return base + (max - base) * (x <= ratio ? x / ratio : (x - 1) / (ratio - 1));
}

TEST(test_triangular_is_pytorchs) {
  sw_schedule_spec s = {.kind = SW_SCHEDULE_triangular,
                        .max = 0.4,
                        .min = 0.1,
                        .period = steps(8),
                        .down = steps(24)};
  for (int i = 1; i <= 200; i++) {
    sw_progress p = before(i, 10, 100);
    assert_near(at(&s, &p), cyclic_lr(i - 1, 8, 24, 0.1, 0.4),
                1e-13); /* their 1 + t/T loses three digits */
  }
  s.period = examples(50);
  s.down = epochs(0.5);
  for (int i = 1; i <= 200; i++) {
    sw_progress p = before(i, 7, 100);
    assert_near(at(&s, &p), cyclic_lr(7 * (i - 1), 50, 50, 0.1, 0.4), 1e-13);
  }
}

/* 0.07 * 100 is a little more than 7 and 0.29 * 100 a little less than 29. */
TEST(test_durations_are_whole_where_they_should_be) {
  assert_true(sw_duration_examples(epochs(0.07), 100) == 7);
  assert_true(sw_duration_examples(epochs(0.29), 100) == 29);
  assert_true(sw_duration_examples(examples(12.5), 100) == 12.5);
  assert_near(sw_duration_examples(epochs(1.0 / 3), 100), 100.0 / 3, 1e-15);
  const sw_schedule_spec s = {
      .kind = SW_SCHEDULE_step, .value = 1, .gamma = 0.5, .period = epochs(0.07)};
  sw_progress p = {.examples = 7, .epoch_examples = 100};
  assert_true(at(&s, &p) == 0.5);
  p.examples = 21;
  assert_true(at(&s, &p) == 0.125);
}

static void assert_refused(sw_schedule_spec s, sw_status status, const char *name) {
  assert_int_equal(make(&s), status);
  if (!strstr(sw_message(ctx), name)) fail_msg("'%s' does not name '%s'", sw_message(ctx), name);
}

TEST(test_check_names_what_is_wrong) {
  const sw_schedule_spec good = {.kind = SW_SCHEDULE_triangular,
                                 .value = 1,
                                 .gamma = 0.5,
                                 .max = 1,
                                 .period = epochs(1),
                                 .down = epochs(1)};
  for (int k = 0; k < N_CLASSIC; k++) {
    sw_schedule_spec s = good;
    s.kind = classic[k];
    CHECK_OK(ctx, make(&s));
  }
  sw_schedule_spec s = good;
  s.down = epochs(-1);
  assert_refused(s, SW_ERANGE, "down");
  s.down = steps(3);
  assert_refused(s, SW_EARG, "all in steps");
  s = good;
  s.max = HUGE_VAL;
  assert_refused(s, SW_ERANGE, "max");
  s = (sw_schedule_spec){
      .kind = SW_SCHEDULE_cyclic, .max = 1, .min = (double)NAN, .period = epochs(1)};
  assert_refused(s, SW_ERANGE, "min");
  s = (sw_schedule_spec){
      .kind = SW_SCHEDULE_step, .value = 1, .gamma = (double)NAN, .period = epochs(1)};
  assert_refused(s, SW_ERANGE, "gamma");
  s.gamma = 1;
  s.period.amount = -1;
  assert_refused(s, SW_ERANGE, "period");
  s.period.unit = (sw_unit)9;
  assert_refused(s, SW_EARG, "unit");
  s.kind = (sw_schedule_kind)99;
  assert_refused(s, SW_EARG, "99");
  assert_refused((sw_schedule_spec){.kind = SW_SCHEDULE_constant, .value = (double)NAN}, SW_ERANGE,
                 "value");
}

RUN_CLEAN_TESTS(CLEAN(test_constant), CLEAN(test_step_counts_whole_periods),
                CLEAN(test_cyclic_is_the_papers), CLEAN(test_cyclic_with_batches_that_cross),
                CLEAN(test_cyclic_while_the_batch_grows), CLEAN(test_triangular_is_pytorchs),
                CLEAN(test_durations_are_whole_where_they_should_be),
                CLEAN(test_check_names_what_is_wrong))
