/* test_noise.c: the noise scale and its interval, against exact answers and simulation. */
#include "check.h"

#include "base/random.h"
#include "measure/noise.h"

static const double t15 = 2.131449545559323;

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
    fail_msg("got %.17g, want %.17g", got, want);
}

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

/* -------------------------------------------------------------- spread of the errors */

static sw_recent_cell cell_of(double weight, double a, double b) {
  return (sw_recent_cell){.weight = weight, .a = a, .b = b, .count = 1};
}

static sw_spread spread_of(const sw_recent_cell *cells, int n) {
  static sw_recent w;
  sw_spread s;
  sw_recent_init(&w, 0, 0);
  for (int i = 0; i < n; i++) w.cell[w.cells++] = cells[i];
  sw_spread_of(&w, &s);
  return s;
}

/* Four equal weights: sum over the neighbours' differences, those to both sides halved. */
TEST(test_spread_of_equal_weights) {
  const double a[4] = {3, 5, 4, 8}, b[4] = {1, 2, 7, 3};
  sw_recent_cell cells[4];
  for (int i = 0; i < 4; i++) cells[i] = cell_of(2, a[i], b[i]);
  const sw_spread s = spread_of(cells, 4);
  const double ab = 2 * 1, bc = -1 * 5, cd = 4 * -4; /* products of the differences of a and b */
  const double sum = 0.5 * ab + 0.25 * (ab + bc) + 0.25 * (bc + cd) + 0.5 * cd;
  assert_near(s.mean.vab * s.a_unit * s.b_unit, sum / 16, 1e-14);
  const double third = (1.0 * -5 * (1 - 5) + 5 * 4 * (5 + 4)) / 2;
  assert_near(s.third * pow(s.b_unit, 3), third / 64, 1e-14);
  assert_near(s.mean.a * s.a_unit, 5, 1e-14);
  CHECK_BETWEEN(s.freedom, 1, 7.0 / 3);
}

/* The heavy cell has the two light ones as its side; one of most of the weight is compared with all
 * others. */
TEST(test_spread_of_heavy_cells) {
  const sw_recent_cell side[] = {cell_of(1, 0, 0), cell_of(1, 1, 0), cell_of(2, 4, 0)};
  const sw_spread s = spread_of(side, 3);
  /* 1: against 1; 2: against 1 and, of weight 2, 4; 3: against both at once, whose mean is 0.5 */
  const double sum = 0.5 + 0.5 * (0.5 + 2.0 / 3 * 9) + 4 * 0.5 * 3.5 * 3.5;
  assert_near(s.mean.vaa * s.a_unit * s.a_unit, sum / 16, 1e-14);
  const sw_recent_cell most[] = {cell_of(1, 0, 0), cell_of(1, 1, 0), cell_of(8, 4, 0)};
  const sw_spread heavy = spread_of(most, 3);
  const double all = 0.5 + 0.5 * (0.5 + 8.0 / 9 * 9) + 64 * 0.2 * 3.5 * 3.5;
  assert_near(heavy.mean.vaa * heavy.a_unit * heavy.a_unit, all / 100, 1e-14);
}

/* Independent numbers around a mean that moves: variances and the third cumulant are those without
 * the movement, which is several times as large. The third cumulant of chi-squared is 8. */
TEST(test_spread_is_that_of_the_errors) {
  enum { CELLS = 200, TRIALS = 400 };
  static sw_recent_cell cells[CELLS];
  double aa = 0, ab = 0, bb = 0, third = 0;
  sw_random r;
  sw_random_init(&r, 5, sw_stream("test", 5));
  for (int trial = 0; trial < TRIALS; trial++) {
    for (int i = 0; i < CELLS; i++) {
      const double x = sw_random_normal(&r), y = sw_random_normal(&r), drift = 0.05 * i;
      cells[i] = cell_of(1, x + drift, x * 0.5 + y * y - 1 + drift);
    }
    const sw_spread s = spread_of(cells, CELLS);
    aa += s.mean.vaa * s.a_unit * s.a_unit * CELLS / TRIALS;
    ab += s.mean.vab * s.a_unit * s.b_unit * CELLS / TRIALS;
    bb += s.mean.vbb * s.b_unit * s.b_unit * CELLS / TRIALS;
    third += s.third * pow(s.b_unit, 3) * CELLS * CELLS / TRIALS;
  }
  CHECK_BETWEEN(aa, 0.98, 1.03);
  CHECK_BETWEEN(ab, 0.48, 0.53);
  CHECK_BETWEEN(bb, 2.2, 2.33);
  CHECK_BETWEEN(third, 7, 9);
}

