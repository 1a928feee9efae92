/* op_norm_third.c: the third derivative of batch normalisation, and all further ones.
 *
 * batch_norm_grad2 is the gradient, in x, c and gamma, of
 *
 *   phi = S(gamma r u~ c~ - gamma r^3 Xu x~ c~ + p r x~ c~ + q c),   r = (M(x~ x~) + eps)^-1/2,
 *
 * where x~ = x - M(x), M is the mean over a ghost, Xu = M(x~ u~), and S sums over all values of a
 * channel. Its derivative along (a, b, e), the cotangents of its outputs, is a function of
 * such means, and so are the derivatives of that, which are written here in ops: slower than
 * kernels of their own, but derivatives of any order follow.
 */
#include "base/parallel_int.h"
#include "graph/batch_power_int.h"
#include "graph/norm_int.h"

/* ------------------------------------------------------------------ means over ghosts */

enum { COLS = 64 };

static sw_status ghost_mean_shape(swi_shape_args *a) {
  SW_TRY(swi_norm_check_x(a));
  a->out[0] = swi_norm_like_x(a->in[0], a->in[0]->dependence, a->attrs->n);
  return SW_OK;
}

typedef struct means {
  const swi_eval_args *e;
  swi_ghosts g;
  int64_t channels, blocks; /* blocks of COLS channels */
} means;

static double element(const means *m, const void *p, int64_t i) {
  return m->e->k->element_bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void set_element(const means *m, void *p, int64_t i, double value) {
  if (m->e->k->element_bytes == 4)
    ((float *)p)[i] = (float)value;
  else
    ((double *)p)[i] = value;
}

/* One ghost, one block of channels. */
static void mean_of_piece(void *arg, int64_t piece) {
  const means *m = arg;
  int64_t ghost = piece / m->blocks, channel = piece % m->blocks * COLS;
  int64_t cols = m->channels - channel < COLS ? m->channels - channel : COLS;
  int64_t rows = swi_examples_in(&m->g, ghost) * m->g.rows;
  int64_t first = ghost * m->g.size * m->g.rows * m->channels + channel;
  double sum[COLS] = {0};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      sum[j] += element(m, m->e->in[0], first + i * m->channels + j);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      set_element(m, m->e->out[0], first + i * m->channels + j, sum[j] / (double)rows);
}

static sw_status ghost_mean_eval(const swi_eval_args *e) {
  const sw_shape *x = &e->in_shape[0];
  means m = {.e = e, .g = swi_ghosts_of(x, e->attrs->n), .channels = x->dim[x->ndim - 1]};
  m.blocks = (m.channels + COLS - 1) / COLS;
  if (m.g.examples * m.g.rows > 0) swi_parallel(e->ctx, m.g.count * m.blocks, mean_of_piece, &m);
  return SW_OK;
}

/* The matrix of the means is symmetric. */
static void ghost_mean_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_attrs attrs = {.n = v->attrs->n};
  v->grad[0] = swi_build_from(g, SW_OP_ghost_mean, &v->cotangent[0], &attrs);
}

/* The mean over a ghost of n examples and its other axes, of each channel, in x's shape. */
const swi_op_row swi_row_ghost_mean = {.n_in = 1,
                                       .n_out = 1,
                                       .attrs = SW_ATTR_N,
                                       .shape = ghost_mean_shape,
                                       .eval = ghost_mean_eval,
                                       .vjp = ghost_mean_vjp,
                                       .power = swi_power_of_first};

/* ------------------------------------------------------------------ terms, which may be none */

static sw_edge plus(sw_graph *g, sw_edge a, sw_edge b) {
  return a.node < 0 ? b : b.node < 0 ? a : swi_add(g, a, b);
}

static sw_edge minus(sw_graph *g, sw_edge a, sw_edge b) {
  return a.node < 0 ? swi_neg(g, b) : b.node < 0 ? a : swi_sub(g, a, b);
}

static sw_edge times(sw_graph *g, sw_edge a, sw_edge b) { return swi_mul(g, a, b); }

