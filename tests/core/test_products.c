/* products: the three product kernels of every table, in both types, against a triple loop in
 * double, at sizes around the tiles' and blocks' edges, any transposes and strides, misaligned; and
 * against each other where the bits must agree. */
#include <stdlib.h>

#include "check.h"

#include "kernels/kernels_int.h"
#include "tables.h"
#include "uniform.h"

enum { GUARD = 16 };

static const swi_kernels *table;
static int64_t bytes; /* of its elements */
static char work[SWI_PRODUCT_WORK] __attribute__((aligned(64)));

static double get(const void *p, int64_t i) {
  return bytes == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void set(void *p, int64_t i, double v) {
  if (bytes == 4)
    ((float *)p)[i] = (float)v;
  else
    ((double *)p)[i] = v;
}

static void *at(const void *p, int64_t i) { return (char *)(uintptr_t)p + i * bytes; }

/* n random elements, at an odd address, with NaN behind, which must be neither used nor changed */
static void *random_elements(int64_t n) {
  void *p = malloc((size_t)((n + GUARD + 1) * bytes));
  for (int64_t i = 0; i < n + GUARD + 1; i++) set(p, i, i <= n ? uniform(-1, 1) : (double)NAN);
  return at(p, 1);
}

static void drop(const void *p) { free(at(p, -1)); }

static double exact(const swi_product *p, double before, int64_t i, int64_t j) {
  double sum = p->accumulate ? before : 0;
  for (int64_t q = 0; q < p->k; q++)
    sum += get(p->a, i * p->row_step + q * p->k_step) *
           get(p->b, p->transpose_b ? j * p->ldb + q : q * p->ldb + j);
  if (p->bias) sum += get(p->bias, j);
  return p->relu && sum < 0 ? 0 : sum;
}

/* Every element, or one of 61; magnitudes below 1 round k times at sqrt(k) or so. In double the
 * loop rounds, too. */
static void check_against_loop(const swi_product *p, const void *before) {
  const int64_t step = p->m * p->n * p->k > 200000 ? 61 : 1;
  const double unit = bytes == 4 ? 0x1p-22 : 0x1p-50;
  for (int64_t e = 0; e < p->m * p->n; e += step) {
    const int64_t i = e / p->n, j = e % p->n, place = i * p->ldc + j;
    const double want = exact(p, get(before, place), i, j), got = get(p->c, place);
    CHECK_AT(check_is_near(got, want, unit * (double)(p->k + 4)),
             "%s, float%d: %lld x %lld x %lld: element %lld, %lld is %g, not %g", table->name,
             8 * (int)bytes, (long long)p->m, (long long)p->n, (long long)p->k, (long long)i,
             (long long)j, got, want);
  }
  for (int64_t i = 0; i < p->m * p->ldc + GUARD; i++)
    if (i % p->ldc >= p->n || i / p->ldc >= p->m)
      CHECK(memcmp(at(p->c, i), at(before, i), (size_t)bytes) == 0);
}

static void run(const swi_product *p, const void *before) {
  memcpy(p->c, before, (size_t)((p->m * p->ldc + GUARD) * bytes));
  table->gemm_packed(p);
}

/* The other kernels take some strides only, and neither bias nor relu. They prefetch rows, as they
 * do in a training. */
static void check_others(const swi_product *p, const void *before) {
  const size_t size = (size_t)((p->m * p->ldc + GUARD) * bytes);
  static const char rows[3][100];
  static const int32_t order[] = {2, 0, 1};
  swi_ahead ahead = {.rows = rows[0], .index = order, .n = 3, .row_bytes = sizeof rows[0]};
  if (p->bias || p->relu) return;
  if (!p->transpose_b) {
    void *packed = malloc(size);
    memcpy(packed, p->c, size);
    memcpy(p->c, before, size);
    table->gemm_n(p->m, p->n, p->k, p->a, p->row_step, p->k_step, p->b, p->ldb, p->c, p->ldc,
                  p->accumulate, &ahead);
    CHECK(memcmp(packed, p->c, (size_t)(p->m * p->ldc * bytes)) == 0);
    free(packed);
  } else if (p->k_step == 1) {
    memcpy(p->c, before, size);
    table->gemm_nt(p->m, p->n, p->k, p->a, p->row_step, p->b, p->ldb, p->c, p->ldc, p->accumulate,
                   &ahead);
    check_against_loop(p, before);
  }
}

/* kind: transposes of A and B, C +=, bias, relu; extra: elements that rows are apart */
static void check_product(int64_t m, int64_t n, int64_t k, int kind, int extra) {
  const int ta = kind & 1, tb = (kind & 2) != 0, add = (kind & 4) != 0;
  swi_product p = {.m = m, .n = n, .k = k, .transpose_b = tb, .ldc = n + extra, .work = work};
  p.row_step = ta ? 1 : k + extra;
  p.k_step = ta ? m + extra : 1;
  p.ldb = (tb ? k : n) + extra;
  p.accumulate = add;
  const void *bias = random_elements(n);
  if (!add && (kind & 8)) p.bias = bias;
  p.relu = !add && (kind & 16);
  p.a = random_elements(ta ? k * p.k_step : m * p.row_step);
  p.b = random_elements((tb ? n : k) * p.ldb);
  void *before = random_elements(m * p.ldc + GUARD);
  p.c = random_elements(m * p.ldc + GUARD);
  run(&p, before);
  check_against_loop(&p, before);
  check_others(&p, before);
  drop(p.a);
  drop(p.b);
  drop(p.c);
  drop(before);
  drop(bias);
}

static void each_table(void (*f)(void)) {
  for (int t = 0; (table = table_at(t)); t++) {
    bytes = table->element_bytes;
    if (table->gemm_packed) f();
  }
}

static void small(void) {
  static const int sizes[] = {1, 2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 37};
  enum { SIZES = sizeof sizes / sizeof sizes[0] };
  int kind = 0;
  for (int i = 0; i < SIZES; i++)
    for (int j = 0; j < SIZES; j++)
      for (int q = 0; q < SIZES; q += 1 + (i + j) % 3, kind++)
        check_product(sizes[i], sizes[j], sizes[q], kind % 32, kind % 3);
}

TEST(small_products) { each_table(small); }

/* Several parts of k, blocks of rows (the last two: each with all terms, and part by part),
 * panels; A copied and read where it lies. */
static void blocked(void) {
  static const int shape[][3] = {{7, 300, 900},  {200, 40, 417}, {300, 270, 433}, {5, 17, 2000},
                                 {700, 260, 97}, {70, 257, 833}, {700, 20, 450},  {700, 20, 800}};
  for (unsigned i = 0; i < sizeof shape / sizeof shape[0]; i++)
    for (int kind = 0; kind < 32; kind += i < 2 ? 1 : 5)
      check_product(shape[i][0], shape[i][1], shape[i][2], kind, kind % 3);
}

TEST(blocked_products) { each_table(blocked); }

/* A's rows may overlap: a convolution's do. Here neighbouring windows of one sequence. */
static void windows(void) {
  const void *sequence = random_elements(400);
  swi_product p = {
      .m = 90, .n = 20, .k = 31, .a = sequence, .row_step = 4, .k_step = 1, .work = work};
  const void *before = random_elements(90 * 20 + GUARD);
  p.b = random_elements(31 * 20);
  p.c = random_elements(90 * 20 + GUARD);
  p.ldb = p.ldc = 20;
  run(&p, before);
  check_against_loop(&p, before);
  drop(sequence);
  drop(before);
  drop(p.b);
  drop(p.c);
}

TEST(rows_of_a_may_overlap) { each_table(windows); }

/* Cut anywhere, an element has the same bits. */
static void pieces(void) {
  enum { M = 67, N = 300, K = 500 };
  for (int kind = 0; kind < 4; kind++) {
    const int ta = kind & 1, tb = kind >> 1;
    swi_product p = {.m = M, .n = N, .k = K, .row_step = ta ? 1 : K, .k_step = ta ? M : 1};
    p.transpose_b = tb;
    p.work = work;
    p.ldb = tb ? K : N;
    p.ldc = N;
    void *whole = random_elements(M * N), *c = random_elements(M * N), *b = random_elements(K * N);
    p.a = random_elements(M * K);
    p.b = b;
    p.bias = b;
    p.c = whole;
    table->gemm_packed(&p);
    for (int64_t j = 0; j < N; j += 75) {
      swi_product part = p;
      part.n = 75;
      part.b = at(b, tb ? j * p.ldb : j);
      part.bias = at(b, j);
      part.c = at(c, j);
      table->gemm_packed(&part);
    }
    CHECK(memcmp(whole, c, (size_t)(M * N * bytes)) == 0);
    drop(p.a);
    drop(b);
    drop(c);
    drop(whole);
  }
}

TEST(cutting_moves_no_bit) { each_table(pieces); }

/* NaN and infinity stay in their row and column; the old content of C does not matter. */
static void not_finite(void) {
  enum { SIDE = 40 };
  static double a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE]; /* of either type */
  for (int i = 0; i < SIDE * SIDE; i++) {
    set(a, i, 1);
    set(b, i, 1);
    set(c, i, (double)NAN);
  }
  set(a, 7 * SIDE + 3, (double)NAN);
  set(a, 9 * SIDE + 3, HUGE_VAL);
  set(b, 5 * SIDE + 11, -HUGE_VAL);
  const swi_product p = {.m = SIDE,
                         .n = SIDE,
                         .k = SIDE,
                         .a = a,
                         .row_step = SIDE,
                         .k_step = 1,
                         .b = b,
                         .ldb = SIDE,
                         .c = c,
                         .ldc = SIDE,
                         .relu = 1,
                         .work = work};
  table->gemm_packed(&p);
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      const double got = get(c, i * SIDE + j);
      if (i == 7 || (i == 9 && j == 11))
        CHECK(isnan(got));
      else
        CHECK(got == (i == 9 ? HUGE_VAL : j == 11 ? 0 : (double)SIDE));
    }
}

TEST(not_a_number_and_infinity) { each_table(not_finite); }

RUN_TESTS(T(small_products), T(blocked_products), T(rows_of_a_may_overlap), T(cutting_moves_no_bit),
          T(not_a_number_and_infinity))
