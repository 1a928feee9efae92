/* test_loop_limits.c: the loop's memory, threads, denormals and refusals; evaluation. */
#include "base/parallel.h"
#include "least_squares.h"
#include "train/evaluate.h"

/* -------------------------------------------------------------- memory */

/* Sizes that shrink, grow back and change every step, with and without a measurement. */
TEST(test_steps_allocate_nothing) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F32);
  const double batch[] = {16, 16, 3, 16, 1, 9, 8, 2};
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.9));
  sw_loop_measure(l, 5, 0);
  int64_t calls = 0;
  for (int i = 0; i < 200; i++) {
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, batch[i % 8]));
    advance(l, 1);
    if (i == 0) calls = sw_context_alloc_stats(ctx).calls;
  }
  CHECK_EQ_INT(sw_context_alloc_stats(ctx).calls, calls);
  free_loop(l, &p);
}

static sw_status retried(sw_status status, int *failures) {
  if (status == SW_OK) return SW_OK;
  CHECK_EQ_INT(status, SW_ENOMEM);
  sw_context_fail_allocation(ctx, 0, 0);
  ++*failures;
  return status;
}

/* Trains with the n-th allocation failing and repeats what failed. Returns whether anything failed.
 * */
static int train_with_failure(const problem *p, sw_loop_options o, int n, double *out) {
  const double batch[] = {4, 4, 11, 2, 20, 20};
  int failures = 0, sgd = o.optimizer.kind == SW_OPTIMIZER_sgd;
  sw_stop why;
  sw_loop *l = NULL;
  o.program = p->program;
  o.measured = p->measured;
  o.weights = p->weights;
  o.source = p->source;
  CHECK_OK(ctx, sw_tensor_fill(p->weights, 0));
  sw_context_fail_allocation(ctx, n, 0);
  while (retried(sw_loop_new(ctx, &o, &l), &failures) != SW_OK) assert_null(l);
  sw_loop_measure(l, 2, 0);
  while (retried(sw_loop_watch_updates(l, 3), &failures) != SW_OK) {}
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.1));
  for (int i = 0; i < 6; i++) {
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, batch[i]));
    CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, sgd && i < 3 ? 0 : 0.9));
    while (retried(sw_loop_advance(l, 1, 0, NULL, &why), &failures) != SW_OK)
      CHECK_EQ_INT(state_of(l).step, i);
  }
  sw_context_fail_allocation(ctx, 0, 0);
  CHECK_EQ_INT(state_of(l).measurements, 3);
  sw_loop_free(l);
  memcpy(out, weights_of(p), F * sizeof *out);
  return failures;
}

static void survive(const problem *p, sw_loop_options o) {
  double want[F], got[F];
  CHECK(train_with_failure(p, o, 0, want) == 0);
  int64_t before = sw_context_alloc_stats(ctx).live_blocks;
  int n = 1;
  while (train_with_failure(p, o, n, got)) {
    assert_memory_equal(got, want, sizeof got);
    CHECK_EQ_INT(sw_context_alloc_stats(ctx).live_blocks, before);
    n++;
  }
  CHECK(n > 10);
}

TEST(test_out_of_memory_leaves_a_loop_that_goes_on) {
  problem p;
  make_problem(&p, SW_F64);
  const sw_range ranges[] = {{0, 2, 1, 1, 0}, {2, 1, 1, 1, 0}};
  sw_tensor *subset = tensor(SW_I32, 1, 5, 0);
  survive(&p, (sw_loop_options){.first_batch_hint = 3});
  survive(&p, (sw_loop_options){.optimizer = {.kind = SW_OPTIMIZER_adam, .beta2 = 0.9, .eps = 1e-8},
                                .ranges = ranges,
                                .n_ranges = 2,
                                .micro_batch = 3,
                                .max_norm = 1,
                                .subset = subset});
  sw_tensor_free(subset);
  free_problem(&p);
}

/* -------------------------------------------------------------- bits */

/* A classifier large enough for several pieces of gathering, products and updates. */
enum { ROWS = 1000, WIDE = 400, CLASSES = 200, BATCH = 800, LONG = WIDE * CLASSES };

