/* test_noise.c: the noise scale of a window, against exact answers and simulation. */
#include "check.h"

#include "base/random.h"
#include "measure/noise.h"
#include "near.h"

/* -------------------------------------------------------------- one measurement */

/* Per-example gradients of a regression 1/2 (x'w - y)^2 in two dimensions, at one w. */
enum { EXAMPLES = 8, BATCH = 3 };

static void regression_gradients(double g[EXAMPLES][2]) {
  sw_random r;
  sw_random_init(&r, 7, sw_stream("test", 0));
  for (int i = 0; i < EXAMPLES; i++) {
    double x0 = sw_random_normal(&r), x1 = sw_random_normal(&r);
    double residual = 0.3 * x0 - 0.8 * x1 - (x0 + sw_random_normal(&r));
    g[i][0] = residual * x0;
    g[i][1] = residual * x1;
  }
}

typedef struct sums {
  double mean[2], sumsq; /* of a batch: mean gradient, sum of |g_i|^2 */
  int count;
} sums;

static void take_example(sums *b, const double g[2]) {
  for (int d = 0; d < 2; d++) {
    b->mean[d] = (b->mean[d] * b->count + g[d]) / (b->count + 1);
    b->sumsq += g[d] * g[d];
  }
  b->count++;
}

static double squared(const sums *b) { return b->mean[0] * b->mean[0] + b->mean[1] * b->mean[1]; }

/* The means of S and G2 over batches that are all equally likely. */
typedef struct averages {
  sw_noise_options o;
  int64_t examples; /* before each batch */
  double s, g2;
  int batches;
} averages;

static void take_batch(averages *a, const sums *b) {
  sw_noise_step m = {.step = 1,
                     .examples = a->examples,
                     .batch = b->count,
                     .sum_sumsq = b->sumsq,
                     .grad_sumsq = squared(b)};
  double s, g2;
  assert_int_equal(sw_noise_parts(&a->o, &m, &s, &g2), 1);
  a->batches++;
  a->s += (s - a->s) / a->batches;
  a->g2 += (g2 - a->g2) / a->batches;
}

static void check_averages(const averages *a, double g[EXAMPLES][2]) {
  sums whole = {0};
  for (int i = 0; i < EXAMPLES; i++) take_example(&whole, g[i]);
  double s = (whole.sumsq - EXAMPLES * squared(&whole)) / (EXAMPLES - 1);
  double g2 = squared(&whole) - (a->o.target == SW_TARGET_TRAIN ? 0 : s / EXAMPLES);
  assert_near(a->s, s, 1e-13);
  assert_near(a->g2, g2, 1e-13);
}

static void take_set(sums *b, double g[EXAMPLES][2], unsigned set) {
  for (int i = 0; i < EXAMPLES; i++)
    if (set >> i & 1) take_example(b, g[i]);
}

static int size_of(unsigned set) {
  int n = 0;
  for (; set; set >>= 1) n += (int)(set & 1);
  return n;
}

/* All sets of `first` examples, each with all sets of `second` ones of the next epoch. */
static void check_sets(double g[EXAMPLES][2], averages a, int first, int second, int batches) {
  for (unsigned one = 0; one < 1u << EXAMPLES; one++)
    for (unsigned two = 0; two < 1u << EXAMPLES; two++) {
      if (size_of(one) != first || size_of(two) != second) continue;
      sums b = {0};
      take_set(&b, g, one);
      take_set(&b, g, two);
      take_batch(&a, &b);
    }
  assert_int_equal(a.batches, batches);
  check_averages(&a, g);
}

/* All 512 sequences of three examples drawn one by one with replacement. */
static void check_sequences(double g[EXAMPLES][2], averages a) {
  for (int i = 0; i < EXAMPLES * EXAMPLES * EXAMPLES; i++) {
    sums b = {0};
    for (int k = 0, rest = i; k < BATCH; k++, rest /= EXAMPLES)
      take_example(&b, g[rest % EXAMPLES]);
    take_batch(&a, &b);
  }
  check_averages(&a, g);
}

/* Averaged over all batches that can be drawn, S and G2 are the quantities, to rounding, however
 * they are drawn. */
static void check_unbiased(sw_noise_target target) {
  double g[EXAMPLES][2];
  regression_gradients(g);
  averages within = {.o = {.target = target, .n = EXAMPLES}, .examples = 2 * EXAMPLES + 1};
  check_sets(g, within, BATCH, 0, 56);
  averages over = within;
  over.examples = EXAMPLES - 2; /* two examples to the end of the epoch */
  check_sets(g, over, 2, 3, 28 * 56);
  check_sets(g, over, 2, EXAMPLES, 28);
  averages independent = within;
  independent.o.independent = 1;
  check_sequences(g, independent);
}

