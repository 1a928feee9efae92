/* tensor.h: dense arrays of up to six dimensions, row-major, as views of counted storage.
 *
 * A tensor is a view: element type, shape, strides, offset and a reference to a storage; views of
 * one storage share its bytes. A tensor never changes shape; what changes is data. Axes count from
 * 0 here (Lua counts from 1). Making a view costs one small allocation and touches no element.
 * Threads: a storage may be read by many, written by one.
 */
#ifndef SW_TENSOR_H
#define SW_TENSOR_H

#include "base/context.h"
#include "base/random.h"

#define SW_MAX_DIMS 6
#define SW_MOST_ELEMENTS (INT64_C(1) << 46) /* of a tensor, and of a node of a graph */

typedef enum sw_dtype { SW_F32, SW_F64, SW_I32, SW_U8, SW_DTYPE_COUNT } sw_dtype;

SW_API const char *sw_dtype_name(sw_dtype t); /* "float32", "float64", "int32", "uint8" */
SW_API int sw_dtype_bytes(sw_dtype t);
SW_API sw_status sw_dtype_parse(sw_context *ctx, const char *name, sw_dtype *out); /* SW_EDTYPE */

typedef struct sw_shape {
  int ndim; /* 0: a scalar, of one element */
  int64_t dim[SW_MAX_DIMS];
} sw_shape;

SW_API sw_shape sw_shape_of(int ndim, const int64_t *dim);
SW_API int sw_shape_equal(const sw_shape *a, const sw_shape *b);
/* Number of elements; the one place where sizes are checked: SW_ERANGE for more than six
 * dimensions, a negative one, or more than SW_MOST_ELEMENTS. */
SW_API sw_status sw_shape_numel(sw_context *ctx, const sw_shape *s, int64_t *out);
/* "(2, 3)", cut to size. Returns text. */
SW_API const char *sw_shape_text(const sw_shape *s, char *text, size_t size);
/* NumPy's rule: shapes aligned at the right, 1 becomes any size. SW_ESHAPE names both. */
SW_API sw_status sw_shape_broadcast(sw_context *ctx, const sw_shape *a, const sw_shape *b,
                                    sw_shape *out);

typedef struct sw_tensor sw_tensor;

/* new: the caller owns *out, and ends it with free. Elements are zero. SW_ENOMEM, SW_ERANGE. */
SW_API sw_status sw_tensor_new(sw_context *ctx, sw_dtype dtype, const sw_shape *shape,
                               sw_tensor **out);
/* A contiguous copy, and one converted to another element type (floats to integers cut towards
 * zero; a value that does not fit, or NaN: SW_ERANGE). */
SW_API sw_status sw_tensor_clone(const sw_tensor *t, sw_tensor **out);
SW_API sw_status sw_tensor_to(const sw_tensor *t, sw_dtype dtype, sw_tensor **out);
/* Elements that the caller keeps (a mapped file): release(arg) is called when the last view is
 * freed. On failure it is not called. SW_EARG: data that is not aligned to its elements. */
SW_API sw_status sw_tensor_wrap(sw_context *ctx, sw_dtype dtype, const sw_shape *shape, void *data,
                                int read_only, void (*release)(void *arg), void *arg,
                                sw_tensor **out);
SW_API void sw_tensor_free(sw_tensor *t); /* NULL is fine */

/* Views: the caller owns *out. SW_ERANGE, SW_ESHAPE, SW_ENOMEM. */
SW_API sw_status sw_tensor_view(const sw_tensor *t, sw_tensor **out); /* the same */
/* One dim may be -1; a copy where strides do not allow a view. */
SW_API sw_status sw_tensor_reshape(const sw_tensor *t, const sw_shape *shape, sw_tensor **out);
SW_API sw_status sw_tensor_select(const sw_tensor *t, int axis, int64_t index, sw_tensor **out);
SW_API sw_status sw_tensor_narrow(const sw_tensor *t, int axis, int64_t start, int64_t length,
                                  sw_tensor **out);
SW_API sw_status sw_tensor_transpose(const sw_tensor *t, int axis1, int axis2, sw_tensor **out);
/* Stride 0 where it is broadcast; read only. */
SW_API sw_status sw_tensor_broadcast(const sw_tensor *t, const sw_shape *shape, sw_tensor **out);
/* A view if it already is. */
SW_API sw_status sw_tensor_contiguous(const sw_tensor *t, sw_tensor **out);

/* Properties. data is the first element; borrowed. */
SW_API sw_context *sw_tensor_context(const sw_tensor *t);
SW_API sw_dtype sw_tensor_dtype(const sw_tensor *t);
SW_API const sw_shape *sw_tensor_shape(const sw_tensor *t);
SW_API int64_t sw_tensor_numel(const sw_tensor *t);
SW_API int64_t sw_tensor_storage_bytes(const sw_tensor *t); /* of the whole storage */
SW_API int sw_tensor_is_contiguous(const sw_tensor *t);
SW_API int sw_tensor_is_read_only(const sw_tensor *t);
SW_API const void *sw_tensor_data(const sw_tensor *t);
SW_API sw_status sw_tensor_writable(sw_tensor *t, void **out); /* SW_EARG if it is read only */

/* One element, as a double; index has ndim entries. SW_ERANGE. */
SW_API sw_status sw_tensor_get(const sw_tensor *t, const int64_t *index, double *out);
SW_API sw_status sw_tensor_set(sw_tensor *t, const int64_t *index, double value);

/* Writing whole tensors (any strides; x and src may share storage with t). On failure t is as it
 * was. copy converts and broadcasts src to the shape of t; axpy, lerp and scale take floats of one
 * type and shape. */
SW_API sw_status sw_tensor_fill(sw_tensor *t, double value);
SW_API sw_status sw_tensor_copy(sw_tensor *t, const sw_tensor *src);
SW_API sw_status sw_tensor_axpy(sw_tensor *t, double a, const sw_tensor *x); /* t += a x */
SW_API sw_status sw_tensor_lerp(sw_tensor *t, double w, const sw_tensor *x); /* t += w (x - t) */
SW_API sw_status sw_tensor_scale(sw_tensor *t, double c);                    /* t *= c */
SW_API sw_status sw_tensor_uniform(sw_tensor *t, sw_random *r, double low, double high);
SW_API sw_status sw_tensor_normal(sw_tensor *t, sw_random *r, double mean, double std);
SW_API sw_status sw_tensor_permutation(sw_tensor *t, sw_random *r); /* int32, one dimension */

/* Vectors: floats of the same number of elements, read in row-major order. Summed without
 * intermediate overflow or underflow: the norm of 1e25 is 1e25, that of 1e-25 is 1e-25. */
SW_API sw_status sw_tensor_dot(const sw_tensor *a, const sw_tensor *b, double *out);
SW_API sw_status sw_tensor_norm(const sw_tensor *t, double *out); /* Euclidean */

/* As NumPy prints, large tensors with dots; ends with a line "[float32 2x3]". Returns the length of
 * the whole text, as snprintf does. */
SW_API size_t sw_tensor_print(const sw_tensor *t, char *text, size_t size);

#endif
