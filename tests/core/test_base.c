/* base: allocation and its failures, random streams, the pool. */
#include <stdatomic.h>
#include <time.h>

#include "check.h"

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "base/parallel_int.h"
#include "base/random.h"
#include "base/sanitizer_int.h"

TEST(status_has_a_name_for_every_code) {
  CHECK_EQ_STR(sw_status_name(SW_OK), "OK");
  CHECK_EQ_STR(sw_status_name(SW_EINTERRUPTED), "EINTERRUPTED");
  for (int i = 0; i < SW_STATUS_COUNT; i++) CHECK(sw_status_name((sw_status)i) != NULL);
  CHECK(sw_status_name((sw_status)99) != NULL);
}

TEST(message_may_quote_the_message_before) {
  sw_context *ctx = swi_context_new(0);
  CHECK_EQ_STR(sw_message(ctx), "");
  CHECK_EQ_INT(sw_fail(ctx, SW_EARG, "bad %d", 7), SW_EARG);
  CHECK_EQ_INT(sw_fail(ctx, SW_EIO, "file: %s", sw_message(ctx)), SW_EIO);
  CHECK_EQ_STR(sw_message(ctx), "file: bad 7");
  sw_context_release(ctx);
}

TEST(context_lives_until_the_last_reference_goes) {
  sw_context *ctx = swi_context_new(0);
  CHECK(sw_context_retain(ctx) == ctx);
  sw_context_release(ctx);
  CHECK_EQ_STR(sw_message(ctx), "");
  sw_context_release(ctx);
  sw_context_release(NULL);
  CHECK(sw_context_retain(NULL) == NULL);
}

TEST(alloc_is_aligned_and_counted) {
  sw_context *ctx = swi_context_new(0);
  const size_t sizes[] = {0, 1, 63, 64, 65, 4097};
  void *p[6];
  int64_t total = 0;
  for (int i = 0; i < 6; i++) {
    p[i] = swi_alloc(ctx, sizes[i]);
    CHECK(p[i] && (uintptr_t)p[i] % 64 == 0);
    memset(p[i], 1, sizes[i]);
    total += (int64_t)sizes[i];
  }
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_bytes, total);
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_blocks, 6);
  for (int i = 0; i < 6; i++) swi_free(ctx, p[i], sizes[i]);
  swi_free(ctx, NULL, 0);
  const sw_alloc_stats books = sw_context_alloc_stats(ctx);
  CHECK_EQ_INT(books.live_bytes, 0);
  CHECK_EQ_INT(books.live_blocks, 0);
  CHECK_EQ_INT(books.peak_bytes, total);
  CHECK_EQ_INT(books.calls, 6);
  sw_context_release(ctx);
}

/* The sanitizer keeps freed blocks itself. */
TEST(freed_blocks_are_used_again_and_few_are_kept) {
#if !SWI_UNDER_ASAN
  enum { MIB = 1 << 20, N = 40 };
  sw_context *ctx = swi_context_new(0);
  void *p[N], *first = swi_alloc(ctx, MIB), *small;
  swi_free(ctx, first, MIB);
  small = swi_alloc(ctx, MIB / 4);
  CHECK(small != first); /* which is too large for it */
  swi_free(ctx, small, MIB / 4);
  CHECK(swi_alloc(ctx, MIB - 100) == first);
  swi_free(ctx, first, MIB - 100);
  for (int i = 0; i < N; i++) {
    p[i] = swi_alloc(ctx, MIB);
    CHECK(p[i] && (uintptr_t)p[i] % 64 == 0);
    memset(p[i], 1, MIB);
  }
  for (int i = 0; i < N; i++) swi_free(ctx, p[i], MIB);
  CHECK(ctx->spares.n > 1 && ctx->spares.bytes <= 24 * MIB);
  CHECK(ctx->spares.bytes == (size_t)ctx->spares.n * MIB);
  first = swi_alloc(ctx, MIB);
  CHECK(first == p[N - 1]); /* the last one: it may be in the cache */
  swi_free(ctx, first, MIB);
  sw_context_release(ctx);
#endif
}

