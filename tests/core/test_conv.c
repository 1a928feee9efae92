/* conv: both float types of every variant against the definition in double, for many windows; the
 * same bits for any number of threads, and nothing written behind the end. */
#include <stdlib.h>

#include "kernel_check.h"
#include "kernels/conv_int.h"
#include "variant_check.h"

enum { GUARD = 32, MOST_VARIANTS = 8 };

/* The definition takes most of the time. So it is computed once, for all variants. */
static sw_context *variants[MOST_VARIANTS][CONTEXTS];
static int n_variants;

static void open_variant(void) {
  CHECK(n_variants < MOST_VARIANTS);
  for (int i = 0; i < CONTEXTS; i++) variants[n_variants][i] = sw_context_retain(contexts[i]);
  n_variants++;
}

static void with_all_variants(void (*f)(void)) {
  n_variants = 0;
  with_each_variant(open_variant);
  f();
  for (int v = 0; v < n_variants; v++)
    for (int i = 0; i < CONTEXTS; i++) sw_context_release(variants[v][i]);
}

/* Takes variant v, or one behind it: in double the scalar kernels are the definition. Returns the
 * next one; 0 behind the last. */
static int use_variant(int v) {
  for (; v < n_variants; v++) {
    memcpy(contexts, variants[v], sizeof contexts);
    if (swi_kernels_of(contexts[0], (int)bytes) != &swi_kernels_scalar_f64) return v + 1;
  }
  return 0;
}

/* Images, weights and results of the type under test, and in double for the definition; NaN behind
 * the first, which must be neither used nor changed. */
typedef struct numbers {
  int64_t n;
  void *t;
  double *d;
} numbers;

static void draw(const numbers *r) {
  for (int64_t i = 0; i < r->n; i++) {
    set(r->t, i, uniform(-1, 1));
    r->d[i] = get(r->t, i);
  }
}

static numbers random_numbers(int64_t n) {
  const numbers r = {n, malloc((size_t)((n + GUARD) * bytes)), malloc((size_t)n * sizeof *r.d)};
  draw(&r);
  for (int64_t i = n; i < n + GUARD; i++) set(r.t, i, (double)NAN);
  return r;
}

static void free_numbers(numbers r) {
  free(r.t);
  free(r.d);
}

/* terms: how many products of magnitude up to 1 are summed. In double the definition rounds, too.
 */
static double tolerance_of(double terms) {
  return (bytes == 4 ? 0x1p-24 : 2 * 0x1p-53) * 4 * (terms + 4);
}

static void check_near(const char *what, const swi_convolution *c, const numbers *r, double terms) {
  const double tolerance = tolerance_of(terms);
  for (int64_t i = 0; i < r->n; i++)
    CHECK_AT(check_is_near(get(r->t, i), r->d[i], tolerance),
             "%s in float%d of %lld x %lld x %lld x %lld -> %lld, kernel %lld x %lld, stride "
             "%lld, groups %lld: element %lld is %g, not %g",
             what, 8 * (int)bytes, (long long)c->images, (long long)c->size[0],
             (long long)c->size[1], (long long)c->channels, (long long)c->outputs,
             (long long)c->kernel[0], (long long)c->kernel[1], (long long)c->stride[0],
             (long long)c->groups, (long long)i, get(r->t, i), r->d[i]);
  for (int64_t i = r->n; i < r->n + GUARD; i++) CHECK(isnan(get(r->t, i)));
}

typedef void (*convolve)(sw_context *ctx, int element_bytes, const swi_convolution *c);

/* Runs f with 1, 2 and 4 threads, the slow scalar kernels with 1 and 4; out and squares must come
 * out with the same bits. */
static void run_with_threads(convolve f, const swi_convolution *c, numbers *out, numbers *squares) {
  const size_t size = (size_t)((out->n + GUARD) * bytes);
  const size_t more = squares ? (size_t)(squares->n * bytes) : 0;
  void *first = malloc(size), *norms = malloc(more + 1);
  const char *name = swi_kernels_of(contexts[0], (int)bytes)->name;
  const int step = strcmp(name, "scalar") == 0 ? 2 : 1;
  for (int t = 0; t < CONTEXTS; t += step) {
    for (int64_t i = 0; i < out->n; i++) set(out->t, i, (double)NAN); /* which must not matter */
    f(contexts[t], (int)bytes, c);
    if (t == 0) memcpy(first, out->t, size);
    if (t == 0 && squares) memcpy(norms, squares->t, more);
    CHECK(memcmp(first, out->t, size) == 0);
    CHECK(!squares || memcmp(norms, squares->t, more) == 0);
  }
  free(first);
  free(norms);
}

