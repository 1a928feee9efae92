/* test_sampler.c: the order of examples. */
#include <stdlib.h>

#include "train/sampler_int.h"
#include "train_check.h"

enum { EXAMPLES = 11, DRAWN = 60 };

static void draw(uint64_t seed, const int64_t *batch, int32_t *index) {
  sw_sampler *s = NULL;
  CHECK_OK(ctx, sw_sampler_new(ctx, &(sw_sampler_options){.examples = EXAMPLES, .seed = seed}, &s));
  for (int64_t at = 0; at < DRAWN; at += *batch++) sw_sampler_next(s, *batch, index + at);
  assert_int_equal(sw_sampler_position(s), DRAWN);
  sw_sampler_free(s);
}

TEST(test_any_batch_size_sees_the_same_order) {
  int32_t ones[DRAWN], mixed[DRAWN], all[DRAWN], other[DRAWN];
  int64_t batch[DRAWN];
  for (int i = 0; i < DRAWN; i++) batch[i] = 1;
  draw(1, batch, ones);
  draw(1, (int64_t[]){7, 7, 1, 0, 30, 11, 4}, mixed);
  draw(1, (int64_t[]){DRAWN}, all);
  draw(2, (int64_t[]){DRAWN}, other);
  assert_memory_equal(mixed, ones, sizeof ones);
  assert_memory_equal(all, ones, sizeof ones);
  assert_memory_not_equal(other, ones, sizeof ones);
  assert_memory_not_equal(ones, ones + EXAMPLES, EXAMPLES * sizeof *ones);
}

TEST(test_an_epoch_holds_each_example_once) {
  int32_t index[DRAWN];
  draw(3, (int64_t[]){DRAWN}, index);
  for (int epoch = 0; epoch < DRAWN / EXAMPLES; epoch++) {
    unsigned seen = 0;
    for (int i = 0; i < EXAMPLES; i++) seen |= 1u << index[epoch * EXAMPLES + i];
    assert_int_equal(seen, (1u << EXAMPLES) - 1);
  }
}

TEST(test_seeks_anywhere) {
  int32_t index[DRAWN], again[5];
  draw(4, (int64_t[]){DRAWN}, index);
  sw_sampler *s = NULL;
  CHECK_OK(ctx, sw_sampler_new(ctx, &(sw_sampler_options){.examples = EXAMPLES, .seed = 4}, &s));
  for (int64_t at = DRAWN - 5; at >= 0; at -= 3) {
    sw_sampler_seek(s, at);
    sw_sampler_next(s, 5, again);
    assert_memory_equal(again, index + at, sizeof again);
  }
  for (int order = SW_SHUFFLED; order <= SW_SEQUENTIAL; order++) {
    sw_sampler_free(s);
    CHECK_OK(ctx, sw_sampler_new(ctx,
                                 &(sw_sampler_options){
                                     .order = (sw_order)order, .examples = EXAMPLES, .seed = 4},
                                 &s));
    const int64_t bad[] = {-1, INT64_MIN, SW_LARGEST_COUNT + 1, INT64_MAX - 2, INT64_MAX};
    for (int i = 0; i < 5; i++) assert_int_equal(sw_sampler_seek(s, bad[i]), SW_ERANGE);
    assert_int_equal(sw_sampler_position(s), 0);
    CHECK_OK(ctx, sw_sampler_seek(s, SW_LARGEST_COUNT));
    sw_sampler_next(s, 5, again);
    for (int i = 0; i < 5; i++) CHECK(again[i] >= 0 && again[i] < EXAMPLES);
  }
  sw_sampler_free(s);
  assert_int_equal(sw_sampler_new(ctx, &(sw_sampler_options){.examples = 0, .seed = 4}, &s),
                   SW_ERANGE);
}

/* -------------------------------------------------------------- other orders */

static sw_sampler *sampler_of(sw_sampler_options o) {
  sw_sampler *s = NULL;
  CHECK_OK(ctx, sw_sampler_new(ctx, &o, &s));
  return s;
}

/* Up to the end of the epoch, of a subset, too; other orders draw none in advance. */
TEST(test_drawn_ones_come_next) {
  const int32_t subset[] = {5, 3, 8, 10};
  sw_sampler *s = sampler_of(
      (sw_sampler_options){.examples = EXAMPLES, .seed = 4, .subset = subset, .n_subset = 4});
  int32_t index[4];
  int64_t n = -1;
  swi_sampler_drawn(s, 3, &n);
  assert_int_equal(n, 0);
  sw_sampler_next(s, 1, index);
  const int32_t *drawn = swi_sampler_drawn(s, 2, &n);
  assert_int_equal(n, 2);
  assert_int_equal(swi_sampler_drawn(s, 9, &n) - drawn, 0);
  assert_int_equal(n, 3);
  sw_sampler_next(s, 3, index);
  assert_memory_equal(index, drawn, sizeof *index * 3);
  swi_sampler_drawn(s, 9, &n);
  assert_int_equal(n, 0);
  sw_sampler_free(s);
  s = sampler_of((sw_sampler_options){.order = SW_SEQUENTIAL, .examples = 5});
  sw_sampler_next(s, 1, index);
  swi_sampler_drawn(s, 9, &n);
  assert_int_equal(n, 0);
  sw_sampler_free(s);
}

