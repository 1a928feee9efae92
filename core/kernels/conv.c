/* conv.c: convolutions cut into blocks of images, and those given to the pool. */
#include "kernels/conv.h"

#include "base/context_int.h"
#include "base/parallel.h"

typedef struct job {
  const swi_convolution *c;
  void (*kernel)(const swi_convolution *c);
  int64_t bytes; /* of an element */
  int64_t chunk; /* images in one piece */
} job;

static const swi_kernels *kernels_of(const sw_context *ctx, int element_bytes) {
  return element_bytes == 4 ? ctx->f32 : ctx->f64;
}

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
  j->kernel(&part);
}

/* Multiply-adds of one image. */
static double work_of_image(const swi_convolution *c) {
  return (double)c->out_size[0] * (double)c->out_size[1] * (double)c->outputs *
         (double)c->kernel[0] * (double)c->kernel[1] * (double)(c->channels / c->groups);
}

static int64_t images_in_piece(const swi_convolution *c) {
  const double piece_work = 1 << 20;
  const double images = piece_work / (work_of_image(c) + 1);
  return images < 1 ? 1 : images > (double)c->images ? c->images : (int64_t)images;
}

static void run_by_images(sw_context *ctx, job *j) {
  if (j->c->images == 0) return;
  j->chunk = images_in_piece(j->c);
  swi_parallel(ctx, (j->c->images + j->chunk - 1) / j->chunk, run_piece, j);
}

void swi_conv2d(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  job j = {.c = c, .kernel = kernels_of(ctx, element_bytes)->conv2d, .bytes = element_bytes};
  run_by_images(ctx, &j);
}

void swi_conv2d_input(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  job j = {.c = c, .kernel = kernels_of(ctx, element_bytes)->conv2d_input, .bytes = element_bytes};
  run_by_images(ctx, &j);
}

void swi_conv2d_weight(sw_context *ctx, int element_bytes, const swi_convolution *c) {
  kernels_of(ctx, element_bytes)->conv2d_weight(c);
}