static sw_source *large_source(void) {
  sw_tensor *x = tensor(SW_U8, 2, ROWS, WIDE), *y = tensor(SW_U8, 1, ROWS, 0);
  sw_tensor *scale = tensor(SW_F32, 1, WIDE, 0);
  sw_source *source = NULL;
  for (int i = 0; i < ROWS * WIDE; i++)
    ((uint8_t *)data_of(x))[i] = (uint8_t)((unsigned)i * 7919 >> 5);
  for (int i = 0; i < ROWS; i++) ((uint8_t *)data_of(y))[i] = (uint8_t)(i % CLASSES);
  CHECK_OK(ctx, sw_tensor_fill(scale, 1.0 / 255));
  sw_source_options o = {.x = x, .y = y, .scale = scale, .shift = scale, .classes = CLASSES};
  CHECK_OK(ctx, sw_source_new(ctx, &o, &source));
  sw_tensor_free(x);
  sw_tensor_free(y);
  sw_tensor_free(scale);
  return source;
}

/* The loss of each example under a linear classifier w. */
static sw_edge large_losses(sw_graph *g, int classes, sw_edge *w) {
  sw_edge x, label, logits, each[2];
  sw_shape shape = sw_shape_of(2, (int64_t[]){classes, WIDE});
  CHECK_OK(ctx, sw_graph_input(g, 0, SW_REAL, 2, (sw_dim[]){{1, 1}, {WIDE, 0}}, &x));
  CHECK_OK(ctx, sw_graph_input(g, 1, SW_INDEX, 1, (sw_dim[]){{1, 1}}, &label));
  CHECK_OK(ctx, sw_graph_param(g, 0, 0, &shape, w));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_matmul, (sw_edge[]){x, *w}, 2,
                               &(sw_attrs){.transpose_b = 1}, &logits));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_cross_entropy, (sw_edge[]){logits, label}, 2,
                               &(sw_attrs){0}, each));
  return each[0];
}

static sw_program *large_program(void) {
  sw_edge w, loss, gradient;
  sw_graph *g = NULL;
  sw_program *program = NULL;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  const sw_edge losses = large_losses(g, CLASSES, &w);
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_mean, &losses, 1, &(sw_attrs){.axes = 1}, &loss));
  CHECK_OK(ctx, sw_graph_gradient(g, loss, SW_NO_EDGE, &w, 1, &gradient));
  CHECK_OK(ctx,
           sw_program_new(g,
                          &(sw_program_options){.outputs = (sw_output[]){{loss, SW_TO_OUT, -1},
                                                                         {gradient, SW_TO_OUT, 0}},
                                                .n_outputs = 2,
                                                .real = SW_F32},
                          &program));
  sw_graph_release(g);
  return program;
}

static void train_large(sw_program *program, const sw_source *source, int threads, float *out) {
  sw_tensor *w = tensor(SW_F32, 1, LONG, 0);
  sw_loop_options o = {.program = program, .weights = w, .source = source, .seed = 3};
  sw_loop *l = NULL;
  CHECK_OK(ctx, sw_context_set_threads(ctx, threads));
  CHECK_OK(ctx, sw_loop_new(ctx, &o, &l));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.5));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.9));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, BATCH));
  advance(l, 10);
  CHECK(state_of(l).loss < log(CLASSES));
  memcpy(out, sw_tensor_data(w), LONG * sizeof *out);
  sw_loop_free(l);
  sw_tensor_free(w);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
}

TEST(test_threads_change_no_bit) {
  static float one[LONG], two[LONG], four[LONG];
  sw_source *source = large_source();
  sw_program *program = large_program();
  train_large(program, source, 1, one);
  train_large(program, source, 2, two);
  train_large(program, source, 4, four);
  assert_memory_equal(one, two, sizeof one);
  assert_memory_equal(one, four, sizeof one);
  sw_program_release(program);
  sw_source_free(source);
}

/* A weight that halves at each step: in float32 it stays at the smallest normal number, whose half
 * is flushed; in float64 it becomes a denormal. */
static double halved(sw_dtype real, int steps) {
  problem p;
  double w;
  make_problem(&p, real);
  sw_source_free(p.source);
  memset(p.x, 0, sizeof p.x);
  memset(p.y, 0, sizeof p.y);
  make_source(&p);
  CHECK_OK(ctx, sw_tensor_fill(p.weights, 1));
  sw_loop *l = loop_of(&p);
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.5));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 1));
  advance(l, steps);
  CHECK_OK(ctx, sw_tensor_get(p.weights, (int64_t[]){0}, &w));
  free_loop(l, &p);
  return w;
}

TEST(test_flushes_denormals_of_float32_alone) {
  CHECK(halved(SW_F32, 120) == 0x1p-120);
  CHECK(halved(SW_F32, 130) == 0x1p-126);
  CHECK(halved(SW_F64, 1060) == 0x1p-1060);
  volatile float small = 0x1p-126f;
  small /= 2;
  CHECK(small > 0);
}

/* -------------------------------------------------------------- refusals */

