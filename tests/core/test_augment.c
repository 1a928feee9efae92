/* test_augment.c: random crops and flips of training images. */
#include "train_check.h"

#include "base/parallel.h"
#include "train/augment_int.h"
#include "train/source.h"

static sw_source *source_of(const sw_source_options *o) {
  sw_source *s = NULL;
  CHECK_OK(ctx, sw_source_new(ctx, o, &s));
  return s;
}

static void refused(sw_source_options o, sw_status status, const char *part) {
  sw_source *s = NULL;
  assert_int_equal(sw_source_new(ctx, &o, &s), status);
  assert_null(s);
  assert_message(part);
}

typedef struct images {
  int height, width, channels, bytes, crop, flip;
  sw_tensor *x, *scale, *shift;
  sw_source *source;
} images;

enum { IMAGES = 7, SEED = 11 };

static images make_images(int height, int width, int channels, int bytes, int crop, int flip) {
  images m = {.height = height, .width = width, .channels = channels};
  m.bytes = bytes, m.crop = crop, m.flip = flip;
  sw_shape shape = sw_shape_of(4, (int64_t[]){IMAGES, height, width, channels});
  int row = height * width * channels;
  CHECK_OK(ctx, sw_tensor_new(ctx, bytes ? SW_U8 : SW_F32, &shape, &m.x));
  m.scale = tensor(SW_F32, 1, row, 0);
  m.shift = tensor(SW_F32, 1, row, 0);
  for (int i = 0; i < IMAGES * row; i++) {
    int value = (int)((unsigned)i * 2654435761u >> 24);
    if (bytes)
      ((uint8_t *)data_of(m.x))[i] = (uint8_t)value;
    else
      ((float *)data_of(m.x))[i] = (float)value;
  }
  for (int i = 0; i < row; i++) {
    ((float *)data_of(m.scale))[i] = 0.25f * (float)(i % channels + 1);
    ((float *)data_of(m.shift))[i] = (float)(i % channels) - 9;
  }
  m.source = source_of(&(sw_source_options){
      .x = m.x, .scale = m.scale, .shift = m.shift, .shaped = 1, .crop = crop, .flip = flip});
  return m;
}

static void free_images(images *m) {
  sw_source_free(m->source);
  sw_tensor_free(m->x);
  sw_tensor_free(m->scale);
  sw_tensor_free(m->shift);
}

/* A value of the frame, which is black outside of the image. */
static double framed(const images *m, int image, int i, int j, int channel) {
  if (i < 0 || j < 0 || i >= m->height || j >= m->width) return 0;
  int at = ((image * m->height + i) * m->width + j) * m->channels + channel;
  return m->bytes ? ((uint8_t *)data_of(m->x))[at] : (double)((float *)data_of(m->x))[at];
}

/* The expected value, from the words of the example's block of Philox. */
static double augmented(const images *m, int image, int64_t position, int i, int j, int channel) {
  uint64_t stream = sw_stream("augment", 0);
  uint32_t word[4], counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), (uint32_t)stream,
                                  (uint32_t)(stream >> 32)};
  sw_philox4x32(counter, (uint32_t[]){SEED, 0}, word);
  double places = 2 * m->crop + 1;
  int down = (int)(word[0] * 0x1p-32 * places), right = (int)(word[1] * 0x1p-32 * places);
  if (m->flip && word[2] >= 0x80000000u) j = m->width - 1 - j;
  double x = framed(m, image, i + down - m->crop, j + right - m->crop, channel);
  return x * 0.25 * (channel + 1) + channel - 9;
}

static void check_images(const images *m, int64_t first) {
  enum { COUNT = 40 };
  int32_t index[COUNT];
  int row = m->height * m->width * m->channels;
  sw_tensor *out = tensor(SW_F32, 2, COUNT, row);
  for (int n = 0; n < COUNT; n++) index[n] = n * 3 % IMAGES;
  sw_source_gather(m->source, index, COUNT, 4, &(sw_draw){SEED, first}, data_of(out), NULL);
  const float *x = data_of(out);
  for (int n = 0; n < COUNT; n++)
    for (int i = 0; i < m->height; i++)
      for (int j = 0; j < m->width; j++)
        for (int c = 0; c < m->channels; c++) {
          double want = augmented(m, index[n], first + n, i, j, c);
          assert_near((double)*x++, want, 1e-6);
        }
  sw_tensor_free(out);
}

