/* sgd.c: one fused pass of the update, cut by the vector's length alone. */
#include "train/sgd.h"

#include <math.h>

#include "base/context_int.h"
#include "base/parallel.h"
#include "kernels/kernels.h"

/* Below the shortest piece, some 60 microseconds, a second thread costs more than it saves. The
 * pieces' sums of squares must find room on the stack, so long vectors get long pieces. */
enum { SHORTEST_PIECE = 1 << 18, MOST_PIECES = 64, LINE = 64 };

static sw_status check_number(sw_context *ctx, const char *what, double x) {
  if (x >= 0 && isfinite(x)) return SW_OK;
  return sw_fail(ctx, SW_ERANGE, "sgd: %s must be finite and not negative, got %g", what, x);
}

sw_status sw_sgd_check(sw_context *ctx, const sw_sgd_hyper *h) {
  SW_TRY(check_number(ctx, "lr", h->lr));
  SW_TRY(check_number(ctx, "momentum", h->momentum));
  SW_TRY(check_number(ctx, "dampening", h->dampening));
  SW_TRY(check_number(ctx, "weight_decay", h->weight_decay));
  if (h->nesterov && !(h->momentum > 0))
    return sw_fail(ctx, SW_ERANGE, "sgd: nesterov needs a momentum above 0");
  if (h->nesterov && h->dampening > 0)
    return sw_fail(ctx, SW_ERANGE, "sgd: nesterov allows no dampening, got %g", h->dampening);
  return SW_OK;
}

typedef struct update {
  const swi_kernels *kernels;
  swi_sgd_hyper hyper;
  char *w, *m; /* m: NULL without momentum */
  const char *g;
  int64_t n, piece; /* elements, of all and of a piece */
  double sumsq[MOST_PIECES];
} update;

static void update_piece(void *arg, int64_t i) {
  update *u = arg;
  int64_t first = i * u->piece, left = u->n - first;
  int64_t at = first * u->kernels->element_bytes;
  u->sumsq[i] = u->kernels->sgd(left < u->piece ? left : u->piece, u->w + at,
                                u->m ? u->m + at : NULL, u->g + at, &u->hyper);
}

static int64_t piece_of(int64_t n) {
  int64_t piece = (n + MOST_PIECES - 1) / MOST_PIECES;
  if (piece < SHORTEST_PIECE) piece = SHORTEST_PIECE;
  return (piece + LINE - 1) / LINE * LINE;
}

static double run_update(sw_context *ctx, update *u) {
  u->piece = piece_of(u->n);
  int64_t pieces = (u->n + u->piece - 1) / u->piece;
  swi_parallel(ctx, pieces, update_piece, u);
  double sum = 0;
  for (int64_t i = 0; i < pieces; i++) sum += u->sumsq[i];
  return sum;
}

/* like is w, which sets the type and the length. */
static sw_status check_vector(const char *what, const sw_tensor *t, const sw_tensor *like) {
  sw_context *ctx = sw_tensor_context(t);
  sw_dtype dtype = sw_tensor_dtype(t), want = sw_tensor_dtype(like);
  if (dtype != want || (dtype != SW_F32 && dtype != SW_F64))
    return sw_fail(ctx, SW_EDTYPE, "sgd: %s is %s, the weights are %s; want one float type", what,
                   sw_dtype_name(dtype), sw_dtype_name(want));
  if (sw_tensor_numel(t) != sw_tensor_numel(like))
    return sw_fail(ctx, SW_ESHAPE, "sgd: %s has %lld elements, the weights %lld", what,
                   (long long)sw_tensor_numel(t), (long long)sw_tensor_numel(like));
  if (!sw_tensor_is_contiguous(t))
    return sw_fail(ctx, SW_ESHAPE, "sgd: %s must be contiguous", what);
  return SW_OK;
}

/* PyTorch leaves the buffer alone while momentum is 0, and dampening with it. */
static sw_status take_momentum(update *u, sw_tensor *m, const sw_tensor *w) {
  if (!(u->hyper.momentum > 0)) return SW_OK;
  if (!m) return sw_fail(sw_tensor_context(w), SW_EARG, "sgd: momentum needs a buffer");
  SW_TRY(check_vector("momentum", m, w));
  void *data;
  SW_TRY(sw_tensor_writable(m, &data));
  u->m = data;
  return SW_OK;
}

sw_status sw_sgd_update(sw_tensor *w, sw_tensor *m, const sw_tensor *g, const sw_sgd_hyper *h,
                        int first, double *grad_sumsq) {
  sw_context *ctx = sw_tensor_context(w);
  SW_TRY(sw_sgd_check(ctx, h));
  SW_TRY(check_vector("w", w, w));
  SW_TRY(check_vector("gradient", g, w));
  int wide = sw_tensor_dtype(w) == SW_F64;
  update u = {.kernels = wide ? ctx->f64 : ctx->f32,
              .hyper = {h->lr, h->momentum, h->dampening, h->weight_decay, h->nesterov, first, 1},
              .g = sw_tensor_data(g),
              .n = sw_tensor_numel(w)};
  SW_TRY(take_momentum(&u, m, w));
  void *data;
  SW_TRY(sw_tensor_writable(w, &data));
  u.w = data;
  double sum = run_update(ctx, &u);
  if (grad_sumsq) *grad_sumsq = sum;
  return SW_OK;
}
