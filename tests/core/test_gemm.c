/* gemm: against a triple loop in double, for every transpose, both element sizes, both variants. */
#include <stdlib.h>

#include "base/context_int.h"
#include "kernels/blas_int.h"
#include "kernels/gemm_int.h"
#include "uniform.h"
#include "variant_check.h"

static double get(const void *p, int64_t i, int bytes) {
  return bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* n random elements and a guard of NaN behind, which must be neither used nor changed */
static void *random_matrix(int64_t n, int bytes) {
  void *p = malloc((size_t)(n + 16) * (size_t)bytes);
  for (int64_t i = 0; i < n + 16; i++) {
    const double v = i < n ? uniform(-1, 1) : (double)NAN;
    if (bytes == 4)
      ((float *)p)[i] = (float)v;
    else
      ((double *)p)[i] = v;
  }
  return p;
}

/* Magnitudes below 1: a sum of k products rounds at most k times at sqrt(k) or so; bias adds
 * one. */
static double tolerance(const swi_gemm_args *g, int bytes) {
  return (bytes == 4 ? 0x1p-24 : 0x1p-53) * 4 * (double)(g->k + 4);
}

static double exact_element(const swi_gemm_args *g, int bytes, double before, int64_t i,
                            int64_t j) {
  double sum = g->accumulate ? before : 0;
  for (int64_t p = 0; p < g->k; p++)
    sum += get(g->a, g->transpose_a ? p * g->lda + i : i * g->lda + p, bytes) *
           get(g->b, g->transpose_b ? j * g->ldb + p : p * g->ldb + j, bytes);
  if (g->accumulate) return sum;
  if (g->bias) sum += get(g->bias, j, bytes);
  return g->activation == SWI_ACT_RELU && sum < 0 ? 0 : sum;
}

/* Large products are checked in some places only. */
static void check_product(const swi_gemm_args *g, int bytes, const void *before) {
  const int64_t total = g->m * g->n * g->k, step = total > 2000000 ? 97 : 1;
  for (int64_t e = 0; e < g->m * g->n; e += step) {
    const int64_t i = e / g->n, j = e % g->n, at = i * g->ldc + j;
    const double exact = exact_element(g, bytes, get(before, at, bytes), i, j);
    const double got = get(g->c, at, bytes);
    CHECK_AT(check_is_near(got, exact, tolerance(g, bytes)),
             "%lld x %lld x %lld %d%d: element %lld, %lld is %g, not %g", (long long)g->m,
             (long long)g->n, (long long)g->k, g->transpose_a, g->transpose_b, (long long)i,
             (long long)j, got, exact);
  }
}

/* Memory between and behind the rows of C is unchanged. */
static void check_gaps(const swi_gemm_args *g, int bytes, const void *before, int64_t size) {
  for (int64_t i = 0; i < size + 16; i++)
    if (i % g->ldc >= g->n || i / g->ldc >= g->m)
      CHECK(memcmp((const char *)g->c + i * bytes, (const char *)before + i * bytes,
                   (size_t)bytes) == 0);
}

static void run_with_threads(const swi_gemm_args *g, int bytes, const void *before, int64_t size) {
  const size_t room = (size_t)(size + 16) * (size_t)bytes;
  void *first = malloc(room);
  for (int t = 0; t < CONTEXTS; t++) {
    memcpy(g->c, before, room);
    swi_gemm(contexts[t], bytes, g);
    if (t == 0) memcpy(first, g->c, room);
    CHECK(memcmp(first, g->c, room) == 0);
  }
  free(first);
}

/* extra: elements that each row is longer than necessary */
static void check_shape(int bytes, int ta, int tb, int64_t m, int64_t n, int64_t k, int extra,
                        int accumulate, int bias, swi_activation activation) {
  swi_gemm_args g = {.transpose_a = ta, .transpose_b = tb, .m = m, .n = n, .k = k};
  g.lda = (ta ? m : k) + extra;
  g.ldb = (tb ? k : n) + extra;
  g.ldc = n + extra;
  const int64_t size = m * g.ldc;
  void *a = random_matrix((ta ? k : m) * g.lda, bytes),
       *b = random_matrix((tb ? n : k) * g.ldb, bytes);
  void *before = random_matrix(size, bytes), *c = random_matrix(size, bytes);
  void *bias_row = random_matrix(n, bytes);
  g.a = a;
  g.b = b;
  g.c = c;
  g.accumulate = accumulate;
  g.bias = bias ? bias_row : NULL;
  g.activation = activation;
  run_with_threads(&g, bytes, before, size);
  check_product(&g, bytes, before);
  if (n > 0) check_gaps(&g, bytes, before, size);
  free(a);
  free(b);
  free(c);
  free(before);
  free(bias_row);
}

static void check_all_kinds(int64_t m, int64_t n, int64_t k) {
  for (int bits = 0; bits < 8; bits++) {
    const int bytes = bits & 4 ? 8 : 4, extra = (int)((m + n + k) % 3);
    check_shape(bytes, bits & 1, (bits & 2) != 0, m, n, k, 0, 0, 0, SWI_ACT_NONE);
    check_shape(bytes, bits & 1, (bits & 2) != 0, m, n, k, extra, 1, 0, SWI_ACT_NONE);
    check_shape(bytes, bits & 1, (bits & 2) != 0, m, n, k, extra, 0, 1, SWI_ACT_RELU);
  }
}

static void small_shapes(void) {
  static const int sizes[] = {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 13, 16, 17, 31, 33};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  for (int i = 0; i < SIZES; i++)
    for (int j = 0; j < SIZES; j++)
      for (int p = 0; p < SIZES; p += 1 + (i + j) % 2)
        check_all_kinds(sizes[i], sizes[j], sizes[p]);
}

/* Each route of gemm.c: dot products, outer products over several blocks, packed B, vectors,
 * OpenBLAS; in one piece and in many. */
static void large_shapes(void) {
  static const int shape[][3] = {{32, 10, 784},   {10, 784, 32},   {10, 784, 300},  {4097, 10, 67},
                                 {1, 300, 700},   {300, 1, 700},   {2, 100, 1000},  {1000, 3, 20},
                                 {700, 40, 27},   {100, 784, 64},  {300, 310, 320}, {130, 520, 129},
                                 {520, 130, 200}, {257, 65, 515},  {33, 1030, 129}, {10, 784, 1024},
                                 {150, 530, 900}, {640, 190, 450}, {530, 560, 70},  {1500, 60, 70}};
  for (unsigned i = 0; i < sizeof shape / sizeof shape[0]; i++)
    check_all_kinds(shape[i][0], shape[i][1], shape[i][2]);
}

TEST(small_products) { with_each_variant(small_shapes); }
TEST(large_products) { with_each_variant(large_shapes); }

static void not_a_number(void) {
  float a[12], b[12], c[9];
  for (int i = 0; i < 12; i++) a[i] = b[i] = 1;
  a[5] = NAN;
  swi_gemm_args g = {.m = 3,
                     .n = 3,
                     .k = 4,
                     .a = a,
                     .b = b,
                     .c = c,
                     .lda = 4,
                     .ldb = 3,
                     .ldc = 3,
                     .activation = SWI_ACT_RELU};
  for (int i = 0; i < 9; i++) c[i] = NAN; /* the old content of C must not matter */
  swi_gemm(contexts[0], 4, &g);
  for (int i = 0; i < 9; i++) CHECK(i / 3 == 1 ? isnan(c[i]) : c[i] == 4);
}

TEST(nan_stays_in_its_row_and_old_results_do_not_matter) { with_each_variant(not_a_number); }

/* ------------------------------------------------------------------ long sums */

static void fill_with(float *p, int64_t n, float value) {
  for (int64_t i = 0; i < n; i++) p[i] = value;
}

/* k terms of 0.1: worst for a sum that runs on, since each rounding goes the same way. Kernels of
 * ours sum at most 512 terms in one piece, at most 32 pieces in float, and the rest in double;
 * OpenBLAS may take a block of 8192 as it likes. */
static void check_equal_terms(int ta, int tb, int64_t m, int64_t n, int64_t k) {
  float *a = malloc((size_t)(m * k) * sizeof *a), *b = malloc((size_t)(k * n) * sizeof *b);
  float *c = malloc((size_t)(m * n) * sizeof *c);
  fill_with(a, m * k, 1);
  fill_with(b, k * n, 0.1F);
  const swi_gemm_args g = {.transpose_a = ta,
                           .transpose_b = tb,
                           .m = m,
                           .n = n,
                           .k = k,
                           .a = a,
                           .b = b,
                           .c = c,
                           .lda = ta ? m : k,
                           .ldb = tb ? k : n,
                           .ldc = n};
  const int may_be_blas = ta || !swi_backend_of(contexts[0])->f32->gemm_packed;
  const double exact = (double)k * (double)0.1F;
  swi_gemm(contexts[0], 4, &g);
  for (int64_t i = 0; i < m * n; i++)
    CHECK_NEAR((double)c[i] / exact, 1, (may_be_blas ? 8192 : 512 + 32) * 0x1p-24);
  free(a);
  free(b);
  free(c);
}

/* Each route, as in large_shapes. */
static void equal_terms(void) {
  check_equal_terms(0, 0, 2, 3, 1000000);
  check_equal_terms(0, 1, 2, 3, 1000000);
  check_equal_terms(0, 0, 1, 1, 1000000);
  check_equal_terms(1, 0, 2, 3, 100003);
  check_equal_terms(0, 0, 129, 129, 20011);
  check_equal_terms(0, 1, 129, 129, 20011);
  check_equal_terms(1, 0, 512, 64, 9001);
}

TEST(error_does_not_grow_with_the_sum) { with_each_variant(equal_terms); }

/* More than one block of k, more elements than are held at a time, in pieces and whole. */
static void long_shapes(void) {
  for (int t = 0; t < 4; t++) {
    check_shape(4, t & 1, t >> 1, 3, 5, 20001, 1, 1, 0, SWI_ACT_NONE);
    check_shape(4, t & 1, t >> 1, 3, 5, 20001, 0, 0, 1, SWI_ACT_RELU);
    check_shape(4, t & 1, t >> 1, 140, 131, 8200, 1, 1, 0, SWI_ACT_NONE);
    check_shape(4, t & 1, t >> 1, 140, 131, 8200, 1, 0, 1, SWI_ACT_RELU);
  }
}

TEST(long_products) { with_each_variant(long_shapes); }

/* Cutting C changes no bit: one column of a long product, computed alone, by the same route. */
static void parts_of_a_long_product(void) {
  enum { M = 150, N = 140, K = 8195 };
  float *a = random_matrix(M * K, 4), *b = random_matrix(K * N, 4);
  float *whole = random_matrix(M * N, 4), *some = random_matrix(M * N, 4);
  swi_gemm_args g = {
      .m = M, .n = N, .k = K, .a = a, .b = b, .c = whole, .lda = K, .ldb = N, .ldc = N};
  if (swi_backend_of(contexts[0])->f32->gemm_packed) {
    swi_gemm(contexts[0], 4, &g);
    g.n = 130;
    g.m = 129;
    g.c = some;
    swi_gemm(contexts[0], 4, &g);
    for (int i = 0; i < 129; i++)
      CHECK(memcmp(whole + i * N, some + i * N, 130 * sizeof *some) == 0);
  }
  free(a);
  free(b);
  free(whole);
  free(some);
}

TEST(parts_of_long_products_have_the_bits_of_the_whole) {
  with_each_variant(parts_of_a_long_product);
}

/* ------------------------------------------------------------------ without OpenBLAS */

static void without_blas(void) {
  static const swi_blas none;
  for (int i = 0; i < CONTEXTS; i++) swi_backend_of(contexts[i])->blas = &none;
  check_all_kinds(3, 5, 7);
  check_all_kinds(0, 4, 2);
  check_all_kinds(4, 3, 0);
  check_all_kinds(32, 10, 784);
  check_all_kinds(70, 130, 300);
  check_all_kinds(520, 66, 257);
  check_equal_terms(0, 0, 2, 3, 1000000);
  check_equal_terms(1, 1, 2, 3, 100003);
}

TEST(products_without_openblas) { with_each_variant(without_blas); }

RUN_TESTS(T(small_products), T(large_products),
          T(nan_stays_in_its_row_and_old_results_do_not_matter),
          T(error_does_not_grow_with_the_sum), T(long_products),
          T(parts_of_long_products_have_the_bits_of_the_whole), T(products_without_openblas))
