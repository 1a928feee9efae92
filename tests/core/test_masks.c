/* test_masks.c: random masks: the generator's words in their order, the same for any cut of a
 * batch, any number of threads and every instruction set. */
#include "graph/op_int.h"
#include "graph/program.h"
#include "tables.h"
#include "train_check.h"

/* ------------------------------------------------------------------ the kernel */

/* Element i, by the published generator. */
static int is_kept(int64_t i, const uint32_t key[2], const uint32_t counter[4],
                   uint32_t threshold) {
  uint32_t word[4];
  const uint32_t at[4] = {counter[0] + (uint32_t)(i / 32 * 8 + i % 8), counter[1], counter[2],
                          counter[3]};
  sw_philox4x32(at, key, word);
  return word[i / 8 % 4] >= threshold;
}

static void check_table(const swi_kernels *k, uint32_t threshold) {
  const uint32_t key[2] = {0x12345678u, 0x9abcdef0u}, counter[4] = {0xfffffff8u, 2, 3, 4};
  enum { N = 200 };
  double room[N + 1];
  for (int64_t n = 0; n <= N; n += n < 70 ? 1 : 13) {
    memset(room, 0x55, sizeof room);
    k->keep_mask(n, key, counter, threshold, 1.25, room);
    for (int64_t i = 0; i < n; i++) {
      double got = k->element_bytes == 4 ? (double)((float *)room)[i] : room[i];
      assert_true(got == (is_kept(i, key, counter, threshold) ? 1.25 : 0));
    }
    const unsigned char *behind = (unsigned char *)room + n * k->element_bytes;
    for (int i = 0; i < k->element_bytes; i++) assert_int_equal(behind[i], 0x55);
  }
}

TEST(test_words_are_at_their_places) {
  const uint32_t thresholds[] = {0, 1u << 30, 0xc0000000u, UINT32_MAX};
  for (int i = 0; i < 4; i++)
    for (int t = 0; table_at(t); t++) check_table(table_at(t), thresholds[i]);
}

/* ------------------------------------------------------------------ the op */

enum { WIDE = 300 };

/* Outputs: a mask and another one of the same kind. */
static sw_program *masks(sw_context *c, double p) {
  sw_graph *g = NULL;
  sw_edge x, mask[2];
  sw_program *program = NULL;
  CHECK_OK(c, sw_graph_new(c, &g));
  CHECK_OK(c, sw_graph_input(g, 0, SW_REAL, 3, (sw_dim[]){{1, 1}, {3, 0}, {WIDE, 0}}, &x));
  for (int i = 0; i < 2; i++)
    CHECK_OK(c, sw_graph_apply(g, SW_OP_keep_mask, &x, 1, &(sw_attrs){.value = p}, &mask[i]));
  assert_int_not_equal(mask[0].node, mask[1].node);
  assert_int_equal(sw_graph_type(g, mask[0])->dependence, SW_BY_EXAMPLE);
  const sw_output o[] = {{mask[0], SW_TO_OUT, -1}, {mask[1], SW_TO_OUT, -1}};
  CHECK_OK(c, sw_program_new(g, &(sw_program_options){.outputs = o, .n_outputs = 2, .real = SW_F32},
                             &program));
  sw_graph_release(g);
  return program;
}

static const float *draw(sw_context *c, sw_workspace *w, int64_t batch, sw_run run, int which) {
  CHECK_OK(c, sw_workspace_batch(w, batch));
  CHECK_OK(c, sw_workspace_run(w, &run));
  return sw_workspace_output(w, which, NULL);
}

enum { BATCH = 100, EACH = 3 * WIDE, ALL = BATCH * EACH };
static float whole[ALL];

static void draw_whole(sw_context *c, int64_t first) {
  sw_program *p = masks(c, 0.3);
  sw_workspace *w = NULL;
  CHECK_OK(c, sw_workspace_new(p, &w));
  const sw_run run = {.seed = 7, .step = 11, .first_example = first};
  memcpy(whole, draw(c, w, BATCH, run, 0), sizeof whole);
  sw_workspace_free(w);
  sw_program_release(p);
}

