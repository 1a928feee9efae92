/* test_steady.c: after the first step at a capacity, training allocates no memory.
 *
 * Allocations are counted process-wide: this program's malloc, free, mmap and the like replace
 * those of the C library, also for OpenBLAS, which is loaded later.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "base/sanitizer_int.h"
#include "check.h"
#include "kernels/kernels_int.h"
#include "kernels/open.h"
#include "train/loop.h"

/* Sanitizers have a malloc of their own. */
#define HAVE_COUNTERS (!SWI_UNDER_ASAN && !SWI_UNDER_TSAN)

static atomic_llong calls; /* of all functions below, by all threads */

#if HAVE_COUNTERS
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);

void *malloc(size_t size) {
  calls++;
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  calls++;
  return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
  calls++;
  return __libc_realloc(p, size);
}

void free(void *p) {
  calls++;
  __libc_free(p);
}

void *aligned_alloc(size_t align, size_t size) {
  calls++;
  return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
  calls++;
  *out = __libc_memalign(align, size);
  return *out ? 0 : 12;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  static void *(*next)(void *, size_t, int, int, int, off_t);
  calls++;
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "mmap");
  return next(at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length) {
  static int (*next)(void *, size_t);
  calls++;
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "munmap");
  return next(at, length);
}
#endif

/* 300 -> 256 relu, dropout -> 10, and the units' means as buffers; large enough that every route
 * of the matrix product is taken at some batch. */
enum {
  IN = 300,
  HIDDEN = 256,
  OUT = 10,
  EXAMPLES = 1000,
  WEIGHTS = HIDDEN * IN + HIDDEN + OUT * HIDDEN + OUT
};

typedef struct training {
  sw_context *ctx;
  sw_graph *g;
  sw_program *plain, *measured;
  sw_tensor *weights, *buffers, *x, *y;
  sw_source *source;
  sw_loop *loop;
} training;

static sw_edge apply(training *t, sw_op op, sw_edge a, sw_edge b, const sw_attrs *attrs) {
  sw_edge in[2] = {a, b}, out[2];
  CHECK_OK(t->ctx, sw_graph_apply(t->g, op, in, b.node < 0 ? 1 : 2, attrs, out));
  return out[0];
}

static void compile(training *t) {
  const sw_dim features[2] = {{1, 1}, {IN, 0}}, batch = {1, 1};
  const sw_shape shape[4] = {{2, {HIDDEN, IN}}, {1, {HIDDEN}}, {2, {OUT, HIDDEN}}, {1, {OUT}}};
  const int64_t offset[4] = {0, HIDDEN * IN, HIDDEN * IN + HIDDEN,
                             HIDDEN * IN + HIDDEN + OUT * HIDDEN};
  const sw_attrs transposed = {.transpose_b = 1}, over_batch = {.axes = 1}, half = {.value = 0.5};
  sw_edge x, y, p[4], grad[4], norms;
  CHECK_OK(t->ctx, sw_graph_new(t->ctx, &t->g));
  CHECK_OK(t->ctx, sw_graph_input(t->g, 0, SW_REAL, 2, features, &x));
  CHECK_OK(t->ctx, sw_graph_input(t->g, 1, SW_INDEX, 1, &batch, &y));
  for (int i = 0; i < 4; i++)
    CHECK_OK(t->ctx, sw_graph_param(t->g, 0, offset[i], &shape[i], &p[i]));
  sw_edge h = apply(t, SW_OP_add, apply(t, SW_OP_matmul, x, p[0], &transposed), p[1], NULL);
  h = apply(t, SW_OP_relu, h, SW_NO_EDGE, NULL);
  sw_edge mean = apply(t, SW_OP_mean, h, SW_NO_EDGE, &over_batch);
  h = apply(t, SW_OP_mul, h, apply(t, SW_OP_keep_mask, h, SW_NO_EDGE, &half), NULL);
  h = apply(t, SW_OP_add, apply(t, SW_OP_matmul, h, p[2], &transposed), p[3], NULL);
  sw_edge loss =
      apply(t, SW_OP_mean, apply(t, SW_OP_cross_entropy, h, y, NULL), SW_NO_EDGE, &over_batch);
  CHECK_OK(t->ctx, sw_graph_gradient(t->g, loss, SW_NO_EDGE, p, 4, grad));
  CHECK_OK(t->ctx, sw_graph_example_norms(t->g, grad, 4, &norms, NULL));
  sw_output plain[6] = {{loss, SW_TO_OUT, -1}},
            measured[7] = {{loss, SW_TO_OUT, -1}, {norms, SW_TO_OUT, -1}};
  plain[5] = measured[6] = (sw_output){mean, SW_TO_STATE, 0};
  for (int i = 0; i < 4; i++)
    plain[1 + i] = measured[2 + i] = (sw_output){grad[i], SW_TO_OUT, offset[i]};
  CHECK_OK(t->ctx,
           sw_program_new(t->g,
                          &(sw_program_options){.outputs = plain, .n_outputs = 6, .real = SW_F32},
                          &t->plain));
  CHECK_OK(t->ctx,
           sw_program_new(
               t->g, &(sw_program_options){.outputs = measured, .n_outputs = 7, .real = SW_F32},
               &t->measured));
}

