/* test_graph.c: graphs, their derivatives, and the text they print. */
#include "net.h"

static net n;

static int setup(void **state) {
  (void)state;
  memset(&n, 0, sizeof n);
  n.ctx = open_context(1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sw_graph_release(n.g);
  sw_alloc_stats left = sw_context_alloc_stats(n.ctx);
  sw_context_release(n.ctx);
  if (left.live_blocks) print_error("%lld blocks are still live\n", (long long)left.live_blocks);
  return left.live_blocks != 0;
}

static sw_graph *new_graph(void) {
  CHECK_OK(n.ctx, sw_graph_new(n.ctx, &n.g));
  return n.g;
}

static sw_edge input(int slot, int ndim, const sw_dim *dim) {
  sw_edge e = SW_NO_EDGE;
  CHECK_OK(n.ctx, sw_graph_input(n.g, slot, SW_REAL, ndim, dim, &e));
  return e;
}

static sw_edge apply(sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs) {
  sw_edge out[2] = {SW_NO_EDGE, SW_NO_EDGE};
  CHECK_OK(n.ctx, net_apply(&n, op, a, b, attrs, out));
  return out[0];
}

static sw_edge fill(double value) {
  sw_edge e = SW_NO_EDGE;
  CHECK_OK(n.ctx, sw_graph_fill(n.g, value, &e));
  return e;
}

static int same(sw_edge a, sw_edge b) { return a.node == b.node && a.out == b.out; }

static void check_dump(const sw_edge *outputs, int count, const char *expected) {
  char text[4000];
  size_t length = sw_graph_dump(n.g, outputs, count, text, sizeof text);
  CHECK_EQ_STR(text, expected);
  CHECK_EQ_INT(length, strlen(expected));
  char cut[10];
  CHECK_EQ_INT(sw_graph_dump(n.g, outputs, count, cut, sizeof cut), length);
  CHECK_EQ_INT(strlen(cut), 9);
}

TEST(dump_of_a_network) {
  CHECK_OK(n.ctx, net_build(&n));
  check_dump(&n.loss, 1,
             "%0 = input 1 : (batch, 5)\n"
             "%1 = input 2 : index (batch)\n"
             "%2 = param at 1 : (4, 5)\n"
             "%3 = param at 21 : (4)\n"
             "%4 = param at 25 : (3, 4)\n"
             "%5 = param at 37 : (3)\n"
             "%6 = matmul(%0, %2^T) : (batch, 4)\n"
             "%7 = add(%6, %3) : (batch, 4)\n"
             "%8 = relu(%7) : (batch, 4)\n"
             "%9 = matmul(%8, %4^T) : (batch, 3)\n"
             "%10 = add(%9, %5) : (batch, 3)\n"
             "%11 = cross_entropy(%10, %1) : (batch) (batch, 3)\n"
             "%12 = mean(%11) over 1 : ()\n");
}

TEST(dump_of_a_gradient) {
  CHECK_OK(n.ctx, net_build(&n));
  check_dump(&n.grad[3], 1,
             "%0 = input 1 : (batch, 5)\n"
             "%1 = input 2 : index (batch)\n"
             "%2 = param at 1 : (4, 5)\n"
             "%3 = param at 21 : (4)\n"
             "%4 = param at 25 : (3, 4)\n"
             "%5 = param at 37 : (3)\n"
             "%6 = matmul(%0, %2^T) : (batch, 4)\n"
             "%7 = add(%6, %3) : (batch, 4)\n"
             "%8 = relu(%7) : (batch, 4)\n"
             "%9 = matmul(%8, %4^T) : (batch, 3)\n"
             "%10 = add(%9, %5) : (batch, 3)\n"
             "%11 = cross_entropy(%10, %1) : (batch) (batch, 3)\n"
             "%13 = fill 1 : ()\n"
             "%14 = scale(%13) by 1*batch^-1 : ()\n"
             "%16 = one_hot(%1) of 3 : (batch, 3)\n"
             "%17 = sub(%11.2, %16) : (batch, 3)\n"
             "%19 = mul(%17, %14) : (batch, 3)\n"
             "%20 = sum(%19) over 1 : (3)\n");
}

TEST(equal_nodes_are_one) {
  const sw_dim dim[2] = {net_batch, {5, 0}};
  new_graph();
  sw_edge x = input(0, 2, dim);
  CHECK(same(x, input(0, 2, dim)));
  CHECK(same(apply(SW_OP_exp, x, SW_NO_EDGE, NULL), apply(SW_OP_exp, x, SW_NO_EDGE, NULL)));
  const sw_attrs over1 = {.axes = 1}, over2 = {.axes = 2};
  CHECK(!same(apply(SW_OP_sum, x, SW_NO_EDGE, &over1), apply(SW_OP_sum, x, SW_NO_EDGE, &over2)));
  CHECK(!same(fill(0.0), fill(-0.0)));
  CHECK(same(fill((double)NAN), fill((double)NAN)));
  for (int i = 0; i < 500; i++) CHECK(same(fill(i), fill(i))); /* the table grows on the way */
}

TEST(identities) {
  const sw_dim dim[2] = {net_batch, {5, 0}};
  const sw_attrs as_it_is = {.ndim = 2, .dim = {{1, 1}, {5, 0}}},
                 flat = {.ndim = 1, .dim = {{5, 1}}};
  const sw_attrs swap = {.perm = {1, 0}};
  new_graph();
  sw_edge x = input(0, 2, dim);
  CHECK(same(apply(SW_OP_mul, x, fill(1), NULL), x));
  CHECK(same(apply(SW_OP_mul, fill(1), x, NULL), x));
  CHECK(same(apply(SW_OP_add, fill(0), x, NULL), x));
  CHECK(same(apply(SW_OP_sub, x, fill(0), NULL), x));
  CHECK(!same(apply(SW_OP_sub, fill(0), x, NULL), x));
  CHECK(same(apply(SW_OP_neg, apply(SW_OP_neg, x, SW_NO_EDGE, NULL), SW_NO_EDGE, NULL), x));
  CHECK(same(apply(SW_OP_reshape, x, SW_NO_EDGE, &as_it_is), x));
  sw_edge flattened = apply(SW_OP_reshape, x, SW_NO_EDGE, &flat);
  CHECK(same(apply(SW_OP_reshape, flattened, SW_NO_EDGE, &as_it_is), x));
  sw_edge swapped = apply(SW_OP_transpose, x, SW_NO_EDGE, &swap);
  CHECK(same(apply(SW_OP_transpose, swapped, SW_NO_EDGE, &swap), x));
  CHECK(same(apply(SW_OP_matmul, swapped, x, NULL),
             apply(SW_OP_matmul, x, x, &(sw_attrs){.transpose_a = 1})));
}

TEST(dependence_on_the_examples) {
  const sw_dim dim[2] = {net_batch, {6, 0}}, fixed[2] = {{6, 0}, {2, 0}};
  const sw_attrs over_batch = {.axes = 1}, split = {.ndim = 3, .dim = {{1, 1}, {2, 0}, {3, 0}}};
  const sw_attrs mixed_up = {.ndim = 2, .dim = {{6, 0}, {1, 1}}};
  new_graph();
  sw_edge x = input(0, 2, dim), c = input(1, 2, fixed);
  CHECK_EQ_INT(sw_graph_type(n.g, x)->dependence, SW_BY_EXAMPLE);
  CHECK_EQ_INT(sw_graph_type(n.g, c)->dependence, SW_CONSTANT);
  CHECK_EQ_INT(sw_graph_type(n.g, apply(SW_OP_matmul, x, c, NULL))->dependence, SW_BY_EXAMPLE);
  sw_edge total = apply(SW_OP_sum, x, SW_NO_EDGE, &over_batch);
  CHECK_EQ_INT(sw_graph_type(n.g, total)->dependence, SW_MIXED);
  CHECK_EQ_INT(sw_graph_type(n.g, apply(SW_OP_sub, x, total, NULL))->dependence, SW_MIXED);
  CHECK_EQ_INT(sw_graph_type(n.g, apply(SW_OP_reshape, x, SW_NO_EDGE, &split))->dependence,
               SW_BY_EXAMPLE);
  CHECK_EQ_INT(sw_graph_type(n.g, apply(SW_OP_reshape, x, SW_NO_EDGE, &mixed_up))->dependence,
               SW_MIXED);
}

static void check_refused(sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs, sw_status status,
                          const char *message) {
  sw_edge out[2];
  int before = sw_graph_size(n.g);
  CHECK_EQ_INT(net_apply(&n, op, a, b, attrs, out), status);
  CHECK_EQ_STR(sw_message(n.ctx), message);
  CHECK_EQ_INT(sw_graph_size(n.g), before);
}

TEST(wrong_shapes_are_refused) {
  const sw_dim dim[2] = {net_batch, {784, 0}}, weight[2] = {{100, 0}, {748, 0}};
  new_graph();
  sw_edge x = input(0, 2, dim), w = input(1, 2, weight), y = input(2, 1, &net_batch);
  check_refused(SW_OP_matmul, x, w, &(sw_attrs){.transpose_b = 1}, SW_ESHAPE,
                "matmul: inner sizes differ: (batch, 784) x (748, 100)");
  check_refused(SW_OP_matmul, x, y, NULL, SW_ESHAPE,
                "matmul: both inputs must have 2 axes: (batch, 784) x (batch)");
  check_refused(SW_OP_add, x, w, NULL, SW_ESHAPE,
                "add: cannot be broadcast together: (batch, 784) and (100, 748)");
  check_refused(SW_OP_matmul, x, x, &(sw_attrs){.transpose_b = 1}, SW_ESHAPE,
                "matmul: the result (batch, batch) grows with the square of the batch, which is "
                "not supported");
  check_refused(SW_OP_sum, x, SW_NO_EDGE, &(sw_attrs){.axes = 8}, SW_ERANGE,
                "sum: axis 4 is outside 1 … 2");
  check_refused(SW_OP_reshape, x, SW_NO_EDGE, &(sw_attrs){.ndim = 2, .dim = {{1, 1}, {783, 0}}},
                SW_ESHAPE,
                "reshape: the numbers of elements differ: (batch, 784) and (batch, 783)");
  check_refused(SW_OP_one_hot, x, SW_NO_EDGE, &(sw_attrs){.n = 3}, SW_EDTYPE,
                "one_hot: input 1 must be indices (int32), got real numbers");
  check_refused(SW_OP_cross_entropy, x, y, NULL, SW_EDTYPE,
                "cross_entropy: takes real logits and class labels (int32)");
  check_refused(SW_OP_exp, x, y, NULL, SW_EARG, "exp: expected 1 inputs, got 2");
  check_refused(SW_OP_exp, (sw_edge){99, 0}, SW_NO_EDGE, NULL, SW_EARG,
                "exp: input 1 is not an edge of this graph");
}

TEST(gradient_wants_a_scalar) {
  const sw_dim dim[2] = {net_batch, {5, 0}};
  new_graph();
  sw_edge grad, x = input(0, 2, dim);
  CHECK_EQ_INT(sw_graph_gradient(n.g, x, SW_NO_EDGE, &x, 1, &grad), SW_ESHAPE);
  CHECK_EQ_STR(sw_message(n.ctx),
               "gradient: needs a scalar, got (batch, 5) (take its mean or its sum)");
}

TEST(no_path_no_gradient) {
  const sw_dim dim[1] = {{5, 0}};
  const sw_attrs all = {.axes = 1};
  new_graph();
  sw_edge x = input(0, 1, dim), other = input(1, 1, dim), grads[2];
  sw_edge wrt[2] = {x, other};
  sw_edge cut = apply(SW_OP_gt, x, fill(0), NULL);
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, apply(SW_OP_sum, x, SW_NO_EDGE, &all), SW_NO_EDGE, wrt, 2,
                                    grads));
  CHECK(grads[0].node >= 0);
  CHECK_EQ_INT(grads[1].node, -1);
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, apply(SW_OP_sum, cut, SW_NO_EDGE, &all), SW_NO_EDGE, wrt,
                                    2, grads));
  CHECK_EQ_INT(grads[0].node, -1);
}

