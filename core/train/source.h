/* source.h: a data set as the training sees it: rows of features, a label or a target a row, and
 * how they are normalised on the way into a program's input, in one pass:
 *     value = x * scale[feature] + shift[feature]
 *
 * Features may be uint8 or float32 and may be a mapped file; the first axis counts examples, the
 * others are one row. Or they are class indices (characters of a text), uint8 or int32, and come
 * out as int32. Labels are int32 or uint8, one or some an example, checked once against the number
 * of classes; or float32 targets of any row shape.
 *
 * Images, (N, height, width[, channels]), may be randomly cropped and flipped: padded by `crop`
 * black pixels (zeros in x, before normalisation) and cropped at one of (2 crop + 1)^2 places,
 * uniformly; flipped from left to right half of the time. The draw is a function of the seed and of
 * the example's position in the stream of all examples.
 */
#ifndef SW_SOURCE_H
#define SW_SOURCE_H

#include "tensor/tensor.h"

typedef struct sw_source sw_source;

typedef struct sw_source_options {
  const sw_tensor *x;     /* (N, …) contiguous, uint8 or float32; indices: uint8 or int32 */
  const sw_tensor *y;     /* (N, …) int32 or uint8, or float32; NULL: no labels */
  const sw_tensor *scale; /* float32, one a feature; NULL with shift: values as they are */
  const sw_tensor *shift;
  int64_t classes;    /* of labels: each must be in 0 … classes-1 */
  int has_ignored;    /* or be */
  int32_t ignored;    /* this one, which losses leave out */
  int64_t vocabulary; /* above 0: x are indices 0 … vocabulary-1 */
  int shaped;         /* rows keep x's other axes; else a row is one axis */
  int64_t crop;       /* of images: pixels, 0 … 255 */
  int flip;
} sw_source_options;

/* Keeps views of the tensors; y is copied if it is not contiguous. SW_ERANGE: a label or an index
 * outside (says which example, what label); SW_ESHAPE, SW_EDTYPE, SW_EARG. */
SW_API sw_status sw_source_new(sw_context *ctx, const sw_source_options *o, sw_source **out);
SW_API int64_t sw_source_examples(const sw_source *s);
SW_API int64_t sw_source_features(const sw_source *s); /* elements of a row */
/* The shape of n rows as they come out; of their targets: (n) where one has a single element. */
SW_API sw_shape sw_source_shape(const sw_source *s, int64_t n);
SW_API sw_shape sw_source_target_shape(const sw_source *s, int64_t n);
/* Elements of a target; 1 for class labels, 0 without labels. */
SW_API int64_t sw_source_target_features(const sw_source *s);
SW_API int sw_source_has_classes(const sw_source *s);
SW_API int sw_source_has_indices(const sw_source *s);  /* rows are int32 */
SW_API int sw_source_has_augments(const sw_source *s); /* crop or flip */

/* Where in a training rows are wanted: which draws are theirs. */
typedef struct sw_draw {
  uint64_t seed;
  int64_t first; /* position of the first row among all examples of the training */
} sw_draw;

/* Rows index[0 … n-1] as reals of real_bytes, or as indices, into x; labels (int32) or targets
 * (real) into y. x or y NULL: not wanted. draw NULL: images as they are. Splits large gathers over
 * the pool. */
SW_API void sw_source_gather(const sw_source *s, const int32_t *index, int64_t n, int real_bytes,
                             const sw_draw *draw, void *x, void *y);
SW_API void sw_source_free(sw_source *s);

#endif
