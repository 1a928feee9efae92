/* augment_int.h: random crops and flips of training images, as source.h describes them */
#ifndef SW_AUGMENT_INT_H
#define SW_AUGMENT_INT_H

#include <stdint.h>

typedef struct swi_augment {
  int64_t height, width;
  int64_t pixel; /* bytes: channels times those of a value */
  int64_t crop;
  int flip;
} swi_augment;

/* out(row, column) = image(row + down, column + right), 0 outside of the image; then mirrored. */
typedef struct swi_move {
  int64_t down, right;
  int mirrored;
} swi_move;

/* The move of the example at that position: Philox(seed, stream "augment"), block number position.
 */
swi_move swi_augment_draw(const swi_augment *a, uint64_t seed, int64_t position);

/* Lines first … first + n - 1 of the moved image. */
void swi_augment_lines(const swi_augment *a, const swi_move *m, const void *image, int64_t first,
                       int64_t n, void *to);

#endif
