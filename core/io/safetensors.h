/* safetensors.h: named tensors in a file (Hugging Face's format), read and written.
 *
 * u64 little-endian header length, a JSON object {name: {dtype, shape, data_offsets}}, then the
 * bytes. A file is written under a temporary name in the same folder, synced, then renamed: a file
 * under the final name is whole. uint8 U8, int32 I32, float32 F32, float64 F64; F16 and BF16 are
 * read as float32, BOOL as uint8, other integers as int32 where every value fits.
 */
#ifndef SW_SAFETENSORS_H
#define SW_SAFETENSORS_H

#include "tensor/tensor.h"

typedef struct sw_named_tensor {
  const char *name;
  const sw_tensor *tensor;
} sw_named_tensor;

typedef struct sw_pair {
  const char *key, *value;
} sw_pair;

/* The header keeps the order given. The bytes start at a multiple of 64, wider types first: each
 * tensor is aligned to its elements, and there are no gaps, which other readers refuse. SW_EARG: a
 * name given twice, or not UTF-8. SW_EIO: what failed and why (errno in words; ENOSPC, EDQUOT and
 * EFBIG as "disk full"). On failure the temporary file is removed and an older file is
 * unchanged. */
SW_API sw_status sw_safetensors_write(sw_context *ctx, const char *path,
                                      const sw_named_tensor *tensors, int n_tensors,
                                      const sw_pair *metadata, int n_metadata);

/* A file opened for reading. Mapped: tensors are read-only views of the file and no byte is copied,
 * unless one is converted or is not aligned to its elements. Else they are read into memory of
 * their own when asked for. Everything is checked when the file is opened: header length, JSON,
 * dtypes, shapes against offsets, offsets that cover the data exactly. A mapped file must not be
 * cut short while it is used. SW_EIO, SW_ECORRUPT, SW_ENOMEM. */
typedef struct sw_safetensors sw_safetensors;
SW_API sw_status sw_safetensors_open(sw_context *ctx, const char *path, int mapped,
                                     sw_safetensors **out);
SW_API int sw_safetensors_count(const sw_safetensors *f);
/* Borrowed from f; NULL outside 0 … count - 1. */
SW_API const char *sw_safetensors_name(const sw_safetensors *f, int i);
/* The caller owns *out, which may outlive f. SW_EUNSUPPORTED: an 8-bit float, an integer beyond
 * int32, more than six dimensions (the other tensors can still be read). */
SW_API sw_status sw_safetensors_tensor(const sw_safetensors *f, int i, sw_tensor **out);
SW_API int sw_safetensors_metadata_count(const sw_safetensors *f);
/* Borrowed from f; NULLs outside 0 … count - 1. */
SW_API sw_pair sw_safetensors_metadata(const sw_safetensors *f, int i);
SW_API void sw_safetensors_close(sw_safetensors *f); /* NULL is fine */

#endif
