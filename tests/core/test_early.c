/* test_early.c: updates right after their gradients, or all at the end: only the time differs. */
#include "base/parallel.h"
#include "train/loop.h"
#include "train_check.h"

/* The first layer is large enough for the pool. */
enum {
  EXAMPLES = 300,
  IN = 600,
  HIDDEN = 512,
  OUT = 10,
  PARAMS = 4,
  WEIGHTS = IN * HIDDEN + HIDDEN + HIDDEN * OUT + OUT
};

typedef struct training {
  sw_program *plain, *measured;
  sw_source *source;
  sw_range range[PARAMS];
} training;

static sw_edge apply(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs) {
  sw_edge in[2] = {a, b}, out[2];
  CHECK_OK(ctx, sw_graph_apply(g, op, in, b.node < 0 ? 1 : 2, attrs ? attrs : &(sw_attrs){0}, out));
  return out[0];
}

static sw_program *program_of(sw_graph *g, sw_edge loss, sw_edge norms, const sw_edge *grad,
                              const training *t) {
  sw_output out[2 + PARAMS] = {{loss, SW_TO_OUT, -1}, {norms, SW_TO_OUT, -1}};
  sw_program *program = NULL;
  int n = norms.node < 0 ? 1 : 2;
  for (int i = 0; i < PARAMS; i++) out[n++] = (sw_output){grad[i], SW_TO_OUT, t->range[i].first};
  CHECK_OK(ctx,
           sw_program_new(g, &(sw_program_options){.outputs = out, .n_outputs = n, .real = SW_F32},
                          &program));
  return program;
}

static void compile(training *t) {
  const sw_attrs transposed = {.transpose_b = 1}, over_batch = {.axes = 1};
  const sw_shape shape[PARAMS] = {{2, {HIDDEN, IN}}, {1, {HIDDEN}}, {2, {OUT, HIDDEN}}, {1, {OUT}}};
  sw_edge x, y, p[PARAMS], grad[PARAMS], norms;
  sw_graph *g = NULL;
  int64_t at = 0;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  CHECK_OK(ctx, sw_graph_input(g, 0, SW_REAL, 2, (sw_dim[]){{1, 1}, {IN, 0}}, &x));
  CHECK_OK(ctx, sw_graph_input(g, 1, SW_INDEX, 1, (sw_dim[]){{1, 1}}, &y));
  for (int i = 0; i < PARAMS; i++) {
    int64_t n;
    CHECK_OK(ctx, sw_shape_numel(ctx, &shape[i], &n));
    CHECK_OK(ctx, sw_graph_param(g, 0, at, &shape[i], &p[i]));
    t->range[i] = (sw_range){at, n, 1, i % 2 ? 0 : 1, 0};
    at += n;
  }
  sw_edge h = apply(g, SW_OP_add, apply(g, SW_OP_matmul, x, p[0], &transposed), p[1], NULL);
  h = apply(g, SW_OP_relu, h, SW_NO_EDGE, NULL);
  h = apply(g, SW_OP_add, apply(g, SW_OP_matmul, h, p[2], &transposed), p[3], NULL);
  sw_edge loss =
      apply(g, SW_OP_mean, apply(g, SW_OP_cross_entropy, h, y, NULL), SW_NO_EDGE, &over_batch);
  CHECK_OK(ctx, sw_graph_gradient(g, loss, SW_NO_EDGE, p, PARAMS, grad));
  CHECK_OK(ctx, sw_graph_example_norms(g, grad, PARAMS, &norms, NULL));
  t->plain = program_of(g, loss, SW_NO_EDGE, grad, t);
  t->measured = program_of(g, loss, norms, grad, t);
  sw_graph_release(g);
}

static void start(training *t) {
  sw_tensor *x = tensor(SW_F32, 2, EXAMPLES, IN), *y = tensor(SW_I32, 1, EXAMPLES, 0);
  sw_random r;
  sw_random_init(&r, 1, sw_stream("test", 0));
  CHECK_OK(ctx, sw_tensor_normal(x, &r, 0, 1));
  for (int i = 0; i < EXAMPLES; i++) ((int32_t *)data_of(y))[i] = i % OUT;
  CHECK_OK(ctx,
           sw_source_new(ctx, &(sw_source_options){.x = x, .y = y, .classes = OUT}, &t->source));
  sw_tensor_free(x);
  sw_tensor_free(y);
  compile(t);
}

