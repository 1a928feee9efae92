/* file.h: writing a whole file. */
#ifndef SW_FILE_H
#define SW_FILE_H

#include "base/context.h"

/* Writes path.tmp.<pid> in the same folder, syncs, and renames it: path names the old file or the
 * new one, never a part. SW_EIO, SW_ENOMEM. */
SW_API sw_status sw_file_write_atomic(sw_context *ctx, const char *path, const void *bytes,
                                      size_t size);

#endif