TEST(test_images_are_moved_and_mirrored) {
  static const int cases[][5] = {/* height, width, channels, crop, flip */
                                 {8, 8, 3, 2, 1},   {5, 7, 1, 3, 1},    {7, 5, 2, 4, 1},
                                 {1, 9, 3, 0, 1},   {6, 6, 3, 1, 0},    {4, 3, 5, 2, 1},
                                 {90, 70, 3, 9, 1}, {33, 300, 1, 30, 1}};
  for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++)
    for (int bytes = 0; bytes < 2; bytes++) {
      const int *c = cases[i];
      images m = make_images(c[0], c[1], c[2], bytes, c[3], c[4]);
      assert_true(sw_source_has_augments(m.source));
      check_images(&m, 0);
      check_images(&m, ((int64_t)1 << 33) + 5);
      free_images(&m);
    }
}

TEST(test_without_a_draw_images_are_as_they_are) {
  images m = make_images(8, 8, 3, 1, 2, 1);
  int32_t index[] = {3};
  double x[8 * 8 * 3];
  sw_source_gather(m.source, index, 1, 8, NULL, x, NULL);
  for (int i = 0; i < 8 * 8 * 3; i++)
    assert_near(x[i], framed(&m, 3, i / 24, i / 3 % 8, i % 3) * 0.25 * (i % 3 + 1) + i % 3 - 9,
                1e-15);
  free_images(&m);
}

/* All offsets and both directions occur, each about equally often. */
TEST(test_every_move_is_as_likely) {
  enum { MANY = 40000 };
  images m = make_images(4, 4, 1, 1, 1, 1);
  int seen[2][3][3] = {{{0}}};
  for (int64_t n = 0; n < MANY; n++) {
    swi_augment a = {.height = 4, .width = 4, .pixel = 1, .crop = 1, .flip = 1};
    swi_move v = swi_augment_draw(&a, 3, n);
    seen[v.mirrored][v.down + 1][v.right + 1]++;
  }
  double each = MANY / 18.0;
  for (int i = 0; i < 18; i++) /* five deviations */
    assert_true(fabs((&seen[0][0][0])[i] - each) < 5 * sqrt(each));
  free_images(&m);
}

/* Parts of a batch, and threads, give the same rows. */
TEST(test_draws_follow_positions) {
  enum { MANY = 900, ROW = 32 * 32 * 3 };
  images m = make_images(32, 32, 3, 1, 4, 1);
  sw_tensor *one = tensor(SW_F32, 2, MANY, ROW), *parts = tensor(SW_F32, 2, MANY, ROW);
  int32_t index[MANY];
  for (int i = 0; i < MANY; i++) index[i] = i % IMAGES;
  sw_source_gather(m.source, index, MANY, 4, &(sw_draw){SEED, 77}, data_of(one), NULL);
  CHECK_OK(ctx, sw_context_set_threads(ctx, 3));
  for (int first = 0, n = 1; first < MANY; first += n, n = n * 3 < MANY - first ? n * 3 : n) {
    if (n > MANY - first) n = MANY - first;
    sw_source_gather(m.source, index + first, n, 4, &(sw_draw){SEED, 77 + first},
                     (float *)data_of(parts) + first * ROW, NULL);
  }
  CHECK_OK(ctx, sw_context_set_threads(ctx, 1));
  assert_memory_equal(data_of(one), data_of(parts), MANY * ROW * sizeof(float));
  sw_source_gather(m.source, index, MANY, 4, &(sw_draw){SEED, 78}, data_of(parts), NULL);
  assert_true(memcmp(data_of(one), data_of(parts), MANY * ROW * sizeof(float)) != 0);
  sw_tensor_free(one);
  sw_tensor_free(parts);
  free_images(&m);
}

TEST(test_refuses_augmentation) {
  images m = make_images(4, 6, 1, 1, 0, 0);
  sw_shape wide = sw_shape_of(4, (int64_t[]){1, 2, 9000, 3});
  sw_tensor *x = NULL;
  CHECK_OK(ctx, sw_tensor_new(ctx, SW_U8, &wide, &x));
  refused((sw_source_options){.x = m.x, .crop = 4}, SW_ERANGE, "below the image's 4 x 6, got 4");
  refused((sw_source_options){.x = m.x, .crop = -1}, SW_ERANGE, "got -1");
  refused((sw_source_options){.x = m.x, .flip = 1, .vocabulary = 256}, SW_ESHAPE, "images");
  refused((sw_source_options){.x = x, .flip = 1}, SW_ERANGE, "a line has 27000 bytes");
  sw_tensor_free(x);
  free_images(&m);
}

RUN_CLEAN_TESTS(CLEAN(test_images_are_moved_and_mirrored),
                CLEAN(test_without_a_draw_images_are_as_they_are),
                CLEAN(test_every_move_is_as_likely), CLEAN(test_draws_follow_positions),
                CLEAN(test_refuses_augmentation))