static void refused(sw_loop_options o, sw_status status, const char *part) {
  sw_loop *l = NULL;
  CHECK_EQ_INT(sw_loop_new(ctx, &o, &l), status);
  assert_null(l);
  assert_message(part);
}

TEST(test_refuses_what_does_not_fit) {
  problem p;
  make_problem(&p, SW_F64);
  const sw_loop_options good = {
      .program = p.program, .measured = p.measured, .weights = p.weights, .source = p.source};
  sw_loop_options o = good;
  o.source = NULL;
  refused(o, SW_EARG, "source");
  o = good;
  o.program = p.losses;
  refused(o, SW_ESHAPE, "a real scalar");
  o = good;
  o.measured = p.losses;
  refused(o, SW_ESHAPE, "a real scalar");
  o = good;
  o.optimizer.nesterov = 1;
  o.optimizer.dampening = 0.5;
  refused(o, SW_ERANGE, "dampening");
  sw_tensor *narrow = tensor(SW_F32, 1, F, 0);
  o = good;
  o.weights = narrow;
  refused(o, SW_EDTYPE, "the weights are float32, the program is float64");
  sw_tensor_free(narrow);
  sw_source *large = large_source();
  o = good;
  o.source = large;
  refused(o, SW_ESHAPE, "features of shape (batch, 3), the data has 400 an example");
  sw_source_free(large);
  free_problem(&p);
}

TEST(test_names_a_number_that_is_out_of_range) {
  problem p;
  sw_loop *l = problem_loop(&p, SW_F64);
  sw_stop why;
  CHECK_EQ_INT(sw_loop_set(l, SW_HYPER_LR, -1), SW_ERANGE);
  assert_message("lr must be finite and not negative, got -1");
  CHECK_EQ_INT(sw_loop_set(l, SW_HYPER_BATCH_SIZE, 0.9), SW_ERANGE);
  assert_message("batch_size must be 1 to");
  CHECK_EQ_INT(sw_loop_set(l, SW_HYPER_MOMENTUM, (double)NAN), SW_ERANGE);
  assert_message("momentum");
  advance(l, 1); /* the old values are unchanged */
  sw_schedule *falls = NULL;
  CHECK_OK(ctx, sw_schedule_new(
                    ctx,
                    &(sw_schedule_spec){
                        .kind = SW_SCHEDULE_cyclic, .max = 1, .min = -1, .period = {4, SW_STEPS}},
                    &falls));
  sw_loop_set_schedule(l, SW_HYPER_WEIGHT_DECAY, falls);
  sw_schedule_release(falls);
  CHECK_EQ_INT(sw_loop_advance(l, 5, 0, NULL, &why), SW_ERANGE);
  assert_message("weight_decay must be finite and not negative, got -0.5");
  CHECK_EQ_INT(state_of(l).step, 2);
  free_loop(l, &p);
}

/* -------------------------------------------------------------- evaluation */

static double loss_by_hand(const problem *p) {
  double sum = 0;
  for (int i = 0; i < N; i++) {
    double residual = -(double)p->y[i];
    for (int f = 0; f < F; f++) residual += weights_of(p)[f] * (double)p->x[i][f];
    sum += residual * residual / 2;
  }
  return sum;
}

TEST(test_evaluates_in_batches_of_any_size) {
  problem p;
  sw_workspace *w = NULL;
  make_problem(&p, SW_F64);
  CHECK_OK(ctx, sw_tensor_fill(p.weights, 0.7));
  CHECK_OK(ctx, sw_workspace_new(p.losses, &w));
  for (int64_t batch = 1; batch < 2 * N; batch += 6) {
    double sum = 99;
    CHECK_OK(ctx, sw_evaluate(w, p.weights, NULL, p.source, batch, NULL, &sum, 1));
    assert_near(sum, loss_by_hand(&p), 1e-14);
  }
  sw_workspace_free(w);
  free_problem(&p);
}

