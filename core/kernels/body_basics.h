/* body_basics.h: what bodies of every kind share. */
#ifndef SW_BODY_BASICS_H
#define SW_BODY_BASICS_H

#include "kernels/kernels_int.h"

#define INLINE static inline __attribute__((always_inline))

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* The first n > 0 elements at p, V_N if n is larger; the others are read as 0 and not written. */
INLINE vec load_first(const real *p, int64_t n) { return n < V_N ? v_load_part(p, n) : v_load(p); }
INLINE void store_first(real *p, vec a, int64_t n) {
  if (n < V_N)
    v_store_part(p, a, n);
  else
    v_store(p, a);
}

#endif
