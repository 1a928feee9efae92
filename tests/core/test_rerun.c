/* test_rerun.c: programs with a varying vector: Hessian products, of which only what depends on v
 * is computed again. */
#include "net.h"

static net n;
static double weights[NET_WEIGHTS];

/* Outputs: H v into the vector, and g, which does not depend on v, behind it; the loss. */
static sw_program *product_program(sw_dtype real, int varying) {
  sw_edge v[NET_PARAMS], gv = SW_NO_EDGE, hv[NET_PARAMS];
  sw_output o[2 * NET_PARAMS + 2];
  const sw_shape shape[NET_PARAMS] = {
      {2, {NET_HIDDEN, NET_IN}}, {1, {NET_HIDDEN}}, {2, {NET_OUT, NET_HIDDEN}}, {1, {NET_OUT}}};
  for (int i = 0; i < NET_PARAMS; i++) {
    const sw_attrs all = {.axes = shape[i].ndim == 2 ? 3 : 1};
    sw_edge part;
    CHECK_OK(n.ctx, sw_graph_param(n.g, 2, n.offset[i], &shape[i], &v[i]));
    CHECK_OK(n.ctx, net_apply(&n, SW_OP_mul, n.grad[i], v[i], NULL, &part));
    CHECK_OK(n.ctx, net_apply(&n, SW_OP_sum, part, SW_NO_EDGE, &all, &part));
    if (gv.node < 0)
      gv = part;
    else
      CHECK_OK(n.ctx, net_apply(&n, SW_OP_add, gv, part, NULL, &gv));
  }
  CHECK_OK(n.ctx, sw_graph_gradient(n.g, gv, SW_NO_EDGE, n.param, NET_PARAMS, hv));
  for (int i = 0; i < NET_PARAMS; i++) {
    o[i] = (sw_output){hv[i], SW_TO_OUT, n.offset[i]};
    o[NET_PARAMS + i] = (sw_output){n.grad[i], SW_TO_OUT, NET_WEIGHTS + n.offset[i]};
  }
  o[2 * NET_PARAMS] = (sw_output){n.loss, SW_TO_OUT, -1};
  o[2 * NET_PARAMS + 1] = (sw_output){gv, SW_TO_OUT, -1};
  sw_program *p = NULL;
  CHECK_OK(n.ctx, sw_program_new(n.g,
                                 &(sw_program_options){.outputs = o,
                                                       .n_outputs = 2 * NET_PARAMS + 2,
                                                       .real = real,
                                                       .varying = varying},
                                 &p));
  return p;
}

static sw_workspace *workspace(int varying, int64_t batch) {
  sw_program *p = product_program(SW_F64, varying);
  sw_workspace *w = NULL;
  CHECK_OK(n.ctx, sw_workspace_new(p, &w));
  sw_program_release(p);
  CHECK_OK(n.ctx, sw_workspace_batch(w, batch));
  net_data(batch, 8, sw_workspace_input(w, 0), sw_workspace_input(w, 1), 0);
  return w;
}

static void direction(double *v, int seed) {
  for (int i = 0; i < NET_WEIGHTS; i++) v[i] = sin(1.3 * i * seed + seed);
}

typedef struct result {
  double out[2 * NET_WEIGHTS], loss, gv;
} result;

typedef sw_status (*runner)(sw_workspace *w, const sw_run *run);

static result product(sw_workspace *w, runner f, int seed) {
  double v[NET_WEIGHTS];
  result r = {{0}, 0, 0};
  direction(v, seed);
  const void *vectors[3] = {weights, NULL, v};
  CHECK_OK(n.ctx, f(w, &(sw_run){.vectors = vectors, .n_vectors = 3, .out = r.out}));
  r.loss = *(const double *)sw_workspace_output(w, 2 * NET_PARAMS, NULL);
  r.gv = *(const double *)sw_workspace_output(w, 2 * NET_PARAMS + 1, NULL);
  return r;
}

static void setup_net(void) {
  memset(&n, 0, sizeof n);
  n.ctx = open_context(1);
  CHECK_OK(n.ctx, net_build(&n));
  net_weights(weights);
}