TEST(norms_are_refused_by_parameter) {
  const sw_shape square = {2, {5, 5}};
  const sw_dim dim[2] = {net_batch, {5, 0}};
  const sw_attrs over_batch = {.axes = 1}, all = {.axes = 3};
  new_graph();
  sw_edge w, grad, norms, x = input(0, 2, dim);
  int culprit = -1;
  CHECK_OK(n.ctx, sw_graph_param(n.g, 0, 0, &square, &w));
  /* twice the same weights */
  sw_edge h = apply(SW_OP_matmul, apply(SW_OP_matmul, x, w, NULL), w, NULL);
  sw_edge loss = apply(SW_OP_mean, h, SW_NO_EDGE, &all);
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, loss, SW_NO_EDGE, &w, 1, &grad));
  CHECK_EQ_INT(sw_graph_example_norms(n.g, &grad, 1, &norms, &culprit), SW_EUNSUPPORTED);
  CHECK_EQ_INT(culprit, 0);
  /* coupled examples: the batch's mean taken off */
  h = apply(SW_OP_matmul, x, w, NULL);
  h = apply(SW_OP_sub, h, apply(SW_OP_mean, h, SW_NO_EDGE, &over_batch), NULL);
  loss = apply(SW_OP_mean, apply(SW_OP_mul, h, h, NULL), SW_NO_EDGE, &all);
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, loss, SW_NO_EDGE, &w, 1, &grad));
  CHECK_EQ_INT(sw_graph_example_norms(n.g, &grad, 1, &norms, &culprit), SW_EUNSUPPORTED);
}