/* -------------------------------------------------------------- Fieller's set */

enum { PAIRS = 16 };

static sw_estimate fieller(int n, const double *a, const double *b) {
  const sw_pairs p = {n, NULL, a, b};
  return sw_fieller_of_pairs(&p, t15);
}

/* Gaussian pairs with unit variances and correlation rho. */
static void draw_pairs(sw_random *r, double a, double b, double rho, double *as, double *bs) {
  for (int i = 0; i < PAIRS; i++) {
    double u = sw_random_normal(r), v = sw_random_normal(r);
    as[i] = a + u;
    bs[i] = b + rho * u + sqrt(1 - rho * rho) * v;
  }
}

static double covariance_of_means(const double *a, const double *b, double *mean_a,
                                  double *mean_b) {
  double ma = 0, mb = 0, c = 0;
  for (int i = 0; i < PAIRS; i++) ma += a[i] / PAIRS, mb += b[i] / PAIRS;
  for (int i = 0; i < PAIRS; i++) c += (a[i] - ma) * (b[i] - mb);
  *mean_a = ma;
  *mean_b = mb;
  return c / (PAIRS * (PAIRS - 1));
}

/* Every R of a grid is inside or outside as the definition says. */
static void check_against_definition(const double *a, const double *b) {
  double ma, mb, x, y;
  double vaa = covariance_of_means(a, a, &x, &y), vbb = covariance_of_means(b, b, &x, &y);
  double vab = covariance_of_means(a, b, &ma, &mb);
  sw_estimate e = fieller(PAIRS, a, b);
  int b_seen = mb * mb > t15 * t15 * vbb, outside_below = 1;
  assert_true(e.low >= 0 && e.low <= e.high && !isnan(e.value));
  assert_int_equal(e.status, isfinite(e.high) ? SW_RESOLVED : SW_UNRESOLVED);
  for (double big = 0; big < 200; big = big * 1.01 + 0.003) {
    double d = ma - big * mb, left = d * d,
           right = t15 * t15 * (vaa - 2 * big * vab + big * big * vbb);
    if (fabs(left - right) < 1e-9 * right) continue; /* on the border */
    int in = left < right;
    if (in && b_seen && mb < 0) continue; /* [0, inf) is said instead */
    if (in) assert_true(e.low <= big && big <= e.high);
    if (!in && b_seen && mb > 0 && e.high > 0) assert_true(big < e.low || big > e.high);
    if (in && outside_below && e.low > 0)
      assert_near(e.low, big, 0.014); /* the first member, to a step of the grid */
    if (in) outside_below = 0;
  }
  if (b_seen && mb < 0) assert_true(e.low == 0 && e.high == HUGE_VAL);
  if (!b_seen) assert_true(e.high == HUGE_VAL);
  if (mb > 0) assert_near(e.value, ma / mb, 1e-12);
  if (mb <= 0) assert_true(e.value == HUGE_VAL);
}

TEST(test_is_the_set_of_the_definition) {
  const double means[] = {-3, -0.6, -0.1, 0, 0.1, 0.6, 3}, rhos[] = {-0.9, 0, 0.9};
  double a[PAIRS], b[PAIRS];
  sw_random r;
  sw_random_init(&r, 2, sw_stream("test", 2));
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < 7; j++)
      for (int k = 0; k < 3; k++)
        for (int repeat = 0; repeat < 5; repeat++) {
          draw_pairs(&r, means[i], means[j], rhos[k], a, b);
          check_against_definition(a, b);
        }
}

