/* least_squares.h: a problem with a solution by hand: the loss of example i is (w'x_i - y_i)^2 / 2.
 * */
#ifndef SW_LEAST_SQUARES_H
#define SW_LEAST_SQUARES_H

#include "train/loop.h"
#include "train_check.h"

enum { N = 24, F = 3 };

typedef struct problem {
  float x[N][F], y[N];
  sw_source *source;
  sw_graph *graph;
  sw_program *program, *measured, *losses;
  sw_tensor *weights;
} problem;

static inline sw_tensor *floats(const float *x, int64_t rows, int64_t cols) {
  sw_shape shape = sw_shape_of(2, (int64_t[]){rows, cols});
  sw_tensor *t = NULL;
  void *data = NULL;
  CHECK_OK(ctx, sw_tensor_new(ctx, SW_F32, &shape, &t));
  CHECK_OK(ctx, sw_tensor_writable(t, &data));
  memcpy(data, x, (size_t)(rows * cols) * sizeof *x);
  return t;
}

static inline void make_source(problem *p) {
  sw_tensor *x = floats(&p->x[0][0], N, F), *y = floats(p->y, N, 1);
  CHECK_OK(ctx, sw_source_new(ctx, &(sw_source_options){.x = x, .y = y}, &p->source));
  sw_tensor_free(x);
  sw_tensor_free(y);
}

static inline void make_programs(problem *p, sw_dtype real) {
  sw_edge x, y, w, residual, square, loss, gradient, norms, each;
  sw_graph *g = NULL;
  CHECK_OK(ctx, sw_graph_new(ctx, &g));
  sw_shape shape = sw_shape_of(2, (int64_t[]){1, F});
  CHECK_OK(ctx, sw_graph_input(g, 0, SW_REAL, 2, (sw_dim[]){{1, 1}, {F, 0}}, &x));
  CHECK_OK(ctx, sw_graph_input(g, 1, SW_REAL, 2, (sw_dim[]){{1, 1}, {1, 0}}, &y));
  CHECK_OK(ctx, sw_graph_param(g, 0, 0, &shape, &w));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_matmul, (sw_edge[]){x, w}, 2, &(sw_attrs){.transpose_b = 1},
                               &residual));
  CHECK_OK(ctx,
           sw_graph_apply(g, SW_OP_sub, (sw_edge[]){residual, y}, 2, &(sw_attrs){0}, &residual));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_mul, (sw_edge[]){residual, residual}, 2, &(sw_attrs){0},
                               &square));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_scale, &square, 1, &(sw_attrs){.value = 0.5}, &square));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_mean, &square, 1, &(sw_attrs){.axes = 3}, &loss));
  CHECK_OK(ctx, sw_graph_apply(g, SW_OP_sum, &square, 1, &(sw_attrs){.axes = 2}, &each));
  CHECK_OK(ctx, sw_graph_gradient(g, loss, SW_NO_EDGE, &w, 1, &gradient));
  CHECK_OK(ctx, sw_graph_example_norms(g, &gradient, 1, &norms, NULL));
  CHECK_OK(ctx,
           sw_program_new(g,
                          &(sw_program_options){.outputs = (sw_output[]){{loss, SW_TO_OUT, -1},
                                                                         {gradient, SW_TO_OUT, 0}},
                                                .n_outputs = 2,
                                                .real = real},
                          &p->program));
  CHECK_OK(ctx,
           sw_program_new(g,
                          &(sw_program_options){.outputs = (sw_output[]){{loss, SW_TO_OUT, -1},
                                                                         {norms, SW_TO_OUT, -1},
                                                                         {gradient, SW_TO_OUT, 0}},
                                                .n_outputs = 3,
                                                .real = real},
                          &p->measured));
  CHECK_OK(ctx,
           sw_program_new(g,
                          &(sw_program_options){.outputs = (sw_output[]){{each, SW_TO_OUT, -1}},
                                                .n_outputs = 1,
                                                .real = real},
                          &p->losses));
  p->graph = g;
}

static inline void make_problem(problem *p, sw_dtype real) {
  sw_random r;
  sw_random_init(&r, 11, sw_stream("test", 0));
  memset(p, 0, sizeof *p);
  for (int i = 0; i < N; i++) {
    for (int f = 0; f < F; f++) p->x[i][f] = (float)sw_random_normal(&r);
    p->y[i] = p->x[i][0] - 2 * p->x[i][1] + (float)sw_random_normal(&r);
  }
  make_source(p);
  make_programs(p, real);
  sw_shape shape = sw_shape_of(1, (int64_t[]){F});
  CHECK_OK(ctx, sw_tensor_new(ctx, real, &shape, &p->weights));
}

static inline void free_problem(problem *p) {
  sw_tensor_free(p->weights);
  sw_source_free(p->source);
  sw_program_release(p->program);
  sw_program_release(p->measured);
  sw_program_release(p->losses);
  sw_graph_release(p->graph);
}

static inline sw_loop *loop_of(const problem *p) {
  sw_loop *l = NULL;
  CHECK_OK(ctx, sw_loop_new(ctx,
                            &(sw_loop_options){.program = p->program,
                                               .measured = p->measured,
                                               .weights = p->weights,
                                               .source = p->source,
                                               .seed = 5},
                            &l));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_LR, 0.1));
  CHECK_OK(ctx, sw_loop_set(l, SW_HYPER_BATCH_SIZE, 4));
  return l;
}

/* Both at once, and their end. */
static inline sw_loop *problem_loop(problem *p, sw_dtype real) {
  make_problem(p, real);
  return loop_of(p);
}

static inline void free_loop(sw_loop *l, problem *p) {
  sw_loop_free(l);
  free_problem(p);
}

static inline void advance(sw_loop *l, int64_t steps) {
  sw_stop why;
  CHECK_OK(ctx, sw_loop_advance(l, steps, 0, NULL, &why));
  assert_int_equal(why, SW_STOP_STEPS);
}

static inline sw_loop_state state_of(const sw_loop *l) {
  sw_loop_state s;
  sw_loop_state_get(l, &s);
  return s;
}

static inline const double *weights_of(const problem *p) { return sw_tensor_data(p->weights); }

#endif
