/* blas_check.c: checks the products of a loaded OpenBLAS. */
/* Small products of whole numbers, which are exact in either type and in any order. */
#include <stddef.h>
#include <string.h>

#include "kernels/blas_int.h"

enum {
  SIDE = 40, /* the largest size */
  GAP = 3,   /* elements between rows of C, which must not change */
  ROOM = SIDE * (SIDE + GAP)
};

/* Sizes and layout of one product; elements are read by their number. */
typedef struct sample {
  int ta, tb, m, n, k;
} sample;

/* An element of any matrix: -6 to 6, so that sums of 41 terms are whole and far below 2^24. */
static int number_at(int i, int salt) { return (i * 7 + salt) % 13 - 6; }

static int at_a(const sample *s, int i, int p) { return s->ta ? p * s->m + i : i * s->k + p; }
static int at_b(const sample *s, int p, int j) { return s->tb ? j * s->k + p : p * s->n + j; }

/* The right value of element e of C: the product is added to the old value. */
static int expected(const sample *s, int e) {
  const int i = e / (s->n + GAP), j = e % (s->n + GAP);
  int sum = number_at(e, 2);
  for (int p = 0; j < s->n && p < s->k; p++)
    sum += number_at(at_a(s, i, p), 0) * number_at(at_b(s, p, j), 1);
  return sum;
}

#define CHECK_OF(name, type, function)                                                            \
  static int name(const swi_blas *blas, const sample *s) {                                        \
    type a[ROOM], b[ROOM], c[ROOM];                                                               \
    for (int i = 0; i < ROOM; i++) {                                                              \
      a[i] = (type)number_at(i, 0);                                                               \
      b[i] = (type)number_at(i, 1);                                                               \
      c[i] = (type)number_at(i, 2);                                                               \
    }                                                                                             \
    blas->function(SWI_ROW_MAJOR, s->ta ? SWI_TRANS : SWI_NO_TRANS,                               \
                   s->tb ? SWI_TRANS : SWI_NO_TRANS, s->m, s->n, s->k, 1, a, s->ta ? s->m : s->k, \
                   b, s->tb ? s->k : s->n, 1, c, s->n + GAP);                                     \
    for (int e = 0; e < s->m * (s->n + GAP); e++)                                                 \
      if (c[e] != (type)expected(s, e)) return 0;                                                 \
    return 1;                                                                                     \
  }

CHECK_OF(is_right_f32, float, sgemm)
CHECK_OF(is_right_f64, double, dgemm)

int swi_blas_is_right(const swi_blas *b) {
  static const int sizes[][3] = {{37, 29, 40}, {16, 32, 8}, {3, 5, 2}, {1, 19, 23}, {19, 1, 23}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int t = 0; t < 4; t++) {
      const sample s = {t & 1, t >> 1, sizes[i][0], sizes[i][1], sizes[i][2]};
      if (!is_right_f32(b, &s) || !is_right_f64(b, &s)) return 0;
    }
  return 1;
}

int swi_blas_is_sound(const char *core) {
  return strcmp(core, "Prescott") != 0 && strcmp(core, "Core2") != 0;
}
