/* test_curves.c: the shapes of schedules against other formulas: PyTorch's recursion where it has
 * one beside the closed form. Combinations are in test_schedule_combine.c. */
#include "schedule_check.h"
#include "train/schedule_int.h"

static const double pi = 3.14159265358979323846;

/* -------------------------------------------------------------- decays */

/* LinearLR's recursion: from a quarter of 0.8 to all of it, in 20 updates. */
TEST(test_linear) {
  sw_schedule *s = make(
      (sw_schedule_spec){.kind = SW_SCHEDULE_linear, .from = 0.2, .to = 0.8, .period = steps(20)});
  double lr = 0.8 * 0.25;
  for (int t = 0; t < 40; t++) {
    if (t > 0 && t <= 20) lr *= 1 + (1 - 0.25) / (20 * 0.25 + (t - 1) * (1 - 0.25));
    assert_near(at(s, t), lr, 1e-14);
  }
  assert_true(at(s, 20) == 0.8 && at(s, 1000) == 0.8);
  sw_schedule_release(s);
}

TEST(test_exponential) {
  sw_schedule *s = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_exponential, .value = 0.3, .gamma = 0.9, .period = epochs(1)});
  double lr = 0.3;
  for (int epoch = 0; epoch < 30; epoch++, lr *= 0.9) assert_near(at(s, 10 * epoch), lr, 1e-14);
  assert_near(at(s, 5), 0.3 * sqrt(0.9), 1e-15);
  sw_schedule_release(s);
}

/* PolynomialLR's recursion, to 0. */
TEST(test_polynomial) {
  sw_schedule *s = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_polynomial, .from = 0.3, .power = 2.5, .period = steps(20)});
  double lr = 0.3;
  for (int t = 0; t < 40; t++) {
    if (t > 0 && t <= 20) lr *= pow((1 - t / 20.0) / (1 - (t - 1) / 20.0), 2.5);
    assert_near(at(s, t), lr, 1e-14);
  }
  sw_schedule_release(s);
  s = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_polynomial, .from = 5, .to = 1, .power = 2, .period = steps(4)});
  for (int t = 0; t < 8; t++)
    assert_near(at(s, t), (double[]){5, 3.25, 2, 1.25, 1, 1, 1, 1}[t], 1e-15);
  sw_schedule_release(s);
}

/* CosineAnnealingLR's recursion; after the end it holds. */
TEST(test_cosine) {
  sw_schedule *s = make(
      (sw_schedule_spec){.kind = SW_SCHEDULE_cosine, .from = 0.3, .to = 0.05, .period = steps(20)});
  double lr = 0.3;
  for (int t = 0; t < 60; t++) {
    if (t > 0 && t <= 20)
      lr = 0.05 + (lr - 0.05) * (1 + cos(pi * t / 20)) / (1 + cos(pi * (t - 1) / 20));
    assert_near(at(s, t), t <= 20 ? lr : 0.05, 1e-13);
  }
  assert_true(at(s, 20) == 0.05);
  sw_schedule_release(s);
}

/* CosineAnnealingWarmRestarts, its counters moved one update at a time. */
static void check_restarts(int first, int multiplier, int n) {
  sw_schedule *s = make((sw_schedule_spec){.kind = SW_SCHEDULE_cosine_restarts,
                                           .from = 1,
                                           .to = 0.1,
                                           .multiplier = multiplier,
                                           .period = steps(first)});
  int64_t length = first, current = 0;
  for (int t = 0; t < n; t++, current++) {
    if (current >= length) {
      current = 0;
      length *= multiplier;
    }
    double want = 0.1 + 0.9 * (1 + cos(pi * (double)current / (double)length)) / 2;
    assert_near(at(s, t), want, 1e-12);
    if (current == 0) assert_true(at(s, t) == 1); /* 121 of (1, 3), too, which PyTorch misses */
  }
  sw_schedule_release(s);
}