/* M: (1, …, C), or of x's shape if there are ghosts. */
static sw_edge mean(sw_graph *g, sw_edge x, int64_t ghost) {
  sw_attrs attrs = {.n = ghost};
  if (x.node < 0) return SW_NO_EDGE;
  if (ghost > 0) return swi_build_from(g, SW_OP_ghost_mean, &x, &attrs);
  return swi_mean(g, x, (1u << (sw_graph_type(g, x)->ndim - 1)) - 1, 1);
}

/* ------------------------------------------------------------------ the derivative */

/* Vectors (x's shape) without their means; means of their products; powers of r. */
typedef struct third {
  sw_edge x, c, u, a, b;         /* centred */
  sw_edge gamma, p, e;           /* (C) */
  sw_edge uc, ub, xu, xc, ua, t; /* M of products; t = M(a c + x b) */
  sw_edge r, r2, r3, r1, xa;     /* r1: r along a, -r^3 M(x a) */
} third;

/* Derivatives of the function's mean f, by each of the means. */
typedef struct slopes {
  sw_edge uc, ub, xu, xc, ua, t, xa, xx;
} slopes;

static third gather(sw_graph *g, const swi_vjp_args *v) {
  const uint32_t absent = v->attrs->absent;
  const sw_edge u = absent & SWI_NO_U ? SW_NO_EDGE : v->in[4];
  int64_t ghost = v->attrs->n;
  sw_edge from[] = {v->in[0], v->in[1], u, v->cotangent[0], v->cotangent[1]}, to[5];
  for (int i = 0; i < 5; i++)
    to[i] = from[i].node < 0 ? SW_NO_EDGE : swi_sub(g, from[i], mean(g, from[i], ghost));
  third d = {to[0],
             to[1],
             to[2],
             to[3],
             to[4],
             .gamma = v->in[2],
             .p = absent & SWI_NO_P ? SW_NO_EDGE : v->in[5],
             .e = v->cotangent[2]};
  d.uc = mean(g, times(g, d.u, d.c), ghost);
  d.ub = mean(g, times(g, d.u, d.b), ghost);
  d.xu = mean(g, times(g, d.x, d.u), ghost);
  d.xc = mean(g, times(g, d.x, d.c), ghost);
  d.ua = mean(g, times(g, d.u, d.a), ghost);
  d.xa = mean(g, times(g, d.x, d.a), ghost);
  d.t = mean(g, plus(g, times(g, d.a, d.c), times(g, d.x, d.b)), ghost);
  sw_edge var = mean(g, times(g, d.x, d.x), ghost);
  sw_edge square = swi_add(g, var, swi_fill(g, v->attrs->value));
  d.r = swi_div(g, swi_fill(g, 1), swi_build_unary(g, SW_OP_sqrt, square));
  d.r2 = times(g, d.r, d.r);
  d.r3 = times(g, d.r2, d.r);
  if (d.xa.node >= 0)
    d.r1 = swi_neg(g, times(g, d.r3, d.xa));
  else
    d.r1 = SW_NO_EDGE;
  return d;
}

/* f = e r uc + gamma r1 uc + gamma r ub - e r^3 xu xc - 3 gamma r^2 r1 xu xc
 *     - gamma r^3 (ua xc + xu t) + p r1 xc + p r t + q M(b) */
