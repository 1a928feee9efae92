/* body_update.h: the updates. Bytes moved a float weight: SGD 20, without momentum 12; Adam 28. */
#ifndef SW_BODY_UPDATE_H
#define SW_BODY_UPDATE_H

typedef struct update {
  vec lr, momentum, fresh, decay; /* -lr, momentum, 1 - dampening, weight decay */
  vec factor;                     /* the gradient's */
  int has_momentum, first, nesterov;
} update;

/* One vector of weights; *m is read and written if there is momentum. */
INLINE vec updated(const update *u, vec w, vec *m, vec gradient) {
  const vec g = v_fma(u->decay, w, v_mul(u->factor, gradient));
  if (!u->has_momentum) return v_fma(u->lr, g, w);
  *m = u->first ? g : v_fma(u->momentum, *m, v_mul(u->fresh, g));
  return v_fma(u->lr, u->nesterov ? v_fma(u->momentum, *m, g) : *m, w);
}

INLINE double update_block(int64_t n, real *w, real *m, const real *g, const update *u) {
  vec squares[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)}, old = v_set1(0);
  int64_t i = 0;
  for (int k = 0; i + V_N <= n; i += V_N, k = (k + 1) & 3) {
    const vec gradient = v_load(g + i);
    if (u->has_momentum) old = v_load(m + i);
    v_store(w + i, updated(u, v_load(w + i), &old, gradient));
    if (u->has_momentum) v_store(m + i, old);
    squares[k] = v_fma(gradient, gradient, squares[k]);
  }
  if (i < n) {
    const vec gradient = v_load_part(g + i, n - i);
    if (u->has_momentum) old = v_load_part(m + i, n - i);
    v_store_part(w + i, updated(u, v_load_part(w + i, n - i), &old, gradient), n - i);
    if (u->has_momentum) v_store_part(m + i, old, n - i);
    squares[3] = v_fma(gradient, gradient, squares[3]);
  }
  return add_four(squares);
}

static double sgd(int64_t n, void *pw, void *pm, const void *pg, const swi_sgd_hyper *h) {
  const update u = {.lr = v_set1(-h->lr),
                    .momentum = v_set1(h->momentum),
                    .fresh = v_set1(1 - h->dampening),
                    .decay = v_set1(h->weight_decay),
                    .factor = v_set1(h->grad_scale),
                    .has_momentum = h->momentum != 0,
                    .first = h->first,
                    .nesterov = h->nesterov};
  real *w = pw, *m = pm;
  const real *g = pg;
  double squares = 0;
  for (int64_t i = 0; i < n; i += BLOCK)
    squares += update_block(block_at(i, n), w + i, u.has_momentum ? m + i : NULL, g + i, &u);
  return squares;
}

typedef struct adam_update {
  vec beta1, fresh1, beta2, fresh2; /* beta, 1 - beta */
  vec rate, root, eps;              /* -lr / (1 - beta1^step), 1 / sqrt(1 - beta2^step) */
  vec coupled, decoupled, factor;   /* weight decay; 1 - lr weight decay; the gradient's */
} adam_update;

typedef struct adam_state {
  vec w, m, v;
} adam_state;

INLINE adam_state adam_step(const adam_update *u, adam_state s, vec gradient) {
  const vec g = v_fma(u->coupled, s.w, v_mul(u->factor, gradient));
  s.w = v_mul(s.w, u->decoupled);
  s.m = v_fma(u->beta1, s.m, v_mul(u->fresh1, g));
  s.v = v_fma(u->beta2, s.v, v_mul(u->fresh2, v_mul(g, g)));
  const vec below = v_fma(v_sqrt(s.v), u->root, u->eps);
  s.w = v_fma(u->rate, v_div(s.m, below), s.w);
  return s;
}

/* first: m and v hold nothing and are taken for 0 */
INLINE double adam_block(int64_t n, real *w, real *m, real *v, const real *g, const adam_update *u,
                         int first) {
  const vec zero = v_set1(0);
  vec squares[4] = {zero, zero, zero, zero};
  int64_t i = 0;
  for (int k = 0; i + V_N <= n; i += V_N, k = (k + 1) & 3) {
    const vec gradient = v_load(g + i);
    adam_state s = {v_load(w + i), first ? zero : v_load(m + i), first ? zero : v_load(v + i)};
    s = adam_step(u, s, gradient);
    v_store(w + i, s.w);
    v_store(m + i, s.m);
    v_store(v + i, s.v);
    squares[k] = v_fma(gradient, gradient, squares[k]);
  }
  if (i < n) {
    const int64_t left = n - i;
    const vec gradient = v_load_part(g + i, left);
    adam_state s = {v_load_part(w + i, left), first ? zero : v_load_part(m + i, left),
                    first ? zero : v_load_part(v + i, left)};
    s = adam_step(u, s, gradient);
    v_store_part(w + i, s.w, left);
    v_store_part(m + i, s.m, left);
    v_store_part(v + i, s.v, left);
    squares[3] = v_fma(gradient, gradient, squares[3]);
  }
  return add_four(squares);
}

static double adam(int64_t n, void *pw, void *pm, void *pv, const void *pg,
                   const swi_adam_hyper *h) {
  const double decay = h->weight_decay, step = (double)h->step;
  const adam_update u = {.beta1 = v_set1(h->beta1),
                         .fresh1 = v_set1(1 - h->beta1),
                         .beta2 = v_set1(h->beta2),
                         .fresh2 = v_set1(1 - h->beta2),
                         .rate = v_set1(-h->lr / (1 - pow(h->beta1, step))),
                         .root = v_set1(1 / sqrt(1 - pow(h->beta2, step))),
                         .eps = v_set1(h->eps),
                         .coupled = v_set1(h->decoupled ? 0 : decay),
                         .decoupled = v_set1(h->decoupled ? 1 - h->lr * decay : 1),
                         .factor = v_set1(h->grad_scale)};
  real *w = pw, *m = pm, *v = pv;
  const real *g = pg;
  double squares = 0;
  for (int64_t i = 0; i < n; i += BLOCK)
    squares += adam_block(block_at(i, n), w + i, m + i, v + i, g + i, &u, h->step == 1);
  return squares;
}

#endif