TEST(test_covers_the_ratio_as_often_as_it_says) {
  enum { TRIALS = 2000 };
  const double cases[][3] = {{3, 3, 0},      {3, 3, 0.8},   {4, 0.7, 0},
                             {4, 0.5, -0.7}, {2, 0.2, 0.5}, {1, 0.05, 0}};
  double a[PAIRS], b[PAIRS];
  sw_random r;
  sw_random_init(&r, 3, sw_stream("test", 3));
  for (int c = 0; c < 6; c++) {
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
      draw_pairs(&r, cases[c][0], cases[c][1], cases[c][2], a, b);
      sw_estimate e = fieller(PAIRS, a, b);
      double truth = cases[c][0] / cases[c][1];
      held += e.low <= truth && truth <= e.high;
    }
    assert_near((double)held / TRIALS, 0.95, 0.02); /* four standard errors */
  }
}

/* Weighted pairs by the definition; equal weights of any total are no weights. */
TEST(test_weighted_pairs) {
  enum { N = 3 };
  const double w[N] = {1, 2, 5}, a[N] = {7, 9, 8}, b[N] = {2, 2.2, 1.9};
  double ma = 0, mb = 0, v[3] = {0}, squares = 0;
  for (int i = 0; i < N; i++) {
    ma += w[i] / 8 * a[i];
    mb += w[i] / 8 * b[i];
    squares += w[i] * w[i] / 64;
  }
  for (int i = 0; i < N; i++) {
    double da = w[i] / 8 * (a[i] - ma), db = w[i] / 8 * (b[i] - mb);
    v[0] += da * da / (1 - squares);
    v[1] += da * db / (1 - squares);
    v[2] += db * db / (1 - squares);
  }
  const sw_pairs p = {N, w, a, b};
  const sw_ratio r = {ma, mb, v[0], v[1], v[2]};
  sw_estimate got = sw_fieller_of_pairs(&p, 2), want = sw_fieller(&r, 2, SW_RATIO_POSITIVE);
  assert_near(got.low, want.low, 1e-12);
  assert_near(got.high, want.high, 1e-12);
  assert_near(sw_pairs_freedom(&p), 64.0 / 30 - 1, 1e-12);
  const double same[N] = {4, 4, 4};
  const sw_pairs equal = {N, same, a, b}, none = {N, NULL, a, b};
  assert_near(sw_fieller_of_pairs(&equal, 2).low, sw_fieller_of_pairs(&none, 2).low, 1e-12);
  assert_near(sw_pairs_freedom(&none), 2, 1e-12);
}

/* Nine equal a and skewed b: at the lower end Hall's transformation of Student's statistic is t, by
 * its definition for equal weights. */
TEST(test_lower_end_of_skewed_pairs) {
  const double a[9] = {5, 5, 5, 5, 5, 5, 5, 5, 5}, b[9] = {1, 1.1, 0.9, 1.2, 1, 3, 0.8, 2, 1};
  const sw_pairs p = {9, NULL, a, b};
  const double t = 2.5, low = sw_fieller_low_of_pairs(&p, t);
  double mean = 0, square = 0, cube = 0;
  for (int i = 0; i < 9; i++) mean += (a[i] - low * b[i]) / 9;
  for (int i = 0; i < 9; i++) {
    double d = a[i] - low * b[i] - mean;
    square += d * d / 8;
    cube += d * d * d * 9 / (8 * 7);
  }
  double x = 3 * mean / sqrt(square), q = cube / pow(square, 1.5) / 3, cubic = 1 + q * x / 3;
  assert_near((cubic * cubic * cubic - 1) / q + q / 6, t, 1e-9);
  assert_true(low < sw_fieller_of_pairs(&p, t).low);
  const double other[9] = {2, 2, 2, 2, 2, 0.1, 2, 2, 2}; /* skewed the other way */
  const sw_pairs mirrored = {9, NULL, a, other};
  assert_near(sw_fieller_low_of_pairs(&mirrored, t), sw_fieller_of_pairs(&mirrored, t).low, 1e-12);
  const sw_pairs two = {2, NULL, a, b};
  assert_near(sw_fieller_low_of_pairs(&two, t), 0, 0);
}