typedef struct problem {
  swi_convolution t, d; /* under test; the definition in double */
  numbers x, w, y, bias, squares;
} problem;

static void *scratch_for(const swi_convolution *c) {
  const swi_kernels *of_type = swi_kernels_of(contexts[0], (int)bytes);
  const int64_t of[] = {swi_conv2d_scratch(of_type, c), swi_conv2d_input_scratch(of_type, c),
                        swi_conv2d_weight_scratch(of_type, c) * c->images};
  int64_t most = 1;
  for (int i = 0; i < 3; i++)
    if (of[i] > most) most = of[i];
  return malloc((size_t)(most * bytes));
}

static void point(problem *p) {
  p->t.x = p->x.t;
  p->t.w = p->w.t;
  p->t.y = p->y.t;
  p->d.x = p->x.d;
  p->d.w = p->w.d;
  p->d.y = p->y.d;
}

/* out->d is what each variant must find. */
static void check_variants(const char *what, convolve f, problem *p, numbers *out, double terms) {
  for (int v = 0; (v = use_variant(v)) != 0;) {
    p->t.scratch = scratch_for(&p->t);
    run_with_threads(f, &p->t, out, NULL);
    check_near(what, &p->t, out, terms);
    free(p->t.scratch);
  }
}

static void check_forward(problem *p, double terms) {
  for (int epilogue = 0; epilogue < 2; epilogue++) {
    p->t.bias = epilogue ? p->bias.t : NULL;
    p->d.bias = epilogue ? p->bias.d : NULL;
    p->t.relu = p->d.relu = epilogue;
    swi_kernels_scalar_f64.conv2d(&p->d);
    check_variants("conv2d", swi_conv2d, p, &p->y, terms);
  }
}

static void check_weight_of_variant(problem *p, double terms, double share) {
  const size_t size = (size_t)(p->w.n * bytes);
  void *alone = malloc(size);
  p->t.scratch = scratch_for(&p->t);
  p->t.squares = NULL;
  run_with_threads(swi_conv2d_weight, &p->t, &p->w, NULL);
  memcpy(alone, p->w.t, size);
  p->t.squares = p->squares.t;
  run_with_threads(swi_conv2d_weight, &p->t, &p->w, &p->squares);
  check_near("conv2d_weight", &p->t, &p->w, terms * (double)p->t.images);
  CHECK(memcmp(alone, p->w.t, size) == 0); /* squares change no bit */
  for (int64_t i = 0; i < p->squares.n; i++) set(p->squares.t, i, get(p->squares.t, i) * share);
  check_near("squares", &p->t, &p->squares, terms + (double)p->w.n); /* w.n squares are added */
  free(p->t.scratch);
  free(alone);
}

static void check_weight(problem *p, double terms) {
  const double share = 1 / (terms * (double)p->w.n);
  p->d.squares = p->squares.d;
  swi_kernels_scalar_f64.conv2d_weight(&p->d);
  for (int64_t i = 0; i < p->squares.n; i++) p->squares.d[i] *= share;
  for (int v = 0; (v = use_variant(v)) != 0;) check_weight_of_variant(p, terms, share);
}

static void check_in_type(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  const int64_t pixels = c->out_size[0] * c->out_size[1];
  problem p = {.t = *c,
               .d = *c,
               .x = random_numbers(c->images * c->size[0] * c->size[1] * c->channels),
               .w = random_numbers(c->outputs * taps * depth),
               .y = random_numbers(c->images * pixels * c->outputs),
               .bias = random_numbers(c->outputs),
               .squares = random_numbers(c->images)};
  point(&p);
  check_forward(&p, (double)(taps * depth));
  draw(&p.y);
  swi_kernels_scalar_f64.conv2d_input(&p.d);
  check_variants("conv2d_input", swi_conv2d_input, &p, &p.x,
                 (double)(taps * c->outputs / c->groups));
  draw(&p.x);
  check_weight(&p, (double)pixels);
  free_numbers(p.x);
  free_numbers(p.w);
  free_numbers(p.y);
  free_numbers(p.bias);
  free_numbers(p.squares);
}

