/* test_program.c: compiled programs: values, gradients, batch sizes, memory, bits. */
#include "net.h"

#include "base/context_int.h"
#include "base/parallel.h"
#include "graph/eager.h"

static net n;
static double weights[NET_WEIGHTS], out[NET_WEIGHTS];

static int setup(void **state) {
  (void)state;
  memset(&n, 0, sizeof n);
  n.ctx = open_context(1);
  net_weights(weights);
  return net_build(&n) != SW_OK;
}

static int teardown(void **state) {
  (void)state;
  sw_graph_release(n.g);
  sw_alloc_stats left = sw_context_alloc_stats(n.ctx);
  sw_context_release(n.ctx);
  if (left.live_blocks) print_error("%lld blocks are still live\n", (long long)left.live_blocks);
  return left.live_blocks != 0;
}

static sw_workspace *workspace(sw_edge extra, sw_dtype real) {
  sw_program *p;
  sw_workspace *w;
  CHECK_OK(n.ctx, net_program(&n, extra, real, &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  return w;
}

static void fill_inputs(sw_workspace *w, int64_t batch, int bytes, int64_t first) {
  CHECK_OK(n.ctx, sw_workspace_batch(w, batch));
  net_data(batch, bytes, sw_workspace_input(w, 0), sw_workspace_input(w, 1), first);
}

static double run64(sw_workspace *w, const double *at, double *grad) {
  const void *vectors[1] = {at};
  CHECK_OK(n.ctx, sw_workspace_run(w, &(sw_run){.vectors = vectors, .n_vectors = 1, .out = grad}));
  const double *loss = sw_workspace_output(w, 0, NULL);
  return loss ? *loss : 0;
}

TEST(dump_of_a_program) {
  sw_program *p;
  char text[2000];
  CHECK_OK(n.ctx, net_program(&n, SW_NO_EDGE, SW_F32, &p));
  sw_program_dump(p, text, sizeof text);
  CHECK_EQ_STR(text, "b6 = matmul+bias+relu input1, vector1[1]^T, vector1[21] : (batch, 4)\n"
                     "b7 = matmul+bias b6, vector1[25]^T, vector1[37] : (batch, 3)\n"
                     "b8, b9 = cross_entropy b7, input2 : (batch)\n"
                     "b10 = mean b8 : ()\n"
                     "b12 = scale const11 : ()\n"
                     "b13 = one_hot input2 : (batch, 3)\n"
                     "| b9 = sub b9, b13 : (batch, 3)\n"
                     "| b9 = mul b9, b12 : (batch, 3)\n"
                     "out[37] = sum b9 : (3)\n"
                     "b17 = matmul b9, vector1[25] : (batch, 4)\n"
                     "out[25] = matmul b9^T, b6 : (3, 4)\n"
                     "b17 = gate b17, b6 : (batch, 4)\n"
                     "out[21] = sum b17 : (4)\n"
                     "out[1] = matmul b17^T, input1 : (4, 5)\n");
  sw_program_release(p);
}

/* Central differences in double: error about h^2 + eps / h. */
TEST(gradient_equals_differences) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  double unused[NET_WEIGHTS];
  fill_inputs(w, 6, 8, 0);
  run64(w, weights, out);
  for (int i = 0; i < NET_WEIGHTS; i++) {
    double h = 1e-5, at[NET_WEIGHTS];
    memcpy(at, weights, sizeof at);
    at[i] = weights[i] + h;
    double up = run64(w, at, unused);
    at[i] = weights[i] - h;
    double down = run64(w, at, unused);
    CHECK_NEAR(out[i], (up - down) / (2 * h), 1e-8);
  }
  sw_workspace_free(w);
}

TEST(float32_is_near_float64) {
  sw_workspace *w64 = workspace(SW_NO_EDGE, SW_F64), *w32 = workspace(SW_NO_EDGE, SW_F32);
  float w[NET_WEIGHTS], grad[NET_WEIGHTS];
  for (int i = 0; i < NET_WEIGHTS; i++) w[i] = (float)weights[i];
  fill_inputs(w64, 9, 8, 0);
  fill_inputs(w32, 9, 4, 0);
  double loss = run64(w64, weights, out);
  CHECK_OK(n.ctx, sw_workspace_run(
                      w32, &(sw_run){.vectors = &(const void *){w}, .n_vectors = 1, .out = grad}));
  CHECK_NEAR(*(const float *)sw_workspace_output(w32, 0, NULL), loss, 1e-6);
  for (int i = 0; i < NET_WEIGHTS; i++) CHECK_NEAR(grad[i], out[i], 1e-6);
  sw_workspace_free(w64);
  sw_workspace_free(w32);
}

/* Any order of batch sizes in one workspace gives the results of a new workspace, and allocates
 * only to grow. */
TEST(batch_sizes_change) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  const int64_t sizes[] = {64, 3, 64, 1, 17, 63, 2, 64};
  fill_inputs(w, 64, 8, 0);
  int64_t calls = sw_context_alloc_stats(n.ctx).calls, bytes = sw_workspace_bytes(w);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    fill_inputs(w, sizes[i], 8, 5);
    run64(w, weights, out);
  }
  CHECK_EQ_INT(sw_context_alloc_stats(n.ctx).calls, calls);
  CHECK_EQ_INT(sw_workspace_bytes(w), bytes);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    double grad[NET_WEIGHTS];
    sw_workspace *fresh = workspace(SW_NO_EDGE, SW_F64);
    fill_inputs(w, sizes[i], 8, 5);
    fill_inputs(fresh, sizes[i], 8, 5);
    CHECK(run64(w, weights, out) == run64(fresh, weights, grad));
    assert_memory_equal(out, grad, sizeof grad);
    sw_workspace_free(fresh);
  }
  sw_workspace_free(w);
}

