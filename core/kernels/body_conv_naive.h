/* body_conv_naive.h: convolutions by their definition, one multiplication after another: the
 * scalar kernels, and the reference for the others. */
#ifndef SW_BODY_CONV_NAIVE_H
#define SW_BODY_CONV_NAIVE_H

/* A sum of many terms: PART_OF_SUM of them are added before they are added to the total. */
enum { PART_OF_SUM = 512 };

typedef struct long_sum {
  real total, part;
  int terms;
} long_sum;

static inline void add_term(long_sum *s, real term) {
  if (s->terms == PART_OF_SUM) {
    s->total += s->part;
    s->part = 0;
    s->terms = 0;
  }
  s->part += term;
  s->terms++;
}

static inline real sum_of(const long_sum *s) { return s->total + s->part; }

/* One output pixel of one image, and the first channel and output of one group. */
typedef struct spot {
  int64_t image, row, column, pixel; /* pixel: its number in the batch */
  int64_t channel, output;
} spot;

/* The input pixel that tap (p, q) sees from a spot: its first element, or NULL outside. */
static real *seen(const swi_convolution *c, const spot *s, int64_t p, int64_t q) {
  const int64_t i = s->row * c->stride[0] - c->padding[0] + p * c->dilation[0];
  const int64_t j = s->column * c->stride[1] - c->padding[1] + q * c->dilation[1];
  if (i < 0 || i >= c->size[0] || j < 0 || j >= c->size[1]) return NULL;
  return (real *)c->x + ((s->image * c->size[0] + i) * c->size[1] + j) * c->channels + s->channel;
}

/* The weights of output o of the spot's group at tap (p, q). */
static real *weights_of(const swi_convolution *c, const spot *s, int64_t o, int64_t p, int64_t q) {
  const int64_t depth = c->channels / c->groups;
  return (real *)c->w + (((s->output + o) * c->kernel[0] + p) * c->kernel[1] + q) * depth;
}

static real *output_of(const swi_convolution *c, const spot *s, int64_t o) {
  return (real *)c->y + s->pixel * c->outputs + s->output + o;
}

/* Moves to the next spot: groups, columns, rows, images. 0 after the last one of `end` images. */
static int next_spot(const swi_convolution *c, spot *s, int64_t end) {
  s->channel += c->channels / c->groups;
  s->output += c->outputs / c->groups;
  if (s->output < c->outputs) return 1;
  s->channel = s->output = 0;
  s->pixel++;
  if (++s->column < c->out_size[1]) return 1;
  s->column = 0;
  if (++s->row < c->out_size[0]) return 1;
  s->row = 0;
  return ++s->image < end;
}

static real sum_of_taps(const swi_convolution *c, const spot *s, int64_t o) {
  const int64_t depth = c->channels / c->groups;
  long_sum sum = {0};
  for (int64_t p = 0; p < c->kernel[0]; p++)
    for (int64_t q = 0; q < c->kernel[1]; q++) {
      const real *x = seen(c, s, p, q), *w = weights_of(c, s, o, p, q);
      for (int64_t k = 0; x && k < depth; k++) add_term(&sum, x[k] * w[k]);
    }
  return sum_of(&sum);
}

static void conv2d(const swi_convolution *c) {
  spot s = {0};
  if (c->images == 0) return;
  do
    for (int64_t o = 0; o < c->outputs / c->groups; o++) {
      real y = sum_of_taps(c, &s, o);
      if (c->bias) y += ((const real *)c->bias)[s.output + o];
      *output_of(c, &s, o) = c->relu && y < 0 ? 0 : y;
    }
  while (next_spot(c, &s, c->images));
}

static void conv2d_input(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, outputs = c->outputs / c->groups;
  spot s = {0};
  fill(c->images * c->size[0] * c->size[1] * c->channels, 0, c->x);
  if (c->images == 0) return;
  do
    for (int64_t t = 0; t < outputs * c->kernel[0] * c->kernel[1]; t++) {
      const int64_t q = t % c->kernel[1], p = t / c->kernel[1] % c->kernel[0];
      const int64_t o = t / c->kernel[1] / c->kernel[0];
      real *x = seen(c, &s, p, q), y = *output_of(c, &s, o);
      const real *w = weights_of(c, &s, o, p, q);
      for (int64_t k = 0; x && k < depth; k++) x[k] += y * w[k];
    }
  while (next_spot(c, &s, c->images));
}

/* Image `image`'s share of the weight of output o, tap (p, q), channel k. */
static real share_of(const swi_convolution *c, int64_t image, spot s, int64_t p, int64_t q,
                     int64_t k) {
  long_sum share = {0};
  s.image = image;
  s.pixel = image * c->out_size[0] * c->out_size[1];
  for (s.row = 0; s.row < c->out_size[0]; s.row++)
    for (s.column = 0; s.column < c->out_size[1]; s.column++, s.pixel++) {
      const real *x = seen(c, &s, p, q);
      if (x) add_term(&share, x[k] * *output_of(c, &s, 0));
    }
  return sum_of(&share);
}

static void conv2d_weight(const swi_convolution *c) {
  const int64_t depth = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];
  real *w = c->w, *squares = c->squares;
  if (squares) fill(c->images, 0, squares);
  for (int64_t e = 0; e < c->outputs * taps * depth; e++) {
    const int64_t o = e / depth / taps, tap = e / depth % taps;
    const spot s = {.output = o, .channel = o / (c->outputs / c->groups) * depth};
    long_sum sum = {0};
    for (int64_t i = 0; i < c->images; i++) {
      const real share = share_of(c, i, s, tap / c->kernel[1], tap % c->kernel[1], e % depth);
      add_term(&sum, share);
      if (squares) squares[i] += share * share;
    }
    w[e] = sum_of(&sum);
  }
}

#endif
