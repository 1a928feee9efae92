/* weight gradients of convolutions: both float types of every variant against the definition in
 * double, at shapes around vectors, tiles and parts; an image's squares have the same bits in any
 * batch; an infinite cotangent spoils its own output's weights alone; exact buffers, so that a
 * sanitizer sees what is read or written beyond them. */
#include <stdlib.h>

#include "kernels/conv_int.h"
#include "uniform.h"
#include "variant_check.h"

typedef struct problem {
  swi_convolution f, d; /* float, double */
  int64_t x, w, y;      /* elements */
} problem;

static float *floats(int64_t n) { return malloc((size_t)n * sizeof(float)); }
static double *doubles(int64_t n) { return malloc((size_t)n * sizeof(double)); }

static void set_random(int64_t n, float *f, double *d) {
  for (int64_t i = 0; i < n; i++) d[i] = (double)(f[i] = (float)uniform(-1, 1));
}

static int64_t scratch_of(const swi_kernels *k, const swi_convolution *c) {
  const int64_t n = swi_conv2d_weight_scratch(k, c) * c->images;
  return n > 0 ? n : 1;
}

static problem problem_of(swi_convolution c) {
  problem p = {.f = c, .d = c};
  p.x = c.images * c.size[0] * c.size[1] * c.channels;
  p.w = c.outputs * c.kernel[0] * c.kernel[1] * c.channels / c.groups;
  p.y = c.images * c.out_size[0] * c.out_size[1] * c.outputs;
  p.f.x = floats(p.x);
  p.f.w = floats(p.w);
  p.f.y = floats(p.y);
  p.f.squares = floats(c.images);
  p.f.scratch = floats(scratch_of(swi_kernels_of(contexts[0], 4), &c));
  p.d.x = doubles(p.x);
  p.d.w = doubles(p.w);
  p.d.y = doubles(p.y);
  p.d.squares = doubles(c.images);
  set_random(p.x, p.f.x, p.d.x);
  set_random(p.y, p.f.y, p.d.y);
  return p;
}

