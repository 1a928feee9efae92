/* source.h: a data set as the training sees it: rows of features, a label or a target a row, and
 * how they are normalised on the way into a program's input, in one pass:
 *     value = x * scale[feature] + shift[feature]
 *
 * Features may be uint8 or float32 and may be a mapped file; the first axis counts examples, the
 * others are one row. Labels are int32 or uint8, one an example, checked once against the number of
 * classes; or float32 targets of any row shape.
 */
#ifndef SW_SOURCE_H
#define SW_SOURCE_H

#include "tensor/tensor.h"

typedef struct sw_source sw_source;

typedef struct sw_source_options {
  const sw_tensor *x;     /* (N, …) contiguous, uint8 or float32 */
  const sw_tensor *y;     /* (N) int32 or uint8, or (N, …) float32; NULL: no labels */
  const sw_tensor *scale; /* float32, one a feature; NULL with shift: values as they are */
  const sw_tensor *shift;
  int64_t classes; /* of labels: each must be in 0 … classes-1 */
} sw_source_options;

/* Keeps views of the tensors; y is copied if it is not contiguous. SW_ERANGE: a label outside the
 * classes (says which example, what label); SW_ESHAPE, SW_EDTYPE, SW_EARG. */
SW_API sw_status sw_source_new(sw_context *ctx, const sw_source_options *o, sw_source **out);
SW_API int64_t sw_source_examples(const sw_source *s);
SW_API int64_t sw_source_features(const sw_source *s); /* elements of a row */
/* Elements of a target; 1 for class labels, 0 without labels. */
SW_API int64_t sw_source_target_features(const sw_source *s);
SW_API int sw_source_has_classes(const sw_source *s);

/* Rows index[0 … n-1] as reals of real_bytes into x; labels (int32) or targets (real) into y. x or
 * y NULL: not wanted. Splits large gathers over the pool. */
SW_API void sw_source_gather(const sw_source *s, const int32_t *index, int64_t n, int real_bytes,
                             void *x, void *y);
SW_API void sw_source_free(sw_source *s);

#endif
