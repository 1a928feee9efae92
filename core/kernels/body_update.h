/* body_update.h: update_NAME for each line of optimizers.def. Bytes of traffic per float
 * weight: SGD 20, without momentum 12; Adam 28.
 *
 * The squares of a block are summed before it is written: a block whose gradient is not finite is
 * not changed, nor are those after it. SGD is bound by memory, so it sums the squares of a block
 * while it updates the one before: a separate loop takes a fifth of its time. Adam is bound by
 * arithmetic and sums them in a separate loop.
 */
#ifndef SW_BODY_UPDATE_H
#define SW_BODY_UPDATE_H

/* A block's sum of squares outside of this range has lost digits to overflow or underflow; the
 * block is then summed again, scaled by 2^up or 2^down. */
typedef struct square_range {
  double least, most;
  int up, down;
} square_range;

INLINE square_range squares_range(void) {
  return sizeof(real) == 4 ? (square_range){0x1p-90, 0x1p+127, 64, -80}
                           : (square_range){0x1p-956, 0x1p+1023, 530, -540};
}

INLINE vec add_square(vec x, const vec *factor, vec sum) {
  if (factor) x = v_mul(x, *factor);
  return v_fma(x, x, sum);
}

/* Vector i of the block is added to the partial sum i mod 4, the rest of it to the last one. */
INLINE double block_squares(int64_t n, const real *x, const vec *factor) {
  vec s[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
  int64_t i = 0;
  for (; i + 4 * V_N <= n; i += 4 * V_N)
    for (int k = 0; k < 4; k++) s[k] = add_square(v_load(x + i + k * V_N), factor, s[k]);
  for (int k = 0; i + V_N <= n; i += V_N, k++) s[k] = add_square(v_load(x + i), factor, s[k]);
  if (i < n) s[3] = add_square(v_load_part(x + i, n - i), factor, s[3]);
  return add_four(s);
}

/* The sum of squares of x, given the sum without a factor; computed again with one if it is out of
 * range. NaN: an element is not finite; infinite (double only): every element is finite, the sum is
 * not. */
INLINE double sound(double plain, int64_t n, const real *x) {
  const square_range bounds = squares_range();
  if (plain >= bounds.least && plain <= bounds.most) return plain;
  const int exponent = plain < bounds.least ? bounds.up : bounds.down;
  const vec factor = v_set1(ldexp(1, exponent));
  const double scaled = block_squares(n, x, &factor);
  return scaled <= bounds.most ? ldexp(scaled, -2 * exponent) : __builtin_nan("");
}

static double sound_squares(int64_t n, const real *x) {
  return sound(block_squares(n, x, NULL), n, x);
}

/* The next block, if both are whole; else g is NULL. */
typedef struct ahead {
  const real *g;
  double squares;
} ahead;

INLINE ahead look_ahead(int64_t left, const real *g) {
  return (ahead){left >= 2 * BLOCK ? g + BLOCK : NULL, 0};
}

/* Sum of squares of the block behind the one at g. */
INLINE double squares_behind(const ahead *next, int64_t left, const real *g) {
  if (next->g) return sound(next->squares, BLOCK, next->g);
  return left > BLOCK ? sound_squares(left - BLOCK, g + BLOCK) : 0;
}

static double squares(int64_t n, const void *px) {
  const real *x = px;
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) total += sound_squares(block_at(i, n), x + i);
  return total;
}

/* -------------------------------------------------------------- none */

static double update_none(int64_t n, void *w, void *const *moment, const void *g,
                          const swi_update *h) {
  (void)w, (void)moment, (void)h;
  return squares(n, g);
}

/* -------------------------------------------------------------- SGD */

typedef struct sgd_update {
  vec lr, momentum, fresh, decay; /* -lr, momentum, 1 - dampening, weight decay */
  vec factor;                     /* the gradient's */
  int has_momentum, first, nesterov;
} sgd_update;

