/* elementwise.c: how elementwise ops are evaluated: inputs are broadcast as in NumPy.
 *
 * Large ones are cut into pieces of a fixed size for the pool; elements are independent, so the cut
 * shows in no bit.
 */
#include "graph/elementwise_int.h"

#include <string.h>

#include "base/parallel_int.h"
#include "graph/broadcast_int.h"

enum { PIECE = 1 << 15, PARALLEL_FROM = 1 << 17, MOST_IN = SWI_BROADCAST_IN };

/* ------------------------------------------------------------------ shapes */

sw_status swi_same_shape(swi_shape_args *a) {
  a->out[0] = *a->in[0];
  return SW_OK;
}

sw_status swi_binary_shape(swi_shape_args *a) {
  return swi_broadcast_types(a, a->in[0], a->in[1], &a->out[0]);
}

sw_status swi_where_shape(swi_shape_args *a) {
  sw_type t;
  SW_TRY(swi_broadcast_types(a, a->in[1], a->in[2], &t));
  return swi_broadcast_types(a, a->in[0], &t, &a->out[0]);
}

/* ------------------------------------------------------------------ unary */

static swi_unary_kernel unary_of(const swi_eval_args *e) { return e->k->unary[e->row->kernel - 1]; }

typedef struct unary_job {
  swi_unary_kernel f;
  const char *x;
  char *y;
  int64_t n;
  int bytes;
} unary_job;

static void unary_piece(void *arg, int64_t piece) {
  const unary_job *j = arg;
  int64_t at = piece * PIECE, n = j->n - at < PIECE ? j->n - at : PIECE;
  j->f(n, j->x + at * j->bytes, j->y + at * j->bytes);
}

sw_status swi_unary_eval(const swi_eval_args *e) {
  int64_t n = swi_numel(&e->out_shape[0]);
  unary_job j = {unary_of(e), e->in[0], e->out[0], n, e->k->element_bytes};
  if (n < PARALLEL_FROM)
    j.f(n, e->in[0], e->out[0]);
  else
    swi_parallel(e->ctx, (n + PIECE - 1) / PIECE, unary_piece, &j);
  return SW_OK;
}

void swi_unary_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                    void *out) {
  (void)single;
  unary_of(e)(n, in[0], out);
}

/* ------------------------------------------------------------------ binary */

typedef struct binary_job {
  swi_binary_kernel f;
  const char *a, *b;
  char *y;
  int64_t n, step_a, step_b; /* bytes from one element to the next: 0 or the element's size */
  int bytes;
} binary_job;

static void binary_piece(void *arg, int64_t piece) {
  const binary_job *j = arg;
  int64_t at = piece * PIECE, n = j->n - at < PIECE ? j->n - at : PIECE;
  j->f(n, j->a + at * j->step_a, j->b + at * j->step_b, j->y + at * j->bytes);
}

static swi_binary_kernel binary_of(const swi_eval_args *e, int64_t stride_a, int64_t stride_b) {
  const swi_binary_kernels *k = &e->k->binary[e->row->kernel - 1];
  if (stride_a != 0) return stride_b != 0 ? k->vv : k->vs;
  return k->sv;
}

static void binary_run(const swi_eval_args *e, const swi_walk *w) {
  int bytes = e->k->element_bytes;
  binary_job j = {binary_of(e, w->stride[0][0], w->stride[1][0]),
                  e->in[0],
                  e->in[1],
                  e->out[0],
                  w->size[0],
                  w->stride[0][0] * bytes,
                  w->stride[1][0] * bytes,
                  bytes};
  if (j.n < PARALLEL_FROM)
    j.f(j.n, j.a, j.b, j.y);
  else
    swi_parallel(e->ctx, (j.n + PIECE - 1) / PIECE, binary_piece, &j);
}

sw_status swi_binary_eval(const swi_eval_args *e) {
  int bytes = e->k->element_bytes;
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  swi_walk w = swi_walk_over(2, e->in_shape, &e->out_shape[0]);
  if (w.n_axes == 0) {
    binary_of(e, 1, 1)(1, e->in[0], e->in[1], e->out[0]);
  } else if (w.n_axes == 1) {
    binary_run(e, &w);
  } else {
    swi_binary_kernel kernel = binary_of(e, w.stride[0][0], w.stride[1][0]);
    const char *a = e->in[0], *b = e->in[1];
    char *y = e->out[0];
    do {
      kernel(w.size[0], a + w.at[0] * bytes, b + w.at[1] * bytes, y);
      y += w.size[0] * bytes;
    } while (swi_walk_next(&w));
  }
  return SW_OK;
}

void swi_binary_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                     void *out) {
  binary_of(e, !(single & 1), !(single & 2))(n, in[0], in[1], out);
}

/* ------------------------------------------------------------------ where */

/* Inner runs in which every input either moves or is one value; the kernel takes arrays, so single
 * values are spread over a small block first. */
enum { BLOCK = 256 };

static const void *spread(const swi_eval_args *e, const char *x, int64_t stride, int64_t n,
                          int64_t first, double *block) {
  int bytes = e->k->element_bytes;
  if (stride != 0) return x + first * bytes;
  for (int64_t i = 0; i < n; i++) memcpy((char *)block + i * bytes, x, (size_t)bytes);
  return block;
}

void swi_where_part(const swi_eval_args *e, int64_t n, const void *const *in, uint32_t single,
                    void *out) {
  double block[MOST_IN][BLOCK];
  int bytes = e->k->element_bytes;
  for (int64_t first = 0; first < n; first += BLOCK) {
    int64_t count = n - first < BLOCK ? n - first : BLOCK;
    const void *p[MOST_IN];
    for (int i = 0; i < 3; i++)
      p[i] = spread(e, in[i], single >> i & 1 ? 0 : 1, count, first, block[i]);
    e->k->where(count, p[0], p[1], p[2], (char *)out + first * bytes);
  }
}

sw_status swi_where_eval(const swi_eval_args *e) {
  int bytes = e->k->element_bytes;
  char *y = e->out[0];
  uint32_t single = 0;
  if (swi_numel(&e->out_shape[0]) == 0) return SW_OK;
  swi_walk w = swi_walk_over(3, e->in_shape, &e->out_shape[0]);
  for (int i = 0; i < 3; i++)
    if (w.n_axes == 0 || w.stride[i][0] == 0) single |= 1u << i;
  do {
    const void *in[MOST_IN];
    for (int i = 0; i < 3; i++) in[i] = (const char *)e->in[i] + w.at[i] * bytes;
    swi_where_part(e, swi_walk_run(&w), in, single, y);
    y += swi_walk_run(&w) * bytes;
  } while (swi_walk_next(&w));
  return SW_OK;
}
