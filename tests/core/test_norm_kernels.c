/* norm kernels: the kernels of normalisation and of pools, every table against plain double
 * arithmetic: sizes around the ends of vectors and chunks, rows with gaps, results in place, and
 * NaN around the memory that may be read. */
#include <stdlib.h>

#include "kernel_check.h"

enum { MAX = 1 << 16, GUARD = 16 };

/* Room for n elements at an odd address, NaN before and behind; the first of them. */
static void *operand(int which, int64_t n) {
  static double memory[8][MAX / 2 + 2 * GUARD];
  char *p = (char *)memory[which];
  CHECK(n <= MAX / 2);
  for (int64_t i = 0; i < n + 2 * GUARD - 2; i++) set(p, i, (double)NAN);
  return p + (GUARD - 1) * bytes;
}

/* Whether what stands around n elements is still NaN. */
static void check_guards(const void *p, int64_t n) {
  const char *first = (const char *)p - (GUARD - 1) * bytes;
  for (int64_t i = 0; i < GUARD - 1; i++) CHECK(isnan(get(first, i)));
  for (int64_t i = 0; i < GUARD - 1; i++) CHECK(isnan(get(p, n + i)));
}

/* rows x cols random numbers, NaN between the rows */
static void *random_rows(int which, int64_t rows, int64_t cols, int64_t ld, double mean) {
  void *p = operand(which, rows * ld);
  for (int64_t i = 0; i < rows * ld; i++)
    if (i % ld < cols) set(p, i, uniform(mean - 1, mean + 1));
  return p;
}

static void everywhere(void (*f)(int64_t rows, int64_t cols, int64_t ld)) {
  const int64_t rows[] = {1, 2, 7, 8, 9, 127, 128, 129, 300}, cols[] = {1, 3, 8, 13, 16, 37};
  for (int t = 0; use_table(t); t++) {
    for (int i = 0; i < 9; i++)
      for (int j = 0; j < 6; j++) f(rows[i], cols[j], cols[j] + j % 3);
    f(20, SWI_NORM_COLS, SWI_NORM_COLS + 1);
  }
}

/* A mean 100 deviations away; 16 roundings of a chunk's variance, by its first rows, and as many of
 * its sums */
static void moments_body(int64_t rows, int64_t cols, int64_t ld) {
  double mean[SWI_NORM_COLS], m2[SWI_NORM_COLS], sum[SWI_NORM_COLS];
  const void *x = random_rows(0, rows, cols, ld, 58);
  k->norm_moments(rows, cols, ld, x, mean, m2);
  for (int64_t j = 0; j < cols; j++) sum[j] = 0.5;
  k->add_cols(rows, cols, ld, x, sum);
  for (int64_t j = 0; j < cols; j++) {
    double q = 0, from_58 = 0; /* so that exact sums stay exact */
    for (int64_t i = 0; i < rows; i++) from_58 += get(x, i * ld + j) - 58;
    const double s = 58 * (double)rows + from_58;
    for (int64_t i = 0; i < rows; i++) q += pow(get(x, i * ld + j) - s / (double)rows, 2);
    CHECK_NEAR(mean[j], s / (double)rows, 8 * half_ulp * 58);
    CHECK_NEAR(m2[j], q, 32 * half_ulp * (double)rows);
    CHECK_NEAR(sum[j], s + 0.5, 32 * half_ulp * s);
  }
}

TEST(moments_and_sums_of_columns) { everywhere(moments_body); }

static swi_norm operands(int64_t rows, int64_t cols, int64_t ld, int gated) {
  swi_norm m = {.rows = rows, .cols = cols, .ld = ld};
  m.x = random_rows(0, rows, cols, ld, 0);
  m.c = random_rows(1, rows, cols, ld, 0);
  m.u = random_rows(2, rows, cols, ld, 0);
  m.mean = random_rows(3, 1, cols, cols, 0);
  if (gated) m.gate_factor = random_rows(4, 1, cols, cols, 1);
  if (gated) m.gate_shift = random_rows(5, 1, cols, cols, 0);
  return m;
}

/* c, or 0 where the gate is closed; NaN where roundings decide */
static double open_c(const swi_norm *m, int64_t i, int64_t j) {
  if (!m->gate_factor) return get(m->c, i * m->ld + j);
  double y =
      (get(m->x, i * m->ld + j) - get(m->mean, j)) * get(m->gate_factor, j) + get(m->gate_shift, j);
  if (fabs(y) < 8 * half_ulp) return (double)NAN;
  return y > 0 ? get(m->c, i * m->ld + j) : 0;
}