static void check_problem(const swi_convolution *c) {
  for (bytes = 4; bytes <= 8; bytes += 4) check_in_type(c);
}

/* kernel, stride, padding, dilation, each of rows and of columns */
static const int64_t windows[][8] = {
    {3, 3, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1}, {1, 1, 1, 1, 0, 0, 1, 1},
    {1, 1, 2, 2, 0, 0, 1, 1}, {5, 5, 1, 1, 2, 2, 1, 1}, {2, 3, 3, 1, 0, 2, 1, 1},
    {3, 2, 1, 2, 2, 1, 2, 3}, {4, 4, 3, 3, 1, 1, 2, 2}, {1, 5, 1, 1, 0, 4, 1, 1},
    {3, 3, 1, 1, 4, 4, 1, 1}, {2, 2, 2, 2, 0, 0, 1, 1}, {3, 3, 2, 3, 3, 0, 3, 1},
    {7, 6, 1, 3, 6, 2, 1, 1}, {2, 3, 4, 4, 0, 1, 1, 1}};

/* channels, outputs, groups: below, at and above vectors and panels, and narrow ones */
static const int64_t sides[][3] = {
    {1, 6, 1},    {3, 17, 1},   {16, 16, 1}, {5, 3, 1},   {8, 40, 1},  {33, 31, 1},
    {64, 10, 1},  {12, 8, 4},   {6, 6, 6},   {7, 21, 7},  {34, 66, 2}, {9, 1, 1},
    {40, 40, 40}, {20, 40, 20}, {24, 24, 6}, {10, 15, 5}, {16, 16, 2}, {34, 17, 17},
    {51, 34, 17}, {45, 42, 3},  {64, 64, 4}, {9, 72, 9}};

/* SW_OK if the window fits. */
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

static void all_windows(void) {
  static const int64_t sizes[][3] = {{2, 7, 9}, {5, 4, 3}, {1, 1, 2}, {3, 10, 6}};
  for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++)
    for (unsigned j = 0; j < sizeof sides / sizeof sides[0]; j++) {
      const int64_t *size = sizes[(i + j) % 4], *side = sides[j];
      swi_convolution c = {.images = size[0],
                           .size = {size[1], size[2]},
                           .channels = side[0],
                           .outputs = side[1],
                           .groups = side[2]};
      if (set_window(&c, windows[i])) check_problem(&c);
    }
}

/* Several blocks of places, parts of a sum, parts of an image's pixels, blocks of outputs, and
 * images too large for a block. */
static void large(void) {
  static const int64_t shapes[][6] = {
      /* images, height, width, channels, outputs, groups */
      {3, 30, 33, 16, 20, 1},  {2, 8, 8, 130, 40, 1},   {20, 4, 4, 40, 200, 1},
      {9, 5, 5, 450, 24, 1},   {1, 40, 41, 3, 70, 1},   {120, 2, 2, 24, 36, 1},
      {1, 110, 109, 2, 18, 1}, {1, 130, 100, 17, 7, 1}, {40, 7, 7, 32, 32, 32},
      {2, 24, 24, 48, 96, 3},  {1100, 7, 7, 3, 9, 1},   {1100, 2, 2, 3, 520, 1},
      {1030, 7, 7, 6, 6, 3},   {1, 3, 600, 9, 9, 9},    {1, 40, 20, 40, 40, 10}};
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    for (int w = 0; w < 2; w++) {
      const int64_t *s = shapes[i];
      swi_convolution c = {
          .images = s[0], .size = {s[1], s[2]}, .channels = s[3], .outputs = s[4], .groups = s[5]};
      if (set_window(&c, windows[w])) check_problem(&c);
    }
}

/* More images than are summed in one piece: large and small ones, in groups, and with more outputs
 * than are held at a time. */
static void many_images(void) {
  static const int64_t shapes[][5] = {/* side, channels, outputs, groups, window */
                                      {7, 1, 3, 1, 0},
                                      {7, 4, 4, 2, 2},
                                      {2, 1, 1030, 1, 2}};
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const int64_t *s = shapes[i];
    swi_convolution c = {
        .images = 1030, .size = {s[0], s[0]}, .channels = s[1], .outputs = s[2], .groups = s[3]};
    if (set_window(&c, windows[s[4]])) check_problem(&c);
  }
}