TEST(per_example_norms_equal_batches_of_one) {
  enum { BATCH = 11 };
  sw_edge norms;
  CHECK_OK(n.ctx, sw_graph_example_norms(n.g, n.grad, NET_PARAMS, &norms, NULL));
  sw_workspace *w = workspace(norms, SW_F64), *one = workspace(SW_NO_EDGE, SW_F64);
  sw_shape shape;
  fill_inputs(w, BATCH, 8, 0);
  run64(w, weights, out);
  const double *squares = sw_workspace_output(w, 1, &shape);
  CHECK_EQ_INT(shape.ndim, 1);
  CHECK_EQ_INT(shape.dim[0], BATCH);
  for (int i = 0; i < BATCH; i++) {
    double grad[NET_WEIGHTS], sum = 0;
    fill_inputs(one, 1, 8, i);
    run64(one, weights, grad);
    for (int j = 0; j < NET_WEIGHTS; j++) sum += grad[j] * grad[j];
    CHECK_NEAR(squares[i], sum, 1e-12 * (1 + sum));
  }
  sw_workspace_free(w);
  sw_workspace_free(one);
}

/* A measurement beside the gradient changes none of its bits. */
TEST(variants_share_their_bits) {
  sw_edge norms;
  CHECK_OK(n.ctx, sw_graph_example_norms(n.g, n.grad, NET_PARAMS, &norms, NULL));
  sw_workspace *plain = workspace(SW_NO_EDGE, SW_F32), *measured = workspace(norms, SW_F32);
  float w[NET_WEIGHTS], g1[NET_WEIGHTS], g2[NET_WEIGHTS];
  for (int i = 0; i < NET_WEIGHTS; i++) w[i] = (float)weights[i];
  for (int64_t batch = 1; batch < 70; batch += 7) {
    fill_inputs(plain, batch, 4, batch);
    fill_inputs(measured, batch, 4, batch);
    CHECK_OK(n.ctx,
             sw_workspace_run(plain,
                              &(sw_run){.vectors = &(const void *){w}, .n_vectors = 1, .out = g1}));
    CHECK_OK(n.ctx,
             sw_workspace_run(measured,
                              &(sw_run){.vectors = &(const void *){w}, .n_vectors = 1, .out = g2}));
    assert_memory_equal(g1, g2, sizeof g1);
    assert_memory_equal(sw_workspace_output(plain, 0, NULL), sw_workspace_output(measured, 0, NULL),
                        4);
  }
  sw_workspace_free(plain);
  sw_workspace_free(measured);
}