TEST(test_cosine_restarts) {
  check_restarts(7, 1, 200);
  check_restarts(5, 2, 2000);
  check_restarts(1, 3, 3000);
  check_restarts(1, 10, 12000);
}

TEST(test_marks) {
  const sw_duration marks[] = {epochs(2), epochs(4), epochs(4), epochs(6)};
  const double values[] = {3, 1, 4, 1.5, 9}, batches[] = {32, 160, 800, 4000, 20000};
  sw_schedule *grows = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_multi_step, .value = 32, .gamma = 5, .n_marks = 4, .marks = marks});
  sw_schedule *piecewise = make((sw_schedule_spec){.kind = SW_SCHEDULE_piecewise,
                                                   .n_values = 5,
                                                   .values = values,
                                                   .n_marks = 4,
                                                   .marks = marks});
  for (int t = 0; t < 100; t++) {
    int passed = (t >= 20) + 2 * (t >= 40) + (t >= 60); /* the repeated mark counts twice */
    assert_true(at(grows, t) == batches[passed]);
    assert_true(at(piecewise, t) == values[passed]);
  }
  sw_schedule_release(grows);
  sw_schedule_release(piecewise);
}

TEST(test_inverse_sqrt) {
  sw_schedule *s = make((sw_schedule_spec){
      .kind = SW_SCHEDULE_inverse_sqrt, .value = 0.4, .from = 0, .period = steps(16)});
  for (int t = 1; t < 200; t++) /* Vaswani et al. 2017, eq. 3, scaled to its peak */
    assert_near(at(s, t), 0.4 * 4 * fmin(1 / sqrt(t), t * pow(16, -1.5)), 1e-15);
  assert_true(at(s, 0) == 0);
  sw_schedule_release(s);
}

TEST(test_warmup_stable_decay) {
  const struct {
    sw_decay shape;
    double quarter; /* of max - to that is left after a quarter of the decay */
  } cases[] = {{SW_DECAY_ONE_MINUS_SQRT, 0.5},
               {SW_DECAY_LINEAR, 0.75},
               {SW_DECAY_COSINE, (1 + sqrt(0.5)) / 2}};
  for (int i = 0; i < 3; i++) {
    sw_schedule *s = make((sw_schedule_spec){.kind = SW_SCHEDULE_warmup_stable_decay,
                                             .from = 1,
                                             .max = 3,
                                             .to = 0.5,
                                             .warmup = steps(10),
                                             .stable = steps(20),
                                             .decay = steps(40),
                                             .shape = cases[i].shape});
    for (int t = 0; t < 10; t++) assert_near(at(s, t), 1 + 0.2 * t, 1e-15);
    for (int t = 10; t <= 30; t++) assert_true(at(s, t) == 3);
    assert_near(at(s, 40), 0.5 + 2.5 * cases[i].quarter, 1e-15);
    assert_true(at(s, 70) == 0.5 && at(s, 1000) == 0.5);
    sw_schedule_release(s);
  }
}

TEST(test_warmup_may_be_left_out) {
  sw_schedule *s = make((sw_schedule_spec){.kind = SW_SCHEDULE_warmup_stable_decay,
                                           .max = 3,
                                           .decay = epochs(1),
                                           .shape = SW_DECAY_LINEAR,
                                           .warmup = epochs(0),
                                           .stable = epochs(0)});
  for (int t = 0; t < 20; t++) assert_near(at(s, t), t < 10 ? 3 - 0.3 * t : 0, 1e-15);
  sw_schedule_release(s);
}

/* -------------------------------------------------------------- cycles */

/* CyclicLR, as PyTorch's code has it; scale 0: triangular, 1: triangular2, 2: exp_range. */
static double cyclic_lr(double t, double up, double down, int scale) {
  double total = up + down, ratio = up / total;
  double cycle = floor(1 + t / total), x = 1 + t / total - cycle;
  double s = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
  double k = scale == 0 ? 1 : scale == 1 ? 1 / pow(2, cycle - 1) : pow(0.99, t);
  return 0.1 + (0.4 - 0.1) * s * k;
}

