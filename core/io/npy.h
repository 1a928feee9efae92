/* npy.h: NumPy's format for one array, versions 1, 2 and 3 read, 1 written.
 *
 * "\x93NUMPY", two bytes of version, the header's length (u16, from version 2 on u32), a Python
 * dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, then the elements.
 * Read, in either byte order: f4 float32, f8 float64, i4 int32, u1 uint8; f2 as float32; i1, i2,
 * u2, u4, i8 and u8 as int32 if every value fits; b1 as uint8 of 0 and 1. Fortran order is copied
 * into ours.
 */
#ifndef SW_NPY_H
#define SW_NPY_H

#include "tensor/tensor.h"

/* Everything is checked before memory is allocated: the file must be as long as its header says.
 * SW_EIO; SW_ECORRUPT: not npy, cut short, too long; SW_EUNSUPPORTED: another element type, an
 * integer that does not fit, more than six dimensions. SW_ENOMEM. */
SW_API sw_status sw_npy_read(sw_context *ctx, const char *path, sw_tensor **out);
/* Any tensor. The file is whole or not there, as with sw_safetensors_write. SW_EIO, SW_ENOMEM. */
SW_API sw_status sw_npy_write(const sw_tensor *t, const char *path);

#endif