TEST(test_evaluation_can_stop_and_fail) {
  problem p;
  sw_workspace *w = NULL;
  double sum = 99;
  volatile int interrupt = 1;
  make_problem(&p, SW_F64);
  CHECK_OK(ctx, sw_workspace_new(p.losses, &w));
  CHECK_EQ_INT(sw_evaluate(w, p.weights, NULL, p.source, 5, &interrupt, &sum, 1), SW_EINTERRUPTED);
  CHECK_EQ_INT(sw_evaluate(w, p.weights, NULL, p.source, 0, NULL, &sum, 1), SW_ERANGE);
  CHECK(sum == 99);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 2));
  int64_t before = sw_context_alloc_stats(ctx).live_blocks;
  for (int n = 1; sum == 99; n++) {
    sw_context_fail_allocation(ctx, n, 0);
    sw_status status = sw_evaluate(w, p.weights, NULL, p.source, 3, NULL, &sum, 1);
    sw_context_fail_allocation(ctx, 0, 0);
    CHECK_EQ_INT(status, sum == 99 ? SW_ENOMEM : SW_OK);
    CHECK(sw_context_alloc_stats(ctx).live_blocks <= before + 1); /* the workspace's arena */
  }
  assert_near(sum, loss_by_hand(&p), 1e-14);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
  sw_workspace_free(w);
  CHECK_OK(ctx, sw_workspace_new(p.program, &w));
  CHECK_EQ_INT(sw_evaluate(w, p.weights, NULL, p.source, 5, NULL, &sum, 1), SW_EARG);
  CHECK_EQ_INT(sw_evaluate(w, p.weights, NULL, p.source, 5, NULL, &sum, 3), SW_EARG);
  sw_source *large = large_source();
  CHECK_EQ_INT(sw_evaluate(w, p.weights, NULL, large, 5, NULL, &sum, 1), SW_ESHAPE);
  assert_message("the data has 400 an example");
  sw_source_free(large);
  sw_workspace_free(w);
  free_problem(&p);
}

/* A workspace for the losses of a linear classifier. */
static sw_workspace *losses_workspace(int classes) {
  sw_edge w;
  sw_graph *g = NULL;
  sw_program *program = NULL;
  sw_workspace *workspace = NULL;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  const sw_output losses = {large_losses(g, classes, &w), SW_TO_OUT, -1};
  CHECK_OK(ctx, sw_program_new(
                    g, &(sw_program_options){.outputs = &losses, .n_outputs = 1, .real = SW_F32},
                    &program));
  CHECK_OK(ctx, sw_workspace_new(program, &workspace));
  sw_program_release(program);
  sw_graph_release(g);
  return workspace;
}

static sw_status evaluate_large(sw_workspace *w, const sw_source *source, int threads,
                                double *sum) {
  sw_tensor *weights = tensor(SW_F32, 1, LONG, 0);
  for (int i = 0; i < LONG; i++)
    ((float *)data_of(weights))[i] = (float)((unsigned)i * 7919 % 101) / 1000.0F;
  CHECK_OK(ctx, sw_context_set_threads(ctx, threads));
  const sw_status status = sw_evaluate(w, weights, NULL, source, 7, NULL, sum, 1);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
  sw_tensor_free(weights);
  return status;
}

TEST(test_threads_change_no_bit_of_an_evaluation) {
  sw_source *source = large_source();
  sw_workspace *w = losses_workspace(CLASSES);
  double one, many;
  CHECK_OK(ctx, evaluate_large(w, source, 1, &one));
  for (int threads = 2; threads < 9; threads += 3) {
    CHECK_OK(ctx, evaluate_large(w, source, threads, &many));
    assert_memory_equal(&one, &many, sizeof one);
  }
  sw_workspace_free(w);
  sw_source_free(source);
}

/* Labels are 0 … CLASSES - 1 in turn: batches of 7 that have the last one are far apart. */
TEST(test_threads_change_no_message_of_an_evaluation) {
  sw_source *source = large_source();
  sw_workspace *w = losses_workspace(CLASSES - 1);
  char want[512] = "";
  for (int threads = 1; threads < 9; threads += 3) {
    double sum = 99;
    sw_fail(ctx, SW_ERANGE, "none");
    CHECK_EQ_INT(evaluate_large(w, source, threads, &sum), SW_ERANGE);
    CHECK(sum == 99);
    assert_message("is outside");
    if (threads == 1) snprintf(want, sizeof want, "%s", sw_message(ctx));
    assert_string_equal(sw_message(ctx), want);
  }
  sw_workspace_free(w);
  sw_source_free(source);
}

RUN_CLEAN_TESTS(CLEAN(test_steps_allocate_nothing),
                CLEAN(test_out_of_memory_leaves_a_loop_that_goes_on),
                CLEAN(test_threads_change_no_bit), CLEAN(test_flushes_denormals_of_float32_alone),
                CLEAN(test_refuses_what_does_not_fit),
                CLEAN(test_names_a_number_that_is_out_of_range),
                CLEAN(test_evaluates_in_batches_of_any_size),
                CLEAN(test_evaluation_can_stop_and_fail),
                CLEAN(test_threads_change_no_bit_of_an_evaluation),
                CLEAN(test_threads_change_no_message_of_an_evaluation))