static void check_sums(const swi_norm *m) {
  double total[SWI_NORM_SUMS][SWI_NORM_COLS];
  k->norm_sums(m, total);
  for (int64_t j = 0; j < m->cols; j++) {
    double exact[SWI_NORM_SUMS] = {0};
    for (int64_t i = 0; i < m->rows; i++) {
      const int64_t at = i * m->ld + j;
      const double d = get(m->x, at) - get(m->mean, j), c = open_c(m, i, j);
      const double u = m->u ? get(m->u, at) : 0;
      const double terms[SWI_NORM_SUMS] = {c, c * d, u, u * d, u * c};
      for (int s = 0; s < SWI_NORM_SUMS; s++) exact[s] += terms[s];
    }
    for (int s = 0; s < SWI_NORM_SUMS && !isnan(exact[0]); s++)
      CHECK_NEAR(total[s][j], exact[s], 8 * half_ulp * (double)(m->rows + 4));
  }
}

static void sums_body(int64_t rows, int64_t cols, int64_t ld) {
  swi_norm m = operands(rows, cols, ld, 0);
  check_sums(&m);
  m.u = NULL;
  check_sums(&m);
  m = operands(rows, cols, ld, 1);
  m.u = NULL;
  check_sums(&m);
}

TEST(sums_with_cotangents) { everywhere(sums_body); }

/* Four products and sums of numbers below 10. out: where the result goes; may be an operand. */
static void check_combined(const swi_norm *m, int with_u, int with_c, int relu, void *out) {
  const swi_norm_factors f = {.of_u = with_u ? random_rows(6, 1, m->cols, m->cols, 0) : NULL,
                              .of_c = with_c ? random_rows(7, 1, m->cols, m->cols, 0) : NULL,
                              .of_x = m->gate_factor ? m->gate_factor : m->mean,
                              .shift = m->gate_shift ? m->gate_shift : m->mean};
  static double exact[MAX];
  for (int64_t i = 0; i < m->rows; i++)
    for (int64_t j = 0; j < m->cols; j++) {
      const int64_t at = i * m->ld + j;
      double y = (get(m->x, at) - get(m->mean, j)) * get(f.of_x, j) + get(f.shift, j);
      if (with_c) y += open_c(m, i, j) * get(f.of_c, j);
      if (with_u) y += get(m->u, at) * get(f.of_u, j);
      exact[at] = relu && y < 0 ? 0 : y;
    }
  k->norm_combine(m, &f, relu, out);
  check_guards(out, (m->rows - 1) * m->ld + m->cols);
  for (int64_t i = 0; i < m->rows * m->ld; i++) {
    if (i % m->ld >= m->cols)
      CHECK(i >= (m->rows - 1) * m->ld || isnan(get(out, i)));
    else if (!isnan(exact[i]))
      CHECK_NEAR(get(out, i), exact[i], 40 * half_ulp);
  }
}

static void combine_body(int64_t rows, int64_t cols, int64_t ld) {
  for (int how = 0; how < 12; how++) {
    const int with_u = how & 1, with_c = how >> 1 & 1, third = how >> 2;
    if (third == 1 && (with_u || with_c)) continue;  /* a relu */
    if (third == 2 && (with_u || !with_c)) continue; /* a gate */
    swi_norm m = operands(rows, cols, ld, third == 2);
    if (rows * cols % 2)
      check_combined(&m, with_u, with_c, third == 1, (void *)(uintptr_t)m.x);
    else if (third != 2)
      check_combined(&m, with_u, with_c, third == 1, operand(4, rows * ld));
  }
}

TEST(combinations) { everywhere(combine_body); }

/* ------------------------------------------------------------------ pools */

static const swi_pool windows[] = {
    {.size = {4, 6}, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}},
    {.size = {5, 3}, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}},
    {.size = {3, 13}, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}},
    {.size = {7, 5}, .kernel = {3, 2}, .stride = {3, 2}, .dilation = {1, 1}},
    {.size = {5, 5}, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}},
    {.size = {3, 4}, .kernel = {2, 2}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}},
    {.size = {6, 7}, .kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 2}, .dilation = {3, 2}},
    {.size = {4, 5}, .kernel = {1, 1}, .stride = {3, 2}, .dilation = {1, 1}},
    {.size = {25, 26}, .kernel = {25, 25}, .stride = {1, 1}, .dilation = {1, 1}}};