/* One vector of weights; *m is read and written if there is momentum. */
INLINE vec sgd_step(const sgd_update *u, vec w, vec *m, vec gradient) {
  const vec g = v_fma(u->decay, w, v_mul(u->factor, gradient));
  if (!u->has_momentum) return v_fma(u->lr, g, w);
  *m = u->first ? g : v_fma(u->momentum, *m, v_mul(u->fresh, g));
  return v_fma(u->lr, u->nesterov ? v_fma(u->momentum, *m, g) : *m, w);
}

/* One vector of the block; odd becomes NaN where a new weight is not finite (inf - inf). */
INLINE vec sgd_at(real *w, real *m, const real *g, const sgd_update *u, vec odd) {
  vec old = m && u->has_momentum ? v_load(m) : odd;
  const vec fresh = sgd_step(u, v_load(w), &old, v_load(g));
  v_store(w, fresh);
  if (m && u->has_momentum) v_store(m, old);
  return v_add(odd, v_sub(fresh, fresh));
}

/* Returns 0, or NaN where a new weight is not finite. */
INLINE double sgd_block(int64_t n, real *w, real *m, const real *g, const sgd_update *u,
                        ahead *next) {
  const vec zero = v_set1(0);
  const real *behind = next->g;
  vec odd[4] = {zero, zero, zero, zero}, s[4] = {zero, zero, zero, zero}, old = zero;
  int64_t i = 0;
  for (; i + 4 * V_N <= n; i += 4 * V_N)
    for (int k = 0; k < 4; k++) {
      const int64_t at = i + k * V_N;
      odd[k] = sgd_at(w + at, m ? m + at : NULL, g + at, u, odd[k]);
      if (behind) s[k] = add_square(v_load(behind + at), NULL, s[k]);
    }
  if (behind) next->squares = add_four(s);
  for (; i + V_N <= n; i += V_N) odd[0] = sgd_at(w + i, m ? m + i : NULL, g + i, u, odd[0]);
  if (i < n) {
    const vec gradient = v_load_part(g + i, n - i);
    if (u->has_momentum) old = v_load_part(m + i, n - i);
    const vec fresh = sgd_step(u, v_load_part(w + i, n - i), &old, gradient);
    v_store_part(w + i, fresh, n - i);
    if (u->has_momentum) v_store_part(m + i, old, n - i);
    odd[3] = v_fma(v_select(v_head(n - i), fresh, zero), zero, odd[3]);
  }
  return add_four(odd);
}

/* The flags are constants here; otherwise the compiler tests them for each vector. */
INLINE double sgd_all(int64_t n, real *w, real *m, const real *g, sgd_update u, int has_momentum,
                      int first, int nesterov) {
  double total = 0, squares = sound_squares(block_at(0, n), g);
  u.has_momentum = has_momentum;
  u.first = first;
  u.nesterov = nesterov;
  for (int64_t i = 0; i < n; i += BLOCK) {
    ahead next = look_ahead(n - i, g + i);
    total += squares;
    if (total != total) return total;
    if (sgd_block(block_at(i, n), w + i, has_momentum ? m + i : NULL, g + i, &u, &next) != 0)
      return -__builtin_inf();
    squares = squares_behind(&next, n - i, g + i);
  }
  return total;
}

/* PyTorch's order: g *= grad_scale; g += weight_decay w;
 * m = momentum m + (1 - dampening) g (m = g at first);
 * d = nesterov ? g + momentum m : m; w -= lr d. Without momentum m is neither read nor written. */
static double update_sgd(int64_t n, void *w, void *const *moment, const void *g,
                         const swi_update *h) {
  void *m = moment[0];
  const int nesterov = h->nesterov && h->momentum > 0;
  const sgd_update u = {.lr = v_set1(-h->lr),
                        .momentum = v_set1(h->momentum),
                        .fresh = v_set1(1 - h->dampening),
                        .decay = v_set1(h->weight_decay),
                        .factor = v_set1(h->grad_scale)};
  if (h->momentum == 0) return sgd_all(n, w, NULL, g, u, 0, 0, 0);
  if (h->first) return sgd_all(n, w, m, g, u, 1, 1, nesterov);
  return nesterov ? sgd_all(n, w, m, g, u, 1, 0, 1) : sgd_all(n, w, m, g, u, 1, 0, 0);
}

