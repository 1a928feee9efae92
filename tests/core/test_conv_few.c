/* conv of few channels: both float types of every variant against the definition in double, in rows
 * from a few pixels to several tiles; the same bits image by image; exact buffers, so that a
 * sanitizer sees what is read or written beyond them. */
#include <stdlib.h>

#include "kernel_check.h"
#include "kernels/conv_int.h"
#include "variant_check.h"

typedef struct problem {
  swi_convolution t, d; /* under test, of type `bytes`; the definition in double */
  int64_t x, w, y;      /* elements */
} problem;

static void set_random(int64_t n, void *t, double *d) {
  for (int64_t i = 0; i < n; i++) {
    set(t, i, uniform(-1, 1));
    d[i] = get(t, i);
  }
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static void *elements(int64_t n) { return malloc((size_t)(n * bytes)); }

static void *scratch_for(const swi_convolution *c) {
  const swi_kernels *of = swi_kernels_of(contexts[0], (int)bytes);
  return elements(most(1, most(swi_conv2d_scratch(of, c), swi_conv2d_input_scratch(of, c))));
}

static problem problem_of(swi_convolution c) {
  problem p = {.t = c, .d = c};
  p.x = c.images * c.size[0] * c.size[1] * c.channels;
  p.w = c.outputs * c.kernel[0] * c.kernel[1] * c.channels;
  p.y = c.images * c.out_size[0] * c.out_size[1] * c.outputs;
  p.t.x = elements(p.x);
  p.t.w = elements(p.w);
  p.t.y = elements(p.y);
  p.t.bias = elements(c.outputs);
  p.d.x = malloc((size_t)p.x * sizeof(double));
  p.d.w = malloc((size_t)p.w * sizeof(double));
  p.d.y = malloc((size_t)p.y * sizeof(double));
  p.d.bias = malloc((size_t)c.outputs * sizeof(double));
  p.t.scratch = scratch_for(&c);
  set_random(p.x, p.t.x, p.d.x);
  set_random(p.w, p.t.w, p.d.w);
  set_random(p.y, p.t.y, p.d.y);
  set_random(c.outputs, (void *)(uintptr_t)p.t.bias, (double *)(uintptr_t)p.d.bias);
  return p;
}

static void free_problem(problem *p) {
  void *all[] = {p->t.x, p->t.w, p->t.y, p->d.x, p->d.w, p->d.y, p->t.scratch};
  for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
  free((void *)(uintptr_t)p->t.bias);
  free((void *)(uintptr_t)p->d.bias);
}

/* In double the definition rounds, too. */
static void check_near(const char *what, const swi_convolution *c, int64_t n, const void *t,
                       const double *d, double terms) {
  const double tolerance = (bytes == 4 ? 0x1p-24 : 2 * 0x1p-53) * 4 * (terms + 4);
  for (int64_t i = 0; i < n; i++)
    CHECK_AT(check_is_near(get(t, i), d[i], tolerance),
             "%s in float%d of %lld x %lld x %lld x %lld -> %lld, kernel %lld x %lld, stride %lld, "
             "padding "
             "%lld, dilation %lld: element %lld is %g, not %g",
             what, 8 * (int)bytes, (long long)c->images, (long long)c->size[0],
             (long long)c->size[1], (long long)c->channels, (long long)c->outputs,
             (long long)c->kernel[0], (long long)c->kernel[1], (long long)c->stride[1],
             (long long)c->padding[1], (long long)c->dilation[1], (long long)i, get(t, i), d[i]);
}

typedef void (*convolve)(sw_context *ctx, int element_bytes, const swi_convolution *c);

/* Writes out anew, with each context and then image by image; all must have the same bits. */
static void run_pieces(convolve f, const swi_convolution *c, int64_t n, void *out) {
  const int64_t x = c->size[0] * c->size[1] * c->channels;
  const int64_t y = c->out_size[0] * c->out_size[1] * c->outputs;
  const size_t size = (size_t)(n * bytes);
  void *first = malloc(size);
  for (int t = 0; t <= CONTEXTS; t++) {
    for (int64_t i = 0; i < n; i++) set(out, i, (double)NAN); /* the old content must not matter */
    if (t < CONTEXTS) f(contexts[t], (int)bytes, c);
    for (int64_t i = 0; t == CONTEXTS && i < c->images; i++) {
      swi_convolution one = *c;
      one.images = 1;
      one.x = (char *)c->x + i * x * bytes;
      one.y = (char *)c->y + i * y * bytes;
      f(contexts[0], (int)bytes, &one);
    }
    if (t == 0) memcpy(first, out, size);
    CHECK(memcmp(first, out, size) == 0);
  }
  free(first);
}

static void check_in_type(const swi_convolution *c) {
  problem p = problem_of(*c);
  const double taps = (double)(c->kernel[0] * c->kernel[1]);
  swi_kernels_scalar_f64.conv2d_input(&p.d);
  run_pieces(swi_conv2d_input, &p.t, p.x, p.t.x);
  check_near("conv2d_input", c, p.x, p.t.x, p.d.x, taps * (double)c->outputs);
  set_random(p.x, p.t.x, p.d.x);
  for (int epilogue = 0; epilogue < 2; epilogue++) {
    swi_convolution t = p.t, d = p.d;
    if (!epilogue) t.bias = d.bias = NULL;
    t.relu = d.relu = epilogue;
    swi_kernels_scalar_f64.conv2d(&d);
    run_pieces(swi_conv2d, &t, p.y, p.t.y);
    check_near("conv2d", c, p.y, p.t.y, p.d.y, taps * (double)c->channels);
  }
  free_problem(&p);
}

/* The scalar kernels for doubles are the definition. */
static void check_problem(const swi_convolution *c) {
  for (bytes = 4; bytes <= 8; bytes += 4)
    if (swi_kernels_of(contexts[0], (int)bytes) != &swi_kernels_scalar_f64) check_in_type(c);
}

/* kernel, stride, padding, dilation, each of rows and of columns */
static const int64_t windows[][8] = {
    {3, 3, 1, 1, 1, 1, 1, 1}, {5, 5, 1, 1, 2, 2, 1, 1}, {5, 5, 1, 1, 0, 0, 1, 1},
    {1, 1, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1}, {7, 7, 2, 2, 3, 3, 1, 1},
    {2, 3, 1, 1, 0, 2, 1, 2}, {3, 2, 3, 1, 2, 3, 2, 1}, {1, 4, 1, 3, 0, 0, 1, 1},
    {3, 3, 1, 1, 5, 6, 1, 1}, {2, 2, 3, 3, 0, 1, 1, 1}, {4, 1, 2, 1, 1, 0, 3, 1}};

/* 0: the window does not fit. */
static int set_window(swi_convolution *c, const int64_t w[8]) {
  for (int i = 0; i < 2; i++) {
    c->kernel[i] = w[i];
    c->stride[i] = w[2 + i];
    c->padding[i] = w[4 + i];
    c->dilation[i] = w[6 + i];
    const int64_t free = c->size[i] + 2 * w[4 + i] - (w[i] - 1) * w[6 + i] - 1;
    if (free < 0) return 0;
    c->out_size[i] = free / w[2 + i] + 1;
  }
  return 1;
}

static void check_shape(int64_t images, int64_t height, int64_t width, int64_t channels,
                        int64_t outputs, const int64_t window[8]) {
  swi_convolution c = {.images = images,
                       .size = {height, width},
                       .channels = channels,
                       .outputs = outputs,
                       .groups = 1};
  if (set_window(&c, window)) check_problem(&c);
}

static void all_sides(void) {
  static const int64_t sizes[][3] = {{3, 9, 11}, {1, 2, 28},  {13, 5, 17}, {2, 7, 40},
                                     {5, 1, 1},  {26, 6, 12}, {1, 13, 71}};
  unsigned n = 0;
  for (int64_t channels = 1; channels <= 17; channels += channels < 9 ? 1 : 4)
    for (int64_t outputs = 1; outputs <= 17; outputs += outputs < 8 ? 1 : 3)
      for (unsigned i = 0; i < 2; i++, n++) {
        const int64_t *size = sizes[n % 7];
        check_shape(size[0], size[1], size[2], channels, outputs, windows[n % 12]);
      }
}

/* Several bands of rows, parts of a sum, and sizes at which other kernels are chosen. */
static void large(void) {
  check_shape(2, 80, 90, 3, 4, windows[1]);
  check_shape(1, 3, 2100, 1, 6, windows[0]);
  check_shape(1, 40, 1200, 2, 3, windows[0]);
  check_shape(3, 14, 14, 6, 160, windows[2]);
  check_shape(2, 40, 40, 3, 64, windows[5]);
  check_shape(1, 12, 12, 2, 450, windows[0]);
  check_shape(40, 14, 14, 6, 16, windows[2]);
  check_shape(2, 12, 24, 2, 150, windows[0]);
}

/* An infinite cotangent reaches the pixels that see it, and no others. */
static void check_infinite(problem *p, int64_t column) {
  const int64_t at = (4 * 23 + column) * 16 + 2;
  void *x = p->t.x, *y = p->t.y;
  const double finite = get(y, at);
  set(y, at, HUGE_VAL);
  swi_conv2d_input(contexts[0], (int)bytes, &p->t);
  set(y, at, finite);
  for (int64_t i = 0; i < p->x; i++) {
    const int64_t pixel = i / p->t.channels, down = pixel / 23 - 4, right = pixel % 23 - column;
    const int is_near = down >= -1 && down <= 1 && right >= -1 && right <= 1;
    CHECK_AT(isfinite(get(x, i)) == !is_near, "column %lld: element %lld is %g", (long long)column,
             (long long)i, get(x, i));
  }
}

static void infinite(void) {
  for (int64_t channels = 1; channels <= 3; channels++) {
    swi_convolution c = {.images = 2, .size = {9, 23}, .outputs = 16, .groups = 1};
    c.channels = channels;
    CHECK(set_window(&c, windows[0]));
    for (bytes = 4; bytes <= 8; bytes += 4) {
      problem p = problem_of(c);
      for (int64_t column = 0; column < 23; column++) check_infinite(&p, column);
      free_problem(&p);
    }
  }
}

TEST(every_side) { with_each_variant(all_sides); }
TEST(large_ones) { with_each_variant(large); }
TEST(infinite_cotangents) { with_each_variant(infinite); }

RUN_TESTS(T(every_side), T(large_ones), T(infinite_cotangents))