static void load(training *t) {
  const sw_shape xs = {2, {EXAMPLES, IN}}, ys = {1, {EXAMPLES}}, ws = {1, {WEIGHTS}},
                 bs = {1, {HIDDEN}};
  sw_random r;
  sw_random_init(&r, 1, sw_stream("test", 0));
  CHECK_OK(t->ctx, sw_tensor_new(t->ctx, SW_F32, &xs, &t->x));
  CHECK_OK(t->ctx, sw_tensor_new(t->ctx, SW_I32, &ys, &t->y));
  CHECK_OK(t->ctx, sw_tensor_new(t->ctx, SW_F32, &ws, &t->weights));
  CHECK_OK(t->ctx, sw_tensor_new(t->ctx, SW_F32, &bs, &t->buffers));
  CHECK_OK(t->ctx, sw_tensor_normal(t->x, &r, 0, 1));
  CHECK_OK(t->ctx, sw_tensor_normal(t->weights, &r, 0, 0.05));
  for (int64_t i = 0; i < EXAMPLES; i++)
    CHECK_OK(t->ctx, sw_tensor_set(t->y, &i, (double)(i % OUT)));
  CHECK_OK(t->ctx, sw_source_new(t->ctx, &(sw_source_options){.x = t->x, .y = t->y, .classes = OUT},
                                 &t->source));
}

static void start(training *t, int threads, sw_loop_options o) {
  char reason[200] = "";
  memset(t, 0, sizeof *t);
  if (sw_open(NULL, threads, &t->ctx, reason, sizeof reason) != SW_OK) fail_msg("%s", reason);
  compile(t);
  load(t);
  o.program = t->plain;
  o.measured = t->measured;
  o.weights = t->weights;
  o.buffers = t->buffers;
  o.source = t->source;
  CHECK_OK(t->ctx, sw_loop_new(t->ctx, &o, &t->loop));
  CHECK_OK(t->ctx, sw_loop_set(t->loop, SW_HYPER_LR, 0.01));
  CHECK_OK(t->ctx, sw_loop_set(t->loop, SW_HYPER_MOMENTUM, 0.9));
}

static void end(training *t) {
  sw_loop_free(t->loop);
  sw_source_free(t->source);
  sw_tensor_free(t->x);
  sw_tensor_free(t->y);
  sw_tensor_free(t->weights);
  sw_tensor_free(t->buffers);
  sw_program_release(t->plain);
  sw_program_release(t->measured);
  sw_graph_release(t->g);
  sw_context_release(t->ctx);
}

/* Steps 2 to 200; with 1000 examples they cross the ends of many epochs. */
static long long count_steps(training *t) {
  sw_stop why;
  CHECK_OK(t->ctx, sw_loop_advance(t->loop, 1, 0, NULL, &why));
  long long before = calls;
  CHECK_OK(t->ctx, sw_loop_advance(t->loop, 199, 0, NULL, &why));
  return calls - before;
}

static void check_schedule(const sw_schedule_spec *batch, int threads, int64_t measure_every) {
  training t;
  start(&t, threads, (sw_loop_options){0});
  sw_schedule *schedule = NULL;
  CHECK_OK(t.ctx, sw_schedule_new(t.ctx, batch, &schedule));
  sw_loop_set_schedule(t.loop, SW_HYPER_BATCH_SIZE, schedule);
  sw_schedule_release(schedule);
  sw_loop_measure(t.loop, measure_every, 1);
  CHECK_EQ_INT(count_steps(&t), 0);
  end(&t);
}

