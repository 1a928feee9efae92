/* test_buffers.c: buffers that a step updates: a running mean, against one by hand.
 *
 * Example i's loss is (w'(x_i - m) - y_i)^2 / 2; m is the running mean of x, which the batch's own
 * mean changes for the next batch. Buffers: m, and one more element that no part writes.
 */
#include "least_squares.h"

static const double momentum = 0.25;

static sw_edge apply(sw_graph *g, sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs) {
  sw_edge in[2] = {a, b}, out[3];
  CHECK_OK(ctx, sw_graph_apply(g, op, in, b.node < 0 ? 1 : 2, attrs, out));
  return out[0];
}

/* p->program and p->measured get a state output: (1 - momentum) m + momentum mean(x). */
static void add_buffers(problem *p) {
  sw_graph *g = NULL;
  sw_edge x, y, w, m, gradient, norms;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  sw_shape row = sw_shape_of(2, (int64_t[]){1, F}), flat = sw_shape_of(1, (int64_t[]){F});
  CHECK_OK(ctx, sw_graph_input(g, 0, SW_REAL, 2, (sw_dim[]){{1, 1}, {F, 0}}, &x));
  CHECK_OK(ctx, sw_graph_input(g, 1, SW_REAL, 2, (sw_dim[]){{1, 1}, {1, 0}}, &y));
  CHECK_OK(ctx, sw_graph_param(g, 0, 0, &row, &w));
  CHECK_OK(ctx, sw_graph_param(g, 1, 0, &flat, &m));
  sw_edge centred = apply(g, SW_OP_sub, x, m, NULL);
  sw_edge product = apply(g, SW_OP_matmul, centred, w, &(sw_attrs){.transpose_b = 1});
  sw_edge residual = apply(g, SW_OP_sub, product, y, NULL);
  sw_edge square = apply(g, SW_OP_mul, residual, residual, NULL);
  sw_edge half = apply(g, SW_OP_scale, square, SW_NO_EDGE, &(sw_attrs){.value = 0.5});
  sw_edge loss = apply(g, SW_OP_mean, half, SW_NO_EDGE, &(sw_attrs){.axes = 3});
  CHECK_OK(ctx, sw_graph_gradient(g, loss, SW_NO_EDGE, &w, 1, &gradient));
  CHECK_OK(ctx, sw_graph_example_norms(g, &gradient, 1, &norms, NULL));
  sw_edge mean = apply(g, SW_OP_mean, x, SW_NO_EDGE, &(sw_attrs){.axes = 1});
  sw_edge fresh =
      apply(g, SW_OP_add, apply(g, SW_OP_scale, m, SW_NO_EDGE, &(sw_attrs){.value = 1 - momentum}),
            apply(g, SW_OP_scale, mean, SW_NO_EDGE, &(sw_attrs){.value = momentum}), NULL);
  const sw_output o[] = {{loss, SW_TO_OUT, -1},
                         {norms, SW_TO_OUT, -1},
                         {gradient, SW_TO_OUT, 0},
                         {fresh, SW_TO_STATE, 0}};
  const sw_output plain[] = {o[0], o[2], o[3]};
  sw_program_release(p->program);
  sw_program_release(p->measured);
  CHECK_OK(ctx, sw_program_new(
                    g, &(sw_program_options){.outputs = plain, .n_outputs = 3, .real = SW_F64},
                    &p->program));
  CHECK_OK(ctx,
           sw_program_new(g, &(sw_program_options){.outputs = o, .n_outputs = 4, .real = SW_F64},
                          &p->measured));
  sw_graph_release(g);
}

typedef struct setting {
  problem p;
  sw_tensor *buffers;
  sw_loop *loop;
} setting;

static sw_tensor *buffers_of(int64_t n) {
  sw_tensor *t = tensor(SW_F64, 1, n, 0);
  for (int64_t i = 0; i < n; i++) ((double *)data_of(t))[i] = 0.5 + (double)i;
  return t;
}

static sw_loop_options options_of(const setting *s) {
  return (sw_loop_options){.program = s->p.program,
                           .measured = s->p.measured,
                           .weights = s->p.weights,
                           .buffers = s->buffers,
                           .source = s->p.source,
                           .order = SW_SEQUENTIAL};
}

static void start(setting *s, int64_t batch, int64_t part) {
  make_problem(&s->p, SW_F64);
  add_buffers(&s->p);
  s->buffers = buffers_of(F + 1);
  sw_loop_options o = options_of(s);
  o.micro_batch = part;
  CHECK_OK(ctx, sw_loop_new(ctx, &o, &s->loop));
  CHECK_OK(ctx, sw_loop_set(s->loop, SW_HYPER_LR, 0.05));
  CHECK_OK(ctx, sw_loop_set(s->loop, SW_HYPER_BATCH_SIZE, (double)batch));
}

static void finish(setting *s) {
  sw_loop_free(s->loop);
  sw_tensor_free(s->buffers);
  free_problem(&s->p);
}

/* Steps of `batch` examples, by hand; m and w are changed. */
static void by_hand(const problem *p, int steps, int batch, double *w, double *m) {
  for (int s = 0, at = 0; s < steps; s++) {
    double g[F] = {0}, mean[F] = {0};
    for (int i = 0; i < batch; i++, at++) {
      const float *x = p->x[at % N];
      double residual = -(double)p->y[at % N];
      for (int f = 0; f < F; f++) residual += w[f] * ((double)x[f] - m[f]);
      for (int f = 0; f < F; f++) g[f] += residual * ((double)x[f] - m[f]) / batch;
      for (int f = 0; f < F; f++) mean[f] += (double)x[f] / batch;
    }
    for (int f = 0; f < F; f++) {
      m[f] = (1 - momentum) * m[f] + momentum * mean[f];
      w[f] -= 0.05 * g[f];
    }
  }
}