static void end_net(void) {
  sw_graph_release(n.g);
  sw_context_release(n.ctx);
}

/* Repeated runs, in any order, with a poisoned workspace, and beside a plain program. */
TEST(rerun_is_a_whole_run) {
  setup_net();
  for (int64_t batch = 1; batch < 40; batch += 13) {
    sw_workspace *w = workspace(2, batch), *plain = workspace(0, batch),
                 *whole = workspace(2, batch);
    for (int seed = 1; seed < 6; seed++) {
      result a = product(w, seed == 1 ? sw_workspace_run : sw_workspace_rerun, seed);
      result b = product(whole, sw_workspace_run, seed), c = product(plain, sw_workspace_run, seed);
      assert_memory_equal(&a, &b, sizeof a);
      assert_memory_equal(&a, &c, sizeof a);
    }
    sw_workspace_free(w);
    sw_workspace_free(plain);
    sw_workspace_free(whole);
  }
  end_net();
}

/* The program tells where its second part begins, which has fewer instructions than the whole. */
TEST(parts) {
  setup_net();
  sw_program *p = product_program(SW_F32, 2), *plain = product_program(SW_F32, -1);
  char text[8000], other[8000];
  sw_program_dump(p, text, sizeof text);
  sw_program_dump(plain, other, sizeof other);
  const char *border = strstr(text, "-- again at a rerun\n");
  CHECK(border != NULL && !strstr(other, "--"));
  int before = 0, behind = 0;
  for (const char *s = text; *s; s++) *(s < border ? &before : &behind) += *s == '\n';
  CHECK(before > 8 && behind > 8);
  CHECK(strstr(border, "cross_entropy") == NULL);
  CHECK(sw_program_kept_bytes(p, 1) > 0);
  CHECK(sw_program_kept_bytes(p, 1000) > 1000 * NET_HIDDEN * 4);
  CHECK_EQ_INT(sw_program_kept_bytes(plain, 1000), 0);
  sw_program_release(p);
  sw_program_release(plain);
  end_net();
}

static void check_refused(sw_workspace *w, const char *why) {
  double v[NET_WEIGHTS] = {0}, out[2 * NET_WEIGHTS];
  const void *vectors[3] = {weights, NULL, v};
  const sw_run run = {.vectors = vectors, .n_vectors = 3, .out = out};
  CHECK_EQ_INT(sw_workspace_rerun(w, &run), SW_EARG);
  if (!strstr(sw_message(n.ctx), why)) fail_msg("%s", sw_message(n.ctx));
}

TEST(refuses) {
  setup_net();
  sw_workspace *w = workspace(2, 5), *plain = workspace(0, 5);
  CHECK_EQ_INT(sw_workspace_kept_bytes(w), sw_program_kept_bytes(sw_workspace_program(w), 5));
  check_refused(plain, "has no varying vector");
  check_refused(w, "needs a whole run");
  product(w, sw_workspace_run, 1);
  product(w, sw_workspace_rerun, 2);
  CHECK_OK(n.ctx, sw_workspace_batch(w, 5)); /* the same one changes nothing */
  product(w, sw_workspace_rerun, 3);
  CHECK_OK(n.ctx, sw_workspace_batch(w, 4));
  check_refused(w, "needs a whole run");
  product(w, sw_workspace_run, 1);
  (void)sw_workspace_input(w, 0);
  check_refused(w, "needs a whole run");
  product(w, sw_workspace_run, 1);
  char text[100];
  double v[NET_WEIGHTS] = {0}, out[2 * NET_WEIGHTS];
  const void *vectors[3] = {weights, NULL, v};
  CHECK_OK(n.ctx,
           sw_workspace_first_nan(w, &(sw_run){.vectors = vectors, .n_vectors = 3, .out = out},
                                  text, sizeof text));
  check_refused(w, "needs a whole run");
  sw_workspace_free(w);
  sw_workspace_free(plain);
  end_net();
}

RUN_TESTS(T(rerun_is_a_whole_run), T(parts), T(refuses))