/* All numbers of channels and outputs up to one more than a vector of sixteen. */
static void all_widths(void) {
  for (int64_t channels = 1; channels <= 17; channels++) {
    swi_convolution c = {
        .images = 2, .size = {5, 6}, .channels = channels, .outputs = 18 - channels, .groups = 1};
    if (set_window(&c, windows[0])) check_problem(&c);
  }
}

/* Runs f for all images and for each one alone: out must come out with the same bits. */
static void check_alone(convolve f, const swi_convolution *c, numbers *out) {
  const size_t size = (size_t)(out->n * bytes);
  const int64_t x = c->size[0] * c->size[1] * c->channels;
  const int64_t y = c->out_size[0] * c->out_size[1] * c->outputs;
  void *all = malloc(size);
  f(contexts[0], (int)bytes, c);
  memcpy(all, out->t, size);
  for (int64_t i = 0; i < out->n; i++) set(out->t, i, (double)NAN);
  for (int64_t i = 0; i < c->images; i++) {
    swi_convolution one = *c;
    one.images = 1;
    one.x = (char *)c->x + i * x * bytes;
    one.y = (char *)c->y + i * y * bytes;
    f(contexts[0], (int)bytes, &one);
  }
  CHECK(memcmp(all, out->t, size) == 0);
  free(all);
}

/* Tiles lie along the images, rows or columns, by how many there are; groups of one channel or
 * more. */
static void alone_in_type(void) {
  static const int64_t shapes[][6] = {
      /* images, height, width, channels, outputs, groups */
      {25, 8, 8, 16, 24, 1},  {30, 4, 4, 20, 40, 1}, {13, 2, 2, 300, 20, 1}, {17, 1, 30, 7, 9, 1},
      {19, 31, 1, 9, 5, 1},   {3, 33, 33, 5, 7, 1},  {9, 8, 9, 48, 72, 3},   {12, 5, 6, 34, 17, 17},
      {11, 7, 7, 37, 37, 37}, {7, 6, 9, 24, 24, 6},  {5, 9, 9, 10, 40, 10},  {6, 4, 5, 16, 16, 2}};
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    for (int w = 0; w < 3; w++) {
      const int64_t *s = shapes[i];
      swi_convolution c = {
          .images = s[0], .size = {s[1], s[2]}, .channels = s[3], .outputs = s[4], .groups = s[5]};
      if (!set_window(&c, windows[w])) continue;
      numbers x = random_numbers(c.images * s[1] * s[2] * s[3]);
      numbers filters = random_numbers(c.outputs * c.kernel[0] * c.kernel[1] * s[3] / s[5]);
      numbers y = random_numbers(c.images * c.out_size[0] * c.out_size[1] * s[4]);
      c.x = x.t;
      c.w = filters.t;
      c.y = y.t;
      c.scratch = scratch_for(&c);
      check_alone(swi_conv2d, &c, &y);
      check_alone(swi_conv2d_input, &c, &x);
      free(c.scratch);
      free_numbers(x);
      free_numbers(filters);
      free_numbers(y);
    }
}

static void alone(void) {
  for (bytes = 4; bytes <= 8; bytes += 4) alone_in_type();
}

TEST(every_width) { with_all_variants(all_widths); }
TEST(each_image_alone) { with_each_variant(alone); }
TEST(every_window) { with_all_variants(all_windows); }
TEST(large_ones) { with_all_variants(large); }
TEST(many_at_once) { with_all_variants(many_images); }

static void of_nothing(void) {
  float w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, none[1] = {7};
  swi_convolution c = {.channels = 1, .outputs = 1, .groups = 1, .size = {3, 3}};
  set_window(&c, windows[0]);
  c.x = c.y = none;
  c.w = w;
  bytes = 4;
  c.scratch = scratch_for(&c);
  swi_conv2d(contexts[0], 4, &c);
  swi_conv2d_input(contexts[0], 4, &c);
  CHECK(none[0] == 7);
  swi_conv2d_weight(contexts[0], 4, &c);
  for (int i = 0; i < 9; i++) CHECK(w[i] == 0);
  free(c.scratch);
}

TEST(no_images) { with_each_variant(of_nothing); }

RUN_TESTS(T(every_width), T(each_image_alone), T(every_window), T(large_ones), T(many_at_once),
          T(no_images))
