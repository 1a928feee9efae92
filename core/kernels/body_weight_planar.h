/* body_weight_planar.h: a tile of the weight gradient of one channel and few outputs, as LeNet's
 * first convolution has: vectors are pixels of a row. The sums of some taps and all outputs stay in
 * registers for a whole image; then the elements of each are added up. A row's last vector may
 * reach behind its last place: terms x 0 are in the sums, which are NaN where x is not finite.
 */
#ifndef SW_BODY_WEIGHT_PLANAR_H
#define SW_BODY_WEIGHT_PLANAR_H

enum { PLANAR_TAPS = 4 }; /* at most */

typedef struct planar_tile {
  int64_t rows, vectors; /* of places; of one row */
  const real *x;
  int64_t x_row;     /* from row to row */
  const int64_t *at; /* the taps' first pixels in x */
  const real *dy;    /* planes of rows of `vectors` vectors, zeros behind the last place */
  int64_t plane;     /* from output to output */
  real *share;       /* element (tap, output) is at tap PANEL + output */
} planar_tile;

INLINE void planar_row(const int outs, const int taps, const planar_tile *t, const real *x,
                       const real *dy, vec s[PIXEL_OUTPUTS][PLANAR_TAPS]) {
  const real *from[PLANAR_TAPS];
  UNROLL
  for (int j = 0; j < taps; j++) from[j] = x + t->at[j];
  for (int64_t p = 0; p < t->vectors * V_N; p += V_N) {
    vec pixels[PLANAR_TAPS];
    UNROLL
    for (int j = 0; j < taps; j++) pixels[j] = v_load(from[j] + p);
    UNROLL
    for (int o = 0; o < outs; o++) {
      const vec c = v_load(dy + o * t->plane + p);
      UNROLL
      for (int j = 0; j < taps; j++) s[o][j] = v_fma(pixels[j], c, s[o][j]);
    }
  }
}

INLINE void planar_sums(const int outs, const int taps, const planar_tile *t) {
  vec s[PIXEL_OUTPUTS][PLANAR_TAPS];
  UNROLL
  for (int o = 0; o < outs; o++) UNROLL
  for (int j = 0; j < PLANAR_TAPS; j++) s[o][j] = v_set1(0);
  const real *x = t->x, *dy = t->dy;
  for (int64_t r = 0; r < t->rows; r++, x += t->x_row, dy += t->vectors * V_N)
    planar_row(outs, taps, t, x, dy, s);
  UNROLL
  for (int o = 0; o < outs; o++) {
    real sums[PLANAR_TAPS];
    v_store_sums(sums, s[o]);
    for (int j = 0; j < taps; j++) t->share[j * PANEL + o] = sums[j];
  }
}

#define PLANAR_CASE(o)                                 \
  case o:                                              \
    if ((o) <= PIXEL_OUTPUTS) planar_sums(o, taps, t); \
    break

INLINE void planar_outputs(int64_t outs, const int taps, const planar_tile *t) {
  switch (outs) {
    PLANAR_CASE(1);
    PLANAR_CASE(2);
    PLANAR_CASE(3);
    PLANAR_CASE(4);
    PLANAR_CASE(5);
    PLANAR_CASE(6);
    PLANAR_CASE(7);
    PLANAR_CASE(8);
  }
}

static void planar_taps(int64_t taps, int64_t outs, const planar_tile *t) {
  switch (taps) {
  case 1: planar_outputs(outs, 1, t); break;
  case 2: planar_outputs(outs, 2, t); break;
  case 3: planar_outputs(outs, 3, t); break;
  case 4: planar_outputs(outs, 4, t); break;
  }
}

#endif