TEST(test_is_unbiased_for_the_training_set) { check_unbiased(SW_TARGET_TRAIN); }

TEST(test_is_unbiased_for_the_population) { check_unbiased(SW_TARGET_POPULATION); }

TEST(test_the_whole_set_is_exact) {
  double g[EXAMPLES][2];
  regression_gradients(g);
  averages whole = {.o = {.n = EXAMPLES}};
  check_sets(g, whole, EXAMPLES, 0, 1);
}

static void check_says_nothing(int64_t batch, double sum_sumsq, double grad_sumsq) {
  sw_noise_options o = {.n = 100};
  sw_noise_step m = {.step = 1, .batch = batch, .sum_sumsq = sum_sumsq, .grad_sumsq = grad_sumsq};
  double s, g2;
  assert_int_equal(sw_noise_parts(&o, &m, &s, &g2), 0);
  sw_noise e;
  sw_noise_init(&e, &o);
  sw_noise_add(&e, &m);
  sw_noise_reading r = sw_noise_read(&e);
  assert_true(isnan(r.s) && isnan(r.g2) && r.measurements == 0);
}

TEST(test_ignores_what_tells_nothing) {
  check_says_nothing(1, 5, 5);
  check_says_nothing(10, (double)NAN, 1);
  check_says_nothing(10, 1, HUGE_VAL);
  check_says_nothing(10, 0, 1e-40); /* squares that underflowed */
  check_says_nothing(10, 1e308, -1e308);
}

/* -------------------------------------------------------------- many */

typedef struct course {
  sw_noise noise;
  int64_t step, examples;
  double momentum;
} course;

static void begin(course *c, int64_t window) {
  *c = (course){0};
  sw_noise_init(&c->noise, &(sw_noise_options){.n = INT64_MAX, .window = window});
}

/* Steps of which each is measured; S and G2 come out as given. */
static void add_many(course *c, int64_t batch, int count, double s, double g2) {
  for (int i = 0; i < count; i++) {
    double grad = g2 + s / (double)batch;
    sw_noise_step m = {.step = ++c->step,
                       .examples = c->examples,
                       .batch = batch,
                       .momentum = c->momentum,
                       .sum_sumsq = s * (double)(batch - 1) + (double)batch * grad,
                       .grad_sumsq = grad};
    sw_noise_add(&c->noise, &m);
    c->examples += batch;
  }
}

static sw_noise_reading read_course(const course *c) { return sw_noise_read(&c->noise); }

TEST(test_is_pending_until_32) {
  course c;
  begin(&c, 0);
  add_many(&c, 10, SW_NOISE_MEASUREMENTS - 1, 6, 2);
  sw_noise_reading r = read_course(&c);
  assert_int_equal(r.estimate.status, SW_PENDING);
  assert_true(isnan(r.estimate.value) && r.estimate.low == 0 && r.estimate.high == HUGE_VAL);
  assert_int_equal(r.measurements, SW_NOISE_MEASUREMENTS - 1);
  add_many(&c, 10, 1, 6, 2);
  r = read_course(&c);
  assert_int_equal(r.estimate.status, SW_RESOLVED);
  assert_near(r.estimate.value, 3, 1e-12);
  assert_near(r.estimate.low, 3, 1e-6); /* equal measurements: no spread but rounding's */
  assert_near(r.estimate.high, 3, 1e-6);
  assert_int_equal(r.blocks, SW_RECENT_BLOCKS);
}

/* Blocks of at least 20 updates at momentum 0.9: 8 of them are 160 steps. */
TEST(test_momentum_asks_for_longer_blocks) {
  course c;
  begin(&c, 0);
  c.momentum = 0.9;
  add_many(&c, 10, 159, 6, 2);
  sw_noise_reading r = read_course(&c);
  assert_int_equal(r.estimate.status, SW_PENDING);
  assert_int_equal(r.blocks, 7);
  assert_near(r.span, 20, 1e-12);
  add_many(&c, 10, 1, 6, 2);
  r = read_course(&c);
  assert_int_equal(r.estimate.status, SW_RESOLVED);
  assert_int_equal(r.blocks, SW_RECENT_FEWEST);
  add_many(&c, 10, 1000, 6, 2); /* no window asked for: 16 blocks */
  r = read_course(&c);
  assert_int_equal(r.blocks, SW_RECENT_BLOCKS);
  CHECK_BETWEEN(r.last - r.first + 1, 320, 345);
}