TEST(alloc_zeroed_is_zero_and_realloc_keeps_what_fits) {
  sw_context *ctx = swi_context_new(0);
  unsigned char *p = swi_alloc_zeroed(ctx, 100);
  for (int i = 0; i < 100; i++) CHECK_EQ_INT(p[i], 0);
  for (int i = 0; i < 100; i++) p[i] = (unsigned char)i;
  p = swi_realloc(ctx, p, 100, 1000);
  for (int i = 0; i < 100; i++) CHECK_EQ_INT(p[i], i);
  p = swi_realloc(ctx, p, 1000, 10);
  for (int i = 0; i < 10; i++) CHECK_EQ_INT(p[i], i);
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_bytes, 10);
  swi_free(ctx, p, 10);
  p = swi_realloc(ctx, NULL, 0, 5);
  CHECK(p != NULL);
  swi_free(ctx, p, 5);
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_blocks, 0);
  sw_context_release(ctx);
}

TEST(alloc_refuses_what_cannot_be) {
  sw_context *ctx = swi_context_new(0);
  CHECK(swi_alloc(ctx, SIZE_MAX) == NULL);
  CHECK(swi_alloc(ctx, (size_t)PTRDIFF_MAX - 3) == NULL);
  CHECK(strstr(sw_message(ctx), "out of memory") != NULL);
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_blocks, 0);
  sw_context_release(ctx);
}

TEST(allocation_fails_once_where_told) {
  sw_context *ctx = swi_context_new(0);
  sw_context_fail_allocation(ctx, 3, 0);
  void *p[4];
  for (int i = 0; i < 4; i++) p[i] = swi_alloc(ctx, 8);
  CHECK(p[0] && p[1] && !p[2] && p[3]);
  for (int i = 0; i < 4; i++) swi_free(ctx, p[i], 8);
  sw_context_release(ctx);
}

TEST(allocation_fails_for_good_until_told_otherwise) {
  sw_context *ctx = swi_context_new(0);
  unsigned char *kept = swi_alloc(ctx, 4);
  kept[0] = 42;
  sw_context_fail_allocation(ctx, 1, 1);
  CHECK(swi_alloc(ctx, 8) == NULL);
  CHECK(swi_alloc_zeroed(ctx, 8) == NULL);
  CHECK(swi_realloc(ctx, kept, 4, 8) == NULL);
  CHECK_EQ_INT(kept[0], 42);
  CHECK_EQ_INT(sw_context_set_threads(ctx, 2), SW_ENOMEM);
  sw_context_fail_allocation(ctx, 0, 0);
  void *p = swi_alloc(ctx, 8);
  CHECK(p != NULL);
  swi_free(ctx, p, 8);
  swi_free(ctx, kept, 4);
  sw_context_release(ctx);
}