static int64_t out_of(const swi_pool *p, int i) {
  return (p->size[i] + 2 * p->padding[i] - (p->kernel[i] - 1) * p->dilation[i] - 1) / p->stride[i] +
         1;
}

/* Element of the image under a tap of output pixel o, or -1. */
static int64_t under(const swi_pool *p, int64_t o, int64_t tap, int64_t channel) {
  const int64_t tap_at[2] = {tap / p->kernel[1], tap % p->kernel[1]};
  const int64_t pixel[2] = {o / p->out_size[1], o % p->out_size[1]};
  int64_t at[2];
  for (int i = 0; i < 2; i++) {
    at[i] = pixel[i] * p->stride[i] - p->padding[i] + tap_at[i] * p->dilation[i];
    if (at[i] < 0 || at[i] >= p->size[i]) return -1;
  }
  return (at[0] * p->size[1] + at[1]) * p->channels + channel;
}

static void check_max(const swi_pool *p, int64_t pixels, int64_t taps, const void *x) {
  const int64_t n = pixels * p->channels;
  void *y = operand(1, n), *index = operand(2, n), *again = operand(3, n);
  k->max_pool(p, x, y, index);
  k->max_pool(p, x, again, NULL);
  check_guards(y, n);
  check_guards(index, n);
  for (int64_t i = 0; i < n; i++) {
    int64_t best = -1;
    for (int64_t t = 0; t < taps; t++) {
      const int64_t at = under(p, i / p->channels, t, i % p->channels);
      const int64_t now = best < 0 ? -1 : under(p, i / p->channels, best, i % p->channels);
      if (at < 0) continue;
      if (now < 0 || get(x, at) > get(x, now) || (isnan(get(x, at)) && !isnan(get(x, now))))
        best = t;
    }
    CHECK_NEAR(get(index, i), (double)best, 0);
    CHECK_NEAR(get(y, i), get(x, under(p, i / p->channels, best, i % p->channels)), 0);
    CHECK_NEAR(get(again, i), get(y, i), 0);
  }
  k->max_repool(p, x, index, again);
  for (int64_t i = 0; i < n; i++) CHECK_NEAR(get(again, i), get(y, i), 0);
}

/* Sums over windows, at a relative error of a rounding a term. */
static void check_back(const swi_pool *p, int64_t pixels, int64_t taps, const void *index) {
  const int64_t n = pixels * p->channels, image = p->size[0] * p->size[1] * p->channels;
  const void *c = random_rows(4, n, 1, 1, 0);
  void *chosen = operand(5, image), *spread = operand(6, image);
  static double exact[2][MAX];
  memset(exact, 0, sizeof exact);
  for (int64_t i = 0; i < n * taps; i++) {
    const int64_t to = i / taps, tap = i % taps;
    const int64_t at = under(p, to / p->channels, tap, to % p->channels);
    if (at < 0) continue;
    exact[0][at] += get(index, to) == (double)tap ? get(c, to) : 0;
    exact[1][at] += get(c, to) / (double)taps;
  }
  k->max_unpool(p, c, index, chosen);
  k->avg_unpool(p, c, spread);
  check_guards(chosen, image);
  check_guards(spread, image);
  for (int64_t i = 0; i < image; i++) CHECK_NEAR(get(chosen, i), exact[0][i], 16 * half_ulp);
  for (int64_t i = 0; i < image; i++) CHECK_NEAR(get(spread, i), exact[1][i], 16 * half_ulp);
}

static void check_average(const swi_pool *p, int64_t pixels, int64_t taps, const void *x) {
  const int64_t n = pixels * p->channels;
  void *y = operand(7, n);
  k->avg_pool(p, x, y);
  check_guards(y, n);
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;
    for (int64_t t = 0; t < taps; t++) {
      const int64_t at = under(p, i / p->channels, t, i % p->channels);
      if (at >= 0) sum += get(x, at);
    }
    CHECK_NEAR(get(y, i), sum / (double)taps, 16 * half_ulp);
  }
}