/* The gradient of gradient . v against differences of gradients. */
TEST(hessian_vector_product) {
  sw_edge dots = SW_NO_EDGE, second[NET_PARAMS];
  const sw_shape shape[NET_PARAMS] = {{2, {4, 5}}, {1, {4}}, {2, {3, 4}}, {1, {3}}};
  double v[NET_WEIGHTS], hv[NET_WEIGHTS], up[NET_WEIGHTS], down[NET_WEIGHTS], at[NET_WEIGHTS];
  for (int i = 0; i < NET_PARAMS; i++) {
    sw_edge direction, dot;
    CHECK_OK(n.ctx, sw_graph_param(n.g, 1, n.offset[i], &shape[i], &direction));
    CHECK_OK(n.ctx, net_apply(&n, SW_OP_dot, n.grad[i], direction, NULL, &dot));
    if (i == 0)
      dots = dot;
    else
      CHECK_OK(n.ctx, net_apply(&n, SW_OP_add, dots, dot, NULL, &dots));
  }
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, dots, SW_NO_EDGE, n.param, NET_PARAMS, second));
  sw_output o[NET_PARAMS];
  for (int i = 0; i < NET_PARAMS; i++) o[i] = (sw_output){second[i], SW_TO_OUT, n.offset[i]};
  sw_program *p;
  sw_workspace *w, *g = workspace(SW_NO_EDGE, SW_F64);
  CHECK_OK(
      n.ctx,
      sw_program_new(
          n.g, &(sw_program_options){.outputs = o, .n_outputs = NET_PARAMS, .real = SW_F64}, &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  fill_inputs(w, 8, 8, 0);
  fill_inputs(g, 8, 8, 0);
  for (int i = 0; i < NET_WEIGHTS; i++) v[i] = cos(i);
  CHECK_OK(n.ctx,
           sw_workspace_run(
               w, &(sw_run){.vectors = (const void *[]){weights, v}, .n_vectors = 2, .out = hv}));
  for (int i = 0; i < NET_WEIGHTS; i++) at[i] = weights[i] + 1e-5 * v[i];
  run64(g, at, up);
  for (int i = 0; i < NET_WEIGHTS; i++) at[i] = weights[i] - 1e-5 * v[i];
  run64(g, at, down);
  for (int i = 0; i < NET_WEIGHTS; i++) CHECK_NEAR(hv[i], (up[i] - down[i]) / 2e-5, 1e-8);
  sw_workspace_free(w);
  sw_workspace_free(g);
}

TEST(outputs_of_every_kind) {
  /* one edge twice into the vector and once to look at, a leaf, an alias of an input */
  const sw_attrs flat = {.ndim = 1, .dim = {{NET_IN, 1}}};
  sw_edge alias;
  CHECK_OK(n.ctx, net_apply(&n, SW_OP_reshape, n.x, SW_NO_EDGE, &flat, &alias));
  sw_output o[] = {{n.grad[3], SW_TO_OUT, 0},   {n.grad[3], SW_TO_OUT, 3},
                   {n.grad[3], SW_TO_OUT, -1},  {n.param[1], SW_TO_OUT, 6},
                   {n.param[3], SW_TO_OUT, -1}, {alias, SW_TO_OUT, -1},
                   {n.prob, SW_TO_OUT, -1}};
  sw_program *p;
  sw_workspace *w;
  double vector[10] = {0};
  CHECK_OK(
      n.ctx,
      sw_program_new(n.g, &(sw_program_options){.outputs = o, .n_outputs = 7, .real = SW_F64}, &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  fill_inputs(w, 4, 8, 0);
  run64(w, weights, vector);
  assert_memory_equal(vector, vector + 3, 3 * sizeof(double));
  assert_memory_equal(vector, sw_workspace_output(w, 2, NULL), 3 * sizeof(double));
  assert_memory_equal(vector + 6, weights + n.offset[1], 4 * sizeof(double));
  assert_memory_equal(sw_workspace_output(w, 4, NULL), weights + n.offset[3], 3 * sizeof(double));
  assert_memory_equal(sw_workspace_output(w, 5, NULL), sw_workspace_input(w, 0),
                      4 * NET_IN * sizeof(double));
  const double *prob = sw_workspace_output(w, 6, NULL);
  for (int i = 0; i < 4; i++) CHECK_NEAR(prob[3 * i] + prob[3 * i + 1] + prob[3 * i + 2], 1, 1e-15);
  sw_workspace_free(w);
}

/* Updates in the midst of a run: w -= 0.1 g, and what was called. */
typedef struct early {
  double *w, *g;
  int64_t offset[NET_PARAMS], size[NET_PARAMS];
  int calls[2 + NET_PARAMS], checks;
  sw_status answer;
} early;

static sw_status look(void *arg, double loss) {
  early *e = arg;
  CHECK(loss > 0);
  for (int i = 0; i < NET_PARAMS; i++) CHECK_EQ_INT(e->calls[1 + i], 0);
  e->checks++;
  return e->answer;
}

static void change(void *arg, int output) {
  early *e = arg;
  int64_t at = e->offset[output - 1];
  for (int64_t i = at; i < at + e->size[output - 1]; i++) e->w[i] -= 0.1 * e->g[i];
  e->calls[output]++;
}

static early updating(const double *at, double *w, double *g, sw_status answer) {
  early e = {.w = w, .g = g, .size = {20, 4, 12, 3}, .answer = answer};
  memcpy(e.offset, n.offset, sizeof e.offset);
  memcpy(w, at, NET_WEIGHTS * sizeof *w);
  return e;
}

TEST(early_updates_change_no_bit) {
  double w[NET_WEIGHTS], g[NET_WEIGHTS];
  sw_workspace *plain = workspace(SW_NO_EDGE, SW_F64), *eager = workspace(SW_NO_EDGE, SW_F64);
  early e = updating(weights, w, g, SW_OK);
  const sw_updater u = {look, change, &e};
  fill_inputs(plain, 6, 8, 0);
  fill_inputs(eager, 6, 8, 0);
  run64(plain, weights, out);
  CHECK_OK(n.ctx,
           sw_workspace_run_updating(
               eager, &(sw_run){.vectors = &(const void *){w}, .n_vectors = 1, .out = g}, &u));
  CHECK_EQ_INT(e.checks, 1);
  for (int i = 0; i < NET_PARAMS; i++) CHECK_EQ_INT(e.calls[1 + i], 1);
  assert_memory_equal(g, out, sizeof g);
  for (int i = 0; i < NET_WEIGHTS; i++) CHECK(w[i] == weights[i] - 0.1 * out[i]);
  sw_workspace_free(plain);
  sw_workspace_free(eager);
}

TEST(a_loss_that_is_refused_updates_nothing) {
  double w[NET_WEIGHTS], g[NET_WEIGHTS];
  sw_workspace *space = workspace(SW_NO_EDGE, SW_F64);
  early e = updating(weights, w, g, SW_ENAN);
  const sw_updater u = {look, change, &e};
  fill_inputs(space, 6, 8, 0);
  CHECK_EQ_INT(sw_workspace_run_updating(
                   space, &(sw_run){.vectors = &(const void *){w}, .n_vectors = 1, .out = g}, &u),
               SW_ENAN);
  assert_memory_equal(w, weights, sizeof w);
  sw_workspace_free(space);
}

/* Indices are int32 in a float64 program too. */
TEST(indices_as_outputs) {
  enum { BATCH = 37 };
  sw_output o[] = {{n.y, SW_TO_OUT, -1}, {n.y, SW_TO_OUT, -1}};
  sw_program *p;
  sw_workspace *w;
  CHECK_OK(
      n.ctx,
      sw_program_new(n.g, &(sw_program_options){.outputs = o, .n_outputs = 2, .real = SW_F64}, &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  CHECK_OK(n.ctx, sw_workspace_batch(w, BATCH));
  int32_t *y = sw_workspace_input(w, 1);
  for (int i = 0; i < BATCH; i++) y[i] = i;
  CHECK_OK(n.ctx, sw_workspace_run(w, &(sw_run){0}));
  for (int i = 0; i < 2; i++)
    assert_memory_equal(sw_workspace_output(w, i, NULL), y, BATCH * sizeof *y);
  sw_workspace_free(w);
}

/* Each size fits, their product with the batch does not: nothing smaller may be planned instead. */
TEST(a_batch_may_be_too_large) {
  const sw_attrs wide = {.ndim = 2, .dim = {{1, 1}, {INT64_C(1) << 40, 0}}};
  sw_edge one, x;
  sw_program *p;
  sw_workspace *w;
  CHECK_OK(n.ctx, sw_graph_fill(n.g, 1, &one));
  CHECK_OK(n.ctx, net_apply(&n, SW_OP_broadcast, one, SW_NO_EDGE, &wide, &x));
  CHECK_OK(n.ctx, sw_program_new(n.g,
                                 &(sw_program_options){.outputs = &(sw_output){x, SW_TO_OUT, -1},
                                                       .n_outputs = 1,
                                                       .real = SW_F64},
                                 &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  CHECK_EQ_INT(sw_workspace_batch(w, 1 << 21), SW_ERANGE);
  CHECK_EQ_INT(sw_workspace_batch(w, INT32_MAX), SW_ERANGE);
  sw_workspace_free(w);
}

/* x (batch, 5) through a chain with single values in it, long enough for tiles and for the pool. */
static sw_edge long_chain(void) {
  sw_edge half, e = n.x;
  CHECK_OK(n.ctx, sw_graph_fill(n.g, 0.5, &half));
  const sw_op ops[] = {SW_OP_tanh, SW_OP_exp, SW_OP_neg, SW_OP_sigmoid, SW_OP_relu};
  for (int i = 0; i < 10; i++) {
    sw_edge f;
    CHECK_OK(n.ctx, net_apply(&n, ops[i % 5], e, SW_NO_EDGE, NULL, &f));
    CHECK_OK(n.ctx, net_apply(&n, i % 3 ? SW_OP_add : SW_OP_sub, f, i % 2 ? n.x : half, NULL, &e));
  }
  return e;
}

static sw_tensor *step(sw_op op, sw_tensor *a, sw_tensor *b) {
  sw_tensor *in[2] = {a, b}, *result;
  int count;
  CHECK_OK(n.ctx, sw_eager(n.ctx, op, in, b ? 2 : 1, NULL, &result, &count));
  return result;
}

static void check_chain(int64_t batch, int threads) {
  sw_program *p;
  sw_workspace *w;
  sw_shape shape = {2, {batch, NET_IN}}, scalar = {0};
  sw_tensor *x, *half, *e;
  void *data;
  const sw_op ops[] = {SW_OP_tanh, SW_OP_exp, SW_OP_neg, SW_OP_sigmoid, SW_OP_relu};
  CHECK_OK(n.ctx, sw_context_set_threads(n.ctx, threads));
  CHECK_OK(n.ctx, sw_program_new(
                      n.g,
                      &(sw_program_options){.outputs = &(sw_output){long_chain(), SW_TO_OUT, -1},
                                            .n_outputs = 1,
                                            .real = SW_F32},
                      &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  CHECK_OK(n.ctx, sw_workspace_batch(w, batch));
  CHECK_OK(n.ctx, sw_tensor_new(n.ctx, SW_F32, &shape, &x));
  CHECK_OK(n.ctx, sw_tensor_new(n.ctx, SW_F32, &scalar, &half));
  CHECK_OK(n.ctx, sw_tensor_fill(half, 0.5));
  CHECK_OK(n.ctx, sw_tensor_writable(x, &data));
  for (int64_t i = 0; i < batch * NET_IN; i++) ((float *)data)[i] = (float)sin(0.7 * (double)i);
  memcpy(sw_workspace_input(w, 0), data, (size_t)(batch * NET_IN) * sizeof(float));
  CHECK_OK(n.ctx, sw_workspace_run(w, &(sw_run){0}));
  CHECK_OK(n.ctx, sw_tensor_view(x, &e));
  for (int i = 0; i < 10; i++) {
    sw_tensor *f = step(ops[i % 5], e, NULL);
    sw_tensor_free(e);
    e = step(i % 3 ? SW_OP_add : SW_OP_sub, f, i % 2 ? x : half);
    sw_tensor_free(f);
  }
  assert_memory_equal(sw_tensor_data(e), sw_workspace_output(w, 0, NULL),
                      (size_t)(batch * NET_IN) * sizeof(float));
  sw_tensor_free(e);
  sw_tensor_free(x);
  sw_tensor_free(half);
  sw_workspace_free(w);
}

TEST(chains_have_the_bits_of_single_ops) {
  const int64_t batches[] = {1, 7, 204, 205, 1000, 40000};
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
    for (int threads = 1; threads <= 4; threads *= 2) check_chain(batches[i], threads);
  CHECK_OK(n.ctx, sw_context_set_threads(n.ctx, 1));
}

/* With all memory that may not be read poisoned, the results are the same: it is not read. */
TEST(poison_is_not_tasted) {
  double plain[NET_WEIGHTS];
  sw_edge norms;
  CHECK_OK(n.ctx, sw_graph_example_norms(n.g, n.grad, NET_PARAMS, &norms, NULL));
  sw_workspace *w = workspace(norms, SW_F64);
  for (int64_t batch = 1; batch < 30; batch += 7) {
    fill_inputs(w, batch, 8, 0);
    double loss = run64(w, weights, plain);
    n.ctx->poison = 1;
    CHECK(run64(w, weights, out) == loss);
    n.ctx->poison = 0;
    assert_memory_equal(plain, out, sizeof out);
  }
  sw_workspace_free(w);
}

TEST(the_first_nan_is_found) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  char text[200];
  double at[NET_WEIGHTS];
  memcpy(at, weights, sizeof at);
  fill_inputs(w, 4, 8, 0);
  CHECK_OK(n.ctx, sw_workspace_first_nan(
                      w, &(sw_run){.vectors = &(const void *){at}, .n_vectors = 1, .out = out},
                      text, sizeof text));
  CHECK_EQ_STR(text, "");
  at[0] = HUGE_VAL; /* infinity times numbers of both signs, and their sum */
  at[1] = -HUGE_VAL;
  CHECK_OK(n.ctx, sw_workspace_first_nan(
                      w, &(sw_run){.vectors = &(const void *){at}, .n_vectors = 1, .out = out},
                      text, sizeof text));
  CHECK_EQ_STR(text, "matmul made the first NaN: (batch, 5), (4, 5) -> (batch, 4)");
  at[37] = (double)NAN;
  CHECK_OK(n.ctx, sw_workspace_first_nan(
                      w, &(sw_run){.vectors = &(const void *){at}, .n_vectors = 1, .out = out},
                      text, sizeof text));
  CHECK_EQ_STR(text, "vector 1 has NaN in it, at elements 37 to 39");
  ((double *)sw_workspace_input(w, 0))[3] = (double)NAN;
  CHECK_OK(n.ctx, sw_workspace_first_nan(
                      w, &(sw_run){.vectors = &(const void *){at}, .n_vectors = 1, .out = out},
                      text, sizeof text));
  CHECK_EQ_STR(text, "input 1 has NaN in it");
  sw_workspace_free(w);
}

TEST(a_run_may_be_repeated) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  double again[NET_WEIGHTS];
  fill_inputs(w, 7, 8, 0);
  double loss = run64(w, weights, out);
  CHECK(run64(w, weights, again) == loss);
  assert_memory_equal(out, again, sizeof again);
  sw_workspace_free(w);
}

TEST(labels_are_looked_at) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  fill_inputs(w, 4, 8, 0);
  ((int32_t *)sw_workspace_input(w, 1))[2] = 3;
  CHECK_EQ_INT(sw_workspace_run(
                   w, &(sw_run){.vectors = &(const void *){weights}, .n_vectors = 1, .out = out}),
               SW_ERANGE);
  CHECK_EQ_STR(sw_message(n.ctx), "cross_entropy: label 3 at [3] is outside 0 … 2");
  sw_workspace_free(w);
}

TEST(what_a_run_must_be_given) {
  sw_workspace *w = workspace(SW_NO_EDGE, SW_F64);
  CHECK_EQ_INT(sw_workspace_run(
                   w, &(sw_run){.vectors = &(const void *){weights}, .n_vectors = 1, .out = out}),
               SW_EARG);
  CHECK_EQ_INT(sw_workspace_batch(w, 0), SW_ERANGE);
  CHECK_EQ_STR(sw_message(n.ctx), "the batch must have 1 to 2147483647 examples, got 0");
  CHECK(sw_workspace_input(w, 0) == NULL);
  fill_inputs(w, 4, 8, 0);
  CHECK_EQ_INT(sw_workspace_run(w, &(sw_run){.out = out}), SW_EARG);
  CHECK_EQ_INT(sw_workspace_run(
                   w, &(sw_run){.vectors = &(const void *){weights}, .n_vectors = 1, .out = NULL}),
               SW_EARG);
  CHECK(sw_workspace_input(w, 7) == NULL);
  sw_workspace_free(w);
}

static void keep(void *arg) { (void)arg; }

TEST(eager_equals_compiled) {
  const sw_shape xs = {2, {4, NET_IN}}, ws = {2, {NET_HIDDEN, NET_IN}};
  const sw_attrs transposed = {.transpose_b = 1};
  sw_tensor *x, *wt, *product, *result;
  void *data;
  int count;
  sw_program *p;
  sw_workspace *w;
  sw_edge m, e;
  CHECK_OK(n.ctx, net_apply(&n, SW_OP_matmul, n.x, n.param[0], &transposed, &m));
  CHECK_OK(n.ctx, net_apply(&n, SW_OP_tanh, m, SW_NO_EDGE, NULL, &e));
  CHECK_OK(n.ctx, sw_program_new(n.g,
                                 &(sw_program_options){.outputs = &(sw_output){e, SW_TO_OUT, -1},
                                                       .n_outputs = 1,
                                                       .real = SW_F64},
                                 &p));
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  fill_inputs(w, 4, 8, 0);
  run64(w, weights, NULL);
  CHECK_OK(n.ctx, sw_tensor_new(n.ctx, SW_F64, &xs, &x));
  CHECK_OK(n.ctx, sw_tensor_writable(x, &data));
  memcpy(data, sw_workspace_input(w, 0), 4 * NET_IN * sizeof(double));
  CHECK_OK(n.ctx, sw_tensor_wrap(n.ctx, SW_F64, &ws, weights, 1, keep, NULL, &wt));
  CHECK_OK(n.ctx,
           sw_eager(n.ctx, SW_OP_matmul, (sw_tensor *[]){x, wt}, 2, &transposed, &product, &count));
  CHECK_EQ_INT(count, 1);
  CHECK_OK(n.ctx, sw_eager(n.ctx, SW_OP_tanh, &product, 1, NULL, &result, &count));
  assert_memory_equal(sw_tensor_data(result), sw_workspace_output(w, 0, NULL),
                      4 * NET_HIDDEN * sizeof(double));
  sw_tensor_free(result);
  CHECK_OK(n.ctx, sw_eager(n.ctx, SW_OP_add, (sw_tensor *[]){x, wt}, 2, NULL, &result, &count));
  sw_tensor_free(result);
  sw_tensor_free(x);
  sw_tensor_free(wt);
  sw_tensor_free(product);
  sw_workspace_free(w);
}

/* BLAS sizes are int; empty matrices test it without memory. */
TEST(products_too_long_for_blas_are_refused) {
  const sw_shape tall = {2, {INT64_C(1) << 32, 0}}, none = {2, {0, 0}};
  sw_tensor *in[2], *result;
  int count;
  CHECK_OK(n.ctx, sw_tensor_new(n.ctx, SW_F32, &tall, &in[0]));
  CHECK_OK(n.ctx, sw_tensor_new(n.ctx, SW_F32, &none, &in[1]));
  CHECK_EQ_INT(sw_eager(n.ctx, SW_OP_matmul, in, 2, NULL, &result, &count), SW_ERANGE);
  sw_tensor_free(in[0]);
  sw_tensor_free(in[1]);
}

TEST(every_allocation_may_fail) {
  int64_t before = sw_context_alloc_stats(n.ctx).live_blocks;
  for (int64_t at = 1;; at++) {
    sw_program *p = NULL;
    sw_workspace *w = NULL;
    sw_context_fail_allocation(n.ctx, at, 0);
    sw_status st = net_program(&n, SW_NO_EDGE, SW_F64, &p);
    if (st == SW_OK) st = sw_workspace_new(p, &w);
    if (st == SW_OK) st = sw_workspace_batch(w, 2);
    if (st == SW_OK) {
      st = sw_workspace_batch(w, 20); /* on failure it can still do 2 */
      if (st != SW_OK) {
        net_data(2, 8, sw_workspace_input(w, 0), sw_workspace_input(w, 1), 0);
        run64(w, weights, out);
      }
    }
    sw_context_fail_allocation(n.ctx, 0, 0);
    CHECK(st == SW_OK || st == SW_ENOMEM);
    sw_workspace_free(w);
    sw_program_release(p);
    CHECK_EQ_INT(sw_context_alloc_stats(n.ctx).live_blocks, before);
    if (st == SW_OK) break;
    CHECK(at < 1000);
  }
}

#define C(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
RUN_TESTS(C(dump_of_a_program), C(gradient_equals_differences), C(float32_is_near_float64),
          C(batch_sizes_change), C(per_example_norms_equal_batches_of_one),
          C(variants_share_their_bits), C(hessian_vector_product), C(outputs_of_every_kind),
          C(indices_as_outputs), C(a_batch_may_be_too_large), C(early_updates_change_no_bit),
          C(a_loss_that_is_refused_updates_nothing), C(chains_have_the_bits_of_single_ops),
          C(poison_is_not_tasted), C(the_first_nan_is_found), C(a_run_may_be_repeated),
          C(labels_are_looked_at), C(what_a_run_must_be_given), C(eager_equals_compiled),
          C(products_too_long_for_blas_are_refused), C(every_allocation_may_fail))