static slopes slopes_of(sw_graph *g, const third *d) {
  sw_edge g_r3 = times(g, d->gamma, d->r3), e_r3 = times(g, d->e, d->r3);
  sw_edge g_r2 = swi_scale(g, times(g, d->gamma, d->r2), 3, 0);
  sw_edge both = plus(g, e_r3, times(g, g_r2, d->r1)); /* factor of -xu xc */
  sw_edge w = times(g, d->xu, d->xc);
  sw_edge bent = plus(g, times(g, d->ua, d->xc), times(g, d->xu, d->t));
  slopes s;
  s.uc = plus(g, times(g, d->e, d->r), times(g, d->gamma, d->r1));
  s.ub = d->b.node < 0 ? SW_NO_EDGE : times(g, d->gamma, d->r);
  s.xu = minus(g, SW_NO_EDGE, plus(g, times(g, both, d->xc), times(g, g_r3, d->t)));
  s.xc = minus(g, times(g, d->p, d->r1), plus(g, times(g, both, d->xu), times(g, g_r3, d->ua)));
  s.ua = minus(g, SW_NO_EDGE, times(g, g_r3, d->xc));
  s.t = minus(g, times(g, d->p, d->r), times(g, g_r3, d->xu));
  sw_edge by_r1 =
      minus(g, plus(g, times(g, d->gamma, d->uc), times(g, d->p, d->xc)), times(g, g_r2, w));
  s.xa = d->xa.node < 0 ? SW_NO_EDGE : minus(g, SW_NO_EDGE, times(g, d->r3, by_r1));
  sw_edge by_r = plus(g, times(g, d->e, d->uc), times(g, d->gamma, d->ub));
  by_r = plus(g, by_r, times(g, d->p, d->t));
  sw_edge squared = swi_scale(g, times(g, times(g, d->e, d->r2), w), 3, 0);
  sw_edge linear = swi_scale(g, times(g, times(g, times(g, d->gamma, d->r), d->r1), w), 6, 0);
  by_r = minus(g, by_r, plus(g, plus(g, squared, linear), times(g, g_r2, bent)));
  by_r = minus(g, by_r, swi_scale(g, times(g, times(g, d->r2, d->xa), by_r1), 3, 0));
  s.xx = minus(g, SW_NO_EDGE, times(g, d->r3, by_r)); /* twice: of x's square mean, dr = -r^3 / 2 */
  return s;
}

/* Sums over all values of a channel: the derivatives in gamma and p. */
static sw_edge of_gamma(sw_graph *g, const third *d, sw_edge gamma) {
  sw_edge with_u = plus(g, times(g, d->r1, d->c), times(g, d->r, d->b));
  sw_edge of_x = swi_scale(g, times(g, times(g, d->r2, d->r1), d->xu), 3, 0);
  of_x = plus(g, of_x, times(g, d->r3, d->ua));
  sw_edge of_bend = times(g, d->r3, d->xu);
  sw_edge with_c = plus(g, times(g, of_x, d->x), times(g, of_bend, d->a));
  sw_edge sum = minus(g, times(g, d->u, with_u), times(g, d->c, with_c));
  sum = minus(g, sum, times(g, of_bend, times(g, d->x, d->b)));
  return sum.node < 0 ? sum : swi_sum_to(g, sum, gamma);
}

static sw_edge of_p(sw_graph *g, const third *d, sw_edge p) {
  sw_edge bent = plus(g, times(g, d->a, d->c), times(g, d->x, d->b));
  sw_edge sum = plus(g, times(g, d->r1, times(g, d->x, d->c)), times(g, d->r, bent));
  return sum.node < 0 ? sum : swi_sum_to(g, sum, p);
}

static sw_edge sum_of(sw_graph *g, int n, const sw_edge (*product)[2]) {
  sw_edge sum = SW_NO_EDGE;
  for (int i = 0; i < n; i++) sum = plus(g, sum, times(g, product[i][0], product[i][1]));
  return sum;
}

void swi_norm_third(sw_graph *g, swi_vjp_args *v) {
  third d = gather(g, v);
  slopes s = slopes_of(g, &d);
  sw_edge of_x[][2] = {{s.xx, d.x}, {s.xa, d.a}, {s.xu, d.u}, {s.xc, d.c}, {s.t, d.b}};
  sw_edge of_c[][2] = {{s.uc, d.u}, {s.xc, d.x}, {s.t, d.a}};
  sw_edge of_u[][2] = {{s.uc, d.c}, {s.xu, d.x}, {s.ub, d.b}, {s.ua, d.a}};
  v->grad[0] = sum_of(g, 5, of_x);
  v->grad[1] = sum_of(g, 3, of_c);
  v->grad[2] = of_gamma(g, &d, v->in[2]);
  if (d.u.node >= 0) v->grad[4] = sum_of(g, 4, of_u);
  if (d.p.node >= 0) v->grad[5] = of_p(g, &d, v->in[5]);
  sw_edge b = v->cotangent[1];
  if (b.node >= 0 && !(v->attrs->absent & SWI_NO_Q)) v->grad[6] = swi_sum_to(g, b, v->in[6]);
}