TEST(test_triangles_are_pytorchs) {
  for (int scale = 0; scale < 3; scale++) {
    sw_schedule *s =
        make((sw_schedule_spec){.kind = (sw_schedule_kind)(SW_SCHEDULE_triangular + scale),
                                .max = 0.4,
                                .min = 0.1,
                                .gamma = 0.99,
                                .period = steps(8),
                                .down = steps(24)});
    for (int t = 0; t < 300; t++) assert_near(at(s, t), cyclic_lr(t, 8, 24, scale), 1e-13);
    sw_schedule_release(s);
  }
}

/* OneCycleLR's loop over its phases. */
static double one_cycle_lr(int t, int n, double fraction, int three, int cosine) {
  double start = 0, low = 0.04, end[] = {fraction * n - 1, 2 * fraction * n - 2, n - 1};
  double from[] = {low, 1, low}, to[] = {1, low, low / 1e4};
  if (!three) end[1] = n - 1, to[1] = low / 1e4;
  for (int phase = 0; phase < 2 + three; start = end[phase], phase++) {
    if (t > end[phase] && phase != 1 + three) continue;
    double x = (t - start) / (end[phase] - start);
    if (cosine) return to[phase] + (from[phase] - to[phase]) / 2 * (1 + cos(pi * x));
    return from[phase] + (to[phase] - from[phase]) * x;
  }
  return (double)NAN;
}

static sw_schedule *one_cycle(double n, double fraction, int three, sw_decay shape) {
  return make((sw_schedule_spec){.kind = SW_SCHEDULE_one_cycle,
                                 .from = 0.04,
                                 .max = 1,
                                 .to = 0.04 / 1e4,
                                 .period = steps(n),
                                 .fraction = fraction,
                                 .three_phase = three,
                                 .shape = shape});
}

TEST(test_one_cycle_is_pytorchs) {
  for (int three = 0; three < 2; three++)
    for (int cosine = 0; cosine < 2; cosine++)
      for (int f = 0; f <= 4; f++) {
        double fraction = 0.1 * f + (three ? 0.05 : 0);
        sw_schedule *s =
            one_cycle(100, fraction, three, cosine ? SW_DECAY_COSINE : SW_DECAY_LINEAR);
        for (int t = 0; t < 100; t++)
          assert_near(at(s, t), one_cycle_lr(t, 100, fraction, three, cosine), 1e-14);
        sw_schedule_release(s);
      }
}

/* Known values for N = 100, max = 1; and cases where PyTorch is wrong. */
TEST(test_one_cycle_at_its_corners) {
  sw_schedule *s = one_cycle(100, 0.3, 0, SW_DECAY_COSINE);
  assert_true(at(s, 0) == 0.04 && at(s, 29) == 1 && at(s, 99) == 0.04 / 1e4);
  assert_true(at(s, 100) == 0.04 / 1e4 && at(s, 5000) == 0.04 / 1e4); /* PyTorch: 5.1e-4, error */
  sw_schedule_release(s);
  s = one_cycle(10, 0.1, 0, SW_DECAY_LINEAR); /* PyTorch: 0 / 0 */
  assert_true(at(s, 0) == 1 && at(s, 9) == 0.04 / 1e4);
  sw_schedule_release(s);
  s = one_cycle(1, 0.3, 1, SW_DECAY_COSINE);
  assert_true(isfinite(at(s, 0)) && at(s, 1) == 0.04 / 1e4);
  sw_schedule_release(s);
}