static void free_problem(problem *p) {
  void *all[] = {p->f.x, p->f.w, p->f.y, p->f.squares, p->f.scratch,
                 p->d.x, p->d.w, p->d.y, p->d.squares};
  for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static void check_near(const char *what, const swi_convolution *c, int64_t n, const void *f,
                       const void *d, double tolerance) {
  for (int64_t i = 0; i < n; i++) {
    const double is = (double)((const float *)f)[i], wanted = ((const double *)d)[i];
    CHECK_AT(check_is_near(is, wanted, tolerance),
             "%s of %lld x %lld x %lld x %lld -> %lld, kernel %lld x %lld, stride %lld, padding "
             "%lld, dilation %lld, groups %lld: element %lld is %g, not %g",
             what, (long long)c->images, (long long)c->size[0], (long long)c->size[1],
             (long long)c->channels, (long long)c->outputs, (long long)c->kernel[0],
             (long long)c->kernel[1], (long long)c->stride[1], (long long)c->padding[1],
             (long long)c->dilation[1], (long long)c->groups, (long long)i, is, wanted);
  }
}

/* Weights and squares with each context have the same bits, the weights without squares, too. */
static void check_contexts(const swi_convolution *c, int64_t n, int bytes) {
  const size_t size = (size_t)(n * bytes), each = (size_t)(c->images * bytes);
  void *w = malloc(size), *squares = malloc(each);
  swi_convolution alone = *c;
  alone.squares = NULL;
  for (int t = 0; t < CONTEXTS; t++) {
    memset(c->w, 255, size); /* NaN: the old content must not matter */
    swi_conv2d_weight(contexts[t], bytes, c);
    if (t == 0) memcpy(w, c->w, size);
    if (t == 0) memcpy(squares, c->squares, each);
    CHECK(memcmp(w, c->w, size) == 0);
    CHECK(memcmp(squares, c->squares, each) == 0);
  }
  swi_conv2d_weight(contexts[0], bytes, &alone);
  CHECK(memcmp(w, c->w, size) == 0);
  free(w);
  free(squares);
}

/* The squares of each image alone are those of the batch. */
static void check_each_image(const swi_convolution *c, int64_t n, int bytes) {
  const int64_t x = c->size[0] * c->size[1] * c->channels;
  const int64_t y = c->out_size[0] * c->out_size[1] * c->outputs;
  void *w = malloc((size_t)(n * bytes));
  for (int64_t i = 0; i < c->images; i++) {
    swi_convolution one = *c;
    double square = (double)NAN; /* of either type */
    one.images = 1;
    one.x = (char *)c->x + i * x * bytes;
    one.y = (char *)c->y + i * y * bytes;
    one.w = w;
    one.squares = &square;
    swi_conv2d_weight(contexts[0], bytes, &one);
    CHECK(memcmp(&square, (char *)c->squares + i * bytes, (size_t)bytes) == 0);
  }
  free(w);
}

/* The same in double. */
static void check_doubles(const problem *p) {
  const double pixels = (double)(p->d.out_size[0] * p->d.out_size[1]);
  const double tolerance = 0x1p-53 * 8 * (pixels * (double)p->d.images + 4);
  swi_convolution d = p->d;
  double *w = doubles(p->w), *squares = doubles(d.images);
  d.w = w;
  d.squares = squares;
  d.scratch = doubles(scratch_of(swi_kernels_of(contexts[0], 8), &d));
  check_contexts(&d, p->w, 8);
  const double *wanted = p->d.w, *square = p->d.squares;
  for (int64_t i = 0; i < p->w; i++) CHECK(check_is_near(w[i], wanted[i], tolerance));
  for (int64_t i = 0; i < d.images; i++)
    CHECK(check_is_near(squares[i], square[i], tolerance * pixels * (double)p->w));
  if (d.images <= 1024) check_each_image(&d, p->w, 8);
  free(d.scratch);
  free(w);
  free(squares);
}

static void check_problem(const swi_convolution *c) {
  problem p = problem_of(*c);
  const double pixels = (double)(c->out_size[0] * c->out_size[1]);
  swi_kernels_scalar_f64.conv2d_weight(&p.d);
  check_contexts(&p.f, p.w, 4);
  const double unit = 0x1p-24 * 4, images = (double)c->images;
  check_near("conv2d_weight", c, p.w, p.f.w, p.d.w, unit * (pixels * images + 4));
  const double square = unit * (pixels + (double)p.w + 4) * pixels * (double)p.w;
  check_near("squares", c, c->images, p.f.squares, p.d.squares, square);
  if (c->images <= 1024) check_each_image(&p.f, p.w, 4);
  if (swi_kernels_of(contexts[0], 8) != &swi_kernels_scalar_f64) check_doubles(&p);
  free_problem(&p);
}

/* kernel, stride, padding, dilation, each of rows and of columns */
static const int64_t windows[][8] = {
    {3, 3, 1, 1, 1, 1, 1, 1}, {5, 5, 1, 1, 2, 2, 1, 1}, {5, 5, 1, 1, 0, 0, 1, 1},
    {1, 1, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1}, {7, 7, 2, 2, 3, 3, 1, 1},
    {2, 3, 1, 1, 0, 2, 1, 2}, {3, 2, 3, 1, 2, 3, 2, 1}, {1, 4, 1, 3, 0, 0, 1, 1},
    {3, 3, 1, 1, 5, 6, 1, 1}, {2, 2, 3, 3, 0, 1, 1, 1}, {4, 1, 2, 1, 1, 0, 3, 1},
    {1, 1, 2, 2, 0, 0, 1, 1}};

enum { WINDOWS = sizeof windows / sizeof windows[0] };

static void check_shape(int64_t images, int64_t height, int64_t width, int64_t channels,
                        int64_t outputs, int64_t groups, const int64_t w[8]) {
  swi_convolution c = {.images = images,
                       .size = {height, width},
                       .channels = channels,
                       .outputs = outputs,
                       .groups = groups};
  for (int i = 0; i < 2; i++) {
    c.kernel[i] = w[i];
    c.stride[i] = w[2 + i];
    c.padding[i] = w[4 + i];
    c.dilation[i] = w[6 + i];
    const int64_t free = c.size[i] + 2 * w[4 + i] - (w[i] - 1) * w[6 + i] - 1;
    if (free < 0) return;
    c.out_size[i] = free / w[2 + i] + 1;
  }
  check_problem(&c);
}

static void all_sides(void) {
  static const int64_t sizes[][3] = {{3, 9, 11}, {1, 2, 28}, {13, 5, 17}, {2, 7, 40},
                                     {5, 1, 1},  {6, 6, 12}, {1, 13, 71}, {9, 4, 4}};
  unsigned n = 0;
  for (int64_t channels = 1; channels <= 33; channels += channels < 9 ? 1 : 4)
    for (int64_t outputs = 1; outputs <= 33; outputs += outputs < 8 ? 1 : 5, n++) {
      const int64_t *size = sizes[n % 8];
      check_shape(size[0], size[1], size[2], channels, outputs, 1, windows[n % WINDOWS]);
    }
}

/* Channels and outputs that are read in place, small images, groups. */
static void windows_of_sides(void) {
  static const int64_t shapes[][6] = {
      /* images, height, width, channels, outputs, groups */
      {2, 9, 10, 16, 16, 1}, {2, 9, 10, 32, 40, 1},  {2, 8, 9, 8, 24, 1},  {11, 4, 4, 48, 20, 1},
      {70, 2, 2, 16, 34, 1}, {300, 1, 1, 18, 17, 1}, {2, 9, 9, 32, 48, 4}, {2, 9, 9, 6, 64, 2},
      {2, 9, 9, 12, 20, 4},  {2, 9, 9, 56, 56, 7},   {3, 9, 29, 1, 6, 1},  {2, 7, 41, 1, 2, 1}};
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    for (unsigned w = 0; w < WINDOWS; w++) {
      const int64_t *s = shapes[i];
      check_shape(s[0], s[1], s[2], s[3], s[4], s[5], windows[w]);
    }
}

/* Several parts, copies that hold a part of an image only, and sizes at which other kernels are
 * chosen. */
static void large(void) {
  check_shape(1, 80, 90, 3, 4, 1, windows[1]);
  check_shape(1, 3, 2100, 1, 6, 1, windows[0]);
  check_shape(1, 40, 1200, 2, 3, 1, windows[0]);
  check_shape(1, 2, 9000, 2, 3, 1, windows[0]);
  check_shape(1, 70, 66, 16, 18, 1, windows[4]);
  check_shape(1, 110, 109, 17, 5, 1, windows[6]);
  check_shape(2, 40, 40, 3, 64, 1, windows[5]);
  check_shape(1, 9, 9, 34, 450, 1, windows[0]);
  check_shape(1, 17, 31, 20, 300, 1, windows[6]);
  check_shape(3, 4, 4, 34, 600, 1, windows[6]);
  check_shape(1100, 7, 7, 3, 9, 1, windows[0]);
  check_shape(1100, 7, 7, 8, 5, 1, windows[4]);
  check_shape(1100, 3, 31, 1, 4, 1, windows[0]);
}

/* An infinite cotangent reaches the weights of its output, and no others. */
static void infinite(void) {
  for (int64_t channels = 3; channels <= 16; channels += 13) {
    swi_convolution c = {.images = 1, .channels = channels, .outputs = 16, .groups = 1};
    for (int i = 0; i < 2; i++) {
      c.size[i] = c.out_size[i] = 8;
      c.kernel[i] = 3;
      c.padding[i] = c.stride[i] = c.dilation[i] = 1;
    }
    problem p = problem_of(c);
    double *scratch = doubles(scratch_of(swi_kernels_of(contexts[0], 8), &c));
    p.d.scratch = scratch;
    ((float *)p.f.y)[27 * 16 + 3] = INFINITY;
    ((double *)p.d.y)[27 * 16 + 3] = HUGE_VAL;
    swi_conv2d_weight(contexts[0], 4, &p.f);
    swi_conv2d_weight(contexts[0], 8, &p.d);
    for (int64_t i = 0; i < p.w; i++) {
      CHECK(isfinite(((float *)p.f.w)[i]) == (i / channels / 9 != 3));
      CHECK(isfinite(((double *)p.d.w)[i]) == (i / channels / 9 != 3));
    }
    free(scratch);
    free_problem(&p);
  }
}

TEST(every_side) { with_each_variant(all_sides); }
TEST(every_window) { with_each_variant(windows_of_sides); }
TEST(large_ones) { with_each_variant(large); }
TEST(infinite_cotangents) { with_each_variant(infinite); }

RUN_TESTS(T(every_side), T(every_window), T(large_ones), T(infinite_cotangents))