/* -------------------------------------------------------------- Adam */

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

/* One vector of the block; odd becomes NaN where a new weight or second moment is not finite. */
INLINE vec adam_at(real *w, real *m, real *v, const real *g, const adam_update *u, int first,
                   vec odd) {
  const vec zero = v_set1(0);
  adam_state s = {v_load(w), first ? zero : v_load(m), first ? zero : v_load(v)};
  s = adam_step(u, s, v_load(g));
  v_store(w, s.w);
  v_store(m, s.m);
  v_store(v, s.v);
  return v_fma(v_add(s.w, s.v), zero, odd); /* v >= 0: infinite where either is */
}

/* first: m and v hold nothing and count as 0. Returns what update_block does, for weights and
 * second moments: with an infinite one a weight would never change again. */
INLINE double adam_block(int64_t n, real *w, real *m, real *v, const real *g, const adam_update *u,
                         int first) {
  const vec zero = v_set1(0);
  vec odd = zero;
  int64_t i = 0;
  for (; i + V_N <= n; i += V_N) odd = adam_at(w + i, m + i, v + i, g + i, u, first, odd);
  if (i < n) {
    const int64_t left = n - i;
    const vec gradient = v_load_part(g + i, left);
    adam_state s = {v_load_part(w + i, left), first ? zero : v_load_part(m + i, left),
                    first ? zero : v_load_part(v + i, left)};
    s = adam_step(u, s, gradient);
    v_store_part(w + i, s.w, left);
    v_store_part(m + i, s.m, left);
    v_store_part(v + i, s.v, left);
    const mask head = v_head(left);
    odd = v_fma(v_select(head, v_add(s.w, s.v), zero), zero, odd);
  }
  return (double)v_reduce_add(odd);
}

/* PyTorch's order: g *= grad_scale; g += weight_decay w, or decoupled: w -= lr weight_decay w;
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * w -= lr / (1 - beta1^step) m / (sqrt(v / (1 - beta2^step)) + eps).
 * Where beta1 (the momentum) is scheduled, beta1^step is that of the present value. An infinite v
 * is reported as a weight is. */
static double adam_all(int64_t n, void *pw, void *const *moment, const void *pg,
                       const swi_update *h, int decoupled) {
  const double beta1 = h->momentum, decay = h->weight_decay, step = (double)h->step;
  const adam_update u = {.beta1 = v_set1(beta1),
                         .fresh1 = v_set1(1 - beta1),
                         .beta2 = v_set1(h->beta2),
                         .fresh2 = v_set1(1 - h->beta2),
                         .rate = v_set1(-h->lr / (1 - pow(beta1, step))),
                         .root = v_set1(1 / sqrt(1 - pow(h->beta2, step))),
                         .eps = v_set1(h->eps),
                         .coupled = v_set1(decoupled ? 0 : decay),
                         .decoupled = v_set1(decoupled ? 1 - h->lr * decay : 1),
                         .factor = v_set1(h->grad_scale)};
  real *w = pw, *m = moment[0], *v = moment[1];
  const real *g = pg;
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t size = block_at(i, n);
    total += sound_squares(size, g + i);
    if (total != total) return total;
    if (adam_block(size, w + i, m + i, v + i, g + i, &u, h->first) != 0)
      return -__builtin_inf();
  }
  return total;
}

static double update_adam(int64_t n, void *w, void *const *moment, const void *g,
                          const swi_update *h) {
  return adam_all(n, w, moment, g, h, 0);
}

static double update_adamw(int64_t n, void *w, void *const *moment, const void *g,
                           const swi_update *h) {
  return adam_all(n, w, moment, g, h, 1);
}

#endif