/* special: equal numbers, NaN and infinities among them */
static void check_pool(swi_pool p, int64_t channels, int special) {
  p.channels = channels;
  for (int i = 0; i < 2; i++) p.out_size[i] = out_of(&p, i);
  const int64_t pixels = p.out_size[0] * p.out_size[1], taps = p.kernel[0] * p.kernel[1];
  const int64_t image = p.size[0] * p.size[1] * channels;
  void *x = random_rows(0, image, 1, 1, 0);
  const double odd[] = {0, 0, -HUGE_VAL, -HUGE_VAL, (double)NAN};
  for (int64_t i = 0; special && i < image; i++)
    if (uniform(0, 2) < 1) set(x, i, odd[(int)uniform(0, 4.999)]);
  check_max(&p, pixels, taps, x);
  if (special) return;
  void *index = operand(2, pixels * channels);
  k->max_pool(&p, x, operand(1, pixels * channels), index);
  check_back(&p, pixels, taps, index);
  check_average(&p, pixels, taps, x);
}

static void pools_body(int64_t rows, int64_t cols, int64_t ld) {
  if (rows > 2) return; /* of the sizes, only the channels count */
  (void)ld;
  for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
    check_pool(windows[i], cols, rows > 1);
}

TEST(pools) { everywhere(pools_body); }

/* The sum of a window overflows, its mean does not. */
static void check_large_average(int64_t channels) {
  swi_pool p = windows[0];
  p.channels = channels;
  for (int i = 0; i < 2; i++) p.out_size[i] = out_of(&p, i);
  const int64_t image = p.size[0] * p.size[1] * channels, n = image / 4;
  const double large = bytes == 4 ? 0x1.8p127 : 0x1.8p1023;
  void *x = random_rows(0, image, 1, 1, 0), *y = operand(7, n);
  for (int64_t i = 0; i < image; i++)
    if (i % channels % 3 == 0) set(x, i, large);
  k->avg_pool(&p, x, y);
  check_guards(y, n);
  for (int64_t i = 0; i < n; i++) {
    CHECK(isfinite(get(y, i)));
    CHECK((get(y, i) == large) == (i % channels % 3 == 0));
  }
}

TEST(averages_do_not_overflow) {
  for (int t = 0; use_table(t); t++)
    for (int64_t channels = 1; channels <= 33; channels++) check_large_average(channels);
}

/* Each table beside the scalar one of its type, with any channels that do not fill a vector, in
 * memory of exactly their size, so that a sanitizer sees what is read beyond it. */
static void *elements(int64_t n) {
  void *p = malloc((size_t)(n * bytes));
  for (int64_t i = 0; i < n; i++) set(p, i, uniform(-1, 1));
  return p;
}

static void pool_all(const swi_kernels *with, const swi_pool *p, const void *x, void *const y[6]) {
  with->max_pool(p, x, y[0], y[1]);
  with->max_repool(p, x, y[1], y[2]);
  with->avg_pool(p, x, y[3]);
  with->max_unpool(p, y[0], y[1], y[4]);
  with->avg_unpool(p, y[0], y[5]);
}

static void check_exact(swi_pool p) {
  for (int i = 0; i < 2; i++) p.out_size[i] = out_of(&p, i);
  const int64_t image = p.size[0] * p.size[1] * p.channels;
  const int64_t n = p.out_size[0] * p.out_size[1] * p.channels;
  const int64_t sizes[6] = {n, n, n, n, image, image};
  void *x = elements(image), *one[6], *other[6];
  for (int i = 0; i < 6; i++) one[i] = elements(sizes[i]);
  for (int i = 0; i < 6; i++) other[i] = elements(sizes[i]);
  pool_all(k, &p, x, one);
  pool_all(bytes == 4 ? &swi_kernels_scalar_f32 : &swi_kernels_scalar_f64, &p, x, other);
  for (int i = 0; i < 6; i++) {
    CHECK(memcmp(one[i], other[i], (size_t)(sizes[i] * bytes)) == 0);
    free(one[i]);
    free(other[i]);
  }
  free(x);
}

TEST(pools_of_few_channels) {
  for (int t = 0; use_table(t); t++)
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
      for (int64_t channels = 1; channels <= 33; channels++) {
        swi_pool p = windows[i];
        p.channels = channels;
        check_exact(p);
      }
}

RUN_TESTS(T(moments_and_sums_of_columns), T(sums_with_cotangents), T(combinations), T(pools),
          T(averages_do_not_overflow), T(pools_of_few_channels))