/* Wherever a batch is cut, an example sees the same mask. */
TEST(test_parts) {
  draw_whole(ctx, 5);
  sw_program *p = masks(ctx, 0.3);
  sw_workspace *w = NULL;
  CHECK_OK(ctx, sw_workspace_new(p, &w));
  for (int64_t part = 1; part < BATCH; part += 12)
    for (int64_t at = 0; at < BATCH; at += part) {
      int64_t n = part < BATCH - at ? part : BATCH - at;
      const float *x = draw(ctx, w, n, (sw_run){.seed = 7, .step = 11, .first_example = 5 + at}, 0);
      assert_memory_equal(x, whole + at * EACH, (size_t)(n * EACH) * sizeof *x);
    }
  sw_workspace_free(w);
  sw_program_release(p);
}

TEST(test_threads) {
  static float one[ALL];
  draw_whole(ctx, 1LL << 33);
  memcpy(one, whole, sizeof one);
  char reason[200];
  sw_context *two = NULL;
  assert_int_equal(sw_open(NULL, 3, &two, reason, sizeof reason), SW_OK);
  draw_whole(two, 1LL << 33);
  sw_context_release(two);
  assert_memory_equal(one, whole, sizeof one);
}

static int differences(const float *x) {
  int n = 0;
  for (int i = 0; i < ALL; i++) n += x[i] != whole[i];
  return n;
}

/* Masks of another seed, step, node or example agree with probability 1 - 2 p (1 - p). */
TEST(test_streams_are_apart) {
  draw_whole(ctx, 0);
  sw_program *p = masks(ctx, 0.3);
  sw_workspace *w = NULL;
  CHECK_OK(ctx, sw_workspace_new(p, &w));
  const sw_run same = {.seed = 7, .step = 11};
  const sw_run other[] = {{.seed = 8, .step = 11},
                          {.seed = 7, .step = 12},
                          {.seed = 7, .step = 11, .first_example = 1},
                          {.seed = 7, .step = 11, .first_example = 1LL << 32}};
  assert_int_equal(differences(draw(ctx, w, BATCH, same, 0)), 0);
  CHECK_BETWEEN(differences(draw(ctx, w, BATCH, same, 1)), (int)(0.41 * ALL), (int)(0.43 * ALL));
  for (int i = 0; i < 4; i++)
    CHECK_BETWEEN(differences(draw(ctx, w, BATCH, other[i], 0)), (int)(0.41 * ALL),
                  (int)(0.43 * ALL));
  sw_workspace_free(w);
  sw_program_release(p);
}

TEST(test_values_and_their_share) {
  for (int i = 0; i < 5; i++) {
    const double p = (double[]){0, 0.1, 0.5, 0.9, 1 - 0x1p-40}[i];
    sw_program *program = masks(ctx, p);
    sw_workspace *w = NULL;
    int zeros = 0;
    CHECK_OK(ctx, sw_workspace_new(program, &w));
    const float *x = draw(ctx, w, BATCH, (sw_run){.seed = 1}, 0);
    for (int k = 0; k < ALL; k++) {
      zeros += x[k] == 0;
      assert_true(x[k] == 0 || x[k] == (float)(1 / (1 - p)));
    }
    assert_near(zeros, p * ALL, 4 * sqrt(p * (1 - p) / ALL) / fmax(p, 1e-300) + 1e-12);
    sw_workspace_free(w);
    sw_program_release(program);
  }
}

TEST(test_refuses) {
  sw_graph *g = NULL;
  sw_edge x, out;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  CHECK_OK(ctx, sw_graph_input(g, 0, SW_REAL, 2, (sw_dim[]){{3, 0}, {1, 1}}, &x));
  for (int i = 0; i < 3; i++) {
    const double p = (double[]){-0.1, 1, (double)NAN}[i];
    assert_int_equal(sw_graph_apply(g, SW_OP_keep_mask, &x, 1, &(sw_attrs){.value = p}, &out),
                     SW_ERANGE);
  }
  assert_int_equal(sw_graph_apply(g, SW_OP_keep_mask, &x, 1, &(sw_attrs){.value = 0.5}, &out),
                   SW_ESHAPE);
  assert_message("the batch must be the first axis, got (3, batch)");
  sw_graph_release(g);
}

RUN_CLEAN_TESTS(CLEAN(test_words_are_at_their_places), CLEAN(test_parts), CLEAN(test_threads),
                CLEAN(test_streams_are_apart), CLEAN(test_values_and_their_share),
                CLEAN(test_refuses))
