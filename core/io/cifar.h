/* cifar.h: the binary files of CIFAR-10 and CIFAR-100.
 *
 * Records without any header: the labels, one byte each (CIFAR-10: the class; CIFAR-100: the coarse
 * and then the fine one), and an image of 32 x 32 as planes of red, green and blue. A file may hold
 * any number of records.
 */
#ifndef SW_CIFAR_H
#define SW_CIFAR_H

#include "tensor/tensor.h"

typedef enum sw_cifar { SW_CIFAR10, SW_CIFAR100 } sw_cifar;
enum { SW_CIFAR_COUNT = SW_CIFAR100 + 1 };

/* *x: uint8 (N, 32, 32, 3), *y: uint8 (N, labels a record). SW_EIO: cannot be read; SW_ECORRUPT: no
 * records, part of one, or a label out of range. Messages name the file. */
SW_API sw_status sw_cifar_read(sw_context *ctx, const char *path, sw_cifar kind, sw_tensor **x,
                               sw_tensor **y);

#endif
