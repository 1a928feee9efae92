/* test_noise_spread.c: the covariance of a window's errors, against exact answers and
 * simulation. */
#include "check.h"

#include "base/random.h"
#include "measure/noise.h"
#include "near.h"

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

RUN_TESTS(T(test_spread_of_equal_weights), T(test_spread_of_heavy_cells),
          T(test_spread_is_that_of_the_errors))