TEST(test_sequential) {
  sw_sampler *s = sampler_of((sw_sampler_options){.order = SW_SEQUENTIAL, .examples = 5});
  int32_t index[12];
  sw_sampler_next(s, 3, index);
  sw_sampler_next(s, 9, index + 3);
  for (int i = 0; i < 12; i++) assert_int_equal(index[i], i % 5);
  sw_sampler_seek(s, 7);
  sw_sampler_next(s, 1, index);
  assert_int_equal(index[0], 2);
  sw_sampler_free(s);
}

/* Draw p does not depend on batch sizes, nor on where drawing began. */
TEST(test_draws_can_be_sought) {
  enum { DRAWS = 300 };
  int32_t all[DRAWS], some[DRAWS], other[DRAWS];
  sw_sampler *s = sampler_of((sw_sampler_options){SW_INDEPENDENT, 7, 1000, NULL, 0});
  sw_sampler_next(s, DRAWS, all);
  sw_sampler_seek(s, 0);
  for (int at = 0, n = 1; at < DRAWS; at += n, n = n % 7 + 1)
    sw_sampler_next(s, n < DRAWS - at ? n : DRAWS - at, some + at);
  assert_memory_equal(some, all, sizeof all);
  for (int at = DRAWS - 3; at >= 0; at -= 5) {
    sw_sampler_seek(s, at);
    sw_sampler_next(s, 3, some);
    assert_memory_equal(some, all + at, 3 * sizeof *all);
  }
  sw_sampler_free(s);
  s = sampler_of((sw_sampler_options){SW_INDEPENDENT, 8, 1000, NULL, 0});
  sw_sampler_next(s, DRAWS, other);
  assert_memory_not_equal(other, all, sizeof all);
  sw_sampler_free(s);
}

/* Chi square with 19 degrees of freedom; neighbours that are equal come once in 20. */
TEST(test_draws_are_even_and_independent) {
  enum { DRAWS = 100000, CELLS = 20 };
  static int32_t index[DRAWS];
  int count[CELLS] = {0}, repeats = 0;
  sw_sampler *s = sampler_of((sw_sampler_options){SW_INDEPENDENT, 3, CELLS, NULL, 0});
  sw_sampler_next(s, DRAWS, index);
  double chi2 = 0, expected = (double)DRAWS / CELLS;
  for (int i = 0; i < DRAWS; i++) {
    CHECK_BETWEEN(index[i], 0, CELLS - 1);
    count[index[i]]++;
    repeats += i > 0 && index[i] == index[i - 1];
  }
  for (int i = 0; i < CELLS; i++) chi2 += pow(count[i] - expected, 2) / expected;
  CHECK_AT(chi2 > 7 && chi2 < 39, "chi square %g", chi2);
  CHECK_AT(abs(repeats - DRAWS / CELLS) < 300, "%d repeats", repeats); /* 69 is one deviation */
  sw_sampler_free(s);
}

TEST(test_subset) {
  const int32_t subset[] = {90, 3, 41, 3};
  int32_t index[40];
  for (int order = SW_SHUFFLED; order <= SW_SEQUENTIAL; order++) {
    int32_t copy[4];
    int seen[3] = {0};
    memcpy(copy, subset, sizeof copy);
    sw_sampler *s = sampler_of((sw_sampler_options){(sw_order)order, 1, 91, copy, 4});
    copy[0] = copy[2] = -1; /* the sampler has its own */
    assert_int_equal(sw_sampler_size(s), 4);
    sw_sampler_next(s, 40, index);
    for (int i = 0; i < 40; i++) {
      assert_true(index[i] == 90 || index[i] == 3 || index[i] == 41);
      seen[index[i] == 90 ? 0 : index[i] == 3 ? 1 : 2]++;
      if (order == SW_SEQUENTIAL) assert_int_equal(index[i], subset[i % 4]);
    }
    if (order != SW_INDEPENDENT) assert_true(seen[0] == 10 && seen[1] == 20 && seen[2] == 10);
    sw_sampler_free(s);
  }
}

TEST(test_refuses) {
  sw_sampler *s = NULL;
  const int32_t subset[] = {2, 5};
  assert_int_equal(
      sw_sampler_new(ctx, &(sw_sampler_options){.examples = 5, .subset = subset, .n_subset = 2},
                     &s),
      SW_ERANGE);
  assert_message("the subset's number 2 is example 5, there are 0 to 4");
  assert_int_equal(sw_sampler_new(ctx, &(sw_sampler_options){.examples = 5, .subset = subset}, &s),
                   SW_ERANGE);
  assert_null(s);
}

TEST(test_out_of_memory) {
  const int32_t subset[] = {2, 1};
  sw_sampler *s = NULL;
  int n = 0;
  while (!s) {
    sw_context_fail_allocation(ctx, ++n, 0);
    sw_status status = sw_sampler_new(
        ctx, &(sw_sampler_options){.examples = 5, .subset = subset, .n_subset = 2}, &s);
    sw_context_fail_allocation(ctx, 0, 0);
    assert_int_equal(status, s ? SW_OK : SW_ENOMEM);
    if (!s) assert_int_equal(sw_context_alloc_stats(ctx).live_blocks, 0);
  }
  assert_int_equal(n, 4);
  sw_sampler_free(s);
}

RUN_CLEAN_TESTS(CLEAN(test_any_batch_size_sees_the_same_order),
                CLEAN(test_an_epoch_holds_each_example_once), CLEAN(test_seeks_anywhere),
                CLEAN(test_drawn_ones_come_next), CLEAN(test_sequential),
                CLEAN(test_draws_can_be_sought), CLEAN(test_draws_are_even_and_independent),
                CLEAN(test_subset), CLEAN(test_refuses), CLEAN(test_out_of_memory))