static void check_steps(int batch, int part, int64_t measure_every) {
  setting s;
  double w[F] = {0}, m[F] = {0.5, 1.5, 2.5};
  start(&s, batch, part < batch ? part : 0);
  sw_loop_measure(s.loop, measure_every, 0);
  advance(s.loop, 9);
  by_hand(&s.p, 9, batch, w, m);
  const double *got = sw_tensor_data(s.buffers);
  for (int f = 0; f < F; f++) {
    assert_near(weights_of(&s.p)[f], w[f], 1e-13);
    assert_near(got[f], m[f], 1e-13);
  }
  assert_true(got[F] == 0.5 + F); /* no part writes it */
  finish(&s);
}

TEST(test_a_running_mean) {
  check_steps(7, 7, 0);
  check_steps(7, 7, 2); /* the measured program writes them, too */
}

/* The same as of the whole batch, whatever the parts: equal ones, a shorter one, many. */
TEST(test_the_cut_does_not_matter) {
  check_steps(8, 4, 0);
  check_steps(8, 3, 0);
  check_steps(8, 2, 3);
}

static void check_not_committed(int64_t part) {
  setting s;
  double m[F];
  start(&s, 4, part);
  CHECK_OK(ctx, sw_loop_set(s.loop, SW_HYPER_LR, 1e200)); /* the second or third loss is infinite */
  sw_stop why;
  sw_status st = SW_OK;
  for (int i = 0; i < 9 && st == SW_OK; i++) {
    memcpy(m, sw_tensor_data(s.buffers), sizeof m);
    st = sw_loop_advance(s.loop, 1, 0, NULL, &why);
  }
  assert_int_equal(st, SW_ENAN);
  assert_memory_equal(m, sw_tensor_data(s.buffers), sizeof m);
  char text[200];
  CHECK_OK(ctx, sw_loop_first_nan(s.loop, text, sizeof text));
  assert_memory_equal(m, sw_tensor_data(s.buffers), sizeof m);
  /* the same examples come again, and with finite weights the step starts from the same values */
  int64_t at = state_of(s.loop).examples;
  memset(data_of(s.p.weights), 0, sizeof m);
  advance(s.loop, 1);
  for (int f = 0; f < F && part == 0; f++) {
    double mean = 0;
    for (int64_t i = at; i < at + 4; i++) mean += (double)s.p.x[i % N][f] / 4;
    m[f] = (1 - momentum) * m[f] + momentum * mean;
    assert_near(((const double *)sw_tensor_data(s.buffers))[f], m[f], 1e-13);
  }
  finish(&s);
}

TEST(test_not_committed_where_the_loss_is_not_finite) {
  check_not_committed(0);
  check_not_committed(2);
}

TEST(test_refuses) {
  setting s;
  sw_loop *l = NULL;
  start(&s, 4, 0);
  sw_loop_options o = options_of(&s);
  o.buffers = NULL;
  assert_int_equal(sw_loop_new(ctx, &o, &l), SW_EARG);
  assert_message("the program has buffers (elements 1 to 3), none were given");
  o.buffers = buffers_of(2);
  assert_int_equal(sw_loop_new(ctx, &o, &l), SW_ESHAPE);
  assert_message("needs 3 buffers, got 2");
  sw_tensor_free(o.buffers);
  o.buffers = tensor(SW_F32, 1, 4, 0);
  assert_int_equal(sw_loop_new(ctx, &o, &l), SW_EDTYPE);
  assert_message("the buffers are float32, the program is float64");
  sw_tensor_free(o.buffers);
  problem plain;
  make_problem(&plain, SW_F64);
  o.buffers = s.buffers;
  o.program = plain.program;
  o.measured = NULL;
  assert_int_equal(sw_loop_new(ctx, &o, &l), SW_EARG);
  assert_message("neither reads nor writes them");
  o = options_of(&s);
  o.measured = plain.measured;
  assert_int_equal(sw_loop_new(ctx, &o, &l), SW_EARG);
  assert_message("must write the same buffers");
  free_problem(&plain);
  finish(&s);
}

/* A loop that fails half-way leaves nothing behind. */
TEST(test_without_memory) {
  setting s;
  start(&s, 4, 2);
  sw_loop_options o = options_of(&s);
  int failures = 0;
  for (int64_t after = 1; after < 1000; after++) {
    sw_loop *l = NULL;
    sw_context_fail_allocation(ctx, after, 1);
    sw_status st = sw_loop_new(ctx, &o, &l);
    sw_context_fail_allocation(ctx, 0, 0);
    if (st == SW_OK) {
      sw_loop_free(l);
      break;
    }
    assert_int_equal(st, SW_ENOMEM);
    failures++;
  }
  CHECK_BETWEEN(failures, 5, 900);
  finish(&s);
}

RUN_CLEAN_TESTS(CLEAN(test_a_running_mean), CLEAN(test_the_cut_does_not_matter),
                CLEAN(test_not_committed_where_the_loss_is_not_finite), CLEAN(test_refuses),
                CLEAN(test_without_memory))
