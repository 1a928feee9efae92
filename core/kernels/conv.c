/* conv.c: cuts convolutions into blocks of images or of weights for the pool. */
#include "kernels/conv_int.h"

#include "base/context_int.h"
#include "base/parallel_int.h"

typedef struct job {
  sw_context *ctx;
  const swi_convolution *c;
  const swi_kernels *k;
  void (*kernel)(const swi_convolution *c);
  int64_t bytes;  /* of an element */
  int64_t panels; /* of the weights */
  int64_t chunk;  /* images or panels in one piece */
} job;

enum {
  WEIGHTS_AT_HAND = 512 << 10, /* bytes */
  PIECE_WORK = 1 << 20,        /* least multiply-adds of a piece */
  PIECE_PIXELS = 1024,         /* at least, of results */
  LONG_PIECE = 8192,           /* pixels: kernels fetch ahead within a piece */
  PIECES = 4
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void *behind(void *p, int64_t elements, int64_t bytes) {
  return (char *)p + elements * bytes;
}

static void run_piece(void *arg, int64_t piece) {
  const job *j = arg;
  swi_convolution part = *j->c;
  const int64_t first = piece * j->chunk, left = part.images - first;
  part.images = left < j->chunk ? left : j->chunk;
  part.x = behind(part.x, first * part.size[0] * part.size[1] * part.channels, j->bytes);
  part.y = behind(part.y, first * part.out_size[0] * part.out_size[1] * part.outputs, j->bytes);
  part.work = swi_scratch(j->ctx);
  j->kernel(&part);
}

/* Multiply-adds of one image. */
static double work_of_image(const swi_convolution *c) {
  const int64_t channels = c->channels / c->groups;
  return (double)c->out_size[0] * (double)c->out_size[1] * (double)c->outputs *
         (double)c->kernel[0] * (double)c->kernel[1] * (double)channels;
}

/* Enough pixels for the kernel's blocks, and pieces for all threads where there is enough to do.
 * Cutting changes no bit. */
static int64_t images_in_piece(const swi_convolution *c, int64_t pixels, int threads) {
  const double work = work_of_image(c), all = work * (double)c->images;
  const double by_work = PIECE_WORK / (work + 1);
  const int64_t size = c->out_size[0] * c->out_size[1];
  const int64_t by_pixels = smaller(pixels / size, c->images / (PIECES * threads));
  int64_t images = by_work > (double)c->images ? c->images : (int64_t)by_work;
  if (images < PIECE_PIXELS / size) images = PIECE_PIXELS / size;
  if (images < by_pixels) images = by_pixels;
  if (all > PIECES * PIECE_WORK) images = smaller(images, (c->images + PIECES - 1) / PIECES);
  return images < 1 ? 1 : smaller(images, c->images);
}

static void run_by_images(job *j, int64_t pixels) {
  if (j->c->images == 0) return;
  j->chunk = images_in_piece(j->c, pixels, sw_context_threads(j->ctx));
  swi_parallel(j->ctx, (j->c->images + j->chunk - 1) / j->chunk, run_piece, j);
}

static int64_t packed(const swi_kernels *k, const swi_convolution *c, int64_t width,
                      int64_t depth) {
  if (k->conv_panel == 0) return 0;
  const int64_t panels = (width + k->conv_panel - 1) / k->conv_panel;
  return c->groups * panels * k->conv_panel * depth * c->kernel[0] * c->kernel[1];
}

int64_t swi_conv2d_scratch(const swi_kernels *k, const swi_convolution *c) {
  return packed(k, c, c->outputs / c->groups, c->channels / c->groups);
}

int64_t swi_conv2d_input_scratch(const swi_kernels *k, const swi_convolution *c) {
  return packed(k, c, c->channels / c->groups, c->outputs / c->groups);
}

void swi_conv2d(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  const swi_kernels *k = swi_kernels_of(ctx, element_bytes);
  job j = {.ctx = ctx, .c = c, .kernel = k->conv2d, .bytes = element_bytes};
  if (k->conv2d_pack) k->conv2d_pack(c);
  run_by_images(&j, LONG_PIECE);
}

void swi_conv2d_input(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  const swi_kernels *k = swi_kernels_of(ctx, element_bytes);
  job j = {.ctx = ctx, .c = c, .kernel = k->conv2d_input, .bytes = element_bytes};
  if (k->conv2d_input_pack) k->conv2d_input_pack(c);
  /* With a stride, each class of pixels comes back to all images of a piece. */
  run_by_images(&j, c->stride[0] * c->stride[1] == 1 ? LONG_PIECE : PIECE_PIXELS);
}

/* ------------------------------------------------------------------ weights */

int64_t swi_conv2d_weight_scratch(const swi_kernels *k, const swi_convolution *c) {
  return k->conv_panel > 0 ? k->conv2d_weight_panels(c) : 0;
}

static void run_panels(void *arg, int64_t piece) {
  const job *j = arg;
  swi_convolution part = *j->c;
  part.first_panel = piece * j->chunk;
  part.end_panel = smaller(part.first_panel + j->chunk, j->panels);
  part.work = swi_scratch(j->ctx);
  j->kernel(&part);
}

/* Panels whose weights stay in the L2 cache while the images are read, in as many pieces for each
 * thread: pieces repeat copies of dy. Cutting changes no bit. */
static int64_t panels_in_piece(const job *j, int threads) {
  const int64_t weights = j->c->outputs / j->c->groups * j->k->conv_panel * j->k->element_bytes;
  const int64_t fit = WEIGHTS_AT_HAND / weights < 1 ? 1 : WEIGHTS_AT_HAND / weights;
  const int64_t each = (j->panels + threads * fit - 1) / (threads * fit);
  return (j->panels + threads * each - 1) / (threads * each);
}

void swi_conv2d_weight(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  const swi_kernels *k = swi_kernels_of(ctx, element_bytes);
  job j = {.ctx = ctx, .c = c, .k = k, .kernel = k->conv2d_weight};
  if (k->conv_panel == 0) {
    k->conv2d_weight(c);
    return;
  }
  if (c->images == 0) {
    k->fill(c->outputs * c->kernel[0] * c->kernel[1] * (c->channels / c->groups), 0, c->w);
    return;
  }
  j.panels = k->conv2d_weight_panels(c);
  j.chunk = panels_in_piece(&j, sw_context_threads(ctx));
  swi_parallel(ctx, (j.panels + j.chunk - 1) / j.chunk, run_panels, &j);
  if (c->squares) k->sum_cols(j.panels, c->images, c->scratch, c->squares);
}