static void skip_without_counters(void) {
  if (!HAVE_COUNTERS) {
    print_message("skipped: sanitizers have a malloc of their own\n");
    skip();
  }
}

TEST(the_counter_counts) {
  skip_without_counters();
  long long before = calls;
  void *volatile p = malloc(10);
  free(p);
  CHECK_EQ_INT(calls - before, 2);
}

TEST(constant_batch) {
  skip_without_counters();
  for (int threads = 1; threads <= 2; threads++)
    check_schedule(&(sw_schedule_spec){.kind = SW_SCHEDULE_constant, .value = 128}, threads, 0);
}

TEST(shrinking_batch) {
  skip_without_counters();
  const sw_schedule_spec halve = {
      .kind = SW_SCHEDULE_step, .value = 128, .gamma = 0.5, .period = {50, SW_STEPS}};
  for (int threads = 1; threads <= 2; threads++) check_schedule(&halve, threads, 0);
}

/* From 128 down to 8 and up again, twice. */
TEST(batch_that_grows_back) {
  skip_without_counters();
  const sw_schedule_spec down_and_up = {.kind = SW_SCHEDULE_triangular,
                                        .min = 128,
                                        .max = 8,
                                        .period = {50, SW_STEPS},
                                        .down = {50, SW_STEPS}};
  for (int threads = 1; threads <= 2; threads++) check_schedule(&down_and_up, threads, 0);
}

/* A measured program has a workspace of its own; the first step measures, too. */
TEST(measured_steps) {
  skip_without_counters();
  check_schedule(&(sw_schedule_spec){.kind = SW_SCHEDULE_constant, .value = 64}, 1, 1);
}

/* Every option that has memory of its own, all at once; the batch size is a tree of schedules. */
static void check_options(sw_loop_options o) {
  training t;
  sw_schedule *grows = NULL, *batch = NULL;
  start(&t, 2, o);
  CHECK_OK(t.ctx, sw_schedule_new(t.ctx,
                                  &(sw_schedule_spec){.kind = SW_SCHEDULE_cosine_restarts,
                                                      .from = 100,
                                                      .to = 20,
                                                      .multiplier = 2,
                                                      .period = {10, SW_STEPS}},
                                  &grows));
  CHECK_OK(t.ctx,
           sw_schedule_new(t.ctx,
                           &(sw_schedule_spec){
                               .kind = SW_SCHEDULE_clamp, .max = 90, .n_parts = 1, .parts = &grows},
                           &batch));
  sw_loop_set_schedule(t.loop, SW_HYPER_BATCH_SIZE, batch);
  CHECK_OK(t.ctx, sw_loop_watch_updates(t.loop, 7));
  sw_loop_measure(t.loop, 5, 0);
  CHECK_EQ_INT(count_steps(&t), 0);
  sw_schedule_release(grows);
  sw_schedule_release(batch);
  end(&t);
}

TEST(options) {
  skip_without_counters();
  const sw_range ranges[] = {{0, HIDDEN * IN, 1, 1, 0},
                             {HIDDEN * IN, HIDDEN, 1, 0, 0},
                             {HIDDEN * IN + HIDDEN, WEIGHTS - HIDDEN * IN - HIDDEN, 2, 1, 0}};
  const sw_optimizer_options adam = {.kind = SW_OPTIMIZER_adamw, .beta2 = 0.99, .eps = 1e-8};
  for (int order = SW_SHUFFLED; order <= SW_SEQUENTIAL; order++) {
    check_options((sw_loop_options){.optimizer = adam,
                                    .ranges = ranges,
                                    .n_ranges = 3,
                                    .micro_batch = 17,
                                    .max_norm = 0.5,
                                    .order = (sw_order)order});
    check_options((sw_loop_options){.ranges = ranges, .n_ranges = 3, .order = (sw_order)order});
  }
}

RUN_TESTS(T(the_counter_counts), T(constant_batch), T(shrinking_batch), T(batch_that_grows_back),
          T(measured_steps), T(options))