/* The known-answer vectors published with Random123 for philox 4x32, ten rounds. */
TEST(philox_gives_the_published_answers) {
  static const uint32_t counter[3][4] = {{0, 0, 0, 0},
                                         {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}};
  static const uint32_t key[3][2] = {{0, 0}, {0xffffffff, 0xffffffff}, {0xa4093822, 0x299f31d0}};
  static const uint32_t answer[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                        {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    sw_philox4x32(counter[i], key[i], out);
    for (int w = 0; w < 4; w++) CHECK_EQ_INT(out[w], answer[i][w]);
  }
}

TEST(stream_is_a_counter_of_position_and_name) {
  sw_random r;
  const uint64_t stream = sw_stream("data", 3), seed = 0x123456789abcdef0u;
  sw_random_init(&r, seed, stream);
  for (uint32_t block = 0; block < 3; block++) {
    const uint32_t counter[4] = {block, 0, (uint32_t)stream, (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    sw_philox4x32(counter, key, out);
    for (int w = 0; w < 4; w++) CHECK_EQ_INT(sw_random_u32(&r), out[w]);
  }
  CHECK_EQ_INT(r.position, 3);
}

TEST(streams_differ_by_name_number_and_seed) {
  const uint64_t s[] = {sw_stream("data", 0), sw_stream("data", 1), sw_stream("init", 0),
                        sw_stream("", 0), sw_stream("measure", 0)};
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < i; j++) CHECK(s[i] != s[j]);
  CHECK(sw_stream("data", 1) == sw_stream("data", 1));
  sw_random a, b;
  sw_random_init(&a, 1, s[0]);
  sw_random_init(&b, 2, s[0]);
  CHECK(sw_random_u32(&a) != sw_random_u32(&b));
}

/* Correlation of two streams of n uniforms: its standard deviation is 1 / sqrt(n); 4 of them. */
TEST(streams_are_uncorrelated) {
  enum { N = 20000 };
  sw_random a, b;
  double sum = 0;
  sw_random_init(&a, 1, sw_stream("data", 0));
  sw_random_init(&b, 1, sw_stream("data", 1));
  for (int i = 0; i < N; i++) sum += (sw_random_uniform(&a) - 0.5) * (sw_random_uniform(&b) - 0.5);
  CHECK_NEAR(sum / N * 12, 0, 4 / sqrt(N));
}

TEST(below_is_in_range_and_even) {
  enum { N = 6, DRAWS = 60000 };
  sw_random r;
  int count[N] = {0};
  sw_random_init(&r, 5, 0);
  for (int i = 0; i < DRAWS; i++) {
    const uint32_t x = sw_random_below(&r, N);
    CHECK(x < N);
    count[x]++;
  }
  double chi2 = 0;
  for (int i = 0; i < N; i++) chi2 += pow(count[i] - DRAWS / N, 2) / (DRAWS / N);
  CHECK(chi2 < 20.5); /* 5 degrees of freedom, probability 0.001 */
  CHECK_EQ_INT(sw_random_below(&r, 1), 0);
  for (int i = 0; i < 100; i++) CHECK(sw_random_below(&r, 0xffffffffu) < 0xffffffffu);
}

TEST(permutation_holds_every_number_once) {
  sw_random r;
  int32_t order[1000];
  char seen[1000] = {0};
  sw_random_init(&r, 1, 2);
  sw_random_permutation(&r, 1000, order);
  for (int i = 0; i < 1000; i++) {
    CHECK(order[i] >= 0 && order[i] < 1000 && !seen[order[i]]);
    seen[order[i]] = 1;
  }
  sw_random_permutation(&r, 0, order);
  sw_random_permutation(&r, 1, order);
  CHECK_EQ_INT(order[0], 0);
}

TEST(permutation_is_uniform) {
  enum { DRAWS = 24000 };
  int count[256] = {0};
  sw_random r;
  sw_random_init(&r, 11, 0);
  for (int i = 0; i < DRAWS; i++) {
    int32_t p[4];
    sw_random_permutation(&r, 4, p);
    count[p[0] * 64 + p[1] * 16 + p[2] * 4 + p[3]]++;
  }
  double chi2 = 0;
  int kinds = 0;
  for (int i = 0; i < 256; i++) {
    if (count[i] == 0) continue;
    kinds++;
    chi2 += pow(count[i] - DRAWS / 24, 2) / (DRAWS / 24);
  }
  CHECK_EQ_INT(kinds, 24);
  CHECK(chi2 < 49.7); /* 23 degrees of freedom, probability 0.001 */
}

/* n = 200,000; standard errors: mean 1/sqrt(n), variance sqrt(2/n), fourth moment sqrt(96/n). */
TEST(normal_has_the_right_moments) {
  enum { N = 200000 };
  sw_random r;
  double m1 = 0, m2 = 0, m4 = 0;
  sw_random_init(&r, 3, sw_stream("init", 0));
  for (int i = 0; i < N; i++) {
    const double x = sw_random_normal(&r);
    CHECK(isfinite(x));
    m1 += x / N;
    m2 += x * x / N;
    m4 += x * x * x * x / N;
  }
  CHECK_NEAR(m1, 0, 4 / sqrt(N));
  CHECK_NEAR(m2, 1, 4 * sqrt(2.0 / N));
  CHECK_NEAR(m4, 3, 4 * sqrt(96.0 / N));
}

TEST(uniform_stays_below_one) {
  sw_random r;
  double mean = 0;
  sw_random_init(&r, 4, 0);
  for (int i = 0; i < 100000; i++) {
    const double x = sw_random_uniform(&r);
    CHECK(x >= 0 && x < 1);
    mean += x / 100000;
  }
  CHECK_NEAR(mean, 0.5, 4 / sqrt(12 * 100000.0));
}

enum { PIECES_MAX = 64 };

typedef struct tally {
  sw_context *ctx;
  _Atomic int done[PIECES_MAX];
  _Atomic int inner;
} tally;

static void count_piece(void *arg, int64_t piece) {
  tally *t = arg;
  atomic_fetch_add(&t->done[piece], 1);
}

static void run_and_check(tally *t, int64_t pieces) {
  for (int i = 0; i < PIECES_MAX; i++) atomic_store(&t->done[i], 0);
  swi_parallel(t->ctx, pieces, count_piece, t);
  for (int i = 0; i < PIECES_MAX; i++) CHECK_EQ_INT(atomic_load(&t->done[i]), i < pieces);
}

TEST(pool_runs_every_piece_once) {
  static tally t;
  t.ctx = swi_context_new(0);
  const int threads[] = {1, 2, 4};
  for (int i = 0; i < 3; i++) {
    CHECK_OK(t.ctx, sw_context_set_threads(t.ctx, threads[i]));
    CHECK_EQ_INT(sw_context_threads(t.ctx), threads[i]);
    const int64_t calls = sw_context_alloc_stats(t.ctx).calls;
    for (int repeat = 0; repeat < 10000; repeat++) run_and_check(&t, repeat % (PIECES_MAX + 1));
    CHECK_EQ_INT(sw_context_alloc_stats(t.ctx).calls, calls);
  }
  sw_context_release(t.ctx);
}

static void count_inner(void *arg, int64_t piece) {
  (void)piece;
  atomic_fetch_add(&((tally *)arg)->inner, 1);
}

static void call_inside(void *arg, int64_t piece) {
  tally *t = arg;
  swi_parallel(t->ctx, 3, count_inner, t);
  count_piece(t, piece);
}

TEST(pool_runs_nested_calls_where_they_are) {
  static tally t;
  t.ctx = swi_context_new(0);
  CHECK_OK(t.ctx, sw_context_set_threads(t.ctx, 4));
  for (int repeat = 0; repeat < 1000; repeat++) swi_parallel(t.ctx, 8, call_inside, &t);
  CHECK_EQ_INT(atomic_load(&t.inner), 24000);
  for (int i = 0; i < 8; i++) CHECK_EQ_INT(atomic_load(&t.done[i]), 1000);
  sw_context_release(t.ctx);
}

static void write_cells(void *arg, int64_t piece) {
  int *cell = arg;
  for (int i = 0; i < 100; i++) cell[piece * 100 + i]++;
}

/* The caller may read memory written by pieces without atomics, also after the workers slept. */
TEST(pool_hands_memory_back) {
  static int cell[6400];
  sw_context *ctx = swi_context_new(0);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 3));
  for (int repeat = 1; repeat <= 300; repeat++) {
    swi_parallel(ctx, 64, write_cells, cell);
    for (int i = 0; i < 6400; i++) CHECK_EQ_INT(cell[i], repeat);
    if (repeat % 100 == 0) nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
  sw_context_release(ctx);
}

TEST(pool_refuses_impossible_numbers_and_stays) {
  sw_context *ctx = swi_context_new(0);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 2));
  CHECK_EQ_INT(sw_context_set_threads(ctx, 0), SW_ERANGE);
  CHECK_EQ_INT(sw_context_set_threads(ctx, -1), SW_ERANGE);
  CHECK_EQ_INT(sw_context_set_threads(ctx, 1 << 20), SW_ERANGE);
  CHECK_EQ_INT(sw_context_threads(ctx), 2);
  CHECK(sw_machine_cores() >= 1);
  sw_context_release(ctx);
}

RUN_TESTS(T(status_has_a_name_for_every_code), T(message_may_quote_the_message_before),
          T(context_lives_until_the_last_reference_goes), T(alloc_is_aligned_and_counted),
          T(freed_blocks_are_used_again_and_few_are_kept),
          T(alloc_zeroed_is_zero_and_realloc_keeps_what_fits), T(alloc_refuses_what_cannot_be),
          T(allocation_fails_once_where_told), T(allocation_fails_for_good_until_told_otherwise),
          T(philox_gives_the_published_answers), T(stream_is_a_counter_of_position_and_name),
          T(streams_differ_by_name_number_and_seed), T(streams_are_uncorrelated),
          T(below_is_in_range_and_even), T(permutation_holds_every_number_once),
          T(permutation_is_uniform), T(normal_has_the_right_moments), T(uniform_stays_below_one),
          T(pool_runs_every_piece_once), T(pool_runs_nested_calls_where_they_are),
          T(pool_hands_memory_back), T(pool_refuses_impossible_numbers_and_stays))
