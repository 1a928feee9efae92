/* augment.c: random crops and flips of images. */
#include "train/augment_int.h"

#include <string.h>

#include "base/random.h"

/* Maps a random word to 0 … n-1: the high word of a product. Some answers belong to one word of
 * 2^32 more than others, which is negligible for the few places of a crop. */
static int64_t below(uint32_t word, int64_t n) {
  return (int64_t)(((uint64_t)word * (uint64_t)n) >> 32);
}

swi_move swi_augment_draw(const swi_augment *a, uint64_t seed, int64_t position) {
  sw_random r;
  sw_random_init(&r, seed, sw_stream("augment", 0));
  r.position = (uint64_t)position;
  int64_t places = 2 * a->crop + 1;
  swi_move m;
  m.down = below(sw_random_u32(&r), places) - a->crop;
  m.right = below(sw_random_u32(&r), places) - a->crop;
  m.mirrored = a->flip && sw_random_u32(&r) >> 31;
  return m;
}

/* n pixels up to the one that ends at from, backwards. */
static void reversed(int64_t n, int64_t pixel, const char *from, char *to) {
  switch (pixel) {
  case 1:
    for (int64_t i = 0; i < n; i++) to[i] = from[-i - 1];
    break;
  case 3:
    for (int64_t i = 0; i < n; i++, to += 3) memcpy(to, from -= 3, 3);
    break;
  default:
    for (int64_t i = 0; i < n; i++, to += pixel) memcpy(to, from -= pixel, (size_t)pixel);
  }
}

/* Columns low … high-1 of the line, before mirroring, are the image's; the others are black. */
static void moved_line(const swi_augment *a, const swi_move *m, const char *line, char *to) {
  int64_t low = m->right < 0 ? -m->right : 0;
  int64_t high = m->right > 0 ? a->width - m->right : a->width;
  int64_t before = m->mirrored ? a->width - high : low, n = high - low;
  memset(to, 0, (size_t)(before * a->pixel));
  to += before * a->pixel;
  if (m->mirrored)
    reversed(n, a->pixel, line + (high + m->right) * a->pixel, to);
  else
    memcpy(to, line + (low + m->right) * a->pixel, (size_t)(n * a->pixel));
  memset(to + n * a->pixel, 0, (size_t)((a->width - before - n) * a->pixel));
}

void swi_augment_lines(const swi_augment *a, const swi_move *m, const void *image, int64_t first,
                       int64_t n, void *to) {
  int64_t bytes = a->width * a->pixel;
  char *out = to;
  for (int64_t i = first; i < first + n; i++, out += bytes) {
    int64_t line = i + m->down;
    if (line < 0 || line >= a->height)
      memset(out, 0, (size_t)bytes);
    else
      moved_line(a, m, (const char *)image + line * bytes, out);
  }
}
