/* body_update.h: the SGD update, 20 bytes of traffic a float weight, 12 without momentum. */
#ifndef SW_BODY_UPDATE_H
#define SW_BODY_UPDATE_H

typedef struct update {
  vec lr, momentum, fresh, decay; /* -lr, momentum, 1 - dampening, weight decay */
  int has_momentum, first, nesterov;
} update;

/* One vector of weights; *m is read and written if there is momentum. */
INLINE vec updated(const update *u, vec w, vec *m, vec gradient) {
  const vec g = v_fma(u->decay, w, gradient);
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

#endif