/* A sum has B times the gradient of the mean, and its norms would be B^2 times too large. */
TEST(norms_want_the_mean_over_the_examples) {
  const sw_shape square = {2, {5, 5}};
  const sw_dim dim[2] = {net_batch, {5, 0}};
  const sw_attrs all = {.axes = 3}, rows = {.axes = 2}, over_batch = {.axes = 1};
  const sw_attrs per_example = {.value = 2, .batch_power = -1}, by_three = {.value = 1.0 / 3};
  new_graph();
  sw_edge w, grad, norms, x = input(0, 2, dim);
  CHECK_OK(n.ctx, sw_graph_param(n.g, 0, 0, &square, &w));
  sw_edge h = apply(SW_OP_tanh, apply(SW_OP_matmul, x, w, NULL), SW_NO_EDGE, NULL);
  sw_edge sum = apply(SW_OP_sum, h, SW_NO_EDGE, &all);
  sw_edge each = apply(SW_OP_sumsq, h, SW_NO_EDGE, &rows);
  const sw_edge good[] = {apply(SW_OP_mean, h, SW_NO_EDGE, &all),
                          apply(SW_OP_mean, each, SW_NO_EDGE, &over_batch),
                          apply(SW_OP_scale, sum, SW_NO_EDGE, &per_example)};
  const sw_edge bad[] = {sum, apply(SW_OP_scale, sum, SW_NO_EDGE, &by_three),
                         apply(SW_OP_sum, each, SW_NO_EDGE, &over_batch),
                         apply(SW_OP_scale, good[0], SW_NO_EDGE, &per_example)};
  for (int i = 0; i < 3; i++) {
    CHECK_OK(n.ctx, sw_graph_gradient(n.g, good[i], SW_NO_EDGE, &w, 1, &grad));
    CHECK_OK(n.ctx, sw_graph_example_norms(n.g, &grad, 1, &norms, NULL));
  }
  for (int i = 0; i < 4; i++) {
    CHECK_OK(n.ctx, sw_graph_gradient(n.g, bad[i], SW_NO_EDGE, &w, 1, &grad));
    CHECK_EQ_INT(sw_graph_example_norms(n.g, &grad, 1, &norms, NULL), SW_EUNSUPPORTED);
  }
}

