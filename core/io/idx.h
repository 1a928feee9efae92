/* idx.h: the IDX format of the MNIST family, plain or gzipped.
 *
 * Header: two zero bytes, an element type (0x08 unsigned byte is the one read here), the number of
 * dimensions, each dimension as a big-endian 32-bit number; then the bytes, last index fastest.
 */
#ifndef SW_IDX_H
#define SW_IDX_H

#include "tensor/tensor.h"

/* *out: uint8. SW_EIO: cannot be read; SW_ECORRUPT: not IDX, cut short, too long, a bad gzip
 * stream, sizes that overflow. Every message names the file and what was expected and found. */
SW_API sw_status sw_idx_read(sw_context *ctx, const char *path, sw_tensor **out);
/* The same from memory (already decompressed); name is for messages. */
SW_API sw_status sw_idx_parse(sw_context *ctx, const void *bytes, size_t size, const char *name,
                              sw_tensor **out);
/* uint8 of at least one dimension; gzipped if path ends in .gz. The file is whole or not there, as
 * with sw_safetensors_write. SW_EDTYPE, SW_ESHAPE, SW_ERANGE, SW_EIO. */
SW_API sw_status sw_idx_write(const sw_tensor *t, const char *path);

#endif
