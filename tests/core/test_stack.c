/* stack: the ops with the largest blocks run on a thread of 128 KiB, with the bits that the main
 * thread gets; such memory comes from the threads' scratch. */
#include <pthread.h>
#include <stdlib.h>

#include "base/sanitizer_int.h"
#include "check.h"
#include "graph/eager.h"
#include "kernels/open.h"
#include "tensor/tensor.h"

/* A sanitizer's frames are several times as large. */
enum { SMALL_STACK = SWI_UNDER_ASAN || SWI_UNDER_TSAN ? 1 << 20 : 128 << 10 };

enum { CALLS = 7, INPUTS = 3 };

/* One op, its inputs' shapes, and its first output. An input of int32 holds zeros. */
typedef struct call {
  sw_op op;
  int n_in;
  sw_shape shape[INPUTS];
  sw_dtype last; /* of the last input */
  sw_attrs attrs;
  sw_tensor *in[INPUTS], *out;
} call;

typedef struct run {
  sw_context *ctx;
  call call[CALLS];
  sw_status status;
} run;

static void fill(sw_tensor *t, sw_dtype dtype, unsigned i) {
  void *data = NULL;
  CHECK_EQ_INT(sw_tensor_writable(t, &data), SW_OK);
  for (int64_t e = 0; e < sw_tensor_numel(t); e++)
    if (dtype == SW_I32)
      ((int32_t *)data)[e] = 0;
    else
      ((float *)data)[e] = (float)sin((double)e * 1.7 + (double)i);
}

/* Kernels of 3 x 3, images of 16 x 16. */
static void list_calls(call to[CALLS]) {
  const sw_shape square = {2, {300, 300}}, images = {4, {4, 16, 16, 8}}, channels = {1, {8}},
                 results = {4, {4, 16, 16, 24}}, kernels = {4, {24, 3, 3, 8}};
  sw_attrs forward = {.window = {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}}};
  forward.window.groups = 1;
  sw_attrs input = forward, weight = forward;
  input.window.size[0] = input.window.size[1] = 16;
  weight.window.kernel[0] = weight.window.kernel[1] = 3;
  const call all[CALLS] = {
      {.op = SW_OP_matmul, .n_in = 2, .shape = {square, square}},                     /* packed */
      {.op = SW_OP_matmul, .n_in = 2, .shape = {{2, {20, 40000}}, {2, {40000, 30}}}}, /* long */
      {.op = SW_OP_conv2d, .n_in = 2, .shape = {images, kernels}, .attrs = forward},
      {.op = SW_OP_conv2d_input, .n_in = 2, .shape = {results, kernels}, .attrs = input},
      {.op = SW_OP_conv2d_weight, .n_in = 2, .shape = {images, results}, .attrs = weight},
      {.op = SW_OP_batch_norm,
       .n_in = 3,
       .shape = {images, channels, channels},
       .attrs = {.value = 1e-5, .n = 2}},
      {.op = SW_OP_scatter_rows,
       .n_in = 2,
       .shape = {{2, {2000, 8}}, {1, {2000}}},
       .last = SW_I32,
       .attrs = {.n = 9}}};
  memcpy(to, all, sizeof all);
}

static run prepare(sw_context *ctx) {
  run r = {.ctx = ctx};
  list_calls(r.call);
  for (int n = 0; n < CALLS; n++) {
    call *c = &r.call[n];
    for (int i = 0; i < c->n_in; i++) {
      const sw_dtype dtype = i + 1 == c->n_in ? c->last : SW_F32;
      CHECK_EQ_INT(sw_tensor_new(ctx, dtype, &c->shape[i], &c->in[i]), SW_OK);
      fill(c->in[i], dtype, (unsigned)i);
    }
  }
  return r;
}

static void *run_all(void *arg) {
  run *r = arg;
  for (int i = 0; i < CALLS && r->status == SW_OK; i++) {
    call *c = &r->call[i];
    sw_tensor *out[4] = {NULL};
    int n = 0;
    r->status = sw_eager(r->ctx, c->op, c->in, c->n_in, &c->attrs, out, &n);
    c->out = out[0];
    for (int k = 1; k < n; k++) sw_tensor_free(out[k]);
  }
  return NULL;
}

static void end(run *r) {
  for (int c = 0; c < CALLS; c++) {
    for (int i = 0; i < r->call[c].n_in; i++) sw_tensor_free(r->call[c].in[i]);
    sw_tensor_free(r->call[c].out);
  }
}

static void check_same(const run *a, const run *b) {
  for (int c = 0; c < CALLS; c++) {
    const sw_tensor *x = a->call[c].out, *y = b->call[c].out;
    CHECK_EQ_INT(sw_tensor_numel(x), sw_tensor_numel(y));
    CHECK_AT(memcmp(sw_tensor_data(x), sw_tensor_data(y),
                    (size_t)sw_tensor_numel(x) * sizeof(float)) == 0,
             "%s", sw_op_name(a->call[c].op));
  }
}

static void with_threads(int threads) {
  sw_context *ctx = NULL;
  char reason[200] = "";
  if (sw_open(NULL, threads, &ctx, reason, sizeof reason) != SW_OK) fail_msg("%s", reason);
  pthread_t thread;
  pthread_attr_t small;
  CHECK_EQ_INT(pthread_attr_init(&small), 0);
  CHECK_EQ_INT(pthread_attr_setstacksize(&small, SMALL_STACK), 0);
  run here = prepare(ctx), there = prepare(ctx);
  run_all(&here);
  CHECK_AT(here.status == SW_OK, "%s", sw_message(ctx));
  CHECK_EQ_INT(pthread_create(&thread, &small, run_all, &there), 0);
  CHECK_EQ_INT(pthread_join(thread, NULL), 0);
  CHECK_EQ_INT(there.status, SW_OK);
  check_same(&here, &there);
  end(&here);
  end(&there);
  pthread_attr_destroy(&small);
  sw_context_release(ctx);
}

TEST(a_small_stack_is_enough) { with_threads(1); }
TEST(so_it_is_for_a_pools_caller) { with_threads(3); }

RUN_TESTS(T(a_small_stack_is_enough), T(so_it_is_for_a_pools_caller))