TEST(test_keeps_the_last_examples) {
  course c;
  begin(&c, 0);
  add_many(&c, 10, 45, 1000, 1);
  add_many(&c, 10, SW_NOISE_MEASUREMENTS, 6, 2);
  sw_noise_reading r = read_course(&c);
  assert_near(r.estimate.value, 3, 1e-12);
  assert_near(r.s, 6, 1e-12);
  assert_int_equal(r.first, 46);
  begin(&c, 1000);
  add_many(&c, 10, 300, 6, 2);
  r = read_course(&c);
  assert_int_equal(r.measurements, 100);
  assert_int_equal(r.first, 201);
  assert_int_equal(r.last, 300);
}

/* The mean over the window has weights b (b - 1), whatever the order and however many cells. */
TEST(test_weighs_by_pairs) {
  course c;
  double weight = 0, s = 0, g2 = 0;
  begin(&c, 1 << 30);
  for (int i = 0; i < 3000; i++) {
    int64_t batch = 16 + i / 20;
    double w = (double)(batch * (batch - 1)), si = 5 + i % 7, gi = 1 + 0.001 * i;
    add_many(&c, batch, 1, si, gi);
    weight += w;
    s += w * si;
    g2 += w * gi;
  }
  sw_noise_reading r = read_course(&c);
  assert_int_equal(c.noise.window.cells, SW_RECENT_CELLS);
  assert_int_equal(r.measurements, 3000);
  assert_int_equal(r.blocks, SW_RECENT_BLOCKS);
  assert_near(r.s, s / weight, 1e-12);
  assert_near(r.g2, g2 / weight, 1e-12);
  assert_near(r.estimate.value, s / g2, 1e-12);
  for (int k = 0; k < r.blocks; k++)
    CHECK_BETWEEN(c.noise.latest.weight[k] / weight, 0.05, 0.08); /* a 16th is .0625 */
}

/* A tenfold batch outweighs all before: the estimate stays that of the last window with 8 blocks,
 * and comes back when the large batches are 7 of them. */
TEST(test_survives_a_jump_of_the_batch) {
  course c;
  begin(&c, 10000);
  add_many(&c, 16, 400, 6, 2);
  sw_noise_reading before = read_course(&c), r;
  assert_int_equal(before.last, 400);
  for (int i = 0; i < 6; i++) {
    add_many(&c, 320, 1, 8, 2);
    r = read_course(&c);
    assert_int_equal(r.estimate.status, SW_RESOLVED);
    CHECK_BETWEEN(r.last, 400, 402);
  }
  add_many(&c, 320, 10, 8, 2);
  r = read_course(&c);
  assert_int_equal(r.last, 416);
  CHECK_BETWEEN(r.estimate.value, 3.8, 4);
}

/* With momentum a block has 20 updates, so that after a larger batch two blocks are most of the
 * window. Their spread is no estimate: the one of before stays until there are more of them. */
TEST(test_few_heavy_blocks_do_not_replace_an_estimate) {
  course c;
  begin(&c, 0);
  c.momentum = 0.9;
  add_many(&c, 16, 320, 6, 2);
  for (int i = 0; i < 40; i++) { /* tr(Sigma) falls */
    add_many(&c, 64, 1, 3, 2);
    sw_noise_reading r = read_course(&c);
    assert_int_equal(r.estimate.status, SW_RESOLVED);
    CHECK(r.estimate.low > 1);
  }
  CHECK_BETWEEN(read_course(&c).last, 320, 330);
  add_many(&c, 64, 120, 3, 2);
  assert_int_equal(read_course(&c).last, 480);
}

/* Neighbours are in one block: of an alternating sequence all blocks are the same, and so is the
 * lower end that comes from them; measurements differ. */
TEST(test_blocks_are_neighbours) {
  course c;
  begin(&c, 0);
  for (int i = 0; i < 64; i++) {
    add_many(&c, 10, 1, i % 2 ? 4 : 8, 2);
    if (i < SW_NOISE_MEASUREMENTS) continue;
    for (int k = 0; k < c.noise.latest.n; k++) assert_near(c.noise.latest.a[k], 6, 1e-12);
    assert_near(c.noise.look.low, 3, 1e-6);
    assert_true(read_course(&c).estimate.low < 2.9);
  }
}