static void end(training *t) {
  sw_source_free(t->source);
  sw_program_release(t->plain);
  sw_program_release(t->measured);
}

/* A bound that no norm reaches puts the updates at the end, and changes no number. */
static const double late = 1e300;

static sw_loop *loop_of(const training *t, sw_tensor *w, sw_optimizer_kind kind, double max_norm) {
  const sw_loop_options o = {.program = t->plain,
                             .measured = t->measured,
                             .weights = w,
                             .source = t->source,
                             .optimizer = {.kind = kind, .beta2 = 0.99, .eps = 1e-8},
                             .ranges = t->range,
                             .n_ranges = PARAMS,
                             .max_norm = max_norm};
  sw_loop *l = NULL;
  sw_random r;
  sw_random_init(&r, 2, sw_stream("test", 0));
  CHECK_OK(ctx, sw_tensor_normal(w, &r, 0, 0.05));
  CHECK_OK(ctx, sw_loop_new(ctx, &o, &l));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.01));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_MOMENTUM, 0.9));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_WEIGHT_DECAY, 0.1));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 32));
  sw_loop_measure(l, 3, 0);
  return l;
}

static void train(const training *t, sw_optimizer_kind kind, double max_norm, int threads,
                  sw_tensor *w, sw_loop_state *s) {
  CHECK_OK(ctx, sw_context_set_threads(ctx, threads));
  sw_loop *l = loop_of(t, w, kind, max_norm);
  sw_stop why;
  CHECK_OK(ctx, sw_loop_advance(l, 20, 0, NULL, &why));
  sw_loop_state_get(l, s);
  sw_loop_free(l);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
}

TEST(test_early_and_late_have_the_same_bits) {
  training t;
  sw_loop_state want, got;
  start(&t);
  sw_tensor *a = tensor(SW_F32, 1, WEIGHTS, 0), *b = tensor(SW_F32, 1, WEIGHTS, 0);
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++) {
    train(&t, (sw_optimizer_kind)kind, late, 1, a, &want);
    const int external = sw_optimizer_row_of(kind)->external;
    CHECK((external || want.loss < 2) && want.grad_norm > 0);
    for (int threads = 1; threads <= 4; threads *= 2)
      for (int early = 0; early < 2; early++) {
        train(&t, (sw_optimizer_kind)kind, early ? 0 : late, threads, b, &got);
        assert_memory_equal(data_of(b), data_of(a), WEIGHTS * sizeof(float));
        CHECK(got.loss == want.loss && got.grad_norm == want.grad_norm);
      }
  }
  sw_tensor_free(a);
  sw_tensor_free(b);
  end(&t);
}

/* The step after a rate that makes the weights overflow: nothing of it is committed. */
static sw_loop_state diverge(const training *t, double max_norm) {
  static float before[WEIGHTS];
  sw_tensor *w = tensor(SW_F32, 1, WEIGHTS, 0);
  sw_loop *l = loop_of(t, w, SW_OPTIMIZER_sgd, max_norm);
  sw_loop_state s;
  sw_stop why;
  sw_status status = SW_OK;
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 1e25));
  while (status == SW_OK) {
    memcpy(before, data_of(w), sizeof before);
    status = sw_loop_advance(l, 1, 0, NULL, &why);
  }
  CHECK_EQ_INT(status, SW_ENAN);
  assert_memory_equal(data_of(w), before, sizeof before);
  sw_loop_state_get(l, &s);
  sw_loop_free(l);
  sw_tensor_free(w);
  return s;
}

TEST(test_a_bad_loss_is_seen_before_an_early_update) {
  training t;
  start(&t);
  sw_loop_state early = diverge(&t, 0), end_of = diverge(&t, late);
  CHECK(early.step == end_of.step && early.examples == 32 * early.step &&
        !isfinite(early.bad_loss));
  CHECK(check_is_near(early.bad_loss, end_of.bad_loss, 0));
  CHECK(check_is_near(early.bad_grad_norm, end_of.bad_grad_norm, 0));
  end(&t);
}

RUN_CLEAN_TESTS(CLEAN(test_early_and_late_have_the_same_bits),
                CLEAN(test_a_bad_loss_is_seen_before_an_early_update))
