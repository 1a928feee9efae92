/* tensor_int.h: the fields of tensors, for the files of core/tensor. */
#ifndef SW_TENSOR_INT_H
#define SW_TENSOR_INT_H

#include "base/context_int.h"
#include "tensor/tensor.h"

enum { SWI_SHAPE_TEXT = 160 }; /* room for any shape as text */

typedef struct swi_storage {
  sw_context *ctx; /* holds one reference */
  int64_t references;
  char *data;
  int64_t bytes;
  void (*release)(void *arg); /* of borrowed data; NULL: the storage owns it */
  void *arg;
} swi_storage;

struct sw_tensor {
  swi_storage *storage; /* holds one reference; views on the C stack hold none */
  char *data;           /* first element */
  sw_dtype dtype;
  int read_only; /* inherited by views */
  sw_shape shape;
  int64_t stride[SW_MAX_DIMS]; /* in elements */
  int64_t numel;
};

/* The kernels for t's element type, which must be a float. */
struct swi_kernels;
const struct swi_kernels *swi_tensor_kernels(const sw_tensor *t);

/* A zeroed or not initialised tensor; shape must be good. */
sw_status swi_tensor_empty(sw_context *ctx, sw_dtype dtype, const sw_shape *shape, int zeroed,
                           sw_tensor **out);

/* Copies the view from the stack to the heap, with a reference of its own. */
sw_status swi_tensor_keep(const sw_tensor *view, sw_tensor **out);

/* *view = t broadcast to shape, on the stack. what: the name in messages. */
sw_status swi_tensor_broadcast(const sw_tensor *t, const sw_shape *shape, const char *what,
                               sw_tensor *view);

/* Row-major strides; dimensions of 0 count as 1. Returns shape's number of elements. */
int64_t swi_shape_strides(const sw_shape *shape, int64_t *stride);

/* Whether writing a while reading b could read elements already written. */
int swi_tensor_overlap(const sw_tensor *a, const sw_tensor *b);

sw_status swi_check_writable(const sw_tensor *t, const char *what); /* SW_EARG */
sw_status swi_check_float(const sw_tensor *t, const char *what);    /* SW_EDTYPE */
sw_status swi_check_fits(sw_context *ctx, sw_dtype to, double value,
                         const char *what); /* SW_ERANGE */

/* y[i] = x[i] for n elements, dx and dy bytes apart, converted; values must fit. */
typedef void (*swi_convert)(int64_t n, const char *x, int64_t dx, char *y, int64_t dy);
swi_convert swi_convert_between(sw_dtype from, sw_dtype to);

#endif
