/* file_int.h: reading and writing whole files; every fault has a message of one sentence.
 *
 * A writer writes path.tmp.<pid> in the same folder, syncs, and renames it at its end: the final
 * name is the old file or the new one, never a part. The temporary file of a killed writer is
 * removed by the next writer of that path. Devices and pipes are written in place. A full disk or a
 * size limit is an error here, never a signal.
 */
#ifndef SW_FILE_INT_H
#define SW_FILE_INT_H

#include "io/file.h"

/* SW_EIO: "path: cannot read: No such file or directory". ENOSPC, EFBIG, EDQUOT: SW_ENOSPC. */
sw_status swi_file_fail(sw_context *ctx, const char *path, const char *action, int error);

/* Opens a regular file for reading; the caller closes *fd. *size is its current length. */
sw_status swi_file_open(sw_context *ctx, const char *path, int *fd, int64_t *size);

/* Up to n bytes from offset on, fewer only where the file ends. */
sw_status swi_file_read(sw_context *ctx, const char *path, int fd, int64_t offset, void *to,
                        int64_t n, int64_t *got);

typedef struct swi_writer {
  sw_context *ctx;
  const char *path; /* borrowed */
  char *temp;       /* NULL: path is no regular file and is written in place */
  size_t temp_size;
  int fd;
} swi_writer;

sw_status swi_writer_open(swi_writer *w, sw_context *ctx, const char *path);
sw_status swi_writer_put(swi_writer *w, const void *bytes, int64_t n);

/* Ends the writer in any case. st: how the writing went; if not SW_OK, or if ending fails, the
 * temporary file is removed and the file at path is unchanged. Returns the first failure. */
sw_status swi_writer_end(swi_writer *w, sw_status st);

#endif