TEST(test_knows_the_unit) {
  double a[PAIRS], b[PAIRS], big_a[PAIRS], small_b[PAIRS];
  sw_random r;
  sw_random_init(&r, 4, sw_stream("test", 4));
  draw_pairs(&r, 3, 2, 0.3, a, b);
  for (int i = 0; i < PAIRS; i++) {
    big_a[i] = a[i] * 1e180;
    small_b[i] = b[i] * 1e-100;
  }
  sw_estimate e = fieller(PAIRS, a, b), scaled = fieller(PAIRS, big_a, small_b);
  assert_int_equal(scaled.status, SW_RESOLVED);
  assert_near(scaled.value / 1e280, e.value, 1e-12);
  assert_near(scaled.low / 1e280, e.low, 1e-12);
  assert_near(scaled.high / 1e280, e.high, 1e-12);
}

TEST(test_is_never_nan) {
  const double values[] = {0, 5e-324, 1e-300, 1e-30, 1, 1e30, 1e300, 1.7e308, -1, -1e300, -1e-300};
  enum { VALUES = sizeof values / sizeof *values };
  for (int i = 0; i < VALUES; i++)
    for (int j = 0; j < VALUES; j++)
      for (int spread = 0; spread < 2; spread++) {
        double a[PAIRS], b[PAIRS];
        for (int k = 0; k < PAIRS; k++) {
          a[k] = spread && k % 2 ? -values[i] : values[i];
          b[k] = spread && k % 3 ? values[j] : values[j] / 2;
        }
        sw_estimate e = fieller(PAIRS, a, b);
        assert_int_not_equal(e.status, SW_PENDING);
        if (isnan(e.value) || !(e.low >= 0 && e.low <= e.high && e.low < HUGE_VAL))
          fail_msg("a %g, b %g: value %g, low %g, high %g", values[i], values[j], e.value, e.low,
                   e.high);
      }
}

TEST(test_says_pending_of_what_is_no_sample) {
  double a[PAIRS] = {0}, b[PAIRS] = {0};
  assert_int_equal(fieller(1, a, b).status, SW_PENDING);
  b[3] = (double)NAN;
  assert_int_equal(fieller(PAIRS, a, b).status, SW_PENDING);
}

TEST(test_names) {
  assert_string_equal(sw_estimate_status_name(SW_PENDING), "pending");
  assert_string_equal(sw_estimate_status_name(SW_UNRESOLVED), "unresolved");
  assert_string_equal(sw_estimate_status_name(SW_RESOLVED), "resolved");
}

RUN_TESTS(T(test_is_unbiased_for_the_training_set), T(test_is_unbiased_for_the_population),
          T(test_the_whole_set_is_exact), T(test_ignores_what_tells_nothing),
          T(test_is_pending_until_32), T(test_momentum_asks_for_longer_blocks),
          T(test_keeps_the_last_examples), T(test_weighs_by_pairs),
          T(test_survives_a_jump_of_the_batch), T(test_what_it_keeps_goes_on),
          T(test_few_heavy_blocks_do_not_replace_an_estimate), T(test_blocks_are_neighbours),
          T(test_finds_a_known_scale), T(test_spread_of_equal_weights),
          T(test_spread_of_heavy_cells), T(test_spread_is_that_of_the_errors),
          T(test_is_the_set_of_the_definition), T(test_covers_the_ratio_as_often_as_it_says),
          T(test_weighted_pairs), T(test_lower_end_of_skewed_pairs), T(test_knows_the_unit),
          T(test_is_never_nan), T(test_says_pending_of_what_is_no_sample), T(test_names))