/* Sizes whose product does not fit are refused, even where another size is 0. */
TEST(sizes_that_overflow_are_refused) {
  const int64_t huge = INT64_C(1) << 40;
  const sw_dim dim[3] = {{huge, 0}, {huge, 0}, {0, 0}}, small[1] = {{3, 0}};
  const sw_attrs square = {.ndim = 2, .dim = {{huge, 0}, {huge, 0}}};
  const sw_attrs open = {.ndim = 3, .dim = {{huge, 0}, {huge, 0}, {-1, 0}}}, seven = {.ndim = 7};
  sw_edge out;
  new_graph();
  CHECK_EQ_INT(sw_graph_input(n.g, 0, SW_REAL, 3, dim, &out), SW_ERANGE);
  sw_edge x = input(0, 1, small);
  CHECK_EQ_INT(sw_graph_apply(n.g, SW_OP_reshape, &x, 1, &square, &out), SW_ESHAPE);
  CHECK_EQ_INT(sw_graph_apply(n.g, SW_OP_reshape, &x, 1, &open, &out), SW_ESHAPE);
  CHECK_EQ_INT(sw_graph_apply(n.g, SW_OP_reshape, &x, 1, &seven, &out), SW_ERANGE);
}

TEST(every_allocation_may_fail) {
  for (int64_t at = 1;; at++) {
    sw_edge norms;
    sw_context_fail_allocation(n.ctx, at, 0);
    sw_status st = net_build(&n);
    if (st == SW_OK) st = sw_graph_example_norms(n.g, n.grad, NET_PARAMS, &norms, NULL);
    int over = st == SW_OK;
    sw_context_fail_allocation(n.ctx, 0, 0);
    CHECK(over || st == SW_ENOMEM);
    sw_graph_release(n.g);
    n.g = NULL;
    CHECK_EQ_INT(sw_context_alloc_stats(n.ctx).live_blocks, 0);
    if (over) break;
    CHECK(at < 1000);
  }
}

#define C(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
RUN_TESTS(C(dump_of_a_network), C(dump_of_a_gradient), C(equal_nodes_are_one), C(identities),
          C(dependence_on_the_examples), C(wrong_shapes_are_refused), C(gradient_wants_a_scalar),
          C(no_path_no_gradient), C(norms_are_refused_by_parameter),
          C(norms_want_the_mean_over_the_examples), C(sizes_that_overflow_are_refused),
          C(every_allocation_may_fail))