/* Batches of 16 out of a population of gradients G + noise with known tr(Sigma) and |G|^2. */
TEST(test_finds_a_known_scale) {
  enum { DIM = 6, B = 16, TRIALS = 200 };
  const double mean = 0.5, truth = DIM / (DIM * mean * mean);
  int held = 0, resolved = 0;
  sw_random r;
  sw_random_init(&r, 1, sw_stream("test", 1));
  for (int trial = 0; trial < TRIALS; trial++) {
    course c;
    begin(&c, 0);
    for (int k = 0; k < SW_NOISE_MEASUREMENTS; k++) {
      double g[DIM] = {0}, sumsq = 0, grad = 0;
      for (int i = 0; i < B * DIM; i++) {
        double x = mean + sw_random_normal(&r);
        g[i % DIM] += x / B;
        sumsq += x * x;
      }
      for (int d = 0; d < DIM; d++) grad += g[d] * g[d];
      sw_noise_step m = {
          .step = k + 1, .examples = k * B, .batch = B, .sum_sumsq = sumsq, .grad_sumsq = grad};
      sw_noise_add(&c.noise, &m);
    }
    sw_estimate estimate = read_course(&c).estimate;
    held += estimate.low <= truth && truth <= estimate.high;
    resolved += estimate.status == SW_RESOLVED;
  }
  assert_int_equal(resolved, TRIALS);
  CHECK_BETWEEN(held, 0.90 * TRIALS, TRIALS); /* 95 % less three standard errors */
}

TEST(test_what_it_keeps_goes_on) {
  static double x[SW_RECENT_NUMBERS], y[SW_RECENT_NUMBERS];
  course a, b;
  begin(&a, 5000);
  for (int i = 0; i < 900; i++) add_many(&a, 4 + i % 30, 1, 5 + i % 7, 2 + 0.1 * (i % 5));
  b = a;
  sw_noise_init(&b.noise, &a.noise.o);
  assert_int_equal(sw_recent_load(&b.noise.window, x, sw_recent_save(&a.noise.window, x)), 1);
  int n = sw_recent_cut_save(&a.noise.latest, y);
  assert_int_equal(sw_recent_cut_load(&b.noise.latest, y, n), 1);
  assert_int_equal(sw_recent_cut_load(&b.noise.latest, y, n - 1), 0);
  assert_int_equal(sw_recent_cut_load(&b.noise.latest, y, n), 1);
  double z[SW_SPREAD_NUMBERS];
  sw_spread_save(&a.noise.spread, z);
  assert_int_equal(sw_spread_load(&b.noise.spread, z), 1);
  const sw_noise_reading first = read_course(&a), again = read_course(&b);
  assert_true(first.estimate.low == again.estimate.low && first.estimate.low > 0);
  for (int i = 0; i < 50; i++) {
    add_many(&a, 9, 1, 6, 2);
    add_many(&b, 9, 1, 6, 2);
  }
  sw_noise_reading one = read_course(&a), two = read_course(&b);
  assert_true(one.estimate.low == two.estimate.low && one.estimate.high == two.estimate.high);
  assert_true(one.first == two.first && one.s == two.s);
  for (int i = 4; i < 9; i += 2) { /* steps, places and counts that no integer holds */
    const double kept = y[i];
    y[i] = -1e300;
    assert_int_equal(sw_recent_cut_load(&b.noise.latest, y, n), i == 6);
    y[i] = kept;
  }
  y[9 + 1] = (double)NAN; /* of a block */
  assert_int_equal(sw_recent_cut_load(&b.noise.latest, y, n), 0);
  z[5] = 0; /* a unit */
  assert_int_equal(sw_spread_load(&b.noise.spread, z), 0);
  x[0] = 0; /* a weight */
  assert_int_equal(sw_recent_load(&b.noise.window, x, 9), 0);
  assert_int_equal(sw_recent_load(&b.noise.window, x, 8), 0);
}

RUN_TESTS(T(test_is_unbiased_for_the_training_set), T(test_is_unbiased_for_the_population),
          T(test_the_whole_set_is_exact), T(test_ignores_what_tells_nothing),
          T(test_is_pending_until_32), T(test_momentum_asks_for_longer_blocks),
          T(test_keeps_the_last_examples), T(test_weighs_by_pairs),
          T(test_survives_a_jump_of_the_batch), T(test_few_heavy_blocks_do_not_replace_an_estimate),
          T(test_blocks_are_neighbours), T(test_finds_a_known_scale), T(test_what_it_keeps_goes_on))