/* In examples, too, the last update has the last value, whatever the batch. */
TEST(test_one_cycle_counts_the_coming_batch) {
  sw_schedule *s = make((sw_schedule_spec){.kind = SW_SCHEDULE_one_cycle,
                                           .from = 1,
                                           .max = 2,
                                           .to = 0.5,
                                           .period = epochs(1),
                                           .fraction = 0.5,
                                           .shape = SW_DECAY_LINEAR});
  for (int64_t batch = 1; batch <= 50; batch += batch < 5 ? 1 : 45) {
    if (100 % batch) continue;
    assert_true(sw_schedule_at(s, &(sw_progress){9, 100 - batch, 100, 100}) == 0.5);
    assert_true(sw_schedule_at(s, &(sw_progress){9, 50 - batch, 50, 100}) == 2);
  }
  sw_schedule_release(s);
}

/* -------------------------------------------------------------- all of them */

/* One of each kind without parts, on a scale of 20 updates. */
static sw_schedule_spec one_of(int kind, sw_duration period) {
  static sw_duration marks[2];
  static const double values[] = {1, 0.5, 0.25};
  marks[0] = marks[1] = period;
  return (sw_schedule_spec){.kind = (sw_schedule_kind)kind,
                            .value = 1,
                            .from = 0.25,
                            .max = 1,
                            .gamma = 0.9,
                            .power = 2,
                            .fraction = 0.3,
                            .multiplier = 2,
                            .period = period,
                            .down = period,
                            .warmup = period,
                            .stable = period,
                            .decay = period,
                            .n_values = 3,
                            .values = values,
                            .n_marks = 2,
                            .marks = marks};
}

/* Whether it is made of others. */
static int has_parts(int kind) {
  return memchr(swi_schedule_row_of(kind)->fields, SWI_SCHEDULES, 8) != NULL;
}

TEST(test_units_agree) {
  for (int kind = 0; kind < SW_SCHEDULE_KIND_COUNT; kind++) {
    if (kind == SW_SCHEDULE_exp_range || has_parts(kind)) continue; /* gamma goes by the unit */
    sw_schedule *s[] = {make(one_of(kind, steps(20))), make(one_of(kind, examples(200))),
                        make(one_of(kind, epochs(2)))};
    for (int t = 0; t < 100; t++)
      for (int unit = 1; unit < 3; unit++) assert_near(at(s[unit], t), at(s[0], t), 1e-14);
    for (int unit = 0; unit < 3; unit++) sw_schedule_release(s[unit]);
  }
}

/* Absurd durations that pass the check give numbers all the same. */
TEST(test_is_always_a_number) {
  const double amounts[] = {5e-324, 1e-300, 1e-9, 0x1p53};
  const sw_progress progress[] = {{3, 1LL << 40, (1LL << 40) + 100, 50000},
                                  {0, 0, 0, 1},
                                  {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
  for (int kind = 0; kind < SW_SCHEDULE_KIND_COUNT; kind++)
    for (int i = 0; i < 12 && !has_parts(kind); i++) {
      sw_schedule *s = make(one_of(kind, (sw_duration){amounts[i / 3], (sw_unit)(i % 3)}));
      for (int p = 0; p < 3; p++) {
        double value = sw_schedule_at(s, &progress[p]);
        if (!(value >= 0 && value <= 1))
          fail_msg("%s, %g of unit %d: %g", sw_schedule_kind_name(kind), amounts[i / 3], i % 3,
                   value);
      }
      sw_schedule_release(s);
    }
}

RUN_CLEAN_TESTS(CLEAN(test_linear), CLEAN(test_exponential), CLEAN(test_polynomial),
                CLEAN(test_cosine), CLEAN(test_cosine_restarts), CLEAN(test_marks),
                CLEAN(test_inverse_sqrt), CLEAN(test_warmup_stable_decay),
                CLEAN(test_warmup_may_be_left_out), CLEAN(test_triangles_are_pytorchs),
                CLEAN(test_one_cycle_is_pytorchs), CLEAN(test_one_cycle_at_its_corners),
                CLEAN(test_one_cycle_counts_the_coming_batch), CLEAN(test_units_agree),
                CLEAN(test_is_always_a_number))
